//! Who holds a place, and who leaves first.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a connection may be silent and still keep its place from a new one. An SMTP server waits this long for the
/// next command of its client (RFC 5321, 4.5.3.2.7).
pub(super) const LONG_SILENCE: Duration = Duration::from_mins(5);

/// How long a new connection keeps its place whatever it says: MTAs that come in a crowd are not faster than we are.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The negotiation is not over.
    Negotiating,
    /// No client has been named since.
    Negotiated,
    /// It waits for the MTA.
    Silent,
    /// It is at work.
    Busy,
    /// It has been told to leave.
    Leaving,
}

/// The holder of a place.
#[derive(Debug)]
pub(super) struct Occupant {
    came: Instant,
    /// The stage, and since when.
    state: Mutex<(Stage, Instant)>,
    leave: Notify,
}

impl Occupant {
    fn state(&self) -> MutexGuard<'_, (Stage, Instant)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of how far it is.
    pub(super) fn note(&self, stage: Stage) {
        let mut known = self.state();
        if known.0 != Stage::Leaving {
            *known = (stage, Instant::now());
        }
    }

    /// Tells it to leave.
    pub(super) fn leave(&self) {
        self.note(Stage::Leaving);
        self.leave.notify_one();
    }

    /// Waits until it is told to leave.
    pub(super) async fn left(&self) {
        self.leave.notified().await;
    }

    /// Its place among those that could leave, the first of whom goes; none where it stays.
    fn rank(&self, now: Instant) -> Option<(u8, Instant)> {
        let (stage, since) = *self.state();
        match stage {
            _ if now.saturating_duration_since(self.came) < GRACE => None,
            Stage::Negotiating => Some((0, since)),
            Stage::Negotiated => Some((1, since)),
            Stage::Silent if now.saturating_duration_since(since) >= LONG_SILENCE => Some((2, since)),
            Stage::Silent | Stage::Busy | Stage::Leaving => None,
        }
    }
}

/// Everybody who holds a place.
#[derive(Debug, Default)]
pub(super) struct Occupants {
    next: AtomicU64,
    all: Mutex<BTreeMap<u64, Arc<Occupant>>>,
}

impl Occupants {
    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Occupant>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new one, with its number.
    pub(super) fn enter(&self) -> (u64, Arc<Occupant>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let came = Instant::now();
        let state = Mutex::new((Stage::Negotiating, came));
        let occupant = Arc::new(Occupant { came, state, leave: Notify::new() });
        self.all().insert(number, Arc::clone(&occupant));
        (number, occupant)
    }

    /// The one with this number is gone.
    pub(super) fn exit(&self, number: u64) {
        self.all().remove(&number);
    }

    /// The one that gives way to the next, if anybody does. Among those of one moment it is the one that came first.
    pub(super) fn first_to_leave(&self) -> Option<Arc<Occupant>> {
        let now = Instant::now();
        let all = self.all();
        let ranked = all.values().filter_map(|occupant| Some((occupant.rank(now)?, occupant)));
        ranked.min_by_key(|(rank, _)| *rank).map(|(_, occupant)| Arc::clone(occupant))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn those_that_say_least_leave_first() {
        use Stage::*;
        let occupants = Occupants::default();
        let mut entered = Vec::new();
        // The stage of each, and how many seconds ago that began.
        for (stage, before) in [
            (Busy, 900),
            (Silent, 299),
            (Silent, 301),
            (Silent, 800),
            (Negotiated, 1),
            (Negotiating, 3),
            (Negotiating, 2),
            (Negotiated, 4),
        ] {
            let (_, occupant) = occupants.enter();
            occupant.note(stage);
            entered.push((occupant, before));
        }
        advance(Duration::from_mins(15)).await;
        for (occupant, before) in &entered {
            occupant.state().1 = Instant::now() - Duration::from_secs(*before);
        }
        // This one has just come.
        occupants.enter();
        let mut order = Vec::new();
        while let Some(first) = occupants.first_to_leave() {
            order.extend(entered.iter().position(|(occupant, _)| Arc::ptr_eq(occupant, &first)));
            first.leave();
            first.left().await;
            // What it still does changes nothing.
            first.note(Negotiating);
        }
        assert_eq!(order, [5, 6, 7, 4, 3, 2]);
    }
}
