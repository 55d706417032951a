//! Names behind a wildcard: who uses them, so that the wildcard can be retired without losing mail.
//!
//! While a domain has `catch_all: learn` or `soft`, each name that only a wildcard knows is remembered with its
//! correspondents. They are kept as keyed hashes of their [shape](crate::check::recipients::shape), so that the messages
//! of a list are of one correspondent, and so that the file names no stranger.
//!
//! Anybody can claim to be somebody. So what a message says counts for its sender and against him only among messages
//! of which SPF said the same: forgeries make nobody a guesser, and add nothing to what he wrote.
//!
//! Everything is held in memory, where questions are answered, and written to the [store](super::store) as it changes.
//! All of it is bounded: see the constants here and in `name`. What a harvester guesses is the first to go.
//!
//! | file | what it does |
//! |---|---|
//! | `name` | what is known of a name, and its form in the store |
//! | `bounds` | how much is kept of it |
//! | `state` | all names, within bounds |
//! | `spread` | how many names somebody tries in a day |
//! | `judge` | whether a name is real |
//! | `typo` | whether it is a slip of the pen |
//! | `familiar` | who writes to names that need no wildcard |
//! | `days` | days and sets of them |

mod bounds;
mod familiar;
mod judge;
mod name;
mod overflow;
mod spread;
mod state;
#[cfg(test)]
mod tests;
mod typo;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;
use tracing::warn;

use super::store::{Change, Input, OpenError, Output, Queue, Record, Resident, Rows, StoreError, Table};
use crate::facts::{Usage, UsageQuestion};
use crate::mail::{Mailbox, ReversePath};
use crate::memory::Day;

use familiar::Familiar;
pub use judge::{Evidence, GROUP_NAMES, Judge, SENDER_NAMES, Verdict};
pub use name::{
    Correspondent, Deferral, MOST_CORRESPONDENTS, MOST_DAYS, MOST_DEFERRALS, MOST_NETWORKS, Name, Spf, Tally,
};
pub use state::State;

/// Names kept, at most. Where there are more, those that nobody vouches for are forgotten first.
pub const MOST_NAMES: usize = 100_000;

/// Correspondents kept of all names together, at most; then a name gets its first one and no other.
pub const MOST_ALL_CORRESPONDENTS: usize = 400_000;

/// Names that a sender, a network or an organisation has tried on one day when it adds no more of them.
pub const MOST_GUESSES: u64 = 1000;

/// Days for which a name that was real is remembered as such: what is written to once a year is found.
pub const PROVEN_FOR: u32 = 400;

/// The names.
const NAMES: Table<u64, Name> = Table::new("catch_all.names");

/// Names with entries of their own whose senders are kept, at most.
pub const MOST_FAMILIAR: usize = 20_000;

/// The senders of names with entries of their own.
const FAMILIAR: Table<u64, Familiar> = Table::new("catch_all.familiar");

/// Messages to names that are not kept, by domain.
const UNTOLD: Table<String, Untold> = Table::new("catch_all.untold");

/// Messages of a domain to names that are not kept, by day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Untold(BTreeMap<Day, u32>);

impl Record for Untold {
    const VERSION: u8 = 1;

    fn write(&self, output: &mut Output) {
        output.number(self.0.len() as u64);
        for (day, messages) in &self.0 {
            output.signed(day.number());
            output.number(*messages);
        }
    }

    fn read(version: u8, input: &mut Input<'_>) -> Option<Self> {
        (version == Self::VERSION).then_some(())?;
        let days = input
            .list(usize::from(u16::MAX), |input| Some((Day::of_number(input.signed()?), input.number()?)))?;
        Some(Self(days.into_iter().collect()))
    }
}

/// Something that happened to a name behind a wildcard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The name, canonical, without a tag or a subaddress, at a domain that follows no other.
    pub mailbox: Mailbox,
    /// When.
    pub at: Timestamp,
    /// What.
    pub seen: Seen,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// One of our own sent as it.
    Ours,
    /// A sender was deferred, to see whether it returns.
    Deferred {
        /// The sender's shape.
        sender: ReversePath,
        /// Where it came from.
        network: Option<IpNet>,
    },
    /// A message for it was accepted, as it has an entry of its own, and SPF said pass of its sender.
    ByName {
        /// The sender's shape.
        sender: ReversePath,
    },
    /// A message for it was accepted, as a wildcard knows every name.
    Accepted(Accepted),
}

/// A message that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The sender's shape.
    pub sender: ReversePath,
    /// Where it came from.
    pub network: Option<IpNet>,
    /// What SPF said of the sender.
    pub spf: Spf,
    /// Whether it had been deferred before.
    pub returned: bool,
    /// Whether it is from one of our own: with a login, made here, or from a trusted network.
    pub is_ours: bool,
}

/// What is known of names behind wildcards, and the way to learn more.
#[derive(Debug)]
pub struct CatchAll {
    queue: Arc<Queue>,
    retention: AtomicU32,
    /// None until the store was opened for the first time.
    state: Mutex<Option<State>>,
}

impl CatchAll {
    /// Knows nothing until the store is opened. Changes go through `queue`; days are kept for `retention`.
    pub fn new(queue: Arc<Queue>, retention: Duration) -> Self {
        Self { queue, retention: AtomicU32::new(days_of(retention)), state: Mutex::new(None) }
    }

    /// What a file knows, to be asked and not to be added to.
    ///
    /// # Errors
    ///
    /// Why the file cannot be read.
    pub fn of_file(path: &Path) -> Result<Self, OpenError> {
        let state = State::of_file(path)?;
        Ok(Self { queue: Arc::default(), retention: AtomicU32::new(0), state: Mutex::new(Some(state)) })
    }

    /// From now on, days are kept that long.
    pub fn set_retention(&self, retention: Duration) {
        self.retention.store(days_of(retention), Ordering::Relaxed);
        if let Some(state) = &mut *self.lock() {
            state.set_retention(days_of(retention));
        }
    }

    /// Takes note. It waits neither for the disk nor for anything else; where the store was never opened, nothing is
    /// noted.
    pub fn note(&self, sighting: &Sighting) {
        let mut state = self.lock();
        if let Some(state) = &mut *state {
            let changes = state.note(sighting);
            if !changes.is_empty() {
                self.queue.submit(changes);
            }
        }
    }

    /// Who uses a name.
    pub fn find(&self, question: &UsageQuestion) -> Usage {
        match &*self.lock() {
            Some(state) => state.find(question),
            None => Usage::Undetermined("the store is not open".to_owned()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resident for CatchAll {
    fn opened(&self, rows: &Rows) -> Result<Vec<Change>, StoreError> {
        let retention = self.retention.load(Ordering::Relaxed);
        let (found, unreadable) = State::of_rows(rows, retention)?;
        if unreadable > 0 {
            warn!(unreadable, "rows of the store are of another version and do not count");
        }
        let mut state = self.lock();
        match &*state {
            Some(known) if known.secret() == found.secret() => {
                // Into a file that was begun anew goes what is known already.
                let is_new = found.names().next().is_none();
                Ok(if is_new { known.rows() } else { Vec::new() })
            }
            _ => {
                *state = Some(found);
                Ok(Vec::new())
            }
        }
    }
}

impl State {
    /// What a file says.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    pub fn of_file(path: &Path) -> Result<Self, OpenError> {
        let read = Rows::of_file(path)?;
        let state = Self::of_rows(&read, 0).map(|(state, _)| state);
        state.map_err(|error| OpenError::Io(path.to_owned(), std::io::Error::other(error.to_string())))
    }

    /// What the rows say, and how many of them cannot be read.
    fn of_rows(rows: &Rows, retention: u32) -> Result<(Self, usize), StoreError> {
        let (names, unreadable) = rows.all(&NAMES)?;
        let (familiar, more) = rows.all(&FAMILIAR)?;
        let (untold, yet_more) = rows.all(&UNTOLD)?;
        Ok((Self::new(rows.secret(), retention, names, familiar, untold), unreadable + more + yet_more))
    }

    /// Who uses a name.
    fn find(&self, question: &UsageQuestion) -> Usage {
        let id = self.id(&question.mailbox);
        if let Verdict::Real(evidence) = self.judge(id) {
            return Usage::Real(match evidence {
                Evidence::Ours => "our own people use it".to_owned(),
                Evidence::Passing(1) => "a correspondent with SPF pass uses it".to_owned(),
                Evidence::Passing(number) => format!("{number} correspondents with SPF pass use it"),
                Evidence::Returned(_) => "senders that were deferred came back for it".to_owned(),
                Evidence::Earlier => "real correspondents have used it".to_owned(),
            });
        }
        let sender = self.sender(&question.sender, Spf::NotPass);
        let network = self.network(Some(&question.network));
        let deferrals = self.names.get(&id).into_iter().flat_map(|name| &name.deferrals);
        let same = deferrals.filter(|deferral| deferral.sender == sender && deferral.network == network);
        let kept = same.map(|deferral| deferral.first).min();
        Usage::Unused(kept.or_else(|| self.overflow.find(id, sender, network)))
    }
}

/// The days that a retention has, at least one.
fn days_of(retention: Duration) -> u32 {
    let days = retention.as_secs().div_ceil(24 * 60 * 60);
    u32::try_from(days).unwrap_or(u32::MAX).clamp(1, u32::try_from(MOST_DAYS).unwrap_or(u32::MAX))
}
