//! The domains that some reader might see in a text which no two readers need read alike.
//!
//! It errs on the side of seeing: whoever asks wants to know which domains could be claimed.

use std::collections::BTreeSet;

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use super::Domain;
use super::domain::MAX_SPELLING;
use super::lexer::Lexer;
use super::text::is_unseen;

/// Every domain that stands behind an `@` or what looks like one, sorted: as written and with its encoded-words
/// decoded, comments skipped or not, with and without the characters that no reader sees.
///
/// The work grows with the length of the text and no faster, whatever its characters expand to: each name is looked at
/// once, and none that is longer than a domain can be.
pub fn domains(text: &str) -> Vec<Domain> {
    let plain = decoded(text);
    let forms = [undisguised(text), undisguised(&plain), plain];
    let names: BTreeSet<String> =
        forms.iter().map(String::as_str).chain([text]).flat_map(behind_at_signs).collect();
    let domains: BTreeSet<Domain> = names.iter().filter_map(|name| name.parse().ok()).collect();
    domains.into_iter().collect()
}

/// The text with its look-alikes of syntax as what they look like, and nothing that no reader sees. Letters stay as they
/// are: those of a domain are mapped as it is read (UTS 46), and some become eighteen in their compatibility form.
fn undisguised(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !is_unseen(*c) && !matches!(c, '\u{200c}' | '\u{200d}')) {
        let before = plain.len();
        if !c.is_ascii() {
            let mut is_syntax = false;
            decompose_compatible(c, |part| is_syntax |= part.is_ascii_punctuation());
            if is_syntax {
                decompose_compatible(c, |part| plain.push(part));
            } else if c.is_whitespace() {
                plain.push(' ');
            }
        }
        if plain.len() == before {
            plain.push(c);
        }
    }
    plain
}

/// What might be the name of a domain.
fn behind_at_signs(text: &str) -> impl Iterator<Item = String> {
    text.match_indices('@').flat_map(|(at, _)| {
        let rest = &text[at + 1..];
        [behind_comments(rest), first_run(rest)].into_iter().flatten()
    })
}

/// The domain that begins here, with the white space and the comments that may surround its dots (RFC 5322, 4.4).
fn behind_comments(text: &str) -> Option<String> {
    let mut lexer = Lexer::new(text);
    let mut name = String::new();
    while name.len() <= MAX_SPELLING && lexer.skip_cfws().is_ok() {
        let part = lexer.take_while(|c| !c.is_ascii() || is_part(c));
        if part.is_empty() || !(name.is_empty() || name.ends_with('.') || part.starts_with('.')) {
            break;
        }
        name.push_str(part);
    }
    within_bounds(&name)
}

/// What a reader makes of it who looks for nothing but a name: whatever else comes first is skipped.
fn first_run(text: &str) -> Option<String> {
    let name = text.split('@').next()?.trim_start_matches(|c| !is_part(c));
    let end = name.find(|c| !is_part(c)).unwrap_or(name.len());
    within_bounds(&name[..end])
}

fn within_bounds(name: &str) -> Option<String> {
    let name = name.trim_matches('.');
    (1..=MAX_SPELLING).contains(&name.len()).then(|| name.to_owned())
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c) || "-._。".contains(c)
}

/// The text with every encoded-word decoded, wherever it stands (RFC 2047). Whatever the charset is, it is read as
/// UTF-8: most charsets hold ASCII as it is, and the name of a domain needs no more.
pub(super) fn decoded(text: &str) -> String {
    let mut decoded = String::new();
    let mut rest = text;
    while let Some((before, word)) = rest.split_once("=?") {
        decoded.push_str(before);
        rest = word;
        let mut parts = word.splitn(3, '?').skip(1);
        let decode: fn(&str) -> Vec<u8> = match parts.next() {
            Some("q" | "Q") => from_q,
            Some("b" | "B") => from_base64,
            _ => continue,
        };
        // If this word does not end, then no later one does.
        let Some((content, behind)) = parts.next().and_then(|encoded| encoded.split_once("?=")) else {
            break;
        };
        decoded.push_str(&String::from_utf8_lossy(&decode(content)));
        rest = behind;
    }
    decoded + rest
}

/// Decodes the Q encoding (RFC 2047, 4.2); what does not follow it stays.
fn from_q(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        octets.push(match (first, behind) {
            (b'_', _) => b' ',
            (b'=', [high, low, behind @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest = behind;
                16 * hexadecimal(*high) + hexadecimal(*low)
            }
            _ => first,
        });
    }
    octets
}

/// The value of a hexadecimal digit.
fn hexadecimal(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Decodes base64 (RFC 2047, 4.1); what is not of its alphabet is skipped, as readers do.
fn from_base64(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter_map(base64_digit).collect();
    let mut octets = Vec::new();
    for group in digits.chunks(4) {
        let [a, b, c, d] = std::array::from_fn(|at| group.get(at).copied().unwrap_or(0));
        let whole = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
        octets.extend(&whole[..group.len() - 1]);
    }
    octets
}

/// The value of a base64 digit.
fn base64_digit(octet: u8) -> Option<u8> {
    Some(match octet {
        b'A'..=b'Z' => octet - b'A',
        b'a'..=b'z' => octet - b'a' + 26,
        b'0'..=b'9' => octet - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::address_list::{AddressList, Author};

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
        check("ceo@(x@y)example.org, a b", "example.org x y");
        check("ceo@(）x)example.org", "example.org x");
        check("nobody, not@", "");
    }

    #[test]
    fn whatever_it_is_disguised_as() {
        check("ceo＠example.org", "example.org");
        check("ceo@ｅxample。org", "example.org");
        check("ceo@exam\u{ad}ple.org", "exam example.org");
        check("ceo@exam\u{200d}ple.org", "exam example.org");
        check("=?utf-8?q?=3Cceo=40example.org=3E?=, <x@example.net>", "example.net example.org");
        check("=?UTF-8?B?PGNlb0BleGFtcGxlLm9yZz4=?= x", "example.org");
        check("=?utf-8?q?ceo@example?=.org", "example example.org");
        check("=?utf-8?x?a?= =?q =? @example.org", "example.org");
        check("=?utf-8?b?Y2VvQGV4YW1wbGUub3Jn?= =?utf-8?q?=4", "example.org");
    }

    #[test]
    fn a_name_is_read_up_to_its_bound() {
        // Eighteen characters in its compatibility form.
        assert!(domains(&format!("x@{}", "\u{fdfa}".repeat(350_000))).is_empty());
        check(&format!("ceo@{}example.org", "\u{ad}".repeat(MAX_SPELLING)), "example.org");
        check("ceo@example.org\u{a0}x", "example.org");
        check(
            &format!("ceo@{}.org", "e\u{301}".repeat(20)),
            &format!("{}.org", idna::domain_to_ascii(&"\u{e9}".repeat(20)).unwrap()),
        );
    }

    proptest! {
        /// Nothing hides from this what the strict parser sees.
        #[test]
        fn what_is_exact_is_visible(body in "[a@.()<>, \"（）＠é=?]{0,24}") {
            if let AddressList::Exact(authors) = AddressList::parse(&body) {
                let visible = domains(&body);
                for author in authors {
                    if let Author::Mailbox(mailbox) = author {
                        prop_assert!(visible.contains(mailbox.domain()), "{} in {:?}", mailbox, visible);
                    }
                }
            }
        }

        #[test]
        fn nothing_panics(text in ".{0,60}|[=?qbQB@a-z0-9.(]{0,60}") {
            let _ = domains(&text);
        }
    }
}
