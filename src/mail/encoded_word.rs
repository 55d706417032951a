//! Encoded-words as their readers decode them, and not only as RFC 2047 would have it.
//!
//! Readers differ: in where a word ends, in whether neighbours are decoded together, and in the charsets that they know,
//! which are all those of iconv, of Python or of PHP, some of which are no charsets. Whoever asks here wants to know what
//! could be shown, so there are as many answers as there are ways to read.

mod charset;

use std::borrow::Cow;
use std::collections::BTreeSet;

use self::charset::{Charset, WAYS};
use super::text::clip;

/// Octets of a text that are read in the ways that few readers know, at most; no author has a name so long.
const MAX_ODD: usize = 16 * 1024;

/// What readers may make of a text with encoded-words, wherever they stand (RFC 2047); the text itself if it has none.
///
/// Each answer is at most a few times as long as the text, and takes time that grows with the text and no faster.
pub(super) fn readings(text: &str) -> BTreeSet<String> {
    if !text.contains("=?") {
        return BTreeSet::from([text.to_owned()]);
    }
    // Decoded one by one, the white space between them kept, and whatever the charset is, read as UTF-8: most charsets
    // hold ASCII as it is.
    let apart = |words: &[Word<'_>]| {
        let shown = words
            .iter()
            .map(|word| [word.before, &String::from_utf8_lossy(&word.octets(Care::Plain))].concat());
        shown.collect()
    };
    let mut readings = BTreeSet::from([read(&runs(text, Ends::AtFirstMark), apart)]);
    readings.extend(decoded(text));
    let text = clip(text, MAX_ODD);
    for ends in [Ends::AtFirstMark, Ends::WithoutMarks] {
        let runs = runs(text, ends);
        let words: Vec<&Word<'_>> = runs.iter().flat_map(Run::words).collect();
        let is_cut = words.iter().any(|word| word.is_cut());
        let cares = [
            (Care::Joined, is_cut),
            (Care::Whole, is_cut),
            (Care::Padded, words.iter().any(|word| word.is_padded_within())),
            (Care::Loose, words.iter().any(|word| word.is_broken())),
        ];
        for (care, _) in cares.into_iter().filter(|(_, is_needed)| *is_needed) {
            readings.insert(read(&runs, |words| by_charset(words, care)));
        }
        readings.insert(read(&runs, |words| one_by_one(words, |word| by_charset(word, Care::Plain))));
        let is_odd = words.iter().any(|word| word.charset().is_odd());
        for way in WAYS.iter().filter(|_| is_odd) {
            let decode = |words: &[Word<'_>]| way(&octets(words, Care::Plain));
            readings.extend([read(&runs, decode), read(&runs, |words| one_by_one(words, decode))]);
        }
    }
    // What words decode to may make words of what stands behind them, which Python's email package decodes as well.
    let words = readings.iter().filter(|reading| reading.contains("=?"));
    let twice: Vec<String> = words.flat_map(|reading| decoded(clip(reading, MAX_ODD))).collect();
    readings.extend(twice);
    readings
}

/// Decoded as most readers do: neighbours together, by their charset. Whether there may be a question mark within a word
/// is where they differ.
fn decoded(text: &str) -> BTreeSet<String> {
    let ends = [Ends::AtFirstMark, Ends::WithoutMarks];
    ends.iter().map(|&ends| read(&runs(text, ends), |words| by_charset(words, Care::Plain))).collect()
}

/// A part of a text.
enum Run<'a> {
    Text(&'a str),
    /// Encoded-words with nothing but white space between them, which is not shown (RFC 2047, 6.2).
    Words(Vec<Word<'a>>),
}

impl<'a> Run<'a> {
    fn words(&self) -> &[Word<'a>] {
        if let Self::Words(words) = self { words } else { &[] }
    }
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
    fn octets(&self, care: Care) -> Vec<u8> {
        match care {
            Care::Loose if !self.is_base64 => from_q(&mended(self.content)),
            _ if !self.is_base64 => from_q(self.content),
            Care::Padded => self.content.split_inclusive('=').flat_map(from_base64).collect(),
            Care::Whole => {
                let digits: String =
                    self.content.chars().filter(|c| c.is_ascii_alphanumeric() || "+/".contains(*c)).collect();
                from_base64(&digits[..digits.len() / 4 * 4])
            }
            Care::Plain | Care::Joined | Care::Loose => from_base64(self.content),
        }
    }

    /// Whether there is padding before the end, which readers skip, or take for the end of a group of digits.
    fn is_padded_within(&self) -> bool {
        self.is_base64 && self.content.trim_end_matches('=').contains('=')
    }

    /// The charset, without the language that may stand behind it (RFC 2231, 5).
    fn charset(&self) -> Charset {
        Charset::of(self.label.split('*').next().unwrap_or_default())
    }

    /// Whether there may be white space between the equals sign of Q and its digits.
    fn is_broken(&self) -> bool {
        !self.is_base64
            && self.content.contains('=')
            && self.content.contains(|c: char| c == '_' || c.is_whitespace())
    }

    /// Whether its base64 ends within a group of digits: readers drop the group, or go on with the next word.
    fn is_cut(&self) -> bool {
        self.is_base64 && !self.content.ends_with('=') && !self.content.len().is_multiple_of(4)
    }
}

/// Q without white space, and without what stands between an equals sign and its two digits.
fn mended(content: &str) -> String {
    let mut due = 0_u8;
    let is_kept = |c: &char| {
        let is_between = c.is_whitespace() || (due > 0 && *c == '_');
        let is_kept = !is_between;
        due = if *c == '=' { 2 } else { due.saturating_sub(u8::from(is_kept)) };
        is_kept
    };
    content.chars().filter(is_kept).collect()
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
            Some(Run::Words(words)) if before.trim().is_empty() => {
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

/// The text with its words read in some way. White space is around them, as some readers leave or make it; who asks passes
/// over it.
fn read(runs: &[Run<'_>], words: impl Fn(&[Word<'_>]) -> String) -> String {
    let parts = runs.iter().map(|run| match run {
        Run::Text(text) => Cow::Borrowed(*text),
        Run::Words(run) => Cow::Owned(format!(" {} ", words(run))),
    });
    parts.collect()
}

/// Each word by itself, with nothing between.
fn one_by_one(words: &[Word<'_>], decode: impl Fn(&[Word<'_>]) -> String) -> String {
    words.chunks(1).map(decode).collect()
}

/// How a word is decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    /// As RFC 2047 says, base64 without what is not of its alphabet.
    Plain,
    /// The same, but padding ends a group of base64.
    Padded,
    /// Whole groups of base64 only.
    Whole,
    /// Base64 of neighbours as one text.
    Joined,
    /// Q whose digits may stand apart.
    Loose,
}

/// Neighbours decoded as one, as far as they have the same charset.
fn by_charset(words: &[Word<'_>], care: Care) -> String {
    words
        .chunk_by(|a, b| a.label == b.label)
        .map(|words| words[0].charset().decode(&octets(words, care)))
        .collect()
}

/// The octets of neighbours.
fn octets(words: &[Word<'_>], care: Care) -> Vec<u8> {
    let goes_on = |a: &Word<'_>, b: &Word<'_>| care == Care::Joined && a.is_base64 && b.is_base64;
    let decode = |words: &[Word<'_>]| match words {
        [word] => word.octets(care),
        words => from_base64(&words.iter().map(|word| word.content).collect::<String>()),
    };
    words.chunk_by(goes_on).flat_map(decode).collect()
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

/// Decodes base64 (RFC 2047, 4.1); what is not of its alphabet is skipped, as readers do.
fn from_base64(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter_map(base64_digit).collect();
    let mut octets = Vec::with_capacity(digits.len());
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

    /// Whether some reader sees that.
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let readings = readings(text);
        assert!(readings.iter().any(|reading| reading.contains(expected)), "{text}: {readings:?}");
    }

    #[test]
    fn neighbours_are_read_as_one_and_apart() {
        check("=?utf-8?q?ceo@exam?= =?utf-8?q?ple.org?=", "ceo@example.org");
        check("=?utf-8?q?ceo@exam?=\r\n\t=?utf-8?b?cGxlLm9yZw==?= x", "ceo@example.org  x");
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
