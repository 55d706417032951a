//! Files that list hosted domains: one a line, `#` begins a comment.

use std::path::{Path, PathBuf};

use super::diagnostic::quoted;
use super::problems::Problems;
use super::source::Source;
use super::written::{At, DomainsFrom, TextOr};
use super::{later, words};
use crate::mail::Domain;

/// The longest file, in octets.
const LONGEST: usize = 64 << 20;

/// The domains of all lists, and the files they come from. Relative paths begin at `base`.
pub(super) fn build(
    problems: &mut Problems<'_>,
    base: &Path,
    written: &[At<TextOr<DomainsFrom>>],
) -> (Vec<Domain>, Vec<PathBuf>) {
    let (mut domains, mut files) = (Vec::new(), Vec::new());
    for item in written {
        match &item.value {
            TextOr::Text(word) if later::is_later_value("domains_from", word) => {
                problems
                    .error(item.node, format!("domains from {} come later", quoted(word)))
                    .hint(later::HINT);
            }
            TextOr::Text(word) => {
                let hint = if word.contains('/') {
                    format!("write `file: {word}`")
                } else {
                    words::suggest(word, "known here:", &["file"])
                };
                problems.error(item.node, format!("{} is not a source of domains", quoted(word))).hint(hint);
            }
            TextOr::Map(DomainsFrom { file: None }) => {
                if !problems.has_gap(item.node) {
                    problems.error(item.node, "this source names nothing").hint("write `file: PATH`");
                }
            }
            TextOr::Map(DomainsFrom { file: Some(path) }) => {
                let file = base.join(&path.value);
                match Source::read(&file, LONGEST) {
                    Ok(source) => read(problems, &source, &mut domains),
                    Err(unreadable) => {
                        let message = format!(
                            "cannot read {}: {}",
                            quoted(&file.to_string_lossy()),
                            unreadable.message
                        );
                        let problem = problems.error(path.node, message);
                        if unreadable.place.spot.is_some() {
                            problem.related(unreadable.place, "here");
                        }
                    }
                }
                files.push(file);
            }
        }
    }
    (domains, files)
}

fn read(problems: &mut Problems<'_>, source: &Source, domains: &mut Vec<Domain>) {
    let mut offset = 0;
    for line in source.text().split_inclusive('\n') {
        let content = line.split('#').next().unwrap_or_default();
        let name = content.trim();
        match name.parse() {
            _ if name.is_empty() => {}
            Ok(domain) => domains.push(domain),
            Err(_) => {
                let place = || source.place(offset + content.len() - content.trim_start().len(), name.len());
                let problem =
                    problems.error_elsewhere(place, format!("{} is not a domain name", quoted(name)));
                if name.contains([' ', ',', '\t']) {
                    problem.hint("write one domain a line");
                }
            }
        }
        offset += line.len();
    }
}
