//! Tables with types, changes to them, and what a file holds of them.

use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use redb::{
    ReadOnlyDatabase, ReadOnlyTable, ReadTransaction, ReadableTable as _, TableDefinition, TableError,
    TableHandle as _,
};

use super::record::{self, Input, Key, Record};
use super::secret::Secret;
use super::{StoreError, open};

/// A table: rows of one kind, each under its key. It may consist of numbered parts, which are tables of their own.
#[derive(Debug)]
pub struct Table<K, V> {
    id: TableId,
    kinds: PhantomData<fn() -> (K, V)>,
}

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::memory) struct TableId {
    name: &'static str,
    part: Option<i32>,
}

/// A row as it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub(super) row: RowId,
    pub(super) value: Value,
}

/// Which row: its table and its key.
pub(super) type RowId = (TableId, Arc<[u8]>);

/// What a row shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    /// Its octets; none if it shall not be.
    pub(super) octets: Option<Vec<u8>>,
    /// Rows that it counts as while it waits.
    pub(super) rows: usize,
}

impl TableId {
    /// Octets of its name, roughly.
    pub(super) fn size(self) -> usize {
        self.name.len()
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            None => f.write_str(self.name),
            Some(part) => write!(f, "{}.{part}", self.name),
        }
    }
}

impl<K: Key, V: Record> Table<K, V> {
    /// The table of that name.
    pub const fn new(name: &'static str) -> Self {
        Self { id: TableId { name, part: None }, kinds: PhantomData }
    }

    /// The part of that number.
    #[must_use]
    pub const fn part(&self, number: i32) -> Self {
        Self { id: TableId { name: self.id.name, part: Some(number) }, kinds: PhantomData }
    }

    /// The row with this value, whatever it was before.
    pub fn put(&self, key: &K, value: &V) -> Change {
        let value = Value { octets: Some(record::encode(value)), rows: value.rows() };
        Change { row: self.row(key), value }
    }

    /// No such row any more.
    pub fn remove(&self, key: &K) -> Change {
        Change { row: self.row(key), value: Value { octets: None, rows: 1 } }
    }

    pub(super) fn row(&self, key: &K) -> RowId {
        (self.id, key.encode().into())
    }

    pub(super) fn id(&self) -> TableId {
        self.id
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
        let Some(stored) = self.stored(table)? else { return Ok((rows, unreadable)) };
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
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn find<K: Key, V: Record>(&self, table: &Table<K, V>, key: &K) -> Result<Option<V>, StoreError> {
        let Some(stored) = self.stored(table)? else { return Ok(None) };
        let value = stored.get(key.encode().as_slice())?;
        value.map(|value| record::decode(value.value())).transpose()
    }

    /// The keys from `first` to `last`, both included, the last one first; at most that many.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read.
    pub fn keys_backwards<K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        (first, last): (&K, &K),
        most: usize,
    ) -> Result<Vec<K>, StoreError> {
        let Some(stored) = self.stored(table)? else { return Ok(Vec::new()) };
        let (first, last) = (first.encode(), last.encode());
        let rows = stored.range(first.as_slice()..=last.as_slice())?.rev().take(most);
        rows.map(|row| K::decode(row?.0.value()).ok_or(StoreError::Unreadable)).collect()
    }

    /// Looks at the values from `first` to `last`, both included, the last one first, where they lie, until `look` has
    /// seen enough. It is given the version and what comes after it, and none from it means that no such value was
    /// ever written.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read.
    pub fn look_backwards<K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        (first, last): (&K, &K),
        mut look: impl FnMut(K, u8, Input<'_>) -> Option<ControlFlow<()>>,
    ) -> Result<(), StoreError> {
        let Some(stored) = self.stored(table)? else { return Ok(()) };
        let (first, last) = (first.encode(), last.encode());
        for row in stored.range(first.as_slice()..=last.as_slice())?.rev() {
            let (key, value) = row?;
            let key = K::decode(key.value()).ok_or(StoreError::Unreadable)?;
            let (version, input) = record::split(value.value())?;
            if look(key, version, input).ok_or(StoreError::Unreadable)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The last key of a table.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn last_key<K: Key, V: Record>(&self, table: &Table<K, V>) -> Result<Option<K>, StoreError> {
        let Some(stored) = self.stored(table)? else { return Ok(None) };
        let last = stored.last()?;
        last.map(|(key, _)| K::decode(key.value()).ok_or(StoreError::Unreadable)).transpose()
    }

    /// The numbers of the parts that a table has.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn parts<K, V>(&self, table: &Table<K, V>) -> Result<Vec<i32>, StoreError> {
        let tables = self.transaction.list_tables()?;
        let part = |name: &str| name.strip_prefix(table.id.name)?.strip_prefix('.')?.parse().ok();
        Ok(tables.filter_map(|table| part(table.name())).collect())
    }

    fn stored<K, V>(&self, table: &Table<K, V>) -> Result<Option<Stored>, StoreError> {
        match self.transaction.open_table(definition(&table.id.to_string())) {
            Ok(stored) => Ok(Some(stored)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// A table as redb reads it.
type Stored = ReadOnlyTable<&'static [u8], &'static [u8]>;
