//! The settings for programs. The keys are a contract: others may come, none goes or changes its meaning.

use serde_json::{Value, json};

use super::{Content, name};
use crate::config::show::{Holder, Origin, Setting};
use crate::journal::render::harmless_json;

/// The settings as JSON, with a line's end.
pub(super) fn render(file: &str, content: &Content) -> String {
    let value = match content {
        Content::Settings { domain, followed, settings } => json!({
            "file": file,
            "domain": domain.as_ref().map(ToString::to_string),
            "follows": followed.as_ref().filter(|_| followed != domain).map(ToString::to_string),
            "settings": settings.iter().map(setting_json).collect::<Vec<_>>(),
        }),
        Content::Differences { profile, differences } => {
            let rows = differences.iter().map(|difference| {
                let setting = &difference.setting;
                json!({
                    "setting": setting.name,
                    "value": setting.value,
                    "profile_value": difference.would_be,
                    "from": setting.origin.as_str(),
                    "host": difference.holders.contains(&Holder::Host),
                    "defaults": difference.holders.contains(&Holder::Defaults),
                    "domains": difference.holders.iter().filter_map(domain).collect::<Vec<_>>(),
                })
            });
            json!({ "file": file, "profile": name(*profile), "differences": rows.collect::<Vec<_>>() })
        }
    };
    harmless_json(&format!("{value:#}\n"))
}

fn domain(holder: &Holder) -> Option<String> {
    match holder {
        Holder::Domain(domain) => Some(domain.to_string()),
        Holder::Host | Holder::Defaults => None,
    }
}

fn setting_json(setting: &Setting) -> Value {
    let otherwise = setting.otherwise.as_ref();
    json!({
        "setting": setting.name,
        "value": setting.value,
        "from": setting.origin.as_str(),
        "profile": match setting.origin {
            Origin::Profile(profile) => Some(name(profile)),
            _ => None,
        },
        "line": setting.line,
        "locked": setting.is_locked,
        "otherwise": otherwise.map(|(mode, origin)| json!({ "value": mode.as_str(), "from": origin.as_str() })),
    })
}
