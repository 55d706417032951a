//! What an MTA sends: octets go in, whole frames come out, and those that the library would stumble over are mended.

use tokio::io::ReadBuf;

use super::frame::{HEAD, Malformed, frame, head, kind, plain_connect};

/// Memory that a connection keeps between frames.
const KEPT: usize = 64 * 1024;

/// The frames of one connection on their way to the library.
///
/// The library sees whole frames only, so it never sets memory aside for a length that is merely announced.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    /// The beginning of a frame.
    arrived: Vec<u8>,
    /// Whole frames, and how much of them the library has taken.
    ready: Vec<u8>,
    taken: usize,
    negotiating: bool,
    /// Whether a client was named.
    introduced: bool,
    /// The stage of the macro frame that came last, if nothing has come since.
    macros: Option<u8>,
}

impl Inbound {
    /// Takes what has arrived.
    pub(super) fn push(&mut self, octets: &[u8]) -> Result<(), Malformed> {
        self.arrived.extend_from_slice(octets);
        let mut arrived = std::mem::take(&mut self.arrived);
        let mut done = 0;
        while let Some((kind, size)) = head(&arrived[done..])? {
            self.expect(kind)?;
            let Some(whole) = arrived.get(done..done + size) else { break };
            self.pass(kind, whole);
            done += size;
        }
        arrived.drain(..done);
        self.arrived = if arrived.is_empty() && arrived.capacity() > KEPT { Vec::new() } else { arrived };
        Ok(())
    }

    /// Hands whole frames to the library, as far as there are any.
    pub(super) fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let ready = &self.ready[self.taken..];
        if ready.is_empty() {
            return false;
        }
        let count = ready.len().min(buffer.remaining());
        buffer.put_slice(&ready[..count]);
        self.taken += count;
        if self.taken == self.ready.len() {
            self.ready.clear();
            self.ready.shrink_to(KEPT);
            self.taken = 0;
        }
        true
    }

    /// Whether a frame has begun to arrive.
    pub(super) fn has_part(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// Whether the MTA has named a client.
    pub(super) fn is_introduced(&self) -> bool {
        self.introduced
    }

    /// Whether a frame of this kind may come now.
    fn expect(&mut self, kind: u8) -> Result<(), Malformed> {
        if !kind::COMMANDS.contains(&kind) {
            return Err(Malformed::Kind(kind));
        }
        if kind == kind::NEGOTIATE {
            self.negotiating = true;
        }
        // The library would ignore it, and the peer would wait.
        if self.negotiating { Ok(()) } else { Err(Malformed::Unnegotiated) }
    }

    /// Passes a frame on, mended where that is necessary.
    fn pass(&mut self, kind: u8, whole: &[u8]) {
        let payload = &whole[HEAD..];
        let announced = self.macros.take();
        match kind {
            kind::MACROS => {
                self.macros = payload.first().copied();
                if let Some((&stage, [])) = payload.split_first() {
                    self.forget_macros(stage);
                    return;
                }
            }
            kind::MAIL | kind::RCPT if announced != Some(kind) => self.forget_macros(kind),
            kind::CONNECT => {
                self.introduced = true;
                if let Some(payload) = plain_connect(payload) {
                    self.ready.extend(frame(kind, &payload));
                    return;
                }
            }
            _ => {}
        }
        self.ready.extend_from_slice(whole);
    }

    /// Makes the library forget the macros of a stage. It replaces them by those of the next macro frame that has any;
    /// where that is empty or absent, the login of the last message would be taken for that of this one.
    fn forget_macros(&mut self, stage: u8) {
        self.ready.extend(frame(kind::MACROS, &[stage, 0]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEGOTIATION: &[u8] = b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff";

    fn taken(inbound: &mut Inbound) -> Vec<u8> {
        let mut space = [0; 4096];
        let mut buffer = ReadBuf::new(&mut space);
        while inbound.give(&mut buffer) {}
        buffer.filled().to_vec()
    }

    fn check(frames: &[(u8, &[u8])], expected: &[(u8, &[u8])]) {
        let wire =
            |frames: &[(u8, &[u8])]| frames.iter().flat_map(|&(k, p)| frame(k, p)).collect::<Vec<u8>>();
        let sent = wire(frames);
        for piece in [1, 3, sent.len()] {
            let mut inbound = Inbound::default();
            inbound.push(NEGOTIATION).unwrap();
            taken(&mut inbound);
            let mut seen = Vec::new();
            for octets in sent.chunks(piece) {
                inbound.push(octets).unwrap();
                seen.extend(taken(&mut inbound));
            }
            assert_eq!(seen.escape_ascii().to_string(), wire(expected).escape_ascii().to_string());
            assert!(!inbound.has_part());
        }
    }

    #[test]
    fn frames_arrive_in_any_pieces_and_leave_whole() {
        let frames: &[(u8, &[u8])] =
            &[(b'H', b"mx.example.com\0"), (b'L', b"From\0a@example.com\0"), (b'A', b"")];
        check(frames, frames);
    }

    #[test]
    fn half_a_frame_stays_here() {
        let mut inbound = Inbound::default();
        inbound.push(&NEGOTIATION[..9]).unwrap();
        assert_eq!(taken(&mut inbound), b"");
        assert!(inbound.has_part());
    }

    #[test]
    fn sendmails_address_tag_is_removed() {
        check(&[(b'C', b"mx\x006\x12\x34IPv6:2001:db8::1\0")], &[(b'C', b"mx\x006\x12\x342001:db8::1\0")]);
    }

    #[test]
    fn macros_live_for_one_command() {
        let login: (u8, &[u8]) = (b'D', b"M{auth_authen}\0alice\0");
        let mail: (u8, &[u8]) = (b'M', b"<a@example.com>\0");
        let rcpt: (u8, &[u8]) = (b'R', b"<b@example.org>\0");
        check(
            &[login, mail, mail, (b'D', b"M"), mail, login, (b'A', b""), mail, rcpt],
            &[
                login,
                mail,
                (b'D', b"M\0"),
                mail,
                (b'D', b"M\0"),
                mail,
                login,
                (b'A', b""),
                (b'D', b"M\0"),
                mail,
                (b'D', b"R\0"),
                rcpt,
            ],
        );
    }

    fn check_refused(octets: &[u8], expected: Malformed) {
        assert_eq!(Inbound::default().push(octets), Err(expected), "{}", octets.escape_ascii());
    }

    #[test]
    fn strangers_are_refused_at_their_first_octets() {
        check_refused(b"GET / HTTP/1.0\r\n\r\n", Malformed::Length(0x4745_5420));
        check_refused(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", Malformed::Length(0x1603_0102));
        check_refused(b"\0\0\0\0", Malformed::Length(0));
        check_refused(b"\x80\0\0\0O", Malformed::Length(0x8000_0000));
        check_refused(b"\0\0\0\x05Habc\0", Malformed::Unnegotiated);
        check_refused(b"\0\0\0\x0d!", Malformed::Kind(b'!'));
        check_refused(&[NEGOTIATION, b"\0\0\0\x01z"].concat(), Malformed::Kind(b'z'));
    }

    proptest::proptest! {
        #[test]
        fn nothing_depends_on_the_pieces(
            frames in proptest::collection::vec((0..20usize, proptest::collection::vec(0..=255u8, 0..30)), 0..6),
            garbage in proptest::collection::vec(0..=255u8, 0..8),
            piece in 1..20usize,
        ) {
            // The last kinds are no commands.
            let kinds = [kind::COMMANDS, b"zc!?\0"].concat();
            let octets = frames.iter().flat_map(|(kind, payload)| frame(kinds[*kind], payload));
            let octets: Vec<u8> = NEGOTIATION.iter().copied().chain(octets).chain(garbage).collect();
            let mut whole = Inbound::default();
            let result = whole.push(&octets);
            let mut pieces = Inbound::default();
            proptest::prop_assert_eq!(octets.chunks(piece).try_for_each(|piece| pieces.push(piece)), result);
            if result.is_ok() {
                proptest::prop_assert_eq!(taken(&mut pieces), taken(&mut whole));
            }
        }
    }
}
