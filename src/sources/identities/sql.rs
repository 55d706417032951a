//! Grants from a database.
//!
//! A query with `{address}` says whether a login may send as it: a row is a yes. A query with `{login}` alone lists what
//! a login may send as: the first column of each row is a grant as files of grants have it.

use super::grants::Grants;
use super::{Opening, Source};
use crate::clients::sql::{Database, DatabaseError, Query, Row, Settings, Value};
use crate::facts::{Grant, GrantQuestion};

/// What a query may ask for.
pub const NAMES: [&str; 2] = ["login", "address"];

/// What it must ask for: without it every login might send as the address.
pub const REQUIRED: [&str; 1] = ["login"];

/// The source.
#[derive(Debug)]
struct Sql {
    name: String,
    database: Database,
    query: Query,
}

/// Makes ready to ask.
pub(super) async fn open(settings: &Settings) -> Opening {
    let (database, warnings) = settings.open().await?;
    let name = format!("sql {}", database.name());
    Ok((Box::new(Sql { name, database, query: settings.query.clone() }), warnings))
}

impl Sql {
    async fn rows(&self, question: &GrantQuestion) -> Result<Vec<Row>, DatabaseError> {
        let address = question.mailbox.to_string();
        let values = [("login", question.login.0.as_str()), ("address", address.as_str())];
        self.database.ask(&self.query, &values).await
    }

    /// What the grants in the first column say.
    fn judge(&self, rows: &[Row], question: &GrantQuestion) -> Grant {
        let mut wrong = None;
        for value in rows.iter().filter_map(|row| row.first()) {
            let text = match value {
                Value::Null => continue,
                Value::Text(text) => text,
                value => {
                    wrong.get_or_insert(format!("a grant is a text, not {value}"));
                    continue;
                }
            };
            match Grants::find_in(text, question) {
                Ok(Some(grant)) => return Grant::Granted(format!("{grant} ({})", self.name)),
                Ok(None) => {}
                Err(problem) => {
                    wrong.get_or_insert(problem.to_string());
                }
            }
        }
        match wrong {
            Some(why) => Grant::Undetermined(format!("{}: {why}", self.database.name())),
            None => Grant::NotGranted(Vec::new()),
        }
    }
}

#[async_trait::async_trait]
impl Source for Sql {
    fn name(&self) -> &str {
        &self.name
    }

    async fn find(&self, question: &GrantQuestion) -> Grant {
        let rows = match self.rows(question).await {
            Ok(rows) => rows,
            Err(error) => return Grant::Undetermined(error.to_string()),
        };
        if !self.query.asks_for("address") {
            return self.judge(&rows, question);
        }
        let is_granted = rows.iter().any(|row| row.first().is_some_and(|value| !value.means_no()));
        if is_granted {
            Grant::Granted(format!("{} ({})", question.mailbox, self.name))
        } else {
            Grant::NotGranted(Vec::new())
        }
    }
}
