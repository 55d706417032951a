//! Connections in figures.

use std::sync::atomic::{AtomicU64, Ordering};

use super::trouble::Trouble;

/// What has become of the connections of MTAs, since the start.
#[derive(Debug, Default)]
pub struct Traffic {
    opened: AtomicU64,
    closed: AtomicU64,
    troubles: [AtomicU64; Trouble::ALL.len()],
}

impl Traffic {
    /// How many were accepted.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// How many are open.
    pub fn open(&self) -> u64 {
        // In this order, so that it is never less than none.
        let closed = self.closed.load(Ordering::Acquire);
        self.opened().saturating_sub(closed)
    }

    /// Troubles by their word: `accept` (the system had no connection for us), `stranger` and `peer_limit` (refused),
    /// `limit` (kept waiting), `displaced` (closed for another one), `malformed`, `slow`, `deaf` and `mute` (closed).
    pub fn troubles(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.troubles.iter().map(|count| count.load(Ordering::Relaxed));
        Trouble::ALL.into_iter().map(Trouble::as_str).zip(counts)
    }

    pub(super) fn note(&self, trouble: Trouble) {
        self.troubles[trouble as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_closed(&self) {
        self.closed.fetch_add(1, Ordering::Release);
    }
}
