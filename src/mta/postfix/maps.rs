//! Lists of tables, asked one after another (maps(3) of Postfix).

use super::main_cf::MainCf;
use super::tables::{self, Context, Entry, Table, TableError, Usage};
use super::words::words;
use crate::clients::files::problem::Problem;
use crate::clients::files::watched::Reading;

/// How messages name what no parameter names.
const ALONE: &str = "table";

/// The tables of a parameter.
#[derive(Debug)]
pub struct Maps {
    /// The parameter, as messages name it.
    title: String,
    tables: Vec<(String, Box<dyn Table>)>,
}

/// What a key is of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// All of it.
    Whole,
    /// A part: tables of patterns are not asked.
    Part,
}

/// What a key was found to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The key.
    pub key: String,
    /// What the table has for it.
    pub entry: Entry,
    /// The table, by its place in the list.
    pub table: usize,
}

impl Maps {
    /// Opens the tables that a parameter names.
    ///
    /// # Errors
    ///
    /// Everything for which a table cannot be asked as Postfix asks it.
    pub fn open(main_cf: &MainCf, parameter: &str, usage: Usage) -> Reading<Self> {
        let in_file = |all: Vec<Problem>| all.into_iter().map(|one| one.in_file(main_cf.file())).collect();
        match Self::of(parameter, main_cf.value(parameter), Context::of(main_cf, usage)) {
            Ok((maps, warnings)) => Ok((maps, in_file(warnings))),
            Err(problems) => Err(in_file(problems)),
        }
    }

    /// Opens the tables of a list. `title` stands for it in messages.
    ///
    /// # Errors
    ///
    /// Everything for which a table cannot be asked as Postfix asks it.
    pub fn of(title: &str, list: &str, context: Context<'_>) -> Reading<Self> {
        let mut maps = Self { title: title.to_owned(), tables: Vec::new() };
        let (mut warnings, mut problems) = (Vec::new(), Vec::new());
        for word in words(list) {
            let named = |one: Problem| Problem { message: format!("{word}: {}", one.message), ..one };
            match tables::open(word, context, 0) {
                Ok((table, found)) => {
                    maps.tables.push((word.to_owned(), table));
                    warnings.extend(found.into_iter().map(named));
                }
                Err(found) => problems.extend(found.into_iter().map(named)),
            }
        }
        if problems.is_empty() { Ok((maps, warnings)) } else { Err(problems) }
    }

    /// Opens one table.
    ///
    /// # Errors
    ///
    /// Everything for which it cannot be asked as Postfix asks it.
    pub fn table(name: &str, usage: Usage) -> Reading<Self> {
        let (table, warnings) = tables::open(name, Context::alone(usage), 0)?;
        Ok((Self { title: ALONE.to_owned(), tables: vec![(name.to_owned(), table)] }, warnings))
    }

    /// The value of the first table that has the key.
    ///
    /// # Errors
    ///
    /// Where a table before cannot tell.
    pub async fn find(&self, key: &str, kind: Key) -> Result<Option<String>, TableError> {
        Ok(self.look_up(key, kind).await?.map(|hit| hit.entry.value))
    }

    /// The same with the entry, and the table that has it.
    ///
    /// # Errors
    ///
    /// Where a table before cannot tell.
    pub async fn look_up(&self, key: &str, kind: Key) -> Result<Option<Hit>, TableError> {
        if key.is_empty() {
            return Ok(None);
        }
        for (at, (_, table)) in self.tables.iter().enumerate() {
            if kind == Key::Part && table.has_patterns() {
                continue;
            }
            if let Some(entry) = self.entry(at, key).await? {
                return Ok(Some(Hit { key: key.to_owned(), entry, table: at }));
            }
        }
        Ok(None)
    }

    /// What one table has for a key.
    ///
    /// # Errors
    ///
    /// Where it cannot tell.
    pub async fn entry(&self, table: usize, key: &str) -> Result<Option<Entry>, TableError> {
        let Some((name, table)) = self.tables.get(table) else { return Ok(None) };
        let error = |why: &str| TableError(format!("{} {}: {why}", self.title, short(name)));
        match table.entry(key).await {
            // Postfix takes this for a mistake of the table, and defers.
            Ok(Some(entry)) if entry.value.is_empty() => Err(error("an empty value")),
            Ok(found) => Ok(found),
            Err(why) => Err(error(&why.0)),
        }
    }

    /// The name of a table, as main.cf has it; what is in braces left out.
    pub fn name(&self, table: usize) -> &str {
        self.tables.get(table).map_or("", |(name, _)| short(name))
    }

    /// The name of a table with all that is in it.
    pub(super) fn full_name(&self, table: usize) -> &str {
        self.tables.get(table).map_or("", |(name, _)| name)
    }

    /// Whether a server answers for a table.
    pub fn is_served(&self, table: usize) -> bool {
        self.tables.get(table).is_some_and(|(name, _)| tables::is_served(name))
    }

    /// The parameter that names the tables, or what stands for it; none for a table alone.
    pub fn parameter(&self) -> Option<&str> {
        Some(self.title.as_str()).filter(|title| *title != ALONE)
    }

    /// Whether there is no table at all.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }
}

/// A name without what is in braces, which may be a whole table.
fn short(name: &str) -> &str {
    name.split_once('{').map_or(name, |(kind, _)| kind.trim_end_matches(':'))
}
