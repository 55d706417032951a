//! What is wrong with a source, where, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

/// One problem of a source of answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The source, as the configuration names it; empty until the source is known.
    pub source: &'static str,
    /// Where it is, if it is in a file.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A file, or a spot in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The character in that line, from 1.
    pub column: Option<usize>,
}

impl Problem {
    /// A problem of which nothing is known but what is wrong.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { source: "", place: None, message: message.into(), hint: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same in a file, unless its place is known already.
    #[must_use]
    pub(crate) fn in_file(mut self, file: &Path) -> Self {
        let place = self.place.get_or_insert(Place { file: PathBuf::new(), line: None, column: None });
        if place.file.as_os_str().is_empty() {
            file.clone_into(&mut place.file);
        }
        self
    }

    /// The same at a line, and perhaps a character of it.
    #[must_use]
    pub(crate) fn at(self, line: usize, column: Option<usize>) -> Self {
        Self { place: Some(Place { file: PathBuf::new(), line: Some(line), column }), ..self }
    }

    /// The same of a source, unless the source is known already.
    #[must_use]
    pub(crate) fn of(self, source: &'static str) -> Self {
        let source = if self.source.is_empty() { source } else { self.source };
        Self { source, ..self }
    }
}

impl fmt::Display for Problem {
    /// The problem in one line: `file:line:column: source: message; hint`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{}:", place.file.display())?;
            for number in [place.line, place.column].into_iter().flatten() {
                write!(f, "{number}:")?;
            }
            f.write_str(" ")?;
        }
        if !self.source.is_empty() {
            write!(f, "{}: ", self.source)?;
        }
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

/// Text of a file, fit for a message: one line, no controls, and not endless.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut shown = String::new();
    for c in text.chars().take(LONGEST) {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    let more = if text.chars().nth(LONGEST).is_some() { "…" } else { "" };
    format!("‘{shown}{more}’")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line() {
        let problem = Problem::new(format!("{} is no grant", quoted("a\nb"))).hint("write an address");
        assert_eq!(problem.to_string(), "‘a\\nb’ is no grant; write an address");
        let placed = problem.at(3, Some(7)).in_file(Path::new("/etc/x")).of("file");
        assert_eq!(placed.to_string(), "/etc/x:3:7: file: ‘a\\nb’ is no grant; write an address");
    }
}
