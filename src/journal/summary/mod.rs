//! What a log adds up to: the numbers behind `report`.
//!
//! It reads line by line and keeps what its limits allow, so that a log of any length takes bounded memory. What is
//! beyond a limit is still counted, but no longer by name.

mod mismatches;
mod strangers;
mod top;
mod transactions;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Event;
use super::parse::{Entry, Field, Outcome, Unread, parse};
use crate::mail::Domain;
use crate::mail::text::clip;
pub use mismatches::{Mismatch, Mismatches, Place};
pub use strangers::{OwnDomains, Refused, Senders};
pub use top::Top;

/// Reasons counted by name, at most. The daemon knows fewer than a hundred.
const MAX_REASONS: usize = 500;

/// Octets of a text that is kept, at most: an address has no more than 254 (RFC 5321, 4.5.3.1.3).
const MAX_TEXT: usize = 256;

/// The sum of the lines read so far.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    since: Option<Timestamp>,
    /// The times of the first and the last record that counts.
    pub period: Option<(Timestamp, Timestamp)>,
    /// What the lines were.
    pub lines: Lines,
    /// Records about recipients. Those that passed without an event are not in the log.
    pub recipients: Tally,
    /// Records about messages.
    pub messages: Tally,
    /// Records by check and reason.
    pub reasons: Reasons,
    /// Logins that sent as somebody else.
    pub mismatches: Mismatches,
    /// What was refused or would be.
    pub refused: Refused,
    /// Who sends as our own domains.
    pub own_domains: OwnDomains,
}

/// How many lines of a kind there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Records that count.
    pub records: u64,
    /// Records before the time from which on they count.
    pub earlier: u64,
    /// Lines of other programs, and messages of the daemon's own.
    pub other: u64,
    /// Records that cannot be read.
    pub broken: u64,
}

impl Summary {
    /// A sum of nothing yet, in which records from `since` on count; all if there is no such time.
    pub fn new(since: Option<Timestamp>) -> Self {
        Self { since, ..Self::default() }
    }

    /// The same, which also counts who sends as these domains.
    #[must_use]
    pub fn with_hosted(self, hosted: BTreeSet<Domain>) -> Self {
        Self { own_domains: OwnDomains::of(Some(hosted)), ..self }
    }

    /// Adds a line, without its end.
    pub fn add(&mut self, line: &[u8]) {
        // What we write is UTF-8, so other octets are none of ours, or no longer.
        match str::from_utf8(line).map_err(|_| Unread::Broken).and_then(parse) {
            Ok(entry) if self.since.is_some_and(|since| entry.time < since) => self.lines.earlier += 1,
            Ok(entry) => self.count(&entry),
            Err(Unread::Other) => self.lines.other += 1,
            Err(Unread::Broken) => self.lines.broken += 1,
        }
    }

    /// Adds a line that is longer than any record.
    pub fn add_too_long(&mut self) {
        self.lines.broken += 1;
    }

    fn count(&mut self, entry: &Entry<'_>) {
        self.lines.records += 1;
        let (first, last) = self.period.get_or_insert((entry.time, entry.time));
        (*first, *last) = ((*first).min(entry.time), (*last).max(entry.time));
        match entry.event {
            Event::Recipient => &mut self.recipients,
            Event::Message => &mut self.messages,
        }
        .add(entry);
        self.reasons.add(entry);
        self.mismatches.add(entry);
        self.refused.add(entry);
        self.own_domains.add(entry);
    }
}

/// Numbers of records by the verdict that was given and the one that would have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([[u64; Outcome::NAMES.len()]; Outcome::NAMES.len()]);

impl Tally {
    fn add(&mut self, entry: &Entry<'_>) {
        self.0[entry.verdict as usize][entry.would as usize] += 1;
    }

    fn include(&mut self, other: &Self) {
        for (sum, more) in self.0.as_flattened_mut().iter_mut().zip(other.0.as_flattened()) {
            *sum += more;
        }
    }

    /// The number of records with this verdict, whatever it would have been.
    pub fn given(&self, verdict: Outcome) -> u64 {
        self.0[verdict as usize].iter().sum()
    }

    /// The number of records that passed, and would not have.
    pub fn would_not_pass(&self) -> u64 {
        self.given(Outcome::Pass) - self.of(Outcome::Pass, Outcome::Pass)
    }

    /// The number of records with these two verdicts.
    pub fn of(&self, verdict: Outcome, would: Outcome) -> u64 {
        self.0[verdict as usize][would as usize]
    }

    /// Each pair of a verdict and what it would have been, in a fixed order.
    pub fn pairs() -> impl Iterator<Item = (Outcome, Outcome)> {
        let all = || Outcome::NAMES.into_iter().map(|(_, outcome)| outcome);
        all().flat_map(move |verdict| all().map(move |would| (verdict, would)))
    }
}

/// Records by check and reason.
#[derive(Clone, Debug, Default)]
pub struct Reasons {
    tallies: BTreeMap<String, BTreeMap<String, Tally>>,
    named: usize,
    /// Records with reasons beyond the limit.
    pub further: u64,
}

/// How many records have this reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// The decisive lock.
    pub check: &'a str,
    /// The stable word for the reason.
    pub reason: &'a str,
    /// The verdict that was given.
    pub verdict: Outcome,
    /// The verdict if every lock were enforced.
    pub would: Outcome,
    /// How many.
    pub records: u64,
}

impl Reasons {
    fn add(&mut self, entry: &Entry<'_>) {
        let (Some(check), Some(reason)) = (entry.text(Field::Check), entry.text(Field::Reason)) else {
            return;
        };
        let (check, reason) = (clip(check, MAX_TEXT), clip(reason, MAX_TEXT));
        if let Some(tally) = self.tallies.get_mut(check).and_then(|tallies| tallies.get_mut(reason)) {
            tally.add(entry);
        } else if self.named < MAX_REASONS {
            self.named += 1;
            let tallies = self.tallies.entry(check.to_owned()).or_default();
            tallies.entry(reason.to_owned()).or_default().add(entry);
        } else {
            self.further += 1;
        }
    }

    /// Each decisive lock with its records.
    pub fn locks(&self) -> impl Iterator<Item = (&str, Tally)> {
        self.tallies.iter().map(|(check, tallies)| {
            let mut all = Tally::default();
            for tally in tallies.values() {
                all.include(tally);
            }
            (check.as_str(), all)
        })
    }

    /// The reasons, the most frequent first.
    pub fn sorted(&self) -> Vec<Reason<'_>> {
        let named = self.tallies.iter().flat_map(|(check, tallies)| {
            tallies.iter().map(move |(reason, tally)| (check.as_str(), reason.as_str(), tally))
        });
        let mut reasons: Vec<Reason<'_>> = named
            .flat_map(|(check, reason, tally)| {
                Tally::pairs().map(move |(verdict, would)| {
                    let records = tally.of(verdict, would);
                    Reason { check, reason, verdict, would, records }
                })
            })
            .filter(|reason| reason.records > 0)
            .collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.records));
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str = "check=spf client=192.0.2.1 ms=1";

    fn line(second: u32, verdict: &str, reason: &str) -> Vec<u8> {
        format!("time=2026-11-24T05:45:{second:02}Z event=message verdict={verdict} reason={reason} {TAIL}")
            .into()
    }

    #[test]
    fn what_is_before_the_period_does_not_count() {
        let mut summary = Summary::new(Some("2026-11-24T05:45:10Z".parse().unwrap()));
        for second in [9, 10, 12, 11] {
            summary.add(&line(second, "pass", "spf-pass"));
        }
        summary.add(b"\xff");
        summary.add(b"something else");
        summary.add_too_long();
        assert_eq!(summary.lines, Lines { records: 3, earlier: 1, other: 1, broken: 2 });
        let (first, last) = summary.period.unwrap();
        assert_eq!(format!("{first} {last}"), "2026-11-24T05:45:10Z 2026-11-24T05:45:12Z");
        assert_eq!(summary.messages.of(Outcome::Pass, Outcome::Pass), 3);
    }

    #[test]
    fn reasons_beyond_the_limit_are_counted_together() {
        let mut summary = Summary::new(None);
        for n in 0..2 * MAX_REASONS {
            summary.add(&line(0, "pass", &format!("made-up-{n}")));
            summary.add(&line(0, "reject", "made-up-7"));
        }
        let reasons = summary.reasons.sorted();
        let first = Reason {
            check: "spf",
            reason: "made-up-7",
            verdict: Outcome::Reject,
            would: Outcome::Reject,
            records: 2 * MAX_REASONS as u64,
        };
        assert_eq!(reasons[0], first);
        assert_eq!(
            reasons.iter().map(|reason| reason.records).sum::<u64>() + summary.reasons.further,
            4 * 500
        );
        assert_eq!(summary.reasons.further, 500);
    }
}
