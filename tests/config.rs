//! The configuration: golden cases, the reference, and what must hold for any file.

use std::path::{Path, PathBuf};

use lockdown_milter::config::{self, Host, Style};

/// A host on which nothing changes.
fn host() -> Host {
    Host {
        name: "mx.example.org".to_owned(),
        today: jiff::civil::date(2026, 6, 1),
        has_group: |group| group == "postfix",
    }
}

/// What `check` prints about a file.
fn checked(path: &Path) -> String {
    match config::load(path, &host()) {
        Ok((_, report)) => report.render(Style::Plain),
        Err(report) => report.render(Style::Plain),
    }
}

#[test]
fn show() {
    for entry in std::fs::read_dir("tests/config").unwrap() {
        let path: PathBuf = entry.unwrap().path();
        println!("{}", checked(&path));
    }
}
