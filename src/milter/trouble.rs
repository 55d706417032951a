//! Lines in the log about peers and limits: one a minute for each kind of trouble, whatever a peer does.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::traffic::Traffic;

/// The shortest time between two lines about one kind of trouble.
const INTERVAL: Duration = Duration::from_mins(1);

/// What can be the matter. Each has its own minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Trouble {
    /// The system has no connection for us: out of descriptors, out of memory.
    Accept,
    /// `allowed_peers` does not have the peer.
    Stranger,
    /// `limits.connections_per_peer` is reached.
    PeerLimit,
    /// `limits.connections` is reached.
    Limit,
    /// `limits.connections` is reached, and one that says nothing gives way.
    Displaced,
    /// The peer does not speak the milter protocol.
    Malformed,
    /// A frame or the negotiation has not come in `limits.frame_time`.
    Slow,
    /// The peer does not read our answers.
    Deaf,
    /// The peer names no client after the negotiation.
    Mute,
}

impl Trouble {
    /// All of them.
    pub(super) const ALL: [Self; 9] = [
        Self::Accept,
        Self::Stranger,
        Self::PeerLimit,
        Self::Limit,
        Self::Displaced,
        Self::Malformed,
        Self::Slow,
        Self::Deaf,
        Self::Mute,
    ];

    /// The word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Stranger => "stranger",
            Self::PeerLimit => "peer_limit",
            Self::Limit => "limit",
            Self::Displaced => "displaced",
            Self::Malformed => "malformed",
            Self::Slow => "slow",
            Self::Deaf => "deaf",
            Self::Mute => "mute",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Accept => "no connection could be accepted; trying again",
            Self::Stranger => "connection refused: allowed_peers does not have this peer",
            Self::PeerLimit => "connection refused: limits.connections_per_peer is reached",
            Self::Limit => "limits.connections is reached; further MTAs wait until one is closed",
            Self::Displaced => {
                "connection closed: limits.connections is reached, and this peer said nothing; it gives way to another"
            }
            Self::Malformed => "connection closed: the peer does not speak the milter protocol",
            Self::Slow => "connection closed: the peer sent no whole frame within limits.frame_time",
            Self::Deaf => "connection closed: the peer read no answer within limits.frame_time",
            Self::Mute => "connection closed: the peer negotiated and then named no client",
        }
    }
}

/// The troubles of late. All of them are counted.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    recent: Mutex<HashMap<Trouble, Recent>>,
    traffic: Arc<Traffic>,
}

#[derive(Clone, Copy, Debug)]
struct Recent {
    logged: Instant,
    withheld: u64,
}

impl Troubles {
    pub(super) fn new(traffic: Arc<Traffic>) -> Self {
        Self { recent: Mutex::default(), traffic }
    }

    /// Logs a trouble, unless one of its kind was logged within a minute.
    pub(super) fn report(&self, trouble: Trouble, place: impl Display, detail: impl Display) {
        self.traffic.note(trouble);
        if let Some(withheld) = self.admit(trouble, Instant::now()) {
            tracing::warn!(%place, %detail, withheld, "{}", trouble.message());
        }
    }

    /// How many were withheld since the last line, if it is time for the next one.
    fn admit(&self, trouble: Trouble, now: Instant) -> Option<u64> {
        let mut troubles = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(recent) = troubles.get_mut(&trouble) else {
            troubles.insert(trouble, Recent { logged: now, withheld: 0 });
            return Some(0);
        };
        if now.saturating_duration_since(recent.logged) < INTERVAL {
            recent.withheld += 1;
            return None;
        }
        let withheld = recent.withheld;
        *recent = Recent { logged: now, withheld: 0 };
        Some(withheld)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_one_line_a_minute() {
        let troubles = Troubles::default();
        let start = Instant::now();
        assert_eq!(troubles.admit(Trouble::Accept, start), Some(0));
        for second in 1..60 {
            assert_eq!(troubles.admit(Trouble::Accept, start + Duration::from_secs(second)), None);
        }
        assert_eq!(troubles.admit(Trouble::Slow, start + Duration::from_secs(30)), Some(0));
        assert_eq!(troubles.admit(Trouble::Accept, start + INTERVAL), Some(59));
        assert_eq!(troubles.admit(Trouble::Accept, start + 2 * INTERVAL), Some(0));
    }
}
