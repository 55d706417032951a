//! Golden cases: whole policies against whole messages, with the answers of the world given. See `tests/cases`.

#[path = "support/cases.rs"]
mod cases;

use std::panic::{self, AssertUnwindSafe};

use cases::{Case, NOW};
use lockdown_milter::check::CheckId;
use lockdown_milter::decide::Decision;
use lockdown_milter::mail::{Edit, ForwardPath};
use lockdown_milter::session::{Point, Recipient, Request};

/// A decision in the words of the cases.
fn outcome(decision: &Decision) -> String {
    let (verdict, would) = (decision.verdict.as_str(), decision.would.as_str());
    let verdict = if verdict == would { verdict.to_owned() } else { format!("{verdict}/{would}") };
    let reason = decision.decisive().map_or("-", |finding| finding.judgment.remark().reason);
    let reply = decision.verdict.reply().or(decision.would.reply()).map(|reply| format!(" {reply}"));
    format!("{verdict} {reason}{}", reply.unwrap_or_default())
}

fn edit(edit: &(CheckId, Edit)) -> String {
    match &edit.1 {
        Edit::Delete { name, occurrence } => format!("delete {name} {occurrence}"),
        Edit::DeleteRecipient(address) => format!("delete recipient {address}"),
        Edit::AddRecipient { address, parameters } => format!("add recipient {address} {parameters}"),
        Edit::InsertAtTop(field) => format!("insert {}: {}", field.name, field.value.replace("\n\t", " ")),
    }
}

fn check(case: &Case) {
    let policy = case.config().policy;
    let session = case.session();
    let mut envelope = case.envelope();
    let origin = policy.origin(&session, &envelope);
    let now = NOW.parse().expect("a time");
    let mut accepted = Vec::new();
    for (recipient, expected) in &case.rcpt_to {
        let path = ForwardPath::parse(recipient);
        let point = Point::Recipient(&path);
        let request = Request { session: &session, envelope: &envelope, origin, point, report: None, now };
        let (decision, _) = case.decide(&policy, &request);
        assert_eq!(outcome(&decision), *expected, "{}: {recipient}", case.name);
        if decision.verdict.reply().is_none() {
            accepted.push(Recipient::bare(path));
        }
    }
    envelope.recipients = accepted;
    if case.edits.is_none() && case.message.is_none() {
        return;
    }
    let header = case.header();
    let point = Point::Message(&header);
    let report = case.report();
    let request =
        Request { session: &session, envelope: &envelope, origin, point, report: Some(&report), now };
    let (decision, _) = case.decide(&policy, &request);
    if let Some(expected) = &case.message {
        assert_eq!(outcome(&decision), *expected, "{}: message", case.name);
    }
    if let Some(expected) = &case.edits {
        let edits: Vec<String> = decision.edits.iter().map(edit).collect();
        assert_eq!(edits, *expected, "{}: edits", case.name);
    }
}

#[test]
fn golden_cases() {
    let cases = cases::all();
    let fails = |case: &&Case| panic::catch_unwind(AssertUnwindSafe(|| check(case))).is_err();
    let failed: Vec<&str> = cases.iter().filter(fails).map(|case| case.name.as_str()).collect();
    assert_eq!(failed, [""; 0], "cases that did not come true");
    println!("{} golden cases", cases.len());
}
