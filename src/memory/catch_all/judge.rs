//! Whether a name is real: whether real people write to it, as far as what was recorded can tell.
//!
//! Judged when somebody asks, from all that is recorded, so that the order in which messages came makes no difference.
//!
//! **Harvest-like** is who reaches more different names in a day than one who means them would: a sender more than
//! [`SENDER_NAMES`], a network or an organisation more than [`GROUP_NAMES`] (a large provider has many customers, and
//! each of them writes to somebody). But whoever mostly reaches names that others vouch for knows them, and guesses
//! nothing: a provider of many correspondents, an accountant who writes to the whole staff. So of the names of that day
//! fewer than half must be vouched for by somebody else, who is above suspicion himself.
//!
//! That holds for the day. Somebody may share his provider with one who guesses, so that a correspondent is harvest-like
//! only if he was on each day on which he wrote; one who guesses gains no more by that than by fewer names a day.

use std::collections::HashMap;

use super::name::{Correspondent, Name, Spf};
use super::spread::Sample;
use super::state::State;
use super::typo;
use crate::mail::Mailbox;
use crate::memory::Day;

/// Different names in a day from which on a sender is suspect.
pub const SENDER_NAMES: u64 = 10;

/// Different names in a day from which on a network (/24 or /64) or a sending organisation is suspect.
pub const GROUP_NAMES: u64 = 20;

/// What a name is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Real people use it; how that is known.
    Real(Evidence),
    /// A slip of one who uses another name, which is this.
    Typo(Mailbox),
    /// Nothing came but bounces and the like.
    NullSenderOnly,
    /// Only those who guess names reached it.
    HarvestLike,
    /// All senders were deferred, and none has returned.
    NobodyReturned,
    /// SPF said pass of no sender, and none came back on another day.
    NoSpfPass,
    /// Nobody can tell: senders were not examined, or came back on another day though they were not authorised.
    Unknown,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Real(_) => "real",
            Self::Typo(_) => "typo",
            Self::NullSenderOnly => "null-sender-only",
            Self::HarvestLike => "harvest-like",
            Self::NobodyReturned => "nobody-returned",
            Self::NoSpfPass => "no-spf-pass",
            Self::Unknown => "unknown",
        }
    }
}

/// What makes a name real.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Our own people or programs sent as it or to it.
    Ours,
    /// So many correspondents that SPF said pass of.
    Passing(usize),
    /// So many correspondents that came back after a deferral.
    Returned(usize),
    /// It was real before the time that is kept.
    Earlier,
}

/// How a correspondent's hashes differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Sender(u64),
    Group(u64),
}

impl Who {
    fn hash(self) -> u64 {
        match self {
            Self::Sender(hash) | Self::Group(hash) => hash,
        }
    }

    fn limit(self) -> u64 {
        match self {
            Self::Sender(_) => SENDER_NAMES,
            Self::Group(_) => GROUP_NAMES,
        }
    }
}

/// One who judges names by what is recorded at one moment. What he has found out about somebody he need not find out
/// again for the next name.
#[derive(Debug)]
pub struct Judge<'a> {
    state: &'a State,
    /// Who guessed names on a day and who did not.
    known: HashMap<(u64, Day), bool>,
}

impl<'a> Judge<'a> {
    /// Judges by this.
    pub fn new(state: &'a State) -> Self {
        Self { state, known: HashMap::new() }
    }

    /// The verdict on a name.
    pub fn judge(&mut self, id: u64) -> Verdict {
        let Some(name) = self.state.names.get(&id) else { return Verdict::Unknown };
        if name.ours.is_some() {
            return Verdict::Real(Evidence::Ours);
        }
        if let Some(meant) = typo::meant(self.state, name) {
            return Verdict::Typo(meant);
        }
        let clean: Vec<&Correspondent> =
            name.correspondents.iter().filter(|one| !self.is_harvest_like(one)).collect();
        let passing = clean.iter().filter(|one| one.spf == Spf::Pass).count();
        let returned = clean.iter().filter(|one| one.returned).count();
        let total = name.total();
        let came_once = |one: &&Correspondent| one.spf == Spf::NotPass && one.days.iter().count() == 1;
        if passing > 0 {
            Verdict::Real(Evidence::Passing(passing))
        } else if returned > 0 {
            Verdict::Real(Evidence::Returned(returned))
        } else if name.proven.is_some() {
            Verdict::Real(Evidence::Earlier)
        } else if name.correspondents.is_empty() {
            match (total.messages, total.deferred) {
                (0, 0) => Verdict::Unknown,
                (0, _) => Verdict::NobodyReturned,
                _ => Verdict::NullSenderOnly,
            }
        } else if clean.is_empty() {
            // Others may have crowded out whoever means the name, if SPF said pass of all of them.
            let is_crowded = name.is_crowded && name.correspondents.iter().all(|one| one.spf == Spf::Pass);
            if is_crowded { Verdict::Unknown } else { Verdict::HarvestLike }
        } else if clean.iter().all(came_once) {
            Verdict::NoSpfPass
        } else {
            Verdict::Unknown
        }
    }

    /// Whether a correspondent guesses names, or writes from nowhere but networks that do.
    fn is_harvest_like(&mut self, one: &Correspondent) -> bool {
        let state = self.state;
        state.is_always(one, |who, day| self.guesses(who, day))
    }

    fn guesses(&mut self, who: Who, day: Day) -> bool {
        let state = self.state;
        *self.known.entry((who.hash(), day)).or_insert_with(|| state.guesses(who, day))
    }
}

impl State {
    /// The verdict on one name.
    pub fn judge(&self, id: u64) -> Verdict {
        Judge::new(self).judge(id)
    }

    /// What somebody tried on a day, if it is more names than one who means them would.
    fn suspicion(&self, who: Who, day: Day) -> Option<&Sample> {
        self.spreads.on(who.hash(), day).filter(|sample| sample.names() > who.limit())
    }

    /// Whether somebody is suspect, and not excused by the company that he keeps.
    fn guesses(&self, who: Who, day: Day) -> bool {
        self.suspicion(who, day).is_some_and(|sample| {
            let tried = sample.iter();
            let number = tried.len();
            let vouched = tried.filter(|name| self.is_vouched_for(*name, who)).count();
            vouched * 2 < number
        })
    }

    /// Whether somebody else above suspicion uses the name.
    fn is_vouched_for(&self, id: u64, except: Who) -> bool {
        self.names.get(&id).is_some_and(|name| {
            name.ours.is_some()
                || name.proven.is_some()
                || name.correspondents.iter().any(|one| self.vouches(one, except))
        })
    }

    fn vouches(&self, one: &Correspondent, except: Who) -> bool {
        let mut networks = one.networks.iter().map(|(network, _)| Who::Group(*network));
        (one.spf == Spf::Pass || one.returned)
            && Who::Sender(one.sender) != except
            && Who::Group(one.domain) != except
            && (one.networks.is_empty() || networks.any(|network| network != except))
            && !self.is_always(one, |who, day| self.suspicion(who, day).is_some())
    }

    /// Whether on each day of which what a correspondent tried is known, something holds of the sender, of its
    /// organisation, or of all networks that it wrote from.
    fn is_always(&self, one: &Correspondent, mut holds: impl FnMut(Who, Day) -> bool) -> bool {
        let is_known = |day: &Day| self.spreads.on(one.sender, *day).is_some();
        let mut days = one.days.iter().filter(is_known).peekable();
        days.peek().is_some()
            && days.all(|day| {
                let on_day = one.networks.iter().filter(|(_, days)| days.has(day));
                let mut networks = on_day.map(|(network, _)| *network).peekable();
                holds(Who::Sender(one.sender), day)
                    || holds(Who::Group(one.domain), day)
                    || (networks.peek().is_some() && networks.all(|network| holds(Who::Group(network), day)))
            })
    }
}

impl Name {
    /// The one correspondent that it has, if it has one and nobody else wrote to it.
    pub(super) fn only_correspondent(&self) -> Option<&Correspondent> {
        match self.correspondents.as_slice() {
            [one] if !self.is_crowded => Some(one),
            _ => None,
        }
    }
}
