//! Complaints that repeat: the first is written, the others are counted and summed up, as syslog does.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use tracing::Level;

/// How long a complaint is no news.
const WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// Complaints that are remembered at a time; further ones are written as they come.
const MOST: usize = 256;

/// A message of the daemon's own, without its time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Complaint {
    pub(super) level: Level,
    pub(super) fields: Vec<(&'static str, String)>,
}

/// The complaints of late.
#[derive(Debug, Default)]
pub(super) struct Repeats(HashMap<Complaint, Window>);

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Timestamp,
    repeated: u64,
}

impl Window {
    /// Whether it is over; so is one of the future, which a clock that was put back has made.
    fn is_over(&self, now: Timestamp) -> bool {
        !(SignedDuration::ZERO..WINDOW).contains(&now.duration_since(self.began))
    }
}

impl Repeats {
    /// Whether a message must be written now. What is not a complaint always must.
    pub(super) fn is_news(&mut self, message: &Complaint, now: Timestamp) -> bool {
        if message.level > Level::WARN {
            return true;
        }
        if let Some(window) = self.0.get_mut(message) {
            // One that is over is summed up a moment later, this one included.
            window.repeated += 1;
            return false;
        }
        if self.0.len() < MOST {
            self.0.insert(message.clone(), Window { began: now, repeated: 0 });
        }
        true
    }

    /// What is to be summed up now, with the number of repetitions. It is news again afterwards.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<(Complaint, u64)> {
        self.take(|window| window.is_over(now))
    }

    /// Everything that is still to be summed up.
    pub(super) fn settle(&mut self) -> Vec<(Complaint, u64)> {
        self.take(|_| true)
    }

    fn take(&mut self, over: impl Fn(&Window) -> bool) -> Vec<(Complaint, u64)> {
        let mut taken: Vec<_> = self.0.extract_if(|_, window| over(window)).collect();
        taken.sort_by_key(|(_, window)| window.began);
        let repeated = taken.into_iter().filter(|(_, window)| window.repeated > 0);
        repeated.map(|(complaint, window)| (complaint, window.repeated)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> Complaint {
        Complaint { level: Level::WARN, fields: vec![("message", text.to_owned())] }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    #[test]
    fn a_complaint_is_written_once_and_summed_up() {
        let mut repeats = Repeats::default();
        assert!(repeats.is_news(&complaint("the disk is full"), at(0)));
        for second in 1..60 {
            assert!(!repeats.is_news(&complaint("the disk is full"), at(second)));
            assert_eq!(repeats.due(at(second)), []);
        }
        assert!(repeats.is_news(&complaint("the disk is broken"), at(59)), "another text");
        assert_eq!(repeats.due(at(60)), [(complaint("the disk is full"), 59)]);
        assert!(repeats.is_news(&complaint("the disk is full"), at(61)), "news again");
        assert_eq!(repeats.due(at(300)), [], "neither was repeated");
    }

    #[test]
    fn what_is_no_complaint_is_always_written() {
        let mut repeats = Repeats::default();
        let ready = Complaint { level: Level::INFO, ..complaint("ready") };
        assert!(repeats.is_news(&ready, at(0)) && repeats.is_news(&ready, at(1)));
    }

    #[test]
    fn settled_is_forgotten() {
        let mut repeats = Repeats::default();
        for second in 0..3 {
            repeats.is_news(&complaint("no file"), at(second));
        }
        assert_eq!(repeats.settle(), [(complaint("no file"), 2)]);
        assert!(repeats.is_news(&complaint("no file"), at(3)));
    }

    #[test]
    fn a_clock_that_is_put_back_hides_nothing() {
        let mut repeats = Repeats::default();
        repeats.is_news(&complaint("no file"), at(1000));
        repeats.is_news(&complaint("no file"), at(0));
        assert_eq!(repeats.due(at(0)), [(complaint("no file"), 1)]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut repeats = Repeats::default();
        for number in 0..10 * MOST {
            assert!(repeats.is_news(&complaint(&number.to_string()), at(0)));
        }
        assert_eq!(repeats.0.len(), MOST);
    }
}
