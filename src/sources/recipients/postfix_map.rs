//! Recipients from one of Postfix's tables, by its name: `hash:/etc/postfix/virtual`.
//!
//! The keys are addresses and `@domain`. Aliases of domains lead on within the table; where several tables belong
//! together, `unionmap:{ … }` makes them one, and the source `postfix` knows them all.

use super::postfix::{self, Walk};
use super::{Opening, Source};
use crate::clients::files::problem::Problem;
use crate::clients::remembered::Hits;
use crate::facts::{Existence, RecipientQuestion};
use crate::mail::Domain;
use crate::mta::postfix::maps::Maps;
use crate::mta::postfix::tables::Usage;

/// The source.
#[derive(Debug)]
struct PostfixMap {
    name: String,
    walk: Walk,
}

/// Opens the table.
pub(super) fn open(table: &str, cache: u64) -> Opening {
    let (maps, warnings) = Maps::table(table, Usage::Maps)?;
    let name = format!("postfix_map {}", maps.name(0));
    Ok((Box::new(PostfixMap { name, walk: Walk::through(maps, cache) }), warnings))
}

#[async_trait::async_trait]
impl Source for PostfixMap {
    fn name(&self) -> &str {
        &self.name
    }

    async fn find(&self, question: &RecipientQuestion) -> Existence {
        postfix::find(&self.walk, &question.forms, question.by_name).await
    }

    async fn doubts(&self, domains: &[&Domain]) -> Vec<Problem> {
        postfix::doubts(&self.walk, domains).await
    }

    fn hits(&self) -> Hits {
        self.walk.hits()
    }
}
