//! Lines of the files that administrators write for us: grants, recipients.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::problem::Problem;
use crate::mail::Domain;
use crate::mail::domain::DomainError;

/// How many problems of one file are reported.
pub(crate) const MOST_PROBLEMS: usize = 20;

/// The text of a file, without a byte order mark.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, Problem> {
    let text = str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The domains of a file as they are written, each parsed once: few files have many.
#[derive(Default)]
pub(crate) struct Domains<'a>(HashMap<&'a str, Domain>);

impl<'a> Domains<'a> {
    /// The domain that a text means.
    pub(crate) fn parse(&mut self, text: &'a str) -> Result<&Domain, Problem> {
        match self.0.entry(text) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => {
                let domain = text.parse().map_err(|error: DomainError| Problem::new(error.to_string()))?;
                Ok(new.insert(domain))
            }
        }
    }
}

/// Where in a line a part of it begins, in octets.
pub(crate) fn offset(line: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(line.as_ptr() as usize)
}

/// The line up to a `#` at its beginning or after white space, outside of a quoted local-part.
pub(crate) fn without_comment(line: &str) -> &str {
    if !line.contains('#') {
        return line;
    }
    let (mut quotes, mut after_space) = (Quotes::default(), true);
    for (at, c) in line.char_indices() {
        if c == '#' && after_space && !quotes.is_open() {
            return &line[..at];
        }
        quotes.take(c);
        after_space = c.is_whitespace();
    }
    line
}

/// Whether a place is inside of a quoted-string.
#[derive(Default)]
pub(crate) struct Quotes {
    open: bool,
    escaped: bool,
}

impl Quotes {
    pub(crate) fn take(&mut self, c: char) {
        match c {
            _ if self.escaped => self.escaped = false,
            '\\' if self.open => self.escaped = true,
            '"' => self.open = !self.open,
            _ => {}
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open
    }
}

fn not_utf8(bytes: &[u8], valid_up_to: usize) -> Problem {
    let before = String::from_utf8_lossy(&bytes[..valid_up_to]);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Problem::new("it is not UTF-8").at(line, Some(column)).hint("save it as UTF-8")
}
