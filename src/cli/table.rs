//! Tables whose columns align and whose lines fit.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::config::Style;

/// Blanks between two columns.
const GUTTER: usize = 2;

/// One column.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    /// Of text.
    Left(&'static str),
    /// Of numbers.
    Right(&'static str),
}

impl Column {
    fn title(self) -> &'static str {
        match self {
            Self::Left(title) | Self::Right(title) => title,
        }
    }
}

/// How a cell looks where there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Normal,
    Strong,
    Faint,
    Alarming,
}

impl Tone {
    /// The text in this tone, by the escapes of ECMA-48 (SGR).
    pub(super) fn paint(self, text: &str, style: Style) -> String {
        match (style, self) {
            (Style::Plain, _) | (_, Self::Normal) => text.to_owned(),
            (Style::Coloured, Self::Strong) => format!("\x1b[1m{text}\x1b[0m"),
            (Style::Coloured, Self::Faint) => format!("\x1b[2m{text}\x1b[0m"),
            (Style::Coloured, Self::Alarming) => format!("\x1b[31m{text}\x1b[0m"),
        }
    }
}

/// One cell. Its text must show as itself.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Normal }
    }

    pub(super) fn toned(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    fn width(&self) -> usize {
        self.text.width()
    }
}

/// A table. Its first column takes what the others leave; a text that is longer has a line of its own.
#[derive(Clone, Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row; cells that are missing at its end stay empty.
    pub(super) fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    /// The table as text in at most `width` columns, with a headline.
    pub(super) fn render(&self, width: usize, style: Style) -> String {
        let headline: Vec<Cell> =
            self.columns.iter().map(|column| Cell::new(column.title()).toned(Tone::Strong)).collect();
        let rows = || std::iter::once(&headline).chain(&self.rows);
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|at| rows().filter_map(|row| row.get(at)).map(Cell::width).max().unwrap_or(0))
            .collect();
        let others: usize = widths.iter().skip(1).map(|width| width + GUTTER).sum();
        if let Some(first) = widths.first_mut() {
            *first = (*first).min(width.saturating_sub(others));
        }
        rows().map(|row| self.line(row, &widths, width, style)).collect()
    }

    /// A row as a line, or as two where the first cell is too long to stand in one with the others.
    fn line(&self, row: &[Cell], widths: &[usize], width: usize, style: Style) -> String {
        let mut line = String::new();
        let mut at = 0;
        let mut end = 0;
        for (index, ((cell, column), limit)) in row.iter().zip(&self.columns).zip(widths).enumerate() {
            let text = if index == 0 { fitted(&cell.text, width) } else { cell.text.clone() };
            let taken = text.width();
            let blanks = match column {
                Column::Left(_) => 0,
                Column::Right(_) => limit.saturating_sub(taken),
            };
            if taken > 0 {
                line.extend(std::iter::repeat_n(' ', at + blanks - end));
                line.push_str(&cell.tone.paint(&text, style));
                end = at + blanks + taken;
                if taken > *limit && row.len() > 1 {
                    line.push('\n');
                    end = 0;
                }
            }
            at += limit + GUTTER;
        }
        line.push('\n');
        line
    }
}

/// The text if it fits, else without its middle: the end of an address says as much as its beginning.
fn fitted(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let tail_width = width / 2;
    let head = begin(text.chars(), width.saturating_sub(tail_width + 1));
    let tail: String = begin(text.chars().rev(), tail_width).chars().rev().collect();
    format!("{head}…{tail}")
}

/// As many characters as fit.
fn begin(characters: impl Iterator<Item = char>, width: usize) -> String {
    let mut left = width;
    characters
        .take_while(|c| {
            let fits = c.width().unwrap_or(0) <= left;
            left = left.saturating_sub(c.width().unwrap_or(0));
            fits
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(width: usize, rows: &[&[&str]], expected: &str) {
        let mut table = Table::new([Column::Left("NAME"), Column::Right("N"), Column::Left("AT")]);
        for row in rows {
            table.row(row.iter().map(|text| Cell::new(*text)).collect::<Vec<_>>());
        }
        let found = table.render(width, Style::Plain);
        assert_eq!(found, expected);
        assert!(found.lines().all(|line| line.width() <= width));
    }

    #[test]
    fn columns_align() {
        check(20, &[&["a", "10", "x"], &["abc", "5"]], "NAME   N  AT\na     10  x\nabc    5\n");
        // A character of two columns.
        check(20, &[&["漢", "1", "x"], &["b", "2", "y"]], "NAME  N  AT\n漢    1  x\nb     2  y\n");
    }

    #[test]
    fn what_is_too_long_has_a_line_of_its_own() {
        check(12, &[&["abcdefgh", "1", "x"]], "NAME   N  AT\nabcdefgh\n       1  x\n");
        check(12, &[&["abcdefghijklmnop", "1"]], "NAME   N  AT\nabcde…klmnop\n       1\n");
        check(12, &[&["abcdefgh"]], "NAME   N  AT\nabcdefgh\n");
    }
}
