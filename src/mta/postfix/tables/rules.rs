//! Tables of patterns: `/pattern/flags result`, negated with `!`, and `if` … `endif` around rules.
//!
//! A rule that Postfix would warn of and skip is skipped here with a warning. A pattern that Postfix could use and we
//! cannot is an error: skipping it would change what the rules after it mean.

use std::fmt::Debug;
use std::ops::Range;

use super::lines::{is_space_char, logical_lines};
use super::result::{Piece, pieces};
use super::{Entry, Table, TableError, Usage};
use crate::clients::files::problem::{Problem, quoted};
use crate::clients::files::watched::{Reading, Watched};

/// A kind of patterns.
pub(super) trait Engine: Debug + Send + Sync + Sized + 'static {
    /// Whether a rule may have a second pattern after a `!`.
    const SECOND: bool;

    /// Reads a pattern with the letters behind it.
    fn compile(pattern: &str, flags: &str) -> Result<Self, Refusal>;

    /// How many groups it has.
    fn groups(&self) -> usize;

    /// Whether it matches.
    fn is_match(&self, subject: &str) -> Result<bool, String>;

    /// Where its groups match, from the first on; none where it does not match.
    fn captures(&self, subject: &str) -> Result<Option<Vec<Option<Range<usize>>>>, String>;
}

/// Why a pattern cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Postfix cannot use it either, and skips the rule.
    NorByPostfix(String),
    /// Postfix can.
    NotHere(String),
}

/// The rules of a table.
#[derive(Debug)]
pub(super) struct Rules<E>(Vec<Rule<E>>);

#[derive(Debug)]
struct Rule<E> {
    line: usize,
    step: Step<E>,
}

#[derive(Debug)]
enum Step<E> {
    /// The result where all patterns agree.
    Answer {
        first: Pattern<E>,
        second: Option<Pattern<E>>,
        result: Vec<Piece>,
    },
    /// What follows counts only where the pattern agrees; else the rule `end` is next, or none.
    If {
        pattern: Pattern<E>,
        end: Option<usize>,
    },
    EndIf,
}

/// A pattern, and whether it agrees where it matches.
#[derive(Debug)]
struct Pattern<E> {
    engine: E,
    wanted: bool,
}

impl<E: Engine> Pattern<E> {
    fn agrees(&self, subject: &str) -> Result<bool, String> {
        Ok(self.engine.is_match(subject)? == self.wanted)
    }
}

impl<E: Engine> Rules<E> {
    /// Reads the rules of a file.
    pub(super) fn parse(octets: &[u8], usage: Usage) -> Reading<Self> {
        let mut reader =
            Reader { rules: Vec::new(), open: Vec::new(), usage, warnings: Vec::new(), errors: Vec::new() };
        let lines = logical_lines(octets, &mut reader.warnings);
        for line in &lines {
            match line.text() {
                Ok(text) => reader.line(line.number, text.trim_end_matches(is_space_char)),
                Err(problem) => reader.errors.push(problem),
            }
        }
        for at in std::mem::take(&mut reader.open) {
            reader.warn(reader.rules[at].line, "there is no `endif` for this `if`".to_owned());
        }
        if reader.errors.is_empty() { Ok((Self(reader.rules), reader.warnings)) } else { Err(reader.errors) }
    }

    /// The result of the first rule that matches.
    pub(super) fn find(&self, subject: &str) -> Result<Option<String>, TableError> {
        Ok(self.entry(subject)?.map(|entry| entry.value))
    }

    /// The same with the rule.
    fn entry(&self, subject: &str) -> Result<Option<Entry>, TableError> {
        let mut at = 0;
        while let Some(rule) = self.0.get(at) {
            let error = |why: String| TableError(format!("line {}: {why}", rule.line));
            at += 1;
            match &rule.step {
                Step::EndIf => {}
                Step::If { pattern, end } => {
                    if !pattern.agrees(subject).map_err(error)? {
                        match end {
                            Some(end) => at = *end,
                            None => return Ok(None),
                        }
                    }
                }
                Step::Answer { first, second, result } => {
                    let answer = answer(first, second.as_ref(), result, subject).map_err(error)?;
                    if let Some(value) = answer {
                        return Ok(Some(Entry::of_rule(rule.line, value)));
                    }
                }
            }
        }
        Ok(None)
    }
}

/// The result of one rule, if it matches.
fn answer<E: Engine>(
    first: &Pattern<E>,
    second: Option<&Pattern<E>>,
    result: &[Piece],
    subject: &str,
) -> Result<Option<String>, String> {
    let needs_groups = result.iter().any(|piece| matches!(piece, Piece::Group(_)));
    if !first.agrees(subject)? || second.map_or(Ok(true), |second| second.agrees(subject)).map(|yes| !yes)? {
        return Ok(None);
    }
    let groups = if needs_groups { first.engine.captures(subject)?.unwrap_or_default() } else { Vec::new() };
    let mut text = Vec::new();
    for piece in result {
        text.extend_from_slice(match piece {
            Piece::Text(text) => text.as_bytes(),
            Piece::Group(number) => {
                let range = groups.get(number - 1).cloned().flatten();
                range.and_then(|range| subject.as_bytes().get(range)).unwrap_or_default()
            }
        });
    }
    // Patterns are of octets, so a group may begin inside of a character.
    String::from_utf8(text).map(Some).map_err(|_| "the result is not UTF-8".to_owned())
}

struct Reader<E> {
    rules: Vec<Rule<E>>,
    /// Where the rules `if` are that have no `endif` yet.
    open: Vec<usize>,
    usage: Usage,
    warnings: Vec<Problem>,
    errors: Vec<Problem>,
}

impl<E: Engine> Reader<E> {
    fn warn(&mut self, line: usize, message: String) {
        self.warnings.push(Problem::new(message).at(line, None));
    }

    fn line(&mut self, line: usize, text: &str) {
        let parsed = match keyword(text) {
            Some(("if", rest)) => self.condition(line, rest),
            Some(("endif", rest)) => self.end(line, rest),
            Some(_) => Err(Refusal::NorByPostfix(format!("{} is no rule", quoted(text)))),
            None if text.is_empty() => return,
            None => self.rule(line, text),
        };
        match parsed {
            Ok(step) => self.rules.push(Rule { line, step }),
            Err(Refusal::NorByPostfix(why)) => {
                self.warn(line, format!("{why}; Postfix skips this rule, and so do we"));
            }
            Err(Refusal::NotHere(why)) => self.errors.push(Problem::new(why).at(line, None)),
        }
    }

    fn condition(&mut self, line: usize, rest: &str) -> Result<Step<E>, Refusal> {
        let (pattern, rest) = pattern(rest)?;
        if !rest.trim_start_matches(is_space_char).is_empty() {
            self.warn(
                line,
                "what follows the pattern of an `if` is ignored by Postfix, and by us".to_owned(),
            );
        }
        self.open.push(self.rules.len());
        Ok(Step::If { pattern, end: None }).inspect_err(|_: &Refusal| {
            self.open.pop();
        })
    }

    fn end(&mut self, line: usize, rest: &str) -> Result<Step<E>, Refusal> {
        let begin = self.open.pop().ok_or_else(|| Refusal::NorByPostfix("there is no `if`".to_owned()))?;
        let here = self.rules.len();
        if let Some(Rule { step: Step::If { end, .. }, .. }) = self.rules.get_mut(begin) {
            *end = Some(here);
        }
        if !rest.trim_start_matches(is_space_char).is_empty() {
            self.warn(line, "what follows `endif` is ignored by Postfix, and by us".to_owned());
        }
        Ok(Step::EndIf)
    }

    fn rule(&mut self, line: usize, text: &str) -> Result<Step<E>, Refusal> {
        let (first, mut rest) = pattern::<E>(text)?;
        let mut second = None;
        if E::SECOND && rest.starts_with('!') {
            let (pattern, after) = pattern::<E>(rest)?;
            (second, rest) = (Some(pattern), after);
        }
        let template = rest.trim_start_matches(is_space_char);
        if template.is_empty() {
            self.warn(line, "the result of this rule is empty".to_owned());
        }
        let result = pieces(template)?;
        let highest = result.iter().map(|piece| match piece {
            Piece::Text(_) => 0,
            Piece::Group(number) => *number,
        });
        let highest = highest.max().unwrap_or_default();
        let refused = |why: &str| Err(Refusal::NorByPostfix(why.to_owned()));
        if highest > 0 && !first.wanted {
            return refused("a negated pattern matches no text that the result could name");
        }
        if highest > 0 && self.usage == Usage::Aliases {
            return refused("the targets of aliases must not name matched text");
        }
        if highest > first.engine.groups() {
            return refused("the result names a group that the pattern does not have");
        }
        Ok(Step::Answer { first, second, result })
    }
}

/// The word at the beginning of a line that is no rule, in lower case, and what follows it.
fn keyword(text: &str) -> Option<(&'static str, &str)> {
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let length = text.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let (word, rest) = text.split_at(length);
    let known = ["if", "endif"].into_iter().find(|known| word.eq_ignore_ascii_case(known));
    Some((known.unwrap_or_default(), rest))
}

/// Reads a pattern with its negations and flags; also what follows it.
fn pattern<E: Engine>(text: &str) -> Result<(Pattern<E>, &str), Refusal> {
    let refused = |why: &str| Refusal::NorByPostfix(why.to_owned());
    let start = text.trim_start_matches(|c| c == '!' || is_space_char(c));
    let negations = text[..text.len() - start.len()].matches('!').count();
    let delimiter = start.chars().next().ok_or_else(|| refused("there is no pattern"))?;
    let inner = &start[delimiter.len_utf8()..];
    let mut characters = inner.char_indices();
    let end = loop {
        let (at, c) = characters.next().ok_or_else(|| refused("the pattern does not end"))?;
        match c {
            '\\' => drop(characters.next()),
            c if c == delimiter => break at,
            _ => {}
        }
    };
    let after = &inner[end + delimiter.len_utf8()..];
    let ends_flags = |c| is_space_char(c) || (E::SECOND && c == '!');
    let (flags, rest) = after.split_at(after.find(ends_flags).unwrap_or(after.len()));
    let engine = E::compile(&inner[..end], flags)?;
    Ok((Pattern { engine, wanted: negations.is_multiple_of(2) }, rest))
}

/// A table of rules in a file.
#[derive(Debug)]
struct InFile<E: Engine>(Watched<Rules<E>>);

/// A table of rules in main.cf itself.
#[derive(Debug)]
struct InPlace<E>(Rules<E>);

/// Opens a table of rules; its name is a file, or the rules themselves in braces.
pub(super) fn open<E: Engine>(request: &super::Request<'_>) -> Reading<Box<dyn Table>> {
    let usage = request.context.usage;
    if let Some(text) = super::in_braces(request.name)? {
        let (rules, warnings) = Rules::<E>::parse(text.as_bytes(), usage)?;
        return Ok((Box::new(InPlace(rules)), warnings));
    }
    let (watched, warnings) =
        Watched::open(&request.file()?, move |octets| Rules::<E>::parse(octets, usage))?;
    Ok((Box::new(InFile(watched)), warnings))
}

#[async_trait::async_trait]
impl<E: Engine> Table for InFile<E> {
    async fn find(&self, key: &str) -> Result<Option<String>, TableError> {
        Ok(self.entry(key).await?.map(|entry| entry.value))
    }

    async fn entry(&self, key: &str) -> Result<Option<Entry>, TableError> {
        let path = self.0.path();
        self.0.current().entry(key).map_err(|error| TableError(format!("{}: {error}", path.display())))
    }

    fn has_patterns(&self) -> bool {
        true
    }
}

#[async_trait::async_trait]
impl<E: Engine> Table for InPlace<E> {
    async fn find(&self, key: &str) -> Result<Option<String>, TableError> {
        self.0.find(key)
    }

    async fn entry(&self, key: &str) -> Result<Option<Entry>, TableError> {
        self.0.entry(key)
    }

    fn has_patterns(&self) -> bool {
        true
    }
}
