//! The daemon: the milter shell in front of the decision, with a clock, a log and signals.

mod activation;
mod clients;
mod clock;
pub mod control;
mod conversation;
mod descriptors;
mod evidence;
mod guesses;
mod harvest;
mod kept;
mod learning;
mod log;
pub mod metrics;
mod notify;
mod partners;
mod recording;
mod reload;
mod run;
mod senders;
mod snapshot;
mod suspects;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use activation::Activation;
pub use clock::now;
pub use learning::Lesson;
pub use run::{RunError, run};
pub use snapshot::open;

use harvest::Watch;
use log::Log;
use metrics::Metrics;
use snapshot::Snapshot;

/// What all sessions share.
struct Daemon {
    snapshot: ArcSwap<Snapshot>,
    harvest: Arc<Watch>,
    log: Log,
    metrics: Arc<Metrics>,
}

impl Daemon {
    /// The policy in force, for as long as the caller holds it.
    fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }
}
