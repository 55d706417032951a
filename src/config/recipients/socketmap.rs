//! `- socketmap: { address: "unix:/run/maps.sock", map: recipients }`

use serde::Deserialize;

use super::super::yaml::Id;
use super::sources::missing;
use super::{At, Problems, SourceSettings, quoted, value};
use crate::clients::Endpoint;
use crate::sources::recipients::SocketmapSettings;

/// The source as written.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    address: Option<At<String>>,
    map: Option<At<String>>,
}

impl Written {
    /// The server and the map. `key` is where the source is named.
    pub(super) fn build(&self, problems: &mut Problems<'_>, key: Id) -> Option<SourceSettings> {
        let address = match &self.address {
            Some(text) => value::endpoint(problems, text, ADDRESSES, str::parse::<Endpoint>),
            None => missing(problems, key, "names no server: `address` is not set"),
        };
        let map = match &self.map {
            Some(text) => map(problems, text),
            None => missing(problems, key, "names no map: `map` is not set"),
        };
        Some(SourceSettings::Socketmap(SocketmapSettings { address: address?, map: map? }))
    }
}

/// How a server is written.
const ADDRESSES: &str = "write unix:/run/maps.sock or inet:127.0.0.1:7777";

fn map(problems: &mut Problems<'_>, text: &At<String>) -> Option<String> {
    if SocketmapSettings::is_map_name(&text.value) {
        return Some(text.value.clone());
    }
    let hint = "a name has no white space, as the key follows after it";
    problems.error(text.node, format!("{} is not the name of a map", quoted(&text.value))).hint(hint);
    None
}
