//! Frames of the milter protocol, as far as the stream must know them: four octets of length, one of kind, a payload.

/// Octets before the payload: the length and the kind.
pub(super) const HEAD: usize = 5;

/// The longest frame we take, its length field not counted. MTAs send body chunks of 64 KiB and header fields up to
/// their own limit for one field (Postfix 100 KiB, Sendmail 32 KiB); the library takes no more than this either.
pub(super) const LONGEST: usize = 1024 * 1024;

/// Kinds that the stream takes note of.
pub(super) mod kind {
    /// Negotiation, in both directions.
    pub(in crate::milter) const NEGOTIATE: u8 = b'O';
    /// The client of the MTA.
    pub(in crate::milter) const CONNECT: u8 = b'C';
    /// Macros for the stage named in the first octet.
    pub(in crate::milter) const MACROS: u8 = b'D';
    /// The MAIL command.
    pub(in crate::milter) const MAIL: u8 = b'M';
    /// The RCPT command.
    pub(in crate::milter) const RCPT: u8 = b'R';
    /// Every command an MTA may send.
    pub(in crate::milter) const COMMANDS: &[u8] = b"ABCDEHKLMNOQRTU";
    /// Changes to the message: recipients added and deleted, the body, the reverse-path, header fields, quarantine.
    /// They only come before the reply to the end of the message.
    pub(in crate::milter) const ACTIONS: &[u8] = b"+-2behimq";
}

/// Why a peer is no MTA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("a frame of {0} octets")]
    Length(u32),
    #[error("a frame of an unknown kind, {0:#04x}")]
    Kind(u8),
    #[error("a frame before the negotiation")]
    Unnegotiated,
}

/// The kind and the full size of the frame at the beginning of `octets`, or None while its head is incomplete.
///
/// A length is judged as soon as it is there: the first four octets of an HTTP request or of a TLS hello are a frame of
/// hundreds of megabytes.
pub(super) fn head(octets: &[u8]) -> Result<Option<(u8, usize)>, Malformed> {
    let Some((length, rest)) = octets.split_first_chunk() else { return Ok(None) };
    let length = u32::from_be_bytes(*length);
    let payload = usize::try_from(length).ok().filter(|&length| (1..=LONGEST).contains(&length));
    let Some(payload) = payload else { return Err(Malformed::Length(length)) };
    match rest.first() {
        None => Ok(None),
        Some(&kind) => Ok(Some((kind, HEAD - 1 + payload))),
    }
}

/// A frame from its parts.
pub(super) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 1).expect("a frame we make is shorter than LONGEST");
    let mut frame = length.to_be_bytes().to_vec();
    frame.push(kind);
    frame.extend_from_slice(payload);
    frame
}

/// A connect frame without what the library cannot read in it, or None where there is no such thing.
///
/// Sendmail writes an IPv6 address as `IPv6:2001:db8::1` (the tag of RFC 5321, 4.1.3), and a link-local one may carry
/// its zone (`%eth0`). The library closes on both.
pub(super) fn plain_connect(payload: &[u8]) -> Option<Vec<u8>> {
    const PORT: usize = 2;
    let name = payload.iter().position(|&octet| octet == 0)?;
    let (b'6', rest) = payload[name + 1..].split_first()? else { return None };
    let (port, rest) = rest.split_at_checked(PORT)?;
    let written = &rest[..rest.iter().position(|&octet| octet == 0)?];

    let untagged = match written.split_at_checked(5) {
        Some((tag, address)) if tag.eq_ignore_ascii_case(b"IPv6:") => address,
        _ => written,
    };
    let address = untagged.split(|&octet| octet == b'%').next().unwrap_or(untagged);
    if address.len() == written.len() {
        return None;
    }
    Some([&payload[..name + 2], port, address, &[0]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_judged_before_the_rest_arrives() {
        assert_eq!(head(b"\0\0\0"), Ok(None));
        assert_eq!(head(b"\0\0\0\x0d"), Ok(None));
        assert_eq!(head(b"\0\0\0\x0dO"), Ok(Some((b'O', 17))));
        assert_eq!(head(b"\0\x10\0\0B"), Ok(Some((b'B', 4 + LONGEST))));
        assert_eq!(head(b"\0\x10\0\x01"), Err(Malformed::Length(0x10_0001)));
        assert_eq!(head(b"\0\0\0\0"), Err(Malformed::Length(0)));
        assert_eq!(head(b"GET / HTTP/1.0"), Err(Malformed::Length(0x4745_5420)));
        assert_eq!(head(b"\x16\x03\x01\x02\0\x01"), Err(Malformed::Length(0x1603_0102)));
    }

    fn check_connect(family_to_address: &[u8], expected: Option<&[u8]>) {
        let payload = [b"host\0", family_to_address].concat();
        let expected = expected.map(|rest| [b"host\0", rest].concat());
        assert_eq!(plain_connect(&payload), expected, "{}", family_to_address.escape_ascii());
    }

    #[test]
    fn an_ipv6_address_loses_tag_and_zone() {
        check_connect(b"6\x12\x34IPv6:2001:db8::1\0", Some(b"6\x12\x342001:db8::1\0"));
        check_connect(b"6\0\0ipv6:::1\0", Some(b"6\0\0::1\0"));
        check_connect(b"6\0\x19fe80::1%eth0\0", Some(b"6\0\x19fe80::1\0"));
        check_connect(b"6\0\x19IPv6:fe80::1%eth0\0", Some(b"6\0\x19fe80::1\0"));
    }

    #[test]
    fn other_connect_frames_stay_as_they_are() {
        check_connect(b"6\x12\x342001:db8::1\0", None);
        check_connect(b"4\x12\x34192.0.2.1\0", None);
        check_connect(b"L\0\0/run/IPv6:x\0", None);
        check_connect(b"U", None);
        check_connect(b"6\x12", None);
        check_connect(b"6\x12\x34IPv6:::1", None);
        assert_eq!(plain_connect(b""), None);
        assert_eq!(plain_connect(b"host"), None);
        assert_eq!(plain_connect(b"host\0"), None);
    }
}
