//! The names that one network has asked for.

use std::time::Duration;

use jiff::SignedDuration;

use super::moment::Moment;
use super::settings::Settings;

/// Names by their hashes, the one that was asked for last at the end.
#[derive(Debug, Default)]
pub(super) struct Names {
    seen: Vec<Name>,
    /// How many of them do not exist.
    unknown: u32,
}

#[derive(Clone, Copy, Debug)]
struct Name {
    hash: u64,
    at: Moment,
    /// Whether a message to it was accepted; if not, there is no such name.
    is_good: bool,
}

/// More than the highest threshold, so that a threshold can be reached beside good names.
const MOST: usize = 2 * Settings::MOST_NAMES as usize;

impl Names {
    /// Takes note of a name. What it was before does not matter: it may be new, or gone.
    pub(super) fn note(&mut self, hash: u64, is_good: bool, now: Moment) {
        if let Some(at) = self.seen.iter().rposition(|name| name.hash == hash) {
            self.remove(at);
        }
        if self.seen.len() >= MOST {
            self.remove(0);
        }
        self.seen.push(Name { hash, at: now, is_good });
        self.unknown += u32::from(!is_good);
    }

    fn remove(&mut self, at: usize) {
        let name = self.seen.remove(at);
        self.unknown -= u32::from(!name.is_good);
    }

    /// Forgets names that were last asked for so long ago.
    pub(super) fn forget(&mut self, window: Duration, now: Moment) {
        let recent = self.seen.iter().position(|name| name.at.after(window) > now);
        for gone in self.seen.drain(..recent.unwrap_or(self.seen.len())) {
            self.unknown -= u32::from(!gone.is_good);
        }
    }

    /// Forgets the names that others have asked for.
    pub(super) fn take_away(&mut self, others: &Self) {
        for name in &others.seen {
            if let Some(at) = self.seen.iter().rposition(|own| own.hash == name.hash) {
                self.remove(at);
            }
        }
    }

    /// Takes over the unknown names of others, as if they were asked for now.
    pub(super) fn take_over(&mut self, others: &Self, now: Moment) {
        for name in others.seen.iter().filter(|name| !name.is_good) {
            self.note(name.hash, false, now);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    /// How many of them do not exist.
    pub(super) fn unknown(&self) -> u32 {
        self.unknown
    }

    /// How many of them got a message.
    pub(super) fn good(&self) -> u32 {
        u32::try_from(self.seen.len()).unwrap_or(u32::MAX) - self.unknown
    }

    /// When the last one was asked for.
    pub(super) fn last(&self) -> Option<Moment> {
        self.seen.last().map(|name| name.at)
    }

    /// Sets all times back.
    pub(super) fn shift(&mut self, by: SignedDuration) {
        for name in &mut self.seen {
            name.at = name.at.before(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_names_are_remembered() {
        let mut names = Names::default();
        let now = Moment::default();
        for hash in 0..10_000 {
            names.note(hash, hash % 4 == 0, now);
        }
        assert_eq!((names.len(), names.unknown(), names.good()), (MOST, 1500, 500));
        // A name is what it was last.
        names.note(9_999, true, now);
        names.note(9_996, false, now);
        assert_eq!((names.len(), names.unknown(), names.good()), (MOST, 1500, 500));
        names.forget(Duration::from_secs(1), now.after(Duration::from_secs(1)));
        assert_eq!((names.len(), names.unknown(), names.good()), (0, 0, 0));
    }
}
