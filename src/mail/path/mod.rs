//! Mailboxes and paths: the arguments of MAIL and RCPT in every form that MTAs hand over (RFC 5321, 4.1.2).

mod argument;

use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization as _;

use super::Domain;
use super::domain::DomainError;
use argument::inner_address;
pub use argument::unrouted;

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
        self.domain == other.domain && folded(self) == folded(other)
    }

    /// Whether the MTA cannot have made `canonical` of this: another domain, though this one is spelled out. The percent
    /// hack and bang paths spell out a domain that MTAs rewrite, and a host name alone is completed.
    fn contradicts(&self, canonical: &Self) -> bool {
        let spelled_out = self.domain.as_str().contains('.') && !self.local_part.contains(['%', '!']);
        spelled_out && self.domain != canonical.domain
    }
}

impl FromStr for Mailbox {
    type Err = PathError;

    /// Reads `local-part@domain`, the local-part as dot-atom or quoted-string, without angle brackets. Dots may stand
    /// where the grammar has none (`a..b`): MTAs accept them, so policy must be able to name them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (local_part, domain) = if text.starts_with('"') { quoted(text)? } else { dot_string(text)? };
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

    /// The reverse-path of which the client's own words and the MTA's canonical form are both known.
    ///
    /// The MTA rewrites what clients write (routes, comments, bare names), and its form is what the queue has. But who
    /// tells us one domain and the queue another, or a sender to one and none to the other, is malformed.
    pub fn settle(argument: &str, canonical: &str) -> Self {
        let (said, meant) = (Self::parse(argument), Self::parse(canonical));
        let contradicts = (said == Self::Null) != (meant == Self::Null)
            || matches!((&said, &meant), (Self::Mailbox(said), Self::Mailbox(meant)) if said.contradicts(meant));
        if contradicts { Self::Malformed(inner_address(argument).to_owned()) } else { meant }
    }

    /// The domain, where there is one.
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Mailbox(mailbox) => Some(mailbox.domain()),
            Self::Null | Self::Malformed(_) => None,
        }
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(mailbox) => mailbox.fmt(f),
            Self::Malformed(raw) => f.write_str(raw),
        }
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

    /// The forward-path of which both forms are known; see [`ReversePath::settle`].
    pub fn settle(argument: &str, canonical: &str) -> Self {
        let (said, meant) = (Self::parse(argument), Self::parse(canonical));
        match (&said, &meant) {
            // The MTA completes the bare postmaster with its own name; it stays what it is.
            (Self::Postmaster, _) => said,
            (Self::Mailbox(one), Self::Mailbox(other)) if one.contradicts(other) => {
                Self::Malformed(inner_address(argument).to_owned())
            }
            _ => meant,
        }
    }

    /// The mailbox, where it is one.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Mailbox(mailbox) => Some(mailbox),
            Self::Postmaster | Self::AtLiteral(_) | Self::Malformed(_) => None,
        }
    }

    /// The domain, where there is one.
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Mailbox(mailbox) => Some(mailbox.domain()),
            Self::Postmaster | Self::AtLiteral(_) | Self::Malformed(_) => None,
        }
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("postmaster"),
            Self::Mailbox(mailbox) => mailbox.fmt(f),
            Self::AtLiteral(raw) | Self::Malformed(raw) => f.write_str(raw),
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

    #[track_caller]
    fn check_settled(argument: &str, canonical: &str, expected: &str) {
        let shown = match ReversePath::settle(argument, canonical) {
            ReversePath::Malformed(raw) => format!("malformed {raw}"),
            path => path.to_string(),
        };
        assert_eq!(shown, expected, "{argument} {canonical}");
    }

    #[test]
    fn the_canonical_form_counts_unless_it_contradicts() {
        check_settled("<Alice@Example.org>", "alice@example.org", "alice@example.org");
        check_settled("<@a.test:alice@example.org>", "alice@example.org", "alice@example.org");
        check_settled("<a(comment)@x.test>", "a@x.test", "a@x.test");
        check_settled("<<u@x.test>>", "u@x.test", "u@x.test");
        check_settled("<alice@mail>", "alice@mail.example.org", "alice@mail.example.org");
        check_settled("<copier>", "copier@mx.test", "copier@mx.test");
        check_settled("<user%example.com@mx.test>", "user@example.com", "user@example.com");
        check_settled("<example.com!user@mx.test>", "user@example.com", "user@example.com");
        check_settled("<@foreign.test:>", "", "<>");
        check_settled("<>", "", "<>");
        check_settled("", "", "<>");
        check_settled("<alice@example.org>", "", "malformed alice@example.org");
        check_settled("<>", "alice@example.org", "malformed ");
        check_settled("<alice@example.org>", "alice@example.net", "malformed alice@example.org");
        assert_eq!(ForwardPath::settle("<postmaster>", "postmaster@mx.test"), ForwardPath::Postmaster);
        let recipient = ForwardPath::settle("<Info@Example.org>", "info@example.org");
        assert_eq!(recipient.to_string(), "info@example.org");
        let twofold = ForwardPath::settle("<info@example.org>", "info@example.net");
        assert_eq!(twofold, ForwardPath::Malformed("info@example.org".to_owned()));
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
