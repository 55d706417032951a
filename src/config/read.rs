//! From a text to a configuration, through all stages, and the problems that show before settings mean anything.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::diagnostic::{Diagnostic, Related, Report, Severity, quoted};
use super::document::{self, Problem, describe};
use super::problems::Problems;
use super::source::Source;
use super::yaml::{self, Id, Node, Tree};
use super::{Config, Host, build, domains, later, words};

/// What the source means, with everything that is wrong with it. Relative paths in it begin at `base`.
pub(super) fn read(source: &Source, host: &Host, base: &Path) -> Result<(Config, Report), Report> {
    let tree = Tree::read(source.text()).map_err(|error| Report::only(syntax_error(source, error)))?;
    let mut problems = Problems::new(source, &tree);
    let mut cut = HashSet::new();
    cut_repeated_keys(&mut problems, &mut cut);
    let written = document::read(&tree, &mut cut, |node, problem| {
        report_structure(&mut problems, node, problem);
        problems.room() > 0
    });
    if written.is_none() && problems.room() == 0 {
        problems.omit();
    }
    let config = written.map(|written| build::build(&mut problems, host, base, &written));
    match config {
        Some(config) if !problems.has_errors() => Ok((config, problems.into_report())),
        _ => Err(problems.into_report()),
    }
}

/// What the scanner says, with what usually causes it.
fn syntax_error(source: &Source, error: yaml::SyntaxError) -> Diagnostic {
    let rest = &source.text()[error.offset.min(source.text().len())..];
    let hint = match rest.chars().next() {
        Some('\t') => Some("indent with spaces: YAML allows no tabs there"),
        Some('@' | '`' | '%') => Some("quote a text that begins with this character"),
        _ if error.message.starts_with("mapping values") => {
            Some("check the indentation; a text that holds `: ` must be in quotes")
        }
        _ => None,
    };
    Diagnostic {
        severity: Severity::Error,
        place: source.place(error.offset, 1),
        message: error.message,
        hint: hint.map(str::to_owned),
        related: error.context.map(|(offset, label)| Related { place: source.place(offset, 1), label }),
    }
}

/// Reports every key that a map has twice, and cuts all but the first.
fn cut_repeated_keys(problems: &mut Problems<'_>, cut: &mut HashSet<Id>) {
    let tree = problems.tree();
    for pairs in tree.maps() {
        let mut seen: HashMap<&str, Id> = HashMap::new();
        for &(key, _) in pairs {
            let Node::Text(name) = tree.node(key) else { continue };
            if let Some(first) = seen.get(name.as_ref()) {
                problems
                    .error(key, format!("the key {} is there already", quoted(name)))
                    .hint("remove one of the two")
                    .related(*first, "the first one");
                problems.add_gap(key);
                cut.insert(key);
            } else {
                seen.insert(name, key);
            }
        }
    }
}

/// Reports what is wrong with a node whatever its setting means.
fn report_structure(problems: &mut Problems<'_>, node: Id, problem: Problem) {
    problems.add_gap(node);
    let tree = problems.tree();
    let found = describe(tree.node(node));
    match problem {
        Problem::UnknownKey { known } => unknown_key(problems, node, known),
        Problem::Kind { expected } => {
            let problem = problems.error(node, format!("expected {expected}, found {found}"));
            match (expected, tree.node(node)) {
                ("a text" | "the name of a setting", Node::Bool(_) | Node::Integer(_) | Node::Float(_)) => {
                    problem.hint("put it in quotes");
                }
                ("a list", Node::Text(text)) => {
                    problem.hint(format!("put it in brackets: [{}]", quoted(text).trim_matches('`')));
                }
                _ => {}
            }
        }
        Problem::Other(message) => {
            problems.error(node, message);
        }
    }
}

/// Settings that look as if domains had them.
const OF_THE_HOST: [&str; 4] = ["harvest", "identities", "ledger", "relay"];

fn unknown_key(problems: &mut Problems<'_>, node: Id, known: &[&str]) {
    let path = problems.tree().path(node);
    let name = path.last().copied().unwrap_or_default();
    if later::is_later(&path) {
        problems.error(node, format!("the setting `{name}` comes in a later version")).hint(later::HINT);
        return;
    }
    let hint = if name == "<<" {
        "merge keys are not read; domains inherit from `defaults`".to_owned()
    } else if path.len() == 1 && domains::settings().any(|setting| setting == name) {
        format!("`{name}` belongs in `defaults` or a domain")
    } else if path.len() > 1 && OF_THE_HOST.contains(&name) {
        format!("`{name}` belongs at the top of the file")
    } else {
        words::suggest(name, "known here:", known)
    };
    problems.error(node, format!("there is no setting {} here", quoted(name))).hint(hint);
}
