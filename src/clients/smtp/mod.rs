//! Call-ahead: asking an SMTP or LMTP server whether it would take mail for a mailbox, without sending any (RFC 5321,
//! RFC 2033).

mod reply;

use std::time::Duration;

use super::pool::{Limits, Pool, Protocol};
use super::wire::Wire;
use super::{Endpoint, Trouble};
use crate::mail::Mailbox;
use reply::Reply;
pub(crate) use reply::Verdict;

/// The longest command line, in octets: what Postfix takes, and four times what every server must (RFC 5321, 4.5.3.1.4).
const LONGEST_COMMAND: usize = 2048;

/// How many recipients are asked for on a connection. Postfix counts the RSET between them as junk, of which it takes 100.
const MOST_RECIPIENTS: usize = 50;

/// How many refusals a connection may see: after ten errors Postfix makes clients wait.
const MOST_REFUSALS: usize = 8;

/// The server may be anywhere, and a decision takes 8 s at most. Nobody likes to have many connections from one client,
/// nor one that says nothing: the timeout of a server is 5 minutes or more (RFC 5321, 4.5.3.2.7).
const LIMITS: Limits =
    Limits { connections: 4, answer: Duration::from_secs(5), idle: Duration::from_secs(30) };

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// RFC 5321.
    Smtp,
    /// RFC 2033.
    Lmtp,
}

/// A server that is asked.
#[derive(Debug)]
pub(crate) struct CallAhead(Pool<Conversation>);

impl CallAhead {
    /// A server; `host_name` is ours, and mail would come from `sender`, or the null reverse-path.
    pub(crate) fn new(
        dialect: Dialect,
        endpoint: Endpoint,
        host_name: &str,
        sender: Option<Mailbox>,
    ) -> Self {
        let conversation = Conversation { dialect, host_name: host_name.to_owned(), sender };
        Self(Pool::new(conversation, endpoint, LIMITS))
    }

    /// Where the server is.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        self.0.endpoint()
    }

    /// Asks for a mailbox.
    pub(crate) async fn find(&self, mailbox: &Mailbox) -> Result<Verdict, Trouble> {
        let path = path(mailbox).ok_or_else(|| {
            Trouble::Unaskable("a path cannot hold the characters of this address".to_owned())
        })?;
        if path.len() + "RCPT TO:<>\r\n".len() > LONGEST_COMMAND {
            return Err(Trouble::Unaskable(format!("an address of {} octets is too long", path.len())));
        }
        self.0.ask(&Question { mailbox: mailbox.clone(), path }).await
    }
}

/// Sessions with a server.
#[derive(Debug)]
struct Conversation {
    dialect: Dialect,
    host_name: String,
    sender: Option<Mailbox>,
}

/// A mailbox, and how it is written.
#[derive(Debug)]
struct Question {
    mailbox: Mailbox,
    path: String,
}

/// What is known of a connection.
#[derive(Debug, Default)]
struct Session {
    offers_smtputf8: bool,
    recipients: usize,
    refusals: usize,
    /// Whether the server will not go on.
    is_over: bool,
}

impl Protocol for Conversation {
    type Session = Session;
    type Question = Question;
    type Answer = Verdict;

    const FAREWELL: &'static [u8] = b"QUIT\r\n";

    async fn open(&self, wire: &mut Wire) -> Result<Session, Trouble> {
        Reply::read(wire).await?.accepted("the greeting is")?;
        let verb = match self.dialect {
            Dialect::Smtp => "EHLO",
            Dialect::Lmtp => "LHLO",
        };
        wire.send(format!("{verb} {}\r\n", self.host_name).as_bytes()).await?;
        let hello = Reply::read(wire).await?.accepted(&format!("{verb} is answered by"))?;
        Ok(Session { offers_smtputf8: hello.offers("SMTPUTF8"), ..Session::default() })
    }

    async fn ask(
        &self,
        wire: &mut Wire,
        session: &mut Session,
        question: &Question,
    ) -> Result<Verdict, Trouble> {
        let Question { mailbox, path } = question;
        let sender = self.sender.as_ref().and_then(self::path).unwrap_or_default();
        let is_ascii = path.is_ascii() && sender.is_ascii();
        if !is_ascii && !session.offers_smtputf8 {
            let why = "the server does not offer SMTPUTF8, without which it cannot be asked".to_owned();
            return Ok(Verdict::Undetermined(why));
        }
        let parameter = if is_ascii { "" } else { " SMTPUTF8" };
        wire.send(format!("MAIL FROM:<{sender}>{parameter}\r\n").as_bytes()).await?;
        let mail = Reply::read(wire).await?;
        if mail.code() == 421 && session.recipients > 0 {
            // It closes a connection that was quiet for too long (RFC 5321, 3.8). It was not asked anything yet.
            return Err(Trouble::Closed);
        }
        mail.accepted("MAIL is answered by")?;
        session.recipients += 1;
        wire.send(format!("RCPT TO:<{path}>\r\n").as_bytes()).await?;
        let answer = Reply::read_or_end(wire).await?;
        session.refusals += usize::from(answer.code() >= 400);
        session.is_over = answer.code() == 421 || !resets(wire).await;
        Ok(answer.verdict(mailbox))
    }

    fn is_spent(&self, session: &Session) -> bool {
        session.is_over || session.recipients >= MOST_RECIPIENTS || session.refusals >= MOST_REFUSALS
    }
}

/// Ends the transaction. What was answered stays true if that fails.
async fn resets(wire: &mut Wire) -> bool {
    wire.send(b"RSET\r\n").await.is_ok()
        && Reply::read(wire).await.is_ok_and(|reply| matches!(reply.code(), 200..=299))
}

/// A mailbox as a path holds it, without the angle brackets (RFC 5321, 4.1.2; RFC 6531, 3.3); none where it cannot.
fn path(mailbox: &Mailbox) -> Option<String> {
    let local_part = mailbox.local_part();
    if local_part.is_empty() || local_part.contains(char::is_control) {
        return None;
    }
    let atext = |c: char| c.is_ascii_alphanumeric() || !c.is_ascii() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let is_dot_string = local_part.split('.').all(|atom| !atom.is_empty() && atom.chars().all(atext));
    Some(if is_dot_string {
        format!("{local_part}@{}", mailbox.domain())
    } else {
        let escaped = local_part.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"@{}", mailbox.domain())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(local_part: &str, expected: Option<&str>) {
        let found = path(&Mailbox::new(local_part, "example.org".parse().unwrap()));
        let expected = expected.map(|local_part| format!("{local_part}@example.org"));
        assert_eq!(found, expected, "{local_part}");
    }

    #[test]
    fn nothing_in_a_local_part_ends_the_path() {
        check("alice", Some("alice"));
        check("a.b+c", Some("a.b+c"));
        check("élodie", Some("élodie"));
        check("..%2f", Some("\"..%2f\""));
        check("a..b", Some("\"a..b\""));
        check(".a", Some("\".a\""));
        check("%s", Some("%s"));
        check("' OR 1=1 --", Some("\"' OR 1=1 --\""));
        check("*)(uid=*", Some("\"*)(uid=*\""));
        check("a>b", Some("\"a>b\""));
        check("a> SIZE=1", Some("\"a> SIZE=1\""));
        check("a@b", Some("\"a@b\""));
        check("a\"b\\c", Some("\"a\\\"b\\\\c\""));
        for refused in ["", "a\tb", "a\r\nQUIT", "a\0b", "a\u{85}b", "a\u{7f}"] {
            check(refused, None);
        }
    }

    proptest! {
        #[test]
        fn a_path_means_the_mailbox_that_it_was_made_of(local_part in "(\\PC|[ \"\\\\<>@.]){1,20}") {
            let mailbox = Mailbox::new(local_part, "example.org".parse().unwrap());
            let path = path(&mailbox).unwrap();
            prop_assert_eq!(path.parse(), Ok(mailbox));
        }
    }
}
