//! `catch-all report`: for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::survey::{Entry, Survey};
use crate::cli::layout::{Layout, counted, day, minute};
use crate::cli::table::{Cell, Column, Table, Tone};
use crate::journal::render::{harmless, harmless_json};
use crate::memory::catch_all::{Evidence, MOST_CORRESPONDENTS, Verdict};

/// Names of a kind that nobody uses shown in a text, unless all are wanted.
const SHOWN: usize = 20;

/// The report as text.
pub(super) fn text(surveys: &[Survey], layout: &Layout, all: bool) -> String {
    let parts: Vec<String> = surveys
        .iter()
        .filter(|survey| !survey.is_empty())
        .map(|survey| of_domain(survey, layout, all))
        .collect();
    parts.join("\n")
}

fn of_domain(survey: &Survey, layout: &Layout, all: bool) -> String {
    let mut text = headline(survey);
    let wide = layout.is_wide();
    let mut columns = vec![
        Column::Left("NAME"),
        Column::Left("VERDICT"),
        Column::Right("MESSAGES"),
        Column::Right("SPF PASS"),
        Column::Left("FIRST SEEN"),
        Column::Left("LAST SEEN"),
    ];
    if wide {
        columns.insert(3, Column::Right("NULL SENDER"));
        columns.insert(4, Column::Right("DEFERRED"));
    }
    let mut table = Table::new(columns);
    let (shown, hidden) = shortened(&survey.entries, all);
    for entry in shown {
        let (name, total) = (&entry.name, entry.name.total());
        let mut cells = vec![
            Cell::new(harmless(name.mailbox.local_part())),
            verdict(&entry.verdict),
            Cell::new(total.messages.to_string()),
            Cell::new(passing(entry)),
        ];
        if wide {
            cells.insert(3, Cell::new(total.null_sender.to_string()));
            cells.insert(4, Cell::new(total.deferred.to_string()));
            cells.extend([minute(name.first), minute(name.last)].map(Cell::new));
        } else {
            cells.extend([day(name.first), day(name.last)].map(Cell::new));
        }
        table.row(cells);
    }
    if !survey.entries.is_empty() {
        text.push('\n');
        text.push_str(&table.render(layout.width, layout.style));
    }
    text.push_str(&further(&hidden));
    text
}

/// What is behind the wildcard, in a sentence or two. Writing to a String cannot fail.
fn headline(survey: &Survey) -> String {
    let mut text = String::new();
    let real = survey.entries.iter().filter(|entry| matches!(entry.verdict, Verdict::Real(_))).count();
    let names = counted(survey.entries.len() as u64, "name is", "names are");
    let _ = writeln!(text, "{}: {names} known only through a wildcard.", survey.domain);
    let _ = writeln!(text, "Real people use {real} of them.");
    if !survey.by_name.is_empty() {
        let names = counted(survey.by_name.len() as u64, "further name has", "further names have");
        let _ = writeln!(text, "{names} an entry in the sources by now.");
    }
    let untold = survey.untold(crate::memory::Day::MIN);
    if untold > 0 {
        let messages = counted(untold.into(), "message", "messages");
        let _ = writeln!(
            text,
            "{messages} went to further names, which are not kept as nobody vouches for them."
        );
    }
    text
}

/// The entries to show, and how many of each kind are left out.
pub(super) fn shortened<'e>(
    entries: impl IntoIterator<Item = &'e Entry>,
    all: bool,
) -> (Vec<&'e Entry>, Vec<(String, usize)>) {
    let (mut shown, mut hidden) = (Vec::new(), Vec::new());
    let mut same = (None, 0);
    for entry in entries {
        let kind = std::mem::discriminant(&entry.verdict);
        same = if same.0 == Some(kind) { (same.0, same.1 + 1) } else { (Some(kind), 1) };
        let is_used = matches!(entry.verdict, Verdict::Real(_) | Verdict::Unknown);
        if all || is_used || same.1 <= SHOWN {
            shown.push(entry);
            continue;
        }
        if same.1 == SHOWN + 1 {
            hidden.push((described(&entry.verdict), 0));
        }
        if let Some((_, number)) = hidden.last_mut() {
            *number += 1;
        }
    }
    (shown, hidden)
}

/// A line for each kind of names that are left out.
pub(super) fn further(hidden: &[(String, usize)]) -> String {
    hidden.iter().fold(String::new(), |mut text, (kind, number)| {
        let _ = writeln!(text, "and {number} more: {kind} (--all shows them)");
        text
    })
}

fn verdict(verdict: &Verdict) -> Cell {
    match verdict {
        Verdict::Real(_) => Cell::new("real").toned(Tone::Strong),
        other => Cell::new(described(other)),
    }
}

/// A verdict in words.
pub(super) fn described(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Typo(meant) => format!("typo of {}", harmless(meant.local_part())),
        Verdict::NullSenderOnly => "null sender only".to_owned(),
        Verdict::NobodyReturned => "nobody returned".to_owned(),
        Verdict::NoSpfPass => "no SPF pass".to_owned(),
        other => other.as_str().to_owned(),
    }
}

/// How many correspondents there are that SPF said pass of: at least so many, where not all are kept.
fn passing(entry: &Entry) -> String {
    let passing = entry.name.passing();
    if entry.name.is_crowded && passing == MOST_CORRESPONDENTS {
        format!("{passing}+")
    } else {
        passing.to_string()
    }
}

/// The report as JSON. The keys are a contract: others may come, none goes or changes its meaning.
pub(super) fn json(surveys: &[Survey]) -> String {
    let domains: Vec<Value> = surveys
        .iter()
        .map(|survey| {
            json!({
                "domain": survey.domain.to_string(),
                "names": survey.entries.iter().map(entry_json).collect::<Vec<_>>(),
                "by_name": survey.by_name.iter().map(|entry| entry.name.mailbox.to_string()).collect::<Vec<_>>(),
                "further_messages": survey.untold(crate::memory::Day::MIN),
            })
        })
        .collect();
    harmless_json(&format!("{:#}\n", json!({ "domains": domains })))
}

/// A name as JSON.
pub(super) fn entry_json(entry: &Entry) -> Value {
    let (name, total) = (&entry.name, entry.name.total());
    let meant = match &entry.verdict {
        Verdict::Typo(meant) => Some(meant.to_string()),
        _ => None,
    };
    let evidence = match &entry.verdict {
        Verdict::Real(evidence) => Some(match evidence {
            Evidence::Ours => "ours",
            Evidence::Passing(_) => "spf-pass",
            Evidence::Returned(_) => "returned",
            Evidence::Earlier => "earlier",
        }),
        _ => None,
    };
    json!({
        "address": name.mailbox.to_string(),
        "verdict": entry.verdict.as_str(),
        "evidence": evidence,
        "meant": meant,
        "first": name.first.to_string(),
        "last": name.last.to_string(),
        "messages": total.messages,
        "null_sender": total.null_sender,
        "ours": total.ours,
        "deferred": total.deferred,
        "returned": total.returned,
        "correspondents": name.correspondents.len(),
        "spf_pass": name.passing(),
        "more_correspondents": name.is_crowded,
    })
}
