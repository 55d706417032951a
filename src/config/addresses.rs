//! How addresses are compared: as written, and what it means.

use serde::Deserialize;

use super::diagnostic::quoted;
use super::problems::Problems;
use super::written::At;
use crate::check::addresses::Addresses;

/// Its settings, as `locked` names them.
pub(super) const SETTINGS: &[&str] =
    &["addresses", "addresses.subaddress_delimiters", "addresses.case_sensitive"];

/// The settings as written.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    subaddress_delimiters: Option<At<String>>,
    case_sensitive: Option<bool>,
}

impl Addresses {
    /// What every profile begins with.
    pub(super) fn standard() -> Self {
        Self { subaddress_delimiters: "+".to_owned(), case_sensitive: false }
    }
}

impl Written {
    /// The settings that `inherited` become by what is written.
    pub(super) fn build(&self, problems: &mut Problems<'_>, inherited: &Addresses) -> Addresses {
        Addresses {
            subaddress_delimiters: self
                .subaddress_delimiters
                .as_ref()
                .and_then(|text| delimiters(problems, text))
                .unwrap_or_else(|| inherited.subaddress_delimiters.clone()),
            case_sensitive: self.case_sensitive.unwrap_or(inherited.case_sensitive),
        }
    }
}

/// Characters that may begin a subaddress; none at all switches subaddresses off.
///
/// A letter would cut names in two, and what RFC 5321 allows in quotes only is nothing that people give out.
fn delimiters(problems: &mut Problems<'_>, text: &At<String>) -> Option<String> {
    let is_sign = |c: char| "!#$%&'*+-./=?^_`{|}~".contains(c);
    if let Some(other) = text.value.chars().find(|&c| !is_sign(c)) {
        let message = format!("{} cannot begin a subaddress", quoted(other.encode_utf8(&mut [0; 4])));
        problems.error(text.node, message).hint("name signs such as + - _ = one after the other: \"+-\"");
        return None;
    }
    Some(text.value.clone())
}
