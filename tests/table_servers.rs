//! Postfix's tables that are servers, against postmap(1) of the installed Postfix: the same server hears the same
//! questions from both, and both take its answers for the same.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/gate.rs"]
mod gate;
#[path = "support/host.rs"]
mod host;
#[path = "support/map_server.rs"]
mod map_server;
#[path = "support/postfix_dir.rs"]
mod postfix_dir;

use std::process::Stdio;

use lockdown_milter::facts::{Cost, Existence, RecipientQuestion, SourceId};
use lockdown_milter::mta::postfix::main_cf::MainCf;
use lockdown_milter::mta::postfix::maps::{Key, Maps};
use lockdown_milter::mta::postfix::tables::Usage;
use lockdown_milter::sources::recipients::{Recipients, SourceSettings};
use map_server::{Answer, MAP, MapServer, Protocol};
use postfix_dir::PostfixDir;

const PARAMETER: &str = "relay_recipient_maps";

/// A key, and what comes of it: a value, nothing, or an error.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Found(String),
    NotFound,
    Failed,
}

/// What the server knows.
fn find(key: &str) -> Answer {
    match key {
        "alice@example.org" => Answer::Found("OK"),
        "spaces@example.org" => Answer::Found("  a  b "),
        "percent@example.org" => Answer::Found("100% %41 %zz"),
        "élodie@example.org" => Answer::Found("élodie"),
        "\"' OR 1=1 --\"@example.org" => Answer::Found("quoted"),
        "a\nb@example.org" => Answer::Found("line feed"),
        "a\tb@example.org" => Answer::Found("tab"),
        "temp@example.org" => Answer::Later("later"),
        "timeout@example.org" => Answer::Word("TIMEOUT", "database"),
        "perm@example.org" => Answer::Word("PERM", "no access"),
        "word@example.org" => Answer::Word("HELLO", "there"),
        _ if key.len() > 60_000 => Answer::Found("long"),
        _ => Answer::NotFound,
    }
}

const HOSTILE: [&str; 22] = [
    "alice@example.org",
    "Alice@Example.ORG",
    "nobody@example.org",
    "spaces@example.org",
    "percent@example.org",
    "élodie@example.org",
    "ÉLODIE@example.org",
    "\"' OR 1=1 --\"@example.org",
    "\"*)(uid=*\"@example.org",
    "..%2f@example.org",
    "%s@example.org",
    "%",
    "a\nb@example.org",
    "a\tb@example.org",
    "a\r\nget b@example.org",
    "5:alice,@example.org",
    " lead@example.org",
    "\u{7f}\u{1}@example.org",
    "temp@example.org",
    "timeout@example.org",
    "perm@example.org",
    "word@example.org",
];

/// What postmap(1) says. It works where it is run, and Postfix's servers in the queue directory.
fn ask_postfix(dir: &PostfixDir, table: &str, key: &str) -> Outcome {
    let program = host::program("postmap").unwrap();
    let mut command = host::command(&program);
    command.current_dir(dir.path()).arg("-c").arg(dir.path()).args(["-q", key, table]).stdin(Stdio::null());
    let output = command.output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    match (output.status.success(), complaint.is_empty()) {
        (true, _) => {
            let value = String::from_utf8(output.stdout).unwrap();
            Outcome::Found(value.strip_suffix('\n').unwrap().to_owned())
        }
        (false, true) => Outcome::NotFound,
        (false, false) => Outcome::Failed,
    }
}

/// Holds that we ask what postmap(1) asks, and understand the answers as it does.
fn check(table: &str, server: &MapServer) {
    let long = format!("{}@example.org", "x".repeat(1 << 16));
    check_keys(table, server, HOSTILE.into_iter().chain([long.as_str()]));
}

fn check_keys<'a>(table: &str, server: &MapServer, keys: impl IntoIterator<Item = &'a str>) {
    let dir = PostfixDir::new(&format!("{PARAMETER} = {table}\n"), &[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let maps = runtime.block_on(async {
        let main_cf = MainCf::read(Some(dir.path()), &[PARAMETER]).await.unwrap();
        Maps::open(&main_cf, PARAMETER, Usage::Maps).unwrap().0
    });
    for key in keys {
        let expected = ask_postfix(&dir, table, key);
        let questions = server.take_questions();
        assert_eq!(questions.len(), 1, "{key:?}");
        let found = match runtime.block_on(maps.find(key, Key::Whole)) {
            Ok(Some(value)) => Outcome::Found(value),
            Ok(None) => Outcome::NotFound,
            Err(_) => Outcome::Failed,
        };
        assert_eq!(found, expected, "{table} {key:?}");
        assert_eq!(server.take_questions(), questions, "{table} {key:?}");
    }
    // As in Postfix nothing but whole keys is asked for.
    assert_eq!(runtime.block_on(maps.find("example.org", Key::Part)), Ok(None));
    assert!(server.take_questions().is_empty());
}

#[test]
fn socketmap_on_a_port() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let server = MapServer::on_port(Protocol::Socketmap, find);
    check(&format!("socketmap:{}:{MAP}", server.socket().written()), &server);
}

#[test]
fn socketmap_on_a_unix_socket() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = MapServer::on_path(&dir.path().join("a:b"), Protocol::Socketmap, find);
    check(&format!("socketmap:{}:{MAP}", server.socket().written()), &server);
}

#[test]
fn a_map_that_the_server_has_not() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let server = MapServer::on_port(Protocol::Socketmap, find);
    check_keys(&format!("socketmap:{}:other", server.socket().written()), &server, ["alice@example.org"]);
}

#[test]
fn tcp_tables() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let server = MapServer::on_port(Protocol::TcpTable, find);
    check(&format!("tcp:{}", server.socket().written().trim_start_matches("inet:")), &server);
}

#[test]
fn random_values() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let dir = PostfixDir::new(&format!("{PARAMETER} = randmap:{{ one }}\n"), &[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for table in ["randmap:{ one }", "randmap:{one,one}", "randmap:{ { one two } }"] {
        dir.write("main.cf", format!("{PARAMETER} = {table}\nmail_owner = postfix\n").as_bytes());
        let found = runtime.block_on(async {
            let main_cf = MainCf::read(Some(dir.path()), &[PARAMETER]).await.unwrap();
            Maps::open(&main_cf, PARAMETER, Usage::Maps).unwrap().0.find("x@example.org", Key::Whole).await
        });
        assert_eq!(Outcome::Found(found.unwrap().unwrap()), ask_postfix(&dir, table, "x@example.org"));
    }
}

/// A program that reverses addresses of SRS, and says `PERM` to those that are none of its own.
fn reverse(key: &str) -> Answer {
    match key {
        "srs0=good=xy=a.example=alice@d.test" => Answer::Found("alice@a.example"),
        "srs0=late=xy=a.example=alice@d.test" => Answer::Later("restarting"),
        "srs0=slow=xy=a.example=alice@d.test" => Answer::Word("TIMEOUT", "database"),
        "bob@d.test" => Answer::Word("PERM", "no access"),
        _ if key.starts_with("srs") => Answer::Word("PERM", "Hash invalid in SRS address."),
        _ => Answer::NotFound,
    }
}

/// What is said of recipients whose names a map at `socketmap` gives, beside a table of mailboxes.
fn check_names(dir: &PostfixDir, main_cf: &str, cases: &[(&str, &str)]) {
    let base = "mail_owner = postfix\nqueue_directory = DIR\nmydestination =\nvirtual_mailbox_domains = d.test\n\
                virtual_mailbox_maps = inline:{ { alice@d.test = x }, { bob@d.test = x } }\n";
    dir.write("main.cf", format!("{base}{main_cf}\n").as_bytes());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let settings = [SourceSettings::Postfix { config_dir: Some(dir.path().to_owned()) }];
    let recipients = runtime.block_on(Recipients::open(&settings)).unwrap();
    for (address, expected) in cases {
        let source = SourceId { number: 0, cost: Cost::Near };
        let forms = vec![address.parse().unwrap()];
        let question = RecipientQuestion { source, forms, case_sensitive: false, by_name: true };
        let found = match runtime.block_on(recipients.find(&question)) {
            Existence::Exists(_) => "exists",
            Existence::Unknown(_) => "unknown",
            Existence::Undetermined(_) => "undetermined",
            _ => "something else",
        };
        assert_eq!(found, *expected, "{main_cf}: {address}");
    }
}

/// Postfix takes `PERM` for a mistake in its configuration and defers; to a forged address that is no answer.
#[test]
fn a_map_that_reverses_srs() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let dir = PostfixDir::new("", &[]);
    let server = MapServer::on_path(&dir.path().join("srs"), Protocol::Socketmap, reverse);
    let forged = "SRS0=evil=xy=a.example=alice@d.test";
    let cases = [
        ("alice@d.test", "exists"),
        ("nobody@d.test", "unknown"),
        ("SRS0=GOOD=xy=a.example=alice@d.test", "exists"),
        (forged, "unknown"),
        ("srs1-evil=b.example==good=xy=a.example=alice@d.test", "unknown"),
        ("SRS0=late=xy=a.example=alice@d.test", "undetermined"),
        ("SRS0=slow=xy=a.example=alice@d.test", "undetermined"),
        // About any other name the map may be right.
        ("bob@d.test", "undetermined"),
    ];
    let here = format!("socketmap:unix:srs:{MAP}");
    assert_eq!(ask_postfix(&dir, &here, &forged.to_lowercase()), Outcome::Failed);
    let whole = format!("socketmap:unix:DIR/srs:{MAP}");
    for parameter in ["recipient_canonical_maps", "canonical_maps"] {
        for table in [&here, &whole, &format!("proxy:{here}"), &format!("unionmap:{{ {here} }}")] {
            check_names(&dir, &format!("{parameter} = {table}"), &cases);
        }
    }
    // One that is asked for a stranger's name only where it refused.
    server.take_questions();
    check_names(&dir, &format!("canonical_maps = {here}"), &cases[..2]);
    let names = |question: &Vec<u8>| String::from_utf8_lossy(question).matches("alice@").count();
    assert_eq!(server.take_questions().iter().map(names).sum::<usize>(), 1);
    // Elsewhere `PERM` is trouble, as in Postfix; and so is a map that says it to everybody.
    let elsewhere = [(forged, "undetermined"), ("alice@d.test", "exists")];
    check_names(&dir, &format!("virtual_alias_maps = {here}"), &elsewhere[..1]);
    let no_map = [(forged, "undetermined"), ("alice@d.test", "undetermined")];
    check_names(&dir, "recipient_canonical_maps = socketmap:unix:srs:other", &no_map);
    check_names(&dir, "virtual_mailbox_maps =\nrecipient_canonical_maps = fail:x", &no_map);
}

#[test]
fn a_tcp_table_that_reverses_srs() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let dir = PostfixDir::new("", &[]);
    let find = |key: &str| match reverse(key) {
        Answer::Word(..) => Answer::NotFound,
        answer => answer,
    };
    let server = MapServer::on_port(Protocol::TcpTable, find);
    let table = format!("tcp:{}", server.socket().written().trim_start_matches("inet:"));
    let cases = [
        ("SRS0=GOOD=xy=a.example=alice@d.test", "exists"),
        ("SRS0=evil=xy=a.example=alice@d.test", "unknown"),
        ("SRS0=late=xy=a.example=alice@d.test", "undetermined"),
        ("alice@d.test", "exists"),
    ];
    check_names(&dir, &format!("recipient_canonical_maps = {table}"), &cases);
}

/// An absolute name is one in the chroot of the servers that ask.
#[test]
fn a_map_in_a_chroot() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let dir = PostfixDir::new("", &[]);
    let _server = MapServer::on_path(&dir.path().join("srs"), Protocol::Socketmap, reverse);
    let table = format!("recipient_canonical_maps = socketmap:unix:/srs:{MAP}");
    let address = "SRS0=good=xy=a.example=alice@d.test";
    for (chroot, expected) in [("y", "exists"), ("n", "undetermined"), ("-", "undetermined")] {
        dir.write("master.cf", format!("smtp inet n - {chroot} - - smtpd\n").as_bytes());
        check_names(&dir, &table, &[(address, expected)]);
        check_names(&dir, &table.replace("/srs", "srs"), &[(address, "exists")]);
    }
}
