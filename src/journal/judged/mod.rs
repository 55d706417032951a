//! What a decision was judged on: the transaction and the answers of the world, so that it can be judged again later.
//!
//! The JSON log carries it as the value of `judged`, an object whose key `v` says in which form it is written. Form 1 is
//! in `written` and `facts`: keys may be added to it, none goes or changes its meaning. Everything in it is
//! exact, where the other fields of a line are cut for people.

mod facts;
#[cfg(test)]
mod tests;
mod written;

use jiff::Timestamp;

use super::render::harmless_json;
use crate::decide::Decision;
use crate::facts::{Answer, Facts, Question, SourceId};
use crate::mail::report::Report;
use crate::mail::{ForwardPath, Header};
use crate::session::{Envelope, Point, Request, Session};
use written::{Line, Written};

/// The form in which it is written.
const VERSION: u32 = 1;

/// Octets of it in one line, at most. Journald cuts lines of standard error at 48 KiB, and the other fields of an
/// ordinary line need no more than the rest.
pub const MAX_JUDGED: usize = 32 * 1024;

/// What a decision was judged on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The session.
    pub session: Session,
    /// The transaction.
    pub envelope: Envelope,
    /// About what the decision was.
    pub about: About,
    /// What the body said, where the message was a report.
    pub report: Option<Report>,
    /// When.
    pub now: Timestamp,
    /// The findings as they were then.
    pub findings: Vec<Found>,
    /// The answers of the world. Those of a message include what was answered about its recipients.
    pub facts: Facts,
    /// Answers of sources of recipients that are no longer configured.
    pub lost: Vec<Lost>,
}

/// About what a decision was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A transaction, at its beginning.
    Transaction,
    /// A recipient.
    Recipient(ForwardPath),
    /// The message; of its header the fields that locks look at.
    Message(Header),
}

/// A finding as it was logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The lock.
    pub check: String,
    /// The domain whose settings judged.
    pub domain: Option<String>,
    /// The mode of the lock there.
    pub mode: String,
    /// The judgment.
    pub judgment: String,
    /// The stable word for the reason.
    pub reason: String,
}

/// What a source of recipients said that is no longer configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The source.
    pub source: String,
    /// The recipient.
    pub recipient: String,
    /// What it said, in the words of the log.
    pub said: String,
}

/// Why a line does not say what its decision was judged on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unjudged {
    /// It is a line of logfmt, or of an earlier version.
    #[error("the line does not say what the decision was judged on")]
    Absent,
    /// There was too much of it.
    #[error("what the decision was judged on was too long for a line of the log")]
    Omitted,
    /// It is of a later version.
    #[error("the line is of a later version of lockdown-milter (form {0})")]
    Later(u32),
    /// It was changed.
    #[error("what the decision was judged on is damaged")]
    Broken,
}

/// Writes what a decision was judged on, as JSON on one line: the answers that it took, and `more` where there is room
/// for them. `sources` are the names of the sources of recipients, by their number.
pub fn write(
    request: &Request<'_>,
    decision: &Decision,
    facts: &[(Question, Answer)],
    more: &[(Question, Answer)],
    sources: &[String],
) -> String {
    if let Point::Message(header) = request.point {
        let octets: usize = header.fields().iter().map(|field| field.name.len() + field.value.len()).sum();
        // The verdict waits for this. Of a header that is too long not all is known.
        if header.is_excessive() || octets > MAX_JUDGED {
            return omitted(octets);
        }
    }
    let mut octets = 0;
    for more in [more, &[]].into_iter().take(if more.is_empty() { 1 } else { 2 }) {
        let written = Written::of(VERSION, request, decision, facts.iter().chain(more), sources);
        // Maps with keys that are texts, and nothing else that JSON has no form for.
        let text = serde_json::to_string(&written).unwrap_or_default();
        octets = text.len();
        // Escapes only make it longer.
        if (1..=MAX_JUDGED).contains(&octets) {
            let text = harmless_json(&text);
            octets = text.len();
            if octets <= MAX_JUDGED {
                return text;
            }
        }
    }
    omitted(octets)
}

/// What is written instead of so many octets.
pub(super) fn omitted(octets: usize) -> String {
    format!("{{\"v\":{VERSION},\"omitted\":{octets}}}")
}

/// Reads what the decision in a line was judged on. `source` finds a source of recipients by its name.
///
/// # Errors
///
/// Why the line does not say it.
pub fn read(line: &str, source: impl Fn(&str) -> Option<SourceId>) -> Result<Judged, Unjudged> {
    let line = super::parse::beginning(line).filter(|line| line.starts_with('{')).ok_or(Unjudged::Absent)?;
    let head: Line<Head> = serde_json::from_str(line).map_err(|_| Unjudged::Broken)?;
    match head.judged.ok_or(Unjudged::Absent)? {
        Head { v: VERSION, omitted: Some(_) } => Err(Unjudged::Omitted),
        Head { v: VERSION, omitted: None } => {
            let line: Line<Written<'_>> = serde_json::from_str(line).map_err(|_| Unjudged::Broken)?;
            line.judged.and_then(|written| written.read(&source)).ok_or(Unjudged::Broken)
        }
        Head { v, .. } => Err(Unjudged::Later(v)),
    }
}

/// What every form has.
#[derive(serde::Deserialize)]
struct Head {
    v: u32,
    omitted: Option<u64>,
}
