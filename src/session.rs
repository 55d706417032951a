//! Who is talking, and what was said so far: the session, the envelope, and the question put to [`crate::decide`].

mod login;

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;

pub use login::{Account, Login, LoginPattern, LoginPatternError, LoginRules};

use crate::mail::report::Report;
use crate::mail::{ForwardPath, Header, ReversePath};

/// Whom a listener serves (`listen.role`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Role {
    /// Everybody; local mail is recognised by its signs.
    #[default]
    Auto,
    /// The outside world: nothing is local here, logins are honoured.
    Inbound,
    /// Our own users.
    Submission,
    /// Mail made on this host: `non_smtpd_milters` of Postfix.
    Local,
}

impl Role {
    /// The word for it in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Inbound => "inbound",
            Self::Submission => "submission",
            Self::Local => "local",
        }
    }

    /// All roles with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("auto", Self::Auto),
        ("inbound", Self::Inbound),
        ("submission", Self::Submission),
        ("local", Self::Local),
    ];
}

/// The SMTP client as the MTA sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address; none when the MTA knows none. IPv4-mapped addresses are IPv4 already.
    pub address: Option<IpAddr>,
    /// Its verified host name, or what the MTA writes where there is none.
    pub name: String,
    /// Its port; 0 where there is no TCP connection or a proxy hides it.
    pub port: u16,
}

impl Client {
    /// The network that its holder can choose an address from: its /24, or its /64 in IPv6.
    pub fn network(&self) -> Option<IpNet> {
        let address = self.address?;
        let length = if address.is_ipv4() { 24 } else { 64 };
        IpNet::new(address, length).ok().map(|network| network.trunc())
    }

    /// Whether SPF can say something about the address: it is known and reachable from anywhere.
    ///
    /// What a private or loopback client relays was accepted elsewhere; a record names public addresses.
    pub fn is_public(&self) -> bool {
        self.address.is_some_and(is_public)
    }
}

/// Whether an address can be reached from anywhere.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => {
            let shared = a.octets()[0] == 100 && (64..128).contains(&a.octets()[1]); // RFC 6598
            !(a.is_private() || a.is_loopback() || a.is_link_local() || a.is_unspecified() || shared)
        }
        IpAddr::V6(a) => {
            !(a.is_unique_local() || a.is_loopback() || a.is_unicast_link_local() || a.is_unspecified())
        }
    }
}

/// One SMTP session: what outlives a mail transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The role of the listener that the MTA connected to.
    pub role: Role,
    /// The client.
    pub client: Client,
    /// The name in HELO or EHLO; empty before it.
    pub helo: String,
    /// The MTA's own host name, macro `{j}`.
    pub mta_name: Option<String>,
    /// Whether the MTA is Postfix: its macros hold canonical addresses, and it sends no bounce where NOTIFY says so.
    pub is_postfix: bool,
}

/// One mail transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The argument of MAIL FROM.
    pub reverse_path: ReversePath,
    /// Whether that argument came in angle brackets, as every SMTP client must write it.
    pub bracketed: bool,
    /// The login in force at MAIL.
    pub login: Option<Login>,
    /// The recipients accepted so far.
    pub recipients: Vec<Recipient>,
    /// The MTA's name for the message; Postfix has none before the first accepted recipient.
    pub queue_id: Option<String>,
}

impl Envelope {
    /// The forward-paths of the recipients.
    pub fn forward_paths(&self) -> impl Iterator<Item = &ForwardPath> {
        self.recipients.iter().map(|recipient| &recipient.path)
    }
}

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The forward-path.
    pub path: ForwardPath,
    /// The argument of RCPT, by which alone the MTA knows the recipient again.
    pub argument: String,
    /// The parameters of RCPT, `KEYWORD` or `KEYWORD=value`.
    pub parameters: Vec<String>,
}

impl Recipient {
    /// A recipient of which nothing is known but its forward-path.
    pub fn bare(path: ForwardPath) -> Self {
        Self { argument: format!("<{path}>"), parameters: Vec::new(), path }
    }
}

/// Where a message comes from, which decides which locks apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Made on this host: sendmail(1), the MTA's own bounces.
    Local,
    /// Submitted with a login.
    Login,
    /// From a network that the administrator trusts, without a login.
    Trusted,
    /// From anybody else, and whatever cannot be decided.
    Foreign,
}

impl Origin {
    /// The origin of a transaction.
    ///
    /// Port 0 alone proves nothing, as a proxy produces it for foreign clients. An SMTP client cannot omit the angle
    /// brackets *and* come from loopback *and* have no port.
    pub fn of(session: &Session, envelope: &Envelope, trusted_networks: &[IpNet]) -> Self {
        let loopback = session.client.address.is_some_and(|address| address.is_loopback());
        let made_here = loopback && session.client.port == 0 && !envelope.bracketed;
        let trusted = |address| trusted_networks.iter().any(|network| network.contains(&address));
        match session.role {
            Role::Local => Self::Local,
            Role::Auto if made_here => Self::Local,
            _ if envelope.login.is_some() => Self::Login,
            _ if session.client.address.is_some_and(trusted) => Self::Trusted,
            _ => Self::Foreign,
        }
    }

    /// The word for it in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Login => "login",
            Self::Trusted => "trusted",
            Self::Foreign => "foreign",
        }
    }
}

/// Where in the transaction a decision is due.
#[derive(Clone, Copy, Debug)]
pub enum Point<'a> {
    /// At MAIL, about the whole transaction.
    Transaction,
    /// At RCPT, about this recipient.
    Recipient(&'a ForwardPath),
    /// At the end of the message, about the message.
    Message(&'a Header),
}

/// What is to be decided.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The session.
    pub session: &'a Session,
    /// The transaction.
    pub envelope: &'a Envelope,
    /// Where it comes from.
    pub origin: Origin,
    /// The decision point.
    pub point: Point<'a>,
    /// What the body says, where the message is a report and its body was read.
    pub report: Option<&'a Report>,
    /// The time of the request.
    pub now: Timestamp,
}

impl Request<'_> {
    /// The login taken apart, where there is one.
    pub fn account(&self) -> Option<Account> {
        Account::parse(&self.envelope.login.as_ref()?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(role: Role, address: &str, port: u16, bracketed: bool, login: Option<&str>) -> &'static str {
        let client = Client { address: address.parse().ok(), name: String::new(), port };
        let session = Session { role, client, helo: String::new(), mta_name: None, is_postfix: true };
        let envelope = Envelope {
            reverse_path: ReversePath::Null,
            bracketed,
            login: login.map(|name| Login(name.to_owned())),
            recipients: Vec::new(),
            queue_id: None,
        };
        let trusted = ["127.0.0.0/8".parse().unwrap(), "198.51.100.0/24".parse().unwrap()];
        Origin::of(&session, &envelope, &trusted).as_str()
    }

    #[test]
    fn origins() {
        use Role::{Auto, Inbound, Local, Submission};
        assert_eq!(origin(Auto, "127.0.0.1", 0, false, None), "local");
        assert_eq!(origin(Auto, "::1", 0, false, None), "local");
        assert_eq!(origin(Auto, "127.0.0.1", 0, true, None), "trusted");
        assert_eq!(origin(Auto, "127.0.0.1", 4711, false, None), "trusted");
        assert_eq!(origin(Auto, "192.0.2.1", 0, false, None), "foreign");
        assert_eq!(origin(Auto, "192.0.2.1", 0, true, None), "foreign");
        assert_eq!(origin(Inbound, "127.0.0.1", 0, false, None), "trusted");
        assert_eq!(origin(Local, "192.0.2.1", 4711, true, Some("alice")), "local");
        assert_eq!(origin(Submission, "192.0.2.1", 4711, true, Some("alice")), "login");
        assert_eq!(origin(Auto, "198.51.100.7", 4711, true, Some("alice")), "login");
        assert_eq!(origin(Auto, "198.51.100.7", 4711, true, None), "trusted");
        assert_eq!(origin(Auto, "unknown", 4711, true, None), "foreign");
    }

    #[test]
    fn public_addresses() {
        let public =
            |text: &str| Client { address: text.parse().ok(), name: String::new(), port: 1 }.is_public();
        for text in ["192.0.2.1", "8.8.8.8", "2001:db8::1"] {
            assert!(public(text), "{text}");
        }
        for text in
            ["10.1.2.3", "127.0.0.1", "::1", "fd00::1", "fe80::1", "169.254.1.1", "100.64.0.1", "unknown"]
        {
            assert!(!public(text), "{text}");
        }
    }
}
