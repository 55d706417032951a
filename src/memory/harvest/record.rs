//! What is known of one network: an address, a /64 or a /24.

use std::time::Duration;

use jiff::SignedDuration;

use super::moment::Moment;
use super::names::Names;
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
    offenders: Vec<(u8, Moment)>,
    state: State,
    /// How often it was blocked, the block in force included.
    times: u32,
    /// The end of the last block.
    clean_since: Moment,
}

/// How a network stands.
#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Its names are counted.
    #[default]
    Counted,
    /// Likewise, and it was asked at this moment whether a forwarder asked for them.
    Suspected(Moment),
    Blocked(Blocked),
    /// It is not counted until then, for this reason.
    Excused(Moment, Excuse),
}

/// Why a client is not counted itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excuse {
    /// It is a trusted forwarder.
    Forwarder,
    /// It is a host of a domain that our users write to, on whose account its guesses are; the domain by its hash.
    Partner(u64),
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

/// How long a client is not counted.
const EXCUSED: Duration = Duration::from_hours(1);

/// How long after it was asked whether a forwarder did it, and nothing came of that, it is asked again.
const SUSPICION: Duration = Duration::from_mins(1);

/// Up to how many times its threshold a network is judged by `good_ratio` alone.
const PATIENCE: u32 = 5;

/// The share of good names above which nobody is blocked for any number of others. Who sends to a list of addresses that
/// he asked for has a tenth of them wrong at most; who knows names and sends to them shall not buy as many guesses.
const MOSTLY_GOOD: f64 = 0.9;

/// A block in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocked {
    pub(super) since: Moment,
    pub(super) until: Moment,
    pub(super) names: u32,
}

/// For how long a network is remembered for each unknown name, where there is no room for all. If names alone counted,
/// a memory full of old guesses would take no note of who begins to guess.
const WORTH: Duration = Duration::from_mins(1);

/// How much is lost when a network is forgotten; in the order of forgetting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Danger {
    class: Class,
    until: Moment,
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
        now: Moment,
    ) -> Noted {
        self.refresh(settings.window, now);
        if matches!(self.state, State::Blocked(_) | State::Excused(..)) {
            return Noted::Counted;
        }
        self.names.note(hash, matches!(asked, Asked::Good), now);
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
            let is_asked = matches!(self.state, State::Suspected(at) if at.after(SUSPICION) > now);
            if is_asked {
                return Noted::Counted;
            }
            self.state = State::Suspected(now);
            return Noted::Suspect;
        }
        if offends {
            let until = now.after(settings.block_time(self.times));
            let names = self.names.unknown();
            *self = Self {
                state: State::Blocked(Blocked { since: now, until, names }),
                times: self.times.saturating_add(1),
                clean_since: until,
                ..Self::default()
            };
            return Noted::Blocked;
        }
        Noted::Counted
    }

    /// Forgets all, as a client that is excused did it, and counts nothing for a while.
    pub(super) fn excuse(&mut self, excuse: Excuse, now: Moment) {
        let state = State::Excused(now.after(EXCUSED), excuse);
        *self = Self { state, clean_since: now, ..Self::default() };
    }

    /// Counts again.
    pub(super) fn accuse(&mut self) {
        self.state = State::Counted;
    }

    /// Why it is not counted.
    pub(super) fn excused(&self) -> Option<Excuse> {
        match self.state {
            State::Excused(_, excuse) => Some(excuse),
            _ => None,
        }
    }

    /// What was asked for.
    pub(super) fn names(&self) -> &Names {
        &self.names
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

    /// Whether it asked for too many unknown names, for all the good ones: their share must be above `good_ratio`, and
    /// where a mistake or two a minute do not explain the unknown ones any more, above [`MOSTLY_GOOD`].
    fn offends(&self, settings: &Settings, threshold: u32) -> bool {
        let unknown = self.names.unknown();
        let is_patient = unknown < threshold.saturating_mul(PATIENCE);
        let ratio = if is_patient { settings.good_ratio } else { settings.good_ratio.max(MOSTLY_GOOD) };
        let good = f64::from(self.names.good());
        unknown >= threshold && good <= ratio * (good + f64::from(unknown))
    }

    /// Forgets what time has made void. What is left of a block that is over is that there was one.
    pub(super) fn refresh(&mut self, window: Duration, now: Moment) -> Option<Blocked> {
        self.names.forget(window, now);
        self.offenders.retain(|(_, at)| at.after(window) > now);
        let over = match self.state {
            State::Blocked(block) if block.until <= now => Some(block),
            _ => None,
        };
        if over.is_some() || matches!(self.state, State::Excused(until, _) if until <= now) {
            self.state = State::Counted;
        }
        if !matches!(self.state, State::Blocked(_)) && self.clean_since.after(FORGOTTEN_AFTER) <= now {
            self.times = 0;
        }
        over
    }

    /// When there will be something to [`refresh`](Self::refresh).
    pub(super) fn due(&self, window: Duration) -> Moment {
        match (self.state, self.names.last()) {
            (State::Excused(until, _) | State::Blocked(Blocked { until, .. }), _) => until,
            (_, Some(last)) => last.after(window),
            (_, None) => self.clean_since.after(FORGOTTEN_AFTER),
        }
    }

    /// Whether there is nothing left to know.
    pub(super) fn is_empty(&self) -> bool {
        self.names.len() == 0 && self.times == 0 && self.excused().is_none()
    }

    /// How many entries of the memory it takes.
    pub(super) fn size(&self) -> usize {
        1 + self.names.len()
    }

    pub(super) fn danger(&self) -> Danger {
        let unknown = self.names.unknown();
        let class = match (self.state, self.times) {
            (State::Blocked(_), _) => Class::IsBlocked,
            (_, 1..) => Class::WasBlocked,
            (_, 0) if unknown > 0 => Class::Guessing,
            (_, 0) => Class::Good,
        };
        let last = self.names.last().unwrap_or(self.clean_since);
        Danger { class, until: last.after(WORTH.saturating_mul(unknown)) }
    }

    /// The block in force, and how many there were with it.
    pub(super) fn block(&self) -> Option<(Blocked, u32)> {
        match self.state {
            State::Blocked(block) => Some((block, self.times)),
            _ => None,
        }
    }

    /// When the block in force ends.
    pub(super) fn blocked_until(&self) -> Option<Moment> {
        self.block().map(|(block, _)| block.until)
    }

    /// Sets all times back.
    pub(super) fn shift(&mut self, by: SignedDuration) {
        self.names.shift(by);
        for (_, at) in &mut self.offenders {
            *at = at.before(by);
        }
        self.clean_since = self.clean_since.before(by);
        self.state = match self.state {
            State::Counted => State::Counted,
            State::Suspected(at) => State::Suspected(at.before(by)),
            State::Blocked(Blocked { since, until, names }) => {
                State::Blocked(Blocked { since: since.before(by), until: until.before(by), names })
            }
            State::Excused(until, excuse) => State::Excused(until.before(by), excuse),
        };
    }
}
