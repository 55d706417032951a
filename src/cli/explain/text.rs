//! What `explain` found out, for people.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::outcome::{Explained, Outcome};
use super::replay::Replay;
use super::words;
use crate::check::{Finding, Mode};
use crate::cli::layout::Layout;
use crate::cli::table::Tone;
use crate::decide::{Decision, Verdict};
use crate::journal::render::harmless;
use crate::mail::Edit;

/// Columns of the first column.
const LABEL: usize = 11;

/// The text so far, and how it looks.
struct Text {
    text: String,
    layout: Layout,
    /// Whether long values go on in the next line; a program reads them better in one.
    wraps: bool,
}

/// The outcome as aligned text.
pub(super) fn render(outcome: &Outcome, all: bool, layout: Layout, wraps: bool) -> String {
    let mut text = Text { text: String::new(), layout, wraps };
    if let Some(replay) = &outcome.replay {
        text.replay(replay, all);
    }
    text.line("client", &outcome.client);
    text.line("helo", if outcome.helo.is_empty() { "(none)" } else { &outcome.helo });
    text.line("mail from", &outcome.mail_from);
    if let Some(login) = &outcome.login {
        text.line("login", login);
    }
    text.line("origin", &format!("{} (listener of role {})", outcome.origin.as_str(), outcome.role.as_str()));
    for note in &outcome.notes {
        text.line("note", note);
    }
    for (path, explained) in &outcome.recipients {
        text.text.push('\n');
        text.toned("rcpt to", &path.to_string(), Tone::Strong);
        text.describe(outcome, explained, all);
    }
    match &outcome.message {
        None if outcome.about_message => {
            text.text.push('\n');
            text.line("message", "is never sent, as no recipient is accepted");
        }
        None => {}
        Some(explained) => {
            text.text.push('\n');
            text.line("message", "");
            text.describe(outcome, explained, all);
            for (_, edit) in &explained.decision.edits {
                text.edit(edit);
            }
        }
    }
    text.text
}

impl Text {
    fn replay(&mut self, replay: &Replay, all: bool) {
        let logged = &replay.logged;
        self.toned("logged", &format!("{} at {}", logged.event, logged.time), Tone::Strong);
        let would = if logged.would == logged.verdict {
            String::new()
        } else {
            format!(" (would be {} if all were enforced)", logged.would)
        };
        self.line("  verdict", &format!("{}{would}", logged.verdict));
        if let (Some(check), Some(reason)) = (&logged.check, &logged.reason) {
            self.line("  check", &format!("{check}: {reason}"));
        }
        for (label, value) in [("  because", &logged.detail), ("  reply", &logged.reply)] {
            if let Some(value) = value {
                self.line(label, value);
            }
        }
        for found in replay.findings.iter().filter(|_| all) {
            let domain = found.domain.as_ref().map(|domain| format!(" of {domain}")).unwrap_or_default();
            let (check, mode) = (&found.check, &found.mode);
            self.line("  found", &format!("{check}{domain}: {}, {}, {mode}", found.judgment, found.reason));
        }
        for lost in &replay.lost {
            let (name, source) = (&lost.recipient, &lost.source);
            let said = &lost.said;
            self.line(
                "  gone",
                &format!("{source} said of {name}: {said}; that source is no longer configured"),
            );
        }
        if replay.changes.is_empty() {
            self.toned("now", "it would be decided the same", Tone::Strong);
        } else {
            self.toned("now", "it would be decided otherwise", Tone::Alarming);
        }
        for change in &replay.changes {
            self.line("  change", change);
        }
        self.text.push('\n');
    }

    fn describe(&mut self, outcome: &Outcome, explained: &Explained, all: bool) {
        let decision = &explained.decision;
        let refuses = !matches!(decision.verdict, Verdict::Pass);
        self.toned("  verdict", &verdict(decision), if refuses { Tone::Alarming } else { Tone::Normal });
        let decisive = decision.decisive();
        if decisive.is_none() {
            self.line(
                "  because",
                "no lock concerns it: the recipient's domain is not hosted here, or its locks are off",
            );
        }
        for finding in decision.findings.iter().filter(|finding| all || Some(*finding) == decisive) {
            self.line("  check", &headline(finding));
            self.line("  because", &finding.judgment.remark().detail);
        }
        for (check, domain) in explained.needless.iter().filter(|_| all) {
            let domain = domain.as_ref().map(|domain| format!(" of {domain}")).unwrap_or_default();
            self.line("  check", &format!("{check}{domain}: not examined, as it cannot change the verdict"));
        }
        if let Some(reply) = decision.verdict.reply() {
            self.line("  reply", &reply.to_string());
        } else if let Some(reply) = decision.would.reply() {
            self.line("  reply", &format!("would be {reply}"));
        }
        for (question, answer, by) in &explained.asked {
            let (question, by) =
                (words::question(question, &outcome.source_names), words::by(*by, outcome.replay.is_some()));
            self.line("  asked", &format!("{question}{by}"));
            self.line("  answer", &words::answer(answer));
        }
    }

    fn edit(&mut self, edit: &Edit) {
        match edit {
            Edit::Delete { name, occurrence } => {
                self.line("  delete", &format!("{name} number {occurrence}"))
            }
            Edit::DeleteRecipient(address) => self.line("  remove", &format!("recipient {address}")),
            Edit::AddRecipient { address, parameters } => {
                self.line("  add", &format!("recipient {address} {parameters}"));
            }
            Edit::InsertAtTop(field) => self.line("  insert", &format!("{}: {}", field.name, field.value)),
        }
    }

    fn line(&mut self, label: &str, value: &str) {
        self.toned(label, value, Tone::Normal);
    }

    /// One labelled line; further lines of a folded value are indented below it. Writing to a String cannot fail.
    fn toned(&mut self, label: &str, value: &str, tone: Tone) {
        let mut label = format!("{label:LABEL$}");
        let mut indent = LABEL + 1;
        for line in value.split('\n') {
            let line = shown(line.trim());
            let room = if self.wraps { self.layout.width.saturating_sub(indent) } else { usize::MAX };
            for piece in fold(&line, room) {
                let painted = tone.paint(&piece, self.layout.style);
                let _ = writeln!(self.text, "{}", format!("{label:<0$} {painted}", indent - 1).trim_end());
                label.clear();
            }
            indent = LABEL + 3;
        }
    }
}

/// Text that shows as itself; the quotation marks of our own sentences do.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(['‘', '’']) {
        let inner = piece.trim_end_matches(['‘', '’']);
        shown.push_str(&harmless(inner));
        shown.push_str(&piece[inner.len()..]);
    }
    shown
}

/// The text in pieces of so many columns, broken at blanks; a word that is longer has a line of its own.
fn fold(text: &str, room: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for word in text.split(' ') {
        let last =
            pieces.last_mut().filter(|last| last.is_empty() || last.width() + 1 + word.width() <= room);
        match last {
            Some(last) if last.is_empty() => last.push_str(word),
            Some(last) => last.extend([" ", word]),
            None => pieces.push(word.to_owned()),
        }
    }
    pieces
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding() {
        assert_eq!(fold("ab cd efgh", 5), ["ab cd", "efgh"]);
        assert_eq!(fold("abcdefgh ij", 5), ["abcdefgh", "ij"]);
        assert_eq!(fold("", 5), [""]);
        assert_eq!(fold("a b", usize::MAX), ["a b"]);
    }
}
