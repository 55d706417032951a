//! The daemon: the milter shell in front of the decision, with a clock, a log and signals.

mod clock;
mod conversation;
mod log;
mod run;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

pub use clock::now;
pub use run::{RunError, run, sources};

use crate::lookup::Sources;
use crate::policy::Policy;
use log::Log;

/// What all sessions share.
struct Daemon {
    snapshot: ArcSwap<Snapshot>,
    log: Log,
}

impl Daemon {
    /// The policy in force, for as long as the caller holds it.
    fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }
}

/// One configuration in force.
struct Snapshot {
    policy: Policy,
    sources: Arc<Sources>,
    decision_time: Duration,
}
