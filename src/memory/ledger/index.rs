//! Where entries are found in the store: their hashes, in sorted rows that are written many hashes at a time.
//!
//! A hash may be any, so a row of its own for each would be put anywhere in the table, and the disk would write a page
//! for a few octets. Instead, hashes that begin with the same octet lie on one shelf, and what a batch has for a shelf is
//! one [`Segment`], written after the earlier ones of that shelf. A look-up searches the segments of one shelf only.

use std::collections::{BTreeMap, BinaryHeap};
use std::ops::ControlFlow;

use super::entry::ENTRIES;
use crate::memory::store::{Change, Input, Key, Output, Record, Rows, StoreError, Table};

/// The segments, in parts by the day.
pub(super) const INDEX: Table<Shelf, Segment> = Table::new("ledger.index");

/// One row without a name: the last entry that the index has.
pub(super) const INDEXED: Table<String, Indexed> = Table::new("ledger.indexed");

/// Octets of a place in a segment: seven of the hash, as the shelf has the first, and four of the distance.
const PLACE: usize = 11;

/// Where an entry is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The day of the part.
    pub(super) day: i32,
    pub(super) hash: u64,
    /// Of the entry.
    pub(super) number: u64,
}

/// Where a segment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shelf {
    /// The first octet of its hashes.
    octet: u8,
    /// No entry in it has a higher number, and none in a later segment a lower one.
    last: u64,
}

/// Places on one shelf, sorted by hash, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment(Vec<[u8; PLACE]>);

/// The number of the last entry that the index has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Indexed(pub(super) u64);

/// A place as it is in a segment up to `last`; none if it is too far from there, which takes 2^32 messages.
fn packed(hash: u64, number: u64, last: u64) -> Option<[u8; PLACE]> {
    let distance = u32::try_from(last.checked_sub(number)?).ok()?;
    let mut place = [0; PLACE];
    place[..7].copy_from_slice(&hash.to_be_bytes()[1..]);
    place[7..].copy_from_slice(&distance.to_be_bytes());
    Some(place)
}

/// The rows for these places, and the one that says that the index has everything up to `last`. All places that had to
/// be written earlier were written with a lower `last`.
pub(super) fn rows(places: &[Place], last: u64) -> impl Iterator<Item = Change> {
    let mut shelves: BTreeMap<(i32, u8), Vec<[u8; PLACE]>> = BTreeMap::new();
    for Place { day, hash, number } in places {
        let shelf = shelves.entry((*day, hash.to_be_bytes()[0])).or_default();
        shelf.extend(packed(*hash, *number, last));
    }
    let segments = shelves.into_iter().map(move |((day, octet), mut places)| {
        places.sort_unstable();
        INDEX.part(day).put(&Shelf { octet, last }, &Segment(places))
    });
    segments.chain([INDEXED.put(&String::new(), &Indexed(last))])
}

/// The places under a hash in all parts, the newest first; at most so many in each part. What comes is looked up when it
/// is asked for.
pub(super) struct Places<'a> {
    rows: &'a Rows,
    hash: u64,
    most: usize,
    /// The days of parts that were not looked into yet, each behind the highest number that it may have; the highest last.
    parts: Vec<(u64, i32)>,
    /// What was found in the others: number and day.
    found: BinaryHeap<(u64, i32)>,
}

impl<'a> Places<'a> {
    /// # Errors
    ///
    /// When the index cannot be read.
    pub(super) fn new(rows: &'a Rows, hash: u64, most: usize) -> Result<Self, StoreError> {
        let parts = rows.parts(&INDEX)?.into_iter().map(|day| {
            let highest = rows.last_key(&ENTRIES.part(day))?;
            Ok((highest.unwrap_or(u64::MAX), day))
        });
        let mut parts = parts.collect::<Result<Vec<_>, StoreError>>()?;
        parts.sort_unstable();
        Ok(Self { rows, hash, most, parts, found: BinaryHeap::new() })
    }

    fn find_next(&mut self) -> Result<Option<(u64, i32)>, StoreError> {
        // Parts are in no order where the clock was put back, numbers are.
        while let Some((_, day)) =
            self.parts.pop_if(|(highest, _)| self.found.peek().is_none_or(|(number, _)| number < highest))
        {
            let numbers = find(self.rows, day, self.hash, self.most)?;
            self.found.extend(numbers.into_iter().map(|number| (number, day)));
        }
        let next = self.found.pop();
        // What was written again into a file that was begun anew may be in two segments.
        while self.found.peek().is_some_and(|place| Some(*place) == next) {
            self.found.pop();
        }
        Ok(next)
    }
}

impl Iterator for Places<'_> {
    type Item = Result<Place, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.find_next().transpose()?;
        Some(found.map(|(number, day)| Place { day, hash: self.hash, number }))
    }
}

/// The numbers of the entries under a hash in the part of a day, the newest first; at most that many.
///
/// # Errors
///
/// When the index cannot be read.
fn find(rows: &Rows, day: i32, hash: u64, most: usize) -> Result<Vec<u64>, StoreError> {
    let octet = hash.to_be_bytes()[0];
    let mut numbers = Vec::new();
    let shelf = (&Shelf { octet, last: 0 }, &Shelf { octet, last: u64::MAX });
    rows.look_backwards(&INDEX.part(day), shelf, |Shelf { last, .. }, version, mut input| {
        let places = places(version, &mut input)?;
        let found = places[places.partition_point(|place| place[..7] < hash.to_be_bytes()[1..])..]
            .iter()
            .take_while(|place| place[..7] == hash.to_be_bytes()[1..]);
        for place in found.take(most - numbers.len()) {
            let distance = u32::from_be_bytes(*place.last_chunk()?);
            numbers.push(last.checked_sub(distance.into())?);
        }
        Some(if numbers.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(numbers)
}

/// The places of a segment where they lie.
fn places<'a>(version: u8, input: &mut Input<'a>) -> Option<&'a [[u8; PLACE]]> {
    let (places, rest) = input.rest().as_chunks();
    (version == Segment::VERSION && rest.is_empty()).then_some(places)
}

impl Key for Shelf {
    fn encode(&self) -> Vec<u8> {
        [&[self.octet][..], &self.last.to_be_bytes()].concat()
    }

    fn decode(octets: &[u8]) -> Option<Self> {
        let (octet, last) = octets.split_first()?;
        Some(Self { octet: *octet, last: u64::decode(last)? })
    }
}

impl Record for Segment {
    const VERSION: u8 = 1;

    fn write(&self, output: &mut Output) {
        output.rest(self.0.as_flattened());
    }

    fn read(version: u8, input: &mut Input<'_>) -> Option<Self> {
        Some(Self(places(version, input)?.to_vec()))
    }

    /// As many as if each place had one: what may wait for the disk must find room in memory.
    fn rows(&self) -> usize {
        self.0.len()
    }
}

impl Record for Indexed {
    const VERSION: u8 = 1;

    fn write(&self, output: &mut Output) {
        output.number(self.0);
    }

    fn read(version: u8, input: &mut Input<'_>) -> Option<Self> {
        (version == Self::VERSION).then(|| input.number().map(Self))?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;
    use crate::memory::ledger::entry::Entry;
    use crate::memory::store::{Queue, Store};
    use crate::session::Origin;

    /// Hashes that meet, on the same shelf and on others, at its ends and within.
    const HASHES: [u64; 7] = [1, 2, 0xff << 48, 1 << 56, (1 << 56) + 1, (2 << 56) - 1, u64::MAX];

    /// Two hashes of an entry, its day, and whether it is the last of its batch.
    fn some_entry() -> impl Strategy<Value = (usize, usize, i32, bool)> {
        (0..HASHES.len(), 0..HASHES.len(), -1..2, prop::bool::weighted(0.1))
    }

    fn entry(hashes: &[u64]) -> Entry {
        Entry {
            at: Timestamp::UNIX_EPOCH,
            reference: "R1".to_owned(),
            sender: 1,
            origin: Origin::Foreign,
            spf: None,
            recipients: Vec::new(),
            hashes: hashes.to_vec(),
        }
    }

    fn open(path: &std::path::Path) -> (Store, Arc<Queue>) {
        let queue = Arc::new(Queue::default());
        let clock = || Timestamp::UNIX_EPOCH;
        let store =
            Store::open(path.to_owned(), Duration::ZERO, Arc::clone(&queue), Vec::new(), clock).unwrap();
        (store, queue)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Whatever batches and parts they come in, what is found is what a list of all of them has.
        #[test]
        fn the_index_finds_what_a_list_does(
            entries in prop::collection::vec(some_entry(), 1..120),
            gap in prop_oneof![Just(1_u64), 1..5_000_u64],
        ) {
            let dir = TempDir::new().unwrap();
            let path = dir.path().join("ledger.redb");
            let (mut all, mut batch) = (Vec::new(), Vec::new());
            let (mut store, mut queue) = open(&path);
            for (place, (one, other, day, ends)) in entries.into_iter().enumerate() {
                let number = place as u64 * gap;
                let mut hashes = vec![HASHES[one], HASHES[other]];
                hashes.dedup();
                queue.submit([ENTRIES.part(day).put(&number, &entry(&hashes))]);
                batch.extend(hashes.into_iter().map(|hash| Place { day, hash, number }));
                if ends || place % 50 == 49 {
                    all.extend(batch.iter().copied());
                    queue.submit(rows(&batch, number));
                    batch.clear();
                }
                if place % 50 == 49 {
                    drop(store);
                    (store, queue) = open(&path);
                }
            }
            prop_assert!(store.flush(Duration::from_secs(20)));
            let rows = Rows::of_file(&path).unwrap();
            let indexed = rows.find(&INDEXED, &String::new()).unwrap().map(|Indexed(number)| number);
            prop_assert_eq!(indexed, all.last().map(|place| place.number));
            for hash in HASHES {
                let expected: Vec<Place> = all.iter().rev().filter(|place| place.hash == hash).copied().collect();
                let found: Result<Vec<Place>, _> = Places::new(&rows, hash, usize::MAX).unwrap().collect();
                prop_assert_eq!(found.unwrap(), expected, "{:x}", hash);
                let newest = Places::new(&rows, hash, 1).unwrap().next().map(Result::unwrap);
                prop_assert_eq!(newest, all.iter().rev().find(|place| place.hash == hash).copied());
            }
            for (day, hash, most) in
                (-1..2).flat_map(|day| HASHES.map(|hash| [1, 3, usize::MAX].map(|most| (day, hash, most)))).flatten()
            {
                let expected: Vec<u64> = all
                    .iter()
                    .rev()
                    .filter(|place| (place.day, place.hash) == (day, hash))
                    .map(|place| place.number)
                    .take(most)
                    .collect();
                prop_assert_eq!(find(&rows, day, hash, most).unwrap(), expected, "{} {:x} {}", day, hash, most);
            }
        }

        #[test]
        fn no_octets_break_the_reader(octets in prop::collection::vec(any::<u8>(), 0..40)) {
            let segment = crate::memory::store::tests::read::<Segment>(&octets);
            let is_one = octets.first() == Some(&Segment::VERSION) && octets.len() % PLACE == 1;
            prop_assert_eq!(segment.is_ok(), is_one);
            let _ = Shelf::decode(&octets);
        }
    }

    #[test]
    fn a_place_that_is_too_far_away_is_left_out() {
        assert!(packed(1, 0, u32::MAX.into()).is_some());
        assert_eq!(packed(1, 0, 1 << 32), None);
        assert_eq!(packed(1, 2, 1), None);
    }

    #[test]
    fn a_segment_waits_as_so_many_rows() {
        let places: Vec<Place> = (0..50).map(|number| Place { day: 0, hash: 1, number }).collect();
        let queue = Queue::default();
        for last in 0..u64::try_from(crate::memory::store::MOST_ROWS).unwrap() / 50 {
            queue.submit(rows(&places, 50 * last + 49));
            assert_eq!(queue.dropped(), 0, "{last}");
        }
        queue.submit(rows(&places, 1 << 31));
        assert!(queue.dropped() > 0);
    }
}
