//! Every form of an address that we could think of, and what becomes of it: see `tests/addresses`.

use std::fs;

use lockdown_milter::mail::address_list::{AddressList, Author};
use lockdown_milter::mail::{Domain, ForwardPath, ReversePath, Twofold};

/// The rows of a table; the last column says what each stands for.
fn rows<const COLUMNS: usize>(file: &str) -> Vec<[String; COLUMNS]> {
    let text = fs::read_to_string(format!("tests/addresses/{file}")).expect("the table");
    let rows: Vec<Vec<String>> = serde_yaml::from_str(&text).expect("rows of texts");
    rows.into_iter().map(|row| row.try_into().expect("the columns of the table")).collect()
}

fn author(author: &Author) -> String {
    match author {
        Author::Mailbox(mailbox) => mailbox.to_string(),
        Author::Elsewhere(text) => format!("elsewhere {text}"),
    }
}

/// Compares every row, and shows all that differ at once.
#[track_caller]
fn check<const COLUMNS: usize>(
    file: &str,
    at_least: usize,
    found: impl Fn(&[String; COLUMNS]) -> Vec<String>,
) {
    let rows = rows::<COLUMNS>(file);
    assert!(rows.len() >= at_least, "{file}: {} rows", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let (expected, found) = (&row[1..COLUMNS - 1], found(row));
        if expected != found.as_slice() {
            wrong.push(format!(
                "{:?}\n  expected {expected:?}\n  found    {found:?}\n  {}",
                row[0],
                row[COLUMNS - 1]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_form_of_from() {
    check::<3>("from.yaml", 150, |[body, ..]| {
        vec![match AddressList::parse(body) {
            AddressList::Exact(authors) => authors.iter().map(author).collect::<Vec<_>>().join(", "),
            AddressList::None => "none".to_owned(),
            AddressList::Ambiguous(_) => "ambiguous".to_owned(),
        }]
    });
}

#[test]
fn every_form_of_a_path() {
    check::<4>("paths.yaml", 30, |[argument, ..]| {
        let reverse = match ReversePath::parse(argument) {
            ReversePath::Malformed(raw) => format!("malformed {raw}"),
            path => path.to_string(),
        };
        let forward = match ForwardPath::parse(argument) {
            ForwardPath::Malformed(raw) => format!("malformed {raw}"),
            path => path.to_string(),
        };
        vec![reverse, forward]
    });
}

#[test]
fn every_form_that_postfix_rewrites() {
    check::<4>("settled.yaml", 25, |[both, ..]| {
        let (argument, canonical) = both.split_once(" -> ").expect("both forms");
        let domains = |twofold: &Twofold| {
            let domains: Vec<String> = twofold.domains().iter().map(Domain::to_string).collect();
            format!("twofold {}", domains.join(" "))
        };
        let reverse = match ReversePath::settle(argument, canonical) {
            ReversePath::Malformed(raw) => format!("malformed {raw}"),
            ReversePath::Twofold(twofold) => domains(&twofold),
            path => path.to_string(),
        };
        let forward = match ForwardPath::settle(argument, canonical) {
            ForwardPath::Malformed(raw) => format!("malformed {raw}"),
            ForwardPath::Twofold(twofold) => domains(&twofold),
            path => path.to_string(),
        };
        vec![reverse, forward]
    });
}
