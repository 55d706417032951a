//! Lists of tables, asked one after another (maps(3) of Postfix).

use super::main_cf::MainCf;
use super::tables::{self, Table, TableError, Usage};
use super::words::words;
use crate::lookup::problem::Problem;
use crate::lookup::watched::Reading;

/// The tables of a parameter.
#[derive(Debug)]
pub struct Maps {
    parameter: String,
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

impl Maps {
    /// Opens the tables that a parameter names.
    ///
    /// # Errors
    ///
    /// Everything for which a table cannot be asked as Postfix asks it.
    pub fn open(main_cf: &MainCf, parameter: &str, usage: Usage) -> Reading<Self> {
        let mut maps = Self { parameter: parameter.to_owned(), tables: Vec::new() };
        let (mut warnings, mut problems) = (Vec::new(), Vec::new());
        for word in words(main_cf.value(parameter)) {
            let in_place = |one: Problem| Problem { message: format!("{word}: {}", one.message), ..one };
            let in_place = |one: Problem| in_place(one).in_file(main_cf.file());
            match tables::open(word, usage, 0) {
                Ok((table, found)) => {
                    maps.tables.push((word.to_owned(), table));
                    warnings.extend(found.into_iter().map(in_place));
                }
                Err(found) => problems.extend(found.into_iter().map(in_place)),
            }
        }
        if problems.is_empty() { Ok((maps, warnings)) } else { Err(problems) }
    }

    /// The value of the first table that has the key.
    ///
    /// # Errors
    ///
    /// Where a table before cannot tell.
    pub async fn find(&self, key: &str, kind: Key) -> Result<Option<String>, TableError> {
        if key.is_empty() {
            return Ok(None);
        }
        for (name, table) in &self.tables {
            if kind == Key::Part && table.has_patterns() {
                continue;
            }
            let error = |why: &str| TableError(format!("{} {name}: {why}", self.parameter));
            match table.find(key).await {
                Ok(None) => {}
                // Postfix takes this for a mistake of the table, and defers.
                Ok(Some(value)) if value.is_empty() => return Err(error("an empty value")),
                Ok(found) => return Ok(found),
                Err(why) => return Err(error(&why.0)),
            }
        }
        Ok(None)
    }

    /// Whether there is no table at all.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }
}
