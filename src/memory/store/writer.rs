//! The one that writes: a thread of its own, so that nobody else waits for the disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use redb::{Database, ReadableDatabase as _};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::queue::Batch;
use super::rows::{Rows, definition};
use super::{OpenError, Resident, Shared, StoreError, open};

/// The pause after the first failure; it doubles from one failure to the next, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What the writer needs.
pub(super) struct Writer {
    pub(super) path: PathBuf,
    pub(super) shared: Arc<Shared>,
    pub(super) residents: Vec<Arc<dyn Resident>>,
    pub(super) clock: fn() -> Timestamp,
}

impl Writer {
    /// Opens the file and lets the residents see what is in it.
    pub(super) fn open(&self) -> Result<(), OpenError> {
        let opened = self.open_once();
        let writing = self.shared.queue.writing();
        writing.is_open.store(opened.is_ok(), Ordering::Relaxed);
        writing.failed_openings.fetch_add(opened.is_err().into(), Ordering::Relaxed);
        opened
    }

    fn open_once(&self) -> Result<(), OpenError> {
        let known = self.shared.secret.get().copied();
        let database = Arc::new(open::writable(&self.path, (self.clock)(), known)?);
        self.welcome(&database)
            .map_err(|error| OpenError::Io(self.path.clone(), std::io::Error::other(error.to_string())))?;
        *self.shared.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
        Ok(())
    }

    fn welcome(&self, database: &Database) -> Result<(), StoreError> {
        let rows = Rows::new(database.begin_read()?, None)?;
        // Hashes that are known already must go on to mean something.
        let _ = self.shared.secret.set(rows.secret());
        for resident in &self.residents {
            let changes = resident.opened(&rows)?;
            self.shared.queue.submit(changes);
        }
        Ok(())
    }

    /// Writes what is submitted, until it is told to end. `is_open` says whether the file could be opened already.
    pub(super) fn run(self, mut is_open: bool) {
        let queue = Arc::clone(&self.shared.queue);
        let mut pause = FIRST_PAUSE;
        loop {
            if !is_open {
                let closing = queue.pause(pause);
                match self.open() {
                    Ok(()) => {
                        info!(file = %self.path.display(), "the store is open");
                        (is_open, pause) = (true, FIRST_PAUSE);
                    }
                    Err(error) => {
                        pause = (pause * 2).min(LONGEST_PAUSE);
                        error!("the store cannot be opened, and nothing is recorded: {error}");
                    }
                }
                if closing && !is_open {
                    break;
                }
                continue;
            }
            let interval = Duration::from_millis(self.shared.commit_interval.load(Ordering::Relaxed));
            let Some(batch) = queue.next(interval) else { break };
            match self.commit(&batch) {
                Ok(()) => queue.committed(&batch),
                Err(why) => {
                    error!(file = %self.path.display(), "the store cannot be written to: {why}");
                    queue.give_back(batch);
                    self.close();
                    is_open = false;
                }
            }
        }
        self.close();
        queue.ended();
    }

    /// One transaction for all that has come together.
    fn commit(&self, batch: &Batch) -> Result<(), String> {
        let database = self.shared.database();
        let database = database.ok_or_else(|| "it is not open".to_owned())?;
        let (begun, writing) = (Instant::now(), self.shared.queue.writing());
        let committed = catch_unwind(AssertUnwindSafe(|| apply(&database, batch)));
        writing.commits.note(begun.elapsed());
        let outcome = match committed {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err("writing ended in a panic".to_owned()),
        };
        writing.failed_commits.fetch_add(outcome.is_err().into(), Ordering::Relaxed);
        if outcome.is_ok() {
            writing.rows.fetch_add(batch.rows.len() as u64, Ordering::Relaxed);
        }
        outcome
    }

    /// Lets go of the file.
    fn close(&self) {
        self.shared.queue.writing().is_open.store(false, Ordering::Relaxed);
        let database = self.shared.database.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(database) = database.and_then(Arc::into_inner) else { return };
        match catch_unwind(AssertUnwindSafe(|| database.close())) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(file = %self.path.display(), "the store was not closed cleanly: {error}"),
            Err(_) => warn!(file = %self.path.display(), "the store was not closed cleanly: a panic"),
        }
    }
}

fn apply(database: &Database, batch: &Batch) -> Result<(), StoreError> {
    let transaction = database.begin_write()?;
    for table in &batch.doomed {
        transaction.delete_table(definition(&table.to_string()))?;
    }
    // A table is opened once for all its rows, and rows that lie side by side are written one after the other.
    let mut rows: Vec<_> = batch.rows.iter().collect();
    rows.sort_unstable_by_key(|(row, _)| *row);
    for rows in rows.chunk_by(|((one, _), _), ((other, _), _)| one == other) {
        let ((table, _), _) = rows[0];
        let mut table = transaction.open_table(definition(&table.to_string()))?;
        for ((_, key), value) in rows {
            match &value.octets {
                Some(octets) => drop(table.insert(&**key, octets.as_slice())?),
                None => drop(table.remove(&**key)?),
            }
        }
    }
    Ok(transaction.commit()?)
}
