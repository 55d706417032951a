//! The rules of `src/lib.rs` that can be read off the source: which module may name which, and which may name a stranger.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with the modules that it may name.
const ARROWS: [(&str, &[&str]); 17] = [
    ("mail", &[]),
    ("session", &["mail"]),
    ("facts", &["mail", "session"]),
    ("check", &["mail", "session", "facts"]),
    ("policy", &["mail", "session", "facts", "check"]),
    ("decide", &["mail", "session", "facts", "check", "policy"]),
    ("journal", &["mail", "session", "facts", "check", "decide"]),
    ("spf", &["mail"]),
    // The zone that SPF is evaluated on is a trait of `spf`.
    ("clients", &["mail", "spf"]),
    ("mta", &["mail", "clients"]),
    ("memory", &["mail", "session", "facts", "clients"]),
    ("sources", &["mail", "session", "facts", "policy", "decide", "spf", "clients", "mta", "memory"]),
    (
        "config",
        &["mail", "session", "facts", "check", "policy", "spf", "clients", "mta", "memory", "sources"],
    ),
    ("audit", &["mail", "session", "facts", "check", "clients", "mta", "memory", "sources", "config"]),
    ("milter", &["mail"]),
    (
        "daemon",
        &[
            "mail", "session", "facts", "check", "policy", "decide", "journal", "spf", "clients", "mta",
            "memory", "sources", "config", "milter",
        ],
    ),
    (
        "cli",
        &[
            "mail", "session", "facts", "check", "policy", "decide", "journal", "spf", "clients", "mta",
            "memory", "sources", "config", "audit", "daemon",
        ],
    ),
];

/// The modules that are pure, and what they must not name.
const CORE: [&str; 8] = ["mail", "session", "facts", "check", "policy", "decide", "journal", "audit"];
const IMPURE: [&str; 9] = [
    "tokio",
    "std::fs",
    "std::io",
    "std::net::Tcp",
    "std::net::Udp",
    "std::thread",
    "std::time",
    "Timestamp::now",
    "async fn",
];

/// Strangers, and the one place that may name each.
const STRANGERS: [(&str, &str); 14] = [
    ("viaspf_record", "src/spf/"),
    ("indymilter", "src/milter/"),
    ("serde_yaml", "src/config/yaml.rs"),
    ("hickory_resolver", "src/clients/dns/"),
    ("tokio_postgres", "src/clients/sql/postgres.rs"),
    ("mysql_async", "src/clients/sql/mysql.rs"),
    ("rusqlite", "src/clients/sql/sqlite.rs"),
    ("redb::", "src/memory/store/"),
    ("Timestamp::now", "src/daemon/clock.rs"),
    ("annotate_snippets", "src/config/diagnostic.rs"),
    ("prometheus_client", "src/daemon/metrics/text.rs"),
    ("hyper::", "src/daemon/metrics/"),
    ("ldap3", "src/clients/ldap/connection.rs"),
    ("listenfd", "src/daemon/activation.rs"),
];

/// The source files with their text, comments left out.
fn sources() -> Vec<(PathBuf, String)> {
    let mut sources = Vec::new();
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the source") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).expect("a source file");
                let code: Vec<&str> =
                    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
                sources.push((path, code.join("\n")));
            }
        }
    }
    assert!(sources.len() > 30, "the source is somewhere else");
    sources
}

/// The module that a file belongs to: `src/mail/path.rs` and `src/mail.rs` to `mail`.
fn module(path: &Path) -> String {
    let first = path.components().nth(1).expect("a path below src");
    let name = Path::new(first.as_os_str()).file_stem().expect("a name");
    name.to_string_lossy().into_owned()
}

/// The modules of ours that a text names.
fn named(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        // `use crate::{a, b::c}` is not the style here, so that this stays readable: one line, one module.
        assert!(
            !rest.starts_with('{'),
            "name modules of ours one by one: {}",
            rest.lines().next().unwrap_or("")
        );
        names.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
    }
    names
}

#[test]
fn dependencies_point_one_way() {
    for (path, code) in sources() {
        let module = module(&path);
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let (_, allowed) = ARROWS.iter().find(|(name, _)| *name == module).expect("a module of the table");
        for name in named(&code) {
            let fine = name == module || allowed.contains(&name.as_str());
            assert!(fine, "{}: `{module}` must not know `{name}`", path.display());
        }
    }
}

#[test]
fn the_core_is_pure() {
    for (path, code) in sources().iter().filter(|(path, _)| CORE.contains(&module(path).as_str())) {
        for word in IMPURE {
            assert!(!code.contains(word), "{}: `{word}` has no place in the core", path.display());
        }
    }
}

#[test]
fn each_stranger_has_one_place() {
    for (path, code) in sources() {
        for (stranger, place) in STRANGERS {
            let at_home = path.to_string_lossy().starts_with(place);
            assert!(
                at_home || !code.contains(stranger),
                "{}: `{stranger}` belongs into {place}",
                path.display()
            );
        }
    }
}

#[test]
fn the_table_of_modules_is_complete() {
    let declared = fs::read_to_string("src/lib.rs").expect("src/lib.rs");
    let declared: BTreeSet<&str> =
        declared.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(declared, ARROWS.iter().map(|(name, _)| *name).collect());
}
