//! How many connections there may be: over all listeners, and from one peer.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::traffic::Traffic;
use super::trouble::{Trouble, Troubles};

/// The limits of the milter shell (`limits` in the configuration).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time over all listeners, at least one. Further ones wait in the system's queue.
    pub connections: usize,
    /// Connections at a time from one address; 0 means no limit. Further ones are closed. Unix sockets are exempt, as
    /// they have one peer.
    pub connections_per_peer: usize,
    /// The longest silence between two frames.
    pub idle_time: Duration,
    /// The longest time for one frame in either direction, and from the connection to the end of the negotiation.
    pub frame_time: Duration,
    /// How long the open connections may go on when we shut down.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1000,
            connections_per_peer: 0,
            idle_time: Duration::from_hours(1),
            frame_time: Duration::from_secs(30),
            drain_time: Duration::from_secs(20),
        }
    }
}

impl Limits {
    fn places(&self) -> u32 {
        u32::try_from(self.connections).unwrap_or(u32::MAX).max(1)
    }
}

/// The other end of a connection, for the log and for the limit per peer.
#[derive(Clone, Debug)]
pub(super) enum Peer {
    Inet(IpAddr),
    Unix,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

/// Every connection passes here, whichever listener it comes to.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) limits: Limits,
    pub(super) troubles: Troubles,
    traffic: Arc<Traffic>,
    places: Arc<Semaphore>,
    peers: Mutex<HashMap<IpAddr, usize>>,
}

impl Gate {
    pub(super) fn new(limits: Limits, traffic: Arc<Traffic>) -> Arc<Self> {
        let places = usize::try_from(limits.places()).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            limits,
            troubles: Troubles::new(Arc::clone(&traffic)),
            traffic,
            places: Arc::new(Semaphore::new(places)),
            peers: Mutex::default(),
        })
    }

    /// A free place, as soon as there is one.
    pub(super) async fn place(&self) -> OwnedSemaphorePermit {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return place;
        }
        self.troubles.report(Trouble::Limit, "all listeners", self.limits.connections);
        let place = Arc::clone(&self.places).acquire_owned().await;
        place.expect("the semaphore is never closed")
    }

    /// Gives a place to a peer, unless it has its share of places already.
    pub(super) fn seat(self: &Arc<Self>, place: OwnedSemaphorePermit, peer: Peer) -> Option<Seat> {
        if let Peer::Inet(address) = peer {
            let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
            let open = peers.entry(address).or_default();
            if self.limits.connections_per_peer != 0 && *open >= self.limits.connections_per_peer {
                return None;
            }
            *open += 1;
        }
        self.traffic.note_opened();
        Some(Seat { gate: Arc::clone(self), peer, _place: place })
    }

    /// Waits until no connection is open. Nobody gets a place from then on.
    pub(super) async fn empty(&self) {
        let all = self.places.acquire_many(self.limits.places()).await;
        all.expect("the semaphore is never closed").forget();
    }

    /// How many connections are open.
    pub(super) fn open(&self) -> usize {
        usize::try_from(self.limits.places()).unwrap_or(usize::MAX) - self.places.available_permits()
    }
}

/// The place of one connection, free again when the connection is gone.
#[derive(Debug)]
pub(super) struct Seat {
    gate: Arc<Gate>,
    peer: Peer,
    _place: OwnedSemaphorePermit,
}

impl Seat {
    pub(super) fn limits(&self) -> &Limits {
        &self.gate.limits
    }

    /// Logs a trouble with this peer.
    pub(super) fn report(&self, trouble: Trouble, detail: impl fmt::Display) {
        self.gate.troubles.report(trouble, &self.peer, detail);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.gate.traffic.note_closed();
        if let Peer::Inet(address) = self.peer {
            let mut peers = self.gate.peers.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(open) = peers.get_mut(&address) {
                *open -= 1;
                if *open == 0 {
                    peers.remove(&address);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Peer = Peer::Inet(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_again_when_its_connection_is_gone() {
        let gate = Gate::new(
            Limits { connections: 2, connections_per_peer: 1, ..Limits::default() },
            Arc::default(),
        );
        let first = gate.seat(gate.place().await, PEER).unwrap();
        assert!(gate.seat(gate.place().await, PEER).is_none(), "one for each peer");
        let second = gate.seat(gate.place().await, Peer::Unix).unwrap();
        assert_eq!(gate.open(), 2);

        let minute = Duration::from_mins(1);
        assert!(tokio::time::timeout(minute, gate.place()).await.is_err(), "two over all");
        drop(first);
        let third = gate.seat(gate.place().await, PEER).unwrap();

        assert!(tokio::time::timeout(minute, gate.empty()).await.is_err(), "two are open");
        drop((second, third));
        gate.empty().await;
        assert!(gate.peers.lock().unwrap().is_empty());
    }
}
