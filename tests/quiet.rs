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
#[path = "support/story.rs"]
mod story;
#[path = "support/tls.rs"]
mod tls;

use std::fmt::Write as _;

use daemon::Daemon;
use dns::{Dns, Fault, Zone};
use dovecot::{Dovecot, Outlet};
use hickory_proto::op::ResponseCode;
use mta::{Mta, Service};
use nix::sys::signal::Signal;
use postfix::Postfix;
use sendmail::Sendmail;
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

fn domains() -> Vec<&'static str> {
    DOMAINS.iter().map(|(name, ..)| *name).chain(["careful.test"]).collect()
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

    /// The configuration: every domain with its policy for both locks, and what else the test sets in `defaults`.
    fn config(&self, defaults: &str) -> String {
        let domain = |(name, policy, _): (&str, &str, &[&str])| {
            format!(
                "  {name}: {{ auto_responders: {{ policy: {policy} }}, bounces: {{ policy: {policy} }} }}\n"
            )
        };
        format!(
            "mode: enforce
authserv_id: mx.local.test
listen:
  - {{ inet: 127.0.0.1:{}, role: inbound }}
  - {{ inet: 127.0.0.1:{}, role: local }}
  - {{ inet: 127.0.0.1:{}, role: submission }}
trusted_forwarders: [192.0.2.50]
dns: {{ servers: [\"{}\"] }}
ledger: {{ path: \"{{dir}}/ledger.redb\" }}
defaults:
  spf: {{ mail_from: {{ fail: accept }} }}
  {defaults}
domains:
  careful.test: {{ auto_responders: {{ unknown: discard }}, bounces: {{ policy: require_spf_pass, unknown: discard }} }}
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

    fn play(&self, story: &str, mta: &dyn Mta, config: &str) {
        story::play(story, mta, Daemon::start(config), &self.sink);
    }

    /// Plays every story in this folder, each with a daemon of its own.
    fn play_all(&self, folder: &str, mta: &dyn Mta, config: &str) {
        for (name, story) in story::all_in(&format!("quiet/{folder}")) {
            eprintln!("--- story {name}");
            self.play(&story, mta, config);
        }
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
            let _ = writeln!(
                story,
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

/// What follows when a program answers and the daemon judges that.
fn judged(check: &str, reason: &str, sender: &str, answered: bool) -> String {
    let (verdict, outcome) = if answered { ("pass", "wanted") } else { ("discard", "unwanted") };
    let log = format!(
        "log event=message check={check} verdict={verdict} reason={reason}-{outcome} mail_from=<> rcpt_to={sender}\n"
    );
    if answered { format!("{log}delivered  -> {sender}\n") } else { log }
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
    let postfix = relay_of(&stage).local_milter(&at(stage.local)).start();
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
    daemon.wait_for("the new configuration is in force");
    let judged = |sender, answered| judged("auto_responders", "auto-reply", sender, answered);
    let replies = of(reply, passed) + &judged(passed, true) + &of(reply, failed) + &judged(failed, false);
    story::play(&replies, &postfix, daemon, &stage.sink);
}

/// At its start the daemon says what it cannot see without.
#[test]
fn what_postfix_must_show_is_said_at_the_start() {
    let stage = Stage::set();
    let daemon = Daemon::start(&stage.config(""));
    daemon.wait_for(&format!("non_smtpd_milters = {{ {}, default_action=accept }}", at(stage.local)));
    daemon.wait_for("internal_mail_filter_classes = bounce");
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

/// A mail system that relays all domains to the next hop.
fn relay_of(stage: &Stage) -> postfix::Builder {
    domains().into_iter().fold(stage.postfix(), postfix::Builder::relay_domain)
}

/// Every sender writes to a recipient whom the next hop refuses.
#[test]
fn bounces_are_prevented_at_their_source() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = relay_of(&stage).start();
    let story = table(
        "Nobody",
        |sender, _, answered| {
            if answered { format!("delivered  -> {sender}\n") } else { String::new() }
        },
    );
    let config = stage.config("bounces: { at_source: notify_never }");
    stage.play(&story, &postfix, &config);
    stage.play_all("at_source", &postfix, &config);
}

/// The client's own name for a recipient (RFC 3461, 4.2) goes on with the message.
#[test]
fn original_recipients_are_passed_on() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = relay_of(&stage).start();
    let daemon = Daemon::start(&stage.config("bounces: { at_source: notify_never }"));
    let mut client = postfix.connect(Service::Exchange, "ADDR=192.0.2.10 NAME=mail.pass.example");
    client.ehlo("mail.pass.example");
    client.mail("alice@fail.example");
    let original = "ORCPT=rfc822;Old+2BInfo@pass.example";
    let reply = client.command(&format!("RCPT TO:<Info@strict.test> NOTIFY=SUCCESS,FAILURE {original}"));
    assert_eq!(reply.code(), 250, "{reply}");
    let reply = client.data("From: alice@fail.example\n\nHello.\n");
    assert_eq!(reply.code(), 250, "{reply}");
    let delivered = stage.sink.next();
    assert_eq!(delivered.rcpt_to, ["Info@strict.test"]);
    for parameter in [original, "NOTIFY=NEVER"] {
        assert!(delivered.parameters.iter().any(|one| one == parameter), "{delivered:?}");
    }
    postfix.wait_until_idle();
    assert_eq!(stage.sink.surplus(), None);
    drop(daemon);
}

/// While the daemon is away, bounces leave unjudged, and none waits for it.
#[test]
fn nothing_waits_for_a_daemon_that_is_away() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = relay_of(&stage).local_milter("unix:/nonexistent/local.sock").start();
    let story = "client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
mail alice@fail.example -> nobody@strict.test
message
    From: alice@fail.example

    Hello.
< 250 2.0.0 *
log event=message verdict=pass
delivered  -> alice@fail.example
sendmail -f shop@strict.test customer@none.example
    From: shop@strict.test

    Hello.
delivered shop@strict.test -> customer@none.example
";
    stage.play(story, &postfix, &stage.config(""));
}

/// The same where bounces are made, and judged then, on a listener with this role.
fn bounces_by_the_ledger(main_cf: &str, role: &str) {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = relay_of(&stage).local_milter(&at(stage.local)).main_cf(main_cf).start();
    let story = table("nobody", |sender, _, answered| judged("bounces", "bounce", sender, answered));
    stage.play(&story, &postfix, &stage.config("").replace("role: local", &format!("role: {role}")));
}

#[test]
fn bounces_are_judged_by_the_ledger() {
    bounces_by_the_ledger("", "local");
}

/// Postfix names what it returns in the header, too.
#[test]
fn bounces_are_judged_by_their_header_alone() {
    bounces_by_the_ledger("", "auto");
}

#[test]
fn bounces_of_headers_only_are_judged_by_the_ledger() {
    bounces_by_the_ledger("bounce_size_limit = 10", "local");
}

#[test]
fn bounces_of_long_queue_ids_are_judged_by_the_ledger() {
    bounces_by_the_ledger("enable_long_queue_ids = yes", "local");
}

/// Behind a content filter a message has another queue id, and only its own identifier ties the bounce to what came in.
#[test]
fn bounces_from_behind_a_content_filter_are_judged_by_the_ledger() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let port = host::free_port();
    let postfix = relay_of(&stage)
        .local_milter(&at(stage.local))
        .main_cf(&format!("content_filter = smtp:[127.0.0.1]:{port}"))
        .behind_a_filter(port)
        .start();
    let story = table("nobody", |sender, _, answered| judged("bounces", "bounce", sender, answered));
    stage.play(&story, &postfix, &stage.config(""));
}

#[test]
fn bounces_in_stories() {
    if !Postfix::is_available() || !Dovecot::is_available() {
        return;
    }
    let stage = Stage::set();
    let dovecot = Dovecot::start(&["ann@disabled.test"]);
    let postfix = relay_of(&stage)
        .sasl(&dovecot.socket())
        .submission_milter(&at(stage.programs))
        .local_milter(&at(stage.local))
        .virtual_alias("sales@strict.test", "nobody@outside.test")
        .virtual_alias("team@allow.test", "team@outside.test")
        // What cannot be delivered at once is tried again at once, and its sender is told.
        .main_cf("delay_warning_time = 1s\nqueue_run_delay = 1s\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s")
        .start();
    stage.play_all("bounces", &postfix, &stage.config(""));
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
