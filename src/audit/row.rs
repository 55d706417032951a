//! One row of the checklist: what it asks, what was found, what to change.

use std::path::Path;

use super::{Chapter, Host};

/// A row.
#[derive(Debug)]
pub struct Row {
    /// Its name, for programs and for `--accept`; it never changes.
    pub name: &'static str,
    /// The chapter of the guide.
    pub chapter: Chapter,
    /// What should be so.
    pub title: &'static str,
    /// What happens where it is not.
    pub consequence: &'static str,
    /// Judges a host.
    pub judge: fn(&Host) -> Verdict,
}

/// How a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// There is nothing to which it could apply.
    NotApplicable,
    /// As it should be.
    Good,
    /// Not as it should be, and the administrator lives with that.
    Accepted,
    /// It could not be seen.
    Unknown,
    /// It may do harm.
    Doubtful,
    /// It does harm.
    Open,
}

impl State {
    /// All states in the order in which they are counted, with their names.
    pub const NAMES: [(Self, &'static str); 6] = [
        (Self::Good, "good"),
        (Self::Open, "open"),
        (Self::Doubtful, "doubtful"),
        (Self::Unknown, "unknown"),
        (Self::Accepted, "accepted"),
        (Self::NotApplicable, "not applicable"),
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }
}

/// What was found, and what mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    findings: Vec<(State, String)>,
    changes: Vec<Change>,
    accepted: bool,
}

impl Verdict {
    /// Nothing was found yet.
    pub(super) fn new() -> Self {
        Self { findings: Vec::new(), changes: Vec::new(), accepted: false }
    }

    /// One finding.
    pub(super) fn only(state: State, evidence: impl Into<String>) -> Self {
        let mut verdict = Self::new();
        verdict.find(state, evidence);
        verdict
    }

    /// Nothing to which the row could apply.
    pub(super) fn not_applicable(why: impl Into<String>) -> Self {
        Self::only(State::NotApplicable, why)
    }

    /// Notes a finding, once.
    pub(super) fn find(&mut self, state: State, evidence: impl Into<String>) {
        let finding = (state, evidence.into());
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Notes a finding that these lines mend.
    pub(super) fn mend(&mut self, state: State, evidence: impl Into<String>, changes: Vec<Change>) {
        self.find(state, evidence);
        for change in changes {
            if self.changes.contains(&change) {
                continue;
            }
            // Lines for the end of one file are one piece.
            let is_end = matches!(change.place, Place::Add(_));
            match self.changes.iter_mut().find(|other| is_end && other.place == change.place) {
                Some(other) => {
                    let lines = change.lines.into_iter();
                    let new: Vec<String> = lines.filter(|line| !other.lines.contains(line)).collect();
                    other.lines.extend(new);
                }
                None => self.changes.push(change),
            }
        }
    }

    /// The same; good, where nothing was found.
    pub(super) fn or_good(mut self, evidence: impl Into<String>) -> Self {
        if self.findings.is_empty() {
            self.find(State::Good, evidence);
        }
        self
    }

    /// The same, which the administrator lives with if it is not good.
    pub(super) fn accepted(self) -> Self {
        let accepted = matches!(self.state(), State::Open | State::Doubtful);
        Self { accepted, ..self }
    }

    /// The state: that of the worst finding.
    pub fn state(&self) -> State {
        if self.accepted {
            return State::Accepted;
        }
        self.findings.iter().map(|(state, _)| *state).max().unwrap_or(State::NotApplicable)
    }

    /// What was found, the worst first.
    pub fn evidence(&self) -> Vec<&(State, String)> {
        let mut findings: Vec<_> = self.findings.iter().collect();
        findings.sort_by_key(|(state, _)| std::cmp::Reverse(*state));
        findings
    }

    /// What mends it.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }
}

/// Lines that mend something, and where they belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub place: Place,
    /// The lines, as they must be written.
    pub lines: Vec<String>,
}

/// Where lines belong, and what becomes of what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file of settings such as main.cf, instead of what is there of the same name.
    Set(String),
    /// In our own configuration, whose maps keep what stands beside these keys.
    Merge(String),
    /// In master.cf, below the line of a service, instead of what is there of the same name.
    Service {
        /// The file.
        file: String,
        /// The service, as postconf(1) names it: `submission/inet`.
        service: String,
    },
    /// At the end of a file, which may not be there yet.
    Add(String),
    /// Nowhere: they are to be removed from this file.
    Remove(String),
    /// In a shell.
    Run,
    /// In the DNS.
    Publish,
}

impl Change {
    /// A setting of main.cf or another file of settings.
    pub(super) fn set(file: &Path, line: impl Into<String>) -> Self {
        Self { place: Place::Set(file.display().to_string()), lines: vec![line.into()] }
    }

    /// Lines at the end of a file.
    pub(super) fn add(file: &Path, lines: Vec<String>) -> Self {
        Self { place: Place::Add(file.display().to_string()), lines }
    }

    /// Lines that go.
    pub(super) fn remove(file: &Path, lines: Vec<String>) -> Self {
        Self { place: Place::Remove(file.display().to_string()), lines }
    }

    /// Lines of our own configuration.
    pub(super) fn merge(host: &Host, lines: Vec<String>) -> Self {
        Self { place: Place::Merge(host.config_file.display().to_string()), lines }
    }

    /// The same settings of ours, such as `spf: { mode: enforce }`, for some hosted domains.
    pub(super) fn of_domains(host: &Host, domains: &[String], settings: &str) -> Self {
        let lines = domains.iter().map(|domain| format!("  {domain}: {{ {settings} }}"));
        Self::merge(host, ["domains:".to_owned()].into_iter().chain(lines).collect())
    }

    /// A command.
    pub(super) fn run(command: impl Into<String>) -> Self {
        Self { place: Place::Run, lines: vec![command.into()] }
    }

    /// A record.
    pub(super) fn publish(record: impl Into<String>) -> Self {
        Self { place: Place::Publish, lines: vec![record.into()] }
    }
}
