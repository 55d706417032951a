//! The domains that some reader might see in a text which no two readers need read alike.
//!
//! It errs on the side of seeing: whoever asks wants to know which domains could be claimed.

use unicode_normalization::UnicodeNormalization as _;

use super::Domain;
use super::lexer::Lexer;
use super::text::is_unseen;

/// Every domain that stands behind an `@` or what looks like one, sorted: as written and with its encoded-words
/// decoded, comments skipped or not, without the characters that no reader sees.
pub fn domains(text: &str) -> Vec<Domain> {
    let mut domains: Vec<Domain> =
        [text.to_owned(), decoded(text)].iter().flat_map(|text| behind_at_signs(text)).collect();
    domains.sort();
    domains.dedup();
    domains
}

fn behind_at_signs(text: &str) -> Vec<Domain> {
    let is_seen = |c: &char| !is_unseen(*c) && !matches!(c, '\u{200c}' | '\u{200d}');
    let seen: String = text.nfkc().filter(is_seen).collect();
    seen.split('@').skip(1).flat_map(|rest| [behind_comments(rest), first_run(rest)]).flatten().collect()
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || "-._。".contains(c)
}

/// The domain that begins here, with the white space and the comments that may surround its dots (RFC 5322, 4.4).
fn behind_comments(text: &str) -> Option<Domain> {
    let mut lexer = Lexer::new(text);
    let mut name = String::new();
    while lexer.skip_cfws().is_ok() {
        let part = lexer.take_while(is_part);
        if part.is_empty() || !(name.is_empty() || name.ends_with('.') || part.starts_with('.')) {
            break;
        }
        name.push_str(part);
    }
    name.trim_matches('.').parse().ok()
}

/// What a reader makes of it who looks for nothing but a name: whatever else comes first is skipped.
fn first_run(text: &str) -> Option<Domain> {
    let name = text.trim_start_matches(|c| !is_part(c));
    let end = name.find(|c| !is_part(c)).unwrap_or(name.len());
    name[..end].trim_matches('.').parse().ok()
}

/// The text with every encoded-word decoded, wherever it stands (RFC 2047). Charsets that hold ASCII as it is are read as
/// UTF-8, which is all that the name of a domain needs.
fn decoded(text: &str) -> String {
    let mut decoded = String::new();
    let mut rest = text;
    while let Some((before, word)) = rest.split_once("=?") {
        decoded.push_str(before);
        let mut parts = word.splitn(3, '?');
        let (_charset, encoding, encoded) = (parts.next(), parts.next(), parts.next());
        let content = encoded.and_then(|encoded| encoded.split_once("?="));
        let octets = match (encoding, content) {
            (Some("q" | "Q"), Some((content, _))) => from_q(content),
            (Some("b" | "B"), Some((content, _))) => from_base64(content),
            _ => b"=?".to_vec(),
        };
        rest = match content {
            Some((_, behind)) if octets != b"=?" => behind,
            _ => word,
        };
        decoded.push_str(&String::from_utf8_lossy(&octets));
    }
    decoded + rest
}

/// Decodes the Q encoding (RFC 2047, 4.2); what does not follow it stays.
fn from_q(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded =
            escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| first == b'=');
        if let Some(octet) = decoded {
            octets.push(octet);
            rest = &behind[2..];
        } else {
            octets.push(if first == b'_' { b' ' } else { first });
            rest = behind;
        }
    }
    octets
}

/// Decodes base64 (RFC 2047, 4.1); what is not of its alphabet is skipped, as readers do.
fn from_base64(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let (mut buffer, mut bits) = (0_u32, 0);
    for octet in text.bytes() {
        let value = match octet {
            b'A'..=b'Z' => octet - b'A',
            b'a'..=b'z' => octet - b'a' + 26,
            b'0'..=b'9' => octet - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        buffer = buffer << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            octets.push((buffer >> bits & 0xff) as u8);
            buffer &= (1 << bits) - 1;
        }
    }
    octets
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found: Vec<String> = domains(text).iter().map(Domain::to_string).collect();
        assert_eq!(found.join(" "), expected, "{text}");
    }

    #[test]
    fn what_a_reader_might_see() {
        check("ceo@example.org <x@example.net>", "example.net example.org");
        check("ceo@example.org...", "example.org");
        check("ceo@[example.org]", "example.org");
        check("ceo@\"example.org\"", "example.org");
        check("a@(example.com) example (x) . org", "example.com example.org");
        check("ceo@(example.org", "example.org");
        check("nobody, not@", "");
    }

    #[test]
    fn whatever_it_is_disguised_as() {
        check("ceo＠example.org", "example.org");
        check("ceo@ｅxample。org", "example.org");
        check("ceo@exam\u{ad}ple.org", "example.org");
        check("ceo@exam\u{200d}ple.org", "example.org");
        check("=?utf-8?q?=3Cceo=40example.org=3E?=, <x@example.net>", "example.net example.org");
        check("=?UTF-8?B?PGNlb0BleGFtcGxlLm9yZz4=?= x", "example.org");
        check("=?utf-8?q?ceo@example?=.org", "example example.org");
        check("=?utf-8?x?a?= =?q =? @example.org", "example.org");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,60}|[=?qbQB@a-z0-9.(]{0,60}") {
            let _ = domains(&text);
        }
    }
}
