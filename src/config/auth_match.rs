//! Auth match: the lock as written, and what it means.

use serde::Deserialize;

use super::problems::Problems;
use super::words;
use super::written::At;
use super::yaml::Id;
use crate::check::auth_match::{Axis, Settings};

/// Its settings, as `locked` names them.
pub(super) const SETTINGS: &[&str] = &[
    "auth_match",
    "auth_match.mode",
    "auth_match.mail_from",
    "auth_match.header_from",
    "auth_match.sender",
    "auth_match.subdomains",
    "auth_match.malformed_from",
    "auth_match.resent",
];

/// The lock as written.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    pub(super) mode: Option<At<String>>,
    mail_from: Option<At<String>>,
    header_from: Option<At<String>>,
    sender: Option<At<String>>,
    subdomains: Option<bool>,
    malformed_from: Option<At<String>>,
    resent: Option<At<String>>,
}

impl Written {
    /// The settings that `inherited` become by what is written.
    pub(super) fn build(&self, problems: &mut Problems<'_>, inherited: &Settings) -> Settings {
        let malformed_from = [("reject", true), ("accept", false)];
        let resent = [("ignore", false), ("check", true)];
        let mut axis = |word: &Option<At<String>>, inherited| {
            words::choice(problems, word.as_ref(), &Axis::NAMES).unwrap_or(inherited)
        };
        Settings {
            mail_from: axis(&self.mail_from, inherited.mail_from),
            header_from: axis(&self.header_from, inherited.header_from),
            sender: axis(&self.sender, inherited.sender),
            subdomains: self.subdomains.unwrap_or(inherited.subdomains),
            reject_malformed_from: words::choice(problems, self.malformed_from.as_ref(), &malformed_from)
                .unwrap_or(inherited.reject_malformed_from),
            check_resent: words::choice(problems, self.resent.as_ref(), &resent)
                .unwrap_or(inherited.check_resent),
        }
    }

    /// Where it is written that a login must prove each address.
    pub(super) fn demand(&self) -> Option<Id> {
        let axes = [&self.mail_from, &self.header_from, &self.sender];
        axes.into_iter().flatten().find(|word| word.value == "address").map(|word| word.node)
    }
}
