//! A summary for programs. The keys are a contract: others may come, none goes or changes its meaning.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::journal::parse::Outcome;
use crate::journal::render::harmless_json;
use crate::journal::summary::{Summary, Tally, Top};

/// Names in each list, at most.
const NAMES: usize = 100;

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
        "locks": locks(summary),
        "refused_recipients": top("recipient", &summary.refused.recipients),
        "refused_networks": top("network", &summary.refused.networks),
        "blocked_networks": top("network", &summary.refused.blocked),
        "own_domains": summary.own_domains.is_known().then(|| own_domains(summary)),
    });
    harmless_json(&format!("{value:#}\n"))
}

fn locks(summary: &Summary) -> Vec<Value> {
    let locks = summary.reasons.locks();
    locks
        .map(|(check, tally)| {
            json!({
                "check": check,
                "passed": tally.given(Outcome::Pass),
                "would_not_pass": tally.would_not_pass(),
                "deferred": tally.given(Outcome::Defer),
                "rejected": tally.given(Outcome::Reject),
                "discarded": tally.given(Outcome::Discard),
            })
        })
        .collect()
}

/// The most frequent names, and the number of records of those that are not named.
fn top(key: &str, top: &Top) -> Value {
    let all = top.sorted();
    let rest: u64 = all.iter().skip(NAMES).map(|(_, records)| records).sum();
    let named = all.iter().take(NAMES).map(|(name, records)| json!({ key: name, "decisions": records }));
    json!({ "top": named.collect::<Vec<_>>(), "further": rest + top.further })
}

fn own_domains(summary: &Summary) -> Vec<Value> {
    let results = summary.own_domains.results();
    results
        .map(|(domain, result, senders)| {
            json!({
                "domain": domain.as_str(),
                "spf": result.as_str(),
                "decisions": senders.records,
                "clients": top("client", &senders.clients),
            })
        })
        .collect()
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
