//! Exceptions: who is exempt from which lock, and until when.

use ipnet::IpNet;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::CheckId;
use crate::mail::{Domain, ForwardPath, Mailbox, ReversePath};
use crate::session::{LoginPattern, LoginRules, Point, Request};

/// One exception. Every condition that is set must hold; one without conditions matches nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The reverse-path.
    pub sender: Option<Pattern>,
    /// The client's network.
    pub network: Option<IpNet>,
    /// The recipient; at the end of the message, every recipient. At MAIL it may be anybody.
    pub recipient: Option<Pattern>,
    /// The login.
    pub login: Option<LoginPattern>,
    /// The lock that is lifted; none means all.
    pub lock: Option<CheckId>,
    /// The last day (UTC) on which it holds.
    pub until: Option<Date>,
    /// Why it was made, for the log.
    pub note: Option<String>,
}

impl Exception {
    /// Whether this exception may lift `check` for anybody. What lifts the block of a client that guesses names is its
    /// network: the client itself writes the sender, and one for which a recipient would lift the block could go on to
    /// ask for all others, as nobody knows at MAIL who the recipients will be.
    pub fn may_lift(&self, check: CheckId) -> bool {
        self.lock.is_none_or(|lock| lock == check) && (check != CheckId::Harvest || self.network.is_some())
    }

    /// Whether this exception lifts `check` for the request; `rules` are those of the domain that it stands at.
    pub fn matches(&self, check: CheckId, request: &Request<'_>, rules: LoginRules<'_>) -> bool {
        let today = TimeZone::UTC.to_datetime(request.now).date();
        let conditions = [
            self.sender.as_ref().map(|pattern| pattern.matches_reverse(&request.envelope.reverse_path)),
            self.network.map(|network| request.session.client.address.is_some_and(|a| network.contains(&a))),
            self.recipient.as_ref().map(|pattern| pattern.matches_recipients(request)),
            self.login
                .as_ref()
                .map(|pattern| request.account().is_some_and(|account| pattern.matches(&account, rules))),
        ];
        self.may_lift(check)
            && !self.is_expired(today)
            && conditions.iter().any(Option::is_some)
            && conditions.into_iter().flatten().all(|holds| holds)
    }

    /// Whether this exception vouches for the client: by SPF, nothing is held against what the client's network sends, and
    /// so nothing that follows from SPF. The other conditions are what the client itself has written.
    pub fn vouches(&self, request: &Request<'_>, rules: LoginRules<'_>) -> bool {
        self.network.is_some() && self.matches(CheckId::Spf, request, rules)
    }

    /// Whether its last day is over.
    pub fn is_expired(&self, today: Date) -> bool {
        self.until.is_some_and(|until| until < today)
    }
}

/// An address or a whole domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// One mailbox; the local-part in any case.
    Mailbox(Mailbox),
    /// Every mailbox of this domain: `@example.org` or `example.org`.
    Domain(Domain),
    /// The null reverse-path `<>`.
    Null,
}

impl Pattern {
    fn matches(&self, mailbox: &Mailbox) -> bool {
        match self {
            Self::Mailbox(own) => {
                own.domain() == mailbox.domain()
                    && own.local_part().to_lowercase() == mailbox.local_part().to_lowercase()
            }
            Self::Domain(domain) => domain == mailbox.domain(),
            Self::Null => false,
        }
    }

    fn matches_reverse(&self, path: &ReversePath) -> bool {
        match path {
            ReversePath::Null => *self == Self::Null,
            ReversePath::Mailbox(mailbox) => self.matches(mailbox),
            ReversePath::Malformed(_) | ReversePath::Twofold(_) => false,
        }
    }

    fn matches_recipients(&self, request: &Request<'_>) -> bool {
        let matches = |path: &ForwardPath| match path {
            ForwardPath::Mailbox(mailbox) => self.matches(mailbox),
            ForwardPath::Postmaster
            | ForwardPath::AtLiteral(_)
            | ForwardPath::Malformed(_)
            | ForwardPath::Twofold(_) => false,
        };
        match request.point {
            // Nobody knows yet who they will be.
            Point::Transaction => true,
            Point::Recipient(path) => matches(path),
            Point::Message(_) => request.envelope.forward_paths().all(matches),
        }
    }
}

/// A text that is neither an address nor a domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("‘{0}’ is neither an address nor a domain")]
pub struct PatternError(String);

impl std::str::FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |_| PatternError(text.to_owned());
        match text.strip_prefix('@') {
            _ if text == "<>" => Ok(Self::Null),
            Some(domain) => domain.parse().map(Self::Domain).map_err(error),
            None if text.contains('@') => {
                text.parse().map(Self::Mailbox).map_err(|_| PatternError(text.to_owned()))
            }
            None => text.parse().map(Self::Domain).map_err(error),
        }
    }
}
