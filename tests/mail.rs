//! Mail in the forms in which programs write it, through the real decision: what must become of each stands beside it, in
//! `tests/mail`.
#![allow(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

#[path = "support/cases.rs"]
mod cases;

use std::fs;
use std::path::Path;

use cases::{NOW, PREAMBLE};
use lockdown_milter::config::{self, Host};
use lockdown_milter::decide::{Decision, decide};
use lockdown_milter::facts::{Answer, Cause, CauseQuestion, Facts, Grant, Original, Question, Tie};
use lockdown_milter::mail::report::Reader;
use lockdown_milter::mail::spf::SpfResult;
use lockdown_milter::mail::{Field, ForwardPath, Header, ReversePath};
use lockdown_milter::mta::postfix::main_cf::MainCf;
use lockdown_milter::policy::Policy;
use lockdown_milter::session::{Client, Envelope, Login, Origin, Point, Recipient, Request, Role, Session};
use serde::Deserialize;

/// A message in the form of some program.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    /// Who writes so.
    by: String,
    /// Where that is written down.
    #[serde(default)]
    #[expect(dead_code, reason = "for readers of the table")]
    see: String,
    /// `reply`, `bounce` or `untouched`; of a login's mail `pass`, `refused` or `malformed`.
    becomes: String,
    /// What ties it to its cause: the identifier of that, `queue`, `pair`, or `nothing`.
    #[serde(default)]
    tied: Option<String>,
    #[serde(default = "null")]
    mail_from: String,
    /// What is granted to the login, besides itself.
    #[serde(default)]
    grants: Option<String>,
    mail: String,
}

fn null() -> String {
    "<>".to_owned()
}

impl Form {
    /// Header and body, as the MTA hands them over.
    fn parts(&self) -> (Header, &[u8]) {
        let (header, body) = self.mail.split_once("\n\n").unwrap_or((&self.mail, ""));
        let mut fields: Vec<Field> = Vec::new();
        for line in header.lines() {
            if let (true, Some(field)) = (line.starts_with([' ', '\t']), fields.last_mut()) {
                field.value.push('\n');
                field.value.push_str(line);
            } else {
                let (name, value) = line.split_once(':').unwrap();
                fields.push(Field::new(name, value.trim_start()));
            }
        }
        (fields.into_iter().collect(), body.as_bytes())
    }

    /// The verdict with its reason, and the tie by which the cause was found. The cause is a message from outside with
    /// this SPF result.
    fn decide(&self, policy: &Policy, login: Option<&str>, spf: SpfResult) -> (String, &'static str) {
        let (header, body) = self.parts();
        let reverse_path = ReversePath::parse(&self.mail_from);
        let report = Reader::of(&header, &reverse_path).map(|mut reader| {
            // In whatever pieces it comes.
            body.chunks(7).for_each(|piece| {
                reader.feed(piece);
            });
            reader.report()
        });
        let session = Session {
            role: if login.is_some() { Role::Submission } else { Role::Local },
            client: Client { address: None, name: "localhost".to_owned(), port: 0 },
            helo: "mx.example.org".to_owned(),
            mta_name: None,
            is_postfix: true,
        };
        let envelope = Envelope {
            reverse_path,
            bracketed: true,
            login: login.map(|login| Login(login.to_owned())),
            recipients: vec![Recipient::bare(ForwardPath::parse("<customer@example.com>"))],
            queue_id: None,
        };
        let origin = policy.origin(&session, &envelope);
        let point = Point::Message(&header);
        let now = NOW.parse().unwrap();
        let request =
            Request { session: &session, envelope: &envelope, origin, point, report: report.as_ref(), now };
        let (mut facts, mut tie) = (Facts::default(), "nothing");
        loop {
            let open = match decide(policy, &request, &facts) {
                Ok(decision) => return (outcome(&decision), tie),
                Err(open) => open,
            };
            for question in open.questions() {
                let answer = match question {
                    Question::Cause(question) => {
                        tie = question.ties.iter().find_map(known).unwrap_or("nothing");
                        Answer::Cause(cause(question, tie, spf))
                    }
                    Question::Grant(question) => {
                        let is_granted = self.grants.as_deref() == Some(&*question.mailbox.to_string());
                        let granted = Grant::Granted("given".to_owned());
                        Answer::Grant(if is_granted { granted } else { Grant::NotGranted(Vec::new()) })
                    }
                    other => panic!("{}: nobody should ask for {other:?}", self.by),
                };
                facts.learn(question.clone(), answer);
            }
        }
    }
}

/// The word for a tie that leads to the message that customer@example.com sent to info@example.org.
fn known(tie: &Tie) -> Option<&'static str> {
    match tie {
        Tie::MessageId(id) if id == "original@example.com" => Some("original@example.com"),
        Tie::Queue { id, .. } if id == "4bQ1x" => Some("queue"),
        Tie::Correspondents { mailbox, .. } if mailbox.to_string() == "info@example.org" => Some("pair"),
        _ => None,
    }
}

fn cause(question: &CauseQuestion, tie: &str, spf: SpfResult) -> Cause {
    assert_eq!(question.sender.to_string(), "customer@example.com");
    if tie == "nothing" {
        return Cause::Unknown("nothing ties it".to_owned());
    }
    let recipients = vec![("info@example.org".parse().unwrap(), false)];
    let reference = "ABCDEFGH".to_owned();
    let (origin, spf, is_claimed) = (Origin::Foreign, Some(spf), false);
    Cause::Known(Box::new(Original { reference, origin, spf, is_claimed, recipients }))
}

fn outcome(decision: &Decision) -> String {
    let reason = decision.decisive().map_or("-", |finding| finding.judgment.remark().reason);
    format!("{} {reason}", decision.verdict.as_str())
}

fn policy(text: &str) -> Policy {
    let host = Host {
        name: "host.example.org".to_owned(),
        today: "2026-11-24".parse().unwrap(),
        has_group: |_| true,
        main_cf: MainCf::absent,
    };
    let text = format!("{PREAMBLE}{text}\n");
    match config::parse("forms", &text, &host, Path::new("tests/mail")) {
        Ok((config, _)) => config.policy,
        Err(report) => panic!("{}", report.render(config::Style::Plain)),
    }
}

/// Holds every form of a table against what must become of it, and shows all that differ.
#[track_caller]
fn check(table: &str, least: usize, expected: impl Fn(&Form) -> String, found: impl Fn(&Form) -> String) {
    let text = fs::read_to_string(format!("tests/mail/{table}.yaml")).unwrap();
    let forms: Vec<Form> = serde_yaml::from_str(&text).unwrap();
    assert!(forms.len() >= least, "{table}: {} forms", forms.len());
    let wrong: Vec<String> = forms
        .iter()
        .map(|form| (form, expected(form), found(form)))
        .filter(|(_, expected, found)| expected != found)
        .map(|(form, expected, found)| format!("{}\n  expected {expected}\n  found    {found}", form.by))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), forms.len(), wrong.join("\n"));
}

/// What becomes of an answer to a message that passed SPF, and to one that did not, under the strictest policy.
#[track_caller]
fn check_answers(table: &str, least: usize) {
    let strict = "{ policy: require_spf_pass, unknown: allow }";
    let policy =
        policy(&format!("domains: {{ example.org: {{ auto_responders: {strict}, bounces: {strict} }} }}"));
    let expected = |form: &Form| {
        let kind = match form.becomes.as_str() {
            "reply" => "auto-reply",
            "bounce" => "bounce",
            "untouched" => return "pass -; pass -, by nothing".to_owned(),
            other => panic!("{}: {other} is no outcome", form.by),
        };
        match form.tied.as_deref().unwrap() {
            "nothing" => format!("pass {kind}-unknown; pass {kind}-unknown, by nothing"),
            tie => format!("pass {kind}-wanted; discard {kind}-unwanted, by {tie}"),
        }
    };
    check(table, least, expected, |form| {
        let (good, tie) = form.decide(&policy, None, SpfResult::Pass);
        let (bad, _) = form.decide(&policy, None, SpfResult::Softfail);
        format!("{good}; {bad}, by {tie}")
    });
}

#[test]
fn automatic_replies() {
    check_answers("replies", 35);
}

#[test]
fn bounces() {
    check_answers("bounces", 30);
}

#[test]
fn receipts() {
    check_answers("receipts", 17);
}

#[test]
fn answers_to_invitations() {
    check_answers("calendar", 8);
}

#[test]
fn what_is_no_answer() {
    check_answers("others", 25);
}

/// Who a login's mail says that it is from, where that must be its own address or one that is granted to it.
#[test]
fn from_fields() {
    let policy = policy(
        "identities: { sources: [file: /dev/null] }\ndomains: { example.org: { auth_match: { header_from: address, sender: address } } }",
    );
    let expected = |form: &Form| match form.becomes.as_str() {
        "pass" => "pass".to_owned(),
        "refused" => "reject auth-match-header-from".to_owned(),
        "malformed" => "reject malformed-from".to_owned(),
        other => panic!("{}: {other} is no outcome", form.by),
    };
    check("from", 25, expected, |form| {
        let (outcome, _) = form.decide(&policy, Some("alice@example.org"), SpfResult::Pass);
        if outcome.starts_with("pass") { "pass".to_owned() } else { outcome }
    });
}
