//! What was meant by words that are no terms: the mistakes that records are published with, and what stands for them.
//!
//! Nothing is guessed at: a word that could be several things, or none, stays unclear.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::record::words;
use super::syntax::{self, MECHANISMS, MODIFIERS, is_domain};
use crate::mail::Domain;
use crate::spf::record::{self, term};

/// Words that stand for a network, whatever family it is of.
const NETWORK_NAMES: [&str; 8] = ["ip4", "ip6", "ip", "ipv4", "ipv6", "ip-4", "ip-6", "ipv"];

/// Terms that are glued to others, at most; each is looked for at every place of a word.
const MOST_GLUED: usize = 8;

/// Octets of a word that is looked into; longer ones are unclear.
const LONGEST: usize = 300;

/// A word of a record, or two that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// As published.
    pub text: String,
    /// What it means.
    pub meaning: Meaning,
}

/// What a word means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It is a term.
    Term,
    /// It is none; these terms were meant.
    Mended(Vec<String>),
    /// It is none, and what was meant cannot be told; what is wrong with it.
    Unclear(String),
}

/// Reads a record, whatever its mistakes.
pub fn readings(record: &str) -> Vec<Reading> {
    let list: Vec<&str> = words(record).skip(1).map(|(_, word)| word).collect();
    let (mut readings, mut rest) = (Vec::new(), list.as_slice());
    while let [word, behind @ ..] = rest {
        rest = behind;
        if let [next, behind @ ..] = rest
            && let Some(joined) = joined(word, next)
        {
            rest = behind;
            readings.push(Reading { text: format!("{word} {next}"), meaning: Meaning::Mended(vec![joined]) });
            continue;
        }
        let meaning = if term(word).is_some() {
            Meaning::Term
        } else if let Some(terms) = otherwise(word) {
            Meaning::Mended(terms)
        } else {
            Meaning::Unclear(syntax::diagnose(word).1)
        };
        readings.push(Reading { text: (*word).to_owned(), meaning });
    }
    readings
}

/// The record that was meant by a text which receivers do not take for one, if it was meant as one.
pub fn almost(text: &str) -> Option<String> {
    let bare = text.trim_start_matches(|c: char| c.is_whitespace() || is_quote(c) || c == '\u{feff}');
    if record::is_spf(text) || !begins(bare, "v") {
        return None;
    }
    let value = bare[1..].trim_start().strip_prefix('=')?.trim_start();
    let behind = if begins(value, "spf1") { &value[4..] } else { return None };
    let behind = behind.trim_end_matches(|c: char| c.is_whitespace() || is_quote(c));
    // `v=spf10` and the like are versions that nobody knows.
    (!behind.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.'))
        .then(|| format!("v=spf1 {}", behind.trim_start_matches([';', ',', ':'])))
}

/// The one term that two words were meant as: there is a blank too many.
fn joined(word: &str, next: &str) -> Option<String> {
    let is_open = word.ends_with([':', '=']) && term(word).is_none();
    let is_prefix = next.starts_with('/') && term(word).is_some();
    let is_sign = matches!(word, "+" | "-" | "~" | "?") && term(next).is_some();
    if (is_open && term(next).is_none()) || is_prefix || is_sign {
        let joined = format!("{word}{next}");
        return if term(&joined).is_some() { Some(joined) } else { single(&joined) };
    }
    None
}

/// What else a word may have been meant as; of a sound one too, as some mistakes are by the grammar.
pub fn otherwise(word: &str) -> Option<Vec<String>> {
    if word.len() > LONGEST {
        return None;
    }
    let found = terms(word, MOST_GLUED)?;
    (found != [word]).then_some(found)
}

/// The terms of a word.
fn terms(word: &str, most: usize) -> Option<Vec<String>> {
    let cleaned = clean(word);
    let pieces: Vec<&str> = cleaned
        .split(|c: char| c.is_whitespace() || ((c == ',' || c == ';') && !cleaned.contains('%')))
        .filter(|piece| !piece.is_empty())
        .collect();
    match pieces.as_slice() {
        [] => None,
        [one] => named_otherwise(one)
            .map(|term| vec![term])
            .or_else(|| apart(one, most))
            .or_else(|| term(one).map(|_| vec![(*one).to_owned()]))
            .or_else(|| single(one).map(|term| vec![term])),
        many => {
            let most = most.checked_sub(many.len())?;
            let read: Option<Vec<Vec<String>>> = many.iter().map(|piece| terms(piece, most)).collect();
            Some(read?.concat())
        }
    }
}

/// Without what a word processor or a zone file has brought in.
fn clean(word: &str) -> String {
    let ascii: String = word
        .chars()
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\\'))
        .map(|c| if matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}') { '-' } else { c })
        .collect();
    ascii.trim_matches(is_quote).to_owned()
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}')
}

fn begins(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
}

/// A term that names a page or a mailbox where a domain belongs, with that domain.
fn named_otherwise(word: &str) -> Option<String> {
    let (name, value) = word.split_once([':', '='])?;
    let separator = &word[name.len()..=name.len()];
    let value = value.trim_matches(['<', '>']);
    let behind_scheme =
        value.split_once("://").map(|(_, behind)| behind.split('/').next().unwrap_or_default());
    let domain = behind_scheme.or_else(|| value.rsplit_once('@').map(|(_, domain)| domain))?;
    let mended = format!("{name}{separator}{domain}");
    (!value.contains('%') && term(&mended).is_some()).then_some(mended)
}

/// Terms that stand together without a blank.
fn apart(word: &str, most: usize) -> Option<Vec<String>> {
    let most = most.checked_sub(1)?;
    let (_, value) = word.split_once([':', '=']).unwrap_or((word, ""));
    // A domain may have any character, so that only what looks like nothing else is taken apart.
    let is_whole = term(word).is_some() && !value.contains([':', '=']) && !ends_in_all(value);
    if is_whole || value.contains('%') {
        return None;
    }
    (1..word.len()).filter(|at| word.is_char_boundary(*at) && is_begin(&word[*at..])).find_map(|at| {
        let (front, back) = word.split_at(at);
        let front = if term(front).is_some() { front.to_owned() } else { single(front)? };
        let mut found = vec![front];
        found.extend(terms(back, most)?);
        Some(found)
    })
}

/// Whether a target ends like `example.com-all`, where `com-all` is no top-level domain.
fn ends_in_all(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    ["-all", "~all", "?all", "+all"].iter().any(|all| lower.ends_with(all))
}

/// Whether a term may begin here.
fn is_begin(text: &str) -> bool {
    let (bare, is_signed) = match text.strip_prefix(['+', '-', '~', '?']) {
        Some(bare) => (bare, true),
        None => (text, false),
    };
    let is_named = ["include:", "ip4:", "ip6:", "ipv4:", "ipv6:", "exists:", "redirect=", "exp="]
        .iter()
        .any(|name| begins(bare, name));
    let is_whole = ["all", "mx", "a", "ptr"].iter().any(|name| bare.eq_ignore_ascii_case(name));
    is_named || (is_whole && is_signed) || (bare.eq_ignore_ascii_case("mx") && !is_signed)
}

/// The one term that a word was meant as.
fn single(word: &str) -> Option<String> {
    let bare = word.trim_start_matches(['+', '-', '~', '?']);
    let signs = &word[..word.len() - bare.len()];
    let sign = signs.chars().next().map_or(String::new(), String::from);
    if signs.chars().any(|c| !sign.starts_with(c)) {
        return None;
    }
    let bare = bare.trim_end_matches([',', ';', '.', ':']);
    let end = bare.find([':', '=']).unwrap_or(bare.len());
    let (name, value) = (bare[..end].to_ascii_lowercase(), bare.get(end + 1..).unwrap_or_default());
    let meant = if let Some(network) = network(bare) {
        network
    } else if NETWORK_NAMES.contains(&name.as_str()) {
        // Where the host is what it seems to be is for DNS to say.
        network(value).or_else(|| is_host(value).then(|| format!("a:{value}")))?
    } else if matches!(name.as_str(), "a" | "mx") && network(value).is_some() {
        network(value)?
    } else if MODIFIERS.contains(&name.as_str()) && sign.is_empty() {
        format!("{name}={value}")
    } else if !value.is_ascii() {
        format!("{name}:{}", value.parse::<Domain>().ok()?)
    } else if MECHANISMS.contains(&name.as_str()) {
        if value.is_empty() { name } else { format!("{name}:{value}") }
    } else {
        let known = syntax::nearest(&name)?;
        if MODIFIERS.contains(&known) {
            format!("{known}={value}")
        } else if value.is_empty() {
            known.to_owned()
        } else {
            format!("{known}:{value}")
        }
    };
    let meant = format!("{sign}{meant}");
    term(&meant).map(|_| meant)
}

/// The term for a network, as an address with or without a prefix length.
fn network(text: &str) -> Option<String> {
    let (address, prefix) =
        text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let found = match address.parse() {
        Ok(IpAddr::V4(_)) => format!("ip4:{text}"),
        Ok(IpAddr::V6(_)) => format!("ip6:{text}"),
        // `192.0.2/24`, as in the days before RFC 4632.
        Err(_) => {
            let octets = address.split('.').count();
            let length: usize = prefix?.parse().ok()?;
            let whole: Ipv4Addr =
                format!("{address}{}", ".0".repeat(4_usize.checked_sub(octets)?)).parse().ok()?;
            (length <= octets * 8).then(|| format!("ip4:{whole}/{length}"))?
        }
    };
    term(&found).map(|_| found)
}

/// Whether this is the name of a host, and no address with a mistake.
fn is_host(text: &str) -> bool {
    is_domain(text) && text.parse::<Ipv6Addr>().is_err() && text.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, expected: &[&str]) {
        let found = otherwise(word).unwrap_or_default();
        assert_eq!(found, expected, "{word}");
    }

    #[test]
    fn mistakes_are_mended() {
        check("ipv4:198.51.100.0/24", &["ip4:198.51.100.0/24"]);
        check("ip:198.51.100.1", &["ip4:198.51.100.1"]);
        check("IPv6:2001:db8::/32", &["ip6:2001:db8::/32"]);
        check("ip4:2001:db8::/32", &["ip6:2001:db8::/32"]);
        check("~ip6:192.0.2.1", &["~ip4:192.0.2.1"]);
        check("192.0.2.1", &["ip4:192.0.2.1"]);
        check("2001:db8::1", &["ip6:2001:db8::1"]);
        check("192.0.2/24", &["ip4:192.0.2.0/24"]);
        check("a:192.0.2.1", &["ip4:192.0.2.1"]);
        check("mx:2001:db8::1", &["ip6:2001:db8::1"]);
        check("ip4:mail.example.org", &["a:mail.example.org"]);
        check("ip4:mail.example.org.", &["a:mail.example.org"]);
        check("mx:", &["mx"]);
        check("incldue:a.example", &["include:a.example"]);
        check("redirect:a.example", &["redirect=a.example"]);
        check("exp:why.example", &["exp=why.example"]);
        check("–all", &["-all"]);
        check("--all", &["-all"]);
        check("-all.", &["-all"]);
        check("-all\"", &["-all"]);
        check("”-all”", &["-all"]);
        check("a:bücher.example", &["a:xn--bcher-kva.example"]);
    }

    #[test]
    fn words_come_apart() {
        check("mx,a", &["mx", "a"]);
        check("mx;", &["mx"]);
        check("ip4:192.0.2.1,ip4:192.0.2.2;-all", &["ip4:192.0.2.1", "ip4:192.0.2.2", "-all"]);
        check("ip4:192.0.2.1,192.0.2.2", &["ip4:192.0.2.1", "ip4:192.0.2.2"]);
        check("ip4:192.0.2.1ip4:192.0.2.2", &["ip4:192.0.2.1", "ip4:192.0.2.2"]);
        check("ip4:192.0.2.1-all", &["ip4:192.0.2.1", "-all"]);
        check("mx-all", &["mx", "-all"]);
        check("a\tmx", &["a", "mx"]);
        check("a\u{a0}-all", &["a", "-all"]);
        check("include:a.exampleinclude:b.example~all", &["include:a.example", "include:b.example", "~all"]);
        check("include:a.example-all", &["include:a.example", "-all"]);
        check("ipv4:192.0.2.1ipv4:192.0.2.2-all", &["ip4:192.0.2.1", "ip4:192.0.2.2", "-all"]);
    }

    #[test]
    fn domains_are_found_in_pages_and_mailboxes() {
        check("include:https://a.example/spf", &["include:a.example"]);
        check("include:http://a.example", &["include:a.example"]);
        check("include:postmaster@a.example", &["include:a.example"]);
        check("include:<a.example>", &[]);
    }

    #[test]
    fn what_is_sound_stays_and_what_is_unclear_as_well() {
        for word in [
            "mx",
            "ip4:192.0.2.1",
            "include:_spf.a.example",
            "include:re-all.example",
            "exists:%{i}._ip.%{h}.a.example",
            "mail.example.org",
            "ip4:192.0.2.256",
            "ip4:192.0.2.0/33",
            "ip4:192.0.2.*",
            "-~all",
            "xyzzy",
            "include:localhost",
            "-redirect=a.example",
        ] {
            check(word, &[]);
        }
    }

    #[test]
    fn blanks_too_many_are_seen() {
        let read = |record: &str| {
            let mended = readings(record).into_iter().map(|reading| match reading.meaning {
                Meaning::Term => reading.text,
                Meaning::Mended(terms) => terms.join("+"),
                Meaning::Unclear(_) => format!("?{}", reading.text),
            });
            mended.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            read("v=spf1 include: a.example ip4: 192.0.2.1 - all"),
            "include:a.example ip4:192.0.2.1 -all"
        );
        assert_eq!(read("v=spf1 ip4:192.0.2.0 /24 -all"), "ip4:192.0.2.0/24 -all");
        assert_eq!(read("v=spf1 mx: -all"), "mx -all");
        assert_eq!(read("v=spf1 host.example -all"), "?host.example -all");
    }

    #[test]
    fn records_that_nobody_sees() {
        for (text, expected) in [
            ("v=spf1; mx -all", Some("v=spf1  mx -all")),
            ("v=spf1;mx -all", Some("v=spf1 mx -all")),
            (" v=spf1 mx -all", Some("v=spf1  mx -all")),
            ("“v=spf1 mx -all”", Some("v=spf1  mx -all")),
            ("v = SPF1 mx", Some("v=spf1  mx")),
            ("v=spf1 mx -all", None),
            ("v=spf10 mx", None),
            ("v=spf1.1 mx", None),
            ("spf2.0/pra mx", None),
            ("v=DMARC1; p=none", None),
        ] {
            assert_eq!(almost(text).as_deref(), expected, "{text}");
        }
    }
}
