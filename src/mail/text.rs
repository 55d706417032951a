//! Making text harmless before it goes where its author must not reach.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Domain;

/// The first `limit` octets of `text` at most, cut at a character.
pub fn clip(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let end = (0..=limit).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    &text[..end]
}

/// `text` with everything but printable ASCII replaced by `?`, runs of white space folded to one space, and at most
/// `limit` octets long: fit for a reply or a header field.
pub fn printable(text: &str, limit: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut clean: String =
        words.join(" ").chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect();
    clean.truncate(limit);
    clean
}

/// What a stranger calls a host, fit for a header field of ours: a domain name as A-labels, or an address literal
/// (RFC 5321, 4.1.3). Anything else becomes `invalid`, which can be no host's name (RFC 6761, 6.4): however it were
/// quoted, some reader would find in it what its author put there.
pub fn host(text: &str) -> String {
    match text.parse::<Domain>() {
        Ok(domain) => domain.to_string(),
        Err(_) if is_address_literal(text) => text.to_owned(),
        Err(_) => "invalid".to_owned(),
    }
}

fn is_address_literal(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inner.is_some_and(|inner| match inner.strip_prefix("IPv6:") {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => inner.parse::<Ipv4Addr>().is_ok(),
    })
}

/// Whether readers see nothing of a character, or see it only by what it does to others: it is ignorable by default,
/// turns the direction, or breaks the line (UAX #44, UAX #9).
///
/// The joiners U+200C and U+200D are not among them, as words of some languages are spelled with them; in domains,
/// UTS 46 says where they may stand.
pub fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clip_never_splits_a_character() {
        assert_eq!(clip("aé", 2), "a");
        assert_eq!(clip("aé", 3), "aé");
        assert_eq!(clip("é", 0), "");
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for (text, expected) in [
            ("Mail_01.Example.", "mail_01.example"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
            ("[192.0.2.1", "invalid"),
            ("[x]", "invalid"),
            ("a@b.example", "invalid"),
            ("a b.example", "invalid"),
            ("", "invalid"),
        ] {
            assert_eq!(host(text), expected, "{text}");
        }
        assert_eq!(host(&"a.".repeat(200)), "invalid");
    }

    #[test]
    fn printable_holds_one_line() {
        assert_eq!(printable("see\r\n  http://x/\t\u{202e}é", 100), "see http://x/ ??");
        assert_eq!(printable("abcdef", 3), "abc");
    }
}
