//! The log as programs and people meet it, and what reloads and the end of the daemon say in it.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/frames.rs"]
mod frames;
#[path = "support/host.rs"]
mod host;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use daemon::{Daemon, Launch};
use frames::*;
use lockdown_milter::milter::Address;
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// A configuration whose only recipient is `info@local.test`; `more` is added to it.
fn config(more: &str) -> String {
    format!(
        "mode: enforce\nharvest: {{ mode: off }}\ndefaults: {{ spf: {{ mode: off }}, bounces: {{ policy: allow }} }}\n\
         domains: {{ local.test: {{ recipients: {{ sources: [{{ list: [info@local.test] }}] }} }} }}\n\
         listen: [{{ unix: '{{dir}}/milter.sock' }}]\nledger: {{ path: '{{dir}}/ledger.redb' }}\n{more}\n"
    )
}

async fn greet(daemon: &Daemon) -> Mta {
    let path = daemon.path("milter.sock");
    let mut mta = Mta::connect(&Address::Unix { path, permissions: 0, group: None }).await.unwrap();
    assert_eq!(mta.ask(&[full_offer()]).await, "negotiated");
    mta.send(&[connect("mail.example", '4', 25, "192.0.2.1"), helo("mail.example")].concat()).await.unwrap();
    mta
}

/// One refusal. The sender may say what it likes.
async fn refused(mta: &mut Mta) {
    let answer = mta.ask(&[mail(&["<a@sender.example>"]), rcpt("<nobody@local.test>")]).await;
    assert!(answer.starts_with("550 5.1.1"), "{answer}");
}

/// Whether a daemon can be given a journald of its own.
fn is_available() -> bool {
    let mounted = Command::new("unshare").args(["--mount", "true"]).status();
    let there = mounted.is_ok_and(|status| status.success());
    host::is_possible(host::require_root().and(if there {
        Ok(())
    } else {
        Err("no file system can be mounted".to_owned())
    }))
}

/// A daemon that sees this directory as that of journald.
fn with_journal(dir: &Path) -> Daemon {
    let script = format!(
        "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && \
         mount --bind {} /run/systemd/journal && exec \"$@\"",
        dir.display()
    );
    let wrapper = ["unshare", "--mount", "sh", "-c", &script, "sh"].map(str::to_owned).to_vec();
    Daemon::launch(&config("log: { target: journald }"), Launch { wrapper, ..Launch::default() })
}

fn journal() -> (TempDir, UnixDatagram) {
    let dir = TempDir::new().unwrap();
    let socket = UnixDatagram::bind(dir.path().join("socket")).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    (dir, socket)
}

/// The next entry that has a field; the native protocol read back.
fn next_entry(journal: &UnixDatagram, with: &str) -> BTreeMap<String, String> {
    loop {
        let mut datagram = vec![0; 1 << 18];
        let length = journal.recv(&mut datagram).expect("an entry");
        let mut rest = &datagram[..length];
        let mut entry = BTreeMap::new();
        while !rest.is_empty() {
            let end = rest.iter().position(|&octet| octet == b'\n').unwrap();
            let line = std::str::from_utf8(&rest[..end]).unwrap();
            rest = &rest[end + 1..];
            let (name, value) = if let Some((name, value)) = line.split_once('=') {
                (name, value.to_owned())
            } else {
                let (size, after) = rest.split_first_chunk::<8>().unwrap();
                let size = usize::try_from(u64::from_le_bytes(*size)).unwrap();
                rest = &after[size + 1..];
                (line, String::from_utf8(after[..size].to_vec()).unwrap())
            };
            entry.insert(name.to_owned(), value);
        }
        if entry.contains_key(with) {
            return entry;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn journald_gets_the_fields_of_a_decision() {
    if !is_available() {
        return;
    }
    let (dir, journal) = journal();
    let daemon = with_journal(dir.path());
    refused(&mut greet(&daemon).await).await;
    let entry = next_entry(&journal, "LOCKDOWN_VERDICT");
    let field = |name: &str| entry.get(name).map_or("", String::as_str);
    let expected = [
        ("PRIORITY", "5"),
        ("SYSLOG_IDENTIFIER", "lockdown-milter"),
        ("LOCKDOWN_EVENT", "recipient"),
        ("LOCKDOWN_VERDICT", "reject"),
        ("LOCKDOWN_REASON", "recipient-unknown"),
        ("LOCKDOWN_CLIENT", "192.0.2.1"),
        ("LOCKDOWN_RCPT_TO", "nobody@local.test"),
    ];
    for (name, value) in expected {
        assert_eq!(field(name), value, "{name} in {entry:?}");
    }
    let line = daemon::LogLine::parse(field("MESSAGE")).expect("the line of the log");
    assert_eq!(line.field("ref"), Some(field("LOCKDOWN_REF")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journald_that_reads_nothing_delays_no_verdict() {
    if !is_available() {
        return;
    }
    let (dir, journal) = journal();
    let daemon = with_journal(dir.path());
    let mut mta = greet(&daemon).await;
    // Beyond what its socket and our queue hold.
    for _ in 0..12_000 {
        refused(&mut mta).await;
    }
    // All that was said is there, or counted.
    let mut decisions = 0;
    let dropped: usize = loop {
        let entry = next_entry(&journal, "MESSAGE");
        decisions += usize::from(entry.contains_key("LOCKDOWN_VERDICT"));
        if let Some((text, _)) = entry["MESSAGE"].split_once(" lines were dropped") {
            break text.rsplit('"').next().unwrap().parse().unwrap();
        }
    };
    assert!(dropped > 0 && decisions + dropped <= 12_010, "{decisions} and {dropped}");
}

#[test]
fn without_journald_the_log_goes_to_standard_error() {
    if !is_available() {
        return;
    }
    let daemon = with_journal(TempDir::new().unwrap().path());
    daemon.wait_for(&["level=warn", "there is no journald; the log goes to standard error"]);
    daemon.wait_for(&["ready"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_change_the_log_and_name_what_they_cannot() {
    let daemon = Daemon::start(&config(""));
    let mut mta = greet(&daemon).await;
    refused(&mut mta).await;
    daemon.wait_for(&["verdict=reject"]);

    let said = daemon.reload(&config("log: { format: json }\nlimits: { connections: 7, drain_time: 3s }"));
    let said = said.join("\n");
    let expected = "a restart is needed for the new `limits.connections`, `limits.drain_time`";
    assert!(said.contains(expected), "{said}");
    refused(&mut mta).await;
    daemon.wait_for(&["\"verdict\":\"reject\""]);

    fs::write(daemon.config_file(), "domains: {}\n").unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for(&["the old one stays in force"]);
    // What was said a moment ago is said again, as it was asked for again.
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for(&["the old one stays in force"]);

    let text = config("log: { level: error }").replace("{dir}", &daemon.path("").display().to_string());
    fs::write(daemon.config_file(), text.replace("//", "/")).unwrap();
    daemon.signal(Signal::SIGHUP);
    for _ in 0..4 {
        daemon.wait_until_ready();
    }
    refused(&mut mta).await;
    let lines = daemon.wait_for(&["verdict=reject"]);
    assert!(!lines.iter().any(|line| line.contains("is in force")), "{lines:?}");
}

/// A postconf(1) that says that it was asked, and then nothing.
const STUCK: &str = "#!/bin/sh\necho asked >\"$0.pipe\"\nexec sleep 60\n";

#[test]
fn the_end_does_not_wait_for_a_reload() {
    let dir = TempDir::new().unwrap();
    let wrapper = ["env".to_owned(), format!("PATH={}:/usr/bin:/bin", dir.path().display())].to_vec();
    let mut daemon = Daemon::launch(&config(""), Launch { wrapper, ..Launch::default() });
    let (postconf, pipe) = (dir.path().join("postconf"), dir.path().join("postconf.pipe"));
    fs::write(&postconf, STUCK).unwrap();
    fs::set_permissions(&postconf, fs::Permissions::from_mode(0o755)).unwrap();
    host::run(Command::new("mkfifo").arg(&pipe)).unwrap();
    let text = config("trusted_networks: [postfix]");
    fs::write(daemon.config_file(), text.replace("{dir}", &daemon.path("").display().to_string())).unwrap();
    daemon.signal(Signal::SIGHUP);
    assert_eq!(fs::read_to_string(pipe).unwrap(), "asked\n");
    let began = tokio::time::Instant::now();
    daemon.end();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(daemon.written().contains("message=ended"), "{}", daemon.written());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once() {
    let mut daemon = Daemon::start(&config("limits: { drain_time: 10m }"));
    let mut mta = greet(&daemon).await;
    daemon.signal(Signal::SIGTERM);
    daemon.wait_for(&["no new connections"]);
    // The open one goes on.
    refused(&mut mta).await;
    daemon.end();
    assert!(daemon.written().contains("a second signal: ending at once"));
}
