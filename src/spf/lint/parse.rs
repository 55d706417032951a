//! A record as terms with their places. Which text is a term, the evaluation says.

use viaspf_record::{Directive, Mechanism, Modifier, Qualifier, Term};

use super::super::record::{self, words};

/// A word of a record.
#[derive(Debug)]
pub(super) struct Word<'a> {
    /// The octet where it begins.
    pub(super) at: usize,
    /// The word as written.
    pub(super) text: &'a str,
    /// The term that it is; none where it is none.
    pub(super) term: Option<Term>,
}

/// The words of a record behind its version section.
pub(super) fn parse(record: &str) -> Vec<Word<'_>> {
    words(record)
        .skip(1)
        // RFC 7208, 4.6.1: terms are separated by spaces and contain none, so that each can be read alone.
        .map(|(at, text)| Word { at, text, term: record::term(text) })
        .collect()
}

/// Whether a record as a whole can be evaluated.
pub(super) fn flaw(record: &str) -> Option<String> {
    record::flaw(record).map(|flaw| flaw.to_string())
}

impl Word<'_> {
    /// The mechanism that it is.
    pub(super) fn mechanism(&self) -> Option<&Mechanism> {
        self.directive().map(|directive| &directive.mechanism)
    }

    /// The mechanism with its qualifier.
    pub(super) fn directive(&self) -> Option<&Directive> {
        match &self.term {
            Some(Term::Directive(directive)) => Some(directive),
            _ => None,
        }
    }

    /// The modifier that it is.
    pub(super) fn modifier(&self) -> Option<&Modifier> {
        match &self.term {
            Some(Term::Modifier(modifier)) => Some(modifier),
            _ => None,
        }
    }

    /// What a match of it is worth (RFC 7208, 4.6.2).
    pub(super) fn qualifier(&self) -> Qualifier {
        self.directive().and_then(|directive| directive.qualifier).unwrap_or_default()
    }

    pub(super) fn is_all(&self) -> bool {
        matches!(self.mechanism(), Some(Mechanism::All))
    }

    pub(super) fn is_redirect(&self) -> bool {
        matches!(self.modifier(), Some(Modifier::Redirect(_)))
    }
}
