//! A text file that diagnostics point into.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::diagnostic::{Place, Spot};

/// A file that was read, and the name under which problems in it are reported.
pub(super) struct Source {
    name: String,
    text: String,
}

/// Why a file cannot be used at all.
pub(super) struct Unreadable {
    pub(super) place: Place,
    pub(super) message: String,
    pub(super) hint: Option<&'static str>,
}

impl Source {
    /// Longer lines are named by their number and not shown.
    const WIDEST_LINE: usize = 1000;

    /// Reads a file of UTF-8 text, at most `limit` octets long. A byte order mark at its beginning is dropped.
    pub(super) fn read(path: &Path, limit: usize) -> Result<Self, Unreadable> {
        let name = path.to_string_lossy().into_owned();
        let unreadable =
            |message, hint| Unreadable { place: Place { file: name.clone(), spot: None }, message, hint };
        let bytes = read_bytes(path, limit).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::NotFound => Some("name the file with --config"),
                io::ErrorKind::PermissionDenied => {
                    Some("the user that runs lockdown-milter must be able to read it")
                }
                _ => None,
            };
            let message = error.to_string();
            let message = message.split(" (os error").next().unwrap_or_default();
            unreadable(message.to_owned(), hint)
        })?;
        if bytes.len() > limit {
            return Err(unreadable(format!("it is larger than {} KiB", limit / 1024), None));
        }
        let sound = bytes.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
        match String::from_utf8(bytes) {
            Ok(text) => {
                Ok(Self::new(&name, text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)))
            }
            Err(error) => {
                let octet = error.as_bytes().get(sound).copied().unwrap_or_default();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                Err(Unreadable {
                    place: Self::new(&name, text).place(sound, 1),
                    message: format!("it is not UTF-8, as octet 0x{octet:02x} shows"),
                    hint: Some("save it as UTF-8"),
                })
            }
        }
    }

    /// A text under a name.
    pub(super) fn new(name: &str, text: String) -> Self {
        Self { name: name.to_owned(), text }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The file as a whole.
    pub(super) fn whole(&self) -> Place {
        Place { file: self.name.clone(), spot: None }
    }

    /// The place of `length` octets from `offset` on; what is outside the text becomes its end.
    pub(super) fn place(&self, offset: usize, length: usize) -> Place {
        let floor = |at: usize| self.text.floor_char_boundary(at.min(self.text.len()));
        let start = floor(offset);
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |at| start + at);
        let line = self.text[line_start..line_end].trim_end_matches('\r');
        let end = floor(start + length).min(line_start + line.len()).max(start);
        Place {
            file: self.name.clone(),
            spot: Some(Spot {
                line: self.text[..line_start].matches('\n').count() + 1,
                column: self.text[line_start..start].chars().count() + 1,
                length: self.text[start..end].chars().count(),
                source: (line.len() <= Self::WIDEST_LINE).then(|| line.to_owned()),
            }),
        }
    }
}

/// The octets of a file, one more than `limit` at most.
fn read_bytes(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, offset: usize, length: usize, expected: (usize, usize, usize, &str)) {
        let spot = Source::new("x", text.to_owned()).place(offset, length).spot.unwrap();
        let found = (spot.line, spot.column, spot.length, spot.source.as_deref().unwrap());
        assert_eq!(found, expected, "{text:?} at {offset}");
    }

    #[test]
    fn places_are_counted_in_characters_and_from_one() {
        check("", 0, 1, (1, 1, 0, ""));
        check("a: b\nc: d", 8, 1, (2, 4, 1, "c: d"));
        check("é: b", 4, 9, (1, 4, 1, "é: b"));
        check("a\r\nb\r\n", 3, 5, (2, 1, 1, "b"));
        check("a\n", 100, 1, (2, 1, 0, ""));
        check("aé", 2, 1, (1, 2, 1, "aé"));
    }
}
