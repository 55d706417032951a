//! Logical lines of Postfix's text files: a line that begins with white space continues the one before it; comment
//! lines and empty lines count for nothing, inside of a logical line too.

use std::borrow::Cow;

use crate::clients::files::problem::Problem;

/// One logical line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// The number of its first line, from 1.
    pub(super) number: usize,
    /// Its octets without line breaks. They begin with no white space.
    pub(super) octets: Cow<'a, [u8]>,
}

impl Line<'_> {
    /// The line as text.
    pub(super) fn text(&self) -> Result<&str, Problem> {
        str::from_utf8(&self.octets).map_err(|_| Problem::new("it is not UTF-8").at(self.number, None))
    }
}

/// The logical lines of a file. What Postfix would not read as its author means it goes to `warnings`.
pub(super) fn logical_lines<'a>(octets: &'a [u8], warnings: &mut Vec<Problem>) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    let mut is_orphan = false;
    for (number, line) in octets.split(|octet| *octet == b'\n').enumerate() {
        let number = number + 1;
        let Some(first) = line.iter().find(|octet| !is_space(**octet)) else { continue };
        if *first == b'#' {
            continue;
        }
        if !is_space(line[0]) {
            is_orphan = false;
            lines.push(Line { number, octets: Cow::Borrowed(line) });
        } else if let Some(last) = lines.last_mut().filter(|_| !is_orphan) {
            last.octets.to_mut().extend_from_slice(line);
        } else {
            if !is_orphan {
                let problem = Problem::new("this line continues none and is ignored by Postfix, and by us");
                warnings.push(problem.at(number, None));
            }
            is_orphan = true;
        }
    }
    for line in &mut lines {
        // Postfix's strings end at a NUL.
        if let Some(nul) = line.octets.iter().position(|octet| *octet == 0) {
            let problem = Problem::new("what follows the NUL is ignored by Postfix, and by us");
            warnings.push(problem.at(line.number, None));
            line.octets = match std::mem::take(&mut line.octets) {
                Cow::Borrowed(octets) => Cow::Borrowed(&octets[..nul]),
                Cow::Owned(octets) => Cow::Owned(octets[..nul].to_vec()),
            };
        }
    }
    lines
}

/// White space of the C locale.
pub(super) fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t'..=b'\r')
}

/// The same for characters.
pub(super) fn is_space_char(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(usize, &str)], warned: usize) {
        let mut warnings = Vec::new();
        let lines = logical_lines(text.as_bytes(), &mut warnings);
        let found: Vec<_> = lines.iter().map(|line| (line.number, line.text().unwrap())).collect();
        assert_eq!(found, expected, "{text:?}");
        assert_eq!(warnings.len(), warned, "{text:?}: {warnings:?}");
    }

    #[test]
    fn lines_and_what_continues_them() {
        check("", &[], 0);
        check("a b", &[(1, "a b")], 0);
        check("# x\n\n \na\n\n  # y\n#z\n b\nc\n", &[(4, "a b"), (9, "c")], 0);
        check("a\r\n b\r\n", &[(1, "a\r b\r")], 0);
        check(" x\n y\na\n", &[(3, "a")], 1);
        check("a\0b\n\0 c\n", &[(1, "a"), (2, "")], 2);
    }
}
