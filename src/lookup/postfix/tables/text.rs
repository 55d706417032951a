//! Tables made by postmap(1), read from their text: `key value`, one a line.

use std::path::{Path, PathBuf};

use super::lines::{is_space_char, logical_lines};
use super::{Request, Table, TableError, Usage, aliases, first, fold};
use crate::lookup::pairs::{Builder, Pairs};
use crate::lookup::problem::{Problem, quoted};
use crate::lookup::watched::{Reading, Watched};

/// Opens a table of a type whose compiled form lies beside the text. We read the text, Postfix the other: so it is
/// said where the two are not the same age.
pub(super) fn open_compiled(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    let path = request.file()?;
    let compiled = compiled(path, request.kind);
    if compiled.exists() && !path.exists() {
        let problem = Problem::new(format!("there is only the compiled form {}", compiled.display()));
        return Err(vec![problem.in_file(path).hint("put the text beside it: compiled tables are not read")]);
    }
    let (table, mut warnings) = match request.usage {
        Usage::Maps => open(path, |octets| Ok(parse(octets)))?,
        Usage::Aliases => open(path, |octets| Ok(aliases::parse(octets)))?,
    };
    let program = if request.usage == Usage::Aliases { "postalias" } else { "postmap" };
    let hint = format!("run `{program} {}:{}`", request.kind, request.name);
    let age = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let warning = match age(&compiled) {
        None => Some("Postfix cannot use this table, as its compiled form is missing"),
        compiled if compiled < age(path) => Some("Postfix still uses the compiled form of an older text"),
        Some(_) => None,
    };
    warnings.extend(warning.map(|text| Problem::new(text).in_file(path).hint(hint)));
    Ok((table, warnings))
}

/// Opens a table that Postfix reads as text itself.
pub(super) fn open_texthash(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    open(request.file()?, parse_once)
}

fn open(path: &Path, parse: fn(&[u8]) -> Reading<Pairs>) -> Reading<Box<dyn Table>> {
    let (watched, warnings) = Watched::open(path, parse)?;
    Ok((Box::new(Text(watched)), warnings))
}

/// The compiled form of a table.
fn compiled(path: &Path, kind: &str) -> PathBuf {
    let suffix = match kind {
        "cdb" => ".cdb",
        "dbm" | "sdbm" => ".dir",
        "lmdb" => ".lmdb",
        _ => ".db",
    };
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[derive(Debug)]
struct Text(Watched<Pairs>);

#[async_trait::async_trait]
impl Table for Text {
    async fn find(&self, key: &str) -> Result<Option<String>, TableError> {
        let pairs = self.0.current();
        // Of a repeated key the first line counts, as postmap(1) refuses to add another.
        Ok(first(&pairs, key))
    }

    fn list_keys(&self, take: &mut dyn FnMut(&str)) -> bool {
        self.0.latest().iter().for_each(|pair| take(pair.key));
        true
    }
}

/// Reads the text of a table for postmap(1); also what is wrong with it.
pub(super) fn parse(octets: &[u8]) -> (Pairs, Vec<Problem>) {
    read(octets, add)
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

/// Adds what a line says.
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
