//! Values of a directory's attributes as grants.
//!
//! They are written as in a file after the login, or are one address behind the name of its kind, as Exchange writes
//! `proxyAddresses`: `SMTP:` before the first address of a mailbox, `smtp:` before the others, and other kinds that are
//! for other protocols.

use std::fmt;

use super::{BETWEEN, Wanted, read};
use crate::clients::directory::percent_decoded;
use crate::clients::files::problem::quoted;
use crate::facts::GrantQuestion;

/// The longest name of a kind.
const LONGEST_KIND: usize = 32;

/// A value that grants nothing, whatever is asked.
#[derive(Debug)]
pub(in super::super) enum PassedOver<'v> {
    /// It is of another kind than addresses of mail, by its name in lower case.
    Kind(String),
    /// It is no address.
    Value(&'v str),
}

impl fmt::Display for PassedOver<'_> {
    /// The kind with its colon, or the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => write!(f, "{kind}:"),
            Self::Value(value) => f.write_str(&quoted(value)),
        }
    }
}

/// The first of these values' grants that answers a question with yes. Values before it that grant nothing are passed
/// over, and told of.
pub(in super::super) fn first_granting<'v>(
    values: impl IntoIterator<Item = &'v str>,
    question: &GrantQuestion,
    mut pass_over: impl FnMut(PassedOver<'v>),
) -> Option<String> {
    let wanted = Wanted::new(question);
    values.into_iter().find_map(|value| {
        let grants = match grants(value) {
            Ok(grants) => grants,
            Err(passed_over) => {
                pass_over(passed_over);
                return None;
            }
        };
        let granting = grants.split(BETWEEN).find(|grant| wanted.is_granted_by(grant));
        granting.map(str::to_owned)
    })
}

/// The grants in a value, in canonical form.
fn grants(value: &str) -> Result<String, PassedOver<'_>> {
    let kind = kind(value);
    let grants = match kind.as_ref().map(|(kind, rest)| (kind.as_str(), *rest)) {
        None => Some(read::grants_in(value)),
        Some(("smtp", address)) => read::address_in(address),
        Some(("mailto", url)) => {
            // RFC 6068, 2: what follows the `?` is for the message.
            let address = url.split('?').next().and_then(percent_decoded);
            address.and_then(|address| read::address_in(&address))
        }
        Some((kind, _)) => return Err(PassedOver::Kind(kind.to_owned())),
    };
    grants.filter(|grants| !grants.is_empty() || value.trim().is_empty()).ok_or(PassedOver::Value(value))
}

/// The name of a kind in lower case, and what follows its colon. No grant has a colon before its quotes.
fn kind(value: &str) -> Option<(String, &str)> {
    let (name, rest) = value.trim_start().split_once(':')?;
    let is_name = name.len() <= LONGEST_KIND
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet));
    is_name.then(|| (name.to_ascii_lowercase(), rest))
}
