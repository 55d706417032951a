//! The checklist for people. Lines to change begin in the first column and are never folded, so that they can be copied.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::super::layout::Layout;
use super::super::table::Tone;
use crate::audit::{Audit, Change, Place, Row, State, Verdict};
use crate::journal::render::harmless;

/// Columns of a state with its gutter.
const STATE: usize = 16;

/// Findings of one row that are shown.
const MOST: usize = 12;

/// The checklist. With `only_open`, what is good or does not apply is left out.
pub(super) fn render(audit: &Audit, only_open: bool, layout: &Layout) -> String {
    let mut text = String::new();
    let mut chapter = None;
    for (row, verdict) in &audit.rows {
        let is_quiet = matches!(verdict.state(), State::Good | State::NotApplicable | State::Accepted);
        if only_open && is_quiet {
            continue;
        }
        if chapter != Some(row.chapter) {
            if chapter.is_some() {
                text.push('\n');
            }
            chapter = Some(row.chapter);
            text += &Tone::Strong.paint(row.chapter.title(), layout.style);
            text.push('\n');
        }
        text += &row_of(row, verdict, layout);
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text + &summary(audit) + "\n"
}

/// How many rows are in each state that occurs.
fn summary(audit: &Audit) -> String {
    let counts = State::NAMES.iter().map(|(state, name)| (audit.count(*state), name));
    let counts: Vec<String> =
        counts.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    counts.join(", ")
}

fn row_of(row: &Row, verdict: &Verdict, layout: &Layout) -> String {
    let state = verdict.state();
    let tone = match state {
        State::Open => Tone::Alarming,
        State::Doubtful | State::Unknown => Tone::Strong,
        State::Good | State::Accepted | State::NotApplicable => Tone::Normal,
    };
    let mut text =
        format!("{}{}", tone.paint(state.as_str(), layout.style), " ".repeat(STATE - state.as_str().len()));
    let name = format!("[{}]", row.name);
    text += &folded(&format!("{} {name}", row.title), STATE, layout.width);
    let evidence = verdict.evidence();
    for (_, found) in evidence.iter().take(MOST) {
        text += &item("", found, layout.width);
    }
    if let Some(more) = evidence.len().checked_sub(MOST).filter(|more| *more > 0) {
        text += &item("", &format!("and {more} more"), layout.width);
    }
    if matches!(state, State::Open | State::Doubtful) {
        text += &item("consequence: ", row.consequence, layout.width);
        for change in verdict.changes() {
            text += &change_of(change, layout);
        }
    }
    text
}

/// A line below a row, indented and folded.
fn item(label: &str, content: &str, width: usize) -> String {
    " ".repeat(STATE) + &folded(&format!("{label}{}", harmless(content)), STATE, width)
}

/// Lines to change, with where they belong.
fn change_of(change: &Change, layout: &Layout) -> String {
    let place = match &change.place {
        Place::Set(file) => format!("in {file}, instead of what is there of the same name:"),
        Place::Merge(file) => format!("in {file}, keeping what stands beside these keys:"),
        Place::Service { file, service } => {
            format!("in {file}, below the service {service}, instead of what is there of the same name:")
        }
        Place::Add(file) => format!("at the end of {file}:"),
        Place::Remove(file) => format!("remove from {file}:"),
        Place::Run => "run:".to_owned(),
        Place::Publish => "in the DNS:".to_owned(),
    };
    let mut text = item("", &place, layout.width);
    for line in &change.lines {
        let line = shown(line);
        writeln!(text, "{}", Tone::Strong.paint(&line, layout.style)).expect("writing to a string");
    }
    text
}

/// A line to change. A tab is itself; whatever else does not show as itself must not be copied, and is escaped.
fn shown(line: &str) -> String {
    let parts: Vec<String> = line.split('\t').map(|part| harmless(part).replace("\\\\", "\\")).collect();
    parts.join("\t")
}

/// Text in lines of at most `width` columns, of which all but the first are indented.
fn folded(text: &str, indent: usize, width: usize) -> String {
    let mut lines = String::new();
    let mut at = indent;
    for word in text.split(' ') {
        let wide = word.width();
        if at > indent && at + 1 + wide > width {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            at = indent;
        } else if at > indent {
            lines.push(' ');
            at += 1;
        }
        lines.push_str(word);
        at += wide;
    }
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_folded_between_words() {
        assert_eq!(folded("aa bb cc", 2, 7), "aa bb\n  cc\n");
        assert_eq!(folded("averylongword b", 2, 7), "averylongword\n  b\n");
    }

    #[test]
    fn lines_to_change_are_as_they_must_be_written() {
        assert_eq!(shown("a\tb \\. \u{1b}[31m"), "a\tb \\. \\u001b[31m");
    }
}
