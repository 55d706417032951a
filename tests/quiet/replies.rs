//! Automatic replies, and what mailboxes refuse.

use nix::sys::signal::Signal;

use crate::daemon::Daemon;
use crate::dovecot::{Dovecot, Outlet};
use crate::mta::{self, Mta, Service};
use crate::postfix::{self, Postfix};
use crate::sendmail::Sendmail;
use crate::smtp::Client;
use crate::stage::{DOMAINS, Stage, at, domains, judged, table};
use crate::tls::Authority;
use crate::{host, network, story};

/// What happens to mail for these local parts.
const SCRIPTS: [(&str, &str); 3] = [
    ("away", "require [\"vacation-seconds\"];\nvacation :seconds 0 \"I am away.\";\n"),
    ("moved", "redirect \"moved@outside.test\";\n"),
    ("full", "require [\"reject\"];\nreject \"I do not want it.\";\n"),
];

/// A mail system with mailboxes.
struct Host {
    postfix: Postfix,
    dovecot: Dovecot,
}

impl Host {
    /// This Postfix with mailboxes at all domains. Programs speak to it by sendmail(1), or else by SMTP to `port`.
    fn start(postfix: postfix::Builder, port: Option<u16>) -> Self {
        let config_dir = postfix.config_dir();
        let outlet = port.map_or(Outlet::Sendmail(&config_dir), Outlet::Smtp);
        let dovecot = Dovecot::with_sieve(&SCRIPTS, outlet);
        let postfix = postfix.mailboxes(&domains(), &dovecot.lmtp()).start();
        Self { postfix, dovecot }
    }
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
    let host = Host::start(stage.postfix(), None);
    let story = table("away", |sender, recipient, answered| {
        if answered {
            format!("delivered  -> {sender}\nfiled {recipient}\n    *\n\n    *\n")
        } else {
            format!(
                "filed {recipient}\n    *\n    X-Auto-Response-Suppress: OOF, AutoReply\n    *\n\n    *\n"
            )
        }
    });
    stage.play(&story, &host, &stage.config("auto_responders: { header: not_pass }"));
}

/// A mail system with mailboxes whose programs speak by sendmail(1), or else by SMTP, where the daemon hears them.
fn heard_host(stage: &Stage, by_smtp: bool) -> Host {
    let postfix = stage.postfix();
    if by_smtp {
        let port = host::free_port();
        Host::start(postfix.own_programs(port, &at(stage.programs)), Some(port))
    } else {
        Host::start(postfix.local_milter(&at(stage.local)), None)
    }
}

/// Vacation notices by the ledger alone, where the header asks for nothing, and what a mailbox refuses.
fn replies_by_the_ledger(by_smtp: bool) {
    if !is_possible() {
        return;
    }
    let stage = Stage::set();
    let host = heard_host(&stage, by_smtp);
    let story = table("away", |sender, recipient, answered| {
        let reply = judged("auto_responders", "auto-reply", sender, answered);
        format!("{reply}filed {recipient}\n    *\n\n    *\n")
    });
    let config = stage.config("auto_responders: { header: off }");
    stage.play(&story, &host, &config);
    let story = table("full", |sender, _, answered| judged("bounces", "bounce", sender, answered));
    stage.play(&story, &host, &config);
}

#[test]
fn replies_by_sendmail_are_judged_by_the_ledger() {
    replies_by_the_ledger(false);
}

#[test]
fn replies_by_smtp_are_judged_by_the_ledger() {
    replies_by_the_ledger(true);
}

/// What was recorded outlives a restart and a reload: the answer comes after both.
#[test]
fn replies_after_a_restart_and_a_reload_are_judged_by_the_ledger() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.relay().local_milter(&at(stage.local)).start();
    let kept = tempfile::tempdir().unwrap();
    let config = stage.config("").replace("{dir}/ledger", &format!("{}/ledger", kept.path().display()));
    let message = "client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
mail SENDER -> info@strict.test
message
    From: SENDER
    To: info@strict.test
    Message-ID: <SENDER>

    Hello.
< 250 2.0.0 *
log event=message verdict=pass rcpt_to=info@strict.test
delivered SENDER -> info@strict.test
";
    let reply = "sendmail -f <> SENDER
    From: info@strict.test
    To: SENDER
    Auto-Submitted: auto-replied
    In-Reply-To: <SENDER>

    I am away.
";
    let of = |template: &str, sender: &str| template.replace("SENDER", sender);
    let [passed, failed] = ["alice@pass.example", "alice@fail.example"];
    stage.play(&(of(message, passed) + &of(message, failed)), &postfix, &config);

    let daemon = Daemon::start(&config);
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for(&["the new configuration is in force"]);
    let judged = |sender, answered| judged("auto_responders", "auto-reply", sender, answered);
    let replies = of(reply, passed) + &judged(passed, true) + &of(reply, failed) + &judged(failed, false);
    story::play(&replies, &postfix, daemon, &stage.sink);
}

/// Sendmail's own vacation(1): it says nothing of the message that it answers, and sends by the mail submission program.
#[test]
fn replies_by_sendmails_vacation_are_judged_by_the_ledger() {
    if !Sendmail::is_available_with_programs() {
        return;
    }
    network::isolated(mta::HOST_NAME, || {
        let stage = Stage::set();
        let mut sendmail = Sendmail::builder(stage.sink.port(), stage.exchange, stage.programs);
        for (domain, ..) in DOMAINS {
            sendmail = sendmail.local_domain(domain);
        }
        let sendmail = sendmail.away("away", "away@strict.test").start();
        stage.play_all("sendmail", &sendmail, &stage.config("auto_responders: { header: off }"));
    });
}

#[test]
fn replies_in_stories() {
    if !is_possible() {
        return;
    }
    let stage = Stage::set();
    let host = heard_host(&stage, false);
    let defaults = "auto_responders: { header: off }\n  bounces: { policy: disabled }";
    stage.play_all("replies", &host, &stage.config(defaults));
}
