//! `pcre:` tables: Perl-compatible regular expressions, by the library that Postfix uses as well.

use std::ops::Range;

use pcre2::bytes::{Regex, RegexBuilder};

use super::rules::{self, Engine, Refusal};
use super::{Request, Table};
use crate::clients::files::problem::quoted;
use crate::clients::files::watched::Reading;

/// How many steps one match may take; some 20 ms. Postfix allows ten times as many, and then reads the rule as not
/// matching, which here would be a guess.
const LIMIT: &str = "(*LIMIT_MATCH=1000000)";

/// Opens the table.
pub(super) fn open(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    rules::open::<Pcre>(request)
}

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pcre(Regex);

impl Engine for Pcre {
    const SECOND: bool = false;

    fn compile(pattern: &str, flags: &str) -> Result<Self, Refusal> {
        let (mut builder, extended, prefix, suffix) = read_flags(flags)?;
        let build = |builder: &mut RegexBuilder, pattern: &str| {
            builder.build(pattern).map_err(|error| Refusal::NorByPostfix(error.to_string()))
        };
        // By itself first, so that offsets in messages are right and nothing around it mends it.
        build(&mut builder, pattern)?;
        if !prefix.is_empty() && pattern.starts_with("(*") {
            let why = "the flags A and U cannot be honoured before a pattern that begins with a verb";
            return Err(Refusal::NotHere(why.to_owned()));
        }
        // A comment of an extended pattern ends with its line.
        let line = if extended && !suffix.is_empty() { "\n" } else { "" };
        build(&mut builder, &format!("{LIMIT}{prefix}{pattern}{line}{suffix}")).map(Self)
    }

    fn groups(&self) -> usize {
        self.0.captures_len() - 1
    }

    fn is_match(&self, subject: &str) -> Result<bool, String> {
        // An empty set of groups is cheaper, but `is_match` allocates all the same.
        self.0.is_match(subject.as_bytes()).map_err(|error| error.to_string())
    }

    fn captures(&self, subject: &str) -> Result<Option<Vec<Option<Range<usize>>>>, String> {
        let found = self.0.captures(subject.as_bytes()).map_err(|error| error.to_string())?;
        Ok(found.map(|found| {
            (1..found.len()).map(|number| found.get(number).map(|one| one.start()..one.end())).collect()
        }))
    }
}

/// A builder for the flags, whether the pattern is extended, and what the other flags put before and behind it.
fn read_flags(flags: &str) -> Result<(RegexBuilder, bool, String, &'static str), Refusal> {
    let (mut caseless, mut dotall, mut lines, mut extended) = (true, true, false, false);
    let (mut anchored, mut ungreedy) = (false, false);
    for flag in flags.chars() {
        match flag {
            'i' => caseless = !caseless,
            's' => dotall = !dotall,
            'm' => lines = !lines,
            'x' => extended = !extended,
            'A' => anchored = !anchored,
            'U' => ungreedy = !ungreedy,
            // `$` only at the very end: the same where no key has a line break, and none is looked up that has.
            // And a flag of the library's past, which Postfix ignores.
            'E' | 'X' => {}
            _ => {
                return Err(Refusal::NorByPostfix(format!("there is no flag {}", quoted(&flag.to_string()))));
            }
        }
    }
    let mut builder = RegexBuilder::new();
    builder.caseless(caseless).dotall(dotall).multi_line(lines).extended(extended).utf(false).ucp(false);
    let greed = if ungreedy { "(?U)" } else { "" };
    let (begin, end) = if anchored { (r"\G(?:", r"\E)") } else { ("", "") };
    Ok((builder, extended, format!("{greed}{begin}"), end))
}
