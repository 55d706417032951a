//! A plan for people, which is at the same time a piece of a table of Postfix's: the aliases are its lines, and everything
//! else is a comment.

use std::fmt::Write as _;

use super::plan::Plan;
use super::report::{described, further, shortened};
use super::survey::Entry;
use crate::cli::layout::{Layout, counted, day};
use crate::cli::table::{Cell, Column, Table};
use crate::config::Style;
use crate::journal::render::harmless;
use crate::mail::Mailbox;

/// What stands in an alias where nobody said what it leads to.
const TARGET: &str = "TARGET";

/// What a line of a comment begins with.
const COMMENT: &str = "# ";

/// The plan as text.
pub(super) fn render(plan: &Plan<'_>, target: Option<&Mailbox>, layout: &Layout, all: bool) -> String {
    let parts = [
        head(plan, target),
        keep(plan, target),
        undecided(plan, target),
        drop(plan, layout, all),
        outlooks(plan, layout),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn head(plan: &Plan<'_>, target: Option<&Mailbox>) -> String {
    let (first, last) = (plan.since.date(), plan.last.date());
    let mut text = format!(
        "{COMMENT}Aliases in place of the catch-all of {}.\n\
         {COMMENT}By mail from {first} to {last} (UTC).\n",
        plan.survey.domain
    );
    if target.is_none() {
        let _ =
            writeln!(text, "{COMMENT}{TARGET} stands for what the wildcard delivers to; --target names it.");
    }
    text
}

/// The aliases to keep.
fn keep(plan: &Plan<'_>, target: Option<&Mailbox>) -> String {
    let names = counted(plan.keep.len() as u64, "name", "names");
    let mut text = format!("{COMMENT}Keep: {names} that real people use.\n");
    let width = plan.keep.iter().map(|entry| address(entry).chars().count()).max().unwrap_or_default();
    for entry in &plan.keep {
        let line = format!("{:width$}  {}", address(entry), shown_target(target));
        if is_key(&entry.name.mailbox) {
            let _ = writeln!(text, "{line}");
        } else {
            let _ = writeln!(
                text,
                "{COMMENT}Postfix's tables cannot hold this one as it stands:\n{COMMENT}{line}"
            );
        }
    }
    text
}

fn undecided(plan: &Plan<'_>, target: Option<&Mailbox>) -> String {
    if plan.undecided.is_empty() {
        return String::new();
    }
    let names = counted(plan.undecided.len() as u64, "name", "names");
    let mut text = format!(
        "{COMMENT}Look at: {names} of which nobody can tell, as senders were not examined\n\
         {COMMENT}by SPF, or wrote again though they were not authorised. Remove the mark in\n\
         {COMMENT}front of those that shall stay.\n"
    );
    let width = plan.undecided.iter().map(|entry| address(entry).chars().count()).max().unwrap_or_default();
    for entry in &plan.undecided {
        let _ = writeln!(text, "#{:width$}  {}", address(entry), shown_target(target));
    }
    text
}

fn drop(plan: &Plan<'_>, layout: &Layout, all: bool) -> String {
    if plan.drop.is_empty() {
        return String::new();
    }
    let columns =
        [Column::Left("NAME"), Column::Left("WHY"), Column::Right("MESSAGES"), Column::Left("LAST SEEN")];
    let mut table = Table::new(columns);
    let (shown, hidden) = shortened(plan.drop.iter().copied(), all);
    for entry in shown {
        let name = &entry.name;
        table.row([
            Cell::new(harmless(name.mailbox.local_part())),
            Cell::new(described(&entry.verdict)),
            Cell::new(name.total().messages.to_string()),
            Cell::new(day(name.last)),
        ]);
    }
    let names = counted(plan.drop.len() as u64, "name", "names");
    let table = table.render(layout.width - COMMENT.len(), Style::Plain);
    commented(&format!("Drop: {names}.\n{table}{}", further(&hidden)))
}

/// What the mail of these days would have come to.
fn outlooks(plan: &Plan<'_>, layout: &Layout) -> String {
    let columns = [
        Column::Left("MODE"),
        Column::Right("DEFERRED"),
        Column::Right("LOST"),
        Column::Right("CORRESPONDENTS"),
        Column::Right("SPF PASS"),
    ];
    let mut table = Table::new(columns);
    for outlook in &plan.outlooks {
        // Nobody knows who would have come back.
        let most = if outlook.deferred > 0 { "up to " } else { "" };
        let more = if outlook.is_crowded { "+" } else { "" };
        table.row([
            Cell::new(outlook.mode),
            Cell::new(outlook.deferred.to_string()),
            Cell::new(format!("{most}{}", outlook.lost)),
            Cell::new(format!("{}{more}", outlook.correspondents)),
            Cell::new(format!("{}{more}", outlook.passing)),
        ]);
    }
    let table = table.render(layout.width - COMMENT.len(), Style::Plain);
    commented(&format!("Messages of these days, and their correspondents, by mode:\n{table}"))
}

/// Each line as a comment.
fn commented(text: &str) -> String {
    text.lines().fold(String::new(), |mut commented, line| {
        let _ = writeln!(commented, "{}", format!("{COMMENT}{line}").trim_end());
        commented
    })
}

fn address(entry: &Entry) -> String {
    harmless(&entry.name.mailbox.to_string())
}

fn shown_target(target: Option<&Mailbox>) -> String {
    target.map_or_else(|| TARGET.to_owned(), |target| harmless(&target.to_string()))
}

/// Whether the address can be the key of a line: what Postfix reads as it is written (postmap(1)).
fn is_key(mailbox: &Mailbox) -> bool {
    let local_part = mailbox.local_part();
    let plain = |c: char| c.is_ascii_alphanumeric() || "!$%&'*+-/=?^_`{|}~.".contains(c);
    !local_part.is_empty() && local_part.chars().all(plain)
}
