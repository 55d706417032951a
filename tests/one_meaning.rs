//! One meaning of an address: no form of MAIL FROM and RCPT TO gets past a lock that the plain form does not, and no
//! honest form has a second meaning. `tests/one_meaning/commands.yaml` has the forms, and a real, private Postfix reads
//! them.
//!
//! `tests/one_meaning/generator.rs` makes more of them, with a fixed seed. Each is given to the MTA twice: to a service that
//! no lock guards, where the next hop shows what the MTA has made of it, and to the daemon. Every disagreement is of a kind
//! that is argued in `tests/one_meaning/argued.yaml`, or fails the test. `LOCKDOWN_COMMANDS=100000` generates as many
//! commands; otherwise it is a few thousand.
#![allow(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

#[path = "one_meaning/comparison.rs"]
mod comparison;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/dns.rs"]
mod dns;
#[path = "one_meaning/generator.rs"]
mod generator;
#[path = "support/host.rs"]
mod host;
#[path = "support/mta.rs"]
mod mta;
#[path = "support/network.rs"]
mod network;
#[path = "support/postfix.rs"]
mod postfix;
#[path = "support/sendmail.rs"]
mod sendmail;
#[path = "support/sink.rs"]
mod sink;
#[path = "support/smtp.rs"]
mod smtp;
#[path = "support/tls.rs"]
mod tls;

use std::fs;

use comparison::{Speaker, Tally, World};
use daemon::Daemon;
use dns::{Dns, Zone};
use mta::{Mta as _, Service};
use postfix::Postfix;
use sendmail::Sendmail;
use serde::Deserialize;
use sink::Sink;
use smtp::Client;

/// The names at example.org are known. `defaults` judge what is of no domain.
const POLICY: &str = "
mode: enforce
authserv_id: mx.local.test
profile: standard
defaults:
  require_auth: { mail_from: reject }
  auth_match: { mail_from: domain, header_from: none }
domains:
  example.org: { recipients: { sources: [list: [info@example.org]] } }
  second.example:
  virtual.example:
  relay.example:
  bücher.example:
harvest: { mode: off }
listen: [{ inet: 127.0.0.1:PORT, role: inbound }]
";

fn zone() -> Zone {
    Zone::new().txt("example.org", "v=spf1 ip4:192.0.2.10 -all").txt("spoof.example", "v=spf1 -all")
}

/// An MTA to which the domains are local, virtual or unknown, with the daemon beside it.
struct Stage {
    sink: Sink,
    postfix: Postfix,
    unguarded: u16,
    _daemon: Daemon,
    _dns: Dns,
}

impl Stage {
    fn set(more: &str) -> Self {
        let (sink, dns, port) = (Sink::start(), Dns::start(zone()), host::free_port());
        let unguarded = host::free_port();
        let policy = POLICY.replace("PORT", &port.to_string());
        let daemon = Daemon::start(&format!("{policy}dns: {{ servers: [\"{}\"] }}\n", dns.address()));
        let postfix = Postfix::builder(sink.port())
            .main_cf(&format!(
                "mydestination = mx.local.test, localhost, example.org, second.example, bücher.example, xn--bcher-kva.example\nlocal_transport = smtp:[127.0.0.1]:{}\n\
                 virtual_mailbox_domains = virtual.example\nvirtual_mailbox_maps = static:ok\n\
                 virtual_transport = smtp:[127.0.0.1]:{}\nresolve_dequoted_address = yes\n{more}",
                sink.port(),
                sink.port()
            ))
            .milter(&format!("inet:127.0.0.1:{port}"))
            .unguarded(unguarded)
            .relay_domain("relay.example")
            .start();
        Self { sink, postfix, unguarded, _daemon: daemon, _dns: dns }
    }

    /// Connects as the host that `nospf.example` and everybody else sends from.
    fn connect(&self, login: Option<&str>) -> Client {
        let login = login.unwrap_or("[UNAVAILABLE]");
        let attributes = format!("ADDR=192.0.2.66 NAME=host.stranger.example LOGIN={login}");
        let mut client = self.postfix.connect(Service::Exchange, &attributes);
        client.ehlo("host.stranger.example");
        client
    }
}

/// A command with what it must lead to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(default)]
    login: Option<String>,
    mail: String,
    rcpt: String,
    reply: String,
    see: String,
}

#[test]
fn no_form_gets_past_a_lock() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set("");
    let text = fs::read_to_string("tests/one_meaning/commands.yaml").unwrap();
    let rows: Vec<Row> = serde_yaml::from_str(&text).unwrap();
    let mut wrong = Vec::new();
    for row in &rows {
        let mut client = stage.connect(row.login.as_deref());
        let accepted = client.mail(&row.mail);
        assert_eq!(accepted.code(), 250, "{}: {accepted}", row.mail);
        let reply = client.rcpt(&row.rcpt).to_string();
        if !reply.starts_with(&row.reply) {
            let Row { mail, rcpt, reply: expected, see, .. } = row;
            wrong.push(format!("{mail} -> {rcpt} ({see})\n  expected {expected}\n  found    {reply}\n"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.concat());
}

/// What is recorded and deleted for a plain recipient is so for every form of one, and where no domain is hosted.
#[test]
fn no_form_escapes_the_record() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set("");
    let forged = [
        "Authentication-Results: mx.local.test; spf=pass smtp.mailfrom=bank.example",
        "Received-SPF: pass (mx.local.test: x) receiver=mx.local.test; envelope-from=bob@nospf.example",
    ];
    let recipients = [
        "info@example.org",
        "bob@[127.0.0.1]",
        "bob%[127.0.0.1]@second.example",
        "bob%[127.0.0.1]@mx.local.test",
        "[127.0.0.1]!bob",
        "info%example.org@mx.local.test",
        "second.example!info%example.org",
    ];
    let mut client = stage.connect(None);
    for recipient in recipients {
        client.mail("bob@nospf.example");
        let reply = client.rcpt(recipient);
        assert_eq!(reply.code(), 250, "{recipient}: {reply}");
        let reply =
            client.data(&format!("{}\nFrom: bob@nospf.example\nSubject: x\n\ntext\n", forged.join("\n")));
        assert_eq!(reply.code(), 250, "{recipient}: {reply}");
        let fields = stage.sink.next().fields();
        let results: Vec<&String> =
            fields.iter().filter(|field| field.starts_with("Authentication-Results")).collect();
        assert!(
            matches!(results[..], [ours] if ours.contains("spf=none smtp.mailfrom=nospf.example")),
            "{recipient}: {fields:#?}"
        );
        assert!(!fields.iter().any(|field| field.contains("Received-SPF: pass")), "{recipient}: {fields:#?}");
    }
}

/// The share of the commands that one configuration of the MTA gets, of MAIL and of RCPT each.
fn share(parts: usize) -> usize {
    let all = std::env::var("LOCKDOWN_COMMANDS").map_or(2_000, |count| count.parse().expect("a number"));
    usize::div_ceil(all, 2 * parts)
}

/// Compares the commands of one configuration.
fn compare(world: &World<'_>, seed: u64, count: usize) -> Tally {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut tally = comparison::of_mail(world, &mut rng, count);
    tally.add(comparison::of_rcpt(world, &mut rng, count));
    tally
}

/// Holds the kinds of disagreement against those that are argued.
#[track_caller]
fn check_argued(tally: &Tally) {
    println!("{tally}");
    let text = fs::read_to_string("tests/one_meaning/argued.yaml").unwrap();
    let argued: std::collections::BTreeMap<String, String> = serde_yaml::from_str(&text).unwrap();
    let unargued: Vec<String> = tally
        .shown
        .iter()
        .filter(|(kind, _)| {
            kind.starts_with("WRONG") || (kind.starts_with("argued: ") && !argued.contains_key(&kind[8..]))
        })
        .map(|(kind, shown)| format!("{kind}\n  {}\n", shown.join("\n  ")))
        .collect();
    assert!(unargued.is_empty(), "{}", unargued.concat());
    let lost = tally.kinds.get("refused by the MTA, or lost").copied().unwrap_or_default();
    assert!(2 * lost < tally.total(), "{lost} of {} commands compare nothing", tally.total());
}

#[test]
fn the_daemon_judges_what_postfix_makes_of_generated_commands() {
    if !Postfix::is_available() {
        return;
    }
    let configurations = [
        "",
        "allow_percent_hack = no\n",
        "swap_bangpath = no\n",
        "allow_percent_hack = no\nswap_bangpath = no\nresolve_dequoted_address = no\n",
        "append_dot_mydomain = yes\nsmtputf8_enable = no\n",
    ];
    let mut all = Tally::default();
    for (seed, more) in (1..).zip(configurations) {
        let stage = Stage::set(more);
        let connect = |speaker| {
            if speaker == Speaker::Unguarded {
                let mut client =
                    Client::connect_as(stage.unguarded, "ADDR=192.0.2.66 NAME=host.stranger.example");
                client.ehlo("host.stranger.example");
                return client;
            }
            stage.connect((speaker == Speaker::Alice).then_some("alice@example.org"))
        };
        let world = World { connect: &connect, sink: &stage.sink, recipient: "info@relay.example" };
        all.add(compare(&world, seed, share(configurations.len())));
    }
    check_argued(&all);
}

/// Sendmail has no port without a milter, so what no lock guards is guarded by a daemon that is off; and it delivers
/// what it reads as local to a name that tells at which domain it was.
#[test]
fn the_daemon_judges_what_sendmail_makes_of_generated_commands() {
    if !Sendmail::is_available() {
        return;
    }
    network::isolated(mta::HOST_NAME, || {
        let (sink, dns) = (Sink::start(), Dns::start(zone()));
        let (port, idle) = (host::free_port(), host::free_port());
        let servers = format!("dns: {{ servers: [\"{}\"] }}\n", dns.address());
        let config = |port: u16| format!("{}{servers}", POLICY.replace("PORT", &port.to_string()));
        let _guard = Daemon::start(&config(port));
        let _idle = Daemon::start(&config(idle).replacen("mode: enforce", "mode: off", 1));
        let local = ["example.org", "second.example", "b\u{fc}cher.example", "xn--bcher-kva.example"];
        let builder = ["relay.example", "virtual.example"]
            .into_iter()
            .fold(Sendmail::builder(sink.port(), port, idle), sendmail::Builder::relay_domain)
            .logins(&["alice@example.org"])
            .exempt_submission();
        let builder = local.into_iter().fold(builder, |builder, domain| {
            builder
                .local_domain(domain)
                .virtual_user(&format!("@{domain}"), &format!("%1--{domain}@inner.test"))
        });
        let sendmail = ["mx.local.test", "[127.0.0.1]"]
            .into_iter()
            .fold(builder, |builder, domain| {
                builder.virtual_user(
                    &format!("@{domain}"),
                    &format!("%1--{}@inner.test", domain.trim_matches(['[', ']'])),
                )
            })
            .start();
        let connect = |speaker| {
            let service = if speaker == Speaker::Unguarded { Service::Submission } else { Service::Exchange };
            let mut client = sendmail.connect(service, "ADDR=192.0.2.66");
            client.ehlo("host.stranger.example");
            if speaker == Speaker::Alice {
                client.log_in(smtp::Mechanism::Plain, "alice@example.org", mta::PASSWORD);
            }
            client
        };
        let world = World { connect: &connect, sink: &sink, recipient: "info@relay.example" };
        check_argued(&compare(&world, 99, share(1)));
    });
}
