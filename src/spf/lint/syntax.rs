//! Why a word of a record is no term, in words that help its author.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The mechanisms (RFC 7208, 5).
pub(super) const MECHANISMS: [&str; 8] = ["all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"];

/// The modifiers that mean something (RFC 7208, 6).
pub(super) const MODIFIERS: [&str; 2] = ["redirect", "exp"];

/// What is wrong with a word that is no term, and the octet in it where that shows.
pub(super) fn diagnose(word: &str) -> (usize, String) {
    if let Some((at, c)) = word.char_indices().find(|(_, c)| !c.is_ascii_graphic()) {
        return (at, strange(c));
    }
    if word.contains(['"', '\\']) {
        let at = word.find(['"', '\\']).unwrap_or(0);
        return (
            at,
            "quotation marks and backslashes belong to the zone file, not into the record".to_owned(),
        );
    }
    let bare = word.trim_start_matches(['+', '-', '~', '?']);
    let begin = word.len() - bare.len();
    if begin > 1 {
        return (1, "a term has one qualifier".to_owned());
    }
    let end = bare.find([':', '/', '=']).unwrap_or(bare.len());
    let (name, rest) = bare.split_at(end);
    let lower = name.to_ascii_lowercase();
    if let Some(separator) = word.strip_suffix([',', ';']) {
        return (separator.len(), "terms are separated by blanks alone".to_owned());
    }
    if begin == 1 && MODIFIERS.contains(&lower.as_str()) {
        return (0, format!("{lower}= takes no qualifier"));
    }
    if MODIFIERS.contains(&lower.as_str()) && !rest.starts_with('=') {
        let target = rest.get(1..).filter(|target| !target.is_empty()).unwrap_or("example.org");
        return (begin + end, format!("{lower} takes ‘=’: {lower}={target}"));
    }
    let is_modifier = MODIFIERS.contains(&lower.as_str());
    if !is_modifier && !MECHANISMS.contains(&lower.as_str()) {
        return (begin, unknown(bare, &lower, rest));
    }
    let (at, why) = argument(&lower, rest);
    (begin + end + at, why)
}

/// A character that no record may have.
fn strange(c: char) -> String {
    match c {
        '\t' => "a tab: terms are separated by spaces alone".to_owned(),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => {
            format!("U+{:04X} looks like a hyphen but is another character; type - or ~", u32::from(c))
        }
        '\u{2018}'..='\u{201f}' => format!("U+{:04X} is a typographic quotation mark", u32::from(c)),
        c => format!("U+{:04X} is not printable ASCII", u32::from(c)),
    }
}

/// A word with a name that means nothing.
fn unknown(bare: &str, name: &str, rest: &str) -> String {
    let address = bare.split('/').next().unwrap_or_default();
    if address.parse::<Ipv4Addr>().is_ok() {
        return format!("an address is written as ip4:{bare}");
    }
    if address.parse::<Ipv6Addr>().is_ok() {
        return format!("an address is written as ip6:{bare}");
    }
    let known = match name {
        "ip" | "ipv4" | "ip-4" if rest.starts_with(':') => Some("ip4"),
        "ipv6" | "ip-6" if rest.starts_with(':') => Some("ip6"),
        _ => nearest(name),
    };
    match known {
        Some(known) => format!("there is no ‘{name}’; did you mean {known}?"),
        None if name.contains('.') && rest.is_empty() => {
            format!("a host is written as a:{name}, the record of a domain as include:{name}")
        }
        None => format!("there is no mechanism ‘{name}’"),
    }
}

/// The name of a term that this one resembles: one slip in a short one, two in a long one.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let far = |known: &str| strsim::damerau_levenshtein(name, known);
    let near = |known: &&&str| known.len() > 2 && far(known) <= if known.len() > 4 { 2 } else { 1 };
    MECHANISMS.iter().chain(&MODIFIERS).filter(near).min_by_key(|known| far(known)).copied()
}

/// What is wrong behind the name of a term, and where.
fn argument(name: &str, rest: &str) -> (usize, String) {
    let value = rest.get(1..).unwrap_or_default();
    match name {
        "all" => (0, "all takes no argument".to_owned()),
        "ip4" | "ip6" => network(name, rest),
        "include" | "exists" if !rest.starts_with(':') => {
            (0, format!("{name} takes a domain: {name}:example.org"))
        }
        "ptr" if rest.contains('/') => (rest.find('/').unwrap_or(0), "ptr takes no prefix length".to_owned()),
        _ if rest.starts_with('=') && MECHANISMS.contains(&name) => {
            (0, format!("an argument stands behind a colon: {name}:{value}"))
        }
        _ if rest.starts_with([':', '=']) && value.is_empty() => {
            (1, format!("nothing stands behind ‘{name}{}’; is there a blank too many?", &rest[..1]))
        }
        "a" | "mx" => {
            let slash = rest.find('/').unwrap_or(rest.len());
            let (host, prefix) = rest.split_at(slash);
            let host = host.strip_prefix(':').unwrap_or_default();
            if host.parse::<Ipv4Addr>().is_ok() {
                return (1, format!("{name} takes the name of a host; an address is written as ip4:{host}"));
            }
            if value.parse::<Ipv6Addr>().is_ok() {
                return (1, format!("{name} takes the name of a host; an address is written as ip6:{value}"));
            }
            if !host.is_empty() && is_domain(host) {
                return (
                    slash,
                    format!("‘{prefix}’ is not a prefix length: /0 to /32 for IPv4, //0 to //128 for IPv6"),
                );
            }
            if rest.starts_with('/') {
                return (
                    0,
                    format!("‘{prefix}’ is not a prefix length: /0 to /32 for IPv4, //0 to //128 for IPv6"),
                );
            }
            domain(host)
        }
        _ => domain(value),
    }
}

/// What is wrong with the network of ip4 or ip6.
fn network(name: &str, rest: &str) -> (usize, String) {
    let Some(value) = rest.strip_prefix(':').filter(|value| !value.is_empty()) else {
        return (
            0,
            format!(
                "{name} takes an address: {name}:{}",
                if name == "ip4" { "192.0.2.1" } else { "2001:db8::1" }
            ),
        );
    };
    let (address, prefix) = value.split_once('/').map_or((value, None), |(a, p)| (a, Some(p)));
    let (is_v4, is_v6) = (address.parse::<Ipv4Addr>().is_ok(), address.parse::<Ipv6Addr>().is_ok());
    match (name, is_v4, is_v6) {
        ("ip4", _, true) => (1, format!("‘{address}’ is an IPv6 address: ip6:{value}")),
        ("ip6", true, _) => (1, format!("‘{address}’ is an IPv4 address: ip4:{value}")),
        (_, false, false) => (1, format!("‘{address}’ is not an IPv{} address", &name[2..])),
        _ => {
            let most = if name == "ip4" { 32 } else { 128 };
            (
                1 + address.len(),
                format!("‘/{}’ is not a prefix length: /0 to /{most}", prefix.unwrap_or_default()),
            )
        }
    }
}

/// Whether a text could be the target of a term, but for macros.
pub(super) fn is_domain(text: &str) -> bool {
    let top = text.trim_end_matches('.').rsplit_once('.').map(|(_, top)| top);
    top.is_some_and(|top| {
        !top.is_empty()
            && top.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !top.bytes().all(|b| b.is_ascii_digit())
    })
}

/// What is wrong with the target of a term (RFC 7208, 7.1).
fn domain(text: &str) -> (usize, String) {
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let position = text.len() - rest.len() + at;
        match rest.as_bytes().get(at + 1) {
            Some(b'{') => match rest[at..].find('}') {
                Some(end) if is_macro(&rest[at + 2..at + end]) => rest = &rest[at + end + 1..],
                _ => {
                    return (
                        1 + position,
                        "a macro is written as %{i}, %{d2}, %{ir} and the like".to_owned(),
                    );
                }
            },
            Some(b'%' | b'_' | b'-') => rest = &rest[at + 2..],
            _ => return (1 + position, "a lone % is written as %%".to_owned()),
        }
    }
    (1, format!("‘{text}’ is not a full domain name"))
}

/// Whether this is the inside of a macro.
fn is_macro(text: &str) -> bool {
    let mut characters = text.chars();
    let is_letter = characters.next().is_some_and(|c| "slodiphcrtv".contains(c.to_ascii_lowercase()));
    let rest = characters.as_str().trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = rest.strip_prefix(['r', 'R']).unwrap_or(rest);
    is_letter && rest.chars().all(|c| ".-+,/_=".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, at: usize, says: &str) {
        let found = diagnose(word);
        assert!(found.0 == at && found.1.contains(says), "{word}: {found:?}");
    }

    #[test]
    fn mistakes_are_named_where_they_are() {
        check("–all", 0, "U+2013");
        check("mx\ta", 2, "a tab");
        check("\"v=spf1", 0, "quotation marks");
        check("--all", 1, "one qualifier");
        check("mx,", 2, "separated by blanks");
        check("-redirect=a.example", 0, "no qualifier");
        check("192.0.2.1/24", 0, "ip4:192.0.2.1/24");
        check("2001:db8::1", 0, "ip6:");
        check("ipv4:192.0.2.1", 0, "did you mean ip4");
        check("incldue:a.example", 0, "did you mean include");
        check("mail.example.org", 0, "a:mail.example.org");
        check("xyzzy", 0, "no mechanism");
        check("-all:x", 4, "no argument");
        check("include", 7, "takes a domain");
        check("include:", 8, "a blank too many");
        check("include:localhost", 8, "not a full domain name");
        check("ip4:300.1.1.1", 4, "not an IPv4 address");
        check("ip4:192.0.2.0/33", 13, "not a prefix length");
        check("ip4:2001:db8::/32", 4, "ip6:2001:db8::/32");
        check("ip6:192.0.2.1", 4, "ip4:192.0.2.1");
        check("a:192.0.2.1", 2, "ip4:192.0.2.1");
        check("a:mail.example/33", 14, "not a prefix length");
        check("mx/33", 2, "not a prefix length");
        check("a=mail.example", 1, "behind a colon");
        check("ptr:a.example/24", 13, "takes no prefix length");
        check("exists:%{x}.example", 7, "a macro is written");
        check("exists:%x.example", 7, "a lone %");
        check("redirect=", 9, "nothing stands behind");
    }
}
