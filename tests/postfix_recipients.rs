//! The recipient source `postfix` against a real Postfix: for every address of a case what we say, and what that Postfix
//! answers to RCPT.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/host.rs"]
mod host;
#[path = "support/mta.rs"]
mod mta;
#[path = "support/postfix.rs"]
mod postfix;
#[path = "support/smtp.rs"]
mod smtp;
#[path = "support/tls.rs"]
mod tls;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use lockdown_milter::facts::{Cost, Existence, RecipientQuestion, SourceId};
use lockdown_milter::mail::Mailbox;
use lockdown_milter::sources::recipients::{Recipients, SourceSettings};
use mta::{Mta as _, Service};
use postfix::Postfix;
use smtp::Client;

/// One line of a case.
struct Line<'a> {
    address: &'a str,
    /// What Postfix answers to RCPT: the reply code, and the enhanced one of a refusal.
    reply: &'a str,
    /// What we say that it is.
    what: &'a str,
    /// Which entry says so.
    by: String,
}

/// What we say of an address, and by which entry. A `dead alias` is unknown to us and not to Postfix, which looks at the
/// alias of its domain and no further.
fn shown(existence: Existence, accepted: bool) -> (&'static str, String) {
    match existence {
        Existence::Exists(by) => ("exists", by.to_string()),
        Existence::Relocated { by, .. } => ("relocated", by.to_string()),
        Existence::Ambiguous(by) => ("ambiguous", by.to_string()),
        Existence::Wildcard(by) => ("wildcard", by.to_string()),
        Existence::NoList(why) => ("no list", why),
        Existence::Undetermined(why) => ("cannot tell", why),
        Existence::Unknown(_) if accepted => ("dead alias", String::new()),
        Existence::Unknown(_) => ("unknown", String::new()),
    }
}

/// Whether what we say is what Postfix does, with the two differences that are meant: what only a wildcard knows, which
/// we name, and what is behind the alias of a domain.
fn agree(what: &str, accepted: bool, deferred: bool, by: &str) -> bool {
    match what {
        "exists" | "ambiguous" | "wildcard" | "dead alias" => accepted,
        "relocated" => !accepted || by.contains(" > "),
        "unknown" => !accepted && !deferred,
        "cannot tell" => deferred,
        _ => true,
    }
}

/// The forms in which a source is asked: as it is, and without a subaddress.
fn forms(address: &str) -> Vec<Mailbox> {
    let whole: Mailbox = address.to_lowercase().parse().unwrap();
    let bare = whole.local_part().split_once('+').map(|(name, _)| Mailbox::new(name, whole.domain().clone()));
    [Some(whole), bare].into_iter().flatten().collect()
}

/// A Postfix with the main.cf and the tables of a case.
fn start(case: &Path) -> Postfix {
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    let main_cf = text(&case.join("main.cf"));
    let mut builder = Postfix::builder(host::free_port()).main_cf(&main_cf);
    for entry in fs::read_dir(case).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if !["main.cf", "addresses"].contains(&name) {
            builder = builder.file(name, &text(&path));
        }
    }
    let postfix = builder.start();
    // Its servers open their tables when the first client comes.
    let here = main_cf.replace("../etc/", "DIR/");
    let tables = here.split([',', ' ', '\n']).filter_map(|word| word.split_once("hash:DIR/"));
    let compiled: BTreeSet<&str> =
        tables.filter(|(before, _)| ["", "proxy:"].contains(before)).map(|(_, name)| name).collect();
    for name in compiled {
        let program = if name.ends_with("aliases") { "postalias" } else { "postmap" };
        let table = format!("hash:{}", postfix.config_dir().join(name).display());
        host::run(
            host::command(&host::program(program).unwrap()).arg("-c").arg(postfix.config_dir()).arg(table),
        )
        .unwrap();
    }
    postfix
}

fn lines<'a>(text: &'a str, config_dir: &Path) -> Vec<Line<'a>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            let [address, reply, what, by] = fields[..] else { panic!("not four fields: {line}") };
            Line { address, reply, what, by: by.replace("DIR", config_dir.to_str().unwrap()) }
        })
        .collect()
}

/// The reply code, and the enhanced one of a refusal.
fn reply(client: &mut Client, address: &str) -> String {
    let reply = client.rcpt(address).to_string();
    let words = if reply.starts_with("250") { 1 } else { 2 };
    reply.split(' ').take(words).collect::<Vec<_>>().join(" ")
}

/// Compares every address of a case. Returns how many there were.
fn check(case: &Path) -> usize {
    let postfix = start(case);
    let config_dir = postfix.config_dir();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let settings = [SourceSettings::Postfix { config_dir: Some(config_dir.clone()) }];
    let recipients = runtime.block_on(Recipients::open(&settings)).unwrap();
    let text = fs::read_to_string(case.join("addresses")).unwrap();
    let mut client = postfix.connect(Service::Exchange, "ADDR=192.0.2.1 NAME=mail.elsewhere.example");
    client.ehlo("mail.elsewhere.example");
    client.mail("stranger@elsewhere.example");
    let mut wrong = Vec::new();
    let lines = lines(&text, &config_dir);
    for Line { address, reply: expected_reply, what: expected, by: expected_by } in &lines {
        let found_reply = reply(&mut client, address);
        let (accepted, deferred) = (found_reply == "250", found_reply.starts_with('4'));
        let source = SourceId { number: 0, cost: Cost::Near };
        let question =
            RecipientQuestion { source, forms: forms(address), case_sensitive: false, by_name: true };
        let (what, by) = shown(runtime.block_on(recipients.find(&question)), accepted);
        if (found_reply.as_str(), what, &by) != (*expected_reply, *expected, expected_by) {
            wrong.push(format!(
                "{address}\n  expected {expected_reply} | {expected} | {expected_by}\n  found    {found_reply} | {what} | {by}"
            ));
        }
        if !agree(what, accepted, deferred, &by) {
            wrong.push(format!("{address}: Postfix says {found_reply}, we say {what}"));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", case.display(), wrong.join("\n"));
    lines.len()
}

#[test]
fn we_agree_with_postfix() {
    if !Postfix::is_available() {
        return;
    }
    let mut compared = 0;
    let mut cases: Vec<PathBuf> =
        fs::read_dir("tests/cases/postfix_recipients").unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    for case in cases {
        compared += check(&case);
    }
    // Past the capture of the test harness: the number is worth seeing.
    writeln!(std::io::stderr(), "{compared} addresses compared with what Postfix answers").unwrap();
    assert!(compared >= 80, "only {compared} addresses were compared");
}
