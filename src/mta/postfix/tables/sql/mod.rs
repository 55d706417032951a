//! `pgsql:`, `mysql:` and `sqlite:` tables, from the files that Postfix has for them (`pgsql_table(5)` and the like),
//! asked as Postfix asks them.

mod query;
mod servers;
mod settings;

use super::expansion::{Needs, Template};
use super::{Request, Table, TableError, fold};
use crate::clients::files::watched::Reading;
use crate::clients::sql::{Dialect, Value};
use crate::mta::postfix::match_list::MatchList;
use query::Query;
use servers::Servers;

/// Opens a `pgsql:` table. The server is asked when there is a question.
pub(super) fn open_pgsql(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    open(Dialect::Postgres, request)
}

/// Opens a `mysql:` table.
pub(super) fn open_mysql(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    open(Dialect::Mysql, request)
}

/// Opens an `sqlite:` table.
pub(super) fn open_sqlite(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    open(Dialect::Sqlite, request)
}

fn open(dialect: Dialect, request: &Request<'_>) -> Reading<Box<dyn Table>> {
    let (table, warnings) = settings::read(dialect, request)?;
    Ok((Box::new(table), warnings))
}

/// The table.
#[derive(Debug)]
struct Sql {
    servers: Servers,
    query: Query,
    result_format: Template,
    needs: Needs,
    /// The domains of which keys are looked up; none for all keys.
    domains: Option<MatchList>,
    /// How many values there may be; 0 for any number.
    expansion_limit: usize,
    /// Whether a query that gives no rows by its nature is an error.
    requires_rows: bool,
    /// Whether only the first column counts.
    first_column_only: bool,
    encoding: Encoding,
}

/// What the server is told that keys and values are encoded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8,
    /// Every octet is a character of its own.
    Latin1,
}

impl Encoding {
    /// A part of a key as the server sees it.
    fn encoded(self, text: &str) -> String {
        match self {
            Self::Utf8 => text.to_owned(),
            Self::Latin1 => text.bytes().map(char::from).collect(),
        }
    }

    /// A value as Postfix sees it; none where that is not UTF-8.
    fn decoded(self, text: String) -> Option<String> {
        match self {
            Self::Utf8 => Some(text),
            Self::Latin1 => {
                let octets = text.chars().map(|c| u8::try_from(c).ok()).collect::<Option<Vec<u8>>>()?;
                String::from_utf8(octets).ok()
            }
        }
    }
}

#[async_trait::async_trait]
impl Table for Sql {
    async fn find(&self, key: &str) -> Result<Option<String>, TableError> {
        // Texts of Postfix end at a NUL, so that it could not even ask.
        if key.contains('\0') {
            return Ok(None);
        }
        let key = fold(key);
        if let Some(domains) = &self.domains {
            match key.rsplit_once('@') {
                Some((user, domain)) if !user.is_empty() && domains.matches(domain).await? => {}
                _ => return Ok(None),
            }
        }
        let Some(query) = self.query.fill(self.needs, &key, |part| self.encoding.encoded(part)) else {
            return Ok(None);
        };
        let Some(rows) = self.servers.ask(&query).await? else {
            let why = "the query gives no rows, and require_result_set = yes";
            return if self.requires_rows { Err(TableError(why.to_owned())) } else { Ok(None) };
        };
        let columns = if self.first_column_only { 1 } else { usize::MAX };
        let values = rows.into_iter().flat_map(|row| row.into_iter().take(columns));
        self.join(&key, values)
    }
}

impl Sql {
    /// The answer that values make together.
    fn join(&self, key: &str, values: impl Iterator<Item = Value>) -> Result<Option<String>, TableError> {
        let (mut text, mut number) = (String::new(), 0);
        for value in values {
            let Value::Text(value) = value else { continue };
            let value = self.encoding.decoded(value);
            let value = value.ok_or_else(|| TableError("a value is not UTF-8".to_owned()))?;
            let value = value.split('\0').next().unwrap_or_default();
            let Some(result) = self.result_format.result(self.needs, key, value) else { continue };
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(&result);
            number += 1;
            if self.expansion_limit > 0 && number > self.expansion_limit {
                return Err(TableError("there are more values than expansion_limit allows".to_owned()));
            }
        }
        Ok((!text.is_empty()).then_some(text))
    }
}
