//! Postfix's own protocol of questions over TCP (`tcp_table(5)`).

use std::time::Duration;

use super::pool::{Limits, Pool, Protocol};
use super::wire::{Wire, garbled};
use super::{Endpoint, NEAR, Trouble};
use crate::clients::files::problem::quoted;

/// The longest answer, in octets, with its line feed.
const LONGEST: usize = 4096;

/// The longest question that we ask; there is no limit in the protocol.
const LONGEST_KEY: usize = 100_000;

/// Postfix has one connection for each process, and never closes it.
const LIMITS: Limits = Limits { connections: 8, answer: NEAR, idle: Duration::from_mins(1) };

/// A server.
#[derive(Debug)]
pub(crate) struct TcpTable(Pool<Lines>);

/// What a server says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 200: its value.
    Found(String),
    /// 500
    NotFound,
    /// 400: the server's reason, for the log.
    Failed(String),
}

impl TcpTable {
    /// The table of a server.
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self(Pool::new(Lines, endpoint, LIMITS))
    }

    /// Asks for a key, whatever octets it has.
    pub(crate) async fn find(&self, key: &str) -> Result<Answer, Trouble> {
        if key.len() > LONGEST_KEY {
            return Err(Trouble::Unaskable(format!("a key of {} octets is too long", key.len())));
        }
        self.0.ask(&encode(key)).await
    }
}

/// Lines over a connection.
#[derive(Debug)]
struct Lines;

impl Protocol for Lines {
    type Session = ();
    type Question = String;
    type Answer = Answer;

    async fn open(&self, _: &mut Wire) -> Result<(), Trouble> {
        Ok(())
    }

    async fn ask(&self, wire: &mut Wire, (): &mut (), key: &String) -> Result<Answer, Trouble> {
        wire.send(format!("get {key}\n").as_bytes()).await?;
        read(&wire.line(LONGEST - 1).await?)
    }
}

/// A key as it is sent: `%XX` for every octet that is `%`, white space, or no printable ASCII.
fn encode(key: &str) -> String {
    let is_plain = |octet: u8| octet.is_ascii_graphic() && octet != b'%';
    let digit = |half: u8| char::from(b"0123456789ABCDEF"[usize::from(half)]);
    let mut encoded = String::with_capacity(key.len());
    for octet in key.bytes() {
        if is_plain(octet) {
            encoded.push(char::from(octet));
        } else {
            encoded.extend(['%', digit(octet >> 4), digit(octet & 15)]);
        }
    }
    encoded
}

/// The octets that an encoded text stands for; none where `%` is not followed by two digits.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(text.len());
    let mut octets = text.iter();
    while let Some(octet) = octets.next() {
        decoded.push(match octet {
            b'%' => digit(octets.next()?)? << 4 | digit(octets.next()?)?,
            octet => *octet,
        });
    }
    Some(decoded)
}

/// Reads a line: as in Postfix the first of three digits counts.
fn read(line: &[u8]) -> Result<Answer, Trouble> {
    let [kind, b'0'..=b'9', b'0'..=b'9', b' ' | b'\t', text @ ..] = line else { return Err(garbled(line)) };
    let text = decode(text).ok_or_else(|| garbled(line))?;
    match kind {
        b'2' => match String::from_utf8(text) {
            Ok(value) => Ok(Answer::Found(value)),
            Err(_) => Err(Trouble::Garbled("the value is not UTF-8".to_owned())),
        },
        b'4' => Ok(Answer::Failed(quoted(String::from_utf8_lossy(&text).trim()))),
        b'5' => Ok(Answer::NotFound),
        _ => Err(garbled(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_key_ends_the_line() {
        assert_eq!(encode("alice@example.org"), "alice@example.org");
        assert_eq!(encode("a b\t\n\r\0%é\u{7f}"), "a%20b%09%0A%0D%00%25%C3%A9%7F");
        let every: String = (0..=255_u8).map(char::from).collect();
        assert_eq!(decode(encode(&every).as_bytes()).unwrap(), every.as_bytes());
    }

    #[track_caller]
    fn check(line: &[u8], expected: &str) {
        let found = match read(line) {
            Ok(Answer::Found(value)) => format!("found {value}"),
            Ok(Answer::NotFound) => "not found".to_owned(),
            Ok(Answer::Failed(why)) => format!("failed {why}"),
            Err(_) => "garbage".to_owned(),
        };
        assert_eq!(found, expected, "{}", line.escape_ascii());
    }

    #[test]
    fn answers() {
        check(b"200 a%20b%c3%A9", "found a bé");
        check(b"200 a b", "found a b");
        check(b"200 ", "found ");
        check(b"500 none", "not found");
        check(b"550\tnone", "not found");
        check(b"400 later%0a", "failed ‘later’");
        for garbage in
            [&b""[..], b"200", b"20 x", b"2000 x", b"300 x", b"x", b"200 %4", b"200 %zz", b"200 %ff"]
        {
            check(garbage, "garbage");
        }
    }
}
