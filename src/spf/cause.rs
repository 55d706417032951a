//! What led to a result, in words for the administrator.

use std::time::Duration;

use super::Options;
use super::trace::Outcome;
use crate::mail::spf::SpfResult;

/// How an evaluation of one record ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The result.
    pub(super) result: SpfResult,
    /// What led to it.
    pub(super) cause: String,
    /// What is wrong where the result is an error, for those who see the term beside it.
    pub(super) brief: &'static str,
    /// The explanation that belongs to a `fail`.
    pub(super) explanation: Option<String>,
}

impl End {
    fn new(result: SpfResult, cause: String, brief: &'static str) -> Self {
        Self { result, cause, brief, explanation: None }
    }

    /// A mechanism matched (RFC 7208, 4.6.2).
    pub(super) fn matched(result: SpfResult, mechanism: &str) -> Self {
        Self::new(result, format!("{}{mechanism} matched", qualifier(result)), "")
    }

    /// No mechanism did, and nothing redirects (RFC 7208, 4.7).
    pub(super) fn unmatched() -> Self {
        Self::new(SpfResult::Neutral, "no mechanism matched".to_owned(), "")
    }

    /// There is no record (RFC 7208, 4.5).
    pub(super) fn none(domain: &str) -> Self {
        Self::new(SpfResult::None, format!("no SPF record at {domain}"), "")
    }

    /// The record cannot be interpreted (RFC 7208, 4.5 and 4.6).
    pub(super) fn flawed(flaw: String) -> Self {
        Self::new(SpfResult::Permerror, flaw, "")
    }

    /// DNS did not say (RFC 7208, 4.4 and 5).
    pub(super) fn dns(why: &str, record_type: &str, name: &str) -> Self {
        let cause = format!("DNS: {why} for {record_type} {name}");
        Self::new(SpfResult::Temperror, cause, "DNS does not answer")
    }

    /// More terms ask DNS than may (RFC 7208, 4.6.4).
    pub(super) fn too_many_lookups(options: &Options) -> Self {
        let cause = format!("more than {} look-ups", options.lookups);
        Self::new(SpfResult::Permerror, cause, "one look-up too many")
    }

    /// More terms found nothing than may (RFC 7208, 4.6.4).
    pub(super) fn too_many_void_lookups(options: &Options) -> Self {
        let cause = format!("more than {} look-ups without an answer", options.void_lookups);
        Self::new(SpfResult::Permerror, cause, "one look-up without an answer too many")
    }

    /// More mail exchangers than may be asked for (RFC 7208, 4.6.4).
    pub(super) fn too_many_hosts(name: &str, options: &Options) -> Self {
        let cause = format!("{name} has more than {} mail exchangers", options.lookups);
        Self::new(SpfResult::Permerror, cause, "too many hosts for one term")
    }

    /// The records of the evaluation are longer than any that are meant to be evaluated (RFC 7208, 3.4).
    pub(super) fn too_long(most: usize) -> Self {
        let cause = format!("SPF records of more than {most} octets in all");
        Self::new(SpfResult::Permerror, cause, "too many octets of records")
    }

    /// The target of `redirect=` is malformed (RFC 7208, 6.1).
    pub(super) fn nowhere() -> Self {
        let cause = "the target of redirect= is not a domain name".to_owned();
        Self::new(SpfResult::Permerror, cause, "the target is not a domain name")
    }

    /// What the end of an included record does to the one that includes it, unless it only says whether there is a match
    /// (RFC 7208, 5.2).
    pub(super) fn of_included(self) -> Result<bool, Self> {
        match self.result {
            SpfResult::Pass => Ok(true),
            SpfResult::Fail | SpfResult::Softfail | SpfResult::Neutral => Ok(false),
            SpfResult::Temperror => Err(Self { brief: "what it includes is temperror", ..self }),
            SpfResult::Permerror => Err(Self { brief: "what it includes is permerror", ..self }),
            SpfResult::None => Err(self.missing("there is no SPF record to include")),
        }
    }

    /// An error as the outcome of the term that brought it about.
    pub(super) fn as_outcome(&self) -> Outcome {
        Outcome::Failed(self.result, self.brief.to_owned())
    }

    /// The same where there had to be a record (RFC 7208, 5.2 and 6.1).
    pub(super) fn missing(self, brief: &'static str) -> Self {
        Self { result: SpfResult::Permerror, brief, ..self }
    }
}

/// The cause of the temperror that the time limit makes.
pub(super) fn out_of_time(limit: Duration, waiting_for: Option<&str>) -> String {
    let waiting_for = waiting_for.map(|query| format!(", waiting for {query}"));
    format!("no result within {limit:?}{}", waiting_for.unwrap_or_default())
}

/// The qualifier that makes a match this result (RFC 7208, 4.6.2); `+` goes without saying.
fn qualifier(result: SpfResult) -> &'static str {
    match result {
        SpfResult::Fail => "-",
        SpfResult::Softfail => "~",
        SpfResult::Neutral => "?",
        _ => "",
    }
}
