//! Changes on their way to the disk: bounded, and visible to look-ups until they are there.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::record::{Key, Record};
use super::rows::{Change, RowId, Table, TableId};

/// Rows that wait, at most. At the end of the list a disk has been out of order for long.
pub const MOST_ROWS: usize = 32_768;

/// Octets of keys and values that wait, at most.
pub const MOST_OCTETS: usize = 32 * 1024 * 1024;

/// Changes on their way to the disk. Of several changes to a row only the last is written.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    /// Something happened that the writer waits for.
    work: Condvar,
    /// Something happened that others wait for.
    progress: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<RowId, Option<Vec<u8>>>,
    /// The waiting rows, the oldest first.
    order: VecDeque<RowId>,
    octets: usize,
    /// Tables that shall be no more, whatever is in them; rows that wait come after that.
    doomed: Vec<TableId>,
    /// What the writer is committing.
    leaving: HashMap<RowId, Option<Vec<u8>>>,
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
    pub(super) changes: Vec<Change>,
    /// The last submission that it holds.
    pub(super) up_to: u64,
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
        let mut state = self.lock();
        for change in changes {
            state.admit(change);
        }
        let number = state.count();
        drop(state);
        self.work.notify_one();
        number
    }

    /// A table shall be no more, with all that is in it or waits to be; and gives the number of this submission.
    pub fn drop_table<K: Key, V: Record>(&self, table: &Table<K, V>) -> u64 {
        let mut state = self.lock();
        state.doom(table.id());
        let number = state.count();
        drop(state);
        self.work.notify_one();
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

    /// What waits for the disk under this key.
    pub(super) fn find(&self, row: &RowId) -> Waiting {
        let state = self.lock();
        state.waiting.get(row).or_else(|| state.leaving.get(row)).cloned()
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
        state.leaving = std::mem::take(&mut state.waiting);
        state.octets = 0;
        let changes = state.order.drain(..).map(|row| {
            let value = state.leaving.get(&row).cloned().flatten();
            Change { row, value }
        });
        let doomed = std::mem::take(&mut state.doomed);
        Some(Batch { doomed, changes: changes.collect(), up_to: state.submitted })
    }

    /// For the writer: does nothing for that long, unless it is to end, and says whether it is.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let going = |state: &mut State| !state.closing;
        let waited = self.work.wait_timeout_while(self.lock(), time, going);
        waited.unwrap_or_else(PoisonError::into_inner).0.closing
    }

    /// For the writer: the batch is on the disk.
    pub(super) fn committed(&self, batch: &Batch) {
        let mut state = self.lock();
        state.leaving = HashMap::new();
        state.acknowledged = batch.up_to;
        drop(state);
        self.progress.notify_all();
    }

    /// For the writer: the batch is not on the disk. It waits again, before what came later.
    pub(super) fn give_back(&self, batch: Batch) {
        let mut state = self.lock();
        state.leaving = HashMap::new();
        let later = std::mem::take(&mut state.order);
        let mut later_rows = std::mem::take(&mut state.waiting);
        state.octets = 0;
        let doomed = std::mem::replace(&mut state.doomed, batch.doomed);
        for change in batch.changes.into_iter().filter(|change| !later_rows.contains_key(&change.row)) {
            state.admit(change);
        }
        for table in doomed {
            state.doom(table);
        }
        for row in later {
            let value = later_rows.remove(&row).flatten();
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
        let mut gone = 0;
        self.waiting.retain(|row, value| {
            let stays = row.0 != table;
            gone += if stays { 0 } else { size(row, value.as_ref()) };
            stays
        });
        self.octets -= gone;
    }

    fn admit(&mut self, Change { row, value }: Change) {
        let size = size(&row, value.as_ref());
        self.octets += size;
        if let Some(earlier) = self.waiting.get_mut(&row) {
            self.octets -= self::size(&row, earlier.as_ref());
            *earlier = value;
        } else {
            self.order.push_back(row.clone());
            self.waiting.insert(row, value);
        }
        while self.order.len() > MOST_ROWS || self.octets > MOST_OCTETS {
            let Some(oldest) = self.order.pop_front() else { break };
            let value = self.waiting.remove(&oldest).flatten();
            self.octets -= self::size(&oldest, value.as_ref());
            self.dropped += 1;
            // The first is news, and so is every power of two; in between nobody learns anything.
            if self.dropped.is_power_of_two() {
                let dropped = self.dropped;
                tracing::warn!(dropped, "the store cannot keep up: the oldest changes are lost");
            }
        }
    }
}

fn size((table, key): &RowId, value: Option<&Vec<u8>>) -> usize {
    table.size() + key.len() + value.map_or(0, Vec::len)
}
