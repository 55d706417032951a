//! Harvesting as the daemon sees it: one tracker for all sessions, the clock for it, and a line of the log for each block
//! that begins or ends.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::clock;
use crate::facts::{HarvestQuestion, Standing};
use crate::memory::harvest::{Asker, Block, Counter, End, Event, Settings, Tracker};

/// How late the log may say that a block is over, when nobody asks.
const TICK: Duration = Duration::from_secs(1);

/// The tracker that all sessions share. It outlives every configuration.
#[derive(Debug)]
pub(super) struct Watch {
    tracker: Mutex<Tracker>,
    /// Blocks that have begun, and those that have ended.
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Watch {
    pub(super) fn new(settings: Settings) -> Self {
        let tracker = Mutex::new(Tracker::new(settings, clock::now()));
        Self { tracker, begun: AtomicU64::new(0), ended: AtomicU64::new(0) }
    }

    /// How many networks were blocked so far, and how many are.
    pub(super) fn blocks(&self) -> (u64, u64) {
        let ended = self.ended.load(Ordering::Acquire);
        let begun = self.begun.load(Ordering::Relaxed);
        (begun, begun.saturating_sub(ended))
    }

    /// Whether anything is blocked.
    pub(super) fn blocks_anybody(&self) -> bool {
        self.blocks().1 > 0
    }

    /// Takes note of an unknown name that a client asked for. Returns the [suspects](Tracker::note_unknown).
    pub(super) fn note_unknown(&self, asker: Asker, name: &str) -> Vec<IpAddr> {
        self.with(|tracker, now| tracker.note_unknown(asker, name, now))
    }

    /// Takes note of the names to which a message was accepted.
    pub(super) fn note_good(&self, asker: Asker, names: &[String]) {
        self.with(|tracker, now| names.iter().for_each(|name| tracker.note_good(asker, name, now)));
    }

    /// Takes a client for a trusted forwarder.
    pub(super) fn excuse(&self, client: IpAddr) {
        self.with(|tracker, now| tracker.excuse(client, now));
    }

    /// Takes a client for a host of a domain that our users write to, if the domain can answer for it.
    pub(super) fn vouch(&self, client: IpAddr, domain: &str) -> bool {
        self.with(|tracker, now| tracker.vouch(client, domain, now))
    }

    /// The block that a client's mail is under.
    pub(super) fn block_of(&self, client: IpAddr, null_sender: bool) -> Option<Block> {
        self.with(|tracker, now| tracker.block_of(client, null_sender, now))
    }

    /// What is blocked, and whether that refuses anything.
    pub(super) fn list(&self) -> (Vec<Block>, bool) {
        self.with(|tracker, now| (tracker.list(now), tracker.settings().enforced))
    }

    /// Releases what is blocked within a network or around it, or everything.
    pub(super) fn release(&self, network: Option<IpNet>) -> Vec<Block> {
        self.with(|tracker, now| tracker.release(network, now))
    }

    /// Puts other settings into force.
    pub(super) fn apply(&self, settings: &Settings) {
        self.with(|tracker, now| tracker.apply(settings.clone(), now));
    }

    /// Notices, for ever, what is over.
    pub(super) async fn keep_time(&self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.with(Tracker::expire);
        }
    }

    /// Does something with the tracker, and says what happened.
    fn with<T>(&self, act: impl FnOnce(&mut Tracker, Timestamp) -> T) -> T {
        // What a panic left half done is a count, which is better than none.
        let mut tracker = self.tracker.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = act(&mut tracker, clock::now());
        // The log is a queue on which nobody waits; so its lines come in the order of what they tell.
        for event in tracker.take_events() {
            match event {
                Event::Began(_) => self.begun.fetch_add(1, Ordering::Relaxed),
                Event::Ended(..) => self.ended.fetch_add(1, Ordering::Release),
            };
            report(&event, tracker.settings().enforced);
        }
        outcome
    }
}

/// One line of the log.
fn report(event: &Event, enforced: bool) {
    match event {
        Event::Began(Block { network, until, names, times, null_sender, .. }) => {
            let until = format!("{until:.0}");
            if enforced {
                warn!(%network, names, until, times, null_sender, "harvesting: blocked");
            } else {
                warn!(%network, names, until, times, null_sender, "harvesting: would be blocked");
            }
        }
        Event::Ended(Block { network, times, null_sender, .. }, why) => {
            let reason = match why {
                End::Over => "its time is over",
                End::Released => "released by the administrator",
                End::Exempt => "exempt from now on",
                End::Enforced => "it was only spoken of, and from now on blocks refuse",
                End::NoRoom => "harvest.memory_entries has become too small for it",
            };
            info!(%network, times, reason, null_sender, "harvesting: no longer blocked");
        }
    }
}

#[async_trait::async_trait]
impl Counter for Watch {
    async fn standing(&self, question: HarvestQuestion) -> Standing {
        self.block_of(question.client, question.null_sender).into()
    }
}
