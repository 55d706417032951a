//! Accepting connections: who may come in, how many at a time, and what to do when the system has none to give.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::gate::{Gate, Peer};
use super::socket::{Bound, Stream};
use super::stream::{Closing, FrameStream};
use super::trouble::Trouble;

/// Pauses after failures to accept. Descriptors come back when connections end, which is a matter of a moment.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Connections on their way from [`accept`] to the library.
///
/// The library ends at the first error of its listener, so it never sees one.
pub(super) struct Accepted(pub(super) mpsc::Receiver<FrameStream<Stream>>);

impl indymilter::Listener for Accepted {
    type Io = FrameStream<Stream>;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Io>> {
        match self.0.poll_recv(cx) {
            Poll::Ready(Some(stream)) => Poll::Ready(Ok(stream)),
            // We no longer listen; the sessions go on.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

/// A listener, and where its connections go.
pub(super) type Listener = (Bound, mpsc::Sender<FrameStream<Stream>>);

/// Accepts connections on all listeners, for ever. Dropped, it closes the sockets.
///
/// It waits for room first and for somebody to take it then, on all listeners at once, so a listener where nobody comes
/// keeps no place from the others. Nobody gives way before there is somebody to give way to.
pub(super) async fn accept(listeners: Vec<Listener>, gate: Arc<Gate>, closing: impl Fn() -> Closing) {
    let mut pause = FIRST_PAUSE;
    let mut first = 0;
    loop {
        let free = gate.room().await;
        let (index, accepted) = any(&listeners, first).await;
        // The others come before this one next time.
        first = index + 1;
        let (Bound { allowed_peers, .. }, sessions) = &listeners[index];
        let address = listeners[index].0.address();
        let (stream, peer) = match accepted {
            Ok(connection) => connection,
            Err(error) => {
                drop(free);
                gate.troubles.report(Trouble::Accept, address, error);
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
        };
        pause = FIRST_PAUSE;

        let peer = peer.map_or(Peer::Unix, |peer| Peer::Inet(peer.ip().to_canonical()));
        if !is_allowed(&peer, allowed_peers) {
            gate.troubles.report(Trouble::Stranger, address, &peer);
            continue;
        }
        if !gate.admits(&peer) {
            gate.troubles.report(Trouble::PeerLimit, address, &peer);
            continue;
        }
        let place = match free {
            Some(place) => place,
            None => gate.place().await,
        };
        let seat = gate.seat(place, peer);
        let (displaced, closing) = (seat.displaced(), closing());
        let closing = Box::pin(async {
            tokio::select! { () = displaced => {}, () = closing => {} }
        });
        // The other side goes away when we shut down, and so do we.
        let _ = sessions.send(FrameStream::new(stream, seat, closing)).await;
    }
}

/// The first connection that comes, and the number of its listener.
async fn any(listeners: &[Listener], first: usize) -> (usize, io::Result<(Stream, Option<SocketAddr>)>) {
    poll_fn(|cx| {
        for turn in 0..listeners.len() {
            let index = (first + turn) % listeners.len();
            if let Poll::Ready(accepted) = listeners[index].0.socket.poll_accept(cx) {
                return Poll::Ready((index, accepted));
            }
        }
        Poll::Pending
    })
    .await
}

fn is_allowed(peer: &Peer, allowed: &[ipnet::IpNet]) -> bool {
    match peer {
        Peer::Unix => true,
        Peer::Inet(address) => allowed.iter().any(|network| network.contains::<&IpAddr>(address)),
    }
}
