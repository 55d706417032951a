//! What tests elsewhere must know of rows.

use super::record::{self, Record};
use super::rows::{Change, RowId};

/// A row as it is after it was written and read.
pub(in crate::memory) fn written<R: Record>(row: &R) -> R {
    record::decode(&record::encode(row)).unwrap()
}

/// A row as octets, its version first.
pub(in crate::memory) fn octets<R: Record>(row: &R) -> Vec<u8> {
    record::encode(row)
}

/// What octets are as a row.
pub(in crate::memory) fn read<R: Record>(octets: &[u8]) -> Result<R, super::StoreError> {
    record::decode(octets)
}

/// Which row is changed, and to what.
pub(in crate::memory) fn parts(change: Change) -> (RowId, Option<Vec<u8>>) {
    (change.row, change.value.octets)
}
