//! Tables in text files: for postmap(1) `key value`, one a line, for postalias(1) as [`aliases`] reads them.

use std::path::Path;

use super::compiled::{Program, compiled};
use super::lines::{is_space_char, logical_lines};
use super::{Request, Table, TableError, aliases, first, fold};
use crate::clients::files::pairs::{Builder, Pairs};
use crate::clients::files::problem::{Problem, quoted};
use crate::clients::files::watched::{Reading, Watched};
use crate::mta::postfix::address::quote_local_part;

/// Opens a table of a type whose compiled form lies beside the text. We read the text, Postfix the other: so it is
/// said where the two are not the same age, and the text is read as the program reads it that made the other.
pub(super) fn open_compiled(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    let path = &request.file()?;
    let compiled = compiled(path, request.kind);
    if compiled.exists() && !path.exists() {
        let problem = Problem::new(format!("there is only the compiled form {}", compiled.display()));
        return Err(vec![problem.in_file(path).hint("put the text beside it: compiled tables are not read")]);
    }
    let table = format!("{}:{}", request.kind, request.name);
    let meant = if request.context.is_for_aliases(&table) { Program::Postalias } else { Program::Postmap };
    let (text, kind) = (path.clone(), request.kind.to_owned());
    let (opened, mut warnings) = open(path, move |octets| {
        let program = Program::of(&text, &kind).unwrap_or(meant);
        let (pairs, warnings) = match program {
            Program::Postmap => parse(octets),
            Program::Postalias => aliases::parse(octets),
        };
        Ok((Contents { pairs, program }, warnings))
    })?;
    let program = Program::of(path, request.kind).unwrap_or(meant);
    let hint = format!("run `{} {table}`", program.name());
    let age = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let warning = match age(&compiled) {
        None => Some("Postfix cannot use this table, as its compiled form is missing"),
        compiled if compiled < age(path) => Some("Postfix still uses the compiled form of an older text"),
        Some(_) => None,
    };
    warnings.extend(warning.map(|text| Problem::new(text).in_file(path).hint(hint)));
    Ok((opened, warnings))
}

/// Opens a table that Postfix reads as text itself.
pub(super) fn open_texthash(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    let parse = |octets: &[u8]| {
        let (pairs, warnings) = parse_once(octets)?;
        Ok((Contents { pairs, program: Program::Postmap }, warnings))
    };
    open(&request.file()?, parse)
}

fn open(
    path: &Path,
    parse: impl Fn(&[u8]) -> Reading<Contents> + Send + Sync + 'static,
) -> Reading<Box<dyn Table>> {
    let (watched, warnings) = Watched::open(path, parse)?;
    Ok((Box::new(Text(watched)), warnings))
}

/// What a text has, as the program reads it that is for it.
struct Contents {
    pairs: Pairs,
    program: Program,
}

impl Contents {
    /// The value of a key. Of a repeated one the first line counts, as both programs refuse to add another.
    fn find(&self, key: &str) -> Option<String> {
        let unquoted = || match self.program {
            Program::Postmap => None,
            // Whether names of aliases are keys with their quotes depends on the version of Postfix; who asks for
            // addresses tries both.
            Program::Postalias => first(&self.pairs, &quote_local_part(key)),
        };
        first(&self.pairs, key).or_else(unquoted)
    }
}

#[derive(Debug)]
struct Text(Watched<Contents>);

#[async_trait::async_trait]
impl Table for Text {
    async fn find(&self, key: &str) -> Result<Option<String>, TableError> {
        Ok(self.0.current().find(key))
    }

    fn list_keys(&self, take: &mut dyn FnMut(&str)) -> bool {
        self.0.latest().pairs.iter().for_each(|pair| take(pair.key));
        true
    }
}

/// Reads the text of a table for postmap(1); also what is wrong with it.
pub(super) fn parse(octets: &[u8]) -> (Pairs, Vec<Problem>) {
    let (pairs, mut warnings) = read(octets, add);
    let of_alias = pairs.iter().filter(|pair| pair.key.ends_with(':')).min_by_key(|pair| pair.line);
    warnings.extend(of_alias.map(|pair| {
        let message = format!("the key {} has a colon at its end, as in a file of aliases", quoted(pair.key));
        Problem::new(message).at(pair.line, None).hint("if it is one, postalias must compile it")
    }));
    (pairs, warnings)
}

/// Reads the text of a table in which a repeated key makes the table unusable, as it does where no postmap(1) stands
/// between the text and Postfix.
pub(super) fn parse_once(octets: &[u8]) -> Reading<Pairs> {
    let (pairs, warnings) = parse(octets);
    match pairs.first_repeated() {
        None => Ok((pairs, warnings)),
        Some(pair) => {
            let problem = Problem::new(format!("the key {} is there already", quoted(pair.key)));
            Err(vec![problem.at(pair.line, None).hint("Postfix does not use a table with a key twice")])
        }
    }
}

/// The number of the line that has a key, or the same where it is known.
pub(super) fn line_of(octets: &[u8], key: &str, rule: Option<usize>) -> Option<usize> {
    rule.or_else(|| parse(octets).0.find(&fold(key)).next().map(|pair| pair.line))
}

type Add = fn(&mut Builder, &str, usize) -> Result<(), Problem>;

/// Reads pairs from logical lines, and leaves out the lines that are wrong, as Postfix does.
pub(super) fn read(octets: &[u8], add: Add) -> (Pairs, Vec<Problem>) {
    let mut warnings = Vec::new();
    let mut builder = Pairs::builder();
    for line in logical_lines(octets, &mut warnings) {
        if let Err(problem) = line.text().and_then(|text| add(&mut builder, text, line.number)) {
            let message = format!("{}; Postfix ignores this line, and so do we", problem.message);
            warnings.push(Problem { message, ..problem }.at(line.number, None));
        }
    }
    (builder.finish(), warnings)
}

/// Adds what a line says.
fn add(builder: &mut Builder, line: &str, number: usize) -> Result<(), Problem> {
    let (key, value) = split(line).ok_or_else(|| Problem::new("the quotes do not match"))?;
    let value = value.trim_matches(is_space_char);
    if key.is_empty() || value.is_empty() {
        return Err(Problem::new("there is no key with a value"));
    }
    builder.push(&fold(key), value, number)
}

/// Splits a line at the first white space outside of quotes; none where a quote does not end.
fn split(line: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let mut characters = line.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '"' => quoted = !quoted,
            c if is_space_char(c) && !quoted => return Some(line.split_at(at)),
            _ => {}
        }
    }
    (!quoted).then_some((line, ""))
}
