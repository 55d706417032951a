//! The connection as the library sees it: whole frames in, gathered answers out, and no peer that keeps it waiting.
//!
//! What is done to the frames is in [`inbound`](super::inbound) and [`outbound`](super::outbound); here are the socket
//! and the time limits. The library has a time limit of its own, which is set so that it never comes first.

use std::fmt::Display;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::gate::{Limits, Seat};
use super::inbound::Inbound;
use super::outbound::Outbound;
use super::trouble::Trouble;

/// Octets read at a time: what MTAs send before they wait is shorter.
const CHUNK: usize = 4096;

/// A signal that this connection must end: the time to drain is over.
pub(super) type Closing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection of an MTA. It holds a place at the gate until it is dropped.
pub(super) struct FrameStream<S> {
    socket: S,
    inbound: Inbound,
    outbound: Outbound,
    patience: Patience,
    closing: Option<Closing>,
    seat: Seat,
}

impl<S> FrameStream<S> {
    pub(super) fn new(socket: S, seat: Seat, closing: Closing) -> Self {
        Self {
            socket,
            inbound: Inbound::default(),
            outbound: Outbound::default(),
            patience: Patience::new(seat.limits()),
            closing: Some(closing),
            seat,
        }
    }

    /// Ends the connection with an error, if it is time to. Otherwise the task is woken when it is.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if let Some(closing) = &mut self.closing
            && closing.as_mut().poll(cx).is_ready()
        {
            self.closing = None;
            return Poll::Ready(io::ErrorKind::ConnectionAborted.into());
        }
        let lost = ready!(self.patience.poll_lost(cx));
        let limit = self.patience.limit(lost);
        match lost {
            Wait::Negotiation | Wait::Frame => self.report(Trouble::Slow, format_args!("{limit:?}")),
            Wait::Reader => self.report(Trouble::Deaf, format_args!("{limit:?}")),
            // An MTA may sleep as long as its client does.
            Wait::Silence => tracing::debug!(?limit, "connection closed: limits.idle_time is over"),
            Wait::Nothing => {}
        }
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }

    fn report(&self, trouble: Trouble, detail: impl Display) {
        self.seat.report(trouble, detail);
    }
}

impl<S: AsyncWrite + Unpin> FrameStream<S> {
    /// Sends what is there.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbound.unsent().is_empty() {
            match Pin::new(&mut self.socket).poll_write(cx, self.outbound.unsent()) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => self.outbound.advance(count),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.patience.wait_for(Wait::Reader);
                    return self.poll_end(cx).map(Err);
                }
            }
        }
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        if self.outbound.ends_negotiation() {
            self.patience.negotiated();
        }
        self.patience.wait_for(Wait::Nothing);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FrameStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while !this.inbound.give(buffer) {
            let mut space = [0; CHUNK];
            let mut chunk = ReadBuf::new(&mut space);
            match Pin::new(&mut this.socket).poll_read(cx, &mut chunk) {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) if chunk.filled().is_empty() => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => {
                    if let Err(malformed) = this.inbound.push(chunk.filled()) {
                        this.report(Trouble::Malformed, malformed);
                        return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, malformed)));
                    }
                }
                Poll::Pending => {
                    let wait = if this.inbound.has_part() { Wait::Frame } else { Wait::Silence };
                    this.patience.wait_for(wait);
                    return this.poll_end(cx).map(Err);
                }
            }
        }
        this.patience.wait_for(Wait::Nothing);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FrameStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.outbound.is_full() {
            ready!(this.poll_send(cx))?;
        }
        this.outbound.push(octets);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.outbound.is_held() { Poll::Ready(Ok(())) } else { this.poll_send(cx) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What has not gone out by now are changes without a reply, of a session that ended in between.
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
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
struct Patience {
    wait: Wait,
    end: Pin<Box<Sleep>>,
    idle_time: Duration,
    frame_time: Duration,
}

impl Patience {
    fn new(limits: &Limits) -> Self {
        let Limits { idle_time, frame_time, .. } = *limits;
        Self { wait: Wait::Negotiation, end: Box::pin(sleep(frame_time)), idle_time, frame_time }
    }

    fn limit(&self, wait: Wait) -> Duration {
        if wait == Wait::Silence { self.idle_time } else { self.frame_time }
    }

    /// Begins to wait, unless that has begun already. The negotiation is one long wait.
    fn wait_for(&mut self, wait: Wait) {
        if self.wait == Wait::Negotiation || self.wait == wait {
            return;
        }
        self.wait = wait;
        if wait != Wait::Nothing {
            let end = Instant::now() + self.limit(wait);
            self.end.as_mut().reset(end);
        }
    }

    fn negotiated(&mut self) {
        if self.wait == Wait::Negotiation {
            self.wait = Wait::Nothing;
        }
    }

    /// What was waited for in vain.
    fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<Wait> {
        if self.wait == Wait::Nothing {
            return Poll::Pending;
        }
        ready!(self.end.as_mut().poll(cx));
        Poll::Ready(self.wait)
    }
}
