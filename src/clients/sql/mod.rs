//! SQL databases: a question whose values are bound, or a text; rows back.
//!
//! Each server has a file here, the only one that names its library. What they share: few connections, time limits,
//! and a new connection where an old one has gone. Whatever goes wrong is an error of this one question.

#![cfg_attr(
    not(all(feature = "postgres", feature = "mysql", feature = "sqlite")),
    allow(
        dead_code,
        unused_imports,
        unreachable_code,
        reason = "a server that is not built in has its share of this"
    )
)]

#[cfg(feature = "postgres")]
mod frames;
pub(crate) mod lexer;
#[cfg(feature = "mysql")]
mod mysql;
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod query;
#[cfg(feature = "sqlite")]
mod sqlite;
mod url;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use query::{Query, QueryError};
pub use url::DatabaseUrl;
pub(crate) use url::{Host, Place, ServerPlace, Tls};

use super::password::{Password, PasswordFile};
use crate::clients::files::problem::Problem;
use crate::clients::files::watched::{Reading, apart};
use pool::{Pool, Server};
#[cfg(all(test, feature = "sqlite"))]
pub(crate) use sqlite::run as run_on_sqlite;

/// How long connecting may take, and waiting for a connection that is free.
const CONNECT_TIME: Duration = Duration::from_secs(2);

/// How long a query may take.
const QUERY_TIME: Duration = Duration::from_secs(2);

/// How many connections there are at most.
const CONNECTIONS: usize = 4;

/// How many rows and octets an answer may have.
const MOST_ROWS: usize = 10_000;
const MOST_OCTETS: usize = 1 << 20;

/// A database as a source, as the configuration describes it.
///
/// What it gives is a yes where a row has something in its first column that means no no: NULL, false and 0 do, so that
/// `select count(*)` and `select exists (…)` may be asked; a text never does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub url: DatabaseUrl,
    /// What it is asked.
    pub query: Query,
    /// The file whose first line is the password.
    pub password_file: Option<PathBuf>,
}

impl Settings {
    /// Makes ready to ask.
    ///
    /// # Errors
    ///
    /// Where the password cannot be read, or the database cannot be asked by this program.
    pub(crate) async fn open(&self) -> Reading<Database> {
        let (url, password_file) = (self.url.clone(), self.password_file.clone());
        let open = move || {
            let (secret, mut warnings) = Secret::open(password_file.as_deref())?;
            let (database, more) = Database::open(&url, secret)?;
            warnings.extend(more);
            Ok((database, warnings))
        };
        apart(open).await
    }
}

/// The kinds of databases, which differ in what their SQL looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
    /// SQLite.
    Sqlite,
}

impl Dialect {
    /// The feature of this program that it needs.
    fn feature(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Sqlite => "sqlite",
        }
    }

    /// Whether this program was built with it.
    fn is_built_in(self) -> bool {
        match self {
            Self::Postgres => cfg!(feature = "postgres"),
            Self::Mysql => cfg!(feature = "mysql"),
            Self::Sqlite => cfg!(feature = "sqlite"),
        }
    }
}

/// The value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// NULL.
    Null,
    /// A truth value.
    Truth(bool),
    /// A number, and whether it is 0.
    Number { is_zero: bool },
    /// A text.
    Text(String),
    /// Something else; the name of its type.
    Other(String),
}

impl Value {
    /// Whether it means no: NULL, false or 0. A text never does, as `0` and `f` may be names.
    pub(crate) fn means_no(&self) -> bool {
        matches!(self, Self::Null | Self::Truth(false) | Self::Number { is_zero: true })
    }

    /// How much room it takes, roughly.
    fn octets(&self) -> usize {
        match self {
            Self::Text(text) | Self::Other(text) => text.len() + 16,
            Self::Null | Self::Truth(_) | Self::Number { .. } => 16,
        }
    }
}

impl fmt::Display for Value {
    /// What kind of value it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "NULL",
            Self::Truth(_) => "a truth value",
            Self::Number { .. } => "a number",
            Self::Text(_) => "a text",
            Self::Other(name) => name,
        })
    }
}

/// The values of one row.
pub(crate) type Row = Vec<Value>;

/// Rows as they come in, up to a limit.
#[derive(Debug, Default)]
struct Rows {
    rows: Vec<Row>,
    octets: usize,
}

impl Rows {
    fn push(&mut self, row: Row) -> Result<(), Failure> {
        self.octets += row.iter().map(Value::octets).sum::<usize>();
        if self.rows.len() == MOST_ROWS || self.octets > MOST_OCTETS {
            let why = format!("the answer has more than {MOST_ROWS} rows or {MOST_OCTETS} octets");
            return Err(Failure::Broken(why));
        }
        self.rows.push(row);
        Ok(())
    }
}

/// What a server is asked.
enum Question<'a> {
    /// A query with the values that are bound.
    Bound(&'a str, &'a [&'a str]),
    /// A query as it is. All values of its answer are texts or NULL.
    Text(&'a str),
}

/// The rows; none where the query gives none by its nature.
type Answer = Option<Vec<Row>>;

/// Why there is no answer.
#[derive(Debug)]
enum Failure {
    /// The server does not answer this question; the connection is none the worse.
    Refused(String),
    /// The connection is of no use any more.
    Broken(String),
}

/// Why a database cannot tell; with its name, and never with a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{database}: {why}")]
pub(crate) struct DatabaseError {
    database: String,
    why: String,
}

/// Where the password is.
#[derive(Debug)]
pub(crate) enum Secret {
    /// There is none.
    None,
    /// Known already.
    Known(Password),
    /// In a file.
    File(PasswordFile),
}

impl Secret {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    ///
    /// Where it holds no password.
    pub(crate) fn open(file: Option<&Path>) -> Reading<Self> {
        let Some(path) = file else { return Ok((Self::None, Vec::new())) };
        let (file, warnings) = PasswordFile::open(path)?;
        Ok((Self::File(file), warnings))
    }

    /// The password in force.
    fn current(&self) -> Option<Arc<Password>> {
        match self {
            Self::None => None,
            Self::Known(password) => Some(Arc::new(password.clone())),
            Self::File(file) => Some(file.current()),
        }
    }
}

/// Whoever can be asked.
#[async_trait::async_trait]
trait Ask: Send + Sync {
    async fn ask(&self, question: &Question<'_>) -> Result<Answer, String>;
}

/// A database that can be asked. Nothing connects before it is.
pub(crate) struct Database {
    name: String,
    client: Box<dyn Ask>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.name).finish()
    }
}

impl Database {
    /// Makes ready to ask it.
    ///
    /// # Errors
    ///
    /// Where TLS is wanted and cannot be had, or this program was built without its kind.
    pub(crate) fn open(url: &DatabaseUrl, secret: Secret) -> Reading<Self> {
        let (client, warnings): (Box<dyn Ask>, _) = match &url.place {
            #[cfg(feature = "postgres")]
            Place::Server(place) if place.dialect == Dialect::Postgres => {
                pooled(postgres::open(place, secret)?)
            }
            #[cfg(feature = "mysql")]
            Place::Server(place) if place.dialect == Dialect::Mysql => pooled(mysql::open(place, secret)?),
            #[cfg(feature = "sqlite")]
            Place::File(path) => pooled((sqlite::open(path), Vec::new())),
            #[allow(unreachable_patterns, reason = "a build with everything has no such case")]
            _ => {
                let _ = secret;
                let feature = url.dialect().feature();
                return Err(vec![Problem::new(format!("this program was built without `{feature}`"))]);
            }
        };
        Ok((Self { name: url.to_string(), client }, warnings))
    }

    /// Its name, for messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The rows for a query, with what each name in it stands for.
    ///
    /// # Errors
    ///
    /// Where there is no answer in time, or none that can be used.
    pub(crate) async fn ask(
        &self,
        query: &Query,
        values: &[(&str, &str)],
    ) -> Result<Vec<Row>, DatabaseError> {
        let values = query.bind(values);
        let answer = self.client.ask(&Question::Bound(query.sql(), &values)).await;
        answer.map(Option::unwrap_or_default).map_err(|why| self.error(why))
    }

    /// The rows for a query as it is, all texts or NULL; none where the query gives none by its nature.
    ///
    /// # Errors
    ///
    /// As above.
    pub(crate) async fn ask_text(&self, sql: &str) -> Result<Answer, DatabaseError> {
        self.client.ask(&Question::Text(sql)).await.map_err(|why| self.error(why))
    }

    fn error(&self, why: String) -> DatabaseError {
        DatabaseError { database: self.name.clone(), why }
    }
}

/// A server behind its connections.
fn pooled<S: Server>((server, warnings): (S, Vec<Problem>)) -> (Box<dyn Ask>, Vec<Problem>) {
    (Box::new(Pool::new(server)), warnings)
}

/// Text of the configuration, fit for a message about it.
fn code(text: &str) -> String {
    format!("`{}`", one_line(text))
}

/// A message of a server, which may hold anything, as part of ours.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 200;
    let text = match text.rsplit_once(" (os error ") {
        Some((text, number)) if number.ends_with(')') => text,
        _ => text,
    };
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().take(LONGEST).map(visible).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}
