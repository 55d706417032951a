//! SQLite, the only file that names its library.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{
    Connection as Database, Error, ErrorCode, InterruptHandle, OpenFlags, Statement, params_from_iter,
};
use tokio::sync::Semaphore;

use super::pool::Server;
use super::{Answer, CONNECTIONS, Failure, Question, Row, Rows, Value};

/// How long a lock is waited for that a writer holds; less than a query may take, so that the reason is known.
const BUSY_TIME: Duration = Duration::from_millis(1500);

/// Runs statements on a file, which is made where there is none: for tests of those who ask it.
#[cfg(test)]
pub(crate) fn run(path: &Path, statements: &str) {
    Database::open(path).unwrap().execute_batch(statements).unwrap();
}

/// A database in a file.
#[derive(Debug)]
pub(super) struct Sqlite {
    path: PathBuf,
    /// A permit for every thread that reads, given up or not: the disk may hang.
    threads: Arc<Semaphore>,
}

/// Makes ready to open the file.
pub(super) fn open(path: &Path) -> Sqlite {
    Sqlite { path: path.to_owned(), threads: Arc::new(Semaphore::new(CONNECTIONS)) }
}

/// The file in its present version.
pub(super) struct Connection {
    /// None while a thread has it.
    database: Option<Database>,
    interrupt: Arc<InterruptHandle>,
    file: (u64, u64),
}

/// Stops a query that nobody waits for any more.
struct Stop(Option<Arc<InterruptHandle>>);

impl Drop for Stop {
    fn drop(&mut self) {
        if let Some(interrupt) = self.0.take() {
            interrupt.interrupt();
        }
    }
}

impl Sqlite {
    /// Does something where no session waits for the disk.
    async fn apart<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
        let permit = Arc::clone(&self.threads).acquire_owned().await;
        let work = move || {
            let _permit = permit;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| format!("reading it failed: {error}"))
    }
}

#[async_trait::async_trait]
impl Server for Sqlite {
    type Connection = Connection;

    async fn connect(&self) -> Result<Connection, String> {
        let path = self.path.clone();
        self.apart(move || {
            let file = version(&path).ok_or_else(|| "there is no such file".to_owned())?;
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let database = Database::open_with_flags(&path, flags).map_err(|error| shown(&error))?;
            database.busy_timeout(BUSY_TIME).map_err(|error| shown(&error))?;
            let interrupt = Arc::new(database.get_interrupt_handle());
            Ok(Connection { database: Some(database), interrupt, file })
        })
        .await?
    }

    async fn is_usable(&self, connection: &mut Connection) -> bool {
        // Another file of the same name is another database.
        let path = self.path.clone();
        self.apart(move || version(&path)).await.is_ok_and(|file| file == Some(connection.file))
    }

    async fn ask(&self, connection: &mut Connection, question: &Question<'_>) -> Result<Answer, Failure> {
        let Some(database) = connection.database.take() else {
            return Err(Failure::Broken("the connection is gone".to_owned()));
        };
        let mut stop = Stop(Some(Arc::clone(&connection.interrupt)));
        let (sql, values): (String, Vec<String>) = match question {
            Question::Bound(sql, values) => {
                ((*sql).to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
            }
            Question::Text(sql) => ((*sql).to_owned(), Vec::new()),
        };
        let is_bound = matches!(question, Question::Bound(..));
        let work = move || {
            let answer = ask(&database, &sql, &values, is_bound);
            (database, answer)
        };
        let (database, answer) = self.apart(work).await.map_err(Failure::Broken)?;
        stop.0 = None;
        connection.database = Some(database);
        answer
    }
}

/// Which file a path leads to.
fn version(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

fn ask(database: &Database, sql: &str, values: &[String], is_bound: bool) -> Result<Answer, Failure> {
    if is_bound {
        let mut statement = database.prepare_cached(sql).map_err(|error| failure(&error))?;
        return read(&mut statement, values, convert);
    }
    let mut statement = database.prepare(sql).map_err(|error| failure(&error))?;
    read(&mut statement, values, |value| as_text(database, value))
}

fn read(
    statement: &mut Statement<'_>,
    values: &[String],
    convert: impl Fn(ValueRef<'_>) -> Result<Value, Failure>,
) -> Result<Answer, Failure> {
    let columns = statement.column_count();
    let mut found = statement.query(params_from_iter(values)).map_err(|error| failure(&error))?;
    let mut rows = Rows::default();
    while let Some(row) = found.next().map_err(|error| failure(&error))? {
        let values = (0..columns).map(|at| convert(row.get_ref(at).map_err(|error| failure(&error))?));
        rows.push(values.collect::<Result<Row, Failure>>()?)?;
    }
    Ok((columns > 0).then_some(rows.rows))
}

fn convert(value: ValueRef<'_>) -> Result<Value, Failure> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Number { is_zero: number == 0 },
        ValueRef::Real(number) => Value::Number { is_zero: number == 0.0 },
        ValueRef::Text(octets) | ValueRef::Blob(octets) => Value::Text(text(octets)?),
    })
}

/// The value as the library itself writes it.
fn as_text(database: &Database, value: ValueRef<'_>) -> Result<Value, Failure> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Text(number.to_string()),
        ValueRef::Real(number) => {
            let text = database.query_row("select cast(? as text)", [number], |row| row.get(0));
            Value::Text(text.map_err(|error| failure(&error))?)
        }
        ValueRef::Text(octets) | ValueRef::Blob(octets) => Value::Text(text(octets)?),
    })
}

fn text(octets: &[u8]) -> Result<String, Failure> {
    let text = str::from_utf8(octets).map_err(|_| Failure::Refused("a value is not UTF-8".to_owned()))?;
    Ok(text.to_owned())
}

/// What an error means for the connection.
fn failure(error: &Error) -> Failure {
    let is_refused = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::Unknown | ErrorCode::TooBig)
    );
    if is_refused { Failure::Refused(shown(error)) } else { Failure::Broken(shown(error)) }
}

/// An error in one line.
fn shown(error: &Error) -> String {
    match error {
        Error::SqliteFailure(code, None) => super::one_line(&code.to_string()),
        Error::SqliteFailure(_, Some(text)) | Error::SqlInputError { msg: text, .. } => super::one_line(text),
        error => super::one_line(&error.to_string()),
    }
}
