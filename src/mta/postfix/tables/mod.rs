//! Postfix's look-up tables, read as Postfix reads them.
//!
//! A type of table is a function that opens it and a line in `TYPES`. What cannot be honoured exactly is an error
//! when the table is opened, never a guess when it is asked.

mod aliases;
mod cf;
mod compiled;
mod composed;
mod context;
mod entry;
mod ere;
mod expansion;
#[cfg(test)]
mod hostile;
#[cfg(feature = "ldap")]
mod ldap;
mod lines;
mod network;
mod pcre;
mod regexp;
mod result;
mod rules;
mod simple;
mod sql;
mod text;

use std::fmt::Debug;
use std::path::PathBuf;

pub use context::Context;
pub use entry::Entry;

use super::address::quote_local_part;
use super::words::{inside_braces, words};
use crate::clients::files::pairs::Pairs;
use crate::clients::files::problem::{Problem, quoted};
use crate::clients::files::watched::Reading;

/// One table.
#[async_trait::async_trait]
pub trait Table: Debug + Send + Sync {
    /// The value of a key, if it has one.
    ///
    /// # Errors
    ///
    /// Where the table cannot tell.
    async fn find(&self, key: &str) -> Result<Option<String>, TableError>;

    /// The same with what tells the entry that answers from other ones, where more is known of it than its value.
    ///
    /// # Errors
    ///
    /// Where the table cannot tell.
    async fn entry(&self, key: &str) -> Result<Option<Entry>, TableError> {
        Ok(self.find(key).await?.map(Entry::of_value))
    }

    /// Whether its keys are patterns. Postfix does not ask such a table for parts of addresses.
    fn has_patterns(&self) -> bool {
        false
    }

    /// Hands out its keys, in no order, and returns whether it could: a pattern, or a server, has none to hand out.
    fn list_keys(&self, _take: &mut dyn FnMut(&str)) -> bool {
        false
    }
}

/// Why a table cannot tell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TableError(pub(super) String);

/// What a table is used for, which says how its text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Look-up tables as most parameters have them: the text is for postmap(1).
    Maps,
    /// `canonical_maps` and the like: the same, but they only give names, and do not say who exists.
    Names,
    /// `alias_maps`: the text is for postalias(1).
    Aliases,
}

/// A table to be opened.
struct Request<'a> {
    kind: &'a str,
    name: &'a str,
    context: Context<'a>,
    /// How many tables are around it.
    depth: usize,
}

type Open = fn(&Request<'_>) -> Reading<Box<dyn Table>>;

/// Every type of table that we know.
const TYPES: [(&str, Open); 26] = [
    ("btree", text::open_compiled),
    ("cdb", text::open_compiled),
    ("cidr", simple::refuse_cidr),
    ("dbm", text::open_compiled),
    ("environ", simple::refuse_environ),
    ("fail", |_| Ok(simple::fail())),
    ("hash", text::open_compiled),
    ("inline", simple::open_inline),
    ("ldap", open_ldap),
    ("lmdb", text::open_compiled),
    ("mysql", sql::open_mysql),
    ("nis", simple::open_nis),
    ("pcre", pcre::open),
    ("pgsql", sql::open_pgsql),
    ("pipemap", composed::open_pipe),
    ("proxy", composed::open_proxy),
    ("randmap", simple::open_random),
    ("regexp", regexp::open),
    ("sdbm", text::open_compiled),
    ("socketmap", network::open_socketmap),
    ("sqlite", sql::open_sqlite),
    ("static", simple::open_static),
    ("tcp", network::open_tcp),
    ("texthash", text::open_texthash),
    ("unionmap", composed::open_union),
    ("unix", simple::open_unix),
];

/// Types that Postfix has and this version has not.
const LATER: [&str; 3] = ["internal", "memcache", "mongodb"];

/// How many tables may be around a table.
const DEEPEST: usize = 10;

/// Opens `type:name`.
///
/// # Errors
///
/// All for which the table cannot be asked as Postfix would.
pub(super) fn open(table: &str, context: Context<'_>, depth: usize) -> Reading<Box<dyn Table>> {
    let only = |problem: Problem| Err(vec![problem]);
    let Some((kind, name)) =
        table.split_once(':').filter(|(kind, name)| !kind.is_empty() && !name.is_empty())
    else {
        return only(Problem::new(format!("{} is no table", quoted(table))).hint("a table is `type:name`"));
    };
    if depth > DEEPEST {
        return only(Problem::new(format!("tables are nested more than {DEEPEST} deep")));
    }
    let Some((_, open)) = TYPES.iter().find(|(known, _)| *known == kind) else {
        if LATER.contains(&kind) {
            return only(Problem::new(format!("tables of type {} are not in this version", quoted(kind))));
        }
        return only(Problem::new(format!("there is no type of table {}", quoted(kind))));
    };
    open(&Request { kind, name, context, depth })
}

/// Types whose tables are, or may be, on a server.
const SERVED: [&str; 11] =
    ["ldap", "memcache", "mongodb", "mysql", "nis", "nisplus", "pgsql", "socketmap", "sqlite", "tcp", "unix"];

/// Whether a server answers for `type:name`, by what the name says. Of a table of tables one is enough.
pub(crate) fn is_served(table: &str) -> bool {
    let table = table.trim_start_matches("proxy:");
    let Some((kind, name)) = table.split_once(':') else { return false };
    let inside = inside_braces(name.trim()).filter(|_| ["unionmap", "pipemap"].contains(&kind));
    match inside {
        Some(inside) => words(inside).any(is_served),
        None => SERVED.contains(&kind),
    }
}

#[cfg(feature = "ldap")]
fn open_ldap(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    ldap::open(request)
}

#[cfg(not(feature = "ldap"))]
fn open_ldap(_: &Request<'_>) -> Reading<Box<dyn Table>> {
    Err(vec![crate::clients::directory::missing()])
}

/// Reads the text of a table of a type, for tests and fuzzing: nothing that is said of it, only that it can be asked.
#[doc(hidden)]
pub fn read_text(kind: &str, octets: &[u8], keys: &[&str]) -> Vec<Result<Option<String>, TableError>> {
    let ask = |rules: &dyn Fn(&str) -> Result<Option<String>, TableError>| {
        keys.iter().map(|key| rules(key)).collect()
    };
    let usage = Usage::Maps;
    match kind {
        "regexp" => match rules::Rules::<ere::Ere>::parse(octets, usage) {
            Ok((rules, _)) => ask(&|key| rules.find(key)),
            Err(_) => Vec::new(),
        },
        "pcre" => match rules::Rules::<pcre::Pcre>::parse(octets, usage) {
            Ok((rules, _)) => ask(&|key| rules.find(key)),
            Err(_) => Vec::new(),
        },
        "aliases" => ask(&|key| Ok(first(&aliases::parse(octets).0, key))),
        _ => ask(&|key| Ok(first(&text::parse(octets).0, key))),
    }
}

/// Reads a text for postalias(1): names, by their [keys](alias_key), with their targets; also what is wrong with it.
pub(crate) fn read_aliases(octets: &[u8]) -> (Pairs, Vec<Problem>) {
    aliases::parse(octets)
}

/// The key that the alias of a local-part has.
pub(crate) fn alias_key(local_part: &str) -> String {
    fold(&quote_local_part(local_part))
}

/// The line of a table's text that an entry is from, with its number: the one that has the key, or a rule by the number
/// of its line.
pub(super) fn text_line(octets: &[u8], key: &str, rule: Option<usize>) -> Option<(usize, String)> {
    let line = text::line_of(octets, key, rule)?;
    let text = octets.split(|octet| *octet == b'\n').nth(line - 1)?;
    Some((line, String::from_utf8_lossy(text).trim_end().to_owned()))
}

/// The first value of a key.
fn first(pairs: &Pairs, key: &str) -> Option<String> {
    pairs.find(&fold(key)).next().map(|pair| pair.value.to_owned())
}

impl Request<'_> {
    /// The file that the name is.
    fn file(&self) -> Result<PathBuf, Vec<Problem>> {
        self.context.file(self.name).map_err(|problem| vec![problem])
    }
}

/// The text of a table that is written into its name: `{ {line}, {line} }`.
fn in_braces(name: &str) -> Result<Option<String>, Vec<Problem>> {
    if !name.starts_with('{') {
        return Ok(None);
    }
    let wrong = || vec![Problem::new("the braces do not match").hint("write { {line}, {line} }")];
    let inside = inside_braces(name).ok_or_else(wrong)?;
    let lines = words(inside).map(|word| inside_braces(word).map(str::trim).ok_or_else(wrong));
    Ok(Some(lines.collect::<Result<Vec<_>, _>>()?.join("\n")))
}

/// A word without the braces around it, if there are any.
fn unbraced(word: &str) -> Result<&str, Vec<Problem>> {
    if !word.starts_with('{') {
        return Ok(word);
    }
    inside_braces(word).map(str::trim).ok_or_else(|| vec![Problem::new("the braces do not match")])
}

/// A key as tables with fixed keys have it: in lower case, and beyond ASCII as Unicode folds case.
pub(crate) fn fold(key: &str) -> String {
    if key.is_ascii() {
        return key.to_ascii_lowercase();
    }
    // The standard library has no case folding. Lower, upper and lower case again make the same characters equal,
    // but for the dotless i, which folds to itself.
    let fold = |c: char| {
        let whole = (c == 'ı').then_some(c);
        let folded = c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
        whole.into_iter().chain(folded.filter(move |_| whole.is_none()))
    };
    key.chars().flat_map(fold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding() {
        for (key, expected) in [
            ("Info@Example.ORG", "info@example.org"),
            ("BÜCHER@x", "bücher@x"),
            ("Straße", "strasse"),
            ("ẞ", "ss"),
            ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
            ("σίσυφος", "σίσυφοσ"),
            ("ı", "ı"),
            ("\u{212a}", "k"),
        ] {
            assert_eq!(fold(key), expected);
        }
    }

    #[test]
    fn what_a_server_answers_for() {
        for (table, expected) in [
            ("hash:/x", false),
            ("proxy:hash:/x", false),
            ("inline:{ldap:x=y}", false),
            ("proxy:pgsql:/x.cf", true),
            ("unix:passwd.byname", true),
            ("unionmap:{ hash:/x, proxy:ldap:/y }", true),
            ("unionmap:{ hash:/x, pipemap:{ hash:/y, hash:/z } }", false),
            ("x", false),
        ] {
            assert_eq!(is_served(table), expected, "{table}");
        }
    }

    #[test]
    fn the_registry_is_in_order_and_says_what_is_missing() {
        assert!(TYPES.is_sorted_by_key(|(kind, _)| *kind));
        assert!(LATER.is_sorted());
        let problem = |table: &str| open(table, Context::alone(Usage::Maps), 0).unwrap_err()[0].to_string();
        assert_eq!(problem("memcache:/x"), "tables of type ‘memcache’ are not in this version");
        assert_eq!(problem("hsah:/x"), "there is no type of table ‘hsah’");
        assert_eq!(problem("/x"), "‘/x’ is no table; a table is `type:name`");
        assert!(problem(&format!("{}static:x", "proxy:".repeat(20))).contains("nested"));
        assert!(problem("hash:virtual").contains("not an absolute path"));
    }
}
