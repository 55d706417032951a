//! The latest messages, in memory: an answer may come sooner than its cause is on the disk.

use std::collections::{HashMap, VecDeque};

use super::entry::Entry;
use crate::lookup::store::MOST_ROWS;

/// The latest messages. They have as many rows as may wait for the disk, so what waits is here.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// By number, without gaps.
    entries: VecDeque<(Entry, Vec<u64>)>,
    /// The number of the first one.
    first: u64,
    /// Which are found under a hash, the oldest first.
    index: HashMap<u64, VecDeque<u64>>,
    /// Rows that they all have in the store.
    rows: usize,
}

impl Recent {
    /// Adds a message. Its number must follow that of the last one; if it does not, all others are forgotten.
    pub(super) fn push(&mut self, number: u64, entry: Entry, hashes: Vec<u64>) {
        if number != self.first + self.entries.len() as u64 {
            *self = Self { first: number, ..Self::default() };
        }
        for hash in &hashes {
            self.index.entry(*hash).or_default().push_back(number);
        }
        self.rows += 1 + hashes.len();
        self.entries.push_back((entry, hashes));
        while self.rows > MOST_ROWS && self.entries.len() > 1 {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some((_, hashes)) = self.entries.pop_front() else { return };
        self.first += 1;
        self.rows -= 1 + hashes.len();
        for hash in hashes {
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
        numbers.filter_map(|number| {
            let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
            self.entries.get(at).map(|(entry, _)| entry)
        })
    }

    /// All of them with their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, &Entry, &[u64])> {
        (self.first..).zip(&self.entries).map(|(number, (entry, hashes))| (number, entry, hashes.as_slice()))
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
