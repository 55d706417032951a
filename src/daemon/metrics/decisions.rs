//! Verdicts, counted by what led to them. All words are ours: nothing that a stranger says can make a new series.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::check::Observation;
use crate::decide::Decision;
use crate::journal::{Event, Record};
use crate::mail::spf::{SpfIdentity, SpfResult};

/// Events, and verdicts by their words.
pub(super) const EVENTS: [Event; 2] = [Event::Recipient, Event::Message];
pub(super) const VERDICTS: [&str; 4] = ["pass", "discard", "defer", "reject"];

/// The identities that have SPF results.
pub(super) const IDENTITIES: [SpfIdentity; 2] = [SpfIdentity::Helo, SpfIdentity::MailFrom];

/// What led to a verdict: event, check, verdict, what it would be if every lock were enforced, mode, reason. Where the log
/// has no such field the word is empty.
pub(super) type Labels = [&'static str; 6];

/// The decisions so far.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Decisions {
    logged: RwLock<BTreeMap<Labels, AtomicU64>>,
    verdicts: [[[AtomicU64; 4]; 4]; 2],
    quiet: AtomicU64,
    spf: [[AtomicU64; 7]; 2],
}

impl Decisions {
    /// A decision was made.
    pub(super) fn note(&self, event: Event, decision: &Decision) {
        let [verdict, would] = [&decision.verdict, &decision.would].map(|verdict| place(verdict.as_str()));
        add(&self.verdicts[event as usize][verdict][would]);
        if event != Event::Message {
            return;
        }
        for observation in &decision.observations {
            if let Observation::Spf { identity, result, .. } = observation
                && let Some(identity) = IDENTITIES.iter().position(|one| one == identity)
                && let Some(result) = SpfResult::ALL.iter().position(|one| one == result)
            {
                add(&self.spf[identity][result]);
            }
        }
    }

    /// A decision has a line in the log.
    pub(in crate::daemon) fn note_logged(&self, record: &Record) {
        let labels = [
            record.event.as_str(),
            record.check.unwrap_or_default(),
            record.verdict,
            record.would.unwrap_or(record.verdict),
            record.mode.map_or("", crate::check::Mode::as_str),
            record.reason.unwrap_or_default(),
        ];
        if let Some(count) = self.logged.read().unwrap_or_else(PoisonError::into_inner).get(&labels) {
            add(count);
            return;
        }
        // This happens once for each combination.
        add(self.logged.write().unwrap_or_else(PoisonError::into_inner).entry(labels).or_default());
    }

    /// A recipient passed without an event, and so without a line in the log.
    pub(in crate::daemon) fn note_quiet(&self) {
        add(&self.quiet);
    }

    /// Those with a line in the log.
    pub(super) fn logged(&self) -> Vec<(Labels, u64)> {
        let logged = self.logged.read().unwrap_or_else(PoisonError::into_inner);
        logged.iter().map(|(labels, count)| (*labels, read(count))).collect()
    }

    /// How many recipients passed without one.
    pub(super) fn quiet(&self) -> u64 {
        read(&self.quiet)
    }

    /// All, by event, verdict, and what the verdict would be.
    pub(super) fn verdicts(&self) -> impl Iterator<Item = ([&'static str; 3], u64)> {
        EVENTS.into_iter().flat_map(move |event| {
            VERDICTS.into_iter().flat_map(move |verdict| {
                VERDICTS.into_iter().map(move |would| {
                    let count = &self.verdicts[event as usize][place(verdict)][place(would)];
                    ([event.as_str(), verdict, would], read(count))
                })
            })
        })
    }

    /// SPF results of messages, by identity and result.
    pub(super) fn spf(&self) -> impl Iterator<Item = ([&'static str; 2], u64)> {
        IDENTITIES.into_iter().zip(&self.spf).flat_map(|(identity, counts)| {
            let counts = SpfResult::ALL.into_iter().zip(counts);
            counts.map(move |(result, count)| ([identity.property(), result.as_str()], read(count)))
        })
    }
}

/// The place of a verdict.
fn place(verdict: &str) -> usize {
    VERDICTS.iter().position(|word| *word == verdict).unwrap_or_default()
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}
