//! Recipients from a database: who has a row exists.

use super::probed::{Lifetimes, Probed};
use super::{Opening, Source};
use crate::clients::sql::{Database, Query, Settings, Value};
use crate::facts::{Evidence, Existence, RecipientQuestion};

/// What a query may ask for: the address with the quoting that it needs, the local-part without any, and the domain as
/// A-labels.
pub const NAMES: [&str; 3] = ["address", "local_part", "domain"];

/// Of these a query must ask for one: a domain alone says nothing of a name.
pub const REQUIRED: [&str; 2] = ["address", "local_part"];

/// The source.
#[derive(Debug)]
struct Sql {
    name: String,
    database: Database,
    query: Query,
}

/// Makes ready to ask.
pub(super) async fn open(settings: &Settings, cache: u64) -> Opening {
    let (database, warnings) = settings.open().await?;
    let name = format!("sql {}", database.name());
    let source = Sql { name, database, query: settings.query.clone() };
    Ok((Box::new(Probed::new(source, Lifetimes::NEAR, cache)), warnings))
}

#[async_trait::async_trait]
impl Source for Sql {
    fn name(&self) -> &str {
        &self.name
    }

    async fn find(&self, question: &RecipientQuestion) -> Existence {
        for form in &question.forms {
            let address = form.to_string();
            let values = [
                ("address", address.as_str()),
                ("local_part", form.local_part()),
                ("domain", form.domain().as_str()),
            ];
            match self.database.ask(&self.query, &values).await {
                // `select count(*)` has a row for everybody.
                Ok(rows) if rows.iter().any(|row| row.first().is_some_and(|value| !value.means_no())) => {
                    let (words, value) = (format!("{address} ({})", self.name), shown(&rows));
                    return Existence::Exists(Evidence::Said { words, value }.into());
                }
                Ok(_) => {}
                Err(error) => return Existence::Undetermined(error.to_string()),
            }
        }
        Existence::Unknown(String::new())
    }
}

/// What the rows say besides yes: the texts in their first columns, where there is any. Other rows have other ones.
fn shown(rows: &[Vec<Value>]) -> Option<String> {
    let texts = rows.iter().filter_map(|row| match row.first() {
        Some(Value::Text(text)) => Some(text.as_str()),
        _ => None,
    });
    let texts: Vec<&str> = texts.collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}
