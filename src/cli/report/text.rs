//! A summary for people: tables, one after the other.

use std::fmt::Write as _;

use crate::cli::layout::{Layout, counted, day, minute};
use crate::cli::table::{Cell, Column, Table, Tone};
use crate::journal::parse::Outcome;
use crate::journal::render::harmless;
use crate::journal::summary::{Mismatch, Place, Summary, Tally, Top};
use crate::mail::spf::SpfResult;

/// Addresses shown for one login in one place; `--json` has more.
const ADDRESSES: usize = 5;

/// Names in each list of the most frequent; `--json` has more.
const NAMES: usize = 10;

/// The summary as text.
pub(super) fn render(summary: &Summary, layout: &Layout) -> String {
    let refused = &summary.refused;
    let parts = [
        period(summary),
        verdicts(summary, layout),
        locks(summary, layout),
        reasons(summary, layout),
        top("RECIPIENT REFUSED", &refused.recipients, layout),
        top("NETWORK REFUSED", &refused.networks, layout),
        top("NETWORK BLOCKED", &refused.blocked, layout),
        own_domains(summary, layout),
        mismatches(summary, layout),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// What was read. Without a record that is all there is to say.
fn period(summary: &Summary) -> String {
    let lines = &summary.lines;
    let mut text = match summary.period {
        None => "No decision was found.\n".to_owned(),
        Some((first, last)) => {
            let (first, last) = (minute(first), minute(last));
            format!("{} from {first} to {last} UTC.\n", counted(lines.records, "decision", "decisions"))
        }
    };
    let notes = [
        (lines.earlier, "decision is earlier and does not count", "decisions are earlier and do not count"),
        (lines.other, "line is no decision", "lines are no decisions"),
        (lines.broken, "line is damaged and was passed over", "lines are damaged and were passed over"),
    ];
    for (number, one, many) in notes.into_iter().filter(|(number, ..)| *number > 0) {
        text.push_str(&counted(number, one, many));
        text.push_str(".\n");
    }
    text
}

fn verdicts(summary: &Summary, layout: &Layout) -> String {
    let mut table =
        Table::new([Column::Left("VERDICT"), Column::Right("RECIPIENTS"), Column::Right("MESSAGES")]);
    let number = |tally: &Tally, verdict, would| Cell::new(tally.of(verdict, would).to_string());
    for (verdict, would) in Tally::pairs() {
        if summary.recipients.of(verdict, would) + summary.messages.of(verdict, would) > 0 {
            let recipients = number(&summary.recipients, verdict, would);
            table.row([outcome(verdict, would), recipients, number(&summary.messages, verdict, would)]);
        }
    }
    if summary.lines.records == 0 { String::new() } else { table.render(layout.width, layout.style) }
}

/// What each lock did where it decided.
fn locks(summary: &Summary, layout: &Layout) -> String {
    let columns = [
        Column::Left("LOCK"),
        Column::Right("PASSED"),
        Column::Right("WOULD REFUSE"),
        Column::Right("DEFERRED"),
        Column::Right("REJECTED"),
        Column::Right("DISCARDED"),
    ];
    let mut table = Table::new(columns);
    let mut is_empty = true;
    for (check, tally) in summary.reasons.locks() {
        is_empty = false;
        let numbers = [
            tally.given(Outcome::Pass) - tally.would_not_pass(),
            tally.would_not_pass(),
            tally.given(Outcome::Defer),
            tally.given(Outcome::Reject),
            tally.given(Outcome::Discard),
        ];
        let mut row = vec![Cell::new(harmless(check))];
        row.extend(numbers.map(|number| Cell::new(number.to_string())));
        table.row(row);
    }
    if is_empty { String::new() } else { table.render(layout.width, layout.style) }
}

/// The most frequent names.
fn top(title: &'static str, top: &Top, layout: &Layout) -> String {
    let all = top.sorted();
    if all.is_empty() {
        return String::new();
    }
    let mut table = Table::new([Column::Left(title), Column::Right("DECISIONS")]);
    for (name, records) in all.iter().take(NAMES) {
        table.row([Cell::new(harmless(name)), Cell::new(records.to_string())]);
    }
    let rest = all.iter().skip(NAMES).map(|(_, records)| records).sum::<u64>() + top.further;
    let mut text = table.render(layout.width, layout.style);
    if rest > 0 {
        let _ = writeln!(text, "and {}", counted(rest, "decision about others", "decisions about others"));
    }
    text
}

/// Who sends as us, and what our own SPF records say of it.
fn own_domains(summary: &Summary, layout: &Layout) -> String {
    let columns = [Column::Left("OUR DOMAIN, CLIENTS"), Column::Left("SPF"), Column::Right("DECISIONS")];
    let mut table = Table::new(columns);
    let mut is_empty = true;
    for (domain, result, senders) in summary.own_domains.results() {
        is_empty = false;
        let tone = if result == SpfResult::Pass { Tone::Normal } else { Tone::Alarming };
        table.row([
            Cell::new(domain.as_str()).toned(Tone::Strong),
            Cell::new(result.as_str()).toned(tone),
            Cell::new(senders.records.to_string()),
        ]);
        for (client, records) in senders.clients.sorted().into_iter().take(ADDRESSES) {
            let client = format!("  {}", harmless(client));
            table.row([Cell::new(client), Cell::new(""), Cell::new(records.to_string())]);
        }
    }
    if is_empty { String::new() } else { table.render(layout.width, layout.style) }
}

fn reasons(summary: &Summary, layout: &Layout) -> String {
    let columns =
        [Column::Left("REASON"), Column::Left("CHECK"), Column::Left("VERDICT"), Column::Right("DECISIONS")];
    let mut table = Table::new(columns);
    let reasons = summary.reasons.sorted();
    for reason in &reasons {
        let (name, check) = (Cell::new(harmless(reason.reason)), Cell::new(harmless(reason.check)));
        table.row([
            name,
            check,
            outcome(reason.verdict, reason.would),
            Cell::new(reason.records.to_string()),
        ]);
    }
    if reasons.is_empty() {
        return String::new();
    }
    let mut text = table.render(layout.width, layout.style);
    if summary.reasons.further > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "and {}",
            counted(summary.reasons.further, "with another reason", "with other reasons")
        );
    }
    text
}

fn mismatches(summary: &Summary, layout: &Layout) -> String {
    let all = summary.mismatches.sorted();
    if all.is_empty() {
        return match summary.period {
            Some(_) => "No login sent as somebody else, as far as auth_match looks.\n".to_owned(),
            None => String::new(),
        };
    }
    let wide = layout.is_wide();
    let mut columns = vec![
        Column::Left("LOGIN, ADDRESSES USED"),
        Column::Left("WHERE"),
        Column::Right("MESSAGES"),
        Column::Right("REFUSED"),
    ];
    if wide {
        columns.push(Column::Left("FIRST SEEN"));
    }
    columns.push(Column::Left("LAST SEEN"));
    let mut table = Table::new(columns);
    for (login, place, mismatch) in &all {
        table.row(headline(login, *place, mismatch, wide));
        for (address, messages) in addresses(mismatch) {
            table.row([Cell::new(format!("  {address}")), Cell::new(""), Cell::new(messages.to_string())]);
        }
    }
    let mut text = String::from(
        "Logins that sent as somebody else: messages that auth_match refused, or would\n\
         refuse if it were enforced.\n\n",
    );
    text.push_str(&table.render(layout.width, layout.style));
    if summary.mismatches.further > 0 {
        let further = counted(summary.mismatches.further, "message", "messages");
        let _ = writeln!(text, "and {further} of other logins");
    }
    text
}

fn headline(login: &str, place: Place, mismatch: &Mismatch, wide: bool) -> Vec<Cell> {
    let place = match place {
        Place::MailFrom => "MAIL FROM",
        Place::HeaderFrom => "From",
        Place::Sender => "Sender",
        Place::MalformedFrom => "malformed",
    };
    let refused = Cell::new(mismatch.rejected.to_string());
    let mut cells = vec![
        Cell::new(harmless(login)).toned(Tone::Strong),
        Cell::new(place),
        Cell::new(mismatch.messages().to_string()),
        if mismatch.rejected > 0 { refused.toned(Tone::Alarming) } else { refused },
    ];
    if wide {
        cells.extend([minute(mismatch.first), minute(mismatch.last)].map(Cell::new));
    } else {
        cells.push(Cell::new(day(mismatch.last)));
    }
    cells
}

/// The addresses to show with their numbers of messages, and what is left of them in one line.
fn addresses(mismatch: &Mismatch) -> Vec<(String, u64)> {
    let all = mismatch.addresses();
    let mut lines: Vec<(String, u64)> =
        all.iter().take(ADDRESSES).map(|(address, messages)| (harmless(address), *messages)).collect();
    let more = all.len() - lines.len();
    let left = mismatch.messages() - lines.iter().map(|(_, messages)| messages).sum::<u64>();
    if left > 0 {
        let least = if mismatch.further > 0 { "more than " } else { "" };
        lines.push((format!("and {least}{more} more"), left));
    }
    lines
}

fn outcome(verdict: Outcome, would: Outcome) -> Cell {
    let tone = if verdict == Outcome::Reject { Tone::Alarming } else { Tone::Normal };
    let text = if verdict == would {
        verdict.as_str().to_owned()
    } else {
        format!("{}, would {}", verdict.as_str(), would.as_str())
    };
    Cell::new(text).toned(tone)
}
