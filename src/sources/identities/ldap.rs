//! Grants from a directory (LDAP).

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tracing::info;

use super::grants::{PassedOver, first_granting};
use super::{Opening, Source};
use crate::clients::directory::{Directory, Settings};
use crate::clients::files::problem::quoted;
use crate::clients::ldap::Found;
use crate::facts::{Grant, GrantQuestion};

const NAME: &str = "ldap";

/// How many entries of one login are looked at.
const MOST_ENTRIES: usize = 1000;

/// How many kinds of values that grant nothing are told of.
const MOST_TOLD: usize = 16;

/// The source.
#[derive(Debug)]
struct Ldap {
    name: String,
    directory: Directory,
    /// Whose values are grants; none where an entry is the grant.
    attributes: Vec<String>,
    /// The kinds of values that grant nothing, as far as they were told of.
    told: Mutex<BTreeSet<String>>,
}

/// Opens the directory. Where the question names the address, an entry is a grant; elsewhere the values of these
/// attributes are.
pub(super) fn open(settings: &Settings, attributes: &[String]) -> Opening {
    let (directory, warnings) = Directory::open(settings)?;
    let asks_for_address = [&settings.base, &settings.filter].iter().any(|template| template.has("address"));
    let attributes = if asks_for_address { Vec::new() } else { attributes.to_vec() };
    let (name, told) = (format!("{NAME} {}", settings.servers()), Mutex::default());
    Ok((Box::new(Ldap { name, directory, attributes, told }), warnings))
}

impl Ldap {
    async fn grants(&self, question: &GrantQuestion) -> Result<Option<String>, String> {
        let address = question.mailbox.to_string();
        // In the order of `GRANT_PLACES`.
        let values = [question.login.0.as_str(), address.as_str()];
        let most = if self.attributes.is_empty() { 1 } else { MOST_ENTRIES };
        let found = self.directory.search(&values, &self.attributes, most).await?;
        let granted = if self.attributes.is_empty() {
            (!found.entries.is_empty()).then_some(address)
        } else {
            let values = found.entries.iter().flat_map(|entry| &entry.0).flat_map(|(_, values)| values);
            // What is no text is no grant.
            let values = values.filter_map(|value| str::from_utf8(value).ok());
            first_granting(values, question, |what| self.pass_over(&what))
        };
        if granted.is_some() {
            return Ok(granted);
        }
        let doubt = self.directory.doubt(&found).or_else(|| more_values(&found));
        doubt.map_or(Ok(None), |why| Err(format!("{}: it did not say all that it knows: {why}", self.name)))
    }

    /// Tells of what grants nothing, once for each kind.
    fn pass_over(&self, what: &PassedOver<'_>) {
        let kind = match what {
            PassedOver::Kind(kind) => kind.as_str(),
            PassedOver::Value(_) => "",
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MOST_TOLD && told.insert(kind.to_owned()) {
            let attributes = self.attributes.join(", ");
            info!("{}: values of {attributes} that are not mail addresses grant nothing: {what}", self.name);
        }
    }
}

/// Why an entry may have more values than it shows: an Active Directory shows so many at a time, and says which
/// (`member;range=0-1499`; MS-ADTS, 3.1.1.3.1.3.3).
fn more_values(found: &Found) -> Option<String> {
    let mut names = found.entries.iter().flat_map(|entry| &entry.0).map(|(name, _)| name);
    let is_part = |name: &&String| {
        let lower = name.to_ascii_lowercase();
        lower.split_once(";range=").is_some_and(|(_, range)| !range.ends_with("-*"))
    };
    names.find(is_part).map(|name| format!("{} is a part of the values", quoted(name)))
}

#[async_trait::async_trait]
impl Source for Ldap {
    fn name(&self) -> &str {
        NAME
    }

    async fn find(&self, question: &GrantQuestion) -> Grant {
        match self.grants(question).await {
            Ok(Some(grant)) => Grant::Granted(format!("{grant} ({})", self.name)),
            Ok(None) => Grant::NotGranted(Vec::new()),
            Err(why) => Grant::Undetermined(why),
        }
    }
}
