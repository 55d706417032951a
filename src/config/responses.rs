//! Responses: the two locks as written, and what they mean.

use serde::Deserialize;

use super::problems::Problems;
use super::written::At;
use super::{value, words};
use crate::check::addresses::Addresses;
use crate::check::responses::{AutoSettings, BounceSettings, Policy, Suppress, Unknown};

/// Their settings, as `locked` names them.
pub(super) const SETTINGS: &[&str] = &[
    "auto_responders",
    "auto_responders.mode",
    "auto_responders.policy",
    "auto_responders.unknown",
    "auto_responders.header",
    "auto_responders.header_exempt",
    "bounces",
    "bounces.mode",
    "bounces.policy",
    "bounces.unknown",
    "bounces.at_source",
];

/// `auto_responders` as written.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WrittenAuto {
    pub(super) mode: Option<At<String>>,
    policy: Option<At<String>>,
    unknown: Option<At<String>>,
    header: Option<At<String>>,
    header_exempt: Option<Vec<At<String>>>,
}

/// `bounces` as written.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WrittenBounces {
    pub(super) mode: Option<At<String>>,
    policy: Option<At<String>>,
    unknown: Option<At<String>>,
    at_source: Option<At<String>>,
}

impl WrittenAuto {
    /// The settings that `inherited` become by what is written. Addresses are compared as `addresses` says.
    pub(super) fn build(
        &self,
        problems: &mut Problems<'_>,
        addresses: &Addresses,
        inherited: &AutoSettings,
    ) -> AutoSettings {
        AutoSettings {
            policy: policy(problems, self.policy.as_ref(), inherited.policy),
            unknown: unknown(problems, self.unknown.as_ref(), inherited.unknown),
            header: words::choice(problems, self.header.as_ref(), &Suppress::NAMES)
                .unwrap_or(inherited.header),
            header_exempt: match &self.header_exempt {
                Some(list) => {
                    let mailboxes = list.iter().filter_map(|text| value::mailbox(problems, text));
                    mailboxes.map(|mailbox| addresses.canonical(&mailbox)).collect()
                }
                None => inherited.header_exempt.clone(),
            },
        }
    }
}

impl WrittenBounces {
    /// The settings that `inherited` become by what is written.
    pub(super) fn build(&self, problems: &mut Problems<'_>, inherited: &BounceSettings) -> BounceSettings {
        let at_source = [("off", false), ("notify_never", true)];
        BounceSettings {
            policy: policy(problems, self.policy.as_ref(), inherited.policy),
            unknown: unknown(problems, self.unknown.as_ref(), inherited.unknown),
            notifies_never: words::choice(problems, self.at_source.as_ref(), &at_source)
                .unwrap_or(inherited.notifies_never),
        }
    }
}

fn policy(problems: &mut Problems<'_>, word: Option<&At<String>>, inherited: Policy) -> Policy {
    let meant = word.and_then(|word| words::meaning(problems, word, "a policy", &Policy::NAMES));
    meant.unwrap_or(inherited)
}

fn unknown(problems: &mut Problems<'_>, word: Option<&At<String>>, inherited: Unknown) -> Unknown {
    words::choice(problems, word, &Unknown::NAMES).unwrap_or(inherited)
}
