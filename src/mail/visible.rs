//! The domains that some reader might see in a text which no two readers need read alike.
//!
//! It errs on the side of seeing: whoever asks wants to know which domains could be claimed.

use std::borrow::Cow;
use std::collections::BTreeSet;

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use super::Domain;
use super::domain::MAX_SPELLING;
use super::encoded_word;
use super::text::is_unseen;

/// Pieces of a name that are joined, at most, and its characters: a domain has 253 octets.
const MAX_PIECES: usize = 253;

/// Pieces of a name beyond ASCII that are joined, at most, as it takes time to map one.
const MAX_MAPPED_PIECES: usize = 16;

/// Every domain that stands behind an `@` or what looks like one, sorted: as written and with its encoded-words decoded in
/// every way that some reader decodes them, comments skipped or not, with and without the characters that no reader sees,
/// up to whatever divides it and across that.
///
/// The work grows with the length of the text and no faster, whatever its characters expand to: each name is looked at
/// once, and none that is longer than a domain can be.
pub fn domains(text: &str) -> Vec<Domain> {
    let mut forms = BTreeSet::from([text.to_owned()]);
    // Some readers take comments, quotes, brackets or controls away before they decode, from within encoded-words too.
    let is_taken = |c: char| "\"\\<>".contains(c) || (c.is_control() && !c.is_whitespace());
    let mut taken = vec![Cow::Borrowed(text)];
    if text.contains("=?") && text.contains(|c| c == '(' || is_taken(c)) {
        let bare = text.replace(is_taken, "");
        taken.extend([without_comments(text, true), without_comments(&bare, true), bare].map(Cow::Owned));
    }
    // To some, the end of one word is the beginning of the next as well.
    if text.contains("?=?") {
        taken.push(Cow::Owned(text.replace("?=?", "?==?")));
    }
    for text in taken {
        forms.extend(encoded_word::readings(&text));
    }
    let disguised: Vec<String> = forms.iter().filter(|form| !form.is_ascii()).cloned().collect();
    for form in disguised {
        let plain = undisguised(&form);
        // Those that drop marks see another name than those that put them on their letters.
        forms.insert(plain.replace(is_combining_mark, ""));
        forms.insert(plain);
    }
    let mut names = BTreeSet::new();
    for form in &forms {
        behind_at_signs(form, &mut names);
        if form.contains('(') {
            behind_at_signs(&without_comments(form, true), &mut names);
            behind_at_signs(&without_comments(form, false), &mut names);
        }
    }
    let domains: BTreeSet<Domain> = names.iter().filter_map(|name| name.parse().ok()).collect();
    domains.into_iter().collect()
}

/// Every domain that an address names, sorted: [what a reader might see](domains), and the steps of its route by `%`, `!`
/// and `@`, those of one label apart.
pub fn named(address: &str) -> Vec<Domain> {
    let mut named: BTreeSet<Domain> = domains(address).into_iter().collect();
    for form in [address, &undisguised(address)] {
        let is_route = form.contains(['@', '%', '!']);
        let steps = form.split(|c| !is_part(c)).filter(|step| is_route && step.contains(['.', '。']));
        named.extend(steps.filter_map(|step| step.trim_matches('.').parse().ok()));
    }
    named.into_iter().collect()
}

/// The text with its look-alikes of ASCII as what they look like, and nothing that no reader sees. Other letters stay as
/// they are: those of a domain are mapped as it is read (UTS 46), and some become eighteen in their compatibility form.
fn undisguised(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !is_unseen(*c) && !matches!(c, '\u{200c}' | '\u{200d}')) {
        let before = plain.len();
        if !c.is_ascii() {
            let (mut is_syntax, mut is_ascii) = (false, true);
            decompose_compatible(c, |part| {
                is_syntax |= part.is_ascii_punctuation();
                is_ascii &= part.is_ascii();
            });
            if matches!(c, '\u{3002}' | '\u{ff61}') {
                plain.push('.');
            } else if is_syntax || is_ascii {
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

/// The text without its comments, in which others may be or not. Where one ends, readers may see differently: those that know quoted pairs in it and those
/// that do not see other domains behind it only where one of them sees no end.
fn without_comments(text: &str, nest: bool) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '(' => depth = if nest { depth + 1 } else { 1 },
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain
}

/// Adds what might be the name of a domain: behind each at sign, each piece, and the first ones joined, as readers pass over
/// white space, quotes, brackets and more.
fn behind_at_signs(text: &str, names: &mut BTreeSet<String>) {
    let mut add = |name: &str| {
        let name = name.trim_matches('.').trim_start_matches(is_combining_mark);
        // Some readers make one dot of several.
        let name = if name.contains("..") {
            Cow::Owned(name.split('.').filter(|label| !label.is_empty()).collect::<Vec<_>>().join("."))
        } else {
            Cow::Borrowed(name)
        };
        if !name.is_empty() && !names.contains(&*name) {
            names.insert(name.into_owned());
        }
    };
    for behind in text.split('@').skip(1) {
        let mut joined = String::new();
        let pieces = behind.split(|c| !is_part(c)).filter(|piece| (1..=MAX_SPELLING).contains(&piece.len()));
        for (at, piece) in pieces.enumerate() {
            add(piece);
            // nodemailer ends an address where ASCII ends.
            add(piece.split(|c: char| !c.is_ascii()).next().unwrap_or_default());
            let most = if joined.is_ascii() && piece.is_ascii() { MAX_PIECES } else { MAX_MAPPED_PIECES };
            if at < most && joined.chars().count() + piece.len() <= MAX_PIECES {
                joined.push_str(piece);
                add(&joined);
            }
        }
    }
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c) || "-._。".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::address_list::{AddressList, Author};

    /// What is seen, and nothing else.
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found: Vec<String> = domains(text).iter().map(Domain::to_string).collect();
        assert_eq!(found.join(" "), expected, "{text}");
    }

    /// A domain that is seen, beside what else is.
    #[track_caller]
    fn check_seen(text: &str, expected: &str) {
        let found = domains(text);
        assert!(found.contains(&expected.parse().unwrap()), "{text}: {found:?}");
    }

    #[test]
    fn what_a_reader_might_see() {
        check("ceo@example.org, x@example.net", "example.net example.org example.orgx x");
        check("ceo@example.org...", "example.org");
        check("ceo@[example.org]", "example.org");
        check("ceo@\"example.org\"", "example.org");
        check("nobody, not@", "");
        check("ceo example.org", "");
    }

    #[test]
    fn whatever_divides_it() {
        for text in [
            "a@(example.com) example (x) . org",
            "ceo@(example.org",
            "ceo@(x@y)example.org, a b",
            "ceo@(\u{ff09}x)example.org",
            "ceo@exa(x)mple.org, x y",
            "ceo@e(x)x(x)a(x)m(x)p(x)l(x)e(x).(x)o(x)r(x)g",
            "ceo@exam(x(y)z)ple.org",
            "ceo@exam ple.org",
            "ceo@exam\r\n\tple.org",
            "ceo@exam\u{0}ple.org",
            "ceo@exam\\ple.org",
            "ceo@\"exam\"ple.org",
            "ceo@exam<ple.org",
        ] {
            check_seen(text, "example.org");
        }
    }

    #[test]
    fn what_an_address_names() {
        for (address, expected) in [
            ("ceo@example.org", "example.org"),
            ("ceo%nospf.example@example.org", "example.org nospf.example"),
            ("example.org!nospf.example!ceo", "example.org nospf.example"),
            ("ceo%example.org", "example.org"),
            ("ceo%EXAMPLE.org.@mx", "example.org mx"),
            ("\"ceo%example.org\"@nospf.example", "example.org nospf.example"),
            ("ceo\u{ff05}example.org", "example.org"),
            ("ceo%b\u{fc}cher。example", "xn--bcher-kva.example"),
            ("ceo@[192.0.2.1]", "192.0.2.1"),
            ("first.last", ""),
            ("ceo%mx", ""),
        ] {
            let found: Vec<String> = named(address).iter().map(Domain::to_string).collect();
            assert_eq!(found.join(" "), expected, "{address}");
        }
    }

    #[test]
    fn whatever_it_is_disguised_as() {
        for text in [
            "ceo\u{ff20}example.org",
            "ceo@\u{ff45}xample\u{3002}org",
            "ceo@exam\u{ad}ple.org",
            "ceo@exam\u{200d}ple.org",
            "=?utf-8?q?=3Cceo=40example.org=3E?=, <x@example.net>",
            "=?UTF-8?B?PGNlb0BleGFtcGxlLm9yZz4=?= x",
            "=?utf-8?q?ceo@example?=.org",
            "=?utf-8?x?a?= =?q =? @example.org",
            "=?utf-8?b?Y2VvQGV4YW1wbGUub3Jn?= =?utf-8?q?=4",
            "=?utf-8?q?ceo@exam?= =?utf-8?q?ple.org?=",
            "=?utf-8*en?q?ceo=40exam?==?us-ascii?q?ple.org?=",
        ] {
            check_seen(text, "example.org");
        }
        check_seen("=?iso-8859-1?q?ceo=40b=FCcher.example?=", "b\u{fc}cher.example");
    }

    #[test]
    fn a_name_is_read_up_to_its_bound() {
        // Eighteen characters in its compatibility form.
        assert!(domains(&format!("x@{}", "\u{fdfa}".repeat(350_000))).is_empty());
        check(&format!("ceo@{}example.org", "\u{ad}".repeat(MAX_SPELLING)), "example.org");
        check_seen("ceo@example.org\u{a0}x", "example.org");
        check_seen(&format!("ceo@{}.org", "e\u{301}".repeat(20)), &format!("{}.org", "\u{e9}".repeat(20)));
        let long =
            [&"a".repeat(63), ".", &"b".repeat(63), ".", &"c".repeat(63), ".", &"d".repeat(61)].concat();
        let divided: String = long.chars().flat_map(|c| [c, ' ']).collect();
        assert_eq!(long.len(), MAX_PIECES);
        check_seen(&format!("ceo@{divided}"), &long);
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
