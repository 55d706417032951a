//! What Sendmail makes of the milter protocol, with the daemon as its milter. What the locks do there is in
//! `tests/auth.rs`.
#![allow(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/dns.rs"]
mod dns;
#[path = "support/host.rs"]
mod host;
#[path = "support/mta.rs"]
mod mta;
#[path = "support/network.rs"]
mod network;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/sendmail.rs"]
mod sendmail;
#[path = "support/sink.rs"]
mod sink;
#[path = "support/smtp.rs"]
mod smtp;
#[path = "support/tls.rs"]
mod tls;

use daemon::Daemon;
use dns::{Dns, Zone};
use mta::{Mta, Service};
use proxy::Proxy;
use sendmail::Sendmail;
use sink::Sink;

/// No answer is awaited but those at RCPT and at the end of the message: Sendmail agrees that CONNECT, HELO, MAIL and
/// the header fields get none, and does not wait for them all the same.
#[test]
fn one_message_costs_two_awaited_replies() {
    if !Sendmail::is_available() {
        return;
    }
    network::isolated(mta::HOST_NAME, || {
        let dns = Dns::start(Zone::new().txt("pass.example", "v=spf1 ip4:192.0.2.10 -all"));
        let sink = Sink::start();
        let port = host::free_port();
        let daemon = Daemon::start(&format!(
            "listen: [ {{ inet: 127.0.0.1:{port} }} ]\ndns: {{ servers: [\"{}\"] }}\ndomains: {{ local.test: }}\n",
            dns.address()
        ));
        let proxy = Proxy::start(port);
        let sendmail =
            Sendmail::builder(sink.port(), proxy.port(), proxy.port()).relay_domain("local.test").start();

        let mut client = sendmail.connect(Service::Exchange, "ADDR=192.0.2.10");
        client.ehlo("mail.pass.example");
        client.mail("alice@pass.example");
        client.rcpt("info@local.test");
        let reply = client.data("From: alice@pass.example\nSubject: hello\n\nHello.\n");
        assert_eq!(reply.code(), 250, "{reply}");
        client.command("QUIT");
        let delivered = sink.next();
        drop(daemon);

        let first = delivered.fields().into_iter().next().unwrap_or_default();
        assert!(first.starts_with("Authentication-Results: mx.local.test; "), "above all others: {first}");
        let trace = proxy.trace('E');
        for silent in ['C', 'H', 'M', 'L'] {
            let next = &trace.since(silent)[1];
            assert_eq!(next.direction, proxy::Direction::ToDaemon, "{silent} is not answered: {trace:#?}");
        }
        let replies = trace.replies_since('C');
        assert_eq!(replies.len(), 2, "{replies:#?}");
    });
}
