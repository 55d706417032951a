//! The steps of an evaluation, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use super::check::Evaluation;
use crate::cli::layout::{Layout, wrapped};
use crate::cli::table::Tone;
use crate::journal::render::harmless;
use crate::mail::spf::{SpfIdentity, SpfResult};
use crate::spf::trace::{Outcome, Policy, Query, Step};
use crate::spf::{NotFound, Options};

/// Records of an answer that are shown; a JSON has all.
const SHOWN: usize = 6;

/// The evaluations as text.
pub(super) fn render(evaluations: &[Evaluation], options: &Options, layout: &Layout) -> String {
    let texts: Vec<String> = evaluations.iter().map(|one| evaluation(one, options, layout)).collect();
    texts.join("\n")
}

fn evaluation(Evaluation { question, traced }: &Evaluation, options: &Options, layout: &Layout) -> String {
    let mut text = String::new();
    let who = match question.identity {
        SpfIdentity::Helo => format!("HELO {}", question.helo),
        SpfIdentity::MailFrom if question.local_part.is_empty() => format!("MAIL FROM {}", question.domain),
        SpfIdentity::MailFrom => format!("MAIL FROM {}@{}", question.local_part, question.domain),
    };
    let who = harmless(&format!("{who} from {}", question.client));
    let _ = writeln!(text, "{}\n", Tone::Strong.paint(&who, layout.style));
    let mut drawing = Drawing { text: &mut text, layout, lookups: 0 };
    if let Some(policy) = &traced.policy {
        drawing.policy(policy, "");
    }
    for query in &traced.unfinished {
        drawing.query(query, "");
    }
    if !text.ends_with("\n\n") {
        text.push('\n');
    }
    let tone = if traced.answer.result == SpfResult::Pass { Tone::Strong } else { Tone::Alarming };
    let result = tone.paint(traced.answer.result.as_str(), layout.style);
    let _ = writeln!(text, "result         {result}");
    let mut line = |label: &str, value: &str| {
        text.push_str(&wrapped(&harmless(value), &format!("{label:<15}"), &" ".repeat(15), layout.width));
    };
    if !traced.answer.cause.is_empty() {
        line("because", &traced.answer.cause);
    }
    if let Some(explanation) = &traced.answer.explanation {
        line("they say", explanation);
    }
    line("look-ups", &format!("{} of {}", traced.counts.lookups, options.lookups));
    line("void look-ups", &format!("{} of {}", traced.counts.void_lookups, options.void_lookups));
    text
}

/// A tree that is being drawn.
struct Drawing<'a> {
    text: &'a mut String,
    layout: &'a Layout,
    /// Look-ups counted so far, in the order of evaluation.
    lookups: usize,
}

impl Drawing<'_> {
    /// A domain with its record and its terms; `front` stands before every line.
    fn policy(&mut self, policy: &Policy, front: &str) {
        self.plain(&policy.domain, front, front);
        let hanging = format!("{front}  ");
        for record in &policy.records {
            self.plain(record, &hanging, &format!("{hanging}  "));
        }
        if let Some(flaw) = &policy.flaw {
            self.toned(flaw, Tone::Alarming, &hanging);
        }
        let column = policy.steps.iter().map(|step| harmless(&step.term).width()).max().unwrap_or(0);
        for (at, step) in policy.steps.iter().enumerate() {
            let is_last = at + 1 == policy.steps.len();
            let (branch, trunk) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.step(step, column.min(self.layout.width / 2), (front, branch), &format!("{front}{trunk}"));
        }
    }

    fn step(&mut self, step: &Step, column: usize, (front, branch): (&str, &str), below: &str) {
        let (outcome, tone) = outcome(step);
        let counts = self.counts(step);
        let term = harmless(&step.term);
        let begin = format!("{front}{branch}");
        let beside = begin.width() + column.max(term.width()) + 2;
        let needed = outcome.width() + counts.width();
        if beside + needed <= self.layout.width {
            let blanks = " ".repeat(column.saturating_sub(term.width()) + 2);
            let outcome = tone.paint(&outcome, self.layout.style);
            let _ = writeln!(self.text, "{begin}{term}{blanks}{outcome}{counts}");
        } else {
            self.plain(&step.term, &begin, &format!("{below}  "));
            self.toned(&format!("{outcome}{counts}"), tone, &format!("{below}  "));
        }
        for query in &step.queries {
            self.query(query, &format!("{below}    "));
        }
        if let Some(inner) = &step.inner {
            self.policy(inner, below);
        }
    }

    /// Which look-up it is, and how many came back empty.
    fn counts(&mut self, step: &Step) -> String {
        let mut text = String::new();
        if step.counts.lookups > 0 {
            self.lookups += step.counts.lookups;
            let _ = write!(text, "  look-up {}", self.lookups);
        }
        if step.counts.void_lookups > 0 {
            let _ = write!(text, ", {} void", step.counts.void_lookups);
        }
        text
    }

    fn query(&mut self, query: &Query, front: &str) {
        let answer = match &query.answer {
            None => "no answer yet".to_owned(),
            Some(Err(NotFound::NoRecords)) => "no records".to_owned(),
            Some(Err(NotFound::Failed(why))) => why.clone(),
            Some(Ok(records)) => {
                let shown: Vec<&str> =
                    records.iter().take(SHOWN).map(|text| if text.is_empty() { "." } else { text }).collect();
                let more = records.len().saturating_sub(SHOWN);
                let more = if more == 0 { String::new() } else { format!(" and {more} more") };
                format!("{}{more}", shown.join(", "))
            }
        };
        let text = format!("{} {}: {answer}", query.record_type, query.name);
        self.plain(&text, front, &format!("{front}  "));
    }

    fn plain(&mut self, text: &str, first: &str, further: &str) {
        self.text.push_str(&wrapped(&harmless(text), first, further, self.layout.width));
    }

    fn toned(&mut self, text: &str, tone: Tone, front: &str) {
        let lines = wrapped(&harmless(text), "", "", self.layout.width.saturating_sub(front.width()));
        for line in lines.lines() {
            let _ = writeln!(self.text, "{front}{}", tone.paint(line, self.layout.style));
        }
    }
}

/// What came of a term, in words.
fn outcome(step: &Step) -> (String, Tone) {
    let inner = step.inner.as_ref().map(|inner| inner.result);
    match &step.outcome {
        Outcome::Matched(result) => (format!("matches: {result}"), Tone::Strong),
        Outcome::NoMatch => match inner {
            // RFC 7208, 5.2: what is included matches by its pass alone.
            Some(result) => (format!("no match, as it gives {result}"), Tone::Normal),
            None => ("no match".to_owned(), Tone::Normal),
        },
        Outcome::Redirected(result) => (format!("decides: {result}"), Tone::Strong),
        Outcome::Failed(result, why) => (format!("{result}: {why}"), Tone::Alarming),
        Outcome::Explained => ("asked for an explanation".to_owned(), Tone::Normal),
        Outcome::NotReached => ("not reached".to_owned(), Tone::Normal),
    }
}

/// A policy as JSON.
pub(super) fn json(policy: &Policy) -> Value {
    json!({
        "domain": policy.domain,
        "records": policy.records,
        "flaw": policy.flaw,
        "result": policy.result.as_str(),
        "terms": policy.steps.iter().map(step_json).collect::<Vec<_>>(),
    })
}

fn step_json(step: &Step) -> Value {
    let (outcome, result, why) = match &step.outcome {
        Outcome::Matched(result) => ("matched", Some(*result), None),
        Outcome::NoMatch => ("no-match", None, None),
        Outcome::Redirected(result) => ("redirected", Some(*result), None),
        Outcome::Failed(result, why) => ("failed", Some(*result), Some(why)),
        Outcome::Explained => ("explained", None, None),
        Outcome::NotReached => ("not-reached", None, None),
    };
    json!({
        "term": step.term,
        "outcome": outcome,
        "result": result.map(SpfResult::as_str),
        "why": why,
        "lookups": step.counts.lookups,
        "void_lookups": step.counts.void_lookups,
        "queries": step.queries.iter().map(query_json).collect::<Vec<_>>(),
        "policy": step.inner.as_deref().map(json),
    })
}

/// A query as JSON.
pub(super) fn query_json(query: &Query) -> Value {
    let (records, error) = match &query.answer {
        None => (None, None),
        Some(Ok(records)) => (Some(records.clone()), None),
        Some(Err(NotFound::NoRecords)) => (Some(Vec::new()), None),
        Some(Err(NotFound::Failed(why))) => (None, Some(why)),
    };
    json!({ "type": query.record_type, "name": query.name, "records": records, "error": error })
}
