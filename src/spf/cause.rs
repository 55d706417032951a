//! What led to a result, in words for the administrator.

use std::time::Duration;

use viaspf::{ErrorCause, SpfResultCause};

use super::Options;
use super::adapter::Notes;
use crate::mail::spf::SpfResult;

/// The cause of the result that viaspf came to.
pub(super) fn of(
    result: SpfResult,
    cause: Option<SpfResultCause>,
    notes: &Notes,
    options: &Options,
) -> String {
    match cause {
        Some(SpfResultCause::Match(mechanism)) => {
            let published = notes.rewritten.iter().find(|(new, _)| *new == mechanism).map(|(_, old)| old);
            format!("{}{} matched", qualifier(result), published.unwrap_or(&mechanism))
        }
        Some(SpfResultCause::Error(error)) => of_error(error, notes, options),
        None => match result {
            SpfResult::Neutral => "no mechanism matched".to_owned(),
            _ => notes.record.clone().unwrap_or_default(),
        },
    }
}

/// The cause of a `fail` whose evaluation did not come to its end, which is its explanation.
pub(super) const UNEXPLAINED: &str = "a mechanism matched, and its explanation could not be had";

/// The cause of the temperror that the time limit makes.
pub(super) fn out_of_time(limit: Duration, notes: &Notes) -> String {
    let waiting_for = notes.waiting_for.as_deref().map(|query| format!(", waiting for {query}"));
    format!("no result within {limit:?}{}", waiting_for.unwrap_or_default())
}

fn of_error(error: ErrorCause, notes: &Notes, options: &Options) -> String {
    let record = || notes.record.clone().unwrap_or_else(|| error.to_string());
    match error {
        ErrorCause::Timeout | ErrorCause::Dns => notes.failure.clone().unwrap_or_else(|| error.to_string()),
        ErrorCause::LookupLimitExceeded => format!("more than {} look-ups", options.lookups),
        ErrorCause::VoidLookupLimitExceeded => {
            format!("more than {} look-ups without an answer", options.void_lookups)
        }
        ErrorCause::NoSpfRecord | ErrorCause::MultipleSpfRecords | ErrorCause::InvalidSpfRecordSyntax => {
            record()
        }
        ErrorCause::InvalidTargetDomain => "the target of redirect= is no domain name".to_owned(),
    }
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
