//! A suggestion, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Advice;
use super::evidence::Client;
use super::zone::zone_line;
use crate::cli::layout::{Layout, counted, day, wrapped};
use crate::cli::table::{Cell, Column, Table, Tone};
use crate::journal::render::{harmless, harmless_json};
use crate::mail::spf::SpfResult;
use crate::memory::Day;
use crate::spf::lint::STRANGERS;
use crate::spf::suggest::{Suggestion, Term, UNKNOWN};

/// The suggestion as text.
pub(super) fn render(advice: &Advice, layout: &Layout) -> String {
    let mut text = String::new();
    let Advice { evidence, suggestion } = advice;
    let title = |text: &mut String, title: &str| {
        let _ = writeln!(text, "{}", Tone::Strong.paint(title, layout.style));
    };
    if let Some(trouble) = &evidence.trouble {
        say(
            &mut text,
            layout,
            &format!("The present record cannot be read: {trouble}. What it authorises is missing here."),
        );
        text.push('\n');
    }
    title(&mut text, "Record");
    record(&mut text, layout, advice);
    text.push('\n');
    title(&mut text, "Why");
    terms(&mut text, layout, &suggestion.terms, "  ");
    if suggestion.terms.is_empty() {
        say(
            &mut text,
            layout,
            "Nobody is known to send for the domain: the record says that it sends no mail.",
        );
    }
    if !suggestion.unclear.is_empty() {
        text.push('\n');
        title(&mut text, "Not understood: mend these first");
        terms(&mut text, layout, &suggestion.unclear, "  ");
    }
    if !suggestion.dropped.is_empty() {
        text.push('\n');
        title(&mut text, "Left out of the present record");
        terms(&mut text, layout, &suggestion.dropped, "  ");
    }
    for note in &suggestion.notes {
        text.push('\n');
        say(&mut text, layout, note);
    }
    text.push('\n');
    title(&mut text, "Tried");
    trials(&mut text, layout, suggestion);
    unknown(&mut text, layout, advice);
    plan(&mut text, layout, advice);
    text
}

/// The record, or why there is none to publish.
fn record(text: &mut String, layout: &Layout, advice: &Advice) {
    let Advice { evidence, suggestion } = advice;
    let Some(record) = suggestion.record() else {
        let why = if suggestion.unclear.is_empty() {
            "receivers could not evaluate it"
        } else {
            "it would leave out what is not understood, and whoever sends by that would fail"
        };
        return say(
            text,
            layout,
            &format!("There is nothing to publish yet, as {why}. What is known so far:"),
        );
    };
    text.push_str(&zone_line(&evidence.domain, record));
    let is_published = evidence.records.iter().any(|present| present == record);
    if is_published && evidence.records.len() == 1 {
        say(text, layout, "It is published already.");
    } else if !evidence.records.is_empty() {
        say(text, layout, "It replaces the present record; a domain has one.");
    }
}

fn say(text: &mut String, layout: &Layout, sentence: &str) {
    text.push_str(&wrapped(&harmless(sentence), "", "", layout.width));
}

fn terms(text: &mut String, layout: &Layout, terms: &[Term], front: &str) {
    for term in terms {
        let _ = writeln!(text, "{front}{}", harmless(&term.text));
        let further = format!("{front}    ");
        text.push_str(&wrapped(&harmless(&term.why), &further, &further, layout.width));
    }
}

fn trials(text: &mut String, layout: &Layout, suggestion: &Suggestion) {
    let mut table = Table::new([Column::Left("WHO"), Column::Left("CLIENT"), Column::Left("RESULT")]);
    let tone = |is_good: bool| if is_good { Tone::Normal } else { Tone::Alarming };
    for trial in
        suggestion.trials.iter().filter(|trial| trial.who != UNKNOWN || trial.result == SpfResult::Pass)
    {
        let result = Cell::new(trial.result.as_str()).toned(tone(trial.result == SpfResult::Pass));
        table.row([Cell::new(harmless(&trial.who)), Cell::new(trial.address.to_string()), result]);
    }
    for (stranger, result) in STRANGERS.iter().zip(&suggestion.strangers) {
        let result = Cell::new(result.as_str()).toned(tone(*result != SpfResult::Pass));
        table.row([Cell::new("a stranger"), Cell::new(stranger.to_string()), result]);
    }
    text.push_str(&table.render(layout.width, layout.style));
    if let Some(cost) = suggestion.cost {
        let _ = writeln!(text, "look-ups {} of {}", cost.counts.lookups, suggestion.most_lookups());
    }
}

fn unknown(text: &mut String, layout: &Layout, advice: &Advice) {
    let evidence = &advice.evidence;
    let unknown: Vec<&Client> = advice.unknown().collect();
    if let Some(why) = &evidence.no_ledger {
        text.push('\n');
        say(
            text,
            layout,
            &format!(
                "Who sends for the domain is not known: {why}. Let the daemon run for some weeks, in `monitor` if need be."
            ),
        );
    }
    if unknown.is_empty() {
        return;
    }
    let title = Tone::Strong.paint("Unknown senders: authorise them, or not?", layout.style);
    let _ = writeln!(text, "\n{title}");
    let mut table = Table::new([
        Column::Left("NAME"),
        Column::Left("CLIENT"),
        Column::Right("MESSAGES"),
        Column::Right("REFUSED"),
        Column::Left("FIRST SEEN"),
        Column::Left("LAST SEEN"),
    ]);
    for client in &unknown {
        let total = client.sender.total(Day::MIN);
        table.row([
            Cell::new(client.name.as_deref().map_or("(no name)".to_owned(), harmless)),
            Cell::new(client.address.to_string()),
            Cell::new(total.all().to_string()),
            Cell::new(total.refused.to_string()),
            Cell::new(day(client.sender.first)),
            Cell::new(day(client.sender.last)),
        ]);
    }
    text.push_str(&table.render(layout.width, layout.style));
    if let Some(others) = &evidence.others {
        let total = others.total(Day::MIN);
        say(
            text,
            layout,
            &format!(
                "and {} of clients that are not kept one by one",
                counted(total.all().into(), "message", "messages")
            ),
        );
    }
    for client in unknown.iter().filter(|client| client.own_record.is_some()) {
        let record = client.own_record.as_deref().unwrap_or_default();
        say(
            text,
            layout,
            &format!(
                "{} is a host of {record}: --allow include:{record} authorises all of its hosts.",
                client.address
            ),
        );
    }
    say(text, layout, "Most of them may be forgers. Who is yours is authorised by --allow.");
}

/// From `~all` to `-all`.
fn plan(text: &mut String, layout: &Layout, advice: &Advice) {
    let title = Tone::Strong.paint("Plan", layout.style);
    let _ = writeln!(text, "\n{title}");
    let (domain, suggestion) = (&advice.evidence.domain, &advice.suggestion);
    let mut steps = Vec::new();
    let Some(record) = suggestion.record() else {
        let step = format!(
            "1. Mend what is named above, in the zone or by --allow, and ask again: lockdown-milter spf lint {domain} says what \
             is wrong with the present record."
        );
        return text.push_str(&wrapped(&step, "", "   ", layout.width));
    };
    if !suggestion.keeps() {
        steps.push("Do not publish it yet: it does not do what it should, see above.".to_owned());
    }
    steps.push(format!("Publish the record, and look at it: lockdown-milter spf lint {domain}"));
    if record.split(' ').any(|term| term == "~all") {
        steps.push(
            "Wait two weeks. With ~all, receivers mark what fails and let it through, so that a sender who was forgotten \
             loses nothing."
                .to_owned(),
        );
        steps.push(format!(
            "lockdown-milter spf report shows who failed. While a client of yours is among them, authorise it: \
             lockdown-milter spf suggest {domain} --allow …"
        ));
        steps.push("Once the report says that the domain is ready, write -all instead of ~all.".to_owned());
    }
    for (number, step) in steps.iter().enumerate() {
        text.push_str(&wrapped(step, &format!("{}. ", number + 1), "   ", layout.width));
    }
}

/// The suggestion as JSON. The keys are a contract.
pub(super) fn json(advice: &Advice) -> String {
    let Advice { evidence, suggestion } = advice;
    let terms = |terms: &[Term]| -> Vec<Value> {
        terms.iter().map(|term| json!({ "term": term.text, "why": term.why })).collect()
    };
    let trials: Vec<Value> = suggestion
        .trials
        .iter()
        .map(|trial| json!({ "who": trial.who, "client": trial.address.to_string(), "result": trial.result.as_str() }))
        .collect();
    let unknown: Vec<Value> = advice
        .unknown()
        .map(|client| {
            let total = client.sender.total(Day::MIN);
            json!({
                "client": client.address.to_string(),
                "name": client.name,
                "own_record": client.own_record,
                "messages": total.all(),
                "refused": total.refused,
                "first": client.sender.first.to_string(),
                "last": client.sender.last.to_string(),
            })
        })
        .collect();
    let value = json!({
        "domain": evidence.domain.as_str(),
        "present": evidence.records.first(),
        "record": suggestion.record(),
        "zone": suggestion.record().map(|record| zone_line(&evidence.domain, record)),
        "terms": terms(&suggestion.terms),
        "dropped": terms(&suggestion.dropped),
        "unclear": terms(&suggestion.unclear),
        "notes": suggestion.notes,
        "lookups": suggestion.cost.map(|cost| cost.counts.lookups),
        "trials": trials,
        "strangers": suggestion.strangers.iter().map(|result| result.as_str()).collect::<Vec<_>>(),
        "unknown": unknown,
        "no_ledger": evidence.no_ledger,
        "ours": evidence.ours.as_ref().map_or(0, |sender| sender.total(Day::MIN).ours),
        "null_mx": evidence.null_mx,
        "good": advice.is_good(),
    });
    harmless_json(&format!("{value:#}\n"))
}
