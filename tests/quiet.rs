//! End to end: who is answered. Vacation notices by a real, private Dovecot, and bounces by a real, private Postfix, each
//! of mail that passes SPF and of mail that does not. What each session must lead to is in the tables here, and in
//! `tests/stories/quiet`.
#![allow(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/dns.rs"]
mod dns;
#[path = "support/dovecot.rs"]
mod dovecot;
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
#[path = "support/story.rs"]
mod story;
#[path = "support/tls.rs"]
mod tls;

use std::fs;
use std::path::Path;

use daemon::Daemon;
use dns::{Dns, Fault, Zone};
use dovecot::{Dovecot, Outlet};
use hickory_proto::op::ResponseCode;
use mta::{Mta, Service};
use postfix::Postfix;
use sink::Sink;
use smtp::Client;
use tls::Authority;

/// Domains by the messages that they answer: those whose SPF result is among these.
const DOMAINS: [(&str, &str, &[&str]); 4] = [
    ("strict.test", "require_spf_pass", &["pass"]),
    ("published.test", "require_spf_pass_if_published", &["pass", "none"]),
    ("disabled.test", "disabled", &[]),
    ("allow.test", "allow", &["pass", "fail", "softfail", "none", "temperror"]),
];

/// Senders by their SPF result at 192.0.2.10.
const SENDERS: [(&str, &str); 5] = [
    ("pass", "alice@pass.example"),
    ("fail", "alice@fail.example"),
    ("softfail", "alice@softfail.example"),
    ("none", "alice@none.example"),
    ("temperror", "alice@broken.example"),
];

fn zone() -> Zone {
    Zone::new()
        .txt("pass.example", "v=spf1 ip4:192.0.2.10 -all")
        .txt("fail.example", "v=spf1 ip4:192.0.2.99 -all")
        .txt("softfail.example", "v=spf1 ip4:192.0.2.99 ~all")
        .fault("broken.example", Fault::Code(ResponseCode::ServFail))
}

/// What happens to mail for these local parts.
const SCRIPTS: [(&str, &str); 3] = [
    ("away", "require [\"vacation-seconds\"];\nvacation :seconds 0 \"I am away.\";\n"),
    ("moved", "redirect \"moved@outside.test\";\n"),
    ("full", "require [\"reject\"];\nreject \"I do not want it.\";\n"),
];

/// What stands around the MTA: the next hop, DNS, and the daemon's ports.
struct Stage {
    sink: Sink,
    dns: Dns,
    exchange: u16,
    local: u16,
    programs: u16,
}

/// A mail system with mailboxes.
struct Host {
    postfix: Postfix,
    dovecot: Dovecot,
}

impl Mta for Host {
    fn connect(&self, service: Service, attributes: &str) -> Client {
        self.postfix.connect(service, attributes)
    }

    fn authority(&self) -> &Authority {
        self.postfix.authority()
    }

    fn submit(&self, arguments: &str, message: &str) {
        self.postfix.submit(arguments, message);
    }

    fn wait_until_idle(&self) {
        self.postfix.wait_until_idle();
    }

    fn take(&self, mailbox: &str) -> Option<Vec<u8>> {
        self.dovecot.take(mailbox)
    }
}

fn at(port: u16) -> String {
    format!("inet:127.0.0.1:{port}")
}

impl Stage {
    fn set() -> Self {
        Self {
            sink: Sink::start(),
            dns: Dns::start(zone()),
            exchange: host::free_port(),
            local: host::free_port(),
            programs: host::free_port(),
        }
    }

    /// The configuration: every domain with its policy for the lock, and what else the test sets in `defaults`.
    fn config(&self, lock: &str, defaults: &str) -> String {
        let domain = |(name, policy, _): (&str, &str, &[&str])| {
            format!("  {name}: {{ {lock}: {{ policy: {policy} }} }}\n")
        };
        format!(
            "mode: enforce
authserv_id: mx.local.test
listen:
  - {{ inet: 127.0.0.1:{}, role: inbound }}
  - {{ inet: 127.0.0.1:{}, role: local }}
  - {{ inet: 127.0.0.1:{}, role: submission }}
dns: {{ servers: [\"{}\"] }}
ledger: {{ path: \"{{dir}}/ledger.redb\" }}
defaults:
  spf: {{ mail_from: {{ fail: accept }} }}
  {defaults}
domains:
{}",
            self.exchange,
            self.local,
            self.programs,
            self.dns.address(),
            DOMAINS.map(domain).concat(),
        )
    }

    /// A Postfix that asks the daemon about what comes in.
    fn postfix(&self) -> postfix::Builder {
        Postfix::builder(self.sink.port()).milter(&at(self.exchange))
    }

    /// This Postfix with mailboxes at all domains. Programs speak to it by sendmail(1), or else by SMTP to `port`.
    fn host(&self, postfix: postfix::Builder, port: Option<u16>) -> Host {
        let config_dir = postfix.config_dir();
        let outlet = port.map_or(Outlet::Sendmail(&config_dir), Outlet::Smtp);
        let dovecot = Dovecot::with_sieve(&SCRIPTS, outlet);
        let postfix = postfix.mailboxes(&DOMAINS.map(|(name, ..)| name), &dovecot.lmtp()).start();
        Host { postfix, dovecot }
    }

    fn play(&self, story: &str, mta: &dyn Mta, config: &str) {
        story::play(story, mta, Daemon::start(config), &self.sink);
    }

    fn play_file(&self, name: &str, mta: &dyn Mta, config: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories/quiet");
        let story = fs::read_to_string(folder.join(name).with_extension("story")).unwrap();
        eprintln!("--- story {name}");
        self.play(&story, mta, config);
    }
}

/// Every sender writes to this local part at every domain; `then` says what follows if the message is answered, or not.
fn table(local_part: &str, then: impl Fn(&str, &str, bool) -> String) -> String {
    let mut story =
        "client ADDR=192.0.2.10 NAME=mail.pass.example\n> EHLO mail.pass.example\n< 250 *\n".to_owned();
    for (domain, _, answered) in DOMAINS {
        for (result, sender) in SENDERS {
            let recipient = format!("{local_part}@{domain}");
            // Postfix tells milters about lower case only.
            let logged = recipient.to_lowercase();
            story += &format!(
                "mail {sender} -> {recipient}
message
    From: {sender}
    To: {recipient}
    Subject: hello
    Message-ID: <{domain}.{sender}>

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:{result}* rcpt_to={logged}
{}",
                then(sender, &recipient, answered.contains(&result))
            );
        }
    }
    story
}

fn is_possible() -> bool {
    Postfix::is_available() && Dovecot::is_available_with_sieve()
}

/// Dovecot does as it is asked: no milter sees what it sends.
#[test]
fn replies_are_kept_in_by_the_header_alone() {
    if !is_possible() {
        return;
    }
    let stage = Stage::set();
    let host = stage.host(stage.postfix(), None);
    let story = table("away", |sender, recipient, answered| {
        if answered {
            format!("delivered  -> {sender}\nfiled {recipient}\n    *\n\n    *\n")
        } else {
            format!(
                "filed {recipient}\n    *\n    X-Auto-Response-Suppress: OOF, AutoReply\n    *\n\n    *\n"
            )
        }
    });
    stage.play(&story, &host, &stage.config("auto_responders", "auto_responders: { header: not_pass }"));
}

/// The table by the ledger alone, where the header asks for nothing.
fn replies_by_the_ledger(by_smtp: bool) {
    if !is_possible() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.postfix();
    let host = if by_smtp {
        let port = host::free_port();
        stage.host(postfix.own_programs(port, &at(stage.programs)), Some(port))
    } else {
        stage.host(postfix.local_milter(&at(stage.local)), None)
    };
    let story = table("away", |sender, recipient, answered| {
        let log = "log event=message check=auto_responders";
        let reply = format!("mail_from=<> rcpt_to={sender} header_from=<{recipient}>");
        let then = if answered {
            format!("{log} verdict=pass reason=auto-reply-wanted {reply}\ndelivered  -> {sender}\n")
        } else {
            format!("{log} verdict=discard reason=auto-reply-unwanted {reply}\n")
        };
        format!("{then}filed {recipient}\n    *\n\n    *\n")
    });
    stage.play(&story, &host, &stage.config("auto_responders", "auto_responders: { header: off }"));
}

#[test]
fn replies_by_sendmail_are_judged_by_the_ledger() {
    replies_by_the_ledger(false);
}

#[test]
fn replies_by_smtp_are_judged_by_the_ledger() {
    replies_by_the_ledger(true);
}

/// Every sender writes to a recipient whom the next hop refuses. `how` is what `bounces` has besides its policy, and
/// `judged` whether Postfix makes bounces for the daemon to judge.
fn bounces(name: &str, how: &str, judged: bool) {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let mut postfix = DOMAINS.iter().fold(stage.postfix(), |postfix, (name, ..)| postfix.relay_domain(name));
    if judged {
        postfix = postfix.local_milter(&at(stage.local));
    }
    let story = table(name, |sender, _, answered| {
        let log = "log event=message check=bounces";
        let bounce = format!("mail_from=<> rcpt_to={sender}");
        match (judged, answered) {
            (true, true) => {
                format!("{log} verdict=pass reason=bounce-wanted {bounce}\ndelivered  -> {sender}\n")
            }
            (true, false) => format!("{log} verdict=discard reason=bounce-unwanted {bounce}\n"),
            (false, true) => format!("delivered  -> {sender}\n"),
            (false, false) => String::new(),
        }
    });
    stage.play(&story, &postfix.start(), &stage.config("bounces", &format!("bounces: {{ {how} }}")));
}

#[test]
fn bounces_are_prevented_at_their_source() {
    bounces("Nobody", "at_source: notify_never", false);
}

#[test]
fn bounces_are_judged_by_the_ledger() {
    bounces("nobody", "at_source: off", true);
}
