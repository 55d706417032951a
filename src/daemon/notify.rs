//! What systemd is told of us (`sd_notify(3)`), where it started us.
//!
//! A thread of its own tells it: a datagram waits for its reader, and mail must not.

use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use sd_notify::NotifyState;
use tracing::warn;

/// Notices that wait, at most. Whoever reads none for so long misses the next ones.
const QUEUE: usize = 64;

/// The way to systemd.
#[derive(Clone, Debug)]
pub(super) struct Notifier(SyncSender<Notice>);

/// What systemd wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// We serve; a reload has ended.
    Ready,
    /// A reload has begun.
    Reloading,
    /// We are about to end.
    Stopping,
}

impl Notifier {
    pub(super) fn start() -> io::Result<Self> {
        let (queue, notices) = sync_channel(QUEUE);
        thread::Builder::new().name("systemd".to_owned()).spawn(move || {
            for notice in notices {
                if let Err(error) = tell(notice) {
                    warn!(%error, "systemd cannot be told");
                }
            }
        })?;
        Ok(Self(queue))
    }

    pub(super) fn tell(&self, notice: Notice) {
        // A full queue is that of somebody who does not listen.
        let _ = self.0.try_send(notice);
    }
}

fn tell(notice: Notice) -> io::Result<()> {
    match notice {
        Notice::Ready => sd_notify::notify(&[NotifyState::Ready]),
        // It wants a reload to be timed.
        Notice::Reloading => sd_notify::notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?]),
        Notice::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
    }
}
