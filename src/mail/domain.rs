//! Domain names as values that can be compared (RFC 5890, UTS 46).

use std::fmt;
use std::str::FromStr;

/// Octets of the longest text that is read as a domain name. Of the 253 octets of a name, none stands for a letter of
/// more than nine octets, which is a Hangul syllable in its parts.
pub(super) const MAX_SPELLING: usize = 4096;

/// A domain name: A-labels, lower case, no trailing dot, at most 253 octets (RFC 1035, 2.3.4).
///
/// Two spellings of one domain are one value. A name with a label that UTS 46 refuses is no `Domain` at all, so it
/// equals nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

/// Why a text is no domain name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// There is nothing to name.
    #[error("the domain is empty")]
    Empty,
    /// An address literal (RFC 5321, 4.1.3) is an address, no domain.
    #[error("‘{0}’ is an address literal, not a domain")]
    Literal(String),
    /// UTS 46 refuses it, or a label or the whole is too long.
    #[error("‘{0}’ is not a domain name")]
    Invalid(String),
}

impl Domain {
    /// The name as A-labels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain below the public suffix (RFC 7489, 3.2), which is one organisation's; the domain itself where that is
    /// unknown.
    pub fn organisation(&self) -> &str {
        psl::domain_str(&self.0).unwrap_or(&self.0)
    }

    /// Whether this is `other` or a name below it.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.strip_suffix(other.as_str()).is_some_and(|front| front.is_empty() || front.ends_with('.'))
    }
}

impl FromStr for Domain {
    type Err = DomainError;

    /// Reads U-labels or A-labels in any case, with or without the trailing dot.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() {
            return Err(DomainError::Empty);
        }
        if name.starts_with('[') && name.ends_with(']') {
            return Err(DomainError::Literal(text.to_owned()));
        }
        let invalid = || DomainError::Invalid(text.to_owned());
        // Mapping a letter may make eighteen of it.
        if name.len() > MAX_SPELLING {
            return Err(invalid());
        }
        // What ASCII may be is for the rule below to say: the deny list of the library has no underscore.
        let ascii =
            idna::domain_to_ascii_cow(name.as_bytes(), idna::AsciiDenyList::EMPTY).map_err(|_| invalid())?;
        // Letters, digits and hyphens (RFC 5321, 4.1.2), and the underscore, which hosts and MTAs put up with. UTS 46
        // lets more through: `℀` becomes `a/c`, and what looks like one domain with a path is another.
        let host_name = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
        let sound = ascii.len() <= 253
            && ascii.split('.').all(|label| (1..=63).contains(&label.len()))
            && ascii.bytes().all(host_name);
        if sound { Ok(Self(ascii.into_owned())) } else { Err(invalid()) }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let found = text.parse::<Domain>().ok();
        assert_eq!(found.as_ref().map(Domain::as_str), expected, "{text}");
    }

    #[test]
    fn spellings_of_one_domain_are_one_value() {
        for text in ["example.org", "EXAMPLE.ORG", "example.org.", "ｅxample.org", "example。org"] {
            check(text, Some("example.org"));
        }
        check("bücher.example", Some("xn--bcher-kva.example"));
        check("XN--BCHER-KVA.example", Some("xn--bcher-kva.example"));
        check("_dmarc.example.org", Some("_dmarc.example.org"));
    }

    #[test]
    fn what_is_no_domain() {
        let long = format!("{}.example", "a".repeat(64));
        for text in ["", ".", "a..b", ".a", "[192.0.2.1]", "a b", "xn--a", "a@b", "a%b", "a\u{7}b", &long] {
            check(text, None);
        }
        for text in ["bank.example／.evil.example", "bank.example\u{2100}.evil.example", "a'b", "=?a", "ϏZ=?"]
        {
            check(text, None);
        }
    }

    #[test]
    fn within_is_by_label() {
        let within = |a: &str, b: &str| a.parse::<Domain>().unwrap().is_within(&b.parse().unwrap());
        assert!(within("example.org", "example.org"));
        assert!(within("a.example.org", "example.org"));
        assert!(!within("aexample.org", "example.org"));
        assert!(!within("org", "example.org"));
    }
}
