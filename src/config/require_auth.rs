//! Authentication required: the lock as written, and what it means.

use serde::Deserialize;

use super::problems::Problems;
use super::written::{At, OneOrMore};
use super::{value, words};
use crate::check::require_auth::{Lists, Settings};

/// Its settings, as `locked` names them.
pub(super) const SETTINGS: &[&str] = &[
    "require_auth",
    "require_auth.mode",
    "require_auth.mail_from",
    "require_auth.header_from",
    "require_auth.unless_spf_pass",
    "require_auth.lists",
];

/// The lock as written.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    pub(super) mode: Option<At<String>>,
    mail_from: Option<At<String>>,
    header_from: Option<At<String>>,
    unless_spf_pass: Option<bool>,
    lists: Option<At<OneOrMore>>,
}

/// Which places the configuration itself speaks of; the others are as the profile has them.
#[derive(Clone, Copy, Default)]
pub(super) struct Spoken {
    mail_from: bool,
    header_from: bool,
}

impl Spoken {
    /// The settings of a domain whose mail is passed on to other hosts. Those send for it, too, and need no login: the
    /// lock holds where the configuration asks for it.
    pub(super) fn relayed(self, settings: &Settings) -> Settings {
        Settings {
            mail_from: settings.mail_from && self.mail_from,
            header_from: settings.header_from && self.header_from,
            ..settings.clone()
        }
    }
}

impl Written {
    /// What is spoken of here and above.
    pub(super) fn spoken(&self, above: Spoken) -> Spoken {
        Spoken {
            mail_from: above.mail_from || self.mail_from.is_some(),
            header_from: above.header_from || self.header_from.is_some(),
        }
    }

    /// The settings that `inherited` become by what is written.
    pub(super) fn build(&self, problems: &mut Problems<'_>, inherited: &Settings) -> Settings {
        let place = [("off", false), ("reject", true)];
        let mut switch = |word: &Option<At<String>>, names, inherited| {
            words::choice(problems, word.as_ref(), names).unwrap_or(inherited)
        };
        Settings {
            mail_from: switch(&self.mail_from, &place, inherited.mail_from),
            header_from: switch(&self.header_from, &place, inherited.header_from),
            unless_spf_pass: self.unless_spf_pass.unwrap_or(inherited.unless_spf_pass),
            lists: self.lists.as_ref().map_or_else(|| inherited.lists.clone(), |said| lists(problems, said)),
        }
    }
}

/// A word, or the domains of lists. A domain of lists has a dot.
fn lists(problems: &mut Problems<'_>, said: &At<OneOrMore>) -> Lists {
    let at = |(node, text): (_, &str)| At { node, value: text.to_owned() };
    match &said.value {
        OneOrMore::One(word) if !word.contains('.') => {
            let word = At { node: said.node, value: word.clone() };
            let accepts = words::choice(problems, Some(&word), &[("accept", true), ("reject", false)]);
            if accepts == Some(true) { Lists::Posted } else { Lists::Reject }
        }
        _ => {
            let domains = said.texts().into_iter().filter_map(|text| value::domain(problems, &at(text)));
            Lists::Named(domains.collect())
        }
    }
}
