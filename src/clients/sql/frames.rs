//! What a PostgreSQL server sends, looked at before the library reads it.
//!
//! The library sets memory aside for a message as soon as it has read how long that is to be, up to 2 GiB, and keeps
//! reading notices for as long as they come. So every message is held to a length, and all that answers one question to
//! a sum. A server that goes past them has a connection that broke.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::MOST_OCTETS;

/// The longest message of a server, in octets. A row, which must fit into an answer, has its frame besides.
const LONGEST: usize = 2 * MOST_OCTETS;

/// What a server may send until it is asked again, in octets: an answer, with what stands around each of its values.
const MOST: usize = 4 * MOST_OCTETS;

/// What a server may still send until it is asked again, and how it went past its bounds, if it did.
#[derive(Clone, Debug)]
pub(super) struct Allowance(Arc<Bounds>);

#[derive(Debug)]
struct Bounds {
    left: AtomicUsize,
    passed: OnceLock<String>,
}

impl Allowance {
    pub(super) fn new() -> Self {
        Self(Arc::new(Bounds { left: AtomicUsize::new(MOST), passed: OnceLock::new() }))
    }

    /// The server is asked.
    pub(super) fn renew(&self) {
        self.0.left.store(MOST, Ordering::Relaxed);
    }

    /// How the server went past its bounds. The library says only that the connection is closed.
    pub(super) fn passed(&self) -> Option<&str> {
        self.0.passed.get().map(String::as_str)
    }

    /// Takes what came; whether that much was left.
    fn take(&self, octets: usize) -> bool {
        let left = &self.0.left;
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(octets)).is_ok()
    }
}

/// What comes next from the server (PostgreSQL, Frontend/Backend Protocol, ‘Message Formats’).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The octet that answers the question for TLS: `S`, or anything else, which begins a message or is `N`.
    TlsReply,
    /// TLS, in which the messages are looked at.
    Tls,
    /// The octet that says what kind of message begins.
    Kind,
    /// The length of a message, itself included: four octets, of which so many have come, and their value so far.
    Length { seen: u8, value: u32 },
    /// So many octets of a message.
    Body(usize),
}

/// A stream whose messages are held to their bounds as they are read.
#[derive(Debug)]
pub(super) struct Bounded<S> {
    stream: S,
    next: Next,
    allowance: Allowance,
}

impl<S> Bounded<S> {
    /// A stream in which messages come at once.
    pub(super) fn messages(stream: S, allowance: Allowance) -> Self {
        Self { stream, next: Next::Kind, allowance }
    }

    /// A stream on which TLS is asked for first.
    pub(super) fn negotiated(stream: S, allowance: Allowance) -> Self {
        Self { stream, next: Next::TlsReply, allowance }
    }

    /// The stream itself.
    pub(super) fn inner(&self) -> &S {
        &self.stream
    }

    /// Follows what came through the messages that it is part of.
    fn follow(&mut self, mut octets: &[u8]) -> io::Result<()> {
        if self.next != Next::Tls && !self.allowance.take(octets.len()) {
            return Err(too_much(&format!("it sent more than {MOST} octets")));
        }
        while let [first, rest @ ..] = octets {
            let (next, left) = match self.next {
                Next::Tls => return Ok(()),
                Next::TlsReply => match first {
                    b'S' => (Next::Tls, rest),
                    b'N' => (Next::Kind, rest),
                    _ => (Next::Kind, octets),
                },
                Next::Kind => (Next::Length { seen: 0, value: 0 }, rest),
                Next::Length { seen, value } => {
                    let value = value << 8 | u32::from(*first);
                    let next = if seen < 3 { Next::Length { seen: seen + 1, value } } else { body(value)? };
                    (next, rest)
                }
                Next::Body(left) => {
                    let here = left.min(octets.len());
                    (after(left - here), &octets[here..])
                }
            };
            (self.next, octets) = (next, left);
        }
        Ok(())
    }
}

/// What follows after the length of a message.
fn body(length: u32) -> io::Result<Next> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    match length.checked_sub(4) {
        None => Err(too_much("it sent a message without a length")),
        Some(length) if length > LONGEST => {
            Err(too_much(&format!("it sent a message of more than {LONGEST} octets")))
        }
        Some(length) => Ok(after(length)),
    }
}

/// What comes next where so much of a message is left.
fn after(left: usize) -> Next {
    if left == 0 { Next::Kind } else { Next::Body(left) }
}

fn too_much(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let followed = self.follow(&buffer.filled()[before..]);
        if let Err(error) = &followed {
            // The first is the reason of the others.
            let _ = self.allowance.0.passed.set(error.to_string());
        }
        Poll::Ready(followed)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads these octets in pieces; why it breaks off, if it does.
    fn read(mut stream: Bounded<()>, octets: &[u8], piece: usize) -> Result<Next, String> {
        for piece in octets.chunks(piece) {
            stream.follow(piece).map_err(|error| error.to_string())?;
        }
        Ok(stream.next)
    }

    fn message(kind: u8, length: usize) -> Vec<u8> {
        let length_field = u32::try_from(length + 4).unwrap().to_be_bytes();
        [&[kind][..], &length_field, &vec![b'x'; length]].concat()
    }

    #[track_caller]
    fn check(octets: &[u8], expected: Result<Next, &str>) {
        for piece in [1, 2, 3, 7, 4096] {
            let messages = Bounded::messages((), Allowance::new());
            assert_eq!(read(messages, octets, piece), expected.map_err(str::to_owned), "{piece}");
        }
    }

    #[test]
    fn messages_within_the_bounds_pass() {
        check(&[message(b'Z', 1), message(b'1', 0), message(b'D', 9000)].concat(), Ok(Next::Kind));
        check(&message(b'D', 9)[..9], Ok(Next::Body(5)));
        check(&message(b'D', LONGEST), Ok(Next::Kind));
    }

    #[test]
    fn a_message_is_refused_by_the_length_that_it_announces() {
        check(b"D\x7f\xff\xff\xff", Err("it sent a message of more than 2097152 octets"));
        check(b"D\xff\xff\xff\xff", Err("it sent a message of more than 2097152 octets"));
        check(b"D\x00\x00\x00\x03", Err("it sent a message without a length"));
    }

    #[test]
    fn notices_without_end_come_to_one() {
        let notices = message(b'N', 10_000).repeat(500);
        check(&notices, Err("it sent more than 4194304 octets"));
    }

    #[test]
    fn a_question_renews_what_may_come() {
        let allowance = Allowance::new();
        let mut stream = Bounded::messages((), allowance.clone());
        for _ in 0..5 {
            allowance.renew();
            assert!(stream.follow(&message(b'D', LONGEST)).is_ok());
        }
        assert!(stream.follow(&message(b'D', LONGEST)).is_err());
    }

    #[test]
    fn the_question_for_tls_is_answered_by_one_octet() {
        let negotiated = || Bounded::negotiated((), Allowance::new());
        assert_eq!(read(negotiated(), b"S\x16\x03\x01\xff\xff\xff\xff\xff", 1), Ok(Next::Tls));
        assert_eq!(read(negotiated(), &[b"N".to_vec(), message(b'R', 8)].concat(), 3), Ok(Next::Kind));
        assert_eq!(read(negotiated(), &message(b'E', 20), 3), Ok(Next::Kind));
        assert!(read(negotiated(), b"N\x7f\xff\xff\xff\xff", 1).is_err());
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(octets in prop::collection::vec(any::<u8>(), 0..64), piece in 1usize..64) {
            let of = |piece| read(Bounded::negotiated((), Allowance::new()), &octets, piece);
            prop_assert_eq!(of(piece), of(64));
        }
    }
}
