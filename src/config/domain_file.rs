//! Hosted domains from elsewhere: a Postfix, or files that list one a line, `#` beginning a comment.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::diagnostic::{quoted, visible};
use super::problems::Problems;
use super::source::Source;
use super::written::{At, DomainsFrom, TextOr};
use super::{Context, postfix, words};
use crate::mail::Domain;

/// The longest file, in octets.
const LONGEST: usize = 64 << 20;

/// What all lists have together.
#[derive(Default)]
pub(super) struct Listed {
    pub(super) domains: Vec<Domain>,
    /// Those whose mail is passed on to other hosts.
    pub(super) relayed: BTreeSet<Domain>,
    /// The files that the domains come from.
    pub(super) files: Vec<PathBuf>,
}

impl Listed {
    fn add_postfix(&mut self, (domains, main_cf): (postfix::Domains, Option<PathBuf>)) {
        self.domains.extend(domains.all);
        self.relayed.extend(domains.relayed);
        self.files.extend(main_cf);
    }
}

/// The domains of all lists.
pub(super) fn build(
    problems: &mut Problems<'_>,
    context: Context<'_>,
    written: &[At<TextOr<DomainsFrom>>],
) -> Listed {
    let Context { host, base } = context;
    let mut listed = Listed::default();
    for item in written {
        let names_postfix = problems.tree().find(item.node, &["postfix"]).is_some();
        match &item.value {
            TextOr::Text(word) if word == "postfix" => {
                listed.add_postfix(postfix::domains(problems, host, item.node, None));
            }
            TextOr::Text(word) => {
                let hint = if word.contains('/') {
                    format!("write `file: {}`", visible(word, 80))
                } else {
                    words::suggest(word, "known here:", &["file", "postfix"])
                };
                problems.error(item.node, format!("{} is not a source of domains", quoted(word))).hint(hint);
            }
            TextOr::Map(_) if problems.has_gap(item.node) => {}
            TextOr::Map(DomainsFrom { file: None, .. }) if !names_postfix => {
                problems
                    .error(item.node, "this source names nothing")
                    .hint("write `file: PATH` or `postfix`");
            }
            TextOr::Map(DomainsFrom { file: None, postfix }) => {
                if let Some(config_dir) = postfix.config_dir(problems, base) {
                    let found = postfix::domains(problems, host, item.node, config_dir.as_deref());
                    listed.add_postfix(found);
                }
            }
            TextOr::Map(DomainsFrom { file: Some(path), .. }) if names_postfix => {
                problems.error(path.node, "a source is one thing only").hint("make it two items of the list");
            }
            TextOr::Map(DomainsFrom { file: Some(path), .. }) => {
                let file = base.join(&path.value);
                match Source::read(&file, LONGEST) {
                    Ok(source) => read(problems, &source, &mut listed.domains),
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
                listed.files.push(file);
            }
        }
    }
    listed
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
