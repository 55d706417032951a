//! Authentication required: the lock as written, and what it means.

use serde::Deserialize;

use super::problems::Problems;
use super::words;
use super::written::At;
use crate::check::require_auth::Settings;

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
    lists: Option<At<String>>,
}

impl Written {
    /// The settings that `inherited` become by what is written.
    pub(super) fn build(&self, problems: &mut Problems<'_>, inherited: &Settings) -> Settings {
        let place = [("off", false), ("reject", true)];
        let lists = [("accept", true), ("reject", false)];
        let mut switch = |word: &Option<At<String>>, names, inherited| {
            words::choice(problems, word.as_ref(), names).unwrap_or(inherited)
        };
        Settings {
            mail_from: switch(&self.mail_from, &place, inherited.mail_from),
            header_from: switch(&self.header_from, &place, inherited.header_from),
            unless_spf_pass: self.unless_spf_pass.unwrap_or(inherited.unless_spf_pass),
            accept_lists: switch(&self.lists, &lists, inherited.accept_lists),
        }
    }
}
