//! The SPF lock as written, and what it means.

use serde::Deserialize;

use super::problems::Problems;
use super::written::At;
use super::{value, words};
use crate::check::spf::{Action, Actions, Record, Settings};

/// Its settings, as `locked` names them.
pub(super) const SETTINGS: &[&str] = &[
    "spf",
    "spf.mode",
    "spf.helo",
    "spf.helo.fail",
    "spf.helo.softfail",
    "spf.helo.neutral",
    "spf.helo.none",
    "spf.helo.temperror",
    "spf.helo.permerror",
    "spf.mail_from",
    "spf.mail_from.fail",
    "spf.mail_from.softfail",
    "spf.mail_from.neutral",
    "spf.mail_from.none",
    "spf.mail_from.temperror",
    "spf.mail_from.permerror",
    "spf.reject_not_pass",
    "spf.no_mail_domains",
    "spf.headers",
    "spf.delete_incoming",
    "spf.explanation",
];

/// The lock as written.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    pub(super) mode: Option<At<String>>,
    helo: WrittenActions,
    mail_from: WrittenActions,
    reject_not_pass: Option<Vec<At<String>>>,
    no_mail_domains: Option<At<String>>,
    headers: Option<Vec<At<String>>>,
    delete_incoming: Option<bool>,
    explanation: Option<bool>,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenActions {
    fail: Option<At<String>>,
    softfail: Option<At<String>>,
    neutral: Option<At<String>>,
    none: Option<At<String>>,
    temperror: Option<At<String>>,
    permerror: Option<At<String>>,
}

impl Written {
    /// The settings that `inherited` become by what is written.
    pub(super) fn build(&self, problems: &mut Problems<'_>, inherited: &Settings) -> Settings {
        let no_mail = [("accept", false), ("reject", true)];
        let reject_no_mail_domains = words::choice(problems, self.no_mail_domains.as_ref(), &no_mail)
            .unwrap_or(inherited.reject_no_mail_domains);
        let reject_not_pass = match &self.reject_not_pass {
            Some(list) => list.iter().filter_map(|text| value::domain(problems, text)).collect(),
            None => inherited.reject_not_pass.clone(),
        };
        let headers = match &self.headers {
            Some(list) => headers(problems, list),
            None => inherited.headers.clone(),
        };
        Settings {
            helo: self.helo.build(problems, inherited.helo),
            mail_from: self.mail_from.build(problems, inherited.mail_from),
            reject_not_pass,
            reject_no_mail_domains,
            headers,
            delete_incoming: self.delete_incoming.unwrap_or(inherited.delete_incoming),
            explanation: self.explanation.unwrap_or(inherited.explanation),
        }
    }
}

fn headers(problems: &mut Problems<'_>, list: &[At<String>]) -> Vec<Record> {
    let mut headers = Vec::new();
    for word in list {
        match words::meaning(problems, word, "a header field of ours", &Record::NAMES) {
            Some(header) if !headers.contains(&header) => headers.push(header),
            Some(_) | None => {}
        }
    }
    headers
}

impl WrittenActions {
    fn build(&self, problems: &mut Problems<'_>, inherited: Actions) -> Actions {
        let mut action = |written: &Option<At<String>>, inherited| {
            written
                .as_ref()
                .and_then(|word| words::meaning(problems, word, "an action", &Action::NAMES))
                .unwrap_or(inherited)
        };
        let actions = Actions {
            fail: action(&self.fail, inherited.fail),
            softfail: action(&self.softfail, inherited.softfail),
            neutral: action(&self.neutral, inherited.neutral),
            none: action(&self.none, inherited.none),
            temperror: action(&self.temperror, inherited.temperror),
            permerror: action(&self.permerror, inherited.permerror),
        };
        // A temporary error may be over at the next try (RFC 7208, 8.6): the client must be allowed to make it.
        if let Some(word) = self.temperror.as_ref().filter(|_| actions.temperror == Action::Reject) {
            problems.error(word.node, "a temporary error cannot be rejected for good").hint("use `defer`");
        }
        actions
    }
}
