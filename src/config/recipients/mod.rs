//! Recipients: the lock as written, and what it means.

mod aliases;
mod call_ahead;
mod dovecot;
mod ldap;
mod list;
mod passwd;
mod postfix_map;
mod socketmap;
mod sources;

use glob::Pattern;
use jiff::civil::Date;
use serde::Deserialize;

use super::diagnostic::quoted;
use super::exceptions::date;
use super::problems::Problems;
use super::words;
use super::written::{At, TextOr};
use super::{Context, postfix, value};
use crate::check::recipients::{CatchAll, Settings};
use crate::facts::SourceId;
use crate::sources::recipients::SourceSettings;

/// Its settings, as `locked` names them.
pub(super) const SETTINGS: &[&str] = &[
    "recipients",
    "recipients.mode",
    "recipients.sources",
    "recipients.catch_all",
    "recipients.soft_until",
    "recipients.accept_patterns",
    "recipients.on_error",
];

/// The lock as written.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    pub(super) mode: Option<At<String>>,
    sources: Option<Vec<At<TextOr<sources::Written>>>>,
    catch_all: Option<At<String>>,
    soft_until: Option<At<String>>,
    accept_patterns: Option<Vec<At<String>>>,
    on_error: Option<At<String>>,
}

/// What the lock means, before its sources have numbers.
#[derive(Clone)]
pub(super) struct Meant {
    pub(super) sources: Vec<SourceSettings>,
    pub(super) catch_all: CatchAll,
    pub(super) soft_until: Option<Date>,
    pub(super) accept_patterns: Vec<Pattern>,
    pub(super) accept_on_error: bool,
}

impl Written {
    /// The settings that `inherited` become by what is written.
    pub(super) fn build(
        &self,
        problems: &mut Problems<'_>,
        context: Context<'_>,
        inherited: &Meant,
    ) -> Meant {
        let on_error = [("defer", false), ("accept", true)];
        let meant = Meant {
            sources: match &self.sources {
                Some(list) => sources::build(problems, context, list),
                None => inherited.sources.clone(),
            },
            catch_all: self
                .catch_all
                .as_ref()
                .and_then(|word| {
                    words::meaning(problems, word, "a way to treat a catch-all", &CatchAll::NAMES)
                })
                .unwrap_or(inherited.catch_all),
            soft_until: match &self.soft_until {
                Some(text) => date(problems, text),
                None => inherited.soft_until,
            },
            accept_patterns: match &self.accept_patterns {
                Some(list) => list.iter().filter_map(|text| pattern(problems, text)).collect(),
                None => inherited.accept_patterns.clone(),
            },
            accept_on_error: words::choice(problems, self.on_error.as_ref(), &on_error)
                .unwrap_or(inherited.accept_on_error),
        };
        self.check_until(problems, context, &meant);
        meant
    }

    /// Warns of a last day that is over, or of one that nothing comes to.
    fn check_until(&self, problems: &mut Problems<'_>, context: Context<'_>, meant: &Meant) {
        let (Some(text), Some(until)) = (&self.soft_until, meant.soft_until) else { return };
        if meant.catch_all != CatchAll::Soft {
            problems
                .warning(text.node, "this ends nothing: `catch_all` is not `soft`")
                .hint("set `catch_all: soft`, or remove it");
        } else if until < context.host.today {
            problems
                .warning(text.node, "this day is over: what only the wildcard knows is refused")
                .hint("set `catch_all: reject`, or a later day");
        }
    }
}

impl Meant {
    /// The settings with the numbers that the sources have in `all`, where new ones get the next.
    pub(super) fn number(&self, all: &mut Vec<SourceSettings>) -> Settings {
        let mut id = |source: &SourceSettings| {
            let number = all.iter().position(|known| known == source).unwrap_or_else(|| {
                all.push(source.clone());
                all.len() - 1
            });
            SourceId { number, cost: source.cost() }
        };
        Settings {
            sources: self.sources.iter().map(&mut id).collect(),
            catch_all: self.catch_all,
            soft_until: self.soft_until,
            accept_patterns: self.accept_patterns.clone(),
            accept_on_error: self.accept_on_error,
        }
    }
}

/// A pattern of local-parts.
fn pattern(problems: &mut Problems<'_>, text: &At<String>) -> Option<Pattern> {
    if text.value.contains('@') {
        problems
            .error(text.node, format!("{} has an ‘@’", quoted(&text.value)))
            .hint("a pattern is for what stands before the ‘@’, in every domain");
        return None;
    }
    if text.value.chars().all(|c| c == '*') {
        problems
            .error(text.node, format!("{} accepts every name or none", quoted(&text.value)))
            .hint("to accept every name, set `recipients.mode: off`");
        return None;
    }
    match Pattern::new(&text.value) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            problems.error(text.node, format!("{} is not a pattern: {}", quoted(&text.value), error.msg));
            None
        }
    }
}
