//! POSIX extended regular expressions as the C library of GNU reads them, for `regexp:` tables.
//!
//! The `regex` crate's syntax and rules differ (leftmost-first instead of leftmost-longest, no GNU operators), so the
//! expression is parsed here. Matching is regex-automata's and takes linear time; which text each group has is found in
//! `captures`, and only where a table asks for it.

mod captures;
mod parse;
mod program;

use regex_automata::meta::Regex;

use super::rules::Refusal;
use captures::{Automaton, Groups};

/// The largest automaton, in octets.
const LARGEST: usize = 4 << 20;

/// How an expression is read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    /// Whether ASCII case tells characters apart.
    pub(super) case_sensitive: bool,
    /// Whether `^` and `$` match at line breaks, and `.` does not match one.
    pub(super) lines: bool,
}

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Ere {
    regex: Regex,
    /// None where it would be too large.
    automaton: Option<Automaton>,
    groups: usize,
}

impl Ere {
    /// Reads an expression.
    pub(super) fn compile(pattern: &str, options: Options) -> Result<Self, Refusal> {
        let (node, groups) = parse::parse(pattern.as_bytes(), options)?;
        let config = Regex::config().nfa_size_limit(Some(LARGEST)).utf8_empty(false);
        let regex = Regex::builder()
            .configure(config)
            .build_from_hir(&program::hir(&node))
            .map_err(|error| Refusal::NotHere(format!("this expression is too large: {error}")))?;
        Ok(Self { regex, automaton: Automaton::new(&node, groups), groups })
    }

    /// How many groups it has.
    pub(super) fn groups(&self) -> usize {
        self.groups
    }

    /// Whether it matches somewhere in the subject.
    pub(super) fn is_match(&self, subject: &str) -> bool {
        self.regex.is_match(subject)
    }

    /// Where each group matched, from the first on; none where nothing matches.
    ///
    /// # Errors
    ///
    /// Where that would take too long to find out.
    pub(super) fn captures(&self, subject: &str) -> Result<Option<Groups>, String> {
        if !self.is_match(subject) {
            return Ok(None);
        }
        let automaton =
            self.automaton.as_ref().ok_or("this expression is too large to say what its groups match")?;
        automaton.find(subject.as_bytes())
    }
}
