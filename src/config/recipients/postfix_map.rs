//! `- postfix_map: "hash:/etc/postfix/virtual"`

use super::{At, Problems, SourceSettings, quoted};

/// The table. Whether it can be used is found out when it is opened.
pub(super) fn build(problems: &mut Problems<'_>, written: &At<String>) -> Option<SourceSettings> {
    let name = written.value.trim();
    match name.split_once(':') {
        Some((kind, rest)) if !kind.is_empty() && !kind.contains('/') && !rest.is_empty() => {
            Some(SourceSettings::PostfixMap(name.to_owned()))
        }
        _ => {
            let problem = problems.error(written.node, format!("{} is no table of Postfix's", quoted(name)));
            if name.starts_with('/') {
                problem.hint(format!("name its type too, as main.cf does: `hash:{name}`"));
            } else {
                problem.hint("write `type:name` as in main.cf, such as hash:/etc/postfix/virtual");
            }
            None
        }
    }
}
