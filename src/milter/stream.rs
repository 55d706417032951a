//! The connection as the library sees it: whole frames in, gathered answers out, and no peer that keeps it waiting.
//!
//! What is done to the frames is in [`inbound`](super::inbound) and [`outbound`](super::outbound); here are the socket
//! and the time limits. The library has a time limit of its own, which is set so that it never comes first.

use std::fmt::Display;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::gate::Seat;
use super::inbound::Inbound;
use super::occupants::Stage;
use super::outbound::Outbound;
use super::patience::{Patience, Wait};
use super::socket::Acknowledge;
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
            Wait::Introduction => self.report(Trouble::Mute, format_args!("{limit:?}")),
            // An MTA may sleep as long as its client does.
            Wait::Silence => tracing::debug!(?limit, "connection closed: limits.idle_time is over"),
            Wait::Nothing => {}
        }
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }

    /// Takes note of it when the client was named.
    fn note_introduction(&mut self) {
        if self.inbound.is_introduced() && self.patience.introduced() {
            self.seat.note(Stage::Busy);
        }
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
        if self.outbound.ends_negotiation() && self.patience.negotiated() {
            self.seat.note(Stage::Negotiated);
        }
        self.patience.wait_for(Wait::Nothing);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Acknowledge + Unpin> AsyncRead for FrameStream<S> {
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
                    this.socket.acknowledge();
                    let wait = if this.inbound.has_part() { Wait::Frame } else { Wait::Silence };
                    this.note_introduction();
                    if this.patience.wait_for(wait) && this.inbound.is_introduced() {
                        this.seat.note(Stage::Silent);
                    }
                    return this.poll_end(cx).map(Err);
                }
            }
        }
        this.note_introduction();
        if this.patience.wait_for(Wait::Nothing) && this.inbound.is_introduced() {
            this.seat.note(Stage::Busy);
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::sync::oneshot;
    use tokio::time::{Instant, advance};

    use super::super::frame::frame;
    use super::super::gate::{Gate, Limits, Peer};
    use super::super::patience::INTRODUCTION;
    use super::*;

    const OFFER: &[u8] = b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff";
    const FRAME_TIME: Duration = Duration::from_secs(30);

    impl Acknowledge for DuplexStream {
        fn acknowledge(&self) {}
    }

    async fn stream<S>(socket: S) -> FrameStream<S> {
        let gate =
            Gate::new(Limits { frame_time: FRAME_TIME, ..Limits::default() }, std::sync::Arc::default());
        let seat = gate.seat(gate.place().await, Peer::Unix);
        FrameStream::new(socket, seat, Box::pin(std::future::pending()))
    }

    /// A connection after the negotiation, and the MTA's end of it.
    async fn negotiated(room: usize) -> (FrameStream<DuplexStream>, DuplexStream) {
        let (mut mta, socket) = duplex(room);
        let mut stream = stream(socket).await;
        mta.write_all(OFFER).await.unwrap();
        let mut offer = [0; 17];
        stream.read_exact(&mut offer).await.unwrap();
        assert_eq!(offer, OFFER);
        stream.write_all(OFFER).await.unwrap();
        stream.flush().await.unwrap();
        mta.read_exact(&mut offer).await.unwrap();
        (stream, mta)
    }

    async fn check_lost(stream: &mut FrameStream<DuplexStream>, after: Duration) {
        let start = Instant::now();
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // The timer counts whole milliseconds, rounded up.
        let waited = start.elapsed();
        assert!((after..after + Duration::from_millis(2)).contains(&waited), "{waited:?}, not {after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_says_nothing_is_closed() {
        let (_mta, socket) = duplex(100);
        check_lost(&mut stream(socket).await, FRAME_TIME).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_negotiation_in_drops_is_closed_in_the_same_time() {
        let (mut mta, socket) = duplex(100);
        let mut stream = stream(socket).await;
        let drip = async {
            for octet in OFFER {
                tokio::time::sleep(Duration::from_secs(10)).await;
                if mta.write_all(&[*octet]).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = check_lost(&mut stream, FRAME_TIME) => {}
            () = drip => unreachable!("it never ends"),
        }
    }

    /// The same after the client was named.
    async fn introduced(room: usize) -> (FrameStream<DuplexStream>, DuplexStream) {
        let (mut stream, mut mta) = negotiated(room).await;
        let frame = frame(b'C', b"mx\0U");
        mta.write_all(&frame).await.unwrap();
        stream.read_exact(&mut vec![0; frame.len()]).await.unwrap();
        (stream, mta)
    }

    #[tokio::test(start_paused = true)]
    async fn a_silence_has_its_own_limit() {
        let (mut stream, _mta) = introduced(100).await;
        check_lost(&mut stream, Limits::default().idle_time).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_names_no_client_is_closed() {
        let (mut stream, _mta) = negotiated(100).await;
        check_lost(&mut stream, INTRODUCTION).await;
    }

    #[tokio::test(start_paused = true)]
    async fn macros_do_not_put_off_the_end_of_the_introduction() {
        let (mut stream, mut mta) = negotiated(1000).await;
        let macros = frame(b'D', b"Cj\0mx\0");
        let start = Instant::now();
        for minute in 1..5 {
            tokio::time::sleep_until(start + minute * Duration::from_mins(1)).await;
            mta.write_all(&macros).await.unwrap();
            stream.read_exact(&mut vec![0; macros.len()]).await.unwrap();
        }
        check_lost(&mut stream, Duration::from_mins(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_octet_a_minute_is_closed_as_half_a_frame() {
        let (mut stream, mut mta) = introduced(100).await;
        mta.write_all(b"\0").await.unwrap();
        check_lost(&mut stream, FRAME_TIME).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_named_in_one_breath_is_named() {
        let (mut mta, socket) = duplex(1000);
        let mut stream = stream(socket).await;
        let breath = [OFFER, &frame(b'C', b"mx\0U")].concat();
        mta.write_all(&breath).await.unwrap();
        stream.read_exact(&mut vec![0; breath.len()]).await.unwrap();
        stream.write_all(OFFER).await.unwrap();
        stream.flush().await.unwrap();
        check_lost(&mut stream, Limits::default().idle_time).await;
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_frame_is_closed() {
        let (mut stream, mut mta) = introduced(100).await;
        mta.write_all(b"\0\0\0\x06Hab").await.unwrap();
        check_lost(&mut stream, FRAME_TIME).await;
    }

    #[tokio::test(start_paused = true)]
    async fn our_own_time_is_not_the_peers() {
        let (mut stream, mut mta) = negotiated(100).await;
        for _ in 0..3 {
            mta.write_all(b"\0\0\0\x01A").await.unwrap();
            let mut whole = [0; 5];
            stream.read_exact(&mut whole).await.unwrap();
            advance(2 * Limits::default().idle_time).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_closed() {
        let (mut stream, _mta) = negotiated(20).await;
        let start = Instant::now();
        stream.write_all(&frame(b'y', &[b'x'; 100])).await.unwrap();
        let error = stream.flush().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= FRAME_TIME && start.elapsed() < 2 * FRAME_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_drain_closes_a_silent_connection() {
        let (end, ended) = oneshot::channel::<()>();
        let (mut stream, _mta) = negotiated(100).await;
        stream.closing = Some(Box::pin(async { ended.await.unwrap() }));
        let end = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            end.send(()).unwrap();
        };
        let (result, ()) = tokio::join!(stream.read_u8(), end);
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }

    /// Takes everything and remembers how often.
    #[derive(Default)]
    struct Segments(Vec<Vec<u8>>);

    impl AsyncWrite for Segments {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            octets: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.0.push(octets.to_vec());
            Poll::Ready(Ok(octets.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn changes_and_reply_are_one_segment() {
        let mut stream = stream(Segments::default()).await;
        let frames =
            [frame(b'm', b"\0\0\0\x01Received-SPF\0\0"), frame(b'i', b"\0\0\0\0A\0b\0"), frame(b'c', b"")];
        for octets in &frames {
            stream.write_all(octets).await.unwrap();
            stream.flush().await.unwrap();
        }
        assert_eq!(stream.socket.0, [frames.concat()]);
    }

    #[tokio::test]
    async fn changes_without_a_reply_never_leave() {
        let mut stream = stream(Segments::default()).await;
        stream.write_all(&frame(b'i', b"\0\0\0\0A\0b\0")).await.unwrap();
        stream.flush().await.unwrap();
        stream.shutdown().await.unwrap();
        assert!(stream.socket.0.is_empty());
    }
}
