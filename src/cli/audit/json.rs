//! The checklist for programs: `tests/schemas/audit.json`.

use serde::Serialize;

use crate::audit::{Audit, Change, Place, State};
use crate::journal::render::harmless_json;

#[derive(Serialize)]
struct Checklist<'a> {
    good: bool,
    summary: serde_json::Map<String, serde_json::Value>,
    rows: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(rename = "row")]
    name: &'a str,
    chapter: &'a str,
    title: &'a str,
    state: &'a str,
    evidence: Vec<Evidence<'a>>,
    consequence: &'a str,
    changes: Vec<Mending<'a>>,
}

#[derive(Serialize)]
struct Evidence<'a> {
    state: &'a str,
    text: &'a str,
}

#[derive(Serialize)]
struct Mending<'a> {
    /// `set`, `service`, `add`, `remove`, `run` or `publish`.
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    lines: &'a [String],
}

/// The checklist as one object.
pub(super) fn render(audit: &Audit) -> String {
    let summary =
        State::NAMES.iter().map(|(state, name)| (name.replace(' ', "_"), audit.count(*state).into()));
    let rows = audit.rows.iter().map(|(row, verdict)| Row {
        name: row.name,
        chapter: row.chapter.name(),
        title: row.title,
        state: verdict.state().as_str(),
        evidence: verdict
            .evidence()
            .into_iter()
            .map(|(state, text)| Evidence { state: state.as_str(), text })
            .collect(),
        consequence: row.consequence,
        changes: verdict.changes().iter().map(lines).collect(),
    });
    let checklist = Checklist { good: audit.is_good(), summary: summary.collect(), rows: rows.collect() };
    let json =
        serde_json::to_string_pretty(&checklist).expect("texts and numbers can always be written as JSON");
    harmless_json(&json) + "\n"
}

fn lines(change: &Change) -> Mending<'_> {
    let (action, file, service) = match &change.place {
        Place::Set(file) => ("set", Some(file), None),
        Place::Merge(file) => ("merge", Some(file), None),
        Place::Service { file, service } => ("service", Some(file), Some(service)),
        Place::Add(file) => ("add", Some(file), None),
        Place::Remove(file) => ("remove", Some(file), None),
        Place::Run => ("run", None, None),
        Place::Publish => ("publish", None, None),
    };
    Mending {
        action,
        file: file.map(String::as_str),
        service: service.map(String::as_str),
        lines: &change.lines,
    }
}
