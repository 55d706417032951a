//! End to end: a private Postfix that accepts every recipient, the daemon as its milter, and a database that knows who
//! exists.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/database.rs"]
mod database;
#[path = "support/dns.rs"]
mod dns;
#[path = "support/host.rs"]
mod host;
#[path = "support/mariadb.rs"]
mod mariadb;
#[path = "support/mta.rs"]
mod mta;
#[path = "support/postfix.rs"]
mod postfix;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/sink.rs"]
mod sink;
#[path = "support/smtp.rs"]
mod smtp;
#[path = "support/tls.rs"]
mod tls;
#[path = "support/valve.rs"]
mod valve;

use daemon::Daemon;
use database::{Database, databases};
use dns::{Dns, Zone};
use postfix::Postfix;
use sink::Sink;
use smtp::Client;

/// The daemon's configuration with this database.
fn config(database: &dyn Database, dns: &Dns) -> String {
    let password_file = database.password_file();
    let password_file = password_file.map(|file| format!(", password_file: {}", file.display()));
    format!(
        "mode: enforce
listen: [{{ unix: \"{{dir}}/milter.sock\", permissions: \"0666\" }}]
dns: {{ servers: [\"{dns}\"] }}
defaults: {{ spf: {{ mode: off }} }}
domains:
  example.org:
    recipients:
      catch_all: reject
      sources:
        - sql:
            url: {url}
            query: \"select 1 from mailbox where active <> 0 and (address = {{address}} or domain = concat('*.', {{domain}}))\"
            {password_file}
",
        dns = dns.address(),
        url = database.url(),
        password_file = password_file.unwrap_or_default().trim_start_matches(", "),
    )
}

/// The reply to RCPT in a session of its own.
fn rcpt(postfix: &Postfix, recipient: &str) -> String {
    let mut client = Client::connect_as(postfix.port(), "ADDR=192.0.2.10 NAME=mail.pass.example");
    client.ehlo("mail.pass.example");
    client.mail("alice@pass.example");
    let reply = client.rcpt(recipient).to_string();
    client.command("QUIT");
    reply
}

#[track_caller]
fn check(postfix: &Postfix, recipient: &str, expected: &str) {
    let reply = rcpt(postfix, recipient);
    assert!(reply.starts_with(expected), "{recipient}: {reply}");
    // The stranger learns nothing of how that is known.
    assert!(!reply.contains("://") && !reply.contains("mailbox") && !reply.contains("127.0.0.1"), "{reply}");
}

#[test]
fn recipients_of_a_real_mail_server() {
    if !Postfix::is_available() {
        return;
    }
    let dns = Dns::start(Zone::new());
    for mut database in databases() {
        let sink = Sink::start();
        let daemon = Daemon::start(&config(&*database, &dns));
        let postfix = Postfix::builder(sink.port())
            .relay_domain("example.org")
            .milter(&format!("unix:{}", daemon.path("milter.sock").display()))
            .start();
        let works = || {
            check(&postfix, "alice@example.org", "250 ");
            check(&postfix, "Alice+tag@Example.org", "250 ");
            check(&postfix, "\"the boss\"@example.org", "250 ");
            check(&postfix, "bob@example.org", "550 5.1.1 ");
            check(&postfix, "\"' OR 1=1 --\"@example.org", "550 5.1.1 ");
            check(&postfix, "..%2f@example.org", "55");
            check(&postfix, "%s@example.org", "55");
            check(&postfix, "postmaster@example.org", "250 ");
        };
        works();
        database.stop();
        check(&postfix, "alice@example.org", "451 4.4.3 ");
        check(&postfix, "bob@example.org", "451 4.4.3 ");
        check(&postfix, "postmaster@example.org", "250 ");
        database.resume();
        works();
        database.hang(true);
        check(&postfix, "alice@example.org", "451 4.4.3 ");
        check(&postfix, "bob@example.org", "451 4.4.3 ");
        database.hang(false);
        works();
        // From now on every name is known, and nothing tells whose row is one's own.
        database.run("insert into mailbox values ('*', '*.example.org', 1)");
        let daemon_again = Daemon::start(&config(&*database, &dns));
        let postfix_again = Postfix::builder(sink.port())
            .relay_domain("example.org")
            .milter(&format!("unix:{}", daemon_again.path("milter.sock").display()))
            .start();
        check(&postfix_again, "alice@example.org", "250 ");
        check(&postfix_again, "bob@example.org", "250 ");
        let mut log = daemon.stop();
        log.extend(daemon_again.stop());
        assert!(log.iter().all(|line| !format!("{line:?}").contains("sesame")));
    }
}
