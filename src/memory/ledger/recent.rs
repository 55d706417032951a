//! The latest messages, in memory: an answer may come sooner than its cause is on the disk.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use super::entry::Entry;
use crate::memory::store::MOST_ROWS;

/// The latest messages. They have as many rows as may wait for the disk, so what waits is here.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// By their numbers, which rise.
    messages: VecDeque<Message>,
    /// The newest that is found under a hash.
    newest: HashMap<u64, u64, BuildHasherDefault<AsItIs>>,
    /// Rows that they count as in the store.
    rows: usize,
}

#[derive(Debug)]
struct Message {
    number: u64,
    entry: Entry,
    /// For each of its hashes, the number of the next older message there, which may be forgotten.
    older: Box<[Option<u64>]>,
}

/// What is a hash already, and one that nobody can choose, needs no other.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        self.0 = octets.iter().fold(self.0, |hash, octet| hash.rotate_left(8) ^ u64::from(*octet));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Recent {
    /// Adds a message. Its number must be above all others.
    pub(super) fn push(&mut self, number: u64, entry: Entry) {
        let older = entry.hashes.iter().map(|hash| self.newest.insert(*hash, number)).collect();
        self.rows += 1 + entry.hashes.len();
        self.messages.push_back(Message { number, entry, older });
        while self.rows > MOST_ROWS && self.messages.len() > 1 {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some(Message { number, entry, .. }) = self.messages.pop_front() else { return };
        self.rows -= 1 + entry.hashes.len();
        for hash in entry.hashes {
            if self.newest.get(&hash) == Some(&number) {
                self.newest.remove(&hash);
            }
        }
    }

    /// What is found under a hash, the newest first.
    pub(super) fn find(&self, hash: u64) -> impl Iterator<Item = &Entry> {
        let newest = self.newest.get(&hash).and_then(|number| self.message(*number));
        let messages = std::iter::successors(newest, move |message| {
            let place = message.entry.hashes.iter().position(|other| *other == hash)?;
            self.message(message.older[place]?)
        });
        messages.map(|message| &message.entry)
    }

    fn message(&self, number: u64) -> Option<&Message> {
        let place = self.messages.binary_search_by_key(&number, |message| message.number).ok()?;
        self.messages.get(place)
    }

    /// All of them with their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.messages.iter().map(|message| (message.number, &message.entry))
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }
}
