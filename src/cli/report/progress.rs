//! How far the reading is, for whoever waits at a terminal.

use std::io::{IsTerminal, Write};

/// Octets between two words about the progress: some tenths of a second.
const STEP: u64 = 32 * 1024 * 1024;

/// Octets of a megabyte.
const MEGABYTE: u64 = 1_000_000;

/// One line that is overwritten again and again; a short log never shows it.
pub(super) struct Progress<W> {
    /// None if nobody watches.
    terminal: Option<W>,
    size: Option<u64>,
    read: u64,
    next: u64,
    shown: bool,
}

impl<W: Write + IsTerminal> Progress<W> {
    /// Progress that shows on `terminal` if it is one.
    pub(super) fn new(terminal: W) -> Self {
        let watched = terminal.is_terminal();
        Self::shown_on(watched.then_some(terminal))
    }
}

impl<W: Write> Progress<W> {
    fn shown_on(terminal: Option<W>) -> Self {
        Self { terminal, size: None, read: 0, next: STEP, shown: false }
    }

    /// Begins with a log of `size` octets, where that is known.
    pub(super) fn begin(&mut self, size: Option<u64>) {
        // Devices and pipes say 0.
        self.size = size.filter(|size| *size > 0);
        self.read = 0;
        self.next = STEP;
    }

    /// Says that a line of so many octets was read.
    pub(super) fn advance(&mut self, octets: usize) {
        self.read += octets as u64 + 1;
        if self.read >= self.next {
            self.next = self.read + STEP;
            self.show();
        }
    }

    fn show(&mut self) {
        let Some(terminal) = &mut self.terminal else { return };
        let megabytes = self.read / MEGABYTE;
        let text = match self.size {
            Some(size) => {
                let percent = (self.read * 100 / size).min(100);
                format!("{megabytes} of {} MB, {percent} %", size / MEGABYTE)
            }
            None => format!("{megabytes} MB"),
        };
        // A terminal that does not take it needs no progress.
        let _ = write!(terminal, "\r\x1b[K{text} read").and_then(|()| terminal.flush());
        self.shown = true;
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if let Some(terminal) = self.terminal.as_mut().filter(|_| self.shown) {
            let _ = write!(terminal, "\r\x1b[K").and_then(|()| terminal.flush());
            self.shown = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(size: Option<u64>, lines: usize, expected: &str) {
        let mut progress = Progress::shown_on(Some(Vec::new()));
        progress.begin(size);
        for _ in 0..lines {
            progress.advance(999_999);
        }
        progress.clear();
        assert_eq!(String::from_utf8(progress.terminal.unwrap()).unwrap(), expected);
    }

    #[test]
    fn only_long_logs_show_progress() {
        check(Some(33_000_000), 33, "");
        check(Some(68_000_000), 67, "\r\x1b[K34 of 68 MB, 50 % read\r\x1b[K");
        check(Some(0), 40, "\r\x1b[K34 MB read\r\x1b[K");
        check(None, 70, "\r\x1b[K34 MB read\r\x1b[K68 MB read\r\x1b[K");
    }
}
