//! The names that one network has asked for.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::settings::Settings;

/// Names by their hashes, the one that was asked for last at the end.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Name>);

#[derive(Debug)]
struct Name {
    hash: u64,
    at: Timestamp,
    /// How often it was a good recipient; 0: there is no such name.
    good: u32,
}

/// More than the highest threshold, so that a threshold can be reached beside good names.
const MOST: usize = 2 * Settings::MOST_NAMES as usize;

impl Names {
    /// Takes note of a name. What it was before does not matter: it may be new, or gone.
    pub(super) fn note(&mut self, hash: u64, is_good: bool, most_good: u32, now: Timestamp) {
        let known = self.0.iter().rposition(|name| name.hash == hash).map(|at| self.0.remove(at));
        let before = known.map_or(0, |name| name.good);
        let good = if is_good { before.saturating_add(1).min(most_good) } else { 0 };
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(Name { hash, at: now, good });
    }

    /// Forgets names that were last asked for so long ago.
    pub(super) fn forget(&mut self, window: Duration, now: Timestamp) {
        let is_recent = |name: &Name| after(name.at, window) > now;
        if self.0.first().is_some_and(|oldest| !is_recent(oldest)) {
            self.0.retain(is_recent);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many of them do not exist.
    pub(super) fn unknown(&self) -> u32 {
        u32::try_from(self.0.iter().filter(|name| name.good == 0).count()).unwrap_or(u32::MAX)
    }

    /// How many recipients were good.
    pub(super) fn good(&self) -> u32 {
        self.0.iter().fold(0, |sum, name| sum.saturating_add(name.good))
    }

    /// When the last one was asked for.
    pub(super) fn last(&self) -> Option<Timestamp> {
        self.0.last().map(|name| name.at)
    }

    /// Sets all times back.
    pub(super) fn shift(&mut self, by: SignedDuration) {
        for name in &mut self.0 {
            name.at = before(name.at, by);
        }
    }
}

/// The moment so much later.
pub(super) fn after(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// The moment so much earlier.
pub(super) fn before(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_sub(by).unwrap_or(Timestamp::MIN)
}
