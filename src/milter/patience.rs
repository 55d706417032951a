//! How long a connection may take for what it owes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::gate::Limits;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// For us.
    Nothing,
    /// For the end of the negotiation, from the beginning of the connection.
    Negotiation,
    /// For the first octet of a frame.
    Silence,
    /// For the rest of a frame.
    Frame,
    /// For the peer to read.
    Reader,
}

/// One time limit at a time: the library reads or writes, never both.
pub(super) struct Patience {
    wait: Wait,
    end: Pin<Box<Sleep>>,
    idle_time: Duration,
    frame_time: Duration,
}

impl Patience {
    pub(super) fn new(limits: &Limits) -> Self {
        let Limits { idle_time, frame_time, .. } = *limits;
        Self { wait: Wait::Negotiation, end: Box::pin(sleep(frame_time)), idle_time, frame_time }
    }

    pub(super) fn limit(&self, wait: Wait) -> Duration {
        if wait == Wait::Silence { self.idle_time } else { self.frame_time }
    }

    /// Begins to wait, unless that has begun already. The negotiation is one long wait.
    pub(super) fn wait_for(&mut self, wait: Wait) {
        if self.wait == Wait::Negotiation || self.wait == wait {
            return;
        }
        self.wait = wait;
        if wait != Wait::Nothing {
            let end = Instant::now() + self.limit(wait);
            self.end.as_mut().reset(end);
        }
    }

    pub(super) fn negotiated(&mut self) {
        if self.wait == Wait::Negotiation {
            self.wait = Wait::Nothing;
        }
    }

    /// What was waited for in vain.
    pub(super) fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<Wait> {
        if self.wait == Wait::Nothing {
            return Poll::Pending;
        }
        ready!(self.end.as_mut().poll(cx));
        Poll::Ready(self.wait)
    }
}
