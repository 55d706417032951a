//! The ledger: which messages were accepted, so that an answer can be judged by what it answers.
//!
//! Every accepted message has an entry in the [store](super::store), found by its queue id, by its sender and
//! identifier, by its sender, and by the addresses in its header that an answer might go to; these are kept as keyed
//! hashes. Messages are numbered as they come, and ‘newest’ means the highest number, whatever clocks said.
//!
//! Of several messages that an answer may be about, one that is known to come from whom it names is the cause: a stranger
//! can send a copy of somebody else's message, but cannot take the message back. What is found under an address is kept
//! apart by that, so that no number of forgeries stands before it.
//!
//! The index is written many messages at a time; until then memory has them, and whoever opens the file makes up for
//! those that are missing.
//!
//! Entries and their index lie in parts, one for each day (UTC) of the clock. An entry that is older than the retention is
//! never answered. The part goes as a whole when nothing in it has been that young for two days, so that a clock that is
//! wrong for a while costs nothing.
//!
//! | file | what it does |
//! |---|---|
//! | `entry` | what is recorded of a message, and its form in the store |
//! | `index` | where entries are found in the store |
//! | `recent` | the latest messages, in memory |
//! | `search` | which message is the cause of an answer |

mod entry;
mod index;
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

use super::store::{Change, MOST_ROWS, Queue, Reader, Resident, Rows, Secret, StoreError};
use crate::facts::{Cause, CauseQuestion, Original};

pub use entry::{Entry, MOST_AUTHORS, MOST_RECIPIENTS, Message};

use entry::ENTRIES;
use index::{INDEX, INDEXED, Indexed, Place, Places};
use recent::Recent;
use search::{Found, MOST_ALIKE, Search};

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// Places of the index that are written together, and messages. Two such batches find room in [`Recent`].
const INDEX_BATCH: usize = MOST_ROWS / 4;

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

/// What memory alone can say.
enum Known {
    /// The file would say nothing else.
    Surely(Cause),
    /// This message, if the file knows none that is answered more readily.
    Perhaps(Original),
}

#[derive(Debug, Default)]
struct State {
    /// None until the store was opened for the first time.
    secret: Option<Secret>,
    /// The number of the next message.
    next: u64,
    recent: Recent,
    /// What is still to be written of the index, in the order of the numbers.
    unindexed: Vec<Place>,
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
        let identity = if message.by_loopback { message.identity(secret) } else { None };
        let earlier = identity.and_then(|hash| state.recent.find(hash).next());
        let came = earlier.map_or((message.origin, message.spf), |earlier| (earlier.origin, earlier.spf));
        let entry = message.entry(secret, came);
        let number = state.next;
        state.next += 1;
        state.parts.insert(day(entry.at));
        self.queue.submit([ENTRIES.part(day(entry.at)).put(&number, &entry)]);
        state.unindexed.extend(places(number, &entry));
        state.recent.push(number, entry);
        let messages = state.unindexed.first().map_or(0, |first| state.next - first.number);
        if state.unindexed.len() >= INDEX_BATCH || messages >= INDEX_BATCH as u64 {
            self.write_index(&mut state);
        }
    }

    /// Writes what the index lacks.
    fn write_index(&self, state: &mut State) {
        let Some(last) = state.next.checked_sub(1).filter(|_| !state.unindexed.is_empty()) else { return };
        // Sorted before the queue is locked, which others use as well.
        let rows: Vec<Change> = index::rows(&state.unindexed, last).collect();
        self.queue.submit(rows);
        state.unindexed.clear();
    }

    /// Lets go of the parts in which nothing can be answered any more.
    fn purge(&self, state: &mut State, now: Timestamp) {
        let today = day(now);
        if state.purged.replace(today) == Some(today) {
            return;
        }
        // A quiet host fills no batch in the life of a part.
        self.write_index(state);
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
        let recent = match self.find_recent(question, now) {
            Some(Known::Surely(cause)) => return cause,
            Some(Known::Perhaps(original)) => Some(original),
            None => None,
        };
        let (ledger, question) = (Arc::clone(self), question.clone());
        let found = tokio::task::spawn_blocking(move || ledger.find_anywhere(&question, now)).await;
        match (found.map_err(|error| error.to_string()).flatten(), recent) {
            (Ok(cause), _) => cause,
            (Err(why), recent) => {
                self.note_trouble(&why);
                match recent {
                    Some(original) => Cause::Known(Box::new(original)),
                    None => Cause::Unknown(format!("the ledger cannot be read: {why}")),
                }
            }
        }
    }

    fn search<'a>(&self, question: &'a CauseQuestion, secret: Secret, now: Timestamp) -> Search<'a> {
        let retention = SignedDuration::from_secs(self.retention.load(Ordering::Relaxed));
        Search { question, secret, now, retention }
    }

    /// What memory says, if it says anything.
    fn find_recent(&self, question: &CauseQuestion, now: Timestamp) -> Option<Known> {
        let state = self.lock();
        let search = self.search(question, state.secret?, now);
        for tie in &question.ties {
            match search.judge(tie, |hash| Ok(recent(&state.recent, hash))).ok()? {
                Found::Cause(original) => return Some(Known::Surely(Cause::Known(Box::new(original)))),
                Found::Perhaps(_, original) => return Some(Known::Perhaps(original)),
                Found::Nothing => {}
                Found::Unknown => return None,
            }
        }
        Some(Known::Surely(Cause::Unknown(search.tried())))
    }

    /// The answer; waits for the disk.
    fn find_anywhere(&self, question: &CauseQuestion, now: Timestamp) -> Result<Cause, String> {
        let words = |error: StoreError| error.to_string();
        let (rows, other) = match self.disk.get() {
            Some(Disk::Store(store)) => (store.rows().map_err(words)?, None),
            Some(Disk::File(path)) => {
                let rows = Rows::of_file(path).map_err(|error| error.to_string())?;
                // What the other process has in memory and we do not.
                let unindexed = unindexed(&rows).map_err(words)?;
                (rows, Some(unindexed))
            }
            None => return Err("the store was never opened".to_owned()),
        };
        let search = self.search(question, rows.secret(), now);
        for tie in &question.ties {
            let entries = |hash| {
                let recent: Vec<_> = match &other {
                    Some(recent) => self::recent(recent, hash).collect(),
                    None => self::recent(&self.lock().recent, hash).collect(),
                };
                Ok(recent.into_iter().chain(stored(&rows, hash)?))
            };
            if let Found::Cause(original) | Found::Perhaps(_, original) =
                search.judge(tie, entries).map_err(words)?
            {
                return Ok(Cause::Known(Box::new(original)));
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

/// What is found in memory under a hash, the newest first.
fn recent(recent: &Recent, hash: u64) -> impl Iterator<Item = Result<Entry, StoreError>> {
    recent.find(hash).take(MOST_ALIKE).cloned().map(Ok)
}

/// What is found in the file under a hash, the newest first.
fn stored(
    rows: &Rows,
    hash: u64,
) -> Result<impl Iterator<Item = Result<Entry, StoreError>> + '_, StoreError> {
    let entry = |place: Place| rows.find(&ENTRIES.part(place.day), &place.number);
    let places = Places::new(rows, hash, MOST_ALIKE)?.take(MOST_ALIKE);
    let entries = places.map(move |place| place.and_then(entry));
    Ok(entries.filter_map(Result::transpose))
}

/// Where an entry is to be found.
fn places(number: u64, entry: &Entry) -> impl Iterator<Item = Place> + '_ {
    let day = day(entry.at);
    entry.hashes.iter().map(move |hash| Place { day, hash: *hash, number })
}

/// The entries of a file that its index lacks. Those that nobody can read are passed over.
fn unindexed(rows: &Rows) -> Result<Recent, StoreError> {
    let first = rows.find(&INDEXED, &String::new())?.map_or(0, |Indexed(number)| number + 1);
    let mut places = Vec::new();
    for part in rows.parts(&ENTRIES)? {
        let numbers = rows.keys_backwards(&ENTRIES.part(part), (&first, &u64::MAX), MOST_ROWS)?;
        places.extend(numbers.into_iter().map(|number| (number, part)));
    }
    places.sort_unstable();
    let mut recent = Recent::default();
    for (number, part) in places {
        match rows.find(&ENTRIES.part(part), &number) {
            Ok(Some(entry)) => recent.push(number, entry),
            Ok(None) | Err(StoreError::Unreadable) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(recent)
}

impl Resident for Ledger {
    fn opened(&self, rows: &Rows) -> Result<Vec<Change>, StoreError> {
        let mut state = self.lock();
        let parts: BTreeSet<i32> = rows.parts(&ENTRIES)?.into_iter().chain(rows.parts(&INDEX)?).collect();
        let is_new = parts.is_empty();
        // A number is never used again, even if its part is gone.
        let mut next = rows.find(&INDEXED, &String::new())?.map_or(0, |Indexed(number)| number + 1);
        for part in &parts {
            next = next.max(rows.last_key(&ENTRIES.part(*part))?.map_or(0, |number| number + 1));
        }
        let is_known = state.secret == Some(rows.secret());
        if !is_known {
            let recent = unindexed(rows)?;
            *state = State { secret: Some(rows.secret()), recent, ..State::default() };
        }
        state.next = state.next.max(next);
        state.purged = None;
        state.parts.extend(parts);
        if !is_known || is_new {
            let lacking = state.recent.all().flat_map(|(number, entry)| places(number, entry)).collect();
            state.unindexed = lacking;
        }
        if !is_new {
            return Ok(Vec::new());
        }
        // Into a file that was begun anew goes what is known already.
        let entries = state.recent.all();
        Ok(entries.map(|(number, entry)| ENTRIES.part(day(entry.at)).put(&number, entry)).collect())
    }
}

/// The day of a moment in UTC, counted from 1970-01-01.
fn day(at: Timestamp) -> i32 {
    i32::try_from(at.as_second().div_euclid(DAY)).expect("jiff's years have four digits")
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 2)
}
