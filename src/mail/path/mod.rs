//! Mailboxes and paths: the arguments of MAIL and RCPT in every form that MTAs hand over (RFC 5321, 4.1.2).

mod argument;
mod twofold;

use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization as _;

use super::Domain;
use super::domain::DomainError;
use argument::inner_address;
pub use argument::unrouted;
pub use twofold::Twofold;

/// A mailbox (RFC 5321, 2.3.11): a local-part and a domain.
///
/// The local-part is kept without quoting, so that `"a.b"@example.org` and `a.b@example.org` are one value. Whether
/// its case matters is the policy's affair, so it is kept as written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mailbox {
    local_part: String,
    domain: Domain,
}

/// Why a text is no mailbox or path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// There is no `@`.
    #[error("‘{0}’ has no domain")]
    NoDomain(String),
    /// Nothing stands before the `@`.
    #[error("‘{0}’ has no local-part")]
    NoLocalPart(String),
    /// A quoted local-part does not end, or something stands between it and the `@`.
    #[error("the quotes in ‘{0}’ do not match")]
    Quotes(String),
    /// The local-part holds an unquoted `@`, an angle bracket or a control.
    #[error("‘{0}’ is not an address")]
    Syntax(String),
    /// The part after the `@` is no domain.
    #[error(transparent)]
    Domain(#[from] DomainError),
}

impl Mailbox {
    /// A mailbox from a local-part without quoting and a domain.
    pub fn new(local_part: impl Into<String>, domain: Domain) -> Self {
        Self { local_part: local_part.into(), domain }
    }

    /// The local-part, without quoting.
    pub fn local_part(&self) -> &str {
        &self.local_part
    }

    /// The domain.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Whether the two differ at most in the case of the local-part, or in how its letters are composed: where case does not
    /// matter, they are one.
    pub fn is_like(&self, other: &Self) -> bool {
        let folded = |mailbox: &Self| mailbox.local_part.to_lowercase().nfc().collect::<String>();
        self.domain == other.domain
            && (self.local_part.eq_ignore_ascii_case(&other.local_part) || folded(self) == folded(other))
    }
}

/// An address taken apart at its last `@`: the local-part without quoting, and the rest.
fn split(text: &str) -> Result<(String, &str), PathError> {
    if text.starts_with('"') { quoted(text) } else { dot_string(text) }
}

impl FromStr for Mailbox {
    type Err = PathError;

    /// Reads `local-part@domain`, the local-part as dot-atom or quoted-string, without angle brackets. Dots may stand
    /// where the grammar has none (`a..b`): MTAs accept them, so policy must be able to name them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (local_part, domain) = split(text)?;
        Ok(Self { local_part, domain: domain.parse()? })
    }
}

/// Splits `"…"@domain`; the local-part comes back without its quotes.
fn quoted(text: &str) -> Result<(String, &str), PathError> {
    let mismatch = || PathError::Quotes(text.to_owned());
    let mut local_part = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => {
                let domain = text[at + 1..].strip_prefix('@').ok_or_else(mismatch)?;
                return Ok((local_part, domain));
            }
            '\\' => local_part.push(characters.next().ok_or_else(mismatch)?.1),
            c => local_part.push(c),
        }
        if local_part.ends_with(char::is_control) {
            return Err(PathError::Syntax(text.to_owned()));
        }
    }
    Err(mismatch())
}

/// Splits `local-part@domain`.
fn dot_string(text: &str) -> Result<(String, &str), PathError> {
    let (local_part, domain) = text.rsplit_once('@').ok_or_else(|| PathError::NoDomain(text.to_owned()))?;
    if local_part.is_empty() {
        return Err(PathError::NoLocalPart(text.to_owned()));
    }
    let foreign = |c: char| c.is_control() || c == ' ' || "@<>\"\\,;:()[]".contains(c);
    if local_part.contains(foreign) {
        return Err(PathError::Syntax(text.to_owned()));
    }
    Ok((local_part.to_owned(), domain))
}

impl fmt::Display for Mailbox {
    /// Writes the mailbox with the quoting that it needs, and no other.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let atext = |c: char| c.is_alphanumeric() || !c.is_ascii() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
        if !self.local_part.is_empty() && self.local_part.chars().all(atext) {
            write!(f, "{}@{}", self.local_part, self.domain)
        } else {
            let escaped = self.local_part.replace('\\', "\\\\").replace('"', "\\\"");
            write!(f, "\"{escaped}\"@{}", self.domain)
        }
    }
}

/// The argument of MAIL FROM (RFC 5321, 4.1.1.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReversePath {
    /// The null reverse-path `<>` of bounces and the like.
    Null,
    /// A mailbox.
    Mailbox(Mailbox),
    /// Something that the MTA let through and we cannot read; kept without angle brackets.
    Malformed(String),
    /// Something that the MTA resolves to another address than it keeps.
    Twofold(Box<Twofold>),
}

impl ReversePath {
    /// Reads the argument as the MTA hands it over: with or without angle brackets, with a source route, with
    /// parameters glued on. Never fails: what cannot be read is [`ReversePath::Malformed`].
    pub fn parse(argument: &str) -> Self {
        let address = inner_address(argument);
        if address.is_empty() {
            return Self::Null;
        }
        address.parse().map_or_else(|_| Self::Malformed(address.to_owned()), Self::Mailbox)
    }

    /// The domain, where there is one.
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Mailbox(mailbox) => Some(mailbox.domain()),
            Self::Null | Self::Malformed(_) | Self::Twofold(_) => None,
        }
    }

    /// Every domain as which somebody sends by this: where readers may differ, all that they may find.
    pub fn domains(&self) -> Vec<Domain> {
        match self {
            Self::Null => Vec::new(),
            Self::Mailbox(mailbox) => vec![mailbox.domain().clone()],
            Self::Malformed(raw) => twofold::named(raw),
            Self::Twofold(twofold) => twofold.domains(),
        }
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(mailbox) => mailbox.fmt(f),
            Self::Malformed(raw) => f.write_str(raw),
            Self::Twofold(twofold) => f.write_str(twofold.written()),
        }
    }
}

impl From<Mailbox> for ForwardPath {
    fn from(mailbox: Mailbox) -> Self {
        Self::Mailbox(mailbox)
    }
}

/// The argument of RCPT TO (RFC 5321, 4.1.1.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForwardPath {
    /// The bare `postmaster`, which every host must know.
    Postmaster,
    /// A mailbox.
    Mailbox(Mailbox),
    /// A mailbox at an address literal (RFC 5321, 4.1.3), which belongs to no domain.
    AtLiteral(String),
    /// Something that the MTA let through and we cannot read; kept without angle brackets.
    Malformed(String),
    /// Something that the MTA keeps in one form and delivers in another.
    Twofold(Box<Twofold>),
}

impl ForwardPath {
    /// Reads the argument as the MTA hands it over; see [`ReversePath::parse`].
    pub fn parse(argument: &str) -> Self {
        let address = inner_address(argument);
        if address.eq_ignore_ascii_case("postmaster") {
            return Self::Postmaster;
        }
        match address.parse() {
            Ok(mailbox) => Self::Mailbox(mailbox),
            Err(PathError::Domain(DomainError::Literal(_))) => Self::AtLiteral(address.to_owned()),
            Err(_) => Self::Malformed(address.to_owned()),
        }
    }

    /// The address that answers go to, as the MTA keeps it: a mailbox, at a domain or at an address literal.
    pub fn answered(&self) -> Option<Self> {
        match self {
            Self::Mailbox(_) | Self::AtLiteral(_) => Some(self.clone()),
            Self::Twofold(twofold) => match Self::parse(twofold.written()) {
                kept @ (Self::Mailbox(_) | Self::AtLiteral(_)) => Some(kept),
                _ => None,
            },
            Self::Postmaster | Self::Malformed(_) => None,
        }
    }

    /// The mailbox to which mail is delivered, where it is one.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Mailbox(mailbox) => Some(mailbox),
            Self::Twofold(twofold) => twofold.delivered(),
            Self::Postmaster | Self::AtLiteral(_) | Self::Malformed(_) => None,
        }
    }

    /// The domain of that mailbox.
    pub fn domain(&self) -> Option<&Domain> {
        self.mailbox().map(Mailbox::domain)
    }

    /// Every domain that has a say about the recipient: where the MTA keeps another form than it delivers, all that either
    /// names.
    pub fn domains(&self) -> Vec<Domain> {
        match self {
            Self::Twofold(twofold) => twofold.domains(),
            path => path.domain().cloned().into_iter().collect(),
        }
    }

    /// The local-part at the address literal to which mail is delivered, or through which it goes, where there is one.
    pub fn at_literal(&self) -> Option<String> {
        match self {
            Self::AtLiteral(raw) => split(raw).ok().map(|(local_part, _)| local_part),
            Self::Twofold(twofold) => twofold.at_literal(),
            Self::Postmaster | Self::Mailbox(_) | Self::Malformed(_) => None,
        }
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("postmaster"),
            Self::Mailbox(mailbox) => mailbox.fmt(f),
            Self::AtLiteral(raw) | Self::Malformed(raw) => f.write_str(raw),
            Self::Twofold(twofold) => f.write_str(twofold.written()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_reverse(argument: &str, expected: &str) {
        let shown = match ReversePath::parse(argument) {
            ReversePath::Malformed(raw) => format!("malformed {raw}"),
            path => path.to_string(),
        };
        assert_eq!(shown, expected, "{argument}");
    }

    #[test]
    fn every_form_of_a_reverse_path() {
        check_reverse("<>", "<>");
        check_reverse("", "<>");
        check_reverse("< >", "<>");
        check_reverse("<@relay.example:>", "<>");
        check_reverse("<User@Example.ORG>", "User@example.org");
        check_reverse("user@example.org", "user@example.org");
        check_reverse("<user@example.org> SIZE=100", "user@example.org");
        check_reverse("<user@example.org> SIZE=100 AUTH=<>", "user@example.org");
        check_reverse("<user@example.org>SIZE=100", "user@example.org");
        check_reverse("user@example.org SIZE=100", "user@example.org");
        check_reverse("<user@example.org><ceo@example.org>", "malformed <user@example.org><ceo@example.org>");
        check_reverse("<user@example.org>ceo@example.org", "malformed <user@example.org>ceo@example.org");
        check_reverse("<\u{a0}user@example.org>", "\u{a0}user@example.org");
        check_reverse("<@[IPv6:2001:db8::1]:user@example.org>", "user@example.org");
        check_reverse("<\"a\\\u{7}b\"@example.org>", "malformed \"a\\\u{7}b\"@example.org");
        check_reverse("<@a.example,@b.example:user@example.org>", "user@example.org");
        check_reverse("<\"a.b\"@example.org>", "a.b@example.org");
        check_reverse("<\"a b\"@example.org>", "\"a b\"@example.org");
        check_reverse("<\"a>b\"@example.org>", "\"a>b\"@example.org");
        check_reverse("<\"a\\\"b\"@example.org>", "\"a\\\"b\"@example.org");
        check_reverse("<a..b@example.org>", "a..b@example.org");
        check_reverse("<user>", "malformed user");
        check_reverse("<user@[192.0.2.1]>", "malformed user@[192.0.2.1]");
        check_reverse("<@example.org>", "malformed @example.org");
        check_reverse("<a@b@example.org>", "malformed a@b@example.org");
        check_reverse("<\"a\"b@example.org>", "malformed \"a\"b@example.org");
    }

    #[test]
    fn forward_paths_without_a_domain() {
        assert_eq!(ForwardPath::parse("<Postmaster>"), ForwardPath::Postmaster);
        assert_eq!(ForwardPath::parse("<a@[192.0.2.1]>"), ForwardPath::AtLiteral("a@[192.0.2.1]".to_owned()));
        assert_eq!(ForwardPath::parse("<copier>"), ForwardPath::Malformed("copier".to_owned()));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(local_part in "[^\\x00-\\x1f\\x7f-\\x9f]{1,20}") {
            let mailbox = Mailbox::new(local_part, "example.org".parse().unwrap());
            prop_assert_eq!(mailbox.to_string().parse::<Mailbox>(), Ok(mailbox));
        }

        #[test]
        fn nothing_panics(argument in ".{0,60}") {
            let _ = ReversePath::parse(&argument);
            let _ = ForwardPath::parse(&argument);
        }
    }
}
