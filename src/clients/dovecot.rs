//! Dovecot's protocol for those who ask its user database (the socket `auth-userdb`).

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::pool::{Limits, Pool, Protocol};
use super::wire::{Wire, garbled};
use super::{Endpoint, NEAR, Trouble};
use crate::clients::files::problem::quoted;

/// The longest line of ours, in octets. Dovecot 2.3 takes 1024 with the line feed, and closes the connection above.
const LONGEST_QUESTION: usize = 1000;

/// The longest line of Dovecot's: a user with all fields.
const LONGEST_ANSWER: usize = 65_536;

/// The version of the protocol that we speak; another major one is another protocol.
const VERSION: &str = "1";

const LIMITS: Limits = Limits { connections: 8, answer: NEAR, idle: Duration::from_mins(1) };

/// A user database.
#[derive(Debug)]
pub(crate) struct Userdb(Pool<Lines>);

/// What Dovecot says of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It exists, under this name.
    User(String),
    /// It does not, or cannot.
    NotFound,
    /// The database does not answer, or we may not ask it: the reason, for the log.
    Failed(String),
}

impl Userdb {
    /// The database behind a socket.
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self(Pool::new(Lines(AtomicU32::new(1)), endpoint, LIMITS))
    }

    /// Where the server is.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        self.0.endpoint()
    }

    /// Asks for a user as LMTP would.
    pub(crate) async fn find(&self, user: &str) -> Result<Answer, Trouble> {
        let question = format!("{}\tservice=lmtp", escape(user));
        if question.len() > LONGEST_QUESTION {
            return Err(Trouble::Unaskable(format!("a name of {} octets is too long", user.len())));
        }
        self.0.ask(&question).await
    }
}

/// Lines of fields over a connection, with the number of the next question.
#[derive(Debug)]
struct Lines(AtomicU32);

impl Protocol for Lines {
    type Session = ();
    type Question = String;
    type Answer = Answer;

    async fn open(&self, wire: &mut Wire) -> Result<(), Trouble> {
        wire.send(format!("VERSION\t{VERSION}\t0\n").as_bytes()).await?;
        let mut is_same = false;
        loop {
            let line = wire.line(LONGEST_ANSWER).await?;
            match String::from_utf8_lossy(&line).split('\t').collect::<Vec<_>>().as_slice() {
                ["VERSION", VERSION, ..] => is_same = true,
                ["VERSION", other, ..] => {
                    return Err(Trouble::Refused(format!(
                        "it speaks version {} of the protocol",
                        quoted(other)
                    )));
                }
                ["SPID", ..] if is_same => return Ok(()),
                ["CPID" | "MECH" | "CUID" | "COOKIE", ..] => {
                    return Err(Trouble::Refused(
                        "this socket is for logins, not for `auth-userdb`".to_owned(),
                    ));
                }
                _ => return Err(garbled(&line)),
            }
        }
    }

    async fn ask(&self, wire: &mut Wire, (): &mut (), question: &String) -> Result<Answer, Trouble> {
        let number = self.0.fetch_add(1, Ordering::Relaxed).max(1).to_string();
        wire.send(format!("USER\t{number}\t{question}\n").as_bytes()).await?;
        let line = wire.line(LONGEST_ANSWER).await?;
        match String::from_utf8_lossy(&line).split('\t').collect::<Vec<_>>().as_slice() {
            ["USER", of, user, ..] if *of == number => Ok(Answer::User(unescape(user))),
            ["NOTFOUND", of, ..] if *of == number => Ok(Answer::NotFound),
            ["FAIL", of, rest @ ..] if *of == number => {
                let reason = rest.iter().find_map(|field| field.strip_prefix("reason="));
                Ok(Answer::Failed(match reason {
                    Some(reason) => quoted(&unescape(reason)),
                    None => "Dovecot cannot tell, or its socket does not let us ask; see its log".to_owned(),
                }))
            }
            _ => Err(garbled(&line)),
        }
    }
}

/// Characters that must not stand in a field, with what stands for them behind a U+0001.
const ESCAPES: [(char, char); 5] = [('\u{1}', '1'), ('\t', 't'), ('\n', 'n'), ('\r', 'r'), ('\0', '0')];

/// A text as a field has it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match ESCAPES.iter().find(|(special, _)| *special == c) {
            Some((_, code)) => escaped.extend(['\u{1}', *code]),
            None => escaped.push(c),
        }
    }
    escaped
}

/// The text of a field.
fn unescape(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut characters = field.chars();
    while let Some(c) = characters.next() {
        let code = if c == '\u{1}' { characters.next() } else { None };
        match code {
            Some(code) => {
                let known = ESCAPES.iter().find(|(_, known)| *known == code);
                text.push(known.map_or(code, |(special, _)| *special));
            }
            None => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_ends_the_field() {
        let name = "a\tb\nc\rd\0e\u{1}f é";
        assert_eq!(escape(name), "a\u{1}tb\u{1}nc\u{1}rd\u{1}0e\u{1}1f é");
        assert_eq!(unescape(&escape(name)), name);
        assert_eq!(unescape("a\u{1}"), "a\u{1}");
    }
}
