//! A decision of the log, and whether it would still be the same.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::report::lines::{Line, Lines};
use crate::config::Config;
use crate::decide::Decision;
use crate::facts::SourceId;
use crate::journal::judged::{Found, Judged, Lost, Unjudged, read};
use crate::journal::parse::{Entry, Field, parse};
use crate::sources::recipients;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logged {
    /// As it stands there.
    pub(super) line: String,
    pub(super) time: String,
    pub(super) event: &'static str,
    pub(super) verdict: String,
    pub(super) would: String,
    pub(super) check: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) reply: Option<String>,
    pub(super) reference: Option<String>,
}

impl Logged {
    fn of(line: &str, entry: &Entry<'_>) -> Self {
        let text = |field| entry.text(field).map(str::to_owned);
        Self {
            line: line.to_owned(),
            time: entry.time.to_string(),
            event: entry.event.as_str(),
            verdict: entry.verdict.as_str().to_owned(),
            would: entry.would.as_str().to_owned(),
            check: text(Field::Check),
            reason: text(Field::Reason),
            detail: text(Field::Detail),
            reply: text(Field::Reply),
            reference: text(Field::Ref),
        }
    }

    /// Finds the decision of this reference, or the last of this queue id; the error says why there is none.
    pub(super) fn find(wanted: &str, logs: &[PathBuf]) -> Result<Self, String> {
        let mut found: Option<Self> = None;
        for path in logs {
            let cannot = |error: io::Error| format!("cannot read {}: {error}", path.display());
            let log: Box<dyn io::Read> = if path == Path::new("-") {
                Box::new(io::stdin())
            } else {
                Box::new(File::open(path).map_err(cannot)?)
            };
            let mut lines = Lines::new(log);
            while let Some(line) = lines.next().map_err(cannot)? {
                let Line::Whole(octets) = line else { continue };
                let Some(text) = str::from_utf8(octets).ok().filter(|text| text.contains(wanted)) else {
                    continue;
                };
                let Ok(entry) = parse(text) else { continue };
                if entry.text(Field::Ref) == Some(wanted) {
                    return Ok(Self::of(text, &entry));
                }
                if entry.text(Field::QueueId) == Some(wanted) {
                    found = Some(Self::of(text, &entry));
                }
            }
        }
        let names: Vec<String> = logs.iter().map(|path| path.display().to_string()).collect();
        found.ok_or_else(|| format!("no decision in {} has reference or queue id {wanted}", names.join(", ")))
    }

    /// What it was judged on.
    pub(super) fn judged(&self, config: &Config) -> Result<Judged, Unjudged> {
        let names = recipients::identities(&config.recipients);
        read(&self.line, |name| {
            let number = names.iter().position(|known| known == name)?;
            Some(SourceId { number, cost: config.recipients.get(number)?.cost() })
        })
    }
}

/// The comparison of what was decided with what would be decided now.
pub(super) struct Replay {
    pub(super) logged: Logged,
    /// The findings as they were.
    pub(super) findings: Vec<Found>,
    pub(super) lost: Vec<Lost>,
    /// What is otherwise now, in words; nothing if all is the same.
    pub(super) changes: Vec<String>,
}

impl Replay {
    /// Compares. `refused` are recipients that were accepted and would not be now.
    pub(super) fn new(logged: Logged, judged: Judged, now: Option<&Decision>, refused: &[String]) -> Self {
        let Judged { findings, lost, .. } = judged;
        let mut changes: Vec<String> =
            refused.iter().map(|path| format!("{path} was accepted and is not now")).collect();
        match now {
            Some(decision) => changes.extend(differences(&logged, &findings, decision)),
            None => changes.push("the message would not be sent, as no recipient is accepted now".to_owned()),
        }
        Self { logged, findings, lost, changes }
    }
}

/// What differs between a logged decision and the one made now.
fn differences(logged: &Logged, then: &[Found], now: &Decision) -> Vec<String> {
    let mut changes = Vec::new();
    let mut compare = |what: &str, then: &str, now: &str| {
        if then != now {
            changes.push(format!("{what} was {then} and is {now}"));
        }
    };
    compare("the verdict", &logged.verdict, now.verdict.as_str());
    compare("the verdict if all were enforced", &logged.would, now.would.as_str());
    let tail = logged.reference.as_ref().map(|reference| format!(" (ref {reference})")).unwrap_or_default();
    let told = |text: Option<&str>| text.map_or_else(|| "none".to_owned(), |text| format!("‘{text}’"));
    let (then_had, then_told) = match logged.reply.as_deref() {
        Some(text) => (text.ends_with(&tail), Some(text.strip_suffix(&tail).unwrap_or(text))),
        None => (false, None),
    };
    let reply = now.verdict.reply().or(now.would.reply()).map(|reply| match &logged.reference {
        // A long text gives way to the reference, so it must have had one to be compared.
        Some(reference) if then_had => {
            let text = reply.with_reference(reference).to_string();
            text.strip_suffix(&tail).map(str::to_owned).unwrap_or(text)
        }
        _ => reply.to_string(),
    });
    compare("the reply", &told(then_told), &told(reply.as_deref()));
    let now: Vec<Found> = now
        .findings
        .iter()
        .map(|finding| Found {
            check: finding.check.as_str().to_owned(),
            domain: finding.domain.as_ref().map(ToString::to_string),
            mode: finding.mode.as_str().to_owned(),
            judgment: finding.judgment.as_str().to_owned(),
            reason: finding.judgment.remark().reason.to_owned(),
        })
        .collect();
    let said = |found: Option<&Found>| {
        found.map_or_else(
            || "nothing".to_owned(),
            |found| format!("{} ({}, {})", found.judgment, found.reason, found.mode),
        )
    };
    let same_place = |one: &Found, other: &Found| one.check == other.check && one.domain == other.domain;
    let places = then.iter().chain(now.iter().filter(|new| !then.iter().any(|old| same_place(old, new))));
    for place in places {
        let old = then.iter().find(|found| same_place(found, place));
        let new = now.iter().find(|found| same_place(found, place));
        let domain = place.domain.as_ref().map(|domain| format!(" of {domain}")).unwrap_or_default();
        compare(&format!("what {}{domain} found", place.check), &said(old), &said(new));
    }
    changes
}
