//! Changes on their way to the disk: bounded, and visible to look-ups until they are there.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::record::{Key, Record};
use super::rows::{Change, RowId, Table, TableId, Value};
use crate::clients::counts::Durations;

/// Rows that wait, at most. At the end of the list a disk has been out of order for long.
pub const MOST_ROWS: usize = 32_768;

/// Octets of keys and values that wait, at most.
pub const MOST_OCTETS: usize = 32 * 1024 * 1024;

/// Changes on their way to the disk. Of several changes to a row only the last is written.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    /// There is something to write, or the end has come.
    work: Condvar,
    /// The end has come. Who pauses is woken by nothing else: at every change it would cost more than the change.
    end: Condvar,
    /// Something happened that others wait for.
    progress: Condvar,
    writing: Writing,
}

/// How the writer fares, counted.
#[derive(Debug, Default)]
pub struct Writing {
    /// Whether the file is open.
    pub is_open: AtomicBool,
    /// Rows that are on the disk.
    pub rows: AtomicU64,
    /// How long commits took, those that failed included.
    pub commits: Durations,
    /// Commits that failed.
    pub failed_commits: AtomicU64,
    /// Attempts to open the file that failed.
    pub failed_openings: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<RowId, Value>,
    /// The waiting rows, the oldest first.
    order: VecDeque<RowId>,
    /// Rows that they count as.
    rows: usize,
    octets: usize,
    /// Tables that shall be no more, whatever is in them; rows that wait come after that.
    doomed: Vec<TableId>,
    /// What the writer is committing.
    leaving: Arc<HashMap<RowId, Value>>,
    submitted: u64,
    acknowledged: u64,
    dropped: u64,
    closing: bool,
    ended: bool,
}

/// What the writer is to commit.
#[derive(Debug)]
pub(super) struct Batch {
    /// Tables that go before anything else is done.
    pub(super) doomed: Vec<TableId>,
    pub(super) rows: Arc<HashMap<RowId, Value>>,
    /// The rows, the oldest first.
    order: VecDeque<RowId>,
    /// The last submission that it holds.
    up_to: u64,
}

/// A value that is not on the disk yet; the inner none if the row is to be removed.
pub(super) type Waiting = Option<Option<Vec<u8>>>;

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands changes over, and gives the number of this submission. It waits for nothing: what finds no room pushes
    /// out the oldest.
    pub fn submit(&self, changes: impl IntoIterator<Item = Change>) -> u64 {
        self.hand_over(|state| changes.into_iter().for_each(|change| state.admit(change)))
    }

    /// A table shall be no more, with all that is in it or waits to be; and gives the number of this submission.
    pub fn drop_table<K: Key, V: Record>(&self, table: &Table<K, V>) -> u64 {
        self.hand_over(|state| state.doom(table.id()))
    }

    fn hand_over(&self, change: impl FnOnce(&mut State)) -> u64 {
        let mut state = self.lock();
        let was_idle = state.is_idle();
        change(&mut state);
        let number = state.count();
        let is_idle = state.is_idle();
        drop(state);
        // Where something waited already, the writer knows.
        if was_idle && !is_idle {
            self.work.notify_one();
        }
        number
    }

    /// The last submission that is on the disk with all before it, but for what was dropped.
    pub fn acknowledged(&self) -> u64 {
        self.lock().acknowledged
    }

    /// How many changes found no room.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// How many rows wait for the disk.
    pub fn waiting(&self) -> usize {
        let state = self.lock();
        state.waiting.len() + state.leaving.len()
    }

    /// How the writer fares.
    pub fn writing(&self) -> &Writing {
        &self.writing
    }

    /// What waits for the disk under this key.
    pub(super) fn find(&self, row: &RowId) -> Waiting {
        let state = self.lock();
        state.waiting.get(row).or_else(|| state.leaving.get(row)).map(|value| value.octets.clone())
    }

    /// Waits until everything that was submitted so far is on the disk, and says whether it is.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let state = self.lock();
        let target = state.submitted;
        let behind = |state: &mut State| state.acknowledged < target && !state.ended;
        let (state, _) =
            self.progress.wait_timeout_while(state, limit, behind).unwrap_or_else(PoisonError::into_inner);
        state.acknowledged >= target
    }

    /// Asks the writer to commit what is there and to end, and waits for that.
    pub(super) fn close(&self, limit: Duration) {
        let mut state = self.lock();
        state.closing = true;
        self.work.notify_one();
        self.end.notify_one();
        let waiting = |state: &mut State| !state.ended;
        drop(self.progress.wait_timeout_while(state, limit, waiting));
    }

    /// For the writer: waits for changes, then for `interval` so that others join them. None when it is to end.
    pub(super) fn next(&self, interval: Duration) -> Option<Batch> {
        let idle = |state: &mut State| state.is_idle() && !state.closing;
        let state = self.work.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        drop(state);
        self.pause(interval);
        let mut state = self.lock();
        let state = &mut *state;
        if state.is_idle() {
            return None;
        }
        let rows = Arc::new(std::mem::take(&mut state.waiting));
        state.leaving = Arc::clone(&rows);
        (state.rows, state.octets) = (0, 0);
        let (doomed, order) = (std::mem::take(&mut state.doomed), std::mem::take(&mut state.order));
        Some(Batch { doomed, rows, order, up_to: state.submitted })
    }

    /// For the writer: does nothing for that long, unless it is to end, and says whether it is.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let going = |state: &mut State| !state.closing;
        let waited = self.end.wait_timeout_while(self.lock(), time, going);
        waited.unwrap_or_else(PoisonError::into_inner).0.closing
    }

    /// For the writer: the batch is on the disk.
    pub(super) fn committed(&self, batch: &Batch) {
        let mut state = self.lock();
        state.leaving = Arc::default();
        state.acknowledged = batch.up_to;
        drop(state);
        self.progress.notify_all();
    }

    /// For the writer: the batch is not on the disk. It waits again, before what came later.
    pub(super) fn give_back(&self, batch: Batch) {
        let mut state = self.lock();
        state.leaving = Arc::default();
        let later = std::mem::take(&mut state.order);
        let mut later_rows = std::mem::take(&mut state.waiting);
        let mut earlier_rows = Arc::unwrap_or_clone(batch.rows);
        (state.rows, state.octets) = (0, 0);
        let doomed = std::mem::replace(&mut state.doomed, batch.doomed);
        for row in batch.order.into_iter().filter(|row| !later_rows.contains_key(row)) {
            let Some(value) = earlier_rows.remove(&row) else { continue };
            state.admit(Change { row, value });
        }
        for table in doomed {
            state.doom(table);
        }
        for row in later {
            let Some(value) = later_rows.remove(&row) else { continue };
            state.admit(Change { row, value });
        }
    }

    /// For the writer: it has ended.
    pub(super) fn ended(&self) {
        self.lock().ended = true;
        self.progress.notify_all();
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.doomed.is_empty()
    }

    /// Counts a submission. One that changes nothing has nothing to wait for.
    fn count(&mut self) -> u64 {
        self.submitted += 1;
        if self.is_idle() && self.leaving.is_empty() {
            self.acknowledged = self.submitted;
        }
        self.submitted
    }

    fn doom(&mut self, table: TableId) {
        if !self.doomed.contains(&table) {
            self.doomed.push(table);
        }
        self.order.retain(|row| row.0 != table);
        let Self { waiting, rows, octets, .. } = self;
        waiting.retain(|row, value| {
            let stays = row.0 != table;
            if !stays {
                *rows -= value.rows;
                *octets -= size(row, value);
            }
            stays
        });
    }

    fn admit(&mut self, Change { row, value }: Change) {
        self.rows += value.rows;
        self.octets += size(&row, &value);
        if let Some(earlier) = self.waiting.get_mut(&row) {
            self.rows -= earlier.rows;
            self.octets -= size(&row, earlier);
            *earlier = value;
        } else {
            self.order.push_back(row.clone());
            self.waiting.insert(row, value);
        }
        while self.rows > MOST_ROWS || self.octets > MOST_OCTETS {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(value) = self.waiting.remove(&oldest) {
                self.rows -= value.rows;
                self.octets -= size(&oldest, &value);
            }
            self.dropped += 1;
            // The first is news, and so is every power of two; in between nobody learns anything.
            if self.dropped.is_power_of_two() {
                let dropped = self.dropped;
                tracing::warn!(dropped, "the store cannot keep up: the oldest changes are lost");
            }
        }
    }
}

fn size((table, key): &RowId, value: &Value) -> usize {
    table.size() + key.len() + value.octets.as_ref().map_or(0, Vec::len)
}
