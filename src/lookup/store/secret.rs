//! Hashes of what must be recognised and need not be known: who wrote to whom.

use std::fmt;
use std::hash::Hasher as _;

use redb::TableDefinition;
use siphasher::sip::SipHasher24;

/// The key of the hashes in one file. Without the file nobody can tell whether a hash is of an address that they know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; 16]);

impl Secret {
    /// Where a file keeps its key: one row without a name.
    pub(super) const TABLE: TableDefinition<'static, &'static str, [u8; 16]> = TableDefinition::new("secret");

    /// The key that these octets are.
    pub fn new(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// A key that nobody can guess.
    pub(super) fn draw() -> std::io::Result<Self> {
        let mut octets = [0; 16];
        getrandom::fill(&mut octets).map_err(std::io::Error::from)?;
        Ok(Self(octets))
    }

    pub(super) fn octets(self) -> [u8; 16] {
        self.0
    }

    /// The hash of a text as one of its kind: the same text as another kind has another hash. Never 0.
    pub fn hash(self, kind: &str, text: &str) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(kind.as_bytes());
        hasher.write_u8(0);
        hasher.write(text.as_bytes());
        hasher.finish().max(1)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
