//! The entries of tables that every name of a domain has: which table, which line of it.

use std::fs;
use std::path::PathBuf;

use super::main_cf::MainCf;
use super::tables::{self, Context, Entry, Table, TableError, Usage, text_line};
use super::words::{inside_braces, words};

/// Files larger than this are not searched for the line of an entry, in octets.
const LARGEST: u64 = 64 << 20;

/// An entry that every name of a domain has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Everybodys {
    /// The parameter that leads to the table.
    pub parameter: String,
    /// The table, as it is written; one of several where they are nested.
    pub table: String,
    /// What the entry has.
    pub value: String,
    /// Where the entry is.
    pub spot: Spot,
}

/// Where an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// In a line of a file.
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        number: usize,
        /// Its text.
        text: String,
    },
    /// In the parameter itself, with this text.
    Inline(String),
    /// The table has no entries to show: it gives the same for every name, or is a server.
    Table,
}

/// The entries of a parameter's tables that each of these names, which nobody has, would be found to have at a domain.
/// Of tables of tables the one that has it is named.
///
/// # Errors
///
/// Where a table cannot be opened, or cannot tell.
pub async fn everybodys(
    main_cf: &MainCf,
    parameter: &str,
    domain: &str,
    nobody: &[String],
) -> Result<Vec<Everybodys>, TableError> {
    let mut all = Vec::new();
    for table in leaves(main_cf.value(parameter)) {
        let opened = tables::open(&table, Context::of(main_cf, Usage::Maps), 0).map_err(|problems| {
            TableError(problems.first().map_or_else(|| table.clone(), ToString::to_string))
        });
        let (opened, _) = opened?;
        if let Some((key, entry)) = ask(&*opened, domain, nobody).await? {
            let spot = spot(main_cf, &table, &key, &entry);
            all.push(Everybodys { parameter: parameter.to_owned(), table, value: entry.value, spot });
        }
    }
    Ok(all)
}

/// What a table has for every name of a domain, and the key under which it has it.
async fn ask(
    table: &dyn Table,
    domain: &str,
    nobody: &[String],
) -> Result<Option<(String, Entry)>, TableError> {
    let names = nobody.iter().map(|name| format!("{name}@{domain}"));
    let whole = (!table.has_patterns()).then(|| format!("@{domain}"));
    for key in names.chain(whole) {
        if let Some(entry) = table.entry(&key).await? {
            return Ok(Some((key, entry)));
        }
    }
    Ok(None)
}

/// The tables of a list, with those that are inside of others instead of these, and without `proxy:`.
pub fn leaves(list: &str) -> Vec<String> {
    let mut all = Vec::new();
    for word in words(list) {
        let bare = word.trim_start_matches("proxy:");
        let inside = bare.split_once(':').filter(|(kind, _)| ["unionmap", "pipemap"].contains(kind));
        match inside.and_then(|(_, name)| inside_braces(name.trim())) {
            Some(inside) => all.extend(leaves(inside)),
            None => all.push(bare.to_owned()),
        }
    }
    all
}

fn spot(main_cf: &MainCf, table: &str, key: &str, entry: &Entry) -> Spot {
    let Some((kind, name)) = table.split_once(':') else { return Spot::Table };
    if let Some(inside) = inside_braces(name.trim()) {
        let has = |word: &&str| match entry.line() {
            Some(line) => words(inside).nth(line - 1) == Some(word),
            None => inside_braces(word)
                .unwrap_or(word)
                .split_once('=')
                .is_some_and(|(found, _)| found.trim().eq_ignore_ascii_case(key)),
        };
        let found = words(inside).find(has).map(str::to_owned);
        return if kind == "static" { Spot::Table } else { found.map_or(Spot::Table, Spot::Inline) };
    }
    let Ok(file) = Context::of(main_cf, Usage::Maps).file(name) else { return Spot::Table };
    let is_small = fs::metadata(&file).is_ok_and(|found| found.is_file() && found.len() <= LARGEST);
    let octets = is_small.then(|| fs::read(&file).ok()).flatten();
    match octets.and_then(|octets| text_line(&octets, key, entry.line())) {
        Some((number, text)) => Spot::Line { file, number, text },
        None => Spot::Table,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    async fn check(tables: &str, expected: &[(&str, &str)]) {
        let dir = tempfile::TempDir::new().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("virtual", "# x\ninfo@a.example info\n@A.example  office@a.example\n@b.example @a.example\n");
        write("patterns", "/^info@/ x\n\n/^.*@a\\.example$/ y\n");
        let dir = dir.path().to_str().unwrap();
        let main_cf = MainCf::of(Path::new("/x"), &[("virtual_alias_maps", &tables.replace("DIR", dir))]);
        let nobody = ["qwertzuiopas".to_owned(), "qwertz.uiopas".to_owned()];
        let found = everybodys(&main_cf, "virtual_alias_maps", "a.example", &nobody).await.unwrap();
        let shown: Vec<(String, String)> = found
            .iter()
            .map(|one| {
                let spot = match &one.spot {
                    Spot::Line { number, text, .. } => format!("{number}: {text}"),
                    Spot::Inline(text) => format!("inline {text}"),
                    Spot::Table => "table".to_owned(),
                };
                (one.table.replace(dir, "DIR"), spot)
            })
            .collect();
        let expected: Vec<(String, String)> =
            expected.iter().map(|(table, spot)| ((*table).to_owned(), (*spot).to_owned())).collect();
        assert_eq!(shown, expected, "{tables}");
    }

    #[tokio::test]
    async fn what_every_name_has() {
        check("texthash:DIR/virtual", &[("texthash:DIR/virtual", "3: @A.example  office@a.example")]).await;
        check(
            "unionmap:{ inline:{ info@a.example=x }, proxy:texthash:DIR/virtual }",
            &[("texthash:DIR/virtual", "3: @A.example  office@a.example")],
        )
        .await;
        check("pcre:DIR/patterns", &[("pcre:DIR/patterns", "3: /^.*@a\\.example$/ y")]).await;
        check("static:x", &[("static:x", "table")]).await;
        check(
            "inline:{ {info@a.example = x} {@a.example = y} }",
            &[("inline:{ {info@a.example = x} {@a.example = y} }", "inline {@a.example = y}")],
        )
        .await;
        check(
            "pcre:{ {/^info@/ x} {/\\..*@a/ y} }",
            &[("pcre:{ {/^info@/ x} {/\\..*@a/ y} }", "inline {/\\..*@a/ y}")],
        )
        .await;
        check("inline:{ info@a.example=x }", &[]).await;
    }
}
