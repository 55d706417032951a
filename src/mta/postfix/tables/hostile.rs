//! Tables that nobody should write.

use proptest::prelude::*;

use super::{Context, Usage, open, read_text};

const KINDS: [&str; 5] = ["regexp", "pcre", "hash", "texthash", "aliases"];

/// The answer of a table of one kind for one key.
fn ask(kind: &str, table: &str, key: &str) -> Result<Option<String>, String> {
    let mut answers = read_text(kind, table.as_bytes(), &[key]);
    answers.pop().expect("the table can be read").map_err(|error| error.to_string())
}

/// Ends within the time that a session has, or the test does not end at all.
#[test]
fn expressions_that_run_away() {
    let subject = format!("{}!", "a".repeat(1000));
    for pattern in ["(a+)+$", "(a|a)*$", "(a|aa)+$", "((a*)*)*$", "(.*)*x", "(a?){50}a{50}$"] {
        assert_eq!(ask("regexp", &format!("/^{pattern}/ x"), &subject), Ok(None), "{pattern}");
    }
    for pattern in ["(a+)+$", "(a|a)*$", "(a|aa)+$"] {
        let found = ask("pcre", &format!("/^{pattern}/ x"), &subject);
        assert!(found.is_err_and(|why| why.contains("limit")), "{pattern}");
    }
    // Groups are found in bounded time as well.
    let subject = "a".repeat(300);
    assert_eq!(ask("regexp", "/^((a*)*)*$/ <$2>", &subject), Ok(Some(format!("<{subject}>"))));
    assert!(ask("regexp", "/^(a|b){2000}/ $1", &"a".repeat(3000)).is_err());
}

#[test]
fn expressions_that_are_too_large() {
    let nested = format!("/{}a{}/ x", "(".repeat(100), ")".repeat(100));
    for table in ["/((a{1000}){1000}){1000}/ x", "/(a{32767}){32767}/ x", nested.as_str()] {
        assert!(read_text("regexp", table.as_bytes(), &["a"]).is_empty(), "{}", &table[..20]);
    }
    // What the library of Postfix refuses, Postfix skips.
    assert_eq!(ask("pcre", "/((a{1000}){1000}){1000}/ x\n/a/ y", "a"), Ok(Some("y".to_owned())));
    assert_eq!(ask("regexp", "/a{40000}/ x\n/a/ y", "a"), Ok(Some("y".to_owned())));
}

#[test]
fn conditions_without_an_end() {
    for kind in ["regexp", "pcre"] {
        assert_eq!(ask(kind, "if /a/\n/b/ x", "ab"), Ok(Some("x".to_owned())));
        assert_eq!(ask(kind, "if /a/\n/b/ x", "b"), Ok(None));
        let deep = format!("{}/a/ x\n{}/b/ y", "if /a/\n".repeat(10_000), "endif\n".repeat(10_001));
        assert_eq!(ask(kind, &deep, "a"), Ok(Some("x".to_owned())));
        assert_eq!(ask(kind, &deep, "b"), Ok(Some("y".to_owned())));
    }
}

#[test]
fn long_lines_and_nuls() {
    let long = "a".repeat(1 << 20);
    for kind in ["hash", "texthash"] {
        assert_eq!(ask(kind, &format!("{long} x"), &long), Ok(Some("x".to_owned())));
        assert_eq!(ask(kind, "a b\0c\nd\0 e\n", "a"), Ok(Some("b".to_owned())));
        assert_eq!(ask(kind, "a b\0c\nd\0 e\n", "d"), Ok(None));
    }
    assert_eq!(ask("aliases", &format!("{long}: x, y"), &long), Ok(Some("x, y".to_owned())));
}

/// A result that is no text is no result: `.` takes an octet, and a character may have several.
#[test]
fn groups_that_cut_characters() {
    assert!(ask("regexp", "/^(.)/ $1", "é").is_err());
    assert_eq!(ask("regexp", "/^(.)(.)/ $1$2", "é"), Ok(Some("é".to_owned())));
    assert!(ask("pcre", "/^(.)/ $1", "é").is_err());
}

proptest! {
    #[test]
    fn nothing_panics(octets in prop::collection::vec(any::<u8>(), 0..200), key in ".{0,20}") {
        for kind in KINDS {
            read_text(kind, &octets, &[&key]);
        }
    }

    #[test]
    fn nothing_panics_in_what_looks_like_a_table(
        lines in prop::collection::vec(
            r#"(if |endif|!|/|\(|\)|\[|\]|\{|[0-9],|\}|\*|\?|\+|\||\^|\$[0-9]|\\|[:.=-]|a|é|"| |\n ){0,20}"#, 0..8,
        ),
        key in r#"[aé0"\\ @.]{0,12}"#,
    ) {
        let table = lines.join("\n");
        for kind in KINDS {
            read_text(kind, table.as_bytes(), &[&key]);
        }
        let _ = open(&table, Context::alone(Usage::Maps), 0);
    }

    #[test]
    fn names_of_tables_do_not_panic(
        kind in "(inline|static|unionmap|pipemap|regexp|pcre|unix|proxy|texthash)",
        name in r"([{}=,:/a ]|inline:|static:){0,20}",
    ) {
        let _ = open(&format!("{kind}:{name}"), Context::alone(Usage::Maps), 0);
    }
}
