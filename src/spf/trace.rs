//! An evaluation with every step that it took, in the words of the records as they are published.
//!
//! viaspf tells what it does as a flat list of events, about records as we gave them to it. Here they become a tree, with
//! the terms that the domains wrote and with the answers that DNS gave: what the adapter noted is in the same order.

use std::fmt::Display;
use std::vec::IntoIter;

use viaspf::EvalError;
use viaspf::trace::{Trace, Tracepoint};

use super::adapter::Notes;
use super::{Found, NotFound, result_of};
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
    /// Queries that came back empty.
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
    /// A query without an answer.
    pub(super) fn open(record_type: &'static str, name: &str) -> Self {
        Self { record_type, name: name.to_owned(), answer: None }
    }

    /// The answer has come.
    pub(super) fn close<T: Display>(&mut self, found: &Found<T>) {
        let texts = found.as_ref().map(|records| records.iter().map(ToString::to_string).collect());
        self.answer = Some(texts.map_err(NotFound::clone));
    }

    /// Whether it came back empty.
    pub fn is_void(&self) -> bool {
        self.answer == Some(Err(NotFound::NoRecords))
    }
}

/// What the look-up of a policy found.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// The SPF records.
    pub(super) records: Vec<String>,
    /// Why none of them can be evaluated.
    pub(super) flaw: Option<String>,
    /// For each mechanism that viaspf sees, the place among the published terms that it stands for.
    pub(super) origins: Vec<usize>,
}

impl Published {
    /// The terms of the record as written.
    fn terms(&self) -> Vec<&str> {
        match self.records.as_slice() {
            [record] if self.flaw.is_none() => words(record).map(|(_, term)| term).skip(1).collect(),
            _ => Vec::new(),
        }
    }
}

/// The version section and the terms of a record, each with the octet where it begins (RFC 7208, 4.5 and 4.6.1: they are
/// separated by spaces).
pub(super) fn words(record: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    record
        .split(' ')
        .map(move |word| {
            let begin = at;
            at += word.len() + 1;
            (begin, word)
        })
        .filter(|(_, word)| !word.is_empty())
}

impl Traced {
    /// The tree of an evaluation.
    pub(super) fn new(answer: SpfAnswer, events: Option<Trace>, notes: Notes) -> Self {
        let Some(events) = events else {
            return Self { answer, counts: Counts::default(), policy: None, unfinished: notes.queries };
        };
        let mut reader = Reader {
            events: events.events.into_iter().map(|event| event.tracepoint).collect::<Vec<_>>().into_iter(),
            queries: notes.queries.into_iter(),
            published: notes.published.into_iter(),
            counts: Counts::default(),
        };
        // The first event only says what is known: that the domain of the question is evaluated.
        let policy = reader.events.next().map(|_| reader.policy());
        Self { answer, counts: reader.counts, policy, unfinished: Vec::new() }
    }
}

/// Reads events, and what was noted beside them.
struct Reader {
    events: IntoIter<Tracepoint>,
    queries: IntoIter<Query>,
    published: IntoIter<Published>,
    counts: Counts,
}

impl Reader {
    /// The evaluation of one record, whose beginning has been read.
    fn policy(&mut self) -> Policy {
        let mut policy = Draft::default();
        while let Some(event) = self.events.next() {
            match event {
                Tracepoint::LookupTxt(_) if policy.step.is_none() => policy.begin(self),
                Tracepoint::EvaluateDirective(_) => policy.directive(),
                Tracepoint::EvaluateRedirect(_) => policy.modifier("redirect="),
                // RFC 7208, 4.6.4: an explanation does not count, and its evaluation is the last thing that happens.
                Tracepoint::EvaluateExplanation(_) => policy.modifier("exp="),
                Tracepoint::ExecuteQuery(_) => {
                    let inner = self.policy();
                    policy.with_step(|step| step.inner = Some(Box::new(inner)));
                }
                Tracepoint::LookupA(_)
                | Tracepoint::LookupAaaa(_)
                | Tracepoint::LookupMx(_)
                | Tracepoint::LookupPtr(_)
                | Tracepoint::LookupTxt(_) => {
                    let query = self.queries.next();
                    policy.with_step(|step| step.queries.extend(query));
                }
                Tracepoint::IncrementLookupCount if !policy.explains => {
                    self.counts.lookups += 1;
                    policy.with_step(|step| step.counts.lookups += 1);
                }
                Tracepoint::IncrementVoidLookupCount if !policy.explains => {
                    self.counts.void_lookups += 1;
                    policy.with_step(|step| step.counts.void_lookups += 1);
                }
                Tracepoint::MechanismMatch => policy.matched = policy.step,
                Tracepoint::DirectiveResult(result) => policy.conclude(Outcome::Matched(result_of(&result))),
                Tracepoint::RedirectResult(result) => policy.redirected(result_of(&result)),
                Tracepoint::RedirectNoSpfRecord => policy.conclude(Outcome::Failed(
                    SpfResult::Permerror,
                    "there is no SPF record to redirect to".to_owned(),
                )),
                Tracepoint::RedirectLookupLimitExceeded => policy.conclude(Outcome::Failed(
                    SpfResult::Permerror,
                    words_for(&EvalError::LookupLimitExceeded),
                )),
                Tracepoint::InvalidRedirectTargetName => policy.conclude(Outcome::Failed(
                    SpfResult::Permerror,
                    "the target is no domain name".to_owned(),
                )),
                Tracepoint::MechanismErrorResult(error, result) => {
                    policy.conclude(Outcome::Failed(result_of(&result), words_for(&error)));
                }
                Tracepoint::QueryResult(result) => return policy.finish(result_of(&result)),
                _ => {}
            }
        }
        policy.finish(SpfResult::Temperror)
    }
}

/// A policy that is being read.
#[derive(Default)]
struct Draft {
    domain: String,
    published: Published,
    /// The steps with the places of their terms.
    steps: Vec<(usize, Step)>,
    /// Mechanisms evaluated so far, as viaspf counts them.
    mechanisms: usize,
    /// The step under way.
    step: Option<usize>,
    /// The step that matched.
    matched: Option<usize>,
    explains: bool,
}

impl Draft {
    fn begin(&mut self, reader: &mut Reader) {
        let query = reader.queries.next();
        self.published = reader.published.next().unwrap_or_default();
        if let Some(query) = query {
            if let Some(Err(NotFound::Failed(why))) = &query.answer {
                self.published.flaw = Some(format!("DNS: {why}"));
            }
            self.domain = query.name;
        }
        let terms = self.published.terms();
        self.steps = terms.iter().enumerate().map(|(place, term)| (place, Step::new(term))).collect();
    }

    /// The next mechanism has its turn.
    fn directive(&mut self) {
        self.step = self.published.origins.get(self.mechanisms).copied();
        self.mechanisms += 1;
        // What was rewritten as two terms is one to the reader, whose first half has not matched.
        self.conclude(Outcome::NoMatch);
    }

    /// A modifier has its turn.
    fn modifier(&mut self, name: &str) {
        let is_it =
            |step: &Step| step.term.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
        self.step = self.steps.iter().position(|(_, step)| is_it(step));
        if name == "exp=" {
            self.explains = true;
            self.conclude(Outcome::Explained);
        }
    }

    fn redirected(&mut self, result: SpfResult) {
        self.with_step(|step| {
            if step.outcome == Outcome::NotReached {
                step.outcome = Outcome::Redirected(result);
            }
        });
    }

    fn conclude(&mut self, outcome: Outcome) {
        if matches!(outcome, Outcome::Matched(_)) {
            self.step = self.matched;
        }
        self.with_step(|step| step.outcome = outcome);
    }

    fn with_step(&mut self, change: impl FnOnce(&mut Step)) {
        if let Some((_, step)) = self.step.and_then(|at| self.steps.get_mut(at)) {
            change(step);
        }
    }

    fn finish(self, result: SpfResult) -> Policy {
        let is_idle_modifier = |step: &Step| {
            step.outcome == Outcome::NotReached && is_modifier(&step.term) && !is_redirect(&step.term)
        };
        let mut steps: Vec<(usize, Step)> =
            self.steps.into_iter().filter(|(_, step)| !is_idle_modifier(step)).collect();
        // RFC 7208, 6: modifiers are not evaluated where they stand, but after the mechanisms.
        steps.sort_by_key(|(place, step)| (is_modifier(&step.term), *place));
        Policy {
            domain: self.domain,
            records: self.published.records,
            flaw: self.published.flaw,
            steps: steps.into_iter().map(|(_, step)| step).collect(),
            result,
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

/// Why an evaluation cannot go on.
fn words_for(error: &EvalError) -> String {
    match error {
        EvalError::Timeout | EvalError::Dns(_) => "DNS does not answer",
        EvalError::LookupLimitExceeded => "one look-up too many",
        EvalError::PerMechanismLookupLimitExceeded => "too many hosts for one term",
        EvalError::VoidLookupLimitExceeded => "one look-up without an answer too many",
        EvalError::RecursiveTemperror => "what it includes is temperror",
        EvalError::RecursivePermerror => "what it includes is permerror",
        EvalError::IncludeNoSpfRecord => "there is no SPF record to include",
        EvalError::InvalidName(_) | EvalError::InvalidMacroInDomainSpec(_) => "the target is no domain name",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_know_where_they_begin() {
        let found: Vec<(usize, &str)> = words("v=spf1  a -all ").collect();
        assert_eq!(found, [(0, "v=spf1"), (8, "a"), (10, "-all")]);
    }

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
