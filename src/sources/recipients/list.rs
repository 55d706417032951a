//! Recipients that the configuration itself names.

use super::names::Names;
use super::{Opening, Source};
use crate::facts::{Existence, RecipientQuestion};
use crate::mail::Mailbox;

/// The source.
#[derive(Debug)]
struct List {
    name: String,
    names: Names,
}

/// Takes the mailboxes.
pub(super) fn open(mailboxes: &[Mailbox]) -> Opening {
    let names = Names::of(mailboxes).map_err(|problem| vec![problem])?;
    Ok((Box::new(List { name: format!("a list of {}", mailboxes.len()), names }), Vec::new()))
}

#[async_trait::async_trait]
impl Source for List {
    fn name(&self) -> &str {
        &self.name
    }

    async fn find(&self, question: &RecipientQuestion) -> Existence {
        self.names.find(question, |name, _| format!("{name} (list)"))
    }
}
