//! Hashes of what must be recognised and need not be known: who wrote to whom.

use std::fmt::{self, Write as _};
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
    pub fn hash(self, kind: &str, text: impl fmt::Display) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(kind.as_bytes());
        hasher.write_u8(0);
        write!(Text(&mut hasher), "{text}").expect("a hasher takes everything, and texts write themselves");
        hasher.finish().max(1)
    }
}

/// Where a text goes that need not be put together first.
struct Text<'a>(&'a mut SipHasher24);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.0.write(piece.as_bytes());
        Ok(())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_pieces_is_the_same_text() {
        let secret = Secret::new([7; 16]);
        let whole = secret.hash("kind", "left-right 12");
        assert_eq!(secret.hash("kind", format_args!("{}-{} {:x}", "left", "right", 0x12)), whole);
        assert_ne!(secret.hash("other kind", "left-right 12"), whole);
        assert_ne!(secret.hash("kind", "left-right 1"), whole);
    }
}
