//! Days, in UTC, and sets of them.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::memory::store::{Input, Output};

/// Seconds of a day.
const SECONDS: i64 = 24 * 60 * 60;

/// A day in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// Before all others.
    pub const MIN: Self = Self(i32::MIN);

    /// The day of a moment.
    pub fn of(at: Timestamp) -> Self {
        // jiff's years have four digits.
        Self(i32::try_from(at.as_second().div_euclid(SECONDS)).unwrap_or(i32::MAX))
    }

    /// Its number, counted from 1970-01-01.
    pub(in crate::memory) fn number(self) -> i32 {
        self.0
    }

    pub(in crate::memory) fn of_number(number: i32) -> Self {
        Self(number)
    }

    /// The day that many days earlier.
    #[must_use]
    pub fn back(self, days: u32) -> Self {
        Self(self.0.saturating_sub_unsigned(days))
    }

    /// The day in the calendar; the first one there is where the number is none of the calendar's.
    pub fn date(self) -> Date {
        let midnight = Timestamp::from_second(i64::from(self.0) * SECONDS).unwrap_or(Timestamp::MIN);
        TimeZone::UTC.to_datetime(midnight).date()
    }
}

/// A set of days, of which only those are kept that are less than [`Days::SPAN`] before the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    last: Day,
    /// Bit n stands for n days before the last.
    bits: u64,
}

impl Days {
    /// How many days can be told apart.
    pub const SPAN: u32 = u64::BITS;

    /// The set of one day.
    pub fn only(day: Day) -> Self {
        Self { last: day, bits: 1 }
    }

    /// Adds a day, in whatever order.
    pub fn add(&mut self, day: Day) {
        let distance = i64::from(day.0) - i64::from(self.last.0);
        let shift = |days: i64| u32::try_from(days).unwrap_or(u32::MAX);
        if distance > 0 {
            self.bits = self.bits.checked_shl(shift(distance)).unwrap_or(0) | 1;
            self.last = day;
        } else {
            self.bits |= 1_u64.checked_shl(shift(-distance)).unwrap_or(0);
        }
    }

    /// The last day.
    pub fn last(&self) -> Day {
        self.last
    }

    /// Whether a day is one of them.
    pub(in crate::memory) fn has(&self, day: Day) -> bool {
        let back = i64::from(self.last.0) - i64::from(day.0);
        u32::try_from(back).is_ok_and(|back| self.bits.checked_shr(back).unwrap_or(0) & 1 != 0)
    }

    /// Forgets the days before one that is not after the last.
    pub(super) fn forget_before(&mut self, oldest: Day) {
        let kept = i64::from(self.last.0) - i64::from(oldest.0) + 1;
        if let Ok(kept @ 0..Self::SPAN) = u32::try_from(kept) {
            self.bits &= (1 << kept) - 1;
        }
    }

    /// The days, the last one first.
    pub fn iter(&self) -> impl Iterator<Item = Day> + use<> {
        let Self { last, bits } = *self;
        (0..Self::SPAN).filter(move |back| bits & (1 << back) != 0).map(move |back| last.back(back))
    }

    pub(in crate::memory) fn write(self, output: &mut Output) {
        output.signed(self.last.0);
        output.number(self.bits);
    }

    pub(in crate::memory) fn read(input: &mut Input<'_>) -> Option<Self> {
        Some(Self { last: Day(input.signed()?), bits: input.number()? })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_of_the_calendar() {
        let day = |text: &str| Day::of(text.parse().unwrap());
        assert_eq!(day("2026-11-24T23:59:59Z").date().to_string(), "2026-11-24");
        assert_eq!(day("2026-11-24T00:00:00Z").back(24).date().to_string(), "2026-10-31");
        assert_eq!(day("1969-12-31T23:59:59Z").number(), -1);
    }

    proptest! {
        #[test]
        fn a_set_holds_the_latest_days_in_whatever_order(days in prop::collection::vec(0..200_i32, 1..40)) {
            let mut set = Days::only(Day(days[0]));
            days[1..].iter().for_each(|day| set.add(Day(*day)));
            let last = *days.iter().max().unwrap();
            let expected: BTreeSet<i32> = days.iter().copied().filter(|day| last - day < 64).collect();
            prop_assert_eq!(set.iter().map(|day| day.0).collect::<BTreeSet<_>>(), expected);
        }
    }
}
