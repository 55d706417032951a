//! Files that describe a table in a database or directory: `name = value`, as in main.cf, and no `$name` in it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::Request;
use super::lines::{is_space_char, logical_lines};
use crate::clients::files::problem::{Problem, quoted};
use crate::clients::files::watched::Reading;

/// The largest file, in octets.
const LARGEST: u64 = 1 << 20;

/// The parameters of a file.
#[derive(Debug)]
pub(super) struct Cf {
    values: BTreeMap<String, (usize, String)>,
    /// The names that were asked for.
    known: RefCell<BTreeSet<String>>,
}

impl Cf {
    /// Reads the file that a table names.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or Postfix would not read it.
    pub(super) fn open(request: &Request<'_>) -> Reading<Self> {
        // As in Postfix (`cfg_parser.c`), other names are what parameters of main.cf begin with.
        if !request.name.starts_with(['/', '.']) {
            let problem = Problem::new(format!("{} is not the path of a file", quoted(request.name)));
            return Err(vec![
                problem
                    .hint("parameters in main.cf itself are not read; write them into a file of their own"),
            ]);
        }
        let path = &request.file()?;
        let in_file = |problem: Problem| vec![problem.in_file(path)];
        let size = fs::metadata(path).map(|metadata| metadata.len());
        let octets = match size {
            Ok(size) if size > LARGEST => return Err(in_file(Problem::new("it is too large"))),
            Ok(_) => fs::read(path),
            Err(error) => Err(error),
        };
        let octets = octets.map_err(|error| in_file(Problem::new(format!("cannot be read: {error}"))))?;
        let (cf, warnings) = Self::parse(&octets)
            .map_err(|problems| problems.into_iter().map(|one| one.in_file(path)).collect::<Vec<_>>())?;
        Ok((cf, warnings.into_iter().map(|one| one.in_file(path)).collect()))
    }

    /// Reads the text of a file.
    pub(super) fn parse(octets: &[u8]) -> Reading<Self> {
        let (mut warnings, mut problems) = (Vec::new(), Vec::new());
        let mut values: BTreeMap<String, (usize, String)> = BTreeMap::new();
        for line in logical_lines(octets, &mut warnings) {
            let pair = line.text().and_then(|text| {
                let (name, value) = text
                    .split_once('=')
                    .map(|(name, value)| {
                        (name.trim_matches(is_space_char), value.trim_matches(is_space_char))
                    })
                    .filter(|(name, _)| !name.is_empty() && !name.contains(is_space_char))
                    .ok_or_else(|| Problem::new(format!("{} is no `name = value`", quoted(text))))?;
                Ok((name.to_owned(), value.to_owned()))
            });
            match pair {
                Ok((name, value)) => {
                    // Of a repeated name the last counts, as in Postfix.
                    let before = values.insert(name.clone(), (line.number, value.clone()));
                    if before.is_some_and(|(_, before)| before != value) {
                        let warning = Problem::new(format!("`{name}` is set again, which counts"));
                        warnings.push(warning.at(line.number, None));
                    }
                }
                Err(problem) => problems.push(problem.at(line.number, None)),
            }
        }
        let cf = Self { values, known: RefCell::default() };
        if problems.is_empty() { Ok((cf, warnings)) } else { Err(problems) }
    }

    /// The value of a parameter, if it is set.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.known.borrow_mut().insert(name.to_owned());
        self.values.get(name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that is a number.
    ///
    /// # Errors
    ///
    /// Where it is none, or less than `least`.
    pub(super) fn number(&self, name: &str, default: usize, least: usize) -> Result<usize, Problem> {
        let Some(value) = self.value(name) else { return Ok(default) };
        let number = value.parse::<i32>().ok().and_then(|number| usize::try_from(number).ok());
        number
            .filter(|number| *number >= least)
            .ok_or_else(|| self.problem(name, &format!("{} is no number from {least} on", quoted(value))))
    }

    /// Whether a parameter is `yes`.
    ///
    /// # Errors
    ///
    /// Where it is neither that nor `no`.
    pub(super) fn is_yes(&self, name: &str) -> Result<bool, Problem> {
        match self.value(name) {
            None => Ok(false),
            Some(value) if value.eq_ignore_ascii_case("yes") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("no") => Ok(false),
            Some(value) => Err(self.problem(name, &format!("{} is neither `yes` nor `no`", quoted(value)))),
        }
    }

    /// A problem with a parameter.
    pub(super) fn problem(&self, name: &str, message: &str) -> Problem {
        let problem = Problem::new(format!("{name}: {message}"));
        match self.values.get(name) {
            Some((line, _)) => problem.at(*line, None),
            None => problem,
        }
    }

    /// Warnings about parameters that nobody asked for: Postfix ignores them, and so do we.
    pub(super) fn unknown(&self) -> Vec<Problem> {
        let known = self.known.borrow();
        let unknown = self.values.iter().filter(|(name, _)| !known.contains(*name));
        let warnings = unknown.map(|(name, (line, _))| {
            Problem::new(format!("there is no parameter `{name}`; Postfix ignores it, and so do we"))
                .at(*line, None)
        });
        warnings.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let text = b"# comment\na = 1\nb=x = y \n  more\nlist =\nyes = YES\nno = nO\na = 22\nodd = 1\n";
        let (cf, warnings) = Cf::parse(text).unwrap();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(cf.value("b"), Some("x = y   more"));
        assert_eq!(cf.value("list"), Some(""));
        assert_eq!(cf.value("c"), None);
        assert_eq!(cf.number("a", 0, 1), Ok(22));
        assert_eq!(cf.number("c", 7, 1), Ok(7));
        assert!(
            cf.number("a", 0, 23).is_err()
                && cf.number("b", 0, 0).is_err()
                && cf.number("list", 0, 0).is_err()
        );
        assert_eq!((cf.is_yes("yes"), cf.is_yes("no"), cf.is_yes("c")), (Ok(true), Ok(false), Ok(false)));
        assert_eq!(cf.is_yes("a").unwrap_err().to_string(), ":8: a: ‘22’ is neither `yes` nor `no`");
        let unknown: Vec<String> = cf.unknown().into_iter().map(|one| one.message).collect();
        assert_eq!(unknown, ["there is no parameter `odd`; Postfix ignores it, and so do we"]);
    }

    #[test]
    fn lines_that_are_no_parameters() {
        for text in ["a", "= b", "a b = c", "a\n"] {
            assert!(Cf::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
