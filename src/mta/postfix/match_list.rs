//! Lists of names, files of names and tables, such as `mydestination`.

use std::collections::HashSet;
use std::fs;

use super::main_cf::MainCf;
use super::tables::{self, Context, Table, TableError, Usage, fold};
use super::words::words;
use crate::clients::files::problem::{Problem, quoted};
use crate::clients::files::watched::Reading;

/// How deep files may name files.
const DEEPEST: usize = 10;

/// The list. Its first item that fits decides. Files of names are read when it is opened, as Postfix reads them.
#[derive(Debug)]
pub struct MatchList {
    parameter: String,
    below: Below,
    items: Vec<Item>,
}

/// What a list says of the names below those that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Below {
    /// Nothing.
    Out,
    /// They are in it too.
    In,
    /// They are in it where the item is `.name`.
    AfterDot,
}

/// The names of a list, as far as they can be listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The names, in lower case.
    pub listed: Vec<String>,
    /// The items that stand for names that cannot be listed.
    pub unlisted: Vec<String>,
}

#[derive(Debug)]
struct Item {
    wanted: bool,
    matcher: Matcher,
}

#[derive(Debug)]
enum Matcher {
    Name(String),
    Table(String, Box<dyn Table>),
}

impl MatchList {
    /// Reads the list of a parameter.
    ///
    /// # Errors
    ///
    /// Where a file or table that it names cannot be used.
    pub fn open(main_cf: &MainCf, parameter: &str, below: Below) -> Reading<Self> {
        let context = Context::of(main_cf, Usage::Maps);
        Self::parse(parameter, main_cf.value(parameter), below, context).map_err(|problems| {
            problems.into_iter().map(|one| one.in_file(main_cf.file())).collect::<Vec<_>>()
        })
    }

    /// Reads a list that a parameter of this name holds.
    ///
    /// # Errors
    ///
    /// Where a file or table that it names cannot be used.
    pub(super) fn parse(parameter: &str, text: &str, below: Below, context: Context<'_>) -> Reading<Self> {
        let mut list = Self { below, ..Self::empty(parameter) };
        let mut warnings = Vec::new();
        list.add(text, true, (0, context), &mut warnings).map_err(|problems| {
            let named = |one: Problem| Problem { message: format!("{parameter}: {}", one.message), ..one };
            problems.into_iter().map(named).collect::<Vec<_>>()
        })?;
        Ok((list, warnings))
    }

    /// A list without any name.
    pub(super) fn empty(parameter: &str) -> Self {
        Self { parameter: parameter.to_owned(), below: Below::Out, items: Vec::new() }
    }

    fn add(
        &mut self,
        text: &str,
        wanted: bool,
        (depth, context): (usize, Context<'_>),
        warnings: &mut Vec<Problem>,
    ) -> Result<(), Vec<Problem>> {
        for word in words(text) {
            let name = word.trim_start_matches('!');
            let wanted = wanted == (word.len() - name.len()).is_multiple_of(2);
            if name.is_empty() {
                return Err(vec![Problem::new("there is nothing after a `!`")]);
            }
            let matcher = if name.starts_with('/') {
                self.add_file(name, wanted, (depth, context), warnings)?;
                continue;
            } else if name.contains(':') && !name.starts_with('[') {
                let (table, more) = tables::open(name, context, 0)?;
                warnings.extend(more);
                Matcher::Table(name.to_owned(), table)
            } else {
                Matcher::Name(fold(name))
            };
            self.items.push(Item { wanted, matcher });
        }
        Ok(())
    }

    fn add_file(
        &mut self,
        file: &str,
        wanted: bool,
        (depth, context): (usize, Context<'_>),
        warnings: &mut Vec<Problem>,
    ) -> Result<(), Vec<Problem>> {
        let problem = |why: String| vec![Problem::new(format!("{} cannot be used: {why}", quoted(file)))];
        if depth == DEEPEST {
            return Err(problem(format!("files are nested more than {DEEPEST} deep")));
        }
        let text = fs::read_to_string(file).map_err(|error| problem(error.to_string()))?;
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            self.add(line, wanted, (depth + 1, context), warnings)?;
        }
        Ok(())
    }

    /// Whether the list has the name.
    ///
    /// # Errors
    ///
    /// Where a table cannot tell.
    pub async fn matches(&self, name: &str) -> Result<bool, TableError> {
        let name = fold(name);
        for item in &self.items {
            let fits = match &item.matcher {
                Matcher::Name(listed) => self.has(listed, &name),
                Matcher::Table(_, table) => self.is_in(&**table, &name).await?,
            };
            if fits {
                return Ok(item.wanted);
            }
        }
        Ok(false)
    }

    fn has(&self, listed: &str, name: &str) -> bool {
        let Some(above) = name.strip_suffix(listed) else { return false };
        above.is_empty()
            || match self.below {
                Below::Out => false,
                Below::In => above.ends_with('.'),
                Below::AfterDot => listed.starts_with('.'),
            }
    }

    /// Whether a table has the name, or one above it. Patterns are asked for the whole name only.
    async fn is_in(&self, table: &dyn Table, name: &str) -> Result<bool, TableError> {
        let mut key = name;
        loop {
            let error = |why: TableError| TableError(format!("{}: {why}", self.parameter));
            if table.find(key).await.map_err(error)?.is_some() {
                return Ok(true);
            }
            if self.below == Below::Out || table.has_patterns() {
                return Ok(false);
            }
            let Some((dot, _)) = key.char_indices().skip(1).find(|(_, c)| *c == '.') else {
                return Ok(false);
            };
            key = &key[dot + usize::from(self.below == Below::In)..];
            if key.is_empty() {
                return Ok(false);
            }
        }
    }

    /// Every name that the list has, as far as it can tell. Of tables those keys count that are no addresses.
    pub fn names(&self) -> Names {
        let (mut names, mut decided) = (Names::default(), HashSet::new());
        for item in &self.items {
            let mut take = |name: &str| {
                if !name.contains('@') && decided.insert(name.to_owned()) && item.wanted {
                    names.listed.push(name.to_owned());
                }
            };
            match &item.matcher {
                Matcher::Name(name) => take(name),
                Matcher::Table(name, table) => {
                    let whole = table.list_keys(&mut |key| take(&fold(key)));
                    if !whole {
                        names.unlisted.push(name.clone());
                    }
                }
            }
        }
        names
    }
}
