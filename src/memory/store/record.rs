//! Keys and values of the store as octets, and back.

use super::StoreError;

/// The longest text in a record, in octets; what is longer was not written by us.
const LONGEST_TEXT: u64 = 64 * 1024;

/// A key. Keys sort by their octets.
pub trait Key: Sized {
    /// The key as octets.
    fn encode(&self) -> Vec<u8>;
    /// The key that these octets are; none if they are none of ours.
    fn decode(octets: &[u8]) -> Option<Self>;
}

impl Key for u64 {
    fn encode(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn decode(octets: &[u8]) -> Option<Self> {
        octets.try_into().ok().map(Self::from_be_bytes)
    }
}

impl Key for String {
    fn encode(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn decode(octets: &[u8]) -> Option<Self> {
        Self::from_utf8(octets.to_vec()).ok()
    }
}

/// A value. Its first octet is its version, so that a later program can read what an earlier one wrote.
pub trait Record: Sized {
    /// The version that is written.
    const VERSION: u8;

    /// Writes the value.
    fn write(&self, output: &mut Output);

    /// Reads a value of that version; none if it cannot be one.
    fn read(version: u8, input: &mut Input<'_>) -> Option<Self>;

    /// Rows that it counts as while it waits for the disk: more than one where it stands for many.
    fn rows(&self) -> usize {
        1
    }
}

/// The record as octets.
pub(super) fn encode<R: Record>(record: &R) -> Vec<u8> {
    let mut output = Output(vec![R::VERSION]);
    record.write(&mut output);
    output.0
}

/// The record that these octets are.
///
/// # Errors
///
/// When they are none of a version that this program knows.
pub(super) fn decode<R: Record>(octets: &[u8]) -> Result<R, StoreError> {
    let (version, mut input) = split(octets)?;
    let record = R::read(version, &mut input).ok_or(StoreError::Unreadable)?;
    if input.0.is_empty() { Ok(record) } else { Err(StoreError::Unreadable) }
}

/// The version of a record and what comes after it.
pub(super) fn split(octets: &[u8]) -> Result<(u8, Input<'_>), StoreError> {
    let (version, rest) = octets.split_first().ok_or(StoreError::Unreadable)?;
    Ok((*version, Input(rest)))
}

/// Where a record writes itself.
#[derive(Debug)]
pub struct Output(Vec<u8>);

impl Output {
    /// A number, short if it is small: seven bits an octet, the low ones first.
    pub fn number(&mut self, number: impl Into<u64>) {
        let mut rest = number.into();
        while rest >= 0x80 {
            self.0.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        self.0.push(rest.to_le_bytes()[0]);
    }

    /// A number that may be negative, short if it is near to 0.
    pub fn signed(&mut self, number: impl Into<i64>) {
        let number = number.into();
        self.number(((number << 1) ^ (number >> 63)).cast_unsigned());
    }

    /// A hash, for which no short form exists.
    pub fn hash(&mut self, hash: u64) {
        self.0.extend(hash.to_be_bytes());
    }

    /// Octets as they are. Nothing says where they end, so nothing can come after them.
    pub fn rest(&mut self, octets: &[u8]) {
        self.0.extend(octets);
    }

    /// A text.
    pub fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend(text.as_bytes());
    }

    /// A number where there is one.
    pub fn option(&mut self, number: Option<i64>) {
        self.number(u64::from(number.is_some()));
        if let Some(number) = number {
            self.signed(number);
        }
    }
}

/// What is left of a record that is being read.
#[derive(Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// See [`Output::rest`].
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// See [`Output::number`].
    pub fn number<N: TryFrom<u64>>(&mut self) -> Option<N> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let octet = u64::from(self.take(1)?[0]);
            number |= (octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return N::try_from(number).ok();
            }
        }
        None
    }

    /// See [`Output::signed`].
    pub fn signed<N: TryFrom<i64>>(&mut self) -> Option<N> {
        let folded: u64 = self.number()?;
        N::try_from((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed()).ok()
    }

    /// See [`Output::hash`].
    pub fn hash(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_be_bytes)
    }

    /// See [`Output::text`].
    pub fn text(&mut self) -> Option<String> {
        let length = self.number::<u64>().filter(|length| *length <= LONGEST_TEXT)?;
        String::from_utf8(self.take(usize::try_from(length).ok()?)?.to_vec()).ok()
    }

    /// See [`Output::option`].
    pub fn option(&mut self) -> Option<Option<i64>> {
        match self.number::<u8>()? {
            0 => Some(None),
            1 => self.signed().map(Some),
            _ => None,
        }
    }

    /// A list whose length, at most `most`, stands before it.
    pub fn list<T>(&mut self, most: usize, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.number::<usize>().filter(|length| *length <= most)?;
        (0..length).map(|_| item(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Sample(u64, i64, String, Option<i64>, Vec<u32>);

    impl Record for Sample {
        const VERSION: u8 = 3;

        fn write(&self, output: &mut Output) {
            output.number(self.0);
            output.signed(self.1);
            output.text(&self.2);
            output.option(self.3);
            output.number(self.4.len() as u64);
            self.4.iter().for_each(|number| output.number(*number));
            output.hash(self.0);
        }

        fn read(version: u8, input: &mut Input<'_>) -> Option<Self> {
            (version == 3).then_some(())?;
            let sample = Self(
                input.number()?,
                input.signed()?,
                input.text()?,
                input.option()?,
                input.list(9, Input::number)?,
            );
            (input.hash()? == sample.0).then_some(sample)
        }
    }

    fn sample() -> impl Strategy<Value = Sample> {
        let number = prop_oneof![any::<u64>(), 0_u64..200, Just(u64::MAX)];
        let signed = prop_oneof![any::<i64>(), -100_i64..100, Just(i64::MIN), Just(i64::MAX)];
        (
            number,
            signed.clone(),
            ".{0,20}",
            prop::option::of(signed),
            prop::collection::vec(any::<u32>(), 0..9),
        )
            .prop_map(|(a, b, c, d, e)| Sample(a, b, c, d, e))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(sample in sample()) {
            prop_assert_eq!(decode::<Sample>(&encode(&sample)).unwrap(), sample);
        }

        #[test]
        fn no_octets_break_the_reader(octets in prop::collection::vec(any::<u8>(), 0..64), sample in sample()) {
            let _ = decode::<Sample>(&octets);
            let mut cut = encode(&sample);
            cut.pop();
            prop_assert!(decode::<Sample>(&cut).is_err());
            cut.extend([0, 0]);
            prop_assert!(decode::<Sample>(&cut).ok() != Some(sample));
        }
    }
}
