//! `spf check`, `spf lint` and `spf suggest` as they are typed, on a machine without a configuration.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/dns.rs"]
mod dns;
#[path = "support/program.rs"]
mod program;
#[path = "support/schema.rs"]
mod schema;

use std::process::Output;

use dns::{Dns, Zone};
use serde_json::Value;

fn zone() -> Zone {
    Zone::new()
        .txt("z.test", "v=spf1 exists:%{l}.list.z.test -all")
        .address("-bounce.list.z.test", "127.0.0.2")
        .address("a b.list.z.test", "127.0.0.2")
        .address("a.list.z.test", "127.0.0.2")
        .txt("a", "v=spf1 +all")
        .txt("ipv4.test", "v=spf1 ipv4:198.51.100.0/24 ipv4:203.0.113.0/24 -all")
        .txt("host.test", "v=spf1 mail.host.test -all")
        .txt("missing.test", "v=spf1 include:gone.test -all")
        .txt("hostile.test", "v=spf1 \u{202e}\u{1b}]0;owned\u{7}xyzzy -all")
}

fn run(dns: &Dns, arguments: &[&str], locale: &str) -> Output {
    let mut command = program::lockdown_milter();
    command.arg("spf").args(arguments).args(["--dns", &dns.address().to_string()]);
    command.args(["--config", "/nonexistent/config.yaml"]).env("LC_ALL", locale).env("COLUMNS", "100");
    command.output().unwrap()
}

/// The exit status with the JSON.
fn json(dns: &Dns, arguments: &[&str]) -> (i32, Value) {
    let output = run(dns, &[arguments, &["--json"]].concat(), "C.UTF-8");
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code().unwrap(), value)
}

#[test]
fn addresses_are_taken_as_they_are() {
    let dns = Dns::start(zone());
    for (address, local_part, domain) in [
        ("-bounce@z.test", "-bounce", "z.test"),
        ("--x@z.test", "--x", "z.test"),
        ("a b@z.test", "a b", "z.test"),
        ("<a b@z.test>", "a b", "z.test"),
        ("<-bounce@z.test>", "-bounce", "z.test"),
        ("a@z.test", "a", "z.test"),
        ("z.test", "", "z.test"),
    ] {
        let (_, value) = json(&dns, &["check", "--client", "192.0.2.1", "--mail-from", address]);
        let evaluation = &value["evaluations"][0];
        assert_eq!(
            (&evaluation["local_part"], &evaluation["domain"]),
            (&local_part.into(), &domain.into()),
            "{address}"
        );
    }
    let (_, value) = json(&dns, &["check", "--client", "192.0.2.1", "--helo", "-x.test"]);
    assert_eq!(value["evaluations"][0]["helo"], "-x.test");
    // What is an option is not the value of the one before it.
    for arguments in [
        ["check", "--client", "192.0.2.1", "--mail-from", "--json"],
        ["check", "--client", "192.0.2.1", "--helo", "--json"],
    ] {
        assert_eq!(run(&dns, &arguments, "C").status.code(), Some(64), "{arguments:?}");
    }
}

#[test]
fn what_is_quoted_shows_as_it_is_and_what_is_hostile_does_not() {
    let dns = Dns::start(zone());
    for locale in ["C.UTF-8", "C", "de_DE.UTF-8"] {
        let output =
            run(&dns, &["lint", "--not-this-host", "ipv4.test", "host.test", "hostile.test"], locale);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("there is no ‘ipv4’; did you mean ip4?"), "{text}");
        assert!(!text.contains("\\u2018") && !text.contains("\\u2019"), "{text}");
        assert!(text.contains("\\u202e\\u001b]0;owned\\u0007xyzzy"), "{text}");
        assert!(!text.contains(['\u{202e}', '\u{1b}', '\u{7}']), "{text}");
    }
    let output = run(&dns, &["check", "--client", "192.0.2.1", "--mail-from", "a@local host"], "C");
    assert!(String::from_utf8(output.stdout).unwrap().contains("‘local host’"));
}

#[test]
fn what_is_a_mistake_today_is_not_suggested_as_a_hard_fail() {
    let dns = Dns::start(zone());
    let suggest = |domain| json(&dns, &["suggest", domain, "--outgoing", "192.0.2.80"]);
    let (status, value) = suggest("ipv4.test");
    assert_eq!(
        value["record"], "v=spf1 ip4:192.0.2.80 ip4:198.51.100.0/24 ip4:203.0.113.0/24 ~all",
        "{value:#}"
    );
    assert_eq!((status, &value["good"]), (0, &true.into()));
    let (status, value) = suggest("host.test");
    assert_eq!((status, &value["record"], &value["zone"]), (1, &Value::Null, &Value::Null), "{value:#}");
    assert_eq!((&value["unclear"][0]["term"], &value["good"]), (&"mail.host.test".into(), &false.into()));
    schema::check("spf-suggest", value.to_string().as_bytes());
    let output = run(&dns, &["suggest", "host.test", "--outgoing", "192.0.2.80"], "C");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("There is nothing to publish yet") && !text.contains("IN TXT"), "{text}");
    let (_, value) = suggest("missing.test");
    assert_eq!(value["dropped"][0]["term"], "include:gone.test", "{value:#}");
    assert_eq!(value["record"], "v=spf1 ip4:192.0.2.80 ~all");
}
