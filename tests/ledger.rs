//! The ledger in the daemon: a message comes in, its answer goes out or not. Frames as Postfix sends them.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/dns.rs"]
mod dns;
#[path = "support/frames.rs"]
mod frames;

use std::fs;
use std::path::Path;

use daemon::{Daemon, LogLine};
use dns::{Fault, Server, Zone};
use frames::Mta;
use hickory_proto::op::ResponseCode;
use lockdown_milter::milter::Address;
use nix::sys::signal::Signal;
use tempfile::TempDir;

const CONFIG: &str = "
mode: enforce
authserv_id: mx.local.test
listen:
  - { unix: '{dir}/smtp.sock', role: inbound }
  - { unix: '{dir}/local.sock', role: local }
trusted_forwarders: [203.0.113.0/24]
trusted_authserv_ids: [gw.example]
ledger: { path: '{store}/ledger.redb', commit_interval: 20ms }
dns: { servers: ['{dns}'] }
defaults:
  spf: { headers: [], helo: { fail: accept }, mail_from: { fail: accept } }
  auto_responders: { policy: require_spf_pass, header: off, unknown: allow }
  bounces: { policy: require_spf_pass, unknown: allow }
domains:
  local.test:
  strict.test: { auto_responders: { unknown: discard }, bounces: { unknown: discard } }
  posts.test: { require_auth: { header_from: reject, lists: reject }, auto_responders: { policy: allow }, bounces: { policy: allow } }
  partner.test: { exceptions: [{ network: 198.51.100.0/24, lock: spf }] }
  off.test: { auto_responders: { policy: allow }, bounces: { policy: allow } }
";

/// A daemon with its name server and a folder for its store, which outlives it.
struct Stage {
    dns: Server,
    store: TempDir,
    daemon: Daemon,
}

impl Stage {
    async fn start() -> Self {
        let zone = ["pass.example", "other.example"]
            .into_iter()
            .fold(Zone::new(), |zone, name| zone.txt(name, "v=spf1 ip4:192.0.2.10 -all"))
            .txt("fail.example", "v=spf1 ip4:192.0.2.99 -all")
            .txt("softfail.example", "v=spf1 ip4:192.0.2.99 ~all")
            .fault("broken.example", Fault::Code(ResponseCode::ServFail));
        let (dns, store) = (Server::start(zone).await, TempDir::new().unwrap());
        let daemon = Daemon::start(&config(&dns, store.path()));
        Self { dns, store, daemon }
    }

    /// The same store under a new daemon.
    fn restart(self) -> Self {
        let Self { dns, store, daemon } = self;
        assert_eq!(daemon.stop(), []);
        let daemon = Daemon::start(&config(&dns, store.path()));
        Self { dns, store, daemon }
    }

    /// Lets the daemon read its configuration again, and waits until that is done.
    fn reload(&self, config: &str) {
        fs::write(self.daemon.config_file(), config.replace("{dir}", self.daemon.path("").to_str().unwrap()))
            .unwrap();
        self.daemon.signal(Signal::SIGHUP);
        self.daemon.wait_for(&["the new configuration is in force"]);
    }

    /// A message from this client, with its answer and its line in the log.
    async fn send(&self, client: &str, from: &str, to: &str, id: &str, fields: &[(&str, &str)]) -> LogLine {
        let mta = self.mta("smtp.sock", client).await;
        self.finish(mta, (&format!("<{from}>"), from), to, id, fields).await
    }

    /// An answer of this host.
    async fn answer(&self, to: &str, fields: &[(&str, &str)]) -> LogLine {
        let mta = self.mta("local.sock", "127.0.0.1").await;
        self.finish(mta, ("", ""), to, "ANSWER", fields).await
    }

    async fn mta(&self, socket: &str, client: &str) -> Mta {
        let socket = Address::Unix { path: self.daemon.path(socket), permissions: 0o600, group: None };
        let mut mta = Mta::connect(&socket).await.unwrap();
        mta.ask(&[frames::full_offer()]).await;
        let macros = frames::macros('C', &[("v", "Postfix 3.7.11")]);
        let connect = frames::connect("mail.example", '4', 4711, client);
        mta.send(&[macros, connect, frames::helo("mail.example")].concat()).await.unwrap();
        mta
    }

    async fn finish(
        &self,
        mut mta: Mta,
        (argument, from): (&str, &str),
        to: &str,
        id: &str,
        fields: &[(&str, &str)],
    ) -> LogLine {
        mta.send(&[frames::macros('M', &[("{mail_addr}", from)]), frames::mail(&[argument])].concat())
            .await
            .unwrap();
        for to in to.split(' ') {
            let rcpt = [frames::macros('R', &[("{rcpt_addr}", to)]), frames::rcpt(&format!("<{to}>"))];
            assert_eq!(mta.ask(&rcpt).await, "continue");
        }
        for (name, value) in fields {
            mta.send(&frames::header(name, value)).await.unwrap();
        }
        let said = mta.ask(&[frames::macros('E', &[("i", id)]), frames::end_of_message()]).await;
        let line = self.daemon.next_decision();
        let verdict = line.field("verdict").unwrap();
        let expected = match verdict {
            "pass" => "continue",
            "reject" => line.field("reply").unwrap(),
            verdict => verdict,
        };
        assert_eq!(said, expected, "{line:?}");
        line
    }
}

fn config(dns: &Server, store: &Path) -> String {
    CONFIG.replace("{store}", store.to_str().unwrap()).replace("{dns}", &dns.address().to_string())
}

fn vacation<'a>(from: &'a str, id: &'a str) -> [(&'a str, &'a str); 3] {
    [("From", from), ("Auto-Submitted", "auto-replied (vacation)"), ("In-Reply-To", id)]
}

/// A bounce of Postfix, made at the beginning of that second.
fn bounce(id: &str) -> [(&'static str, String); 3] {
    let made = lockdown_milter::daemon::now().as_second();
    [
        ("From", "MAILER-DAEMON@mx.local.test (Mail Delivery System)".to_owned()),
        ("Auto-Submitted", "auto-replied".to_owned()),
        (
            "Content-Type",
            format!("multipart/report; report-type=delivery-status; boundary=\"{id}.{made}/mx.local.test\""),
        ),
    ]
}

/// The verdict on the answer, whose line names the cause.
#[track_caller]
fn check(answer: &LogLine, verdict: &str, reason: &str, cause: Option<&LogLine>) {
    assert_eq!(
        (answer.field("verdict"), answer.field("reason")),
        (Some(verdict), Some(reason)),
        "{answer:?}"
    );
    let detail = answer.field("detail").unwrap();
    match cause {
        Some(cause) => {
            let reference = cause.field("ref").expect("a recorded message has a reference");
            assert!(detail.contains(&format!("ref {reference} ")), "{detail} does not name {reference}");
        }
        None => assert!(detail.contains("not known"), "{detail}"),
    }
    assert_eq!(answer.field("ref").is_some(), verdict == "pass", "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_judged_by_what_they_answer() {
    let mut stage = Stage::start().await;
    let to = "info@local.test";
    let mut causes = Vec::new();
    // At once, when hardly anything is on the disk; then by a daemon that was not there; then after a reload.
    for round in ["at once", "after a restart", "after a reload"] {
        for (client, from, verdict) in [
            ("192.0.2.10", "a@pass.example", "pass"),
            ("192.0.2.10", "a@fail.example", "discard"),
            ("192.0.2.10", "a@softfail.example", "discard"),
            ("192.0.2.10", "a@none.example", "discard"),
            ("192.0.2.10", "a@broken.example", "discard"),
            // Not examined: `unknown` decides, and lets it leave.
            ("203.0.113.7", "a@forwarded.example", "pass"),
        ] {
            let id = format!("<1@{from}>");
            let queue_id = from.replace(['@', '.'], "");
            if round == "at once" {
                causes.push(stage.send(client, from, to, &queue_id, &[("Message-ID", &id)]).await);
            }
            let cause = causes.iter().find(|line| line.field("mail_from") == Some(from));
            let word = if verdict == "pass" { "wanted" } else { "unwanted" };
            let answer = stage.answer(from, &vacation(to, &id)).await;
            check(&answer, verdict, &format!("auto-reply-{word}"), cause);
            // A reply that names no message, to the same correspondent.
            let answer = stage.answer(from, &vacation(to, "nonsense")).await;
            check(&answer, verdict, &format!("auto-reply-{word}"), cause);
            let fields = bounce(&queue_id);
            let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let answer = stage.answer(from, &fields).await;
            check(&answer, verdict, &format!("bounce-{word}"), cause);
        }
        if round == "at once" {
            stage = stage.restart();
        } else {
            let text = config(&stage.dns, stage.store.path());
            stage.reload(&text);
        }
    }
    assert_eq!(stage.daemon.stop(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_known_follows_the_setting() {
    let stage = Stage::start().await;
    let answer = stage.answer("a@pass.example", &vacation("info@local.test", "<x@y>")).await;
    check(&answer, "pass", "auto-reply-unknown", None);
    let answer = stage.answer("a@pass.example", &vacation("info@strict.test", "<x@y>")).await;
    check(&answer, "discard", "auto-reply-unwanted", None);
    // Mail of a trusted forwarder is not examined.
    let cause = stage
        .send("203.0.113.7", "a@pass.example", "info@strict.test", "Q1", &[("Message-ID", "<1@x>")])
        .await;
    let answer = stage.answer("a@pass.example", &vacation("info@strict.test", "<1@x>")).await;
    check(&answer, "discard", "auto-reply-unwanted", Some(&cause));
    assert_eq!(stage.daemon.stop(), []);
}

/// A gateway writes a field for each method; the one with SPF need not be the topmost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_is_believed_in_all_its_fields_and_a_stranger_in_none() {
    const DMARC: (&str, &str) = ("Authentication-Results", "gw.example; dmarc=none header.from=a.example");
    const DKIM: (&str, &str) = ("Authentication-Results", "gw.example; dkim=none");
    const PASS: (&str, &str) = ("Authentication-Results", "gw.example; spf=pass smtp.mailfrom=a.example");
    const FAIL: (&str, &str) = ("Authentication-Results", "gw.example; spf=fail smtp.mailfrom=a.example");
    const GATEWAY: (&str, &str) =
        ("Received", "from h (h [198.51.100.66]) by gw.example (Postfix) with ESMTP id 1");
    const STRANGER: (&str, &str) = ("Received", "from x (x [203.0.113.8]) by h");
    let stage = Stage::start().await;
    let strict = "info@strict.test";
    for (at, (to, fields, verdict)) in [
        (strict, [DMARC, DKIM, PASS, GATEWAY], "pass"),
        (strict, [GATEWAY, DMARC, DKIM, PASS], "pass"),
        ("info@local.test", [DMARC, DKIM, FAIL, GATEWAY], "discard"),
        ("info@local.test", [DMARC, FAIL, PASS, GATEWAY], "discard"),
        (strict, [DKIM, GATEWAY, STRANGER, PASS], "discard"),
    ]
    .into_iter()
    .enumerate()
    {
        let (from, id) = (format!("a{at}@a.example"), format!("<{at}@a.example>"));
        let fields = [&[("Message-ID", id.as_str())], fields.as_slice()].concat();
        let cause = stage.send("203.0.113.7", &from, to, &format!("Q{at}"), &fields).await;
        let word = if verdict == "pass" { "wanted" } else { "unwanted" };
        let answer = stage.answer(&from, &vacation(to, &id)).await;
        check(&answer, verdict, &format!("auto-reply-{word}"), Some(&cause));
    }
    assert_eq!(stage.daemon.stop(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_id_that_is_given_out_again_means_the_newer_message() {
    let stage = Stage::start().await;
    let to = "info@strict.test";
    let first = stage.send("192.0.2.10", "a@pass.example", to, "SHORT", &[]).await;
    let fields = bounce("SHORT");
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
    check(&stage.answer("a@pass.example", &fields).await, "pass", "bounce-wanted", Some(&first));
    // The id is now that of another message, and says nothing about the first any more.
    let second = stage.send("192.0.2.10", "b@fail.example", to, "SHORT", &[]).await;
    check(&stage.answer("b@fail.example", &fields).await, "discard", "bounce-unwanted", Some(&second));
    let answer = stage.answer("a@pass.example", &fields).await;
    // But that it came from there is known of some message.
    check(&answer, "pass", "bounce-wanted", Some(&first));
    // An outsider's imitation of a bounce is mail like any other, and recorded as such.
    let imitation = stage.send("192.0.2.10", "", to, "FOREIGN", &fields).await;
    assert_eq!(imitation.field("verdict"), Some("pass"), "{imitation:?}");
    let answer = stage.answer("a@pass.example", &vacation(to, "<none@x>")).await;
    check(&answer, "pass", "auto-reply-wanted", Some(&first));
    assert_eq!(stage.daemon.stop(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_copy_takes_no_answer_from_anybody() {
    let mut stage = Stage::start().await;
    let (from, to) = ("a@pass.example", "info@local.test");
    let id = [("Message-ID", "<1@pass.example>")];
    let good = stage.send("192.0.2.10", from, to, "GOOD", &id).await;
    // From a host that the domain does not name.
    let forged = stage.send("192.0.2.66", from, to, "FORGED", &id).await;
    assert_eq!(forged.field("verdict"), Some("pass"), "{forged:?}");
    // A stranger's own good message, with the same identifier, earns another nothing.
    stage.send("192.0.2.10", "evil@other.example", to, "OTHER", &[("Message-ID", "<2@x>")]).await;
    let other = stage.send("192.0.2.66", "b@pass.example", to, "VICTIM", &[("Message-ID", "<2@x>")]).await;
    for _ in ["at once", "after a restart"] {
        for answer in
            [vacation(to, id[0].1), vacation(to, "nonsense"), vacation("alias@local.test", "nonsense")]
        {
            check(&stage.answer(from, &answer).await, "pass", "auto-reply-wanted", Some(&good));
        }
        let answer = stage.answer("b@pass.example", &vacation(to, "<2@x>")).await;
        check(&answer, "discard", "auto-reply-unwanted", Some(&other));
        // Which of the copies bounced is known.
        for (queue_id, verdict, cause) in [("GOOD", "pass", &good), ("FORGED", "discard", &forged)] {
            let fields = bounce(queue_id);
            let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let word = if verdict == "pass" { "bounce-wanted" } else { "bounce-unwanted" };
            check(&stage.answer(from, &fields).await, verdict, word, Some(cause));
        }
        stage = stage.restart();
    }
    assert_eq!(stage.daemon.stop(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whomever_an_answer_goes_to_it_is_tied_to_what_named_them() {
    let mut stage = Stage::start().await;
    let to = "sales@local.test";
    let mut cases = Vec::new();
    for (from, header, answered, verdict) in [
        // An alias, and nothing that names the message.
        ("a@softfail.example", None, "a@softfail.example", "discard"),
        ("a@pass.example", None, "a@pass.example", "pass"),
        // Responders that answer From or Reply-To.
        ("x@pass.example", Some(("From", "victim@fail.example")), "victim@fail.example", "discard"),
        ("y@pass.example", Some(("Reply-To", "V <victim2@fail.example>")), "victim2@fail.example", "discard"),
        (
            "z@softfail.example",
            Some(("From", "z@news.softfail.example")),
            "z@news.softfail.example",
            "discard",
        ),
        ("b@pass.example", Some(("From", "shop@news.pass.example")), "shop@news.pass.example", "pass"),
        ("", Some(("From", "null@fail.example")), "null@fail.example", "discard"),
        // Address literals.
        ("l@[192.0.2.77]", None, "l@[192.0.2.77]", "discard"),
    ] {
        let cause = stage.send("192.0.2.10", from, to, "Q", header.as_slice()).await;
        cases.push((answered, verdict, cause));
    }
    for _ in ["at once", "after a restart"] {
        for (answered, verdict, cause) in &cases {
            let word = if *verdict == "pass" { "auto-reply-wanted" } else { "auto-reply-unwanted" };
            let answer = stage.answer(answered, &vacation("bob@local.test", "nonsense")).await;
            check(&answer, verdict, word, Some(cause));
        }
        stage = stage.restart();
    }
    let bounce = [
        ("From", "MAILER-DAEMON@inner.local.test"),
        ("Content-Type", "multipart/report; report-type=delivery-status; boundary=x"),
    ];
    for (answered, verdict, cause) in cases.iter().filter(|(answered, ..)| answered.starts_with(['a', 'l'])) {
        let word = if *verdict == "pass" { "bounce-wanted" } else { "bounce-unwanted" };
        check(&stage.answer(answered, &bounce).await, verdict, word, Some(cause));
    }
    assert_eq!(stage.daemon.stop(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_brings_back_what_a_user_sent_there() {
    let mut stage = Stage::start().await;
    let text = config(&stage.dns, stage.store.path());
    stage.reload(&text.replace("lists: reject", "lists: accept"));
    let (alice, id) = ("alice@posts.test", "<1@posts.test>");
    let fields = [("From", alice), ("Message-ID", id)];
    let mta = stage.mta("local.sock", "127.0.0.1").await;
    let to = "list@lists.other.example";
    let posted = stage.finish(mta, (alice, alice), to, "POSTED", &fields).await;
    let ceo = [("From", "ceo@posts.test"), ("Message-ID", id)];
    let own = [("From", alice), ("Message-ID", "<2@posts.test>"), ("List-Id", "<x>")];
    for round in ["at once", "after a restart"] {
        for (from, fields, expected) in [
            ("bounces@other.example", fields.as_slice(), "auth-list"),
            ("bounces@pass.example", &fields, "auth-required-header-from"),
            ("bounces@other.example", &ceo, "auth-required-header-from"),
            ("bounces@other.example", &own, "auth-required-header-from"),
        ] {
            let line = stage.send("192.0.2.10", from, "info@off.test", "BACK", fields).await;
            assert_eq!(line.field("reason"), Some(expected), "{round}: {line:?}");
            let names_it = line.field("detail").unwrap().contains(posted.field("ref").unwrap());
            assert_eq!(names_it, expected == "auth-list", "{line:?}");
        }
        if round == "at once" {
            stage = stage.restart();
            stage.reload(&text.replace("lists: reject", "lists: accept"));
        }
    }
    assert_eq!(stage.daemon.stop(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_exception_vouches_for_is_answered() {
    let stage = Stage::start().await;
    let id = [("Message-ID", "<1@x>")];
    for (client, to, verdict) in [
        ("198.51.100.7", "info@partner.test", "pass"),
        // One of the recipients' domains vouches, the other does not.
        ("198.51.100.7", "info@partner.test info@local.test", "discard"),
        ("192.0.2.10", "info@partner.test", "discard"),
    ] {
        let from = format!("{}@fail.example", to.len() + client.len());
        let cause = stage.send(client, &from, to, "Q1", &id).await;
        let answer = stage.answer(&from, &vacation("info@partner.test", "<1@x>")).await;
        let word = if verdict == "pass" { "wanted" } else { "unwanted" };
        check(&answer, verdict, &format!("auto-reply-{word}"), Some(&cause));
    }
    assert_eq!(stage.daemon.stop(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_can_turn_it_on_and_off() {
    let stage = Stage::start().await;
    let text = config(&stage.dns, stage.store.path());
    let to = "info@local.test";
    let id = [("Message-ID", "<1@x>")];
    let cause = stage.send("192.0.2.10", "a@fail.example", to, "Q1", &id).await;
    stage.reload(&text.replace("policy: require_spf_pass", "policy: allow"));
    let answer = stage.answer("a@fail.example", &vacation(to, "<1@x>")).await;
    assert_eq!(answer.field("verdict"), Some("pass"));
    let unrecorded = stage.send("192.0.2.10", "b@fail.example", to, "Q2", &[("Message-ID", "<2@x>")]).await;
    assert_eq!(unrecorded.field("ref"), None, "{unrecorded:?}");
    stage.reload(&text);
    let answer = stage.answer("a@fail.example", &vacation(to, "<1@x>")).await;
    check(&answer, "discard", "auto-reply-unwanted", Some(&cause));
    let answer = stage.answer("b@fail.example", &vacation(to, "<2@x>")).await;
    check(&answer, "pass", "auto-reply-unknown", None);
    assert_eq!(stage.daemon.stop(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_usable_file_mail_flows() {
    let stage = Stage::start().await;
    assert_eq!(stage.daemon.stop(), []);
    let Stage { dns, store, .. } = Stage::start().await;
    let missing = store.path().join("missing");
    let daemon = Daemon::start(&config(&dns, &missing));
    let stage = Stage { dns, store, daemon };
    let line =
        stage.send("192.0.2.10", "a@fail.example", "info@local.test", "Q1", &[("Message-ID", "<1@x>")]).await;
    assert_eq!(line.field("verdict"), Some("pass"));
    let answer = stage.answer("a@fail.example", &vacation("info@local.test", "<1@x>")).await;
    check(&answer, "pass", "auto-reply-unknown", None);
    // It is there now, and is found when it is tried again.
    fs::create_dir(&missing).unwrap();
    stage.daemon.wait_for(&["the store is open"]);
    let cause =
        stage.send("192.0.2.10", "a@fail.example", "info@local.test", "Q1", &[("Message-ID", "<1@x>")]).await;
    let answer = stage.answer("a@fail.example", &vacation("info@local.test", "<1@x>")).await;
    check(&answer, "discard", "auto-reply-unwanted", Some(&cause));
    assert_eq!(stage.daemon.stop(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_asks_the_same_ledger() {
    let stage = Stage::start().await;
    let cause = stage
        .send("192.0.2.10", "a@fail.example", "alice@local.test", "Q1", &[("Message-ID", "<1@x>")])
        .await;
    let explain = |id: &str| {
        let field = format!("In-Reply-To: {id}");
        let arguments = [
            "explain",
            "--client",
            "192.0.2.20",
            "--mail-from",
            "<>",
            "--login",
            "alice@local.test",
            "--rcpt-to",
            "a@fail.example",
            "--header",
            "From: alice@local.test",
            "--header",
            "Auto-Submitted: auto-replied",
            "--header",
            &field,
            "--all",
        ];
        let output = daemon::run(&arguments, &stage.daemon.config_file());
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    // What is not on the disk yet is not there for others.
    let reference = cause.field("ref").unwrap();
    let deadline = std::time::Duration::from_secs(20);
    let said = tokio::time::timeout(deadline, async {
        loop {
            let said = explain("<1@x>");
            if said.contains(reference) {
                return said;
            }
            tokio::task::yield_now().await;
        }
    });
    let said = said.await.unwrap();
    assert!(said.contains("auto-reply-unwanted"), "{said}");
    assert_eq!(stage.daemon.stop(), []);
}
