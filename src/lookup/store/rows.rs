//! Tables with types, changes to them, and what a file holds of them.

use std::marker::PhantomData;
use std::path::Path;

use redb::{ReadOnlyDatabase, ReadTransaction, ReadableTable as _, TableDefinition, TableError};

use super::record::{self, Key, Record};
use super::secret::Secret;
use super::{StoreError, open};

/// A table: rows of one kind, each under its key.
#[derive(Debug)]
pub struct Table<K, V> {
    name: &'static str,
    kinds: PhantomData<fn() -> (K, V)>,
}

/// A row as it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub(super) row: RowId,
    /// Its value; none if it shall not be.
    pub(super) value: Option<Vec<u8>>,
}

/// Which row: its table and its key.
pub(super) type RowId = (&'static str, Vec<u8>);

impl<K: Key, V: Record> Table<K, V> {
    /// The table of that name.
    pub const fn new(name: &'static str) -> Self {
        Self { name, kinds: PhantomData }
    }

    /// The row with this value, whatever it was before.
    pub fn put(&self, key: &K, value: &V) -> Change {
        Change { row: self.row(key), value: Some(record::encode(value)) }
    }

    /// No such row any more.
    pub fn remove(&self, key: &K) -> Change {
        Change { row: self.row(key), value: None }
    }

    pub(super) fn row(&self, key: &K) -> RowId {
        (self.name, key.encode())
    }
}

/// The table as redb knows it.
pub(super) fn definition(name: &str) -> TableDefinition<'_, &'static [u8], &'static [u8]> {
    TableDefinition::new(name)
}

/// What was committed to a file at one moment.
pub struct Rows {
    transaction: ReadTransaction,
    secret: Secret,
    /// The file, where nobody else keeps it open.
    _file: Option<ReadOnlyDatabase>,
}

impl Rows {
    pub(super) fn new(
        transaction: ReadTransaction,
        file: Option<ReadOnlyDatabase>,
    ) -> Result<Self, StoreError> {
        let table = transaction.open_table(Secret::TABLE)?;
        let secret = table.get("")?.map(|value| Secret::new(value.value()));
        let secret = secret.ok_or(StoreError::Unreadable)?;
        Ok(Self { transaction, secret, _file: file })
    }

    /// Reads a file that another process may have open.
    ///
    /// # Errors
    ///
    /// Why it cannot be read; it is never changed.
    pub fn of_file(path: &Path) -> Result<Self, open::OpenError> {
        open::read_only(path)
    }

    /// The key of the hashes in this file.
    pub fn secret(&self) -> Secret {
        self.secret
    }

    /// All rows of a table, and how many there are that this program cannot read.
    pub fn all<K: Key, V: Record>(&self, table: &Table<K, V>) -> Result<(Vec<(K, V)>, usize), StoreError> {
        let (mut rows, mut unreadable) = (Vec::new(), 0);
        let stored = match self.transaction.open_table(definition(table.name)) {
            Ok(stored) => stored,
            Err(TableError::TableDoesNotExist(_)) => return Ok((rows, unreadable)),
            Err(error) => return Err(error.into()),
        };
        for row in stored.iter()? {
            let (key, value) = row?;
            match (K::decode(key.value()), record::decode(value.value())) {
                (Some(key), Ok(value)) => rows.push((key, value)),
                _ => unreadable += 1,
            }
        }
        Ok((rows, unreadable))
    }

    /// One row.
    pub(super) fn get<K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        key: &K,
    ) -> Result<Option<V>, StoreError> {
        let stored = match self.transaction.open_table(definition(table.name)) {
            Ok(stored) => stored,
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let value = stored.get(key.encode().as_slice())?;
        value.map(|value| record::decode(value.value())).transpose()
    }
}
