//! The words of RFC 7208: identities, results, and what is asked and answered. The evaluation is `crate::spf`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{Domain, ReversePath};

/// A result of `check_host()` (RFC 7208, 2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpfResult {
    /// The domain publishes no record, or the identity is no domain that could.
    None,
    /// The domain says nothing about the client.
    Neutral,
    /// The client is authorised.
    Pass,
    /// The client is not authorised.
    Fail,
    /// The client is probably not authorised.
    Softfail,
    /// DNS did not answer; another try may.
    Temperror,
    /// The record cannot be interpreted.
    Permerror,
}

impl SpfResult {
    /// All results, in the order of RFC 7208, 2.6.
    pub const ALL: [Self; 7] =
        [Self::None, Self::Neutral, Self::Pass, Self::Fail, Self::Softfail, Self::Temperror, Self::Permerror];

    /// The word that Authentication-Results, Received-SPF, the log and the configuration use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Softfail => "softfail",
            Self::Temperror => "temperror",
            Self::Permerror => "permerror",
        }
    }
}

impl fmt::Display for SpfResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no SPF result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("‘{0}’ is no SPF result")]
pub struct UnknownResult(pub String);

impl FromStr for SpfResult {
    type Err = UnknownResult;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|result| result.as_str() == text)
            .ok_or_else(|| UnknownResult(text.to_owned()))
    }
}

/// Which identity was examined (RFC 7208, 2.3 and 2.4). They are never mixed up: a pass of one says nothing about the
/// other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpfIdentity {
    /// The domain in HELO or EHLO.
    Helo,
    /// The domain of the reverse-path.
    MailFrom,
}

impl SpfIdentity {
    /// The property that Authentication-Results names (RFC 8601, 2.7.2), without its type `smtp`.
    pub fn property(self) -> &'static str {
        match self {
            Self::Helo => "helo",
            Self::MailFrom => "mailfrom",
        }
    }
}

/// Everything that the result of one evaluation depends on, DNS apart (RFC 7208, 4.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpfQuestion {
    /// Which identity `local_part` and `domain` are.
    pub identity: SpfIdentity,
    /// The client address; IPv4-mapped addresses are IPv4 already.
    pub client: IpAddr,
    /// What the client said in HELO or EHLO, as it said it: the macro `%{h}`.
    pub helo: String,
    /// The local-part of the sender, raw; empty means `postmaster` (RFC 7208, 4.3).
    pub local_part: String,
    /// The domain whose record is evaluated, raw. Whether it can have one is for the evaluation to say.
    pub domain: String,
}

impl SpfQuestion {
    /// The HELO identity: the mailbox `postmaster` at the HELO domain (RFC 7208, 2.3 and 2.4).
    pub fn helo(client: IpAddr, helo: &str) -> Self {
        Self {
            identity: SpfIdentity::Helo,
            client,
            helo: helo.to_owned(),
            local_part: String::new(),
            domain: helo.to_owned(),
        }
    }

    /// The MAIL FROM identity; nothing for the null reverse-path, which is judged by the HELO identity.
    pub fn mail_from(client: IpAddr, helo: &str, reverse_path: &ReversePath) -> Option<Self> {
        let (local_part, domain) = match reverse_path {
            ReversePath::Null => return None,
            ReversePath::Mailbox(mailbox) => (mailbox.local_part().to_owned(), mailbox.domain().to_string()),
            // SPF is about what the next host will be told.
            ReversePath::Twofold(twofold) => match twofold.shown() {
                Some(mailbox) => (mailbox.local_part().to_owned(), mailbox.domain().to_string()),
                None => (String::new(), twofold.written().to_owned()),
            },
            // The domain decides, however odd the rest is: a malformed local-part must not turn ‘fail’ into ‘none’.
            ReversePath::Malformed(raw) => match raw.rsplit_once('@') {
                Some((local_part, domain)) => (local_part.to_owned(), domain.to_owned()),
                None => (String::new(), raw.clone()),
            },
        };
        Some(Self { identity: SpfIdentity::MailFrom, client, helo: helo.to_owned(), local_part, domain })
    }

    /// The evaluation that asks whether the client may send for `domain`, whatever the reverse-path is.
    pub fn on_behalf_of(client: IpAddr, helo: &str, domain: &Domain) -> Self {
        Self {
            identity: SpfIdentity::MailFrom,
            client,
            helo: helo.to_owned(),
            local_part: String::new(),
            domain: domain.to_string(),
        }
    }
}

/// The answer to a [`SpfQuestion`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfAnswer {
    /// The result.
    pub result: SpfResult,
    /// The `exp=` text of the sender's domain, expanded, of a `fail` (RFC 7208, 6.2). Attacker text.
    pub explanation: Option<String>,
    /// What led to the result, for the administrator: the mechanism that matched, or what went wrong.
    pub cause: String,
    /// Whether the domain says that it sends no mail at all: its record is `v=spf1 -all`.
    pub sends_no_mail: bool,
}

impl SpfAnswer {
    /// A bare result, for what needs no evaluation.
    pub fn new(result: SpfResult, cause: impl Into<String>) -> Self {
        Self { result, explanation: None, cause: cause.into(), sends_no_mail: false }
    }
}
