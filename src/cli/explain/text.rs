//! What `explain` found out, for people.

use std::fmt::Write as _;

use super::outcome::Outcome;
use crate::check::{Finding, Mode};
use crate::decide::Decision;
use crate::mail::Edit;

/// Columns of the first column.
const LABEL: usize = 11;

/// The outcome as aligned text.
pub(super) fn render(outcome: &Outcome, all: bool) -> String {
    let mut text = String::new();
    line(&mut text, "client", &outcome.client);
    line(&mut text, "helo", if outcome.helo.is_empty() { "(none)" } else { &outcome.helo });
    line(&mut text, "mail from", &outcome.mail_from);
    if let Some(login) = &outcome.login {
        line(&mut text, "login", login);
    }
    line(&mut text, "origin", outcome.origin.as_str());
    for (path, decision) in &outcome.recipients {
        text.push('\n');
        line(&mut text, "rcpt to", &path.to_string());
        describe(&mut text, decision, all);
    }
    text.push('\n');
    match &outcome.message {
        None => line(&mut text, "message", "is never sent, as no recipient is accepted"),
        Some(decision) => {
            line(&mut text, "message", "");
            describe(&mut text, decision, all);
            for (_, edit) in &decision.edits {
                describe_edit(&mut text, edit);
            }
        }
    }
    text
}

fn describe(text: &mut String, decision: &Decision, all: bool) {
    line(text, "  verdict", &verdict(decision));
    let decisive = decision.decisive();
    if decisive.is_none() {
        line(
            text,
            "  because",
            "no lock concerns it: the recipient's domain is not hosted here, or its locks are off",
        );
    }
    for finding in decision.findings.iter().filter(|finding| all || Some(*finding) == decisive) {
        line(text, "  check", &headline(finding));
        line(text, "  because", &finding.judgment.remark().detail);
    }
    if let Some(reply) = decision.verdict.reply() {
        line(text, "  reply", &reply.to_string());
    } else if let Some(reply) = decision.would.reply() {
        line(text, "  reply", &format!("would be {reply}"));
    }
}

fn verdict(decision: &Decision) -> String {
    let (verdict, would) = (decision.verdict.as_str(), decision.would.as_str());
    if verdict == would {
        verdict.to_owned()
    } else {
        format!("{verdict} (would be {would} if all were enforced)")
    }
}

fn headline(finding: &Finding) -> String {
    let domain = finding.domain.as_ref().map(|domain| format!(" of {domain}")).unwrap_or_default();
    let mode = if finding.mode == Mode::Enforce { "" } else { ", only monitored" };
    let (judgment, reason) = (finding.judgment.as_str(), finding.judgment.remark().reason);
    format!("{}{domain}: {judgment}, {reason}{mode}", finding.check)
}

fn describe_edit(text: &mut String, edit: &Edit) {
    match edit {
        Edit::Delete { name, occurrence } => line(text, "  delete", &format!("{name} number {occurrence}")),
        Edit::DeleteRecipient(address) => line(text, "  remove", &format!("recipient {address}")),
        Edit::AddRecipient { address, parameters } => {
            line(text, "  add", &format!("recipient {address} {parameters}"));
        }
        Edit::InsertAtTop(field) => line(text, "  insert", &format!("{}: {}", field.name, field.value)),
    }
}

/// One labelled line; further lines of a folded value are indented below it. Writing to a String cannot fail.
fn line(text: &mut String, label: &str, value: &str) {
    let value = value.replace(|c: char| c.is_control() && c != '\n', " ");
    let mut lines = value.split('\n');
    let first = lines.next().unwrap_or_default();
    let _ = writeln!(text, "{}", format!("{label:LABEL$} {first}").trim_end());
    for more in lines {
        let _ = writeln!(text, "{:LABEL$}   {}", "", more.trim_start());
    }
}
