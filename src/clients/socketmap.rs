//! Sendmail's socketmap protocol, as `socketmap_table(5)` of Postfix describes it.

use std::time::Duration;

use super::pool::{Limits, Pool, Protocol};
use super::wire::{Wire, garbled};
use super::{Endpoint, NEAR, Trouble};
use crate::clients::files::problem::quoted;

/// The longest answer, in octets, without what makes it a netstring; Postfix has the same limit. We hold questions to it
/// as well.
const LONGEST: usize = 100_000;

/// Connections are few, as some servers have a process for each, and are closed as soon as Postfix would close them.
const LIMITS: Limits = Limits { connections: 8, answer: NEAR, idle: Duration::from_secs(10) };

/// A map of a server.
#[derive(Debug)]
pub(crate) struct Socketmap {
    map: String,
    pool: Pool<Netstrings>,
}

/// What a server says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// `OK`: its value.
    Found(String),
    /// `NOTFOUND`
    NotFound,
    /// `TEMP` or `TIMEOUT`: the word with the server's reason, for the log.
    Failed(String),
    /// `PERM`: the same. It may be about the key, or about the map.
    FailedForGood(String),
}

impl Socketmap {
    /// The map of that name.
    pub(crate) fn new(endpoint: Endpoint, map: &str) -> Self {
        Self { map: map.to_owned(), pool: Pool::new(Netstrings, endpoint, LIMITS) }
    }

    /// Where the server is.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        self.pool.endpoint()
    }

    /// The name of the map.
    pub(crate) fn map(&self) -> &str {
        &self.map
    }

    /// Asks for a key, whatever octets it has.
    pub(crate) async fn find(&self, key: &str) -> Result<Answer, Trouble> {
        let question = format!("{} {key}", self.map);
        if question.len() > LONGEST {
            return Err(Trouble::Unaskable(format!("a key of {} octets is too long", key.len())));
        }
        self.pool.ask(&question).await
    }
}

/// Whether a text can be the name of a map: the first space ends it.
pub(crate) fn is_map_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Netstrings over a connection. Their length is said beforehand, so nothing in them can end them.
#[derive(Debug)]
struct Netstrings;

impl Protocol for Netstrings {
    type Session = ();
    type Question = String;
    type Answer = Answer;

    async fn open(&self, _: &mut Wire) -> Result<(), Trouble> {
        Ok(())
    }

    async fn ask(&self, wire: &mut Wire, (): &mut (), question: &String) -> Result<Answer, Trouble> {
        wire.send(format!("{}:{question},", question.len()).as_bytes()).await?;
        let length = length(wire).await?;
        let answer = wire.octets(length).await?;
        match wire.octets(1).await?.as_slice() {
            b"," => read(&answer),
            other => Err(garbled(other)),
        }
    }
}

/// The length that a netstring begins with.
async fn length(wire: &mut Wire) -> Result<usize, Trouble> {
    let mut digits = Vec::new();
    loop {
        match wire.octets(1).await?[0] {
            b':' if !digits.is_empty() => break,
            digit @ b'0'..=b'9' if digits != b"0" => digits.push(digit),
            other => return Err(garbled(&[digits, vec![other]].concat())),
        }
        if digits.len() > 6 {
            break;
        }
    }
    let length = String::from_utf8_lossy(&digits).parse();
    length
        .ok()
        .filter(|length| *length <= LONGEST)
        .ok_or_else(|| Trouble::Garbled(format!("the answer has more than {LONGEST} octets")))
}

fn read(answer: &[u8]) -> Result<Answer, Trouble> {
    let (word, rest) = match answer.iter().position(|octet| *octet == b' ') {
        Some(space) => (&answer[..space], Some(&answer[space + 1..])),
        None => (answer, None),
    };
    match (word, rest) {
        (b"OK", Some(value)) => match str::from_utf8(value) {
            Ok(value) => Ok(Answer::Found(value.to_owned())),
            Err(_) => Err(Trouble::Garbled("the value is not UTF-8".to_owned())),
        },
        (b"NOTFOUND", _) => Ok(Answer::NotFound),
        (b"TEMP" | b"TIMEOUT" | b"PERM", reason) => {
            let word = String::from_utf8_lossy(word);
            let reason = String::from_utf8_lossy(reason.unwrap_or_default()).trim().to_owned();
            let why = if reason.is_empty() {
                word.clone().into_owned()
            } else {
                format!("{word} {}", quoted(&reason))
            };
            Ok(if word == "PERM" { Answer::FailedForGood(why) } else { Answer::Failed(why) })
        }
        _ => Err(garbled(answer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: &[u8], expected: &str) {
        let found = match read(answer) {
            Ok(Answer::Found(value)) => format!("found {value}"),
            Ok(Answer::NotFound) => "not found".to_owned(),
            Ok(Answer::Failed(why)) => format!("failed {why}"),
            Ok(Answer::FailedForGood(why)) => format!("failed for good {why}"),
            Err(_) => "garbage".to_owned(),
        };
        assert_eq!(found, expected, "{}", answer.escape_ascii());
    }

    #[test]
    fn answers() {
        check(b"OK a b", "found a b");
        check(b"OK ", "found ");
        check("OK é".as_bytes(), "found é");
        check(b"NOTFOUND ", "not found");
        check(b"NOTFOUND", "not found");
        check(b"TEMP later", "failed TEMP ‘later’");
        check(b"TIMEOUT ", "failed TIMEOUT");
        check(b"PERM no\nmap", "failed for good PERM ‘no\\nmap’");
        for garbage in [&b""[..], b"OK", b"ok x", b"OKAY x", b" OK x", b"NOTFOUNDX", b"OK \xff", b"\0"] {
            check(garbage, "garbage");
        }
    }

    #[test]
    fn names_of_maps() {
        assert!(is_map_name("recipients"));
        for text in ["", "a b", "a\nb", "a\0"] {
            assert!(!is_map_name(text), "{text:?}");
        }
    }
}
