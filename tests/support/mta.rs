//! What a mail system under test is to a test, whichever MTA it is.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use crate::smtp::Client;
use crate::tls::Authority;

/// The name that every MTA under test gives itself, and the authserv-id of the daemon beside it.
pub(crate) const HOST_NAME: &str = "mx.local.test";

/// The password of every login.
pub(crate) const PASSWORD: &str = "open sesame";

/// A mail system under test, which offers STARTTLS.
pub(crate) trait Mta {
    /// A new connection, as the client with these attributes (`ADDR=192.0.2.1 NAME=mail.example`).
    ///
    /// EHLO is the caller's.
    fn connect(&self, service: Service, attributes: &str) -> Client;

    /// Who has certified this host, and may certify clients.
    fn authority(&self) -> &Authority;

    /// Gives a message (lines ended by LF) to sendmail(1) with these arguments, as programs of the host do.
    fn submit(&self, arguments: &str, message: &str);

    /// Returns when it holds no mail any more.
    ///
    /// # Panics
    ///
    /// When it goes on to hold some.
    fn wait_until_idle(&self) {}

    /// The header and body of the message in a mailbox, which has one, and which is empty then; none where there is no
    /// message.
    fn take(&self, mailbox: &str) -> Option<Vec<u8>> {
        panic!("there is no mailbox {mailbox}");
    }
}

/// The services of a mail system, each with a milter of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Mail exchange (RFC 5321). Some users log in here.
    Exchange,
    /// Message submission (RFC 6409): mail is accepted from logins only.
    Submission,
}
