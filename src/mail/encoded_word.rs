//! Encoded-words as their readers decode them, and not only as RFC 2047 would have it.
//!
//! Readers differ: in where a word ends, in whether neighbours are decoded together, and in the charsets that they know,
//! which are all those of iconv, of Python or of PHP, some of which are no charsets. Whoever asks here wants to know what
//! could be shown, so there are as many answers as there are ways to read.

mod charset;

use std::borrow::Cow;

use charset::{Charset, WAYS};

/// What readers may make of a text with encoded-words, wherever they stand (RFC 2047); the text itself if it has none.
///
/// Each answer is at most a few times as long as the text, and takes time that grows with the text and no faster.
pub(super) fn readings(text: &str) -> Vec<String> {
    if !text.contains("=?") {
        return vec![text.to_owned()];
    }
    let runs = runs(text, Ends::AtFirstMark);
    // Decoded one by one, the white space between them kept, and whatever the charset is, read as UTF-8: most charsets
    // hold ASCII as it is.
    let apart = |words: &[Word<'_>]| {
        let shown = words.iter().map(|word| {
            let octets = word.octets();
            [word.before, &String::from_utf8_lossy(&octets)].concat()
        });
        shown.collect()
    };
    let mut readings = vec![read(&runs, apart), read(&runs, together)];
    if text.contains('?') {
        readings.push(read(&self::runs(text, Ends::WithoutMarks), together));
    }
    let words = || runs.iter().filter_map(|run| if let Run::Words(words) = run { Some(words) } else { None });
    if words().any(|words| words.windows(2).any(|pair| pair[0].runs_on())) {
        readings.push(read(&runs, |words| by_charset(words, true)));
    }
    if words().flatten().any(|word| word.charset().is_odd()) {
        readings.extend(WAYS.map(|way| read(&runs, |words| way(&octets(words, false)))));
    }
    readings.sort();
    readings.dedup();
    readings
}

/// A part of a text.
enum Run<'a> {
    Text(&'a str),
    /// Encoded-words with nothing but white space between them, which is not shown (RFC 2047, 6.2).
    Words(Vec<Word<'a>>),
}

/// An encoded-word (RFC 2047, 2).
struct Word<'a> {
    /// The white space between the word before and this one.
    before: &'a str,
    label: &'a str,
    is_base64: bool,
    content: &'a str,
}

impl Word<'_> {
    fn octets(&self) -> Vec<u8> {
        if self.is_base64 { from_base64(self.content) } else { from_q(self.content) }
    }

    /// The charset, without the language that may stand behind it (RFC 2231, 5).
    fn charset(&self) -> Charset {
        Charset::of(self.label.split('*').next().unwrap_or_default())
    }

    /// Whether a reader may decode the base64 of the next word as what goes on with this.
    fn runs_on(&self) -> bool {
        self.is_base64 && !self.content.ends_with('=') && !self.content.len().is_multiple_of(4)
    }
}

/// Where a word ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// At the first `?=` behind its beginning.
    AtFirstMark,
    /// There too, but what holds another question mark is no word.
    WithoutMarks,
}

/// Divides a text.
fn runs(text: &str, ends: Ends) -> Vec<Run<'_>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    // What stands before `rest` and belongs to no word, from `begun` on.
    let (mut begun, mut at) = (0, 0);
    while let Some(found) = text[at..].find("=?") {
        let start = at + found;
        at = start + 2;
        let Some((mut word, end)) = word(text, at, ends) else { continue };
        let before = &text[begun..start];
        (begun, at) = (end, end);
        match runs.last_mut() {
            Some(Run::Words(words)) if before.trim_ascii().is_empty() => {
                word.before = before;
                words.push(word);
            }
            _ => runs.extend([Run::Text(before), Run::Words(vec![word])]),
        }
    }
    runs.push(Run::Text(&text[begun..]));
    runs
}

/// The word whose charset begins there, and where it ends.
fn word(text: &str, at: usize, ends: Ends) -> Option<(Word<'_>, usize)> {
    let mut parts = text[at..].splitn(3, '?');
    let (label, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let is_base64 = match encoding {
        "b" | "B" => true,
        "q" | "Q" => false,
        _ => return None,
    };
    let end = match ends {
        Ends::AtFirstMark => rest.find("?=")?,
        Ends::WithoutMarks => rest.find('?').filter(|&mark| rest[mark..].starts_with("?="))?,
    };
    let begun = text.len() - rest.len();
    Some((Word { before: "", label, is_base64, content: &rest[..end] }, begun + end + 2))
}

/// The text with its words read in some way.
fn read(runs: &[Run<'_>], words: impl Fn(&[Word<'_>]) -> String) -> String {
    let parts = runs.iter().map(|run| match run {
        Run::Text(text) => Cow::Borrowed(*text),
        Run::Words(run) => Cow::Owned(words(run)),
    });
    parts.collect()
}

fn together(words: &[Word<'_>]) -> String {
    by_charset(words, false)
}

/// Neighbours decoded as one, as far as they have the same charset.
fn by_charset(words: &[Word<'_>], runs_on: bool) -> String {
    words
        .chunk_by(|a, b| a.label == b.label)
        .map(|words| words[0].charset().decode(&octets(words, runs_on)))
        .collect()
}

/// The octets of neighbours; those of base64 as one text where it runs on.
fn octets(words: &[Word<'_>], runs_on: bool) -> Vec<u8> {
    let same = |a: &Word<'_>, b: &Word<'_>| runs_on && a.is_base64 && b.is_base64;
    let decode = |words: &[Word<'_>]| match words {
        [word] => word.octets(),
        words => from_base64(&words.iter().map(|word| word.content).collect::<String>()),
    };
    words.chunk_by(same).flat_map(decode).collect()
}

/// Decodes the Q encoding (RFC 2047, 4.2); what does not follow it stays.
fn from_q(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
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

/// Decodes base64 (RFC 2047, 4.1); what is not of its alphabet is skipped, as readers do, and each padding ends a group.
fn from_base64(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len() / 4 * 3 + 3);
    for part in text.split('=') {
        let digits: Vec<u8> = part.bytes().filter_map(base64_digit).collect();
        for group in digits.chunks(4) {
            let [a, b, c, d] = std::array::from_fn(|at| group.get(at).copied().unwrap_or(0));
            let whole = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
            octets.extend(&whole[..group.len() - 1]);
        }
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
        // The comma is that of IMAP's variant of UTF-7 (RFC 3501, 5.1.3).
        b'/' | b',' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether some reader sees that.
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let readings = readings(text);
        assert!(readings.iter().any(|reading| reading.contains(expected)), "{text}: {readings:?}");
    }

    #[test]
    fn neighbours_are_read_as_one_and_apart() {
        check("=?utf-8?q?ceo@exam?= =?utf-8?q?ple.org?=", "ceo@example.org");
        check("=?utf-8?q?ceo@exam?=\r\n\t=?utf-8?b?cGxlLm9yZw==?= x", "ceo@example.org x");
        check("=?utf-8?q?ceo@exam?= =?utf-8?q?ple.org?=", "ceo@exam ple.org");
        check("=?utf-8?b?Y2VvQGV4YQ?= =?utf-8?b?bXBsZS5vcmc=?=", "ceo@exa");
        check("=?utf-8?b?Y2VvQGV4Y?= =?utf-8?b?W1wbGUub3Jn?=", "ceo@example.org");
        check("=?utf-16be?b?AGMAZQBvAEAAZ?= =?utf-16be?b?QB4AC4AbwByAGc?=", "ceo@ex.org");
        check("=?utf-16le?q?c=00e?= =?utf-16le?q?=00o=00=40=00x=00?=", "ceo@x");
        check("=?x?q?ceo?=x?= =?utf-8*en?q?=40example.org?=", "ceo");
        check("=?a?q?x=?utf-8?q?ceo=40example.org?=", "ceo@example.org");
    }

    #[test]
    fn what_is_no_word_stays() {
        check("=?utf-8?x?a?= =?q =? @example.org", "=?utf-8?x?a?= =?q =? @example.org");
        check("=?utf-8?q?=4", "=?utf-8?q?=4");
        check("=?utf-8?q?=4?=", "=4");
    }

    proptest! {
        #[test]
        fn nothing_panics(
            text in "(=\\?(utf-7|utf-16|cp037|hz|base64|punycode|x)\\?[qb]\\?.{0,20}\\?= ?){0,3}|[=?qbQB@a-z+&\\\\~]{0,60}",
        ) {
            let _ = readings(&text);
        }
    }
}
