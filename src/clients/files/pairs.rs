//! Keys and values by the million: one text and one sorted index instead of a string for each.

use std::hash::{DefaultHasher, Hasher as _};

use super::problem::Problem;

/// Pairs of key and value, in the order of their file. Keys may repeat; ASCII case does not tell them apart.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    text: String,
    index: Vec<Slot>,
    /// Where in the index the hashes with each beginning begin, and its end. A binary search of the whole index would
    /// touch a line of cache with every step.
    beginnings: Vec<u32>,
}

/// How many slots share a beginning, about.
const SHARE: usize = 4;

/// Where a pair is. 12 octets, as there may be millions.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    at: u32,
    line: u32,
}

/// One pair as it was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
    pub(crate) line: usize,
}

/// Ends a key and a value in the text. Readers of files let it pass in neither.
const END: char = '\0';

impl Pairs {
    /// Pairs that are not in their final order yet.
    pub(crate) fn builder() -> Builder {
        Builder(Self::default())
    }

    /// The pairs of a key, in the order of their file.
    pub(crate) fn find(&self, key: &str) -> impl Iterator<Item = Pair<'_>> {
        let hash = hash(key);
        let near = self.near(hash);
        let from = near.partition_point(|slot| slot.hash < hash);
        let same = near[from..].iter().take_while(move |slot| slot.hash == hash);
        same.filter_map(|slot| self.pair(*slot)).filter(move |pair| pair.key.eq_ignore_ascii_case(key))
    }

    /// All pairs, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Pair<'_>> {
        self.index.iter().filter_map(|slot| self.pair(*slot))
    }

    /// A pair whose key stands before it already, if there is one.
    pub(crate) fn first_repeated(&self) -> Option<Pair<'_>> {
        self.index
            .iter()
            .filter_map(|slot| self.pair(*slot))
            .find(|pair| self.find(pair.key).next().is_some_and(|first| first.line != pair.line))
    }

    /// The slots whose hashes begin as this one does.
    fn near(&self, hash: u32) -> &[Slot] {
        let at = beginning(hash, self.beginnings.len());
        match self.beginnings.get(at..at + 2) {
            Some(&[from, to]) => &self.index[from as usize..to as usize],
            _ => &[],
        }
    }

    fn pair(&self, slot: Slot) -> Option<Pair<'_>> {
        let mut parts = self.text.get(slot.at as usize..)?.splitn(3, END);
        Some(Pair { key: parts.next()?, value: parts.next()?, line: slot.line as usize })
    }

    /// How many pairs there are.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }
}

/// Takes pairs in the order of their file.
pub(crate) struct Builder(Pairs);

impl Builder {
    /// Adds a pair.
    ///
    /// # Errors
    ///
    /// When a text holds a NUL, or 4 GiB are full.
    pub(crate) fn push(&mut self, key: &str, value: &str, line: usize) -> Result<(), Problem> {
        if key.contains(END) || value.contains(END) {
            return Err(Problem::new("there is a NUL in it").at(line, None));
        }
        let pairs = &mut self.0;
        let (Ok(at), Ok(line)) = (u32::try_from(pairs.text.len()), u32::try_from(line)) else {
            return Err(Problem::new("it is too large").at(line, None));
        };
        pairs.text.push_str(key);
        pairs.text.push(END);
        pairs.text.push_str(value);
        pairs.text.push(END);
        pairs.index.push(Slot { hash: hash(key), at, line });
        Ok(())
    }

    /// The pairs, ready to be asked.
    pub(crate) fn finish(mut self) -> Pairs {
        // `at` grows with the file, so the order among equal keys is the order of the file.
        self.0.index.sort_unstable_by_key(|slot| (slot.hash, slot.at));
        self.0.text.shrink_to_fit();
        self.0.index.shrink_to_fit();
        let length = (self.0.index.len() / SHARE).next_power_of_two() + 1;
        let mut beginnings = Vec::with_capacity(length);
        for (at, slot) in (0..).zip(&self.0.index) {
            beginnings.resize(beginnings.len().max(beginning(slot.hash, length) + 1), at);
        }
        beginnings.resize(length, u32::try_from(self.0.index.len()).unwrap_or(u32::MAX));
        self.0.beginnings = beginnings;
        self.0
    }
}

/// The place of a hash among so many beginnings, which are a power of two and the end.
fn beginning(hash: u32, length: usize) -> usize {
    let bits = (length.max(2) - 1).ilog2();
    usize::try_from(u64::from(hash) >> (32 - bits)).unwrap_or_default()
}

/// A hash that is the same for all ASCII spellings of a key.
fn hash(key: &str) -> u32 {
    let mut hasher = DefaultHasher::new();
    let mut block = [0_u8; 64];
    for part in key.as_bytes().chunks(block.len()) {
        let folded = &mut block[..part.len()];
        folded.copy_from_slice(part);
        folded.make_ascii_lowercase();
        hasher.write(folded);
    }
    // Half of it is enough: keys are compared as well.
    u32::try_from(hasher.finish() >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_may_repeat_and_keep_their_order() {
        let mut builder = Pairs::builder();
        for (line, (key, value)) in [("b", "1"), ("a", "2"), ("B", ""), ("é", "3")].iter().enumerate() {
            builder.push(key, value, line + 1).unwrap();
        }
        let pairs = builder.finish();
        let found =
            |key: &str| pairs.find(key).map(|pair| (pair.key, pair.value, pair.line)).collect::<Vec<_>>();
        assert_eq!(found("b"), [("b", "1", 1), ("B", "", 3)]);
        assert_eq!(found("A"), [("a", "2", 2)]);
        assert_eq!(found("é"), [("é", "3", 4)]);
        assert_eq!(found("É"), []);
        assert_eq!(found(""), []);
        assert_eq!(pairs.len(), 4);
    }

    #[test]
    fn what_ends_a_text_is_refused_in_one() {
        let mut builder = Pairs::builder();
        assert!(builder.push("a\0", "b", 1).is_err());
        assert!(builder.push("a", "\0", 1).is_err());
    }

    #[test]
    fn keys_longer_than_a_block() {
        let key = "K".repeat(1000);
        let mut builder = Pairs::builder();
        builder.push(&key, "v", 1).unwrap();
        assert_eq!(builder.finish().find(&key.to_lowercase()).count(), 1);
    }
}
