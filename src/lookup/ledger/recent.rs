//! The latest messages, in memory: an answer may come sooner than its cause is on the disk.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::entry::Entry;
use crate::lookup::store::MOST_ROWS;

/// The latest messages. They have as many rows as may wait for the disk, so what waits is here.
#[derive(Debug, Default)]
pub(super) struct Recent {
    entries: BTreeMap<u64, Entry>,
    /// Which are found under a hash, the oldest first.
    index: HashMap<u64, VecDeque<u64>>,
    /// Rows that they all have in the store.
    rows: usize,
}

impl Recent {
    /// Adds a message. Its number must be above all others.
    pub(super) fn push(&mut self, number: u64, entry: Entry) {
        for hash in &entry.hashes {
            self.index.entry(*hash).or_default().push_back(number);
        }
        self.rows += 1 + entry.hashes.len();
        self.entries.insert(number, entry);
        while self.rows > MOST_ROWS && self.entries.len() > 1 {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some((_, entry)) = self.entries.pop_first() else { return };
        self.rows -= 1 + entry.hashes.len();
        for hash in entry.hashes {
            if let Some(numbers) = self.index.get_mut(&hash) {
                numbers.pop_front();
                if numbers.is_empty() {
                    self.index.remove(&hash);
                }
            }
        }
    }

    /// What is found under a hash, the newest first.
    pub(super) fn find(&self, hash: u64) -> impl Iterator<Item = &Entry> {
        let numbers = self.index.get(&hash).into_iter().flatten().rev();
        numbers.filter_map(|number| self.entries.get(number))
    }

    /// All of them with their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries.iter().map(|(number, entry)| (*number, entry))
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
