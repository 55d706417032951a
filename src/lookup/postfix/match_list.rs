//! Lists of names, files of names and tables, such as `mydestination`.

use std::fs;

use super::main_cf::MainCf;
use super::tables::{self, Table, TableError, Usage, fold};
use super::words::words;
use crate::lookup::problem::{Problem, quoted};
use crate::lookup::watched::Reading;

/// How deep files may name files.
const DEEPEST: usize = 10;

/// The list. Its first item that fits decides. Files of names are read when it is opened, as Postfix reads them.
#[derive(Debug)]
pub struct MatchList {
    parameter: String,
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    wanted: bool,
    matcher: Matcher,
}

#[derive(Debug)]
enum Matcher {
    Name(String),
    Table(Box<dyn Table>),
}

impl MatchList {
    /// Reads the list of a parameter.
    ///
    /// # Errors
    ///
    /// Where a file or table that it names cannot be used.
    pub fn open(main_cf: &MainCf, parameter: &str) -> Reading<Self> {
        Self::parse(parameter, main_cf.value(parameter)).map_err(|problems| {
            problems.into_iter().map(|one| one.in_file(main_cf.file())).collect::<Vec<_>>()
        })
    }

    /// Reads a list that a parameter of this name holds.
    ///
    /// # Errors
    ///
    /// Where a file or table that it names cannot be used.
    pub(super) fn parse(parameter: &str, text: &str) -> Reading<Self> {
        let mut list = Self { parameter: parameter.to_owned(), items: Vec::new() };
        let mut warnings = Vec::new();
        list.add(text, true, 0, &mut warnings).map_err(|problems| {
            let named = |one: Problem| Problem { message: format!("{parameter}: {}", one.message), ..one };
            problems.into_iter().map(named).collect::<Vec<_>>()
        })?;
        Ok((list, warnings))
    }

    fn add(
        &mut self,
        text: &str,
        wanted: bool,
        depth: usize,
        warnings: &mut Vec<Problem>,
    ) -> Result<(), Vec<Problem>> {
        for word in words(text) {
            let name = word.trim_start_matches('!');
            let wanted = wanted == (word.len() - name.len()).is_multiple_of(2);
            if name.is_empty() {
                return Err(vec![Problem::new("there is nothing after a `!`")]);
            }
            let matcher = if name.starts_with('/') {
                self.add_file(name, wanted, depth, warnings)?;
                continue;
            } else if name.contains(':') && !name.starts_with('[') {
                let (table, more) = tables::open(name, Usage::Maps, 0)?;
                warnings.extend(more);
                Matcher::Table(table)
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
        depth: usize,
        warnings: &mut Vec<Problem>,
    ) -> Result<(), Vec<Problem>> {
        let problem = |why: String| vec![Problem::new(format!("{} cannot be used: {why}", quoted(file)))];
        if depth == DEEPEST {
            return Err(problem(format!("files are nested more than {DEEPEST} deep")));
        }
        let text = fs::read_to_string(file).map_err(|error| problem(error.to_string()))?;
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            self.add(line, wanted, depth + 1, warnings)?;
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
                Matcher::Name(listed) => *listed == name,
                Matcher::Table(table) => {
                    let error = |why: TableError| TableError(format!("{}: {why}", self.parameter));
                    table.find(&name).await.map_err(error)?.is_some()
                }
            };
            if fits {
                return Ok(item.wanted);
            }
        }
        Ok(false)
    }
}
