//! Received (RFC 5321, 4.4): whom a host says that it had a message from.

use std::net::IpAddr;

/// The name of the field.
pub const NAME: &str = "Received";

/// How a message came to the host that wrote the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handover {
    /// From another program of that host: there is no `from`.
    Within,
    /// From another host. These are all addresses that stand anywhere in the field, as the peer chose some of its words,
    /// such as the name in HELO, and no two MTAs put its address in one place.
    From(Vec<IpAddr>),
}

impl Handover {
    /// Reads a field body.
    pub fn parse(body: &str) -> Self {
        if !body.split_ascii_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("from")) {
            return Self::Within;
        }
        let words = body.split(|c: char| c.is_ascii_whitespace() || "()[]<>;,=@".contains(c));
        Self::From(words.filter_map(|word| word.strip_prefix("IPv6:").unwrap_or(word).parse().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Option<&str>) {
        let found = match Handover::parse(body) {
            Handover::Within => None,
            Handover::From(addresses) => {
                Some(addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            }
        };
        assert_eq!(found.as_deref(), expected, "{body}");
    }

    #[test]
    fn as_mtas_write_it() {
        check(
            "from h.test (n.test [192.0.2.1])\n\tby gw.test (Postfix) with ESMTPS id 4bQ1x; Mon, 30 Nov 2026 10:00:00 +0000",
            Some("192.0.2.1"),
        );
        check(
            "from h (n [IPv6:2001:db8::1]) by gw (8.18.1/8.18.1/Debian-6) with ESMTP id x",
            Some("2001:db8::1"),
        );
        check("from [192.0.2.1] (helo=h) by gw with esmtp (Exim 4.96)", Some("192.0.2.1"));
        check("from h ([192.0.2.1]:2525 helo=[10.0.0.1]) by gw", Some("192.0.2.1 10.0.0.1"));
        check("from unknown (HELO h) (u@192.0.2.1) by gw with SMTP", Some("192.0.2.1"));
        check(
            "from A.test (2001:db8::1) by B.test (2001:db8::2) with Microsoft SMTP Server",
            Some("2001:db8::1 2001:db8::2"),
        );
        check("FROM h by gw with LMTP", Some(""));
        check("by 2001:db8::3 with SMTP id x", None);
        check("by gw (Postfix, from userid 0)\n\tid x", None);
        check("(qmail 12 invoked from network); 30 Nov 2026", None);
        check("(from root@localhost) by gw (8.18.1)", None);
        check("fromage", None);
        check("", None);
    }

    /// A peer that calls itself by another address is still seen by its own.
    #[test]
    fn the_peer_hides_nothing() {
        check("from [127.0.0.1] by x (unknown [198.51.100.66]) by gw", Some("127.0.0.1 198.51.100.66"));
    }
}
