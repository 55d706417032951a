//! `lockdown-milter check`: the problems of a configuration, or what it amounts to.

use std::path::Path;

use serde::Serialize;

use super::{Config, Host, Report, Severity, Style, load, summary};

/// How the outcome is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text(Style),
    /// For programs: one object with `usable`, `problems` and `omitted`.
    Json,
}

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What to print.
    pub output: String,
    /// Whether the daemon could start with this configuration.
    pub usable: bool,
}

/// The outcome as a program reads it.
#[derive(Serialize)]
struct Outcome<'a> {
    usable: bool,
    #[serde(flatten)]
    report: &'a Report,
}

/// Checks a configuration file and the files that it names.
pub fn check(path: &Path, host: &Host, format: Format) -> Checked {
    Checked::new(load(path, host), format)
}

impl Checked {
    /// What there is to say about a configuration that was loaded. Its report may have grown since: by what only
    /// others can find out, such as DNS.
    #[expect(clippy::missing_panics_doc, reason = "texts and numbers can always be written as JSON")]
    pub fn new(loaded: Result<(Config, Report), Report>, format: Format) -> Self {
        let (config, report) = match loaded {
            Ok((config, report)) => (Some(config), report),
            Err(report) => (None, report),
        };
        let usable = config.is_some();
        let output = match format {
            Format::Json => {
                let outcome = Outcome { usable, report: &report };
                serde_json::to_string_pretty(&outcome)
                    .expect("texts and numbers can always be written as JSON")
                    + "\n"
            }
            Format::Text(style) => {
                let summary = config.as_ref().map(summary);
                let parts = [(!report.is_empty()).then(|| report.render(style)), tally(&report), summary];
                parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
            }
        };
        Self { output, usable }
    }
}

/// How many problems of each kind there are.
fn tally(report: &Report) -> Option<String> {
    let kinds = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
    let counts: Vec<String> = kinds
        .into_iter()
        .map(|(severity, name)| (report.count(severity), name))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}{}", if count == 1 { "" } else { "s" }))
        .collect();
    (!counts.is_empty()).then(|| format!("{}\n", counts.join(", ")))
}
