//! `- aliases: { file: /etc/aliases, domain: example.org }`

use serde::Deserialize;

use super::super::yaml::Id;
use super::sources::missing;
use super::{At, Context, Problems, SourceSettings, value};
use crate::sources::recipients::aliases::Settings;

/// Aliases as written.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    file: Option<At<String>>,
    domain: Option<At<String>>,
}

impl Written {
    /// The aliases. `key` is where they are named.
    pub(super) fn build(
        &self,
        problems: &mut Problems<'_>,
        context: Context<'_>,
        key: Id,
    ) -> Option<SourceSettings> {
        let Some(file) = &self.file else { return missing(problems, key, "names no file") };
        let Some(domain) = &self.domain else { return missing(problems, key, "has no `domain`") };
        let file = value::path(problems, context.base, file);
        let domain = value::domain(problems, domain);
        Some(SourceSettings::Aliases(Settings { file: file?, domain: domain? }))
    }
}
