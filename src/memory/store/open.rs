//! Opening the file: what is sound is used, what is damaged is moved aside, and what is somebody else's is left alone.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use redb::backends::FileBackend;
use redb::{
    Builder, ConcurrencyMode, Database, DatabaseError, ReadableDatabase as _, ReadableTable as _,
    StorageError,
};
use tracing::error;

use super::StoreError;
use super::rows::Rows;
use super::secret::Secret;

/// Memory that the library may use for parts of the file.
const CACHE: usize = 16 * 1024 * 1024;

/// Who may read the file: it says which names of ours are used.
const PERMISSIONS: u32 = 0o640;

/// Why the file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes to it.
    #[error("{path}: another process has it open, and one file cannot serve two daemons", path = .0.display())]
    InUse(PathBuf),
    /// A program wrote it that is too old for this one.
    #[error("{path}: its format {1} is not that of this version; move it away to begin a new one", path = .0.display())]
    UpgradeRequired(PathBuf, u8),
    /// It was not closed as it should be, and only a writer may see to it.
    #[error("{path}: it was not closed cleanly; the daemon repairs it when it starts", path = .0.display())]
    Unclean(PathBuf),
    /// It is damaged. A writer moves such a file aside.
    #[error("{path}: it is damaged: {1}", path = .0.display())]
    Damaged(PathBuf, String),
    /// The system refuses it, or it refuses for a reason of its own.
    #[error("{path}: {1}", path = .0.display())]
    Io(PathBuf, io::Error),
}

impl OpenError {
    /// Whether another daemon is at work on the file, so that this one must not be.
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::InUse(_))
    }

    /// Whether there is no such file, or no such folder.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io(_, error) if error.kind() == io::ErrorKind::NotFound)
    }

    fn of(path: &Path, error: DatabaseError) -> Self {
        let path = path.to_owned();
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => Self::InUse(path),
            DatabaseError::UpgradeRequired(version) => Self::UpgradeRequired(path, version),
            DatabaseError::RepairAborted => Self::Unclean(path),
            DatabaseError::Storage(error) => Self::of_storage(path, error),
            other => Self::Io(path, io::Error::other(other.to_string())),
        }
    }

    fn of_storage(path: PathBuf, error: StorageError) -> Self {
        match error {
            StorageError::Corrupted(why) => Self::Damaged(path, why),
            // A file that is no store at all, and one whose end is missing.
            StorageError::Io(error)
                if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                Self::Damaged(path, error.to_string())
            }
            StorageError::Io(error) => Self::Io(path, error),
            StorageError::LockPoisoned(_) => Self::Damaged(path, error.to_string()),
            other => Self::Io(path, io::Error::other(other.to_string())),
        }
    }

    fn of_store(path: &Path, error: StoreError) -> Self {
        match error {
            StoreError::Unreadable => Self::Damaged(path.to_owned(), "it has no key".to_owned()),
            StoreError::Closed => Self::Io(path.to_owned(), io::Error::other(error.to_string())),
            StoreError::Redb(error) => match *error {
                redb::Error::Corrupted(why) => Self::Damaged(path.to_owned(), why),
                redb::Error::Io(error) => Self::of_storage(path.to_owned(), StorageError::Io(error)),
                // A table of ours that is of other types.
                redb::Error::TableTypeMismatch { .. } | redb::Error::TableIsMultimap(_) => {
                    Self::Damaged(path.to_owned(), error.to_string())
                }
                other => Self::Io(path.to_owned(), io::Error::other(other.to_string())),
            },
        }
    }
}

/// Opens the file to write to it, or begins one. `now` names what has to be moved aside; a new file gets the key `known`,
/// if there is one.
pub(super) fn writable(path: &Path, now: Timestamp, known: Option<Secret>) -> Result<Database, OpenError> {
    match guarded(path, || examine(path, known)) {
        Err(OpenError::Damaged(_, why)) => {
            let aside = set_aside(path, now).map_err(|error| OpenError::Io(path.to_owned(), error))?;
            error!(
                file = %path.display(), moved_to = %aside.display(), why,
                "the store is damaged: what it knew is lost, and a new one is begun"
            );
            guarded(path, || examine(path, known))
        }
        opened => opened,
    }
}

/// Opens the file, all of it examined.
fn examine(path: &Path, known: Option<Secret>) -> Result<Database, OpenError> {
    let system = |error| OpenError::Io(path.to_owned(), error);
    let file = open(path).map_err(system)?;
    let backend = FileBackend::new(file).map_err(|error| OpenError::of(path, error))?;
    let database = Builder::new()
        .set_concurrency_mode(ConcurrencyMode::SingleWriter)
        .set_check_integrity_on_open(true)
        .set_cache_size(CACHE)
        .create_with_backend(backend)
        .map_err(|error| OpenError::of(path, error))?;
    let secret = known.map_or_else(Secret::draw, Ok).map_err(system)?;
    ensure_secret(&database, secret).map_err(|error| OpenError::of_store(path, error))?;
    Ok(database)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(PERMISSIONS).open(path)
}

/// Gives a new file its key.
fn ensure_secret(database: &Database, secret: Secret) -> Result<(), StoreError> {
    let transaction = database.begin_write()?;
    let is_new = {
        let mut table = transaction.open_table(Secret::TABLE)?;
        let is_new = table.get("")?.is_none();
        if is_new {
            table.insert("", secret.octets())?;
        }
        is_new
    };
    if is_new {
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(())
}

/// Opens the file to read it, whether or not a daemon writes to it.
pub(super) fn read_only(path: &Path) -> Result<Rows, OpenError> {
    guarded(path, || {
        let database = Builder::new()
            .set_concurrency_mode(ConcurrencyMode::SingleWriter)
            .set_cache_size(CACHE)
            .open_read_only(path)
            .map_err(|error| OpenError::of(path, error))?;
        let begun = database.begin_read().map_err(StoreError::from);
        let rows = begun.and_then(|transaction| Rows::new(transaction, Some(database)));
        rows.map_err(|error| OpenError::of_store(path, error))
    })
}

/// The library may panic on what nobody but a broken disk can have written.
fn guarded<T>(path: &Path, open: impl FnOnce() -> Result<T, OpenError>) -> Result<T, OpenError> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| {
        Err(OpenError::Damaged(path.to_owned(), "reading it ended in a panic".to_owned()))
    })
}

/// Moves the file out of the way, and says where it is now.
fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let stem = format!("{}.damaged-{}", path.display(), now.strftime("%Y%m%dT%H%M%SZ"));
    let names = (1..100).map(|number| match number {
        1 => PathBuf::from(&stem),
        number => PathBuf::from(format!("{stem}-{number}")),
    });
    let free = names.into_iter().find(|name| !name.exists());
    let aside = free.ok_or_else(|| io::Error::other("too many damaged files lie beside it"))?;
    fs::rename(path, &aside)?;
    Ok(aside)
}
