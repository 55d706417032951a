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
    /// For the client to be named, since the negotiation.
    Introduction,
}

/// How long an MTA may take from the negotiation to naming its client. It does so at once, unless another milter before
/// us keeps it waiting.
pub(super) const INTRODUCTION: Duration = Duration::from_mins(5);

/// One time limit at a time: the library reads or writes, never both.
pub(super) struct Patience {
    wait: Wait,
    end: Pin<Box<Sleep>>,
    idle_time: Duration,
    frame_time: Duration,
    /// Until when the client must be named.
    introduction: Option<Instant>,
}

impl Patience {
    pub(super) fn new(limits: &Limits) -> Self {
        let Limits { idle_time, frame_time, .. } = *limits;
        Self {
            wait: Wait::Negotiation,
            end: Box::pin(sleep(frame_time)),
            idle_time,
            frame_time,
            introduction: None,
        }
    }

    pub(super) fn limit(&self, wait: Wait) -> Duration {
        match wait {
            Wait::Silence => self.idle_time,
            Wait::Introduction => self.idle_time.min(INTRODUCTION),
            Wait::Nothing | Wait::Negotiation | Wait::Frame | Wait::Reader => self.frame_time,
        }
    }

    /// Begins to wait, unless that has begun already; says whether it has begun. The negotiation is one long wait.
    pub(super) fn wait_for(&mut self, wait: Wait) -> bool {
        if self.wait == Wait::Negotiation || self.wait == wait {
            return false;
        }
        self.wait = wait;
        if wait != Wait::Nothing {
            let end = Instant::now() + self.limit(wait);
            // No number of frames puts off the end of the introduction.
            let end = self.introduction.map_or(end, |introduction| introduction.min(end));
            self.end.as_mut().reset(end);
        }
        true
    }

    /// Says whether the negotiation has ended just now.
    pub(super) fn negotiated(&mut self) -> bool {
        if self.wait != Wait::Negotiation {
            return false;
        }
        self.wait = Wait::Nothing;
        self.introduction = Some(Instant::now() + self.limit(Wait::Introduction));
        true
    }

    /// The client was named; says whether that was waited for.
    pub(super) fn introduced(&mut self) -> bool {
        self.introduction.take().is_some()
    }

    /// What was waited for in vain.
    pub(super) fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<Wait> {
        if self.wait == Wait::Nothing {
            return Poll::Pending;
        }
        ready!(self.end.as_mut().poll(cx));
        let is_introduction =
            self.introduction.is_some_and(|introduction| introduction <= self.end.deadline());
        Poll::Ready(if is_introduction { Wait::Introduction } else { self.wait })
    }
}
