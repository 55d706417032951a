//! The compiled form of a table, as far as it tells what program made it.
//!
//! postmap(1) and postalias(1) read one text in two ways, and Postfix finds what the one that was run has made of it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What postalias(1) adds to every table as the signature that NIS wants. No address has this form, and it is in lower
/// case where keys are.
const SIGNATURE: &[u8] = b"yp_last_modified";

/// How much of a file is looked at, in octets.
const MOST: u64 = 1 << 30;

/// How much of it is looked at at a time.
const PART: usize = 1 << 16;

/// Which program has made a table, and so how it reads the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// `key value`
    Postmap,
    /// `name: target, target`
    Postalias,
}

impl Program {
    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Postmap => "postmap",
            Self::Postalias => "postalias",
        }
    }

    /// The program that made the compiled form of a text; none where there is none that can be read.
    pub(super) fn of(text: &Path, kind: &str) -> Option<Self> {
        let suffix = if ["dbm", "sdbm"].contains(&kind) { ".pag" } else { suffix(kind) };
        let file = File::open(beside(text, suffix)).ok()?;
        let is_signed = is_signed(file.take(MOST)).ok()?;
        Some(if is_signed { Self::Postalias } else { Self::Postmap })
    }
}

/// The compiled form of a table.
pub(super) fn compiled(text: &Path, kind: &str) -> PathBuf {
    beside(text, suffix(kind))
}

fn suffix(kind: &str) -> &'static str {
    match kind {
        "cdb" => ".cdb",
        "dbm" | "sdbm" => ".dir",
        "lmdb" => ".lmdb",
        _ => ".db",
    }
}

fn beside(text: &Path, suffix: &str) -> PathBuf {
    let mut name = text.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Whether the signature is anywhere in a file.
fn is_signed(mut file: impl Read) -> io::Result<bool> {
    let mut part = vec![0; SIGNATURE.len() - 1 + PART];
    let mut kept = 0;
    loop {
        let more = file.read(&mut part[kept..])?;
        if more == 0 {
            return Ok(false);
        }
        let filled = kept + more;
        let has = |window: &[u8]| window.eq_ignore_ascii_case(SIGNATURE);
        if part[..filled].windows(SIGNATURE.len()).any(has) {
            return Ok(true);
        }
        // It may begin in one part and end in the next.
        kept = filled.min(SIGNATURE.len() - 1);
        part.copy_within(filled - kept..filled, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that comes in small pieces.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
            let most = piece.len().min(5);
            self.0.read(&mut piece[..most])
        }
    }

    #[test]
    fn the_signature_is_found_wherever_it_is() {
        for (before, text, expected) in [
            (0, "YP_LAST_MODIFIED", true),
            (PART - 3, "yp_last_modified", true),
            (PART + 7, "yp_last_modified\0", true),
            (3 * PART, "yp_last_modifies", false),
            (0, "yp_last_", false),
            (0, "", false),
        ] {
            let octets = [vec![b'.'; before], text.as_bytes().to_vec()].concat();
            assert_eq!(is_signed(&octets[..]).unwrap(), expected, "{before} {text}");
            assert_eq!(is_signed(Slow(&octets)).unwrap(), expected, "{before} {text}");
        }
    }
}
