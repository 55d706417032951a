//! Our authserv-id, and whether what others wrote could be read as it.
//!
//! Readers differ in what they forgive: blanks, folds, comments, quotes, backslashes, stray parentheses, octets that are
//! not ASCII. No reader need be known here: each character that some reader passes over may be passed over or not, and
//! all readings are followed at once, in one pass whose cost grows with the text and not with the number of readings.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::decompose_compatible;

use super::{Domain, encoded_word};

/// Octets of a text that are read, at most: no MTA passes on so long a field by default, and a letter may become eighteen as
/// it is read. What is longer counts as one that names us, as the field is worth nothing.
pub const MAX_OCTETS: usize = 64 * 1024;

/// Our authserv-id, made ready to be looked for.
#[derive(Clone, Debug)]
pub struct OwnName {
    id: String,
    domain: Option<Domain>,
    /// A-labels and, where there are any, U-labels.
    spellings: Vec<Vec<char>>,
}

impl OwnName {
    /// Prepares an authserv-id.
    pub fn new(id: &str) -> Self {
        let domain = id.parse::<Domain>().ok();
        let mut spellings = vec![folded(id)];
        if let Some(domain) = &domain {
            spellings.push(folded(domain.as_str()));
            spellings.push(folded(&idna::domain_to_unicode(domain.as_str()).0));
        }
        spellings.sort();
        spellings.dedup();
        Self { id: id.to_owned(), domain, spellings }
    }

    /// Whether `other` is this very name: as a domain where both are domains.
    pub fn is(&self, other: &str) -> bool {
        match (&self.domain, other.parse::<Domain>()) {
            (Some(domain), Ok(other)) => *domain == other,
            _ => self.id.eq_ignore_ascii_case(other),
        }
    }

    /// Whether some reader could find this name in `text`, as a whole and not as a part of a longer name. Encoded-words
    /// count as what they decode to, too. So does any text of more than [`MAX_OCTETS`].
    pub fn may_be_read_in(&self, text: &str) -> bool {
        let found = |text: &str| self.spellings.iter().any(|spelling| occurs(spelling, text));
        text.len() > MAX_OCTETS
            || found(text)
            || (text.contains("=?") && encoded_word::readings(text).iter().any(|reading| found(reading)))
    }
}

/// What is compared: compatibility forms and case folded away, and no dot at the end.
fn folded(name: &str) -> Vec<char> {
    name.trim_end_matches('.').nfkc().flat_map(char::to_lowercase).collect()
}

/// Whether `name` can be read in `text`.
fn occurs(name: &[char], text: &str) -> bool {
    let mut readings = Readings::new(name);
    text.nfkc().any(|c| readings.read(c)) || readings.ended
}

/// How far the readings of a text have come in our name: a nondeterministic automaton.
struct Readings<'a> {
    name: &'a [char],
    /// For each number of characters of the name, whether some reading has just read so many.
    reached: Vec<bool>,
    /// The same where some comment began: a reader who skips comments goes on from there behind any later end.
    before_comments: Vec<bool>,
    /// Whether the name may begin here: no longer one is being read.
    may_begin: bool,
    /// Whether some reading has read the whole name, and so far nothing that makes a longer one of it.
    ended: bool,
}

impl<'a> Readings<'a> {
    fn new(name: &'a [char]) -> Self {
        let none = vec![false; name.len() + 1];
        Self { name, reached: none.clone(), before_comments: none, may_begin: true, ended: false }
    }

    /// Reads the next character; true once the name has been read and something follows that ends a name.
    fn read(&mut self, c: char) -> bool {
        match c {
            _ if c.is_ascii_alphanumeric() || "-_".contains(c) => {
                self.ended = false;
                self.step(&[c.to_ascii_lowercase()], |_| false);
                self.may_begin = false;
                return false;
            }
            // A dot ends nothing by itself: `mx.example.org.` is us, `mx.example.org.evil.test` is not. Some readers
            // make one dot of several.
            '.' | '\u{3002}' => {
                self.step(&['.'], |last| last == '.');
                return false;
            }
            // To one reader this is a letter, to another the letter that is left without its accent, and a third
            // drops whatever is not ASCII.
            _ if !c.is_ascii() => {
                let mut base = None;
                decompose_compatible(c, |part| base = base.or(Some(part)));
                let base = base.filter(char::is_ascii);
                let read_as: Vec<char> = c.to_lowercase().chain(base).collect();
                let ends = self.ended && !c.is_alphanumeric();
                self.step(&read_as, |_| true);
                self.may_begin |= !c.is_alphanumeric();
                return ends;
            }
            _ if self.ended => return true,
            '(' => merge(&mut self.before_comments, &self.reached),
            ')' => merge(&mut self.reached, &self.before_comments),
            _ if is_passed_over(c) => {}
            _ => self.step(&[c], |_| false),
        }
        self.may_begin = true;
        false
    }

    /// Every reading goes on with one of these characters, and where the last one that it read lets it, also without.
    fn step(&mut self, read_as: &[char], may_stay: impl Fn(char) -> bool) {
        self.reached[0] = self.may_begin;
        for (at, &wanted) in self.name.iter().enumerate().rev() {
            let goes_on = self.reached[at] && read_as.contains(&wanted);
            self.reached[at + 1] = goes_on || (self.reached[at + 1] && may_stay(wanted));
        }
        self.ended |= self.reached[self.name.len()];
    }
}

fn merge(into: &mut [bool], from: &[bool]) {
    into.iter_mut().zip(from).for_each(|(into, from)| *into |= from);
}

/// Whether some reader passes over an ASCII character that stands within a name.
fn is_passed_over(c: char) -> bool {
    c.is_ascii_whitespace() || c.is_ascii_control() || "\"'`\\<>[]".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(id: &str, text: &str, expected: bool) {
        assert_eq!(OwnName::new(id).may_be_read_in(text), expected, "{id} in {text:?}");
    }

    #[test]
    fn as_a_domain() {
        let name = OwnName::new("mx.b\u{fc}cher.example");
        for same in ["mx.b\u{fc}cher.example", "MX.xn--bcher-kva.example.", "mx.B\u{dc}CHER.example"] {
            assert!(name.is(same), "{same}");
            assert!(name.may_be_read_in(same), "{same}");
        }
        assert!(!name.is("mx.bucher.example"));
        assert!(OwnName::new("A+b").is("a+B"));
    }

    #[test]
    fn a_part_of_a_longer_name_is_another() {
        for text in
            ["notmx.example.org", "a.mx.example.org", "mx.example.org.test", "mx.example.orgs", "mx.example"]
        {
            check("mx.example.org", text, false);
        }
        for text in [
            "a mx.example.org b",
            "/mx.example.org/",
            "=mx.example.org;",
            "mx.example.org.",
            ".mx.example.org",
        ] {
            check("mx.example.org", text, true);
        }
        check("a.a", "xa.a a.a", true);
        check("a.a", "xa.a.a", false);
        check("my+id", "x; my + id;", true);
    }

    /// Every way of folding away what a reader may pass over, and none that makes a name of what is none.
    #[test]
    fn comments_and_what_is_not_ascii_are_read_in_every_way() {
        for text in [
            "mx(.exam)ple.org",
            "mx(a(b).c)(d).exam(e)ple.org",
            "mx.exam)ple.org",
            "mx.(exam\"(\"x)ple.org",
            "mx.ex\u{e4}mple.org",
            "mx.example.\u{3b1}org",
            "m\u{fffd}x.example.org",
            "\u{ff4d}\u{ff58}\u{3002}example\u{ff0e}org",
            "mx.exam\u{ad}ple.org",
            "mx..example.org",
        ] {
            check("mx.example.org", text, true);
        }
        for text in ["mx(.exam)plo.org", "mx)(.example.net", "mx.example(.org", "m.x.example.org"] {
            check("mx.example.org", text, text == "mx.example(.org");
        }
    }

    #[test]
    fn encoded_words_are_decoded() {
        check("mx.example.org", "=?utf-8?Q?=6Dx.example?=.org", true);
        check("mx.example.org", "=?utf-8?B?bXguZXhhbXBsZS5vcmc=?=", true);
        check("mx.example.org", "=?utf-8?Q?=6Dx.exam?= =?utf-8?Q?ple.org?=", true);
        check("mx.example.org", "=?utf-7?Q?mx+AC4-example.org?=", true);
        check("mx.example.org", "=?utf-8?Q?=6Ex.example.org?=", false);
    }

    #[test]
    fn a_text_is_read_up_to_its_bound() {
        let padded = |octets: usize| format!("mx.example.net{}", " ".repeat(octets - 14));
        check("mx.example.org", &padded(MAX_OCTETS), false);
        check("mx.example.org", &padded(MAX_OCTETS + 1), true);
        // Eighteen characters each in its compatibility form.
        check("mx.example.org", &"\u{fdfa}".repeat(350_000), true);
    }

    proptest! {
        /// Whatever is passed over is inserted anywhere: the name is still found.
        #[test]
        fn what_is_passed_over_hides_nothing(
            noise in proptest::collection::vec("[ \t\"'\\\\\r\n]{0,2}|\\(c;\\)|\u{e9}|\u{200b}", 14),
        ) {
            let text = "mx.example.org".chars().zip(noise).fold(String::new(), |text, (c, noise)| {
                format!("{text}{c}{noise}")
            });
            prop_assert!(OwnName::new("mx.example.org").may_be_read_in(&text), "{}", text);
        }

        #[test]
        fn nothing_panics(id in ".{0,20}", text in ".{0,60}") {
            let _ = OwnName::new(&id).may_be_read_in(&text);
        }
    }
}
