//! The collector of problems: what is wrong with which node. Places are worked out at the end, for what was found.

use super::diagnostic::{Diagnostic, Place, Related, Report, Severity};
use super::source::Source;
use super::yaml::{Id, Tree};

/// Where a problem is.
pub(super) enum Spot {
    /// At a node of the configuration.
    Node(Id),
    /// In the configuration as a whole.
    Whole,
    /// Somewhere else.
    Place(Place),
}

impl From<Id> for Spot {
    fn from(id: Id) -> Self {
        Self::Node(id)
    }
}

impl From<Place> for Spot {
    fn from(place: Place) -> Self {
        Self::Place(place)
    }
}

/// A problem whose place is not worked out yet.
pub(super) struct Problem {
    severity: Severity,
    spot: Spot,
    message: String,
    hint: Option<String>,
    related: Option<(Spot, String)>,
}

impl Problem {
    /// Says what to do.
    pub(super) fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says where else to look, and what is there.
    pub(super) fn related(&mut self, spot: impl Into<Spot>, label: impl Into<String>) -> &mut Self {
        self.related = Some((spot.into(), label.into()));
        self
    }
}

/// All problems of one configuration.
pub(super) struct Problems<'a> {
    source: &'a Source,
    tree: &'a Tree<'a>,
    found: Vec<Problem>,
    /// The last problem beyond the limit, so that the caller can go on describing it.
    surplus: Option<Problem>,
    omitted: usize,
    errors: usize,
    gaps: Vec<Id>,
}

impl<'a> Problems<'a> {
    /// How many problems are reported. Each costs another reading of the file.
    pub(super) const MOST: usize = 100;

    pub(super) fn new(source: &'a Source, tree: &'a Tree<'a>) -> Self {
        Self { source, tree, found: Vec::new(), surplus: None, omitted: 0, errors: 0, gaps: Vec::new() }
    }

    pub(super) fn tree(&self) -> &'a Tree<'a> {
        self.tree
    }

    /// The configuration cannot be used.
    pub(super) fn error(&mut self, spot: impl Into<Spot>, message: impl Into<String>) -> &mut Problem {
        self.errors += 1;
        self.add(Severity::Error, spot.into(), message.into())
    }

    /// An error in another file. Its place takes time to find, so it is asked for only if it will be shown.
    pub(super) fn error_elsewhere(&mut self, place: impl FnOnce() -> Place, message: String) -> &mut Problem {
        let spot = if self.found.len() < Self::MOST { Spot::Place(place()) } else { Spot::Whole };
        self.error(spot, message)
    }

    /// It can be used, and hardly does what its author wants.
    pub(super) fn warning(&mut self, spot: impl Into<Spot>, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Warning, spot.into(), message.into())
    }

    /// Good to know.
    pub(super) fn note(&mut self, spot: impl Into<Spot>, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Note, spot.into(), message.into())
    }

    /// Says that a node, or the key and its value, could not be read.
    pub(super) fn add_gap(&mut self, node: Id) {
        if self.gaps.len() <= Self::MOST {
            self.gaps.push(node);
        }
    }

    /// Whether something inside `whole` could not be read, so that nothing can be said about what is missing there.
    pub(super) fn has_gap(&self, whole: Id) -> bool {
        self.gaps.len() > Self::MOST || self.gaps.iter().any(|&gap| self.tree.is_within(gap, whole))
    }

    /// The same for the value of a setting.
    pub(super) fn has_gap_in(&self, path: &[&str]) -> bool {
        !self.gaps.is_empty()
            && self
                .tree
                .find(0, path)
                .is_some_and(|(key, value)| self.gaps.contains(&key) || self.has_gap(value))
    }

    /// Whether the configuration cannot be used.
    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    fn add(&mut self, severity: Severity, spot: Spot, message: String) -> &mut Problem {
        let problem = Problem { severity, spot, message, hint: None, related: None };
        if self.found.len() < Self::MOST {
            self.found.push(problem);
            return self.found.last_mut().expect("it was pushed just now");
        }
        self.omitted += 1;
        // An error is worth more than a warning, which gives way to it.
        let gives_way = (severity == Severity::Error)
            .then(|| self.found.iter().rposition(|known| known.severity != Severity::Error))
            .flatten();
        match gives_way {
            Some(at) => {
                self.found[at] = problem;
                &mut self.found[at]
            }
            None => self.surplus.insert(problem),
        }
    }

    /// Everything found, in the order of the file.
    pub(super) fn into_report(self) -> Report {
        let (source, tree) = (self.source, self.tree);
        let place = |spot: Spot| match spot {
            Spot::Node(id) => {
                let (offset, length) = tree.position(source.text(), id);
                source.place(offset, length)
            }
            Spot::Whole => source.whole(),
            Spot::Place(place) => place,
        };
        let mut problems: Vec<Diagnostic> = self
            .found
            .into_iter()
            .map(|problem| Diagnostic {
                severity: problem.severity,
                place: place(problem.spot),
                message: problem.message,
                hint: problem.hint,
                related: problem.related.map(|(spot, label)| Related { place: place(spot), label }),
            })
            .collect();
        let own_file = source.whole().file;
        problems.sort_by_key(|problem| {
            let spot = problem.place.spot.as_ref().map(|spot| (spot.line, spot.column));
            (problem.place.file != own_file, problem.place.file.clone(), spot)
        });
        Report { problems, omitted: self.omitted }
    }
}
