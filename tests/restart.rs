//! Restarts and reloads without a gap: sockets that outlive the daemon, and mail at full speed meanwhile.
//!
//! The numbers of the large test can be set: `LOCKDOWN_MESSAGES`, `LOCKDOWN_RELOADS`, `LOCKDOWN_RESTARTS`.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/frames.rs"]
mod frames;
#[path = "support/host.rs"]
mod host;
#[path = "support/mta.rs"]
mod mta;
#[path = "support/postfix.rs"]
mod postfix;
#[path = "support/sink.rs"]
mod sink;
#[path = "support/smtp.rs"]
mod smtp;
#[path = "support/tls.rs"]
mod tls;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use daemon::{Daemon, Launch};
use frames::{Mta as Milter, full_offer};
use lockdown_milter::milter::Address;
use mta::Mta as _;
use postfix::Postfix;
use sink::Sink;
use smtp::Client;
use tokio::time::Instant;

/// Clients at once.
const CLIENTS: usize = 6;

/// A configuration in which `both@local.test` and one more name exist: `even@` or `odd@`, by its number.
fn numbered(number: usize) -> String {
    let name = if number.is_multiple_of(2) { "even" } else { "odd" };
    let sources = format!("[{{ list: [both@local.test, {name}@local.test] }}]");
    format!(
        "mode: enforce\nharvest: {{ mode: off }}\ndefaults: {{ spf: {{ mode: off }}, bounces: {{ policy: allow }}, \
         recipients: {{ sources: {sources} }} }}\ndomains: {{ local.test: {{}} }}\n\
         listen: [{{ unix: '{{dir}}/milter.sock', permissions: \"0666\" }}]\ncontrol: '{{dir}}/control.sock'\n\
         limits: {{ drain_time: 20s }}\nledger: {{ path: '{{dir}}/ledger.redb' }}\n"
    )
}

fn amount(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

/// Which configurations may be in force: from the last one that is confirmed to the last one that was asked for.
#[derive(Default)]
struct InForce {
    confirmed: AtomicUsize,
    asked: AtomicUsize,
}

/// What became of one message.
struct Sent {
    number: usize,
    /// The name beside `both` that was accepted.
    accepted: &'static str,
}

/// Sends messages `numbers`, some in each session; what goes wrong is a panic.
fn send(port: u16, numbers: &[usize], in_force: &InForce, results: &mpsc::Sender<Sent>) {
    // Sessions of one message, and of many.
    let mut rest = numbers;
    let mut length = 1;
    while !rest.is_empty() {
        let (session, later) = rest.split_at(length.min(rest.len()));
        (rest, length) = (later, length % 25 + 4);
        let mut client = Client::connect_as(port, "ADDR=192.0.2.10 NAME=mail.example");
        client.ehlo("mail.example");
        for number in session {
            let first = in_force.confirmed.load(Ordering::SeqCst);
            let mail = client.mail(&format!("a{number}@sender.example"));
            assert_eq!(mail.code(), 250, "{mail}");
            let codes: Vec<u16> = ["both@local.test", "even@local.test", "odd@local.test"]
                .iter()
                .map(|recipient| client.rcpt(recipient).code())
                .collect();
            let last = in_force.asked.load(Ordering::SeqCst);
            // One policy for all recipients of a transaction, whatever is put into force between them.
            let parity = match codes[..] {
                [250, 250, 550] => 0,
                [250, 550, 250] => 1,
                _ => panic!("message {number}: {codes:?}"),
            };
            assert!(
                (first..=last).any(|config| config % 2 == parity),
                "{number}: {codes:?}, {first}..={last}"
            );
            let reply = client.data(&format!("From: a@sender.example\nSubject: {number}\n\nHello.\n"));
            assert_eq!(reply.code(), 250, "{reply}");
            let accepted = ["even", "odd"][parity];
            results.send(Sent { number: *number, accepted }).unwrap();
        }
        client.command("QUIT");
    }
}

/// Ten thousand messages, two hundred reloads and five restarts are shown by the variables at the top.
#[test]
fn no_message_is_lost_or_put_off() {
    if !Postfix::is_available() {
        return;
    }
    let messages = amount("LOCKDOWN_MESSAGES", 2000);
    let (reloads, restarts) = (amount("LOCKDOWN_RELOADS", 40), amount("LOCKDOWN_RESTARTS", 2));
    let sink = Sink::start();
    let launch = Launch { sockets: vec!["milter.sock", "control.sock"], ..Launch::default() };
    let mut daemon = Daemon::launch(&numbered(0), launch);
    let postfix = Postfix::builder(sink.port())
        .milter(&format!("unix:{}", daemon.path("milter.sock").display()))
        .start();
    let port = postfix.port();
    let in_force = InForce::default();
    let began = Instant::now();
    let numbers: Vec<usize> = (0..messages).collect();
    let shares: Vec<&[usize]> = numbers.chunks(messages.div_ceil(CLIENTS)).collect();
    let (results, sent) = mpsc::channel();
    let mut accepted = BTreeMap::new();
    let mut gaps = Vec::new();
    thread::scope(|scope| {
        for share in shares {
            let (results, in_force) = (results.clone(), &in_force);
            scope.spawn(move || send(port, share, in_force, &results));
        }
        drop(results);
        let events = reloads + restarts;
        let mut done = 0;
        for message in sent {
            accepted.insert(message.number, message.accepted);
            if done < events && accepted.len() > messages * done / events {
                done += 1;
                // Restarts are spread among the reloads.
                if done * restarts / events > (done - 1) * restarts / events {
                    let stopped = Instant::now();
                    daemon.restart();
                    gaps.push(stopped.elapsed());
                } else {
                    let number = in_force.asked.fetch_add(1, Ordering::SeqCst) + 1;
                    daemon.reload(&numbered(number));
                    in_force.confirmed.store(number, Ordering::SeqCst);
                }
            }
        }
    });
    let took = began.elapsed();
    postfix.wait_until_idle();
    let mut delivered = BTreeMap::new();
    while let Some(message) = sink.surplus() {
        let subject =
            message.fields().iter().find_map(|f| f.strip_prefix("Subject: ")?.parse::<usize>().ok());
        let copies: &mut Vec<String> = delivered.entry(subject.unwrap()).or_default();
        copies.extend(message.rcpt_to);
    }
    let (written, postfix_log) = (daemon.written(), postfix.log());
    // By us, and by Postfix because of us.
    let put_off = written.matches("verdict=defer").count() + postfix_log.matches(": 451 ").count();
    eprintln!(
        "{} messages accepted, {} delivered in {took:.1?}; {} reloads, {} restarts with pauses of {gaps:.1?}; \
         {} decisions in the log; {put_off} put off",
        accepted.len(),
        delivered.len(),
        in_force.confirmed.load(Ordering::SeqCst),
        gaps.len(),
        written.matches(" event=").count(),
    );
    assert_eq!([accepted.len(), delivered.len()], [messages; 2]);
    for (number, name) in accepted {
        let mut recipients = delivered.remove(&number).unwrap();
        recipients.sort();
        assert_eq!(recipients, ["both@local.test".to_owned(), format!("{name}@local.test")], "{number}");
    }
    assert_eq!([in_force.confirmed.load(Ordering::SeqCst), gaps.len()], [reloads, restarts]);
    assert_eq!(put_off, 0);
    assert_eq!(postfix_log.matches("milter-reject: RCPT").count(), messages, "one recipient of each");
    assert!(!postfix_log.contains("warning: milter"));
}

/// The limit of what a restart can do for an MTA that keeps its connection: Postfix puts off what a session sends after
/// its milter is gone, and serves the next session as ever.
#[test]
fn a_session_that_outlasts_the_drain_is_put_off() {
    if !Postfix::is_available() {
        return;
    }
    let sink = Sink::start();
    let launch = Launch { sockets: vec!["milter.sock"], ..Launch::default() };
    let mut daemon = Daemon::launch(&numbered(0).replace("drain_time: 20s", "drain_time: 1s"), launch);
    let postfix = Postfix::builder(sink.port())
        .milter(&format!("unix:{}", daemon.path("milter.sock").display()))
        .start();
    let begin = || {
        let mut client = Client::connect_as(postfix.port(), "ADDR=192.0.2.10 NAME=mail.example");
        client.ehlo("mail.example");
        client
    };
    let mut long = begin();
    assert_eq!(long.mail("a@sender.example").code(), 250);
    assert_eq!(long.rcpt("both@local.test").code(), 250);
    assert_eq!(long.data("From: a@sender.example\n\nHello.\n").code(), 250);
    daemon.restart();
    // Nobody answers at MAIL, so that is not where Postfix finds out.
    assert_eq!(long.mail("a@sender.example").code(), 250);
    let reply = long.rcpt("both@local.test");
    assert!(reply.to_string().starts_with("451 4.7.1"), "{reply}");
    let mut next = begin();
    assert_eq!(next.mail("a@sender.example").code(), 250);
    assert_eq!(next.rcpt("both@local.test").code(), 250);
}

/// A configuration that listens on both kinds of sockets.
fn two_sockets(port: u16) -> String {
    format!(
        "domains: {{ local.test: {{}} }}\nharvest: {{ mode: off }}\n\
         listen: [{{ unix: '{{dir}}/milter.sock' }}, {{ inet: '127.0.0.1:{port}' }}]\n"
    )
}

async fn check_served(daemon: &Daemon, port: u16) {
    let path = daemon.path("milter.sock");
    for address in
        [Address::Unix { path, permissions: 0, group: None }, Address::Inet(([127, 0, 0, 1], port).into())]
    {
        let mut milter = Milter::connect(&address).await.unwrap();
        assert_eq!(milter.ask(&[full_offer()]).await, "negotiated", "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_of_systemd_are_adopted_and_stay() {
    let port = host::free_port();
    let launch = Launch { sockets: vec!["milter.sock"], ports: vec![port], ..Launch::default() };
    let mut daemon = Daemon::launch(&two_sockets(port), launch);
    check_served(&daemon, port).await;
    assert_eq!(daemon.written().matches("systemd has made this socket").count(), 2);
    let log = daemon.written();
    assert!(log.contains("is=0666 configured=0660"), "the socket unit decides: {log}");

    // While nobody is there, clients are let in by the system and wait.
    daemon.end();
    let path = daemon.path("milter.sock");
    let address = Address::Unix { path: path.clone(), permissions: 0, group: None };
    let mut waiting = Milter::connect(&address).await.unwrap();
    daemon.begin();
    assert_eq!(waiting.ask(&[full_offer()]).await, "negotiated");
    check_served(&daemon, port).await;
    assert!(path.exists());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666, "untouched");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_nobody_configured_are_named() {
    let (port, other) = (host::free_port(), host::free_port());
    let launch = Launch { ports: vec![other, port], ..Launch::default() };
    let daemon = Daemon::launch(&two_sockets(port), launch);
    check_served(&daemon, port).await;
    let log = daemon.written();
    assert!(log.contains(&format!("socket=inet:127.0.0.1:{other}")), "{log}");
    assert_eq!(log.matches("systemd has made this socket").count(), 1, "the other one is our own: {log}");
    let path = daemon.path("milter.sock");
    daemon.stop();
    assert!(!path.exists(), "what is ours is removed");
}
