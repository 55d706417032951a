//! What others read of what we write and keep, with OpenDMARC as the reader: second in line behind the daemon on a real
//! Postfix, and as a judge of generated forms of the fields that strangers forge.
#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/dns.rs"]
mod dns;
#[path = "support/host.rs"]
mod host;
#[path = "support/mta.rs"]
mod mta;
#[path = "support/opendmarc.rs"]
mod opendmarc;
#[path = "support/postfix.rs"]
mod postfix;
#[path = "support/sink.rs"]
mod sink;
#[path = "support/smtp.rs"]
mod smtp;
#[path = "support/tls.rs"]
mod tls;

#[path = "opendmarc/forms.rs"]
mod forms;

use std::collections::BTreeSet;

use daemon::Daemon;
use dns::{Dns, Zone};
use forms::Form;
use lockdown_milter::mail::{OwnName, ReversePath, authres, received_spf};
use opendmarc::OpenDmarc;
use postfix::Postfix;
use sink::Sink;
use smtp::Client;

const POLICY: &str = "
mode: enforce
authserv_id: mx.local.test
domains:
  local.test: { spf: { headers: [authentication-results, received-spf] } }
";

/// 192.0.2.10 is the host of all who have one; bank.example says of others no more than that it doubts them.
fn zone() -> Zone {
    ["pass.example", "evil.example"]
        .into_iter()
        .fold(Zone::new(), |zone, name| zone.txt(name, "v=spf1 ip4:192.0.2.10 -all"))
        .txt("bank.example", "v=spf1 ip4:192.0.2.99 ~all")
}

/// The daemon, and OpenDMARC behind it, as README.Debian has them.
struct Stage {
    sink: Sink,
    postfix: Postfix,
    _daemon: Daemon,
    _opendmarc: opendmarc::Milter,
    _dns: Dns,
}

impl Stage {
    fn start() -> Self {
        let dns = Dns::start(zone());
        let sink = Sink::start();
        let port = host::free_port();
        let listen =
            format!("listen: ['inet:127.0.0.1:{port}']\ndns: {{ servers: [\"{}\"] }}\n", dns.address());
        let daemon = Daemon::start(&format!("{POLICY}{listen}"));
        let opendmarc =
            OpenDmarc::new("mx.local.test", &["pass.example", "evil.example", "bank.example"]).start();
        let postfix = Postfix::builder(sink.port())
            .milter(&format!("inet:127.0.0.1:{port}"))
            .milter(&format!("inet:127.0.0.1:{}", opendmarc.port()))
            .start();
        Self { sink, postfix, _daemon: daemon, _opendmarc: opendmarc, _dns: dns }
    }

    /// The header of a message from 192.0.2.10 as it is delivered.
    fn deliver(&self, helo: &str, mail_from: &str, message: &str) -> Vec<String> {
        let mut client = Client::connect_as(self.postfix.port(), "ADDR=192.0.2.10 NAME=host.example");
        client.ehlo(helo);
        let reply = client.command(&format!("MAIL FROM:{mail_from}"));
        assert_eq!(reply.code(), 250, "{mail_from}: {reply}");
        let reply = client.rcpt("info@local.test");
        assert_eq!(reply.code(), 250, "{mail_from}: {reply}");
        let reply = client.data(message);
        assert_eq!(reply.code(), 250, "{mail_from}: {reply}");
        client.command("QUIT");
        self.sink.next().fields()
    }
}

/// The result of DMARC that stands in a header.
fn dmarc(fields: &[String]) -> &str {
    fields
        .iter()
        .find_map(|field| opendmarc::result(field))
        .unwrap_or_else(|| panic!("no result in {fields:#?}"))
}

/// The fields that we wrote.
fn ours(fields: &[String]) -> Vec<&str> {
    let ours = |field: &&str| {
        field.starts_with("Received-SPF:")
            || (field.starts_with("Authentication-Results: mx.local.test;") && field.contains("spf="))
    };
    fields.iter().map(String::as_str).filter(ours).collect()
}

#[test]
fn mail_aligned_by_spf_passes_dmarc_behind_us() {
    if !Postfix::is_available() || !OpenDmarc::is_available() {
        return;
    }
    let stage = Stage::start();
    for (mail_from, author, expected) in [
        ("<alice@pass.example>", "alice@pass.example", "pass"),
        ("<Alice@PASS.example>", "alice@pass.example", "pass"),
        ("<bounces+list=local.test@pass.example>", "alice@pass.example", "pass"),
        ("<SRS0=a=bc=bank.example=x@pass.example>", "alice@pass.example", "pass"),
        ("<\"a b\"@pass.example>", "alice@pass.example", "pass"),
        ("<alice@pass.example>", "ceo@bank.example", "fail"),
        ("<ceo@bank.example>", "ceo@bank.example", "fail"),
    ] {
        let message = format!("From: {author}\nSubject: hello\n\nHello.\n");
        let fields = stage.deliver("host.example", mail_from, &message);
        assert_eq!(dmarc(&fields), expected, "{mail_from}, From: {author}: {fields:#?}");
    }
}

/// Whatever a stranger puts into MAIL FROM and HELO, nothing that we write reads as the bank.
#[test]
fn nothing_that_we_write_reads_as_another_domain() {
    if !Postfix::is_available() || !OpenDmarc::is_available() {
        return;
    }
    let stage = Stage::start();
    let message = "From: ceo@bank.example\nSubject: hello\n\nHello.\n";
    for mail_from in [
        "<\"x@bank.example\"@evil.example>",
        "<\"x@bank.example;\"@evil.example>",
        "<\"x@bank.example \\\" (\"@evil.example>",
        "<@bank.example:x@evil.example>",
        "<x@bank.example@evil.example>",
        "<x%bank.example@evil.example>",
        "<bank.example!x@evil.example>",
        "<x=bank.example@evil.example>",
    ] {
        let fields = stage.deliver("host.example", mail_from, message);
        let ours = ours(&fields);
        assert_eq!(ours.len(), 3, "{mail_from}: {fields:#?}");
        assert!(!ours.iter().any(|field| field.contains("bank.example")), "{mail_from}: {fields:#?}");
        assert_ne!(dmarc(&fields), "pass", "{mail_from}: {fields:#?}");
    }
    for helo in [
        "x@bank.example",
        "\"bank.example\"",
        "x;dkim=pass;header.d=bank.example",
        "(bank.example)",
        "[bank.example]",
        "x;spf=pass;smtp.mailfrom=bank.example",
    ] {
        let fields = stage.deliver(helo, "<x@evil.example>", message);
        let ours = ours(&fields);
        assert!(ours.iter().all(|field| field.contains("helo=invalid")), "{helo}: {fields:#?}");
        assert!(!ours.iter().any(|field| field.contains("bank.example")), "{helo}: {fields:#?}");
        assert_ne!(dmarc(&fields), "pass", "{helo}: {fields:#?}");
    }
}

/// All the forged fields of the reports in one message of a sender who is not the bank.
#[test]
fn no_forged_field_gets_past_us() {
    if !Postfix::is_available() || !OpenDmarc::is_available() {
        return;
    }
    let stage = Stage::start();
    let forged: String = forms::reported("mx.local.test", "bank.example").iter().map(Form::field).collect();
    let kept: Vec<String> = forms::foreign("mx.local.test", "bank.example")
        .iter()
        .map(|form| form.field().trim_end().to_owned())
        .collect();
    let message = format!("{forged}{}\nFrom: ceo@bank.example\nSubject: hello\n\nHello.\n", kept.join("\n"));
    let judge = OpenDmarc::new("mx.local.test", &["bank.example"]);
    assert_eq!(judge.judge("<x@bank.example>", &message), "pass", "without us it is fooled");
    let fields = stage.deliver("host.example", "<x@bank.example>", &message);
    assert_eq!(dmarc(&fields), "fail", "{fields:#?}");
    let delivered: BTreeSet<&str> = fields.iter().map(String::as_str).collect();
    for field in kept {
        assert!(delivered.contains(field.as_str()), "{field} is gone: {fields:#?}");
    }
}

/// None of the generated forms that we keep is believed, and none that is plainly another's is deleted.
#[test]
fn opendmarc_believes_nothing_that_we_keep() {
    if !OpenDmarc::is_available() {
        return;
    }
    let (id, domain) = ("mx.example.org", "bank.example");
    let (own, judge) = (OwnName::new(id), OpenDmarc::new(id, &[domain]));
    let mail_from = format!("<x@{domain}>");
    let sender = ReversePath::parse(&mail_from);
    let is_kept = |form: &Form| match form {
        Form::Results(body) => !authres::claims_to_be(body, &own),
        Form::ReceivedSpf(body) => !received_spf::misleads(body, &own, &sender),
    };
    for form in forms::foreign(id, domain) {
        assert!(is_kept(&form), "{form:?} is another's");
    }
    let (mut kept, mut believed) = (0, 0);
    let generated = forms::generated(id, domain);
    for form in forms::reported(id, domain).iter().chain(&forms::foreign(id, domain)).chain(&generated) {
        let message = format!("{}From: ceo@{domain}\nSubject: x\n\nx\n", form.field());
        let is_believed = judge.judge(&mail_from, &message) == "pass";
        assert!(!(is_believed && is_kept(form)), "{form:?} is kept and believed");
        kept += usize::from(is_kept(form));
        believed += usize::from(is_believed);
    }
    println!("{} generated forms: OpenDMARC believes {believed}, we keep {kept}", generated.len());
    // A reader who believes nothing would show nothing, and neither would a milter that keeps nothing.
    assert!(generated.len() >= 400 && believed >= 100 && kept >= 50, "{believed} believed, {kept} kept");
}
