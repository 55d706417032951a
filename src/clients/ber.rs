//! Messages of LDAP as octets (RFC 4511, 5.1; X.690), looked at before the library reads them: it keeps what it has
//! until a message is whole, however long that one says it is, and it reads what is nested by recursion.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, split};
use tokio::net::UnixStream;

/// The longest message of a server, in octets.
const LONGEST: usize = 4 << 20;

/// How deep a message may be nested. A value of an attribute of an entry is at the sixth level.
const DEEPEST: usize = 12;

/// Tags.
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const SEQUENCE: u8 = 0x30;
const REFERRAL: u8 = 0xa3;
const NAME_OF_EXTENSION: u8 = 0x8a;
const CONSTRUCTED: u8 = 0x20;

/// Tags of what servers say (RFC 4511, 4.2 to 4.14).
const BIND_RESPONSE: u8 = 0x61;
const ENTRY: u8 = 0x64;
const DONE: u8 = 0x65;
const REFERENCE: u8 = 0x73;
const EXTENDED_RESPONSE: u8 = 0x78;
const INTERMEDIATE: u8 = 0x79;

/// A connection to a server.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Passes on what either side says, until one of them ends or the server says something that is no message.
pub(super) async fn connect(server: Box<dyn Duplex>, library: UnixStream) {
    let (server_reader, mut server_writer) = split(server);
    let (mut library_reader, mut library_writer) = library.into_split();
    let answers = async {
        let mut server = BufReader::new(server_reader);
        while let Some(message) = message(&mut server).await? {
            library_writer.write_all(&message).await?;
        }
        io::Result::Ok(())
    };
    let questions = tokio::io::copy(&mut library_reader, &mut server_writer);
    // Both streams end with this function; why does not matter to the library.
    tokio::select! {
        _ = answers => {}
        _ = questions => {}
    }
}

/// Asks for TLS and returns when it may begin (RFC 4511, 4.14).
///
/// Nothing that comes after the answer is read here, so that nobody can slip in what seems to come over TLS.
pub(super) async fn start_tls(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    const REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
    const SUCCESS: &[u8] = &[0];
    stream.write_all(REQUEST).await?;
    stream.flush().await?;
    let message = message(stream).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let result = (|| {
        let (_, body, _) = element(&message)?;
        let (_, _, rest) = element(body)?;
        let (tag, response, _) = element(rest)?;
        let (kind, result, _) = element(response)?;
        (tag == EXTENDED_RESPONSE && kind == ENUMERATED).then_some(result)
    })();
    match result {
        Some(SUCCESS) => Ok(()),
        Some(_) => Err(io::Error::other("it does not begin TLS")),
        None => Err(no_message()),
    }
}

/// The next message; none where the stream ends before one begins.
async fn message(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut message = vec![0; 2];
    if stream.read(&mut message[..1]).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut message[1..]).await?;
    if message[0] != SEQUENCE {
        return Err(no_message());
    }
    let more = if message[1] < 0x80 { 0 } else { usize::from(message[1] & 0x7f) };
    if more > size_of::<usize>() || message[1] == 0x80 {
        return Err(no_message());
    }
    message.resize(2 + more, 0);
    stream.read_exact(&mut message[2..]).await?;
    let (length, head) =
        length(&message[1..]).map(|(length, size)| (length, 1 + size)).ok_or_else(no_message)?;
    if length > LONGEST {
        return Err(no_message());
    }
    message.resize(head + length, 0);
    stream.read_exact(&mut message[head..]).await?;
    if is_message(&message[head..]) { Ok(Some(message)) } else { Err(no_message()) }
}

fn no_message() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what it says is not LDAP")
}

/// Whether octets may be what is in a message: its number, what it is about, and nothing nested too deep.
fn is_message(body: &[u8]) -> bool {
    let shape = (|| {
        let (tag, number, rest) = element(body)?;
        let (operation, content, _) = element(rest)?;
        let is_answer = match operation {
            BIND_RESPONSE | DONE | EXTENDED_RESPONSE => is_result(content)?,
            ENTRY => element(content)?.0 == OCTET_STRING,
            REFERENCE | INTERMEDIATE => true,
            _ => false,
        };
        Some(tag == INTEGER && (1..=4).contains(&number.len()) && is_answer)
    })();
    shape == Some(true) && is_shallow(body)
}

/// Whether octets are a result: a code, two texts, and what may follow them (RFC 4511, 4.1.9 to 4.12). The library takes a
/// code without octets for success, and panics at what is no text, where whoever asks would fall with it.
fn is_result(content: &[u8]) -> Option<bool> {
    let (code_tag, code, rest) = element(content)?;
    let (matched_tag, matched, rest) = element(rest)?;
    let (text_tag, text, mut rest) = element(rest)?;
    let mut is_good = code_tag == ENUMERATED
        && (1..=4).contains(&code.len())
        && matched_tag == OCTET_STRING
        && text_tag == OCTET_STRING
        && [matched, text].iter().all(|text| str::from_utf8(text).is_ok());
    while !rest.is_empty() {
        let (tag, more, after) = element(rest)?;
        is_good &= match tag {
            REFERRAL => are_texts(more)?,
            NAME_OF_EXTENSION => str::from_utf8(more).is_ok(),
            tag => tag & CONSTRUCTED == 0,
        };
        rest = after;
    }
    Some(is_good)
}

/// Whether octets are texts, one after another.
fn are_texts(mut octets: &[u8]) -> Option<bool> {
    while !octets.is_empty() {
        let (tag, text, after) = element(octets)?;
        if tag != OCTET_STRING || str::from_utf8(text).is_err() {
            return Some(false);
        }
        octets = after;
    }
    Some(true)
}

/// Whether elements are whole, and nested no deeper than is usual.
fn is_shallow(body: &[u8]) -> bool {
    let mut open = vec![body];
    while let Some(rest) = open.pop() {
        if rest.is_empty() {
            continue;
        }
        let Some((tag, content, rest)) = element(rest) else { return false };
        open.push(rest);
        if tag & CONSTRUCTED != 0 {
            if open.len() >= DEEPEST {
                return false;
            }
            open.push(content);
        }
    }
    true
}

/// The first element: its tag, its content, and what follows it.
fn element(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, after) = octets.split_first()?;
    // Tags of several octets do not occur in LDAP.
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (length, size) = length(after)?;
    let content = after.get(size..)?;
    let (content, rest) = content.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// A length, and how many octets say it. It is always said (RFC 4511, 5.1).
fn length(octets: &[u8]) -> Option<(usize, usize)> {
    let first = *octets.first()?;
    if first < 0x80 {
        return Some((usize::from(first), 1));
    }
    let count = usize::from(first & 0x7f);
    let digits = octets.get(1..=count).filter(|digits| !digits.is_empty())?;
    let length = digits.iter().try_fold(0_usize, |length, digit| {
        length.checked_mul(0x100).map(|length| length | usize::from(*digit))
    })?;
    Some((length, 1 + count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements() {
        assert_eq!(element(&[0x04, 0x02, b'a', b'b', b'c']), Some((0x04, &b"ab"[..], &b"c"[..])));
        assert_eq!(element(&[0x04, 0x81, 0x01, b'a']), Some((0x04, &b"a"[..], &b""[..])));
        for wrong in [&[][..], &[0x04], &[0x04, 0x01], &[0x04, 0x80], &[0x1f, 0x00], &[0x04, 0x82, 0x01]] {
            assert_eq!(element(wrong), None, "{wrong:?}");
        }
        assert_eq!(length(&[0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }

    /// An octet string in so many sequences.
    fn nested(depth: usize) -> Vec<u8> {
        (0..depth).fold(vec![0x04, 0x00], |inner, _| {
            let length = u8::try_from(inner.len()).unwrap();
            [vec![SEQUENCE, length], inner].concat()
        })
    }

    #[test]
    fn depth() {
        assert!(is_shallow(&nested(8)));
        assert!(!is_shallow(&nested(20)));
        assert!(!is_shallow(&[SEQUENCE, 0x02, 0x04, 0x01]));
        // Elements side by side are not nested.
        assert!(is_shallow(&nested(3).repeat(1000)));
    }

    #[tokio::test]
    async fn messages_of_a_stream() {
        let done = [0x30, 0x0c, 0x02, 0x01, 0x03, 0x65, 0x07, 0x0a, 0x01, 0x20, 0x04, 0x00, 0x04, 0x00];
        let twice = [done, done].concat();
        let mut stream = &twice[..];
        assert_eq!(message(&mut stream).await.unwrap().as_deref(), Some(&done[..]));
        assert_eq!(message(&mut stream).await.unwrap().as_deref(), Some(&done[..]));
        assert_eq!(message(&mut stream).await.unwrap(), None);
        let no_code = [0x30, 0x0b, 0x02, 0x01, 0x03, 0x65, 0x06, 0x0a, 0x00, 0x04, 0x00, 0x04, 0x00];
        for wrong in [
            &done[..6],
            &no_code,
            &[0x30],
            &[0x31, 0x00],
            &[0x30, 0x00],
            &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
        ] {
            let mut stream = wrong;
            assert!(message(&mut stream).await.is_err(), "{wrong:?}");
        }
    }
}
