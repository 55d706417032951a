//! `explain` and the daemon agree: what the log says of a decision is enough to come to it again.
#![allow(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

#[path = "support/cases.rs"]
mod cases;
#[path = "support/program.rs"]
mod program;
#[path = "support/schema.rs"]
mod schema;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};

use cases::{Case, NOW};
use lockdown_milter::decide::{Decision, evidence};
use lockdown_milter::facts::{Answer, Facts, Question};
use lockdown_milter::journal::{Record, judged, render};
use lockdown_milter::mail::ForwardPath;
use lockdown_milter::policy::Policy;
use lockdown_milter::session::{Point, Recipient, Request};
use lockdown_milter::sources::recipients::identities;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Gives a program the date of the cases.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Runs `explain`.
fn explain(config: &Path, arguments: &[&str]) -> Output {
    let mut command = program::lockdown_milter();
    command.arg("explain").args(arguments).arg("--config").arg(config);
    command.env("LD_PRELOAD", FAKETIME).env("FAKETIME", "@2026-11-24 12:00:00").env("TZ", "UTC");
    command.output().unwrap()
}

/// The JSON that `explain` writes.
#[track_caller]
fn explained(config: &Path, arguments: &[&str]) -> Value {
    let output = explain(config, &[arguments, &["--json"]].concat());
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// A log in the making, with the decisions that are in it.
#[derive(Default)]
struct Log {
    lines: String,
    decisions: Vec<(String, Decision, &'static str)>,
}

impl Log {
    /// Writes a decision as the daemon does.
    fn write(
        &mut self,
        policy: &Policy,
        request: &Request<'_>,
        decision: &Decision,
        facts: &Facts,
        more: &[(Question, Answer)],
        sources: &[String],
    ) {
        let reference = format!("REF{:05}", self.decisions.len());
        let mut record = Record::of(request, decision);
        let reply = decision.verdict.reply().map(|reply| reply.with_reference(&reference).to_string());
        record.reply = reply.or(record.reply);
        record.reference = Some(reference.clone());
        let seen = evidence(policy, request, facts);
        record.judged = Some(judged::write(request, decision, &seen, more, sources));
        self.lines += &render::json(&record);
        self.lines.push('\n');
        self.decisions.push((reference, decision.clone(), record.event.as_str()));
    }
}

/// Lets a case take its way, and logs all of it.
fn log(case: &Case, directory: &Path) -> Log {
    let config = case.config_in(directory);
    let (policy, sources) = (&config.policy, identities(&config.recipients));
    let (session, mut envelope) = (case.session(), case.envelope());
    let origin = policy.origin(&session, &envelope);
    let now = NOW.parse().unwrap();
    let (mut log, mut more, mut accepted) = (Log::default(), Vec::new(), Vec::new());
    for recipient in case.rcpt_to.keys() {
        let path = ForwardPath::parse(recipient);
        let point = Point::Recipient(&path);
        let request = Request { session: &session, envelope: &envelope, origin, point, report: None, now };
        let (decision, facts) = case.decide(policy, &request);
        log.write(policy, &request, &decision, &facts, &[], &sources);
        if decision.verdict.reply().is_none() {
            more.extend(evidence(policy, &request, &facts));
            accepted.push(Recipient::bare(path));
        }
    }
    envelope.recipients = accepted;
    if case.message.is_some() || case.edits.is_some() {
        let (header, report) = (case.header(), case.report());
        let point = Point::Message(&header);
        let request =
            Request { session: &session, envelope: &envelope, origin, point, report: Some(&report), now };
        let (decision, facts) = case.decide(policy, &request);
        log.write(policy, &request, &decision, &facts, &more, &sources);
    }
    log
}

/// A directory with the configuration of a case, and what that names.
fn directory(case: &Case) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.yaml"), case.configuration()).unwrap();
    for file in ["identities", "postfix_recipients"] {
        symlink(Path::new("tests/cases").canonicalize().unwrap().join(file), dir.path().join(file)).unwrap();
    }
    dir
}

/// Verdicts, reply, findings and edits of a decision, as `explain` writes them.
fn shown(decision: &Decision) -> Value {
    let reply = |reply: Option<&lockdown_milter::mail::Reply>| reply.map(ToString::to_string);
    let findings: Vec<Value> = decision
        .findings
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check.as_str(),
                "domain": finding.domain.as_ref().map(ToString::to_string),
                "mode": finding.mode.as_str(),
                "judgment": finding.judgment.as_str(),
                "reason": finding.judgment.remark().reason,
                "detail": finding.judgment.remark().detail,
                "reply": reply(finding.judgment.reply()),
            })
        })
        .collect();
    json!({
        "verdict": decision.verdict.as_str(),
        "would": decision.would.as_str(),
        "reply": reply(decision.verdict.reply().or(decision.would.reply())),
        "findings": findings,
        "edits": decision.edits.len(),
    })
}

/// The same of what `explain` wrote.
fn of_json(decision: &Value) -> Value {
    json!({
        "verdict": decision["verdict"],
        "would": decision["would"],
        "reply": decision["reply"],
        "findings": decision["findings"],
        "edits": decision["edits"].as_array().map(Vec::len),
    })
}

/// Repeats every decision of a case from its line in the log; what did not come out the same.
fn repeat(case: &Case) -> Vec<String> {
    let dir = directory(case);
    let log = log(case, dir.path());
    let (config, file) = (dir.path().join("config.yaml"), dir.path().join("log"));
    fs::write(&file, &log.lines).unwrap();
    let mut wrong = Vec::new();
    for (reference, decision, event) in &log.decisions {
        let arguments = ["--offline", "--ref", reference, "--log", file.to_str().unwrap()];
        let found = explained(&config, &arguments);
        wrong.extend(schema::complain("explain", &found).err());
        let now = if *event == "message" { &found["message"] } else { &found["recipients"][0] };
        let asked = now["asked"].as_array().into_iter().flatten();
        let beyond: Vec<&Value> = asked.filter(|asked| asked["by"] != "logged").collect();
        if found["then"]["same"] != true || of_json(now) != shown(decision) || !beyond.is_empty() {
            wrong.push(format!(
                "{} ({event}): {:#}\nbeyond the log: {beyond:?}\nexpected {:#}\nfound {:#}",
                case.name,
                found["then"],
                shown(decision),
                of_json(now)
            ));
        }
    }
    wrong
}

/// Every golden case, decided as the daemon decides, logged as the daemon logs, and repeated by the program from its line
/// in the log alone: the verdicts, the reply and every finding are the same.
#[test]
fn every_golden_case_is_repeated_from_its_log() {
    if !Path::new(FAKETIME).exists() {
        assert!(std::env::var_os("LOCKDOWN_REQUIRE_SERVERS").is_none(), "there is no libfaketime");
        eprintln!("SKIPPED: there is no libfaketime (package libfaketime)");
        return;
    }
    let (cases, next) = (cases::all(), AtomicUsize::new(0));
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut wrong = Vec::new();
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                wrong.extend(repeat(case));
            }
            wrong
        };
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    println!("{} golden cases repeated", cases.len());
}

/// One recipient of a source that is a list: the configuration, and the log of a decision about him.
struct Past {
    dir: TempDir,
}

impl Past {
    fn new() -> Self {
        let text = "name: x\npolicy: \"domains: { example.org: { recipients: { sources: [list: []] } } }\"\n\
            rcpt_to: { info@example.org: x }\n";
        let case: Case = serde_yaml::from_str(text).unwrap();
        let dir = directory(&case);
        fs::write(dir.path().join("log"), log(&case, dir.path()).lines).unwrap();
        Self { dir }
    }

    /// What `explain` says of the decision under a configuration, and its exit status.
    fn explain(&self, policy: &str, arguments: &[&str]) -> (String, Option<i32>) {
        let config = self.dir.path().join("config.yaml");
        fs::write(&config, format!("{}{policy}\n", cases::PREAMBLE)).unwrap();
        let log = self.dir.path().join("log");
        let output = explain(&config, &[&["--log", log.to_str().unwrap()], arguments].concat());
        let said = [output.stdout, output.stderr].concat();
        (String::from_utf8(said).unwrap(), output.status.code())
    }
}

/// What `explain` says of a decision that was made when nobody was listed: all of these texts.
#[track_caller]
fn check_past(policy: &str, arguments: &[&str], status: i32, expected: &[&str]) {
    let (said, found) = Past::new().explain(policy, arguments);
    assert_eq!(found, Some(status), "{said}");
    for text in expected {
        assert!(said.contains(text), "{text} is not in\n{said}");
    }
}

#[test]
fn a_logged_decision_under_another_configuration() {
    let same = "domains: { example.org: { recipients: { sources: [list: []] } } }";
    let reference = ["--offline", "--ref", "REF00000"];
    check_past(
        same,
        &reference,
        0,
        &[
            "logged      recipient at 2026-11-24T12:00:00Z",
            "now         it would be decided the same",
            "asked     whether info@example.org exists, by list",
            "answer    no",
        ],
    );
    check_past(
        &same.replace("sources", "mode: monitor, sources"),
        &reference,
        1,
        &["it would be decided otherwise", "change    the verdict was reject and is pass"],
    );
    // The name is listed now, so the old answer is no answer of this list's.
    let listed = same.replace("[]", "[info@example.org]");
    check_past(
        &listed,
        &reference[1..],
        1,
        &[
            "said of info@example.org: unknown; that source is no longer configured",
            "exists, by list 58252fee (asked now)",
            "the verdict was reject and is",
        ],
    );
    check_past(same, &["--ref", "NOTTHERE"], 1, &["has reference or queue id NOTTHERE"]);
}

#[test]
fn a_line_without_facts_is_shown_with_a_hint() {
    let past = Past::new();
    let line = "time=2026-11-24T12:00:00Z event=recipient verdict=reject check=spf ref=ABCDEFGH ms=1\n";
    fs::write(past.dir.path().join("log"), line).unwrap();
    let (said, status) = past.explain("domains: { example.org: }", &["--ref", "ABCDEFGH"]);
    assert_eq!(status, Some(1));
    for text in ["cannot be repeated", line.trim(), "hint: `log: { format: json }`"] {
        assert!(said.contains(text), "{said}");
    }
}

/// A message as it lies in a mailbox.
const MESSAGE: &str = "Return-Path: <a@example.com>\n\
    Delivered-To: info@example.org\n\
    Received: from mail.example.com (mx.example.com [192.0.2.1])\n\tby mx.example.org (Postfix)\n\
    From: A <a@example.com>\n\nHello\n";

/// What `explain` says of a message.
#[track_caller]
fn check_message(message: &str, arguments: &[&str], status: i32, expected: &[&str]) {
    check_message_under("domains: { example.org: }\n", message, arguments, status, expected);
}

/// The same under another policy.
#[track_caller]
fn check_message_under(policy: &str, message: &str, arguments: &[&str], status: i32, expected: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let (config, file) = (dir.path().join("config.yaml"), dir.path().join("message.eml"));
    fs::write(&config, format!("{}{policy}", cases::PREAMBLE)).unwrap();
    fs::write(&file, message).unwrap();
    let given = ["--offline", "--message", file.to_str().unwrap(), "--assume", "harvest=clear"];
    let output = explain(&config, &[&given, arguments].concat());
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(status), "{said}");
    for text in expected {
        assert!(said.contains(text), "{text} is not in\n{said}");
    }
}

#[test]
fn a_message_says_who_brought_it() {
    let spf = ["--assume", "spf=fail", "--assume", "spf.helo=none"];
    check_message(
        MESSAGE,
        &spf,
        1,
        &[
            "client      192.0.2.1\nhelo        mail.example.com\nmail from   a@example.com\n",
            "note        MAIL FROM is that of the Return-Path field",
            "rcpt to     info@example.org\n  verdict   reject\n",
            "SPF of example.com (MAIL FROM) for 192.0.2.1 (assumed)",
        ],
    );
    let bare = "From: A <a@example.com>\n\nHello\n";
    check_message(bare, &[], 64, &["--client is needed: the message has no Received field"]);
    let client = ["--client", "192.0.2.1"];
    check_message(bare, &client, 64, &["--mail-from is needed: the message has no Return-Path field"]);
    let login = [
        "--client",
        "192.0.2.1",
        "--mail-from",
        "b@example.org",
        "--rcpt-to",
        "x@example.com",
        "--login",
        "b@example.org",
        "--assume",
        "grant=no",
    ];
    check_message(
        bare,
        &login,
        1,
        &["whether b@example.org may send as a@example.com (assumed)", "550 5.7.1"],
    );
}

/// The MTA's own Received is not among the fields that a milter sees: what an earlier milter wrote below it still stands
/// above all that the stranger sent.
#[test]
fn a_message_is_judged_without_what_the_mta_wrote_on_top() {
    let policy = "trusted_authserv_ids: [dkim.example.org]\n\
                  defaults: { require_auth: { header_from: reject } }\ndomains: { example.org: }\n";
    let results = "Authentication-Results: dkim.example.org; dkim=pass header.d=example.org\n";
    let spf = ["--assume", "spf=pass", "--assume", "spf.helo=none"];
    let from_ours = MESSAGE.replace("From: A <a@example.com>", "From: news@example.org");
    let signed = from_ours.replace("From: news", &format!("{results}From: news"));
    check_message_under(policy, &signed, &spf, 0, &["signed by example.org, as a trusted authserv-id says"]);
    let received = "Received: from x by mail.example.com\n";
    let forged = from_ours.replace("From: news", &format!("{received}{results}From: news"));
    check_message_under(policy, &forged, &spf, 1, &["530 5.7.0"]);
}

/// Who brought a message, by what MTAs write above it.
#[test]
fn a_message_says_who_brought_it_in_the_words_of_any_mta() {
    let spf = ["--assume", "spf=fail", "--assume", "spf.helo=none"];
    let by = |received: &str| {
        let before = "from mail.example.com (mx.example.com [192.0.2.1])\n\tby mx.example.org (Postfix)";
        MESSAGE.replace(before, received)
    };
    let client = "client      192.0.2.1\nhelo        mail.example.com\n";
    for received in [
        "from mail.example.com (mx.example.com [192.0.2.1] (may be forged))\n\tby mx.example.org (8.18.1/8.18.1)",
        "from mx.example.com ([192.0.2.1] helo=mail.example.com)\n\tby mx.example.org with esmtp (Exim 4.96)",
        "from mx.example.com (HELO mail.example.com) (192.0.2.1)\n  by mx.example.org with SMTP",
        "from mail.example.com (192.0.2.1) by mx.example.org (192.0.2.20) with Microsoft SMTP Server",
    ] {
        check_message(
            &by(received),
            &spf,
            1,
            &[client, "note        the client is that of the first Received field"],
        );
    }
    let delivered = "from mx.example.org\n\tby mx.example.org with LMTP\n\tid MNbkKfU9\nReceived: \
        from localhost (localhost [127.0.0.1])\n\tby mx.example.org (Postfix) with ESMTP id 4bQ1y\nReceived: \
        from mail.example.com (mx.example.com [192.0.2.1])\n\tby mx.example.org (Postfix) with ESMTP id 4bQ1x";
    check_message(
        &by(delivered),
        &spf,
        1,
        &[client, "the client is that of Received field 3; those above it are"],
    );
    check_message(&by("by mx.example.org (Postfix, from userid 0)"), &spf, 64, &["--client is needed"]);
}

/// A login is read where its Received field names one, and only there.
#[test]
fn a_message_says_who_was_logged_in() {
    let of = |comment: &str| {
        format!(
            "Return-Path: <bob@example.org>\nDelivered-To: x@example.com\n\
             Received: from [10.0.0.1] (unknown [192.0.2.1])\n\t{comment}\n\tby mx.example.org with ESMTPSA id 4bQ1x\n\
             From: alice@example.org\n\nHello\n"
        )
    };
    let grant = ["--assume", "grant=no"];
    check_message(
        &of("(Authenticated sender: bob@example.org)"),
        &grant,
        0,
        &["login       bob@example.org", "note        the login is that of the first Received field"],
    );
    let unnamed = "its Received field does not say as whom; use --login";
    let assumed = ["--assume", "spf=none", "--assume", "spf.helo=none"];
    check_message(&of("(authenticated bits=0)"), &assumed, 1, &[unnamed]);
    check_message(
        &of("(authenticated bits=0)"),
        &[&grant[..], &["--login", "bob@example.org"]].concat(),
        0,
        &["login       bob@example.org"],
    );
}
