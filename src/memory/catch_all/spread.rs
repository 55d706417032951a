//! How many different names a sender, a network or an organisation tries in a day.

use std::collections::HashMap;

use crate::memory::Day;

/// Senders, networks and organisations that are watched, at most. Beyond that, new ones are not, and pass for harmless.
const MOST_WATCHED: usize = 500_000;

/// Names kept of one of them on one day: those with the lowest hashes, which are a fair sample in whatever order they
/// come.
const SAMPLE: usize = 64;

/// Who tried which names on which day.
#[derive(Debug, Default)]
pub(super) struct Spreads(HashMap<u64, Vec<(Day, Sample)>>);

/// A sample of the names, in ascending order.
#[derive(Debug, Default)]
pub(super) struct Sample(Vec<u64>);

impl Sample {
    fn add(&mut self, name: u64) {
        if let Err(at) = self.0.binary_search(&name)
            && at < SAMPLE
        {
            self.0.truncate(SAMPLE - 1);
            self.0.insert(at, name);
        }
    }

    /// How many names there are: exactly, or where they are more than the sample holds, as far as their hashes tell.
    pub(super) fn names(&self) -> u64 {
        match self.0.last() {
            // The hashes are spread evenly, so the distance between them tells how many there are.
            Some(highest) if self.0.len() == SAMPLE => {
                (u64::MAX / (highest / SAMPLE as u64).max(1)).max(SAMPLE as u64)
            }
            _ => self.0.len() as u64,
        }
    }

    /// The names of the sample.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = u64> {
        self.0.iter().copied()
    }
}

impl Spreads {
    /// Notes that somebody tried a name. `who` and `name` are keyed hashes.
    pub(super) fn note(&mut self, who: u64, day: Day, name: u64) {
        if who == 0 || (self.0.len() >= MOST_WATCHED && !self.0.contains_key(&who)) {
            return;
        }
        let days = self.0.entry(who).or_default();
        let at = days.iter().rposition(|(known, _)| *known == day).unwrap_or_else(|| {
            days.push((day, Sample::default()));
            days.len() - 1
        });
        days[at].1.add(name);
    }

    /// What somebody tried on one day.
    pub(super) fn on(&self, who: u64, day: Day) -> Option<&Sample> {
        self.0.get(&who)?.iter().find(|(known, _)| *known == day).map(|(_, sample)| sample)
    }

    /// Forgets what is earlier.
    pub(super) fn forget_before(&mut self, day: Day) {
        self.0.retain(|_, days| {
            days.retain(|(known, _)| *known >= day);
            !days.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::memory::store::Secret;

    fn names(number: u64) -> Vec<u64> {
        let secret = Secret::new([7; 16]);
        (0..number).map(|n| secret.hash("name", n)).collect()
    }

    #[test]
    fn names_are_counted_exactly_and_then_nearly() {
        for number in [0, 1, 10, 63, 64, 100, 1_000, 100_000] {
            let mut sample = Sample::default();
            for name in names(number) {
                sample.add(name);
            }
            let (found, exact) = (sample.names(), number < 64);
            let near = found >= number * 6 / 10 && found <= number * 15 / 10;
            assert!(if exact { found == number } else { near }, "{number}: {found}");
            assert!(sample.iter().len() <= SAMPLE);
        }
    }

    proptest! {
        #[test]
        fn the_order_makes_no_difference(
            mut tried in prop::collection::vec(0..200_u64, 0..300),
            seed in any::<u64>(),
        ) {
            let pool = names(200);
            let sample = |tried: &[u64]| {
                let mut sample = Sample::default();
                for n in tried {
                    sample.add(pool[usize::try_from(*n).unwrap()]);
                }
                sample.iter().collect::<Vec<_>>()
            };
            let before = sample(&tried);
            fastrand::Rng::with_seed(seed).shuffle(&mut tried);
            prop_assert_eq!(before, sample(&tried));
        }
    }
}
