//! Logins: when two of them are one, and patterns for them.
//!
//! A login is compared as an address is, wherever one is named: in `identities.exempt_logins`, in an exception, in a
//! source of grants. [`Account`] is its form for that, and there is no other comparison.
//!
//! - Case does not count, unless the addresses of the domain are case-sensitive. Unicode is composed, the domain has
//!   A-labels. So a Kerberos principal, `alice@EXAMPLE.ORG`, is `alice@example.org`.
//! - A login that names no domain is one at `identities.login_domain`: with `example.org` there, `alice` and
//!   `alice@example.org` are one. Without that setting it is equal to no login but its own.
//! - `DOMAIN\alice` is a name like any other, since nothing says which mail domain the Windows domain stands for.
//! - What is no address in spite of its `@`, such as `alice@host@REALM`, is equal to itself only.
//! - Subaddresses are never stripped, and an alias domain's login is not that of the domain which it follows: whoever
//!   owns `ceo+assistant@` is not `ceo@`.

use crate::mail::{Domain, Mailbox, local_part};

/// The authorisation identity that the client proved by SMTP AUTH (RFC 4954), as the MTA names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Login(pub String);

/// What logins are compared by besides themselves.
#[derive(Clone, Copy, Debug)]
pub struct LoginRules<'a> {
    /// The domain of logins that name none.
    pub domain: Option<&'a Domain>,
    /// Whether upper and lower case differ.
    pub case_sensitive: bool,
}

/// A login taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name, composed.
    name: String,
    /// The same in lower case.
    folded: String,
    place: Place,
}

/// Where a login is one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// At a domain.
    At(Domain),
    /// Wherever logins are that name no domain.
    Unnamed,
    /// Nowhere: it is no address.
    Nowhere,
}

impl Account {
    /// Takes a login apart; none if it is empty.
    pub fn parse(login: &str) -> Option<Self> {
        let (name, place) = match login.parse::<Mailbox>() {
            Ok(mailbox) => (mailbox.local_part().to_owned(), Place::At(mailbox.domain().clone())),
            Err(_) if login.contains('@') => (login.to_owned(), Place::Nowhere),
            Err(_) => (login.to_owned(), Place::Unnamed),
        };
        let of_case = |case_sensitive| local_part::canonical(&name, case_sensitive);
        (!name.is_empty()).then(|| Self { name: of_case(true), folded: of_case(false), place })
    }

    /// Whether both are one.
    pub fn is(&self, other: &Self, rules: LoginRules<'_>) -> bool {
        let is_same_name =
            if rules.case_sensitive { self.name == other.name } else { self.folded == other.folded };
        let is_nowhere = |account: &Self| account.place == Place::Nowhere;
        is_same_name
            && is_nowhere(self) == is_nowhere(other)
            && self.domain(rules.domain) == other.domain(rules.domain)
    }

    /// The domain that it is at; none where it names none and `unnamed` does not either.
    pub fn domain<'a>(&'a self, unnamed: Option<&'a Domain>) -> Option<&'a Domain> {
        match &self.place {
            Place::At(domain) => Some(domain),
            Place::Unnamed => unnamed,
            Place::Nowhere => None,
        }
    }

    /// The mailbox that it is, in the case in which it was written.
    pub fn mailbox(&self, unnamed: Option<&Domain>) -> Option<Mailbox> {
        Some(Mailbox::new(self.name.clone(), self.domain(unnamed)?.clone()))
    }

    /// A text that is the same for accounts that are one, apart from ASCII case: the name alone at `unnamed`, else name and
    /// domain.
    pub fn key(&self, unnamed: Option<&Domain>) -> String {
        let name = if self.name.is_ascii() { &self.name } else { &self.folded };
        match &self.place {
            // A name with an @ needs its domain, to be no other account's name and domain.
            Place::At(domain) if unnamed != Some(domain) || name.contains('@') => {
                Mailbox::new(name.clone(), domain.clone()).to_string()
            }
            Place::At(_) | Place::Unnamed | Place::Nowhere => name.clone(),
        }
    }
}

/// One login, or every login of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginPattern {
    /// This one; as it is written, and taken apart.
    One(String, Account),
    /// Every one at this domain: `@example.org`, as grants have it, or `*@example.org`.
    Domain(Domain),
}

impl LoginPattern {
    /// Whether it means a login.
    pub fn matches(&self, login: &Account, rules: LoginRules<'_>) -> bool {
        match self {
            Self::One(_, own) => own.is(login, rules),
            Self::Domain(domain) => login.domain(rules.domain) == Some(domain),
        }
    }
}

/// Why a text is no pattern for logins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginPatternError {
    /// There is nothing.
    #[error("an empty text is not a login")]
    Empty,
    /// It has a `*` where none may stand, or means everybody.
    #[error("a `*` stands for every login of a domain only")]
    Wildcard,
    /// What stands after the `@` is not a domain.
    #[error("‘{0}’ is not a domain")]
    Domain(String),
}

impl std::str::FromStr for LoginPattern {
    type Err = LoginPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(domain) = text.strip_prefix('@').or_else(|| text.strip_prefix("*@")) {
            return domain
                .parse()
                .map(Self::Domain)
                .map_err(|_| LoginPatternError::Domain(domain.to_owned()));
        }
        if text.contains('*') {
            return Err(LoginPatternError::Wildcard);
        }
        let account = Account::parse(text).ok_or(LoginPatternError::Empty)?;
        Ok(Self::One(text.to_owned(), account))
    }
}

impl std::fmt::Display for LoginPattern {
    /// Writes it as it was written; a domain as grants have it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::One(written, _) => f.write_str(written),
            Self::Domain(domain) => write!(f, "@{domain}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a pattern means a login, at `example.org` if either names no domain.
    #[track_caller]
    fn check(pattern: &str, login: &str, expected: bool) {
        let domain = "example.org".parse().unwrap();
        let rules = LoginRules { domain: Some(&domain), case_sensitive: false };
        let pattern: LoginPattern = pattern.parse().unwrap();
        let matches = Account::parse(login).is_some_and(|login| pattern.matches(&login, rules));
        assert_eq!(matches, expected, "{pattern} {login}");
    }

    #[test]
    fn logins_that_are_one() {
        check("Relay@Example.org", "relay@example.org", true);
        check("relay@example.org", "RELAY@EXAMPLE.ORG", true);
        check("relay", "relay@example.org", true);
        check("relay@example.org", "Relay", true);
        check("relay@example.org", "relay@example.org.", true);
        check("relay@example.net", "relay", false);
        check("relay", "relay@example.net", false);
        check("relay", "relay+x", false);
        check("\"relay\"@example.org", "relay", true);
        check("é", "E\u{301}@example.org", true);
        check("a@bücher.example", "A@xn--bcher-kva.example", true);
        check("straße", "strasse", false);
        check("CORP\\alice", "corp\\ALICE", true);
        check("CORP\\alice", "alice", false);
        check("alice@host@REALM", "ALICE@host@realm", true);
        check("\"a@b\"@example.org", "a@b", false);
        check("\"a@b@c\"@example.org", "a@b@c", false);
        check("alice", "", false);
        check("alice", "alice\0", false);
    }

    #[test]
    fn every_login_of_a_domain() {
        check("*@mailcow.local", "SOGo@MailCow.local", true);
        check("@mailcow.local", "sogo@mailcow.local", true);
        check("@mailcow.local", "sogo@sub.mailcow.local", false);
        check("@mailcow.local", "sogo", false);
        check("@example.org", "sogo", true);
        check("@example.org", "a@b@example.org", false);
        check("@bücher.example", "a@xn--bcher-kva.example", true);
        check("@example.org", "", false);
    }

    #[test]
    fn without_a_domain_for_logins() {
        let is = |pattern: &str, login: &str, case_sensitive| {
            let rules = LoginRules { domain: None, case_sensitive };
            pattern.parse::<LoginPattern>().unwrap().matches(&Account::parse(login).unwrap(), rules)
        };
        assert!(is("relay", "Relay", false));
        assert!(!is("relay", "Relay", true));
        assert!(!is("relay", "relay@example.org", false));
        assert!(is("Relay@Example.org", "Relay@example.ORG", true));
        assert!(!is("Relay@example.org", "relay@example.org", true));
        assert!(!is("@example.org", "relay", false));
    }

    #[test]
    fn what_is_no_pattern() {
        for (text, expected) in [
            ("", "an empty text is not a login"),
            ("*", "a `*` stands for every login of a domain only"),
            ("relay*", "a `*` stands for every login of a domain only"),
            ("r*@example.org", "a `*` stands for every login of a domain only"),
            ("*@", "‘’ is not a domain"),
            ("@[192.0.2.1]", "‘[192.0.2.1]’ is not a domain"),
            ("*@*", "‘*’ is not a domain"),
        ] {
            assert_eq!(text.parse::<LoginPattern>().unwrap_err().to_string(), expected);
        }
    }
}
