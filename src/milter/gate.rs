//! How many connections there may be: over all listeners, and from one peer; and who gives way to a new one when all
//! places are taken.
//!
//! An MTA names its client as soon as it has connected. So a connection that has not is the first to go, the oldest
//! before the others, once it has had a second: whoever holds places by saying nothing keeps none from those that speak. Then goes one that has
//! been silent for longer than an SMTP client may be. All others stay, and new ones wait.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::occupants::{Occupant, Occupants, Stage};
use super::traffic::Traffic;
use super::trouble::{Trouble, Troubles};

/// The limits of the milter shell (`limits` in the configuration).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time over all listeners, at least one. A further one takes the place of one that says nothing, or
    /// else waits in the system's queue.
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
    occupants: Occupants,
    peers: Mutex<HashMap<IpAddr, usize>>,
}

/// How long a full house is left alone before it is looked at again: silence comes by time alone.
const REST: Duration = Duration::from_millis(250);

impl Gate {
    pub(super) fn new(limits: Limits, traffic: Arc<Traffic>) -> Arc<Self> {
        let places = usize::try_from(limits.places()).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            limits,
            troubles: Troubles::new(Arc::clone(&traffic)),
            traffic,
            places: Arc::new(Semaphore::new(places)),
            occupants: Occupants::default(),
            peers: Mutex::default(),
        })
    }

    /// Waits until there is room for one more: a free place, or none where somebody gives way to it.
    pub(super) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        let mut is_said = false;
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return Some(place);
            }
            if self.occupants.first_to_leave().is_some() {
                return None;
            }
            self.full(&mut is_said);
            if let Some(place) = self.freed().await {
                return Some(place);
            }
        }
    }

    /// A place for a connection that is there already. Where none is free, somebody gives way.
    pub(super) async fn place(&self) -> OwnedSemaphorePermit {
        let mut is_said = false;
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return place;
            }
            if let Some(occupant) = self.occupants.first_to_leave() {
                self.troubles.report(Trouble::Displaced, "all listeners", self.limits.connections);
                occupant.leave();
            } else {
                self.full(&mut is_said);
            }
            if let Some(place) = self.freed().await {
                return place;
            }
        }
    }

    /// Says, once, that a new connection has to wait.
    fn full(&self, is_said: &mut bool) {
        if !std::mem::replace(is_said, true) {
            self.troubles.report(Trouble::Limit, "all listeners", self.limits.connections);
        }
    }

    /// The place that somebody leaves within a moment.
    async fn freed(&self) -> Option<OwnedSemaphorePermit> {
        let place = timeout(REST, Arc::clone(&self.places).acquire_owned()).await.ok()?;
        Some(place.expect("the semaphore is never closed"))
    }

    /// Whether a peer has less than its share of places.
    pub(super) fn admits(&self, peer: &Peer) -> bool {
        let most = self.limits.connections_per_peer;
        match peer {
            Peer::Inet(address) if most != 0 => self.peers().get(address).is_none_or(|open| *open < most),
            Peer::Inet(_) | Peer::Unix => true,
        }
    }

    /// Gives a place to a peer.
    pub(super) fn seat(self: &Arc<Self>, place: OwnedSemaphorePermit, peer: Peer) -> Seat {
        if let Peer::Inet(address) = peer {
            *self.peers().entry(address).or_default() += 1;
        }
        self.traffic.note_opened();
        let (number, occupant) = self.occupants.enter();
        Seat { gate: Arc::clone(self), peer, number, occupant, _place: place }
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
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
    number: u64,
    occupant: Arc<Occupant>,
    _place: OwnedSemaphorePermit,
}

impl Seat {
    pub(super) fn limits(&self) -> &Limits {
        &self.gate.limits
    }

    /// Takes note of how far the connection is.
    pub(super) fn note(&self, stage: Stage) {
        self.occupant.note(stage);
    }

    /// Waits until the connection has to give way.
    pub(super) fn displaced(&self) -> impl Future<Output = ()> + Send + 'static {
        let occupant = Arc::clone(&self.occupant);
        async move { occupant.left().await }
    }

    /// Logs a trouble with this peer.
    pub(super) fn report(&self, trouble: Trouble, detail: impl fmt::Display) {
        self.gate.troubles.report(trouble, &self.peer, detail);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.gate.traffic.note_closed();
        self.gate.occupants.exit(self.number);
        if let Peer::Inet(address) = self.peer {
            let mut peers = self.gate.peers();
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
        assert!(gate.admits(&PEER));
        let first = gate.seat(gate.place().await, PEER);
        assert!(!gate.admits(&PEER), "one for each peer");
        let second = gate.seat(gate.place().await, Peer::Unix);
        assert_eq!(gate.open(), 2);
        first.note(Stage::Busy);
        second.note(Stage::Busy);

        let minute = Duration::from_mins(1);
        assert!(timeout(minute, gate.room()).await.is_err(), "two over all");
        drop(first);
        assert!(gate.admits(&PEER));
        let third = gate.seat(gate.place().await, PEER);

        assert!(tokio::time::timeout(minute, gate.empty()).await.is_err(), "two are open");
        drop((second, third));
        gate.empty().await;
        assert!(gate.peers.lock().unwrap().is_empty());
    }
}
