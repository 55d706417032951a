//! `catch-all plan`: what to keep, what to drop, and what that costs.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::report::entry_json;
use super::survey::{Entry, Survey};
use crate::journal::render::harmless_json;
use crate::mail::Mailbox;
use crate::memory::Day;
use crate::memory::catch_all::{Correspondent, Spf, Verdict};

/// The plan for one domain.
pub(super) struct Plan<'a> {
    pub(super) survey: &'a Survey,
    /// The days that count, both included.
    pub(super) since: Day,
    pub(super) last: Day,
    /// Names that need an alias.
    pub(super) keep: Vec<&'a Entry>,
    /// Names of which nobody can tell.
    pub(super) undecided: Vec<&'a Entry>,
    /// Names that need none.
    pub(super) drop: Vec<&'a Entry>,
    /// What becomes of the mail of these days.
    pub(super) outlooks: [Outlook; 4],
}

/// What would have become of mail that only the wildcard let in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outlook {
    pub(super) mode: &'static str,
    /// Messages that would have been deferred.
    pub(super) deferred: u32,
    /// Messages that would have been lost; with soft those of senders that never come back, so at most these.
    pub(super) lost: u32,
    /// Who wrote these, the null reverse-path apart.
    pub(super) correspondents: usize,
    /// Those of them that SPF said pass of.
    pub(super) passing: usize,
    /// Whether there were more of them than are kept.
    pub(super) is_crowded: bool,
}

impl<'a> Plan<'a> {
    /// The plan by the last `days` days on record; by all of them where none is said.
    pub(super) fn of(survey: &'a Survey, days: Option<u32>) -> Self {
        let last = survey.entries.iter().map(|entry| Day::of(entry.name.last)).max();
        let last = last.unwrap_or(Day::MIN);
        let first = survey.entries.iter().filter_map(|entry| entry.name.days.keys().next().copied()).min();
        let since = days.map_or(first.unwrap_or(last), |days| last.back(days - 1)).max(first.unwrap_or(last));
        let select = |wanted: fn(&Verdict) -> bool| -> Vec<&Entry> {
            survey.entries.iter().filter(|entry| wanted(&entry.verdict)).collect()
        };
        let keep = select(|verdict| matches!(verdict, Verdict::Real(_)));
        let undecided = select(|verdict| matches!(verdict, Verdict::Unknown));
        let drop = select(|verdict| !matches!(verdict, Verdict::Real(_) | Verdict::Unknown));
        let untold = survey.untold(since);
        let others: Vec<&Entry> = undecided.iter().chain(&drop).copied().collect();
        let everything: Vec<&Entry> = survey.entries.iter().collect();
        let (with, without) = (outlook(&others, since, untold), outlook(&everything, since, untold));
        let outlooks = [
            Outlook { mode: "allow, learn", ..Outlook::default() },
            Outlook { mode: "soft", deferred: with.lost, ..with },
            Outlook { mode: "reject with the aliases", ..with },
            Outlook { mode: "reject without them", ..without },
        ];
        Self { survey, since, last, keep, undecided, drop, outlooks }
    }

    /// The plan as JSON. The keys are a contract: others may come, none goes or changes its meaning.
    pub(super) fn json(&self, target: Option<&Mailbox>) -> String {
        let entries = |entries: &[&Entry]| entries.iter().map(|entry| entry_json(entry)).collect::<Vec<_>>();
        let modes: Vec<Value> = self
            .outlooks
            .iter()
            .zip(["learn", "soft", "reject_with_aliases", "reject_without_aliases"])
            .map(|(outlook, mode)| {
                json!({
                    "mode": mode,
                    "deferred": outlook.deferred,
                    "lost": outlook.lost,
                    "correspondents": outlook.correspondents,
                    "spf_pass": outlook.passing,
                    "more_correspondents": outlook.is_crowded,
                })
            })
            .collect();
        let value = json!({
            "domain": self.survey.domain.to_string(),
            "target": target.map(ToString::to_string),
            "first_day": self.since.date().to_string(),
            "last_day": self.last.date().to_string(),
            "keep": entries(&self.keep),
            "undecided": entries(&self.undecided),
            "drop": entries(&self.drop),
            "modes": modes,
        });
        harmless_json(&format!("{value:#}\n"))
    }
}

/// What is lost with these names, and `untold` further messages.
fn outlook(entries: &[&Entry], since: Day, untold: u32) -> Outlook {
    let lost = entries.iter().map(|entry| entry.name.since(since).messages).sum::<u32>();
    let correspondents = |wanted: fn(&Correspondent) -> bool| {
        let all = entries.iter().flat_map(|entry| &entry.name.correspondents);
        let counted = all.filter(|one| one.days.last() >= since && wanted(one));
        counted.map(|one| one.sender).collect::<HashSet<u64>>().len()
    };
    Outlook {
        lost: lost.saturating_add(untold),
        correspondents: correspondents(|_| true),
        passing: correspondents(|one| one.spf == Spf::Pass),
        is_crowded: entries.iter().any(|entry| entry.name.is_crowded),
        ..Outlook::default()
    }
}
