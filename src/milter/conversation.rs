//! What the milter shell tells the daemon, and what it wants to know: one [`Conversation`] for one connection of an MTA.
//!
//! Text comes as the MTA sent it; octets that are no UTF-8 have become U+FFFD, which no valid address, name or login
//! holds. Nothing is parsed here, because what a text means depends on the MTA (DESIGN, 4).

use std::future::Future;
use std::net::IpAddr;

use crate::mail::{Edit, Field, Reply};

/// One SMTP session as an MTA reports it, with any number of messages in sequence.
///
/// It begins with a [`Connect`], from which the listener's closure makes it, and is dropped when the connection ends.
/// Events come one at a time, in the order in which the MTA sent them, and the order is kept whatever a peer does: a
/// message begins at [`mail`](Self::mail), goes on with [`rcpt`](Self::rcpt) and [`header`](Self::header), and ends
/// exactly once: at [`end_of_message`](Self::end_of_message), at [`abort`](Self::abort), or with the connection.
///
/// HELO, MAIL, header fields and what the MTA refuses are only collected, so their methods have no answer and must not
/// wait for anything. Whether a message may begin is a question of its own, [`begun`](Self::begun).
/// A panic in a method ends this connection and no other.
pub trait Conversation: Send + 'static {
    /// The client has said HELO or EHLO. It may do so again, between messages: after STARTTLS, or because it likes to.
    /// The last one counts.
    fn helo(&mut self, name: String);

    /// A new message. Nothing of an earlier one may be left, the login included.
    fn mail(&mut self, mail: Mail);

    /// Whether the message that has just begun may go on. Asked only where the MTA waits for an answer to MAIL, which it
    /// does where we [wished](super::Wishes::mail) for it and where it cannot do without.
    fn begun(&mut self) -> impl Future<Output = Answer> + Send;

    /// One more recipient, which the MTA itself has no objection to. [`Answer::Reply`] refuses this recipient only,
    /// [`Answer::Discard`] the whole message.
    fn rcpt(&mut self, rcpt: Rcpt) -> impl Future<Output = Answer> + Send;

    /// A recipient that the MTA itself refuses, for the reason that its enhanced status code in `rcpt.host` gives; the
    /// address in `rcpt.address` is an error text. It is none of the message's, and nobody waits for an answer.
    fn refused(&mut self, rcpt: Rcpt);

    /// One more header field, from the top to the bottom of the message.
    fn header(&mut self, field: Field);

    /// A piece of the body, in order, on services that wish for bodies; whether more of this body is wanted. Nothing must
    /// be waited for.
    fn body(&mut self, piece: &[u8]) -> bool;

    /// The message is complete. The edits are made in the order given, and only if the answer is [`Answer::Continue`]:
    /// a deletion must not come before one with a higher occurrence of the same name.
    ///
    /// The queue id is what the MTA calls the message in its log.
    fn end_of_message(
        &mut self,
        queue_id: Option<String>,
    ) -> impl Future<Output = (Vec<Edit>, Answer)> + Send;

    /// The open message will not be sent.
    fn abort(&mut self);
}

/// The answer to a recipient or to a message, at its beginning or at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// No objection.
    Continue,
    /// Refuse, for now (4xx) or for good (5xx).
    Reply(Reply),
    /// Take the message and drop it, without a word to anybody.
    Discard,
}

/// The client that has connected to the MTA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The name that the MTA found for the client by reverse look-up, or `[address]`, or `unknown`.
    pub client_name: String,
    /// The client address; IPv4-mapped IPv6 has become IPv4. None for a Unix socket or a client unknown to the MTA.
    pub address: Option<IpAddr>,
    /// The client port; 0 where the MTA does not know it, which proxies can bring about.
    pub port: u16,
    /// The name of the MTA's host, `j`.
    pub host: Option<String>,
    /// The MTA itself, `v`: `Postfix 3.7.11`, `8.17.1.9`.
    pub software: Option<String>,
    /// The name of the MTA's service, `{daemon_name}`: `ORIGINATING`, `MSA`.
    pub daemon_name: Option<String>,
}

/// The MAIL command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The reverse-path as the client wrote it. Mail that began on the MTA's own host has no angle brackets.
    pub argument: String,
    /// The ESMTP parameters, `KEYWORD` or `KEYWORD=value`.
    pub parameters: Vec<String>,
    /// The reverse-path as the MTA understood it, `{mail_addr}`; empty for the null reverse-path.
    pub address: Option<String>,
    /// The login, `{auth_authen}`; never empty.
    pub login: Option<String>,
    /// The SASL mechanism of the login, `{auth_type}`; never empty.
    pub mechanism: Option<String>,
    /// The queue id, where the MTA has one already (Sendmail).
    pub queue_id: Option<String>,
}

/// A RCPT command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rcpt {
    /// The forward-path as the client wrote it.
    pub argument: String,
    /// The ESMTP parameters, `KEYWORD` or `KEYWORD=value`.
    pub parameters: Vec<String>,
    /// The forward-path as the MTA understood it, `{rcpt_addr}`; on Sendmail, the place it will be delivered to.
    pub address: Option<String>,
    /// The next hop, `{rcpt_host}`.
    pub host: Option<String>,
    /// The transport or mailer, `{rcpt_mailer}`; absent for mail that began on the MTA's own host.
    pub mailer: Option<String>,
    /// The queue id, where the MTA has one already (Sendmail; Postfix from the second accepted recipient on).
    pub queue_id: Option<String>,
}
