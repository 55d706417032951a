//! The store: what the daemon must still know tomorrow, in one file.
//!
//! The daemon writes to the file and others read it meanwhile. Whoever has something to keep describes its tables
//! ([`Table`]) and hands over [`Change`]s; it waits for nothing. A thread of the store's own commits what has come
//! together within the commit interval. What has its number [acknowledged](Queue::acknowledged) survives whatever
//! happens to the process; of the rest, the last interval may be lost.
//!
//! Mail never depends on it: while the file cannot be used, changes wait in a bounded [`Queue`], which loses the oldest
//! first and counts them, and the file is opened again with growing pauses.
//!
//! redb is named in this folder only.
//!
//! | file | what it does |
//! |---|---|
//! | `open` | opening: whole files, damaged ones, files of others |
//! | `rows` | tables with types, and what a file holds of them |
//! | `record` | keys and values as octets |
//! | `queue` | changes on their way to the disk |
//! | `writer` | the thread that commits |
//! | `secret` | keyed hashes |

mod open;
mod queue;
mod record;
mod rows;
mod secret;
#[cfg(test)]
pub(in crate::memory) mod tests;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use redb::{Database, ReadableDatabase as _};
use tracing::error;

pub use open::OpenError;
pub use queue::{MOST_OCTETS, MOST_ROWS, Queue, Writing};
pub use record::{Input, Key, Output, Record};
pub use rows::{Change, Rows, Table};
pub use secret::Secret;

use writer::Writer;

/// How long the end of the daemon waits for the last commit.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why something cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A row that this program cannot have written.
    #[error("a row of the store cannot be read")]
    Unreadable,
    /// Its file cannot be used at the moment.
    #[error("the store is not open")]
    Closed,
    /// The library, or the system below it.
    #[error(transparent)]
    Redb(Box<redb::Error>),
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Redb(Box::new(error.into()))
    }
}

/// Somebody whose tables are in the store.
pub trait Resident: fmt::Debug + Send + Sync {
    /// The file was opened, for the first time or again after trouble, and holds these rows. What is to be changed in
    /// them is returned.
    ///
    /// # Errors
    ///
    /// When the rows cannot be read.
    fn opened(&self, rows: &Rows) -> Result<Vec<Change>, StoreError>;
}

/// What the writer and those who ask share.
struct Shared {
    queue: Arc<Queue>,
    database: RwLock<Option<Arc<Database>>>,
    /// In milliseconds.
    commit_interval: AtomicU64,
    /// The key of the file that was opened first.
    secret: OnceLock<Secret>,
}

impl Shared {
    fn database(&self) -> Option<Arc<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The open store. When it is dropped, what waits is committed.
pub struct Store {
    path: PathBuf,
    shared: Arc<Shared>,
}

impl Store {
    /// Opens the file, or begins one, and writes to it what comes through the queue. It examines the whole file, which
    /// takes its time. A file that is damaged is moved aside; `clock` gives the time for its name.
    ///
    /// Where the system refuses the file, the store goes on trying, and says so in the log.
    ///
    /// # Errors
    ///
    /// Another process writes to the file, or no thread can be had.
    pub fn open(
        path: PathBuf,
        commit_interval: Duration,
        queue: Arc<Queue>,
        residents: Vec<Arc<dyn Resident>>,
        clock: fn() -> Timestamp,
    ) -> Result<Self, OpenError> {
        let shared = Arc::new(Shared {
            queue,
            database: RwLock::new(None),
            commit_interval: AtomicU64::new(0),
            secret: OnceLock::new(),
        });
        let store = Self { path: path.clone(), shared: Arc::clone(&shared) };
        store.set_commit_interval(commit_interval);
        let writer = Writer { path: path.clone(), shared, residents, clock };
        let opened = writer.open();
        match &opened {
            Ok(()) => {}
            Err(error) if error.is_in_use() => {
                store.shared.queue.ended();
                return Err(OpenError::InUse(path));
            }
            Err(error) => error!("the store cannot be opened, and nothing is recorded: {error}"),
        }
        let begun =
            std::thread::Builder::new().name("store".to_owned()).spawn(move || writer.run(opened.is_ok()));
        if let Err(error) = begun {
            store.shared.queue.ended();
            return Err(OpenError::Io(path, error));
        }
        Ok(store)
    }

    /// The file.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// From now on, changes wait that long for others to be committed with them.
    pub fn set_commit_interval(&self, interval: Duration) {
        let milliseconds = interval.as_millis().try_into().unwrap_or(u64::MAX);
        self.shared.commit_interval.store(milliseconds, Ordering::Relaxed);
    }

    /// A row as it is by the last change, on the disk or on its way there. May wait for the disk.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn find<K: Key, V: Record>(&self, table: &Table<K, V>, key: &K) -> Result<Option<V>, StoreError> {
        // First what waits: what is committed meanwhile is found in the file.
        if let Some(waiting) = self.shared.queue.find(&table.row(key)) {
            return waiting.map(|value| record::decode(&value)).transpose();
        }
        self.reader().rows()?.find(table, key)
    }

    /// The way to what is on the disk. It keeps nothing open.
    pub fn reader(&self) -> Reader {
        Reader(Arc::clone(&self.shared))
    }

    /// What waits to be written, and how writing goes.
    pub fn queue(&self) -> &Queue {
        &self.shared.queue
    }

    /// Waits until everything that was submitted so far is on the disk, at most that long; says whether it is.
    pub fn flush(&self, limit: Duration) -> bool {
        self.shared.queue.flush(limit)
    }

    /// Commits what waits and lets go of the file. What is submitted later is lost.
    pub fn close(&self) {
        self.shared.queue.close(PATIENCE);
    }
}

/// The way to what an open store has on the disk.
#[derive(Clone)]
pub struct Reader(Arc<Shared>);

impl Reader {
    /// What is committed at this moment. To begin is quick; to look into the rows may wait for the disk.
    ///
    /// # Errors
    ///
    /// When the file is not open or cannot be read.
    pub fn rows(&self) -> Result<Rows, StoreError> {
        let Some(database) = self.0.database() else { return Err(StoreError::Closed) };
        Rows::new(database.begin_read()?, None)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}
