//! A moment in one word: a tracker keeps several for each of a hundred thousand names and networks, and compares them
//! whenever it takes note of one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Nanoseconds since 1970. Moments before 1678 and after 2262 are as the first and the last of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

impl Moment {
    /// The moment so much later.
    pub(super) fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// The moment so much earlier.
    pub(super) fn before(self, by: SignedDuration) -> Self {
        Self(self.0.saturating_sub(within(by.as_nanos())))
    }

    /// How much later it is; less than nothing where it is earlier.
    pub(super) fn since(self, earlier: Self) -> SignedDuration {
        SignedDuration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(within(at.as_nanosecond()))
    }
}

impl From<Moment> for Timestamp {
    fn from(Moment(at): Moment) -> Self {
        Self::from_nanosecond(at.into()).unwrap_or(if at < 0 { Self::MIN } else { Self::MAX })
    }
}

fn within(nanoseconds: i128) -> i64 {
    i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_time_it_was_made_of() {
        for at in ["1969-12-31T23:59:59.5Z", "1970-01-01T00:00:00Z", "2026-11-24T12:00:00.123456789Z"] {
            let at: Timestamp = at.parse().unwrap();
            assert_eq!(Timestamp::from(Moment::from(at)), at);
        }
    }

    #[test]
    fn no_moment_is_out_of_reach() {
        let (first, last) = (Moment::from(Timestamp::MIN), Moment::from(Timestamp::MAX));
        assert!(first < Moment::default() && Moment::default() < last);
        assert_eq!((last.after(Duration::MAX), first.before(SignedDuration::MAX)), (last, first));
        assert_eq!(Moment::default().before(SignedDuration::MIN), last);
        assert_eq!(last.since(first), SignedDuration::from_nanos(i64::MAX));
    }
}
