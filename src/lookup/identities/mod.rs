//! Identities: which login may send as which mailbox, by what the administrator granted.

use crate::facts::{Grant, GrantQuestion};

/// The sources of grants, in the order of asking.
#[derive(Debug, Default)]
pub struct Identities {
    sources: Vec<Box<dyn Source>>,
}

/// One source of grants.
#[async_trait::async_trait]
pub trait Source: std::fmt::Debug + Send + Sync {
    /// Its name, as the configuration writes it.
    fn name(&self) -> &str;

    /// Its answer: [`Grant::NotGranted`] names nobody here, the collection does.
    async fn find(&self, question: &GrantQuestion) -> Grant;
}

impl Identities {
    /// The answer of the sources together: any ‘yes’ wins, else any ‘cannot tell’.
    pub async fn find(&self, question: &GrantQuestion) -> Grant {
        let mut trouble = None;
        for source in &self.sources {
            match source.find(question).await {
                Grant::Granted(by) => return Grant::Granted(by),
                Grant::Undetermined(why) => {
                    trouble.get_or_insert(why);
                }
                Grant::NotGranted(_) => {}
            }
        }
        let asked = || self.sources.iter().map(|source| source.name().to_owned()).collect();
        trouble.map_or_else(|| Grant::NotGranted(asked()), Grant::Undetermined)
    }
}
