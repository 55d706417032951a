//! A summary for programs. The keys are a contract: others may come, none goes or changes its meaning.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::journal::render::harmless_json;
use crate::journal::summary::{Summary, Tally};

/// The summary as JSON, with a line's end. Words are those of the log.
pub(super) fn render(summary: &Summary, since: Option<Timestamp>) -> String {
    let lines = &summary.lines;
    let value = json!({
        "since": since.map(|since| since.to_string()),
        "first": summary.period.map(|(first, _)| first.to_string()),
        "last": summary.period.map(|(_, last)| last.to_string()),
        "lines": {
            "decisions": lines.records,
            "earlier": lines.earlier,
            "other": lines.other,
            "broken": lines.broken,
        },
        "verdicts": verdicts(summary),
        "reasons": reasons(summary),
        "further_reasons": summary.reasons.further,
        "mismatches": mismatches(summary),
        "further_logins": summary.mismatches.further,
    });
    harmless_json(&format!("{value:#}\n"))
}

fn verdicts(summary: &Summary) -> Vec<Value> {
    Tally::pairs()
        .map(|(verdict, would)| {
            (verdict, would, summary.recipients.of(verdict, would), summary.messages.of(verdict, would))
        })
        .filter(|(_, _, recipients, messages)| recipients + messages > 0)
        .map(|(verdict, would, recipients, messages)| {
            json!({
                "verdict": verdict.as_str(),
                "would": would.as_str(),
                "recipients": recipients,
                "messages": messages,
            })
        })
        .collect()
}

fn reasons(summary: &Summary) -> Vec<Value> {
    let reasons = summary.reasons.sorted().into_iter();
    reasons
        .map(|reason| {
            json!({
                "check": reason.check,
                "reason": reason.reason,
                "verdict": reason.verdict.as_str(),
                "would": reason.would.as_str(),
                "decisions": reason.records,
            })
        })
        .collect()
}

fn mismatches(summary: &Summary) -> Vec<Value> {
    let mismatches = summary.mismatches.sorted().into_iter();
    mismatches
        .map(|(login, place, mismatch)| {
            let addresses: Vec<Value> = mismatch
                .addresses()
                .into_iter()
                .map(|(address, messages)| json!({ "address": address, "messages": messages }))
                .collect();
            json!({
                "login": login,
                "where": place.as_str(),
                "messages": mismatch.messages(),
                "would_reject": mismatch.would_reject,
                "rejected": mismatch.rejected,
                "first": mismatch.first.to_string(),
                "last": mismatch.last.to_string(),
                "addresses": addresses,
                "further_addresses": mismatch.further,
            })
        })
        .collect()
}
