//! The configuration: golden cases, the reference, and what must hold for any file.

use std::fs;
use std::path::Path;

use lockdown_milter::config::{self, Format, Host, Style};

/// A host on which nothing changes.
fn host() -> Host {
    Host {
        name: "mx.example.org".to_owned(),
        today: jiff::civil::date(2026, 6, 1),
        has_group: |group| group == "postfix",
    }
}

/// Compares what `check` prints about `tests/config/NAME.yaml` with `NAME.expected` beside it. With `BLESS` in the
/// environment the expectation is written instead; the difference is then for a person to judge.
fn check(path: &Path) {
    let found = config::check(path, &host(), Format::Text(Style::Plain)).output;
    let expectation = path.with_extension("expected");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&expectation, &found).unwrap();
    }
    let expected = fs::read_to_string(&expectation).unwrap_or_default();
    assert!(found == expected, "{}: expected\n{expected}\nfound\n{found}", path.display());
}

#[test]
fn golden_cases() {
    let mut cases = 0;
    for entry in fs::read_dir("tests/config").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            check(&path);
            cases += 1;
        }
    }
    assert!(cases > 25, "only {cases} cases were found");
}
