//! `- list: [info@example.org]`

use super::{At, Problems, SourceSettings, value};

/// The mailboxes of a list.
pub(super) fn build(problems: &mut Problems<'_>, written: &[At<String>]) -> SourceSettings {
    let mailboxes = written.iter().filter_map(|text| value::mailbox(problems, text));
    SourceSettings::List(mailboxes.collect())
}
