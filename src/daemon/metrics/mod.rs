//! Metrics and health: what the daemon has done and how it is, for programs.
//!
//! Whoever does something counts it in atomics of his own, so that no verdict waits for a reader; everything is put
//! together when somebody asks. What there is stands in one list, [`FAMILIES`].
//!
//! | file | what it does |
//! |---|---|
//! | `decisions` | verdicts by what led to them |
//! | `families` | the list of metrics, and where each is read |
//! | `text` | metrics as text, by prometheus-client |
//! | `readiness` | whether mail should be sent here, and why not |
//! | `process` | what the system says of this process |
//! | `http` | the server |

mod decisions;
mod families;
mod http;
mod process;
mod readiness;
mod text;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use jiff::Timestamp;

pub use families::{FAMILIES, Family, Kind};
pub(super) use http::{bind, serve};

use super::{Daemon, clock};
use crate::clients::counts::{Counts, Durations};
use crate::decide::Decision;
use crate::journal::Event;
use crate::milter::Traffic;
use decisions::Decisions;

/// How far the daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not all of it is there yet.
    Starting = 0,
    /// It serves.
    Serving = 1,
    /// It takes no new connections.
    Draining = 2,
}

/// What is counted while the daemon runs. It outlives every configuration.
#[derive(Debug)]
pub(super) struct Metrics {
    /// Look-ups.
    pub(super) counts: Arc<Counts>,
    /// Connections.
    pub(super) traffic: Arc<Traffic>,
    /// Decisions.
    pub(super) decisions: Decisions,
    /// How long decisions about a recipient take.
    recipient_took: Durations,
    /// How long decisions about a message take.
    message_took: Durations,
    begun: Timestamp,
    reloads: Reloads,
    stage: AtomicU8,
    daemon: OnceLock<Weak<Daemon>>,
}

/// How it went with new configurations.
#[derive(Debug)]
struct Reloads {
    good: AtomicU64,
    failed: AtomicU64,
    last_failed: AtomicBool,
    /// When the configuration in force came into force, in seconds since 1970.
    last_good: AtomicI64,
}

impl Metrics {
    /// Nothing has happened yet.
    pub(super) fn new() -> Arc<Self> {
        let begun = clock::now();
        Arc::new(Self {
            counts: Arc::default(),
            traffic: Arc::default(),
            decisions: Decisions::default(),
            recipient_took: Durations::default(),
            message_took: Durations::default(),
            begun,
            reloads: Reloads {
                good: AtomicU64::new(0),
                failed: AtomicU64::new(0),
                last_failed: AtomicBool::new(false),
                last_good: AtomicI64::new(begun.as_second()),
            },
            stage: AtomicU8::new(Stage::Starting as u8),
            daemon: OnceLock::new(),
        })
    }

    /// From now on there is this daemon to ask.
    pub(super) fn watch(&self, daemon: &Arc<Daemon>) {
        // There is one in the life of a process.
        let _ = self.daemon.set(Arc::downgrade(daemon));
    }

    /// A decision was made.
    pub(super) fn note_decision(&self, event: Event, decision: &Decision, took: Duration) {
        match event {
            Event::Recipient => self.recipient_took.note(took),
            Event::Message => self.message_took.note(took),
        }
        self.decisions.note(event, decision);
    }

    /// The daemon goes on to another stage.
    pub(super) fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    /// A new configuration is in force, or was not fit to be.
    pub(super) fn note_reload(&self, is_good: bool) {
        let Reloads { good, failed, last_failed, last_good } = &self.reloads;
        if is_good {
            good.fetch_add(1, Ordering::Relaxed);
            last_good.store(clock::now().as_second(), Ordering::Relaxed);
        } else {
            failed.fetch_add(1, Ordering::Relaxed);
        }
        last_failed.store(!is_good, Ordering::Relaxed);
    }

    fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Relaxed) {
            0 => Stage::Starting,
            1 => Stage::Serving,
            _ => Stage::Draining,
        }
    }

    fn daemon(&self) -> Option<Arc<Daemon>> {
        self.daemon.get().and_then(Weak::upgrade)
    }
}
