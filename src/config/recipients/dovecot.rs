//! `- dovecot: { socket: /run/dovecot/auth-userdb }`

use serde::Deserialize;

use super::super::yaml::Id;
use super::sources::missing;
use super::{At, Context, Problems, SourceSettings, value};
use crate::clients::Endpoint;
use crate::sources::recipients::DovecotSettings;

/// The source as written.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    socket: Option<At<String>>,
    without_domain: Option<bool>,
}

impl Written {
    /// The user database. `key` is where the source is named.
    pub(super) fn build(
        &self,
        problems: &mut Problems<'_>,
        context: Context<'_>,
        key: Id,
    ) -> Option<SourceSettings> {
        let Some(socket) = &self.socket else {
            return missing(problems, key, "names no socket: write `socket: /run/dovecot/auth-userdb`");
        };
        let path = value::path(problems, context.base, socket)?;
        // Where the configuration was given by a relative name, so are paths that begin at it.
        let path = std::path::absolute(path).ok()?;
        value::endpoint(problems, socket, "write /run/dovecot/auth-userdb", |_| Endpoint::unix(&path))?;
        let without_domain = self.without_domain.unwrap_or(false);
        Some(SourceSettings::Dovecot(DovecotSettings { socket: path, without_domain }))
    }
}
