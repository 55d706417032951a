//! How long things take: a histogram of atomics, so that whoever adds to it waits for nobody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of all ranges but the last, which has none. Each includes its bound.
pub const BOUNDS: [Duration; 15] = {
    let milliseconds = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 4000, 8000, 16_000, 32_000];
    let mut bounds = [Duration::ZERO; 15];
    let mut at = 0;
    while at < bounds.len() {
        bounds[at] = Duration::from_millis(milliseconds[at]);
        at += 1;
    }
    bounds
};

/// Durations that were noted, by their range.
#[derive(Debug, Default)]
pub struct Durations {
    ranges: [AtomicU64; BOUNDS.len() + 1],
    /// All of them together, in microseconds.
    sum: AtomicU64,
}

/// What [`Durations`] hold at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many are in each range.
    pub ranges: [u64; BOUNDS.len() + 1],
    /// All of them together.
    pub sum: Duration,
}

impl Durations {
    /// Takes note of one.
    pub fn note(&self, took: Duration) {
        let range = BOUNDS.partition_point(|bound| *bound < took);
        self.ranges[range].fetch_add(1, Ordering::Relaxed);
        let micros = took.as_micros().try_into().unwrap_or(u64::MAX);
        self.sum.fetch_add(micros, Ordering::Relaxed);
    }

    /// What there is so far.
    pub fn read(&self) -> Histogram {
        let ranges = self.ranges.each_ref().map(|count| count.load(Ordering::Relaxed));
        Histogram { ranges, sum: Duration::from_micros(self.sum.load(Ordering::Relaxed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_range_below_it() {
        let durations = Durations::default();
        for micros in [0, 1000, 1001, 8_000_000, 32_000_000, 32_000_001] {
            durations.note(Duration::from_micros(micros));
        }
        let Histogram { ranges, sum } = durations.read();
        assert_eq!(ranges, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1]);
        assert_eq!(sum, Duration::from_micros(72_002_002));
    }
}
