//! `- smtp: { server: "inner.example.org:25", sender: "", cache: { exists: 24h, unknown: 2h } }`, and `lmtp` likewise.

use std::time::Duration;

use serde::Deserialize;

use super::super::yaml::Id;
use super::sources::missing;
use super::{At, Context, Problems, quoted, value};
use crate::clients::{Endpoint, EndpointError};
use crate::mail::Mailbox;
use crate::sources::recipients::CallAheadSettings;

/// The source as written.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    server: Option<At<String>>,
    sender: Option<At<String>>,
    cache: WrittenCache,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenCache {
    exists: Option<At<String>>,
    unknown: Option<At<String>>,
}

/// How long it is believed that a mailbox exists. Mail to one that was removed since then bounces.
const EXISTS: Duration = Duration::from_hours(24);

/// How long it is believed that a mailbox does not exist. A new one gets no mail for so long.
const UNKNOWN: Duration = Duration::from_hours(2);

impl Written {
    /// A server that speaks SMTP; on port 25 unless another is named.
    pub(super) fn smtp(
        &self,
        problems: &mut Problems<'_>,
        context: Context<'_>,
        key: Id,
    ) -> Option<CallAheadSettings> {
        self.build(problems, context, key, "write inner.example.org:25", |text| {
            if text.starts_with("unix:") {
                return Err(EndpointError("SMTP goes over TCP".to_owned()));
            }
            let host = text.strip_prefix("inet:").unwrap_or(text);
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
            if has_port { Endpoint::inet(host) } else { Endpoint::inet(&format!("{host}:25")) }
        })
    }

    /// A server that speaks LMTP.
    pub(super) fn lmtp(
        &self,
        problems: &mut Problems<'_>,
        context: Context<'_>,
        key: Id,
    ) -> Option<CallAheadSettings> {
        self.build(problems, context, key, "write unix:/run/dovecot/lmtp or inner.example.org:24", |text| {
            if text.starts_with("unix:") {
                return text.parse();
            }
            Endpoint::inet(text.strip_prefix("inet:").unwrap_or(text))
        })
    }

    fn build(
        &self,
        problems: &mut Problems<'_>,
        context: Context<'_>,
        key: Id,
        forms: &str,
        server: impl Fn(&str) -> Result<Endpoint, EndpointError>,
    ) -> Option<CallAheadSettings> {
        let server = match &self.server {
            Some(text) => value::endpoint(problems, text, forms, server),
            None => missing(problems, key, "names no server: `server` is not set"),
        };
        let sender = match &self.sender {
            Some(text) => sender(problems, text),
            None => Some(None),
        };
        let mut lifetime = |written: &Option<At<String>>, default| {
            value::positive_duration(problems, written.as_ref(), default)
        };
        let (exists, unknown) =
            (lifetime(&self.cache.exists, EXISTS), lifetime(&self.cache.unknown, UNKNOWN));
        let host_name = context.host.name.clone();
        Some(CallAheadSettings { server: server?, sender: sender?, host_name, exists, unknown })
    }
}

/// The reverse-path; nothing at all where it cannot be used.
#[expect(clippy::option_option, reason = "outer: is it usable; inner: is it a mailbox")]
fn sender(problems: &mut Problems<'_>, text: &At<String>) -> Option<Option<Mailbox>> {
    if matches!(text.value.as_str(), "" | "<>") {
        return Some(None);
    }
    match text.value.parse() {
        Ok(mailbox) => Some(Some(mailbox)),
        Err(error) => {
            let message = format!("{} is not an address: {error}", quoted(&text.value));
            problems.error(text.node, message).hint("write \"\" for the null reverse-path");
            None
        }
    }
}
