//! What look-ups come to and how long they take, counted by those who make them and read by whoever wants to know.
//!
//! A [`Tally`] counts for all sources of one kind. It outlives the sources, which a reload replaces. A [`Meter`] belongs to
//! one source and also knows whether that one answers. Nothing here is named by what a stranger says.

mod durations;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

pub use durations::{BOUNDS, Durations, Histogram};

use super::dns;

/// What a look-up came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is something.
    Found,
    /// There is nothing, for certain.
    None,
    /// Nobody can tell at the moment.
    Failed,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 3] = [Self::Found, Self::None, Self::Failed];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::None => "none",
            Self::Failed => "failed",
        }
    }
}

/// What is looked up, and where: `("recipient", "ldap")`.
pub type Kind = (&'static str, &'static str);

/// The look-ups of all kinds.
#[derive(Debug, Default)]
pub struct Counts {
    tallies: Mutex<BTreeMap<Kind, Arc<Tally>>>,
    /// Those of DNS.
    pub dns: Arc<dns::Counters>,
}

impl Counts {
    /// The meter of one more source of a kind.
    pub fn meter(&self, kind: Kind) -> Meter {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        Meter { tally: Arc::clone(tallies.entry(kind).or_default()), silence: Mutex::default() }
    }

    /// What was counted, by kind.
    pub fn tallies(&self) -> Vec<(Kind, Arc<Tally>)> {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.iter().map(|(kind, tally)| (*kind, Arc::clone(tally))).collect()
    }
}

/// The look-ups of one kind.
#[derive(Debug, Default)]
pub struct Tally {
    outcomes: [AtomicU64; 3],
    took: Durations,
}

impl Tally {
    /// Takes note of one.
    pub fn note(&self, outcome: Outcome, took: Duration) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
        self.took.note(took);
    }

    /// How many came to this.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize].load(Ordering::Relaxed)
    }

    /// How long they took.
    pub fn took(&self) -> Histogram {
        self.took.read()
    }
}

/// Counts the look-ups in one source.
#[derive(Debug, Default)]
pub struct Meter {
    tally: Arc<Tally>,
    silence: Mutex<Option<Silence>>,
}

/// Failures without an answer since.
#[derive(Clone, Copy, Debug)]
struct Silence {
    first: Instant,
    last: Instant,
}

impl Meter {
    /// Waits for an answer, which `outcome` classifies. Who stops waiting before `deadline` has lost interest, which says
    /// nothing about the source; after it, there was no answer.
    pub async fn watch<T>(
        &self,
        deadline: Instant,
        answer: impl Future<Output = T>,
        outcome: impl FnOnce(&T) -> Outcome,
    ) -> T {
        let mut open = Open { meter: self, begun: Instant::now(), deadline, outcome: None };
        let answer = answer.await;
        open.outcome = Some(outcome(&answer));
        answer
    }

    fn note(&self, outcome: Outcome, begun: Instant) {
        let now = Instant::now();
        self.tally.note(outcome, now.saturating_duration_since(begun));
        let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        *silence = match outcome {
            Outcome::Found | Outcome::None => None,
            Outcome::Failed => {
                Some(Silence { first: silence.map_or(now, |silence| silence.first), last: now })
            }
        };
    }

    /// For how long the source has not answered: since the first failure after its last answer. None if it was not even
    /// asked within `recent`, as nobody knows then.
    pub fn silent_for(&self, recent: Duration) -> Option<Duration> {
        let silence = *self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        silence.filter(|silence| silence.last.elapsed() < recent).map(|silence| silence.first.elapsed())
    }
}

/// A look-up under way.
struct Open<'a> {
    meter: &'a Meter,
    begun: Instant,
    deadline: Instant,
    outcome: Option<Outcome>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let gave_up = || Instant::now() >= self.deadline || std::thread::panicking();
        if let Some(outcome) = self.outcome.or_else(|| gave_up().then_some(Outcome::Failed)) {
            self.meter.note(outcome, self.begun);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::{advance, timeout_at};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const RECENT: Duration = Duration::from_mins(1);

    async fn answer(meter: &Meter, outcome: Outcome) {
        meter.watch(Instant::now() + SECOND, async {}, |()| outcome).await;
    }

    fn counted(meter: &Meter) -> [u64; 3] {
        Outcome::ALL.map(|outcome| meter.tally.count(outcome))
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_is_silent_from_its_first_failure_to_its_next_answer() {
        let meter = Meter::default();
        assert_eq!(meter.silent_for(RECENT), None);
        answer(&meter, Outcome::Failed).await;
        advance(SECOND).await;
        answer(&meter, Outcome::Failed).await;
        advance(SECOND).await;
        assert_eq!(meter.silent_for(RECENT), Some(2 * SECOND));
        answer(&meter, Outcome::None).await;
        assert_eq!(meter.silent_for(RECENT), None);
        answer(&meter, Outcome::Failed).await;
        advance(RECENT).await;
        assert_eq!(meter.silent_for(RECENT), None, "nobody has asked since");
        assert_eq!(counted(&meter), [0, 1, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_waits_to_the_end_can_say_that_there_is_no_answer() {
        let meter = Meter::default();
        for (patience, failures) in [(SECOND / 2, 0), (SECOND, 1)] {
            let begun = Instant::now();
            let looking = meter.watch(begun + SECOND, pending::<()>(), |()| Outcome::Found);
            assert!(timeout_at(begun + patience, looking).await.is_err());
            assert_eq!(counted(&meter), [0, 0, failures]);
        }
        assert_eq!(meter.tally.took().sum, SECOND);
    }

    #[test]
    fn sources_of_a_kind_are_counted_together() {
        let counts = Counts::default();
        let meters =
            [("recipient", "ldap"), ("recipient", "ldap"), ("grant", "ldap")].map(|kind| counts.meter(kind));
        for meter in &meters {
            meter.tally.note(Outcome::Found, SECOND);
        }
        let counted = counts.tallies().into_iter().map(|(kind, tally)| (kind, tally.count(Outcome::Found)));
        assert_eq!(counted.collect::<Vec<_>>(), [(("grant", "ldap"), 1), (("recipient", "ldap"), 2)]);
    }
}
