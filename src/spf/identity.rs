//! What an evaluation is about (RFC 7208, 4.1): the client, the sender and the name in HELO.

use std::net::IpAddr;

use super::macros::UNKNOWN;
use crate::mail::Domain;
use crate::mail::spf::SpfQuestion;

/// An identity whose domain can have a policy.
#[derive(Debug)]
pub(super) struct Identity {
    /// The client; IPv4-mapped addresses are IPv4 (RFC 7208, 5).
    pub(super) client: IpAddr,
    /// The local-part of the sender, as it is: no local-part may be a way around `-all`.
    pub(super) local_part: String,
    /// The domain of the sender.
    pub(super) domain: Domain,
    /// The name in HELO.
    pub(super) helo: String,
}

impl Identity {
    /// The identity, unless its domain is malformed or has a single label, and so has no policy (RFC 7208, 4.3).
    pub(super) fn new(question: &SpfQuestion) -> Option<Self> {
        let domain: Domain = question.domain.parse().ok()?;
        let (_, top) = domain.as_str().rsplit_once('.')?;
        // An address in the place of a domain: no top-level domain is all digits (RFC 3696, 2).
        if top.bytes().all(|octet| octet.is_ascii_digit()) {
            return None;
        }
        // RFC 7208, 4.3: where there is no local-part, it is ‘postmaster’.
        let local_part = match question.local_part.as_str() {
            "" => "postmaster",
            local_part => local_part,
        };
        Some(Self {
            client: question.client.to_canonical(),
            local_part: local_part.to_owned(),
            domain,
            helo: helo(&question.helo),
        })
    }
}

/// The name in HELO for the macro `%{h}`. It is what the client said: only the check of the HELO identity wants a fully
/// qualified name (RFC 7208, 2.3). Beyond ASCII, it is A-labels as in all names (RFC 7208, 4.3).
fn helo(said: &str) -> String {
    let name = said.strip_suffix('.').unwrap_or(said);
    if name.is_empty() {
        return UNKNOWN.to_owned();
    }
    if name.is_ascii() {
        return name.to_owned();
    }
    name.parse().map_or_else(|_| name.to_owned(), |domain: Domain| domain.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(domain: &str, helo: &str) -> SpfQuestion {
        SpfQuestion { domain: domain.to_owned(), ..SpfQuestion::helo(IpAddr::from([192, 0, 2, 1]), helo) }
    }

    #[test]
    fn only_the_domain_makes_an_identity_void() {
        for domain in
            ["", "localhost", "[192.0.2.1]", "192.0.2.1", "a..b.example", ".example.org", "a b.example"]
        {
            assert!(Identity::new(&question(domain, "")).is_none(), "{domain}");
        }
        for domain in
            ["Example.ORG.", "my_host.example.org", "-.example.org", "x-.test", "a--b.test", "1.2.3.test"]
        {
            assert!(Identity::new(&question(domain, "")).is_some(), "{domain}");
        }
        let identity = Identity::new(&question("Example.ORG.", "")).unwrap();
        assert_eq!((identity.local_part.as_str(), identity.domain.as_str()), ("postmaster", "example.org"));
    }

    #[test]
    fn helo_is_what_was_said() {
        for (said, expected) in [
            ("mail_01.out.test", "mail_01.out.test"),
            ("WIN-ABC123", "WIN-ABC123"),
            ("-x.test", "-x.test"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
            ("mail.test.", "mail.test"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("ü b", "ü b"),
            ("", UNKNOWN),
        ] {
            assert_eq!(Identity::new(&question("example.org", said)).unwrap().helo, expected, "{said}");
        }
    }
}
