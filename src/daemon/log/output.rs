//! Lines, and streams that take them: each whole, one after the other.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use tracing::Level;

use crate::journal::Record;

/// The pause before another try where a stream takes nothing for the moment.
const PAUSE: Duration = Duration::from_millis(10);

/// How much a line matters, as syslog counts (RFC 5424, 6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Priority(pub(super) u8);

impl Priority {
    /// Refusals are worth a look; they are no fault of ours.
    pub(super) fn of(record: &Record) -> Self {
        Self(if record.verdict == "pass" { 6 } else { 5 })
    }

    pub(super) fn of_level(level: Level) -> Self {
        Self(match level {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        })
    }
}

/// One line of the log.
#[derive(Debug)]
pub(super) struct Line {
    /// The line, without its end.
    pub(super) text: String,
    pub(super) priority: Priority,
    /// The same once more for those who keep fields apart.
    pub(super) fields: Vec<(String, String)>,
}

/// Where lines go.
pub(super) trait Output {
    /// Writes a line, however long that takes.
    fn put(&mut self, line: &Line) -> io::Result<()>;
}

/// A stream of text.
pub(super) struct Stream<W>(pub(super) W);

impl<W: Write> Output for Stream<W> {
    fn put(&mut self, line: &Line) -> io::Result<()> {
        let octets = [line.text.as_bytes(), b"\n"].concat();
        let mut left = octets.as_slice();
        while !left.is_empty() {
            match self.0.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => left = &left[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Standard error may be shared with a program that made it non-blocking. Half a line would spoil the next
                // one, so this one is completed.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(PAUSE),
                Err(error) => return Err(error),
            }
        }
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a few octets at a time, and nothing every other time.
    #[derive(Default)]
    struct Reluctant {
        written: Vec<u8>,
        calls: usize,
    }

    impl Write for Reluctant {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            match self.calls % 3 {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                1 => Err(io::ErrorKind::Interrupted.into()),
                _ => {
                    let count = octets.len().min(7);
                    self.written.extend_from_slice(&octets[..count]);
                    Ok(count)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_stay_whole_on_a_stream_that_does_not_block() {
        let mut stream = Stream(Reluctant::default());
        for text in ["event=recipient verdict=reject", "event=message verdict=pass"] {
            let line = Line { text: text.to_owned(), priority: Priority(6), fields: Vec::new() };
            stream.put(&line).unwrap();
        }
        let written = String::from_utf8(stream.0.written).unwrap();
        assert_eq!(written, "event=recipient verdict=reject\nevent=message verdict=pass\n");
    }
}
