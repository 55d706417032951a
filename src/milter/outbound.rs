//! What we answer: the changes to a message and the reply to its end leave together.

use super::frame::{head, kind};

/// Octets of changes that are held back. More than this goes out early, which costs speed and nothing else.
const HELD: usize = 64 * 1024;

/// The frames of one connection on their way to the MTA.
///
/// The library flushes after each frame. On TCP every change to a message would be a segment of its own, and the MTA's
/// delayed acknowledgement of the first would hold up the others. So a change waits for the reply that must follow it.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    octets: Vec<u8>,
    /// How far the octets are sent, and how far they are whole frames.
    sent: usize,
    whole: usize,
    /// The kind of the last whole frame.
    last: Option<u8>,
}

impl Outbound {
    /// Takes what the library writes.
    pub(super) fn push(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
        while let Some(Ok(Some((kind, size)))) = self.octets.get(self.whole..).map(head) {
            if self.whole + size > self.octets.len() {
                break;
            }
            self.whole += size;
            self.last = Some(kind);
        }
    }

    /// Whether all may go on waiting: the last frame is a change, and the reply is still to come.
    pub(super) fn is_held(&self) -> bool {
        self.last.is_some_and(|kind| kind::ACTIONS.contains(&kind)) && !self.is_full()
    }

    /// Whether the library must wait before it writes more.
    pub(super) fn is_full(&self) -> bool {
        self.unsent().len() > HELD
    }

    /// Whether the last frame is our side of the negotiation.
    pub(super) fn ends_negotiation(&self) -> bool {
        self.last == Some(kind::NEGOTIATE)
    }

    /// The whole frames, or what is left of them, that are still to be sent.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.octets[self.sent..self.whole]
    }

    /// Notes that the first `count` octets of [`unsent`](Self::unsent) are sent.
    pub(super) fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.sent == self.whole {
            self.octets.drain(..self.whole);
            self.octets.shrink_to(HELD);
            (self.sent, self.whole) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::frame;
    use super::*;

    /// Writes frames with a flush after each, and compares what leaves at each flush.
    fn check(frames: &[(u8, usize)], expected: &[usize]) {
        let mut outbound = Outbound::default();
        let mut left = Vec::new();
        for &(kind, payload) in frames {
            let frame = frame(kind, &vec![b'x'; payload]);
            let (head, payload) = frame.split_at(5);
            outbound.push(head);
            outbound.push(payload);
            let due = if outbound.is_held() { 0 } else { outbound.unsent().len() };
            outbound.advance(due);
            left.push(due);
        }
        assert_eq!(left, expected);
        assert!(outbound.octets.is_empty());
    }

    #[test]
    fn changes_leave_with_the_reply() {
        check(&[(b'O', 12)], &[17]);
        check(&[(b'c', 0)], &[5]);
        check(&[(b'm', 20), (b'm', 20), (b'i', 100), (b'c', 0)], &[0, 0, 0, 25 + 25 + 105 + 5]);
        check(&[(b'i', 100), (b'y', 30), (b'c', 0)], &[0, 105 + 35, 5]);
    }

    #[test]
    fn progress_leaves_at_once() {
        check(&[(b'i', 100), (b'p', 0), (b'c', 0)], &[0, 105 + 5, 5]);
    }

    #[test]
    fn too_many_changes_leave_early() {
        check(&[(b'i', 40_000), (b'i', 40_000), (b'c', 0)], &[0, 80_010, 5]);
    }

    #[test]
    fn half_a_frame_stays_until_it_is_whole() {
        let mut outbound = Outbound::default();
        let reply = frame(b'y', b"550 5.1.1 no\0");
        outbound.push(&reply[..7]);
        assert_eq!(outbound.unsent(), b"");
        outbound.push(&reply[7..]);
        assert_eq!(outbound.unsent(), reply);
        outbound.advance(3);
        assert_eq!(outbound.unsent(), &reply[3..]);
        assert!(!outbound.is_held());
    }
}
