//! What is known of one network: an address, a /64 or a /24.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::names::{Names, after, before};
use super::settings::Settings;

/// How long a network must not have been blocked until its next block is a first one again.
pub const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// From how many addresses a /24 must be harvested to be blocked as a whole.
const FEWEST_OFFENDERS: usize = 3;

/// What is known of one network.
#[derive(Debug, Default)]
pub(super) struct Record {
    names: Names,
    /// The addresses of a /24 that asked for unknown names, by their last octet, and when they last did.
    offenders: Vec<(u8, Timestamp)>,
    block: Option<Blocked>,
    /// How often it was blocked, the block in force included.
    times: u32,
    /// The end of the last block.
    clean_since: Timestamp,
    /// When it was last asked whether a forwarder asked for the names.
    suspected: Option<Timestamp>,
    /// Until when a forwarder is not counted.
    excused: Option<Timestamp>,
}

/// What came of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    /// It was counted, or not.
    Counted,
    /// A block is due, unless a forwarder has asked.
    Suspect,
    /// A block has begun.
    Blocked,
}

/// How long a forwarder is not counted.
const EXCUSED: Duration = Duration::from_hours(1);

/// How long after it was asked whether a forwarder did it, and nothing came of that, it is asked again.
const SUSPICION: Duration = Duration::from_mins(1);

/// A block in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocked {
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    pub(super) names: u32,
}

/// For how long a network is remembered for each unknown name, where there is no room for all. If names alone counted,
/// a memory full of old guesses would take no note of who begins to guess.
const WORTH: Duration = Duration::from_mins(1);

/// How much is lost when a network is forgotten; in the order of forgetting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Danger {
    class: Class,
    until: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Good,
    Guessing,
    WasBlocked,
    IsBlocked,
}

/// What is noted: a good name, or an unknown one; that one with the last octet of who asked, where a /24 takes note.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked {
    Good,
    Unknown,
    UnknownBy(u8),
}

impl Record {
    /// Takes note of a name. Where it may be `forwarded`, a block that is due does not begin yet.
    pub(super) fn note(
        &mut self,
        settings: &Settings,
        hash: u64,
        asked: Asked,
        forwarded: bool,
        now: Timestamp,
    ) -> Noted {
        self.refresh(settings.window, now);
        if self.block.is_some() || self.excused.is_some() {
            return Noted::Counted;
        }
        self.names.note(hash, matches!(asked, Asked::Good), settings.threshold.saturating_mul(2), now);
        if let Asked::UnknownBy(octet) = asked {
            self.offenders.retain(|(known, _)| *known != octet);
            self.offenders.push((octet, now));
        }
        let offends = match asked {
            Asked::Good => false,
            Asked::Unknown => self.offends(settings, settings.threshold),
            Asked::UnknownBy(_) => {
                self.offenders.len() >= FEWEST_OFFENDERS && self.offends(settings, settings.network_threshold)
            }
        };
        if offends && forwarded {
            let is_asked = self.suspected.is_some_and(|at| after(at, SUSPICION) > now);
            if is_asked {
                return Noted::Counted;
            }
            self.suspected = Some(now);
            return Noted::Suspect;
        }
        if offends {
            let until = after(now, settings.block_time(self.times));
            let names = self.names.unknown();
            *self = Self {
                block: Some(Blocked { since: now, until, names }),
                times: self.times.saturating_add(1),
                clean_since: until,
                ..Self::default()
            };
            return Noted::Blocked;
        }
        Noted::Counted
    }

    /// Forgets all, as a forwarder did it, and counts nothing for a while.
    pub(super) fn excuse(&mut self, now: Timestamp) -> Self {
        let excused = Self { excused: Some(after(now, EXCUSED)), clean_since: now, ..Self::default() };
        std::mem::replace(self, excused)
    }

    /// Whether it is that of a forwarder.
    pub(super) fn is_excused(&self) -> bool {
        self.excused.is_some()
    }

    /// Forgets what one address of a /24 has asked for, by its last octet.
    pub(super) fn take_away(&mut self, octet: u8, of_address: &Self) {
        self.names.take_away(&of_address.names);
        self.offenders.retain(|(known, _)| *known != octet);
    }

    /// The addresses of a /24 that asked for unknown names, by their last octets.
    pub(super) fn offenders(&self) -> impl Iterator<Item = u8> {
        self.offenders.iter().map(|(octet, _)| *octet)
    }

    fn offends(&self, settings: &Settings, threshold: u32) -> bool {
        let unknown = self.names.unknown();
        let good = f64::from(self.names.good());
        unknown >= threshold && good <= settings.good_ratio * (good + f64::from(unknown))
    }

    /// Forgets what time has made void. What is left of a block that is over is that there was one.
    pub(super) fn refresh(&mut self, window: Duration, now: Timestamp) -> Option<Blocked> {
        self.names.forget(window, now);
        self.offenders.retain(|(_, at)| after(*at, window) > now);
        self.excused.take_if(|until| *until <= now);
        let over = self.block.take_if(|block| block.until <= now);
        if self.block.is_none() && after(self.clean_since, FORGOTTEN_AFTER) <= now {
            self.times = 0;
        }
        over
    }

    /// When there will be something to [`refresh`](Self::refresh).
    pub(super) fn due(&self, window: Duration) -> Timestamp {
        match (&self.block, self.names.last()) {
            _ if self.excused.is_some() => self.excused.unwrap_or_default(),
            (Some(block), _) => block.until,
            (None, Some(last)) => after(last, window),
            (None, None) => after(self.clean_since, FORGOTTEN_AFTER),
        }
    }

    /// Whether there is nothing left to know.
    pub(super) fn is_empty(&self) -> bool {
        self.names.len() == 0 && self.times == 0 && self.excused.is_none()
    }

    /// How many entries of the memory it takes.
    pub(super) fn size(&self) -> usize {
        1 + self.names.len()
    }

    pub(super) fn danger(&self) -> Danger {
        let unknown = self.names.unknown();
        let class = match (&self.block, self.times) {
            (Some(_), _) => Class::IsBlocked,
            (None, 1..) => Class::WasBlocked,
            (None, 0) if unknown > 0 => Class::Guessing,
            (None, 0) => Class::Good,
        };
        let last = self.names.last().unwrap_or(self.clean_since);
        Danger { class, until: after(last, WORTH.saturating_mul(unknown)) }
    }

    /// The block in force, and how many there were with it.
    pub(super) fn block(&self) -> Option<(Blocked, u32)> {
        self.block.map(|block| (block, self.times))
    }

    /// Sets all times back.
    pub(super) fn shift(&mut self, by: SignedDuration) {
        self.names.shift(by);
        for (_, at) in &mut self.offenders {
            *at = before(*at, by);
        }
        if let Some(block) = &mut self.block {
            block.since = before(block.since, by);
            block.until = before(block.until, by);
        }
        self.clean_since = before(self.clean_since, by);
        for at in [&mut self.suspected, &mut self.excused].into_iter().flatten() {
            *at = before(*at, by);
        }
    }
}
