//! The text of tables made by postalias(1): `name: target, target`, as in aliases(5).

use super::lines::is_space_char;
use super::{fold, text};
use crate::clients::files::pairs::{Builder, Pairs};
use crate::clients::files::problem::Problem;
use crate::mta::postfix::address::{quote_local_part, unquote};

/// Reads the text; also what is wrong with it.
pub(super) fn parse(octets: &[u8]) -> (Pairs, Vec<Problem>) {
    text::read(octets, add)
}

fn add(builder: &mut Builder, line: &str, number: usize) -> Result<(), Problem> {
    let nothing = || Problem::new("there is no name with targets after a ‘:’");
    let (name, targets) = split(line).ok_or_else(nothing)?;
    let (name, targets) = (name.trim_matches(is_space_char), targets.trim_matches(is_space_char));
    if name.is_empty() || targets.is_empty() {
        return Err(nothing());
    }
    let outside_quotes = |wanted: char| !name.starts_with('"') && name.contains(wanted);
    if outside_quotes('@') || outside_quotes('%') || outside_quotes(',') {
        return Err(Problem::new("the name of an alias has no domain"));
    }
    builder.push(&fold(&quote_local_part(&unquote(name))), targets, number)
}

/// Splits a line at the first `:` outside of quotes.
fn split(line: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let mut characters = line.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '"' => quoted = !quoted,
            ':' if !quoted => return Some((&line[..at], &line[at + 1..])),
            _ => {}
        }
    }
    None
}
