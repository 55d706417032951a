//! How text for people is laid out: its width, its numbers, its times.

use std::io::{self, IsTerminal as _};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use terminal_size::{Width, terminal_size_of};
use unicode_width::UnicodeWidthStr as _;

use crate::config::Style;

/// Columns of a text that goes to no terminal.
const WIDTH: usize = 80;
/// Columns that a text takes at least, however narrow the terminal.
const MIN_WIDTH: usize = 60;
/// Columns that it takes at most; wider lines are hard to follow.
const MAX_WIDTH: usize = 160;

/// Columns from which on there is room for what is good to know.
const WIDE: usize = 100;

/// How the text should look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Columns of a line, at most.
    pub(super) width: usize,
    /// Whether there are colours.
    pub(super) style: Style,
}

impl Layout {
    /// As standard output has it: the columns that `COLUMNS` says, else those of the terminal.
    pub(super) fn of_output() -> Self {
        let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let seen = || terminal_size_of(io::stdout()).map(|(Width(columns), _)| usize::from(columns));
        let width = told.or_else(seen).unwrap_or(WIDTH).clamp(MIN_WIDTH, MAX_WIDTH);
        Self { width, style: super::style(io::stdout().is_terminal()) }
    }

    /// Whether there is room for what is good to know.
    pub(super) fn is_wide(&self) -> bool {
        self.width >= WIDE
    }
}

/// A number with the word for what it counts.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Text in lines of at most `width` columns, broken at blanks; `first` and `further` stand before the first line and before
/// the others. A word that is longer than a line stays whole, so that it can be copied.
pub(super) fn wrapped(text: &str, first: &str, further: &str, width: usize) -> String {
    let (mut lines, mut line, mut at) = (String::new(), first.to_owned(), 0);
    for word in text.split(' ') {
        let blank = usize::from(at > 0);
        if at > 0 && line.width() + blank + word.width() > width {
            lines.push_str(line.trim_end());
            lines.push('\n');
            (line, at) = (further.to_owned(), 0);
        } else if at > 0 {
            line.push(' ');
        }
        line.push_str(word);
        at += 1;
    }
    lines.push_str(line.trim_end());
    lines.push('\n');
    lines
}

/// A moment to the minute, in UTC.
pub(super) fn minute(time: Timestamp) -> String {
    TimeZone::UTC.to_datetime(time).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The day of a moment, in UTC.
pub(super) fn day(time: Timestamp) -> String {
    TimeZone::UTC.to_datetime(time).strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks() {
        assert_eq!(wrapped("a bc def", "> ", "  ", 6), "> a bc\n  def\n");
        assert_eq!(wrapped("abcdefgh ij", "", "  ", 6), "abcdefgh\n  ij\n");
        assert_eq!(wrapped("", "x ", "", 6), "x\n");
    }
}
