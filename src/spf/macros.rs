//! Macros (RFC 7208, 7): what they stand for, and the names that come of it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use viaspf_record::{
    DomainSpec, Escape, ExplainString, ExplainStringSegment, Macro, MacroExpand, MacroKind, MacroString,
    MacroStringSegment,
};

/// What a macro stands for that nothing is known about (RFC 7208, 7.3).
pub const UNKNOWN: &str = "unknown";

/// Octets of a name in DNS, without the trailing dot (RFC 1035, 2.3.4).
const NAME_LIMIT: usize = 253;

/// Octets of a label (RFC 1035, 2.3.4).
const LABEL_LIMIT: usize = 63;

/// What the macro letters stand for (RFC 7208, 7.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    /// `i`, `c`, `v`.
    pub(super) client: IpAddr,
    /// `l`, and half of `s`.
    pub(super) local_part: &'a str,
    /// `o`, and the other half of `s`.
    pub(super) sender: &'a str,
    /// `d`: the domain whose record has the term.
    pub(super) domain: &'a str,
    /// `h`.
    pub(super) helo: &'a str,
    /// `p`; looked up only where [`super::record::letters`] has it.
    pub(super) validated: &'a str,
    /// `r`.
    pub(super) receiver: &'a str,
}

/// The name that a target comes to; none where it is none that DNS could have.
pub(super) fn target(spec: &DomainSpec, values: &Values<'_>) -> Option<String> {
    let macros: &MacroString = spec.as_ref();
    let mut text = String::new();
    // From the right, as what does not fit goes from the left: neither the record nor the client decides how much is
    // expanded.
    for segment in macros.segments.iter().rev() {
        text.insert_str(0, &expanded(segment, values));
        if text.len() > 2 * NAME_LIMIT {
            break;
        }
    }
    let mut name = text.strip_suffix('.').unwrap_or(&text);
    // RFC 7208, 7.3: labels go from the left until the name fits.
    while name.len() > NAME_LIMIT {
        (_, name) = name.split_once('.')?;
    }
    is_name(name).then(|| name.to_owned())
}

/// Whether DNS can carry a name. Labels are octets (RFC 2181, 11): hyphens may stand anywhere in them.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= NAME_LIMIT && name.split('.').all(|label| (1..=LABEL_LIMIT).contains(&label.len()))
}

/// The text of an explanation, expanded until it is longer than `limit` octets.
pub(super) fn explain(text: &ExplainString, values: &Values<'_>, limit: usize) -> String {
    let mut explained = String::new();
    for segment in &text.segments {
        let macros = match segment {
            ExplainStringSegment::MacroString(macros) => macros.segments.as_slice(),
            ExplainStringSegment::Space => {
                explained.push(' ');
                continue;
            }
        };
        for segment in macros {
            if explained.len() > limit {
                return explained;
            }
            explained.push_str(&expanded(segment, values));
        }
    }
    explained
}

fn expanded<'s>(segment: &'s MacroStringSegment, values: &Values<'_>) -> Cow<'s, str> {
    match segment {
        MacroStringSegment::MacroLiteral(literal) => Cow::Borrowed(literal.as_ref()),
        MacroStringSegment::MacroExpand(MacroExpand::Escape(escape)) => Cow::Borrowed(match escape {
            Escape::Percent => "%",
            Escape::Space => " ",
            Escape::UrlEncodedSpace => "%20",
        }),
        MacroStringSegment::MacroExpand(MacroExpand::Macro(expand)) => {
            let value = transformed(value(expand.kind(), values), expand);
            Cow::Owned(if expand.url_encode() { url_escape(&value) } else { value })
        }
    }
}

fn value(kind: MacroKind, values: &Values<'_>) -> String {
    match kind {
        MacroKind::Sender => format!("{}@{}", values.local_part, values.sender),
        MacroKind::LocalPart => values.local_part.to_owned(),
        MacroKind::DomainPart => values.sender.to_owned(),
        MacroKind::Domain => values.domain.to_owned(),
        MacroKind::Ip => dotted(values.client),
        MacroKind::ValidatedDomain => values.validated.to_owned(),
        MacroKind::HeloDomain => values.helo.to_owned(),
        MacroKind::PrettyIp => values.client.to_string(),
        MacroKind::Receiver => values.receiver.to_owned(),
        MacroKind::Timestamp => seconds().to_string(),
        MacroKind::VersionLabel if values.client.is_ipv4() => "in-addr".to_owned(),
        MacroKind::VersionLabel => "ip6".to_owned(),
    }
}

/// Split, reversed, cut and joined (RFC 7208, 7.3).
fn transformed(value: String, expand: &Macro) -> String {
    if expand.limit().is_none() && !expand.reverse() && expand.delimiters().is_none() {
        return value;
    }
    // Each of the characters separates, so that between two in a row there is an empty part. Were they one separator,
    // `a..b` would get the name that is meant for `a.b`.
    let delimiters = expand.delimiters().map_or(".", AsRef::as_ref);
    let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
    if expand.reverse() {
        parts.reverse();
    }
    if let Some(limit) = expand.limit() {
        parts.drain(..parts.len().saturating_sub(usize::from(limit.get())));
    }
    parts.join(".")
}

/// The address with dots: octets of IPv4, nibbles of IPv6.
fn dotted(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            address.octets().map(|octet| format!("{:x}.{:x}", octet >> 4, octet & 15)).join(".")
        }
    }
}

/// The time for the macro `%{t}`.
#[expect(clippy::disallowed_methods, reason = "prose for the refused; no result depends on it")]
fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// URL-escapes all but the unreserved characters (RFC 7208, 7.3; RFC 3986, 2.3).
fn url_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            escaped.push(char::from(octet));
        } else {
            let _ = write!(escaped, "%{octet:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(local_part: &str) -> Values<'_> {
        Values {
            client: IpAddr::from([192, 0, 2, 3]),
            local_part,
            sender: "email.example.com",
            domain: "d.example.com",
            helo: "mail_01.out.test",
            validated: UNKNOWN,
            receiver: "mx.example.org",
        }
    }

    #[track_caller]
    fn check(local_part: &str, text: &str, expected: &str) {
        let text = super::super::record::explain_string(text).unwrap();
        assert_eq!(explain(&text, &values(local_part), 1000), expected, "{local_part}");
    }

    #[test]
    fn local_parts_are_split_as_they_are() {
        for (local_part, text, expected) in [
            ("strong-bad", "%{l} %{l-} %{lr-} %{l1r-}", "strong-bad strong.bad bad.strong strong"),
            ("a..b", "%{lr}", "b..a"),
            (".a", "%{lr} %{l1}", "a. a"),
            ("a.", "%{lr} %{l1r}", ".a a"),
            ("a,b", "%{l,} %{lr,} %{l}", "a.b b.a a,b"),
            ("a b@c", "%{L} %{l}", "a%20b%40c a b@c"),
            ("a.b-c+d,e/f_g=h", "%{lr.-+,/_=} %{l2.-+,/_=}", "h.g.f.e.d.c.b.a g.h"),
            ("jürgen-ö", "%{lr-} %{L1-}", "ö.jürgen %C3%B6"),
            ("x", "%{l127} %{l255r} %{l999}", "x x x"),
            ("\u{E000}", "%{l}", "\u{E000}"),
        ] {
            check(local_part, text, expected);
        }
    }

    #[test]
    fn every_letter_stands_for_something() {
        check(
            "u",
            "%{s} %{o} %{d} %{d1} %{d2r}",
            "u@email.example.com email.example.com d.example.com com example.d",
        );
        check(
            "u",
            "%{i} %{ir} %{v} %{c} %{p} %{h} %{r}",
            "192.0.2.3 3.2.0.192 in-addr 192.0.2.3 unknown mail_01.out.test mx.example.org",
        );
        check("u", "%{h_} %{hr-._} %{H}%%%_%-", "mail.01.out.test test.out.01.mail mail_01.out.test% %20");
    }

    #[test]
    fn names_are_cut_from_the_left() {
        let term = super::super::record::term("exists:%{l}.x.example").unwrap();
        let spec = super::super::record::domain_spec(&term).unwrap();
        let name = |local_part: &str| target(spec, &values(local_part));
        assert_eq!(name("bounce-").as_deref(), Some("bounce-.x.example"));
        assert_eq!(name("-a").as_deref(), Some("-a.x.example"));
        assert_eq!(name("a..b"), None);
        assert_eq!(name(&"a".repeat(64)), None);
        let long = "abcdefgh.".repeat(40);
        assert_eq!(name(&long[..long.len() - 1]).unwrap().len(), 9 * 27 - 1 + ".x.example".len());
    }

    #[test]
    fn no_record_makes_much_of_a_long_value() {
        let long = "a.".repeat(30_000) + "a";
        let macros = "%{s}".repeat(10_000);
        let text = super::super::record::explain_string(&macros).unwrap();
        assert!(explain(&text, &values(&long), 1000).len() < 100_000);
        let term = super::super::record::term(&format!("exists:{macros}.x.example")).unwrap();
        let name = target(super::super::record::domain_spec(&term).unwrap(), &values(&long)).unwrap();
        assert!(name.len() > 240 && name.ends_with("a.a@email.example.com.x.example"), "{name}");
    }

    proptest! {
        #[test]
        fn any_value_makes_a_name_or_none(local_part in ".{0,300}") {
            let term = super::super::record::term("exists:%{l}.%{lr-}.%{L2+}.%{s}.x.example").unwrap();
            let name = target(super::super::record::domain_spec(&term).unwrap(), &values(&local_part));
            prop_assert!(name.is_none_or(|name| is_name(&name) && name.ends_with(".x.example")));
        }
    }
}
