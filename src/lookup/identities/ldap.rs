//! Grants from a directory (LDAP).

use super::grants::first_granting;
use super::{Opening, Source};
use crate::facts::{Grant, GrantQuestion};
use crate::lookup::directory::{Directory, Settings};

const NAME: &str = "ldap";

/// How many entries of one login are looked at.
const MOST_ENTRIES: usize = 1000;

/// The source.
#[derive(Debug)]
struct Ldap {
    name: String,
    directory: Directory,
    /// Whose values are grants; none where an entry is the grant.
    attributes: Vec<String>,
}

/// Opens the directory. Where the question names the address, an entry is a grant; elsewhere the values of these
/// attributes are.
pub(super) fn open(settings: &Settings, attributes: &[String]) -> Opening {
    let (directory, warnings) = Directory::open(settings)?;
    let asks_for_address = [&settings.base, &settings.filter].iter().any(|template| template.has("address"));
    let attributes = if asks_for_address { Vec::new() } else { attributes.to_vec() };
    Ok((Box::new(Ldap { name: format!("{NAME} {}", settings.servers()), directory, attributes }), warnings))
}

impl Ldap {
    async fn grants(&self, question: &GrantQuestion) -> Result<Option<String>, String> {
        let address = question.mailbox.to_string();
        // In the order of `GRANT_PLACES`.
        let values = [question.login.0.as_str(), address.as_str()];
        let most = if self.attributes.is_empty() { 1 } else { MOST_ENTRIES };
        let found = self.directory.search(&values, &self.attributes, most).await?;
        let is_whole = found.references == 0 && !found.is_cut;
        let granted = if self.attributes.is_empty() {
            (!found.entries.is_empty()).then_some(address)
        } else {
            let values = found.entries.iter().flat_map(|entry| &entry.0).flat_map(|(_, values)| values);
            // What is no text is no grant.
            first_granting(values.filter_map(|value| str::from_utf8(value).ok()), question)
        };
        match granted {
            None if !is_whole => Err(format!("{}: it did not say all that it knows", self.name)),
            granted => Ok(granted),
        }
    }
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
