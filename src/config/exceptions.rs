//! Exceptions as written, and what they mean.

use jiff::civil::Date;
use serde::Deserialize;

use super::diagnostic::quoted;
use super::problems::Problems;
use super::written::At;
use super::{Host, later, value, words};
use crate::check::CheckId;
use crate::check::exception::{Exception, Pattern};

/// One exception as written.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    sender: Option<At<String>>,
    network: Option<At<String>>,
    recipient: Option<At<String>>,
    login: Option<At<String>>,
    lock: Option<At<String>>,
    until: Option<At<String>>,
    note: Option<String>,
}

/// The exceptions of a list that make sense.
pub(super) fn build(problems: &mut Problems<'_>, host: &Host, list: &[At<Written>]) -> Vec<Exception> {
    list.iter().filter_map(|written| written.build(problems, host)).collect()
}

impl At<Written> {
    fn build(&self, problems: &mut Problems<'_>, host: &Host) -> Option<Exception> {
        let Written { sender, network, recipient, login, lock, until, note } = &self.value;
        if sender.is_none() && network.is_none() && recipient.is_none() && login.is_none() {
            // What could not be read may have been the condition.
            if !problems.has_gap(self.node) {
                problems.error(self.node, "this exception has no condition").hint(
                    "add `sender`, `network`, `recipient` or `login`; to switch a lock off, set its `mode`",
                );
            }
            return None;
        }
        // A part that is wrong makes the whole void: with one condition less it would let more pass than was meant.
        let sender = sender.as_ref().map(|text| pattern(problems, text).ok_or(Void)).transpose();
        let network = network.as_ref().map(|text| value::network(problems, text).ok_or(Void)).transpose();
        let recipient = recipient.as_ref().map(|text| pattern(problems, text).ok_or(Void)).transpose();
        let login = login.as_ref().map(|text| value::login_pattern(problems, text).ok_or(Void)).transpose();
        let lock = lock.as_ref().map(|word| check(problems, word).ok_or(Void)).transpose();
        let last_day = until.as_ref().map(|text| date(problems, text).ok_or(Void)).transpose();
        let exception = Exception {
            sender: sender.ok()?,
            network: network.ok()?,
            recipient: recipient.ok()?,
            login: login.ok()?,
            lock: lock.ok()?.flatten(),
            until: last_day.ok()?,
            note: note.clone(),
        };
        if let Some(word) = self.value.lock.as_ref().filter(|_| exception.lock == Some(CheckId::Relay))
            && problems.tree().path(word.node).first() == Some(&"domains")
        {
            problems
                .warning(word.node, "this lifts nothing: `relay` is about domains that are not hosted")
                .hint("move it to `defaults`");
        }
        if let Some(word) = self.value.lock.as_ref().filter(|_| exception.lock == Some(CheckId::Harvest))
            && !exception.may_lift(CheckId::Harvest)
        {
            problems
                .warning(
                    word.node,
                    "this lifts nothing: a client that is blocked is known by its `network` alone",
                )
                .hint("name its `network`");
        }
        let proves_nothing = exception.network.is_none() && exception.login.is_none();
        let lifts_login = exception.lock.is_none_or(|lock| lock == CheckId::RequireAuth);
        if let Some(sender) = self.value.sender.as_ref().filter(|_| proves_nothing && lifts_login) {
            problems
                .warning(
                    sender.node,
                    "any stranger can write this in MAIL FROM, and then any of our addresses in From",
                )
                .hint("add the `network` of the sender, or a `lock` other than `require_auth`");
        }
        if let Some(text) = until.as_ref().filter(|_| exception.is_expired(host.today)) {
            problems
                .warning(text.node, "this exception has expired")
                .hint("remove it, or give it a later date");
        }
        Some(exception)
    }
}

/// Something that was written and means nothing.
struct Void;

/// A day.
pub(super) fn date(problems: &mut Problems<'_>, text: &At<String>) -> Option<Date> {
    let date = text.value.parse().ok();
    if date.is_none() {
        problems
            .error(text.node, format!("{} is not a date", quoted(&text.value)))
            .hint("write year-month-day: 2027-01-31");
    }
    date
}

fn pattern(problems: &mut Problems<'_>, text: &At<String>) -> Option<Pattern> {
    let pattern = text.value.parse().ok();
    if pattern.is_none() {
        problems
            .error(text.node, format!("{} is neither an address nor a domain", quoted(&text.value)))
            .hint("write user@example.org, example.org, or \"<>\" for the null reverse-path");
    }
    pattern
}

/// The lock that a word names; an inner nothing means all locks.
#[expect(clippy::option_option, reason = "outer: is it a lock; inner: one or all")]
fn check(problems: &mut Problems<'_>, word: &At<String>) -> Option<Option<CheckId>> {
    if later::is_later_lock(&word.value) {
        problems.error(word.node, format!("there is no lock {} yet", quoted(&word.value))).hint(later::HINT);
        return None;
    }
    let names: Vec<(&str, Option<CheckId>)> =
        CheckId::LOCKS.iter().map(|&(name, check)| (name, Some(check))).chain([("all", None)]).collect();
    words::meaning(problems, word, "a lock", &names)
}
