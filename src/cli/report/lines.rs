//! The lines of a log of any length, in memory that does not grow.

use std::io::{self, BufRead, BufReader, Read};

use crate::journal::judged::MAX_JUDGED;

/// Octets of a line, at most. A record has twenty values of 1 KiB and twenty recipients of that length, which may all
/// be escapes of six octets for one; and what it was judged on.
const MAX_LINE: usize = 256 * 1024 + MAX_JUDGED;

/// Octets that are read at once.
const BUFFER: usize = 256 * 1024;

/// One line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) enum Line<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// A line that is longer than the limit, and how many octets it has; it was passed over.
    TooLong(usize),
}

/// Reads line by line.
pub(in crate::cli) struct Lines<R> {
    source: BufReader<R>,
    line: Vec<u8>,
}

impl<R: Read> Lines<R> {
    pub(in crate::cli) fn new(source: R) -> Self {
        Self { source: BufReader::with_capacity(BUFFER, source), line: Vec::new() }
    }

    /// The next line; none at the end.
    pub(in crate::cli) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let read = self.source.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        match self.line.strip_suffix(b"\n") {
            None if read > MAX_LINE => Ok(Some(Line::TooLong(read + self.source.skip_until(b'\n')?))),
            None => Ok(Some(Line::Whole(&self.line))),
            Some(line) => Ok(Some(Line::Whole(line.strip_suffix(b"\r").unwrap_or(line)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(log: &[u8], expected: &[Line<'_>]) {
        let mut lines = Lines::new(log);
        for line in expected {
            assert_eq!(lines.next().unwrap().as_ref(), Some(line));
        }
        assert_eq!(lines.next().unwrap(), None);
        assert!(lines.line.capacity() <= 2 * MAX_LINE + 2);
    }

    #[test]
    fn lines_of_any_length() {
        let (longest, longer) = (vec![b'x'; MAX_LINE], vec![b'x'; 10 * MAX_LINE]);
        check(b"", &[]);
        check(b"a\nb\r\n\nc", &[Line::Whole(b"a"), Line::Whole(b"b"), Line::Whole(b""), Line::Whole(b"c")]);
        check(&longest, &[Line::Whole(&longest)]);
        check(&[&longest[..], b"\na"].concat(), &[Line::Whole(&longest), Line::Whole(b"a")]);
        check(&[&longer[..], b"\na"].concat(), &[Line::TooLong(longer.len() + 1), Line::Whole(b"a")]);
        check(&longer, &[Line::TooLong(longer.len())]);
    }
}
