//! An evaluation with every step that it took, in the words of the records as they are published: a tree.

use std::fmt::Display;

use super::record::words;
use super::{Found, NotFound};
use crate::mail::spf::{SpfAnswer, SpfResult};

/// An evaluation with its steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// What the daemon would know.
    pub answer: SpfAnswer,
    /// What was counted against the limits, all together. A count above its limit ends the evaluation.
    pub counts: Counts,
    /// The steps; none where the evaluation did not come to its end, or never began.
    pub policy: Option<Policy>,
    /// The queries of an evaluation that did not come to its end; the last one has no answer.
    pub unfinished: Vec<Query>,
}

/// What counts against the limits (RFC 7208, 4.6.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Terms that cause DNS queries.
    pub lookups: usize,
    /// Terms whose queries came back empty.
    pub void_lookups: usize,
}

/// The evaluation of one domain's record: a call of `check_host()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The domain.
    pub domain: String,
    /// Its SPF records as published; it should be one.
    pub records: Vec<String>,
    /// Why there is no record to evaluate, in words.
    pub flaw: Option<String>,
    /// Its terms in the order of evaluation, also those that were not reached. Modifiers that nothing asks for are left
    /// out.
    pub steps: Vec<Step>,
    /// What came of it.
    pub result: SpfResult,
}

/// The evaluation of one term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The term as published.
    pub term: String,
    /// The queries that it caused itself, but for that of a record.
    pub queries: Vec<Query>,
    /// What it counts itself, without what it includes.
    pub counts: Counts,
    /// The policy that it names.
    pub inner: Option<Box<Policy>>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It matched, and this is the result of its record.
    Matched(SpfResult),
    /// It did not match.
    NoMatch,
    /// The policy that it redirects to is that of its own domain.
    Redirected(SpfResult),
    /// The evaluation cannot go on: why, and with which result.
    Failed(SpfResult, String),
    /// An explanation was looked up.
    Explained,
    /// The result was certain before its turn.
    NotReached,
}

/// A query with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The type.
    pub record_type: &'static str,
    /// The name, or for PTR the address.
    pub name: String,
    /// The records as text; none while there is no answer.
    pub answer: Option<Found<String>>,
}

impl Query {
    /// Whether it came back empty.
    pub fn is_void(&self) -> bool {
        self.answer == Some(Err(NotFound::NoRecords))
    }
}

/// Writes the steps down while they are taken.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    /// The evaluations under way, each within the one before.
    open: Vec<Draft>,
    /// The outermost one, when it is over.
    done: Option<Policy>,
    /// All queries.
    queries: Vec<Query>,
}

/// A policy that is being evaluated, its steps at the places of their terms.
#[derive(Debug)]
struct Draft {
    policy: Policy,
    step: Option<usize>,
}

impl Recorder {
    /// The evaluation of a domain begins.
    pub(super) fn enter(&mut self, domain: &str) {
        let policy = Policy {
            domain: domain.to_owned(),
            records: Vec::new(),
            flaw: None,
            steps: Vec::new(),
            result: SpfResult::None,
        };
        self.open.push(Draft { policy, step: None });
    }

    /// Its SPF records are known, and what is wrong with them.
    pub(super) fn published(&mut self, records: &[String], flaw: Option<String>) {
        let Some(Draft { policy, .. }) = self.open.last_mut() else { return };
        policy.records = records.to_vec();
        if let ([record], None) = (records, &flaw) {
            policy.steps = words(record).skip(1).map(|(_, term)| Step::new(term)).collect();
        }
        policy.flaw = flaw;
    }

    /// The term at a place has its turn, with what comes of it unless something else does.
    pub(super) fn step(&mut self, place: usize, outcome: Outcome) {
        if let Some(draft) = self.open.last_mut() {
            draft.step = Some(place);
        }
        self.conclude(outcome);
    }

    /// What came of the term.
    pub(super) fn conclude(&mut self, outcome: Outcome) {
        self.with_step(|step| step.outcome = outcome);
    }

    /// The term counts.
    pub(super) fn count(&mut self, more: Counts) {
        self.with_step(|step| {
            step.counts.lookups += more.lookups;
            step.counts.void_lookups += more.void_lookups;
        });
    }

    /// A query has been sent.
    pub(super) fn asked(&mut self, record_type: &'static str, name: &str) {
        self.queries.push(Query { record_type, name: name.to_owned(), answer: None });
    }

    /// Its answer has come.
    pub(super) fn answered<T: Display>(&mut self, found: &Found<T>) {
        let Some(query) = self.queries.last_mut() else { return };
        let texts = found.as_ref().map(|records| records.iter().map(ToString::to_string).collect());
        query.answer = Some(texts.map_err(NotFound::clone));
        let query = query.clone();
        self.with_step(|step| step.queries.push(query));
    }

    /// The evaluation of a domain is over.
    pub(super) fn leave(&mut self, result: SpfResult) {
        let Some(Draft { policy, .. }) = self.open.pop() else { return };
        let policy = Policy { result, ..policy }.in_order();
        if self.open.is_empty() {
            self.done = Some(policy);
        } else {
            self.with_step(|step| step.inner = Some(Box::new(policy)));
        }
    }

    fn with_step(&mut self, change: impl FnOnce(&mut Step)) {
        let Some(Draft { policy, step: Some(place) }) = self.open.last_mut() else { return };
        if let Some(step) = policy.steps.get_mut(*place) {
            change(step);
        }
    }
}

impl Policy {
    /// The steps in the order of evaluation, without modifiers that nothing asked for.
    fn in_order(mut self) -> Self {
        self.steps.retain(|step| {
            step.outcome != Outcome::NotReached || !is_modifier(&step.term) || is_redirect(&step.term)
        });
        // RFC 7208, 6: modifiers are not evaluated where they stand, but after the mechanisms.
        self.steps.sort_by_key(|step| is_modifier(&step.term));
        self
    }
}

impl Traced {
    /// The tree of an evaluation; without a recorder there was nothing to evaluate.
    pub(super) fn new(answer: SpfAnswer, counts: Counts, recorder: Option<Recorder>) -> Self {
        let Recorder { done, queries, .. } = recorder.unwrap_or_default();
        match done {
            Some(policy) => Self { answer, counts, policy: Some(policy), unfinished: Vec::new() },
            None => Self { answer, counts: Counts::default(), policy: None, unfinished: queries },
        }
    }
}

impl Step {
    fn new(term: &str) -> Self {
        Self {
            term: term.to_owned(),
            queries: Vec::new(),
            counts: Counts::default(),
            inner: None,
            outcome: Outcome::NotReached,
        }
    }
}

/// Whether a term is a modifier: a name with a value (RFC 7208, 4.6.1).
fn is_modifier(term: &str) -> bool {
    let end = term.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    end.is_some_and(|end| end > 0 && term[end..].starts_with('='))
}

fn is_redirect(term: &str) -> bool {
    term.get(.."redirect=".len()).is_some_and(|name| name.eq_ignore_ascii_case("redirect="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_are_told_from_mechanisms() {
        for (term, expected) in [
            ("redirect=a.b", true),
            ("x-y=", true),
            ("a:b.c=d.e", false),
            ("exists:%{i}=x.y", false),
            ("=", false),
        ] {
            assert_eq!(is_modifier(term), expected, "{term}");
        }
    }
}
