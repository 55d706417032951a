//! What is wrong with a configuration, where, and what to do about it; as text for people and as JSON for programs.

use std::fmt;

use annotate_snippets::{
    AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str,
};
use serde::Serialize;

use crate::clients::files;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, and does not do what its author wants.
    Warning,
    /// Good to know.
    Note,
}

/// A part of one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spot {
    /// The line, from 1.
    pub line: usize,
    /// The first character meant, from 1.
    pub column: usize,
    /// How many characters are meant; 0 at the end of a line.
    pub length: usize,
    /// The whole line; none where it is too long to be shown.
    pub source: Option<String>,
}

/// A file, or a spot in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The name of the file.
    pub file: String,
    /// Where in the file; none where the file as a whole is meant.
    #[serde(flatten)]
    pub spot: Option<Spot>,
}

/// Another place that has to do with a problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What is there.
    pub label: String,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where else to look.
    pub related: Option<Related>,
}

/// All problems of a configuration, by file and line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The problems.
    pub problems: Vec<Diagnostic>,
    /// How many more there are at least.
    pub omitted: usize,
}

/// How text for people is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Bare characters.
    Plain,
    /// With colours, for a terminal.
    Coloured,
}

impl Report {
    /// One problem that left nothing else to be found.
    pub(super) fn only(problem: Diagnostic) -> Self {
        Self { problems: vec![problem], omitted: 0 }
    }

    /// Adds problems, but for those that another one says already: a table that two parameters name has each of its own
    /// twice, by its name and by the name of a table around it.
    pub fn add(&mut self, problems: impl IntoIterator<Item = Diagnostic>) {
        for problem in problems {
            let says_the_same = |other: &Diagnostic| {
                (other.severity, &other.place) == (problem.severity, &problem.place)
                    && (other.message.ends_with(&problem.message)
                        || problem.message.ends_with(&other.message))
            };
            if !self.problems.iter().any(says_the_same) {
                self.problems.push(problem);
            }
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// How many problems of that severity are listed.
    pub fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }

    /// Every problem with its place, its source line and the hint; blocks are separated by an empty line.
    pub fn render(&self, style: Style) -> String {
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Coloured => Renderer::styled(),
        };
        let mut blocks: Vec<String> = self.problems.iter().map(|problem| problem.render(&renderer)).collect();
        if self.omitted > 0 {
            blocks.push(format!("… and at least {} more", self.omitted));
        }
        blocks.iter().map(|block| format!("{}\n", block.trim_end())).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Diagnostic {
    /// The problem in one line, for the log: `file:line:column: message; hint`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.place.file)?;
        if let Some(spot) = &self.place.spot {
            write!(f, "{}:{}:", spot.line, spot.column)?;
        }
        write!(f, " {}", self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

impl Diagnostic {
    /// What is wrong with a source that the configuration names.
    pub fn of_source(severity: Severity, problem: &files::Problem) -> Self {
        let (file, spot) = match &problem.place {
            None => (problem.source.to_owned(), None),
            Some(place) => {
                let spot = place.line.map(|line| Spot {
                    line,
                    column: place.column.unwrap_or(1),
                    length: 0,
                    source: None,
                });
                (place.file.display().to_string(), spot)
            }
        };
        let place = Place { file, spot };
        Self { severity, place, message: problem.message.clone(), hint: problem.hint.clone(), related: None }
    }

    /// What is wrong with the host rather than with a file; `what` names the part of it.
    pub fn of_host(severity: Severity, what: &str, message: String, hint: Option<&str>) -> Self {
        let place = Place { file: what.to_owned(), spot: None };
        Self { severity, place, message, hint: hint.map(str::to_owned), related: None }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let mut group = Group::with_title(level.primary_title(&self.message));
        group = group.element(self.place.show(AnnotationKind::Primary, None));
        if let Some(related) = &self.related {
            group = group.element(related.place.show(AnnotationKind::Context, Some(&related.label)));
        }
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.message(normalize_untrusted_str(hint)));
        }
        renderer.render(&[group])
    }
}

impl Place {
    fn show<'a>(&'a self, kind: AnnotationKind, label: Option<&'a str>) -> Element<'a> {
        let Some(spot) = &self.spot else {
            return Origin::path(self.file.as_str()).into();
        };
        let Some(line) = &spot.source else {
            return Origin::path(self.file.as_str()).line(spot.line).char_column(spot.column).into();
        };
        let octets = |characters: usize| line.char_indices().nth(characters).map_or(line.len(), |(at, _)| at);
        let span = octets(spot.column - 1)..octets(spot.column - 1 + spot.length.max(1));
        Snippet::source(line)
            .line_start(spot.line)
            .path(self.file.as_str())
            .annotation(kind.span(span).label(label.map(normalize_untrusted_str)))
            .into()
    }
}

/// Text of the file, fit for a message: one line, no controls, and not endless.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.is_empty() {
        return "an empty text".to_owned();
    }
    format!("`{}`", visible(text, LONGEST))
}

/// The first `longest` characters of a text, without controls.
pub(super) fn visible(text: &str, longest: usize) -> String {
    let mut shown = String::new();
    for c in text.chars().take(longest) {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    if text.chars().nth(longest).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table that two parameters name says what is wrong with it twice, behind its own name or that of one around it.
    #[test]
    fn what_two_say_is_said_once() {
        let problem = |severity, file: &str, message: &str| {
            Diagnostic::of_host(severity, file, message.to_owned(), Some("run postmap"))
        };
        let (warning, note) = (Severity::Warning, Severity::Note);
        let mut report = Report::only(problem(warning, "/x", "hash:/x: it is old"));
        report.add([
            problem(warning, "/x", "hash:/x: it is old"),
            problem(warning, "/x", "it is old"),
            problem(warning, "/x", "proxy:hash:/x: it is old"),
            problem(warning, "/y", "it is old"),
            problem(note, "/x", "it is old"),
            problem(warning, "/x", "it is new"),
        ]);
        let said: Vec<_> = report
            .problems
            .iter()
            .map(|one| (one.severity, one.place.file.as_str(), &*one.message))
            .collect();
        let expected = [
            (warning, "/x", "hash:/x: it is old"),
            (warning, "/y", "it is old"),
            (note, "/x", "it is old"),
            (warning, "/x", "it is new"),
        ];
        assert_eq!(said, expected);
    }
}
