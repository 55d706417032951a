//! How text for people is laid out: its width, its numbers, its times.

use std::io::{self, IsTerminal as _};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use terminal_size::{Width, terminal_size_of};

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

/// A moment to the minute, in UTC.
pub(super) fn minute(time: Timestamp) -> String {
    TimeZone::UTC.to_datetime(time).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The day of a moment, in UTC.
pub(super) fn day(time: Timestamp) -> String {
    TimeZone::UTC.to_datetime(time).strftime("%Y-%m-%d").to_string()
}
