//! From when on: a time ago, or a point in time.

use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// The value of `--since`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Since {
    /// So long ago.
    Ago(Span),
    /// Then.
    At(Timestamp),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(time) = text.parse() {
            return Ok(Self::At(time));
        }
        let midnight =
            text.parse::<Date>().and_then(|date| TimeZone::UTC.to_timestamp(date.to_datetime(Time::MIN)));
        if let Ok(midnight) = midnight {
            return Ok(Self::At(midnight));
        }
        let span = text.parse::<Span>().map_err(
            |_| "a time ago is ‘24h’, ‘7d’ or ‘2w’; a point in time ‘2026-11-24’ or ‘2026-11-24T08:00:00Z’",
        )?;
        // ‘7d’ and ‘7d ago’ both look back.
        Ok(Self::Ago(span.abs()))
    }
}

impl Since {
    /// The point in time, as seen from `now`; the beginning of time if it is before that. A day has 24 hours.
    pub(super) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(span) => {
                let then = TimeZone::UTC.to_datetime(now).checked_sub(span);
                then.and_then(|then| TimeZone::UTC.to_timestamp(then)).unwrap_or(Timestamp::MIN)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        let found = text.parse::<Since>().map(|since| since.before(now).to_string());
        assert_eq!(found.as_deref().unwrap_or("no time"), expected, "{text}");
    }

    #[test]
    fn times() {
        check("24h", "2026-11-23T12:00:00Z");
        check("7d", "2026-11-17T12:00:00Z");
        check("1d 30m", "2026-11-23T11:30:00Z");
        check("2 weeks ago", "2026-11-10T12:00:00Z");
        check("19000y", &Timestamp::MIN.to_string());
        check("2026-11-20", "2026-11-20T00:00:00Z");
        check("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z");
        check("2026-11-20T08:00:00+02:00", "2026-11-20T06:00:00Z");
        check("24", "no time");
        check("yesterday", "no time");
        check("", "no time");
    }
}
