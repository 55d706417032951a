//! Recipients that a directory (LDAP) knows. Its own rules say which spellings of a name are equal.

use super::probed::{Lifetimes, Probed};
use super::{Opening, Source};
use crate::clients::directory::{Directory, GLOBAL_CATALOGUE, Settings};
use crate::clients::files::problem::Problem;
use crate::clients::ldap::Found;
use crate::facts::{Existence, RecipientQuestion};
use crate::mail::{Domain, Mailbox};
use crate::mta::postfix::stranger::stranger;

/// The source.
#[derive(Debug)]
struct Ldap {
    name: String,
    directory: Directory,
}

/// Opens the directory, which says that a name exists by any entry.
pub(super) fn open(settings: &Settings, cache: u64) -> Opening {
    let (directory, warnings) = Directory::open(settings)?;
    let source = Ldap { name: format!("ldap {}", settings.servers()), directory };
    Ok((Box::new(Probed::new(source, Lifetimes::NEAR, cache)), warnings))
}

impl Ldap {
    async fn search(&self, form: &Mailbox) -> Result<Found, String> {
        // In the order of `RECIPIENT_PLACES`.
        let values = [form.to_string(), form.local_part().to_owned(), form.domain().to_string()];
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        self.directory.search(&values, &[], 1).await
    }

    async fn knows(&self, form: &Mailbox) -> Result<bool, String> {
        let found = self.search(form).await?;
        match self.directory.doubt(&found) {
            _ if !found.entries.is_empty() => Ok(true),
            Some(why) => Err(format!("{}: {why}", self.name)),
            None => Ok(false),
        }
    }
}

#[async_trait::async_trait]
impl Source for Ldap {
    fn name(&self) -> &str {
        &self.name
    }

    async fn find(&self, question: &RecipientQuestion) -> Existence {
        let mut trouble = None;
        for form in &question.forms {
            match self.knows(form).await {
                Ok(true) => return Existence::Exists(format!("{form} ({})", self.name).into()),
                Ok(false) => {}
                Err(why) => {
                    trouble.get_or_insert(why);
                }
            }
        }
        trouble.map_or_else(|| Existence::Unknown(String::new()), Existence::Undetermined)
    }

    /// Parts of the directory that are elsewhere. A name that nobody has is looked for in all of it.
    async fn doubts(&self, domains: &[&Domain]) -> Vec<Problem> {
        let Some(domain) = domains.first() else { return Vec::new() };
        let nobody = Mailbox::new(stranger(""), (*domain).clone());
        match self.search(&nobody).await {
            Ok(found) if !found.references.is_empty() => {
                let problem = Problem::new(format!("{}: {}", self.name, found.references));
                vec![problem.hint(GLOBAL_CATALOGUE)]
            }
            _ => Vec::new(),
        }
    }
}
