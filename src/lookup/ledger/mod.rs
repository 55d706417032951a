//! The ledger: which messages were accepted, so that an answer can be judged by what it answers.
//!
//! Every accepted message has an entry in the [store](super::store), found by its queue id, by its sender and
//! identifier, and by its sender and each of its recipients; these are kept as keyed hashes. Messages are numbered as
//! they come, and ‘newest’ means the highest number, whatever clocks said.
//!
//! Entries and their index lie in parts, one for each day (UTC) of the clock. An entry that is older than the retention is
//! never answered. The part goes as a whole when nothing in it has been that young for two days, so that a clock that is
//! wrong for a while costs nothing.
//!
//! | file | what it does |
//! |---|---|
//! | `entry` | what is recorded of a message, and its form in the store |
//! | `recent` | the latest messages, in memory |
//! | `search` | which message is the cause of an answer |

mod entry;
mod recent;
mod search;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::warn;

use super::store::{Change, Queue, Reader, Resident, Rows, Secret, StoreError};
use crate::facts::{Cause, CauseQuestion, Tie};

pub use entry::{Entry, MOST_RECIPIENTS, Message};

use entry::{ENTRIES, INDEX, Place, Present};
use recent::Recent;
use search::{Found, Search};

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// How long a part stays after the last of its entries has expired.
const GRACE: i64 = 2 * DAY;

/// The accepted messages, and the way to record more.
#[derive(Debug)]
pub struct Ledger {
    queue: Arc<Queue>,
    clock: fn() -> Timestamp,
    /// In seconds.
    retention: AtomicI64,
    disk: OnceLock<Disk>,
    state: Mutex<State>,
    /// Messages that could not be recorded, and causes that could not be looked up.
    troubles: AtomicU64,
}

/// Where the entries are that memory does not hold.
#[derive(Clone, Debug)]
enum Disk {
    /// In the store that this process writes to.
    Store(Reader),
    /// In a file of another process.
    File(PathBuf),
}

#[derive(Debug, Default)]
struct State {
    /// None until the store was opened for the first time.
    secret: Option<Secret>,
    /// The number of the next message.
    next: u64,
    recent: Recent,
    /// The days that have a part.
    parts: BTreeSet<i32>,
    /// The day on which it was last seen to that old parts go.
    purged: Option<i32>,
}

impl Ledger {
    /// Knows nothing until the store is opened. Changes go through `queue`; entries are answered for `retention`, by
    /// `clock`.
    pub fn new(queue: Arc<Queue>, retention: Duration, clock: fn() -> Timestamp) -> Self {
        Self {
            queue,
            clock,
            retention: AtomicI64::new(seconds(retention)),
            disk: OnceLock::new(),
            state: Mutex::default(),
            troubles: AtomicU64::new(0),
        }
    }

    /// What a file knows, to be asked and not to be added to. The file is opened for each question.
    pub fn of_file(path: PathBuf, retention: Duration, clock: fn() -> Timestamp) -> Self {
        let ledger = Self::new(Arc::default(), retention, clock);
        let _ = ledger.disk.set(Disk::File(path));
        ledger
    }

    /// From now on, what is not in memory is read from this store. Only the first one counts.
    pub fn read_from(&self, store: Reader) {
        let _ = self.disk.set(Disk::Store(store));
    }

    /// From now on, entries are answered for that long.
    pub fn set_retention(&self, retention: Duration) {
        self.retention.store(seconds(retention), Ordering::Relaxed);
        self.lock().purged = None;
    }

    /// Records a message. It waits neither for the disk nor for anything else. Where the store was never opened, nothing
    /// is recorded, and that is counted.
    pub fn record(&self, message: &Message) {
        let mut state = self.lock();
        let Some(secret) = state.secret else {
            drop(state);
            self.note_trouble("the store was never opened, and nothing is recorded");
            return;
        };
        self.purge(&mut state, message.at);
        let (mut entry, hashes) = message.entry(secret);
        if message.by_loopback
            && let Some(id) = &message.message_id
            && let Some(earlier) = state.recent.find(entry::of_message_id(secret, entry.sender, id)).next()
        {
            (entry.origin, entry.spf) = (earlier.origin, earlier.spf);
        }
        let number = state.next;
        state.next += 1;
        state.parts.insert(day(entry.at));
        self.queue.submit(rows(number, &entry, &hashes));
        state.recent.push(number, entry, hashes);
    }

    /// Lets go of the parts in which nothing can be answered any more.
    fn purge(&self, state: &mut State, now: Timestamp) {
        let today = day(now);
        if state.purged.replace(today) == Some(today) {
            return;
        }
        let oldest = now.as_second() - self.retention.load(Ordering::Relaxed) - GRACE;
        let end = |part: i32| (i64::from(part) + 1) * DAY;
        let old: Vec<i32> = state.parts.iter().copied().filter(|part| end(*part) < oldest).collect();
        for part in old {
            self.queue.drop_table(&ENTRIES.part(part));
            self.queue.drop_table(&INDEX.part(part));
            state.parts.remove(&part);
        }
    }

    /// The message that an answer answers.
    pub async fn find(self: &Arc<Self>, question: &CauseQuestion) -> Cause {
        let now = (self.clock)();
        if let Some(cause) = self.find_recent(question, now) {
            return cause;
        }
        let (ledger, question) = (Arc::clone(self), question.clone());
        let found = tokio::task::spawn_blocking(move || ledger.find_anywhere(&question, now)).await;
        match found.map_err(|error| error.to_string()).flatten() {
            Ok(cause) => cause,
            Err(why) => {
                self.note_trouble(&why);
                Cause::Unknown(format!("the ledger cannot be read: {why}"))
            }
        }
    }

    fn search<'a>(&self, question: &'a CauseQuestion, secret: Secret, now: Timestamp) -> Search<'a> {
        let retention = SignedDuration::from_secs(self.retention.load(Ordering::Relaxed));
        Search { question, secret, now, retention }
    }

    /// The answer, if nothing but memory is needed for it.
    fn find_recent(&self, question: &CauseQuestion, now: Timestamp) -> Option<Cause> {
        let state = self.lock();
        let search = self.search(question, state.secret?, now);
        for tie in &question.ties {
            match judge_recent(&state.recent, &search, tie) {
                Found::Cause(entry) => return Some(Cause::Known(Box::new(entry.original()))),
                Found::Nothing => {}
                Found::Unknown => return None,
            }
        }
        Some(Cause::Unknown(search.tried()))
    }

    /// The answer; waits for the disk.
    fn find_anywhere(&self, question: &CauseQuestion, now: Timestamp) -> Result<Cause, String> {
        let rows = match self.disk.get() {
            Some(Disk::Store(store)) => store.rows().map_err(|error| error.to_string())?,
            Some(Disk::File(path)) => Rows::of_file(path).map_err(|error| error.to_string())?,
            None => return Err("the store was never opened".to_owned()),
        };
        let search = self.search(question, rows.secret(), now);
        let mut parts = rows.parts(&INDEX).map_err(|error| error.to_string())?;
        parts.sort_unstable_by(|one, other| other.cmp(one));
        for tie in &question.ties {
            let mut found = judge_recent(&self.lock().recent, &search, tie);
            if matches!(found, Found::Unknown) {
                found = judge_stored(&rows, &parts, &search, tie).map_err(|error| error.to_string())?;
            }
            if let Found::Cause(entry) = found {
                return Ok(Cause::Known(Box::new(entry.original())));
            }
        }
        Ok(Cause::Unknown(search.tried()))
    }

    /// Counts a trouble. The first is news, and so is every power of two; in between nobody learns anything.
    fn note_trouble(&self, why: &str) {
        let troubles = self.troubles.fetch_add(1, Ordering::Relaxed) + 1;
        if troubles.is_power_of_two() {
            warn!(troubles, "the ledger does not work: {why}");
        }
    }

    /// How many messages could not be recorded and how many causes not be looked up.
    pub fn troubles(&self) -> u64 {
        self.troubles.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn judge_recent(recent: &Recent, search: &Search<'_>, tie: &Tie) -> Found {
    let (hash, most) = search.hash(tie);
    let entries = recent.find(hash).take(most).cloned().map(Ok);
    search.judge(tie, entries).unwrap_or(Found::Unknown)
}

/// What the file says about a tie. Parts are in no order where the clock was put back, numbers are.
fn judge_stored(rows: &Rows, parts: &[i32], search: &Search<'_>, tie: &Tie) -> Result<Found, StoreError> {
    let (hash, most) = search.hash(tie);
    let (first, last) = (Place { hash, number: 0 }, Place { hash, number: u64::MAX });
    let mut places = Vec::new();
    for part in parts {
        let found = rows.keys_backwards(&INDEX.part(*part), (&first, &last), most)?;
        places.extend(found.into_iter().map(|place| (place.number, *part)));
    }
    places.sort_unstable_by(|one, other| other.cmp(one));
    search.judge(
        tie,
        places.into_iter().filter_map(|(number, part)| rows.find(&ENTRIES.part(part), &number).transpose()),
    )
}

/// The rows of an entry. It is the last of them: should the queue run over, an entry may lack rows of the index, but none
/// of those points to nothing.
fn rows(number: u64, entry: &Entry, hashes: &[u64]) -> Vec<Change> {
    let part = day(entry.at);
    let index = INDEX.part(part);
    let places = hashes.iter().map(|hash| Place { hash: *hash, number });
    let mut rows: Vec<Change> = places.map(|place| index.put(&place, &Present)).collect();
    rows.push(ENTRIES.part(part).put(&number, entry));
    rows
}

impl Resident for Ledger {
    fn opened(&self, rows: &Rows) -> Result<Vec<Change>, StoreError> {
        let mut state = self.lock();
        let parts: BTreeSet<i32> = rows.parts(&ENTRIES)?.into_iter().chain(rows.parts(&INDEX)?).collect();
        let is_new = parts.is_empty();
        let mut next = 0;
        for part in &parts {
            next = next.max(rows.last_key(&ENTRIES.part(*part))?.map_or(0, |number| number + 1));
        }
        if state.secret.replace(rows.secret()) != Some(rows.secret()) {
            state.recent = Recent::default();
            state.next = 0;
        }
        state.next = state.next.max(next);
        state.purged = None;
        // Into a file that was begun anew goes what is known already.
        let known = state.recent.all();
        let again: Vec<Change> =
            known.flat_map(|(number, entry, hashes)| self::rows(number, entry, hashes)).collect();
        state.parts.extend(parts);
        Ok(if is_new { again } else { Vec::new() })
    }
}

/// The day of a moment in UTC, counted from 1970-01-01.
fn day(at: Timestamp) -> i32 {
    i32::try_from(at.as_second().div_euclid(DAY)).expect("jiff's years have four digits")
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 2)
}
