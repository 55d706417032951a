//! `- passwd: { domain: example.org, min_uid: 1000 }`

use serde::Deserialize;

use super::super::yaml::Id;
use super::sources::missing;
use super::{At, Context, Problems, SourceSettings, value};
use crate::sources::recipients::passwd::Settings;

/// Accounts as written.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    file: Option<At<String>>,
    domain: Option<At<String>>,
    min_uid: Option<At<u64>>,
}

impl Written {
    /// The accounts. `key` is where they are named.
    pub(super) fn build(
        &self,
        problems: &mut Problems<'_>,
        context: Context<'_>,
        key: Id,
    ) -> Option<SourceSettings> {
        let Some(domain) = &self.domain else { return missing(problems, key, "has no `domain`") };
        let domain = value::domain(problems, domain);
        let min_uid = value::number(problems, self.min_uid.as_ref(), 0..=u64::from(u32::MAX), 1000);
        let file = match &self.file {
            Some(path) => Some(value::path(problems, context.base, path)?),
            None => None,
        };
        Some(SourceSettings::Passwd(Settings { file, domain: domain?, min_uid }))
    }
}
