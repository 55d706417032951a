//! `- list: [info@example.org]`

use super::{At, Problems, SourceSettings};
use crate::mail::Mailbox;

/// The mailboxes of a list.
pub(super) fn build(problems: &mut Problems<'_>, written: &[At<String>]) -> SourceSettings {
    let mailboxes = written.iter().filter_map(|text| mailbox(problems, text));
    SourceSettings::List(mailboxes.collect())
}

fn mailbox(problems: &mut Problems<'_>, text: &At<String>) -> Option<Mailbox> {
    match text.value.parse() {
        Ok(mailbox) => Some(mailbox),
        Err(error) => {
            let problem = problems.error(text.node, error.to_string());
            if text.value.starts_with('@') {
                problem.hint("to accept every name of a domain, do not check its recipients: `mode: off`");
            }
            None
        }
    }
}
