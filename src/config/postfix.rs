//! What the configuration takes from a Postfix: the domains that it receives mail for, the networks that it trusts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::Deserialize;

use super::diagnostic::quoted;
use super::problems::Problems;
use super::written::At;
use super::yaml::Id;
use super::{Host, value};
use crate::clients::files::Problem;
use crate::mail::Domain;
use crate::mta::postfix::classes::{Class, Classes};
use crate::mta::postfix::main_cf::MainCf;
use crate::mta::postfix::networks::Networks;

/// Which Postfix, as written.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Instance {
    config_dir: Option<At<String>>,
}

impl Instance {
    /// The folder of its main.cf, where one is named; nothing at all where its name cannot be used.
    #[expect(clippy::option_option, reason = "outer: is it usable; inner: is it there")]
    pub(super) fn config_dir(&self, problems: &mut Problems<'_>, base: &Path) -> Option<Option<PathBuf>> {
        match &self.config_dir {
            Some(path) => value::path(problems, base, path).map(Some),
            None => Some(None),
        }
    }
}

/// The domains of a Postfix.
#[derive(Default)]
pub(super) struct Domains {
    pub(super) all: Vec<Domain>,
    /// Those that it passes on to other hosts.
    pub(super) relayed: BTreeSet<Domain>,
}

/// The domains that a Postfix receives mail for. Names that no mail from outside is for are left out: `localhost`, what
/// is below it, and names without a dot.
pub(super) fn domains(
    problems: &mut Problems<'_>,
    host: &Host,
    node: Id,
    config_dir: Option<&Path>,
) -> (Domains, Option<PathBuf>) {
    let Some(main_cf) = main_cf(problems, host, node, config_dir, &Classes::PARAMETERS) else {
        return (Domains::default(), None);
    };
    let file = Some(main_cf.file().to_owned());
    let classes = match Classes::open(&main_cf) {
        // What is doubtful about the tables is said by whoever asks them.
        Ok((classes, _)) => classes,
        Err(found) => {
            for problem in &found {
                report(problems, node, problem);
            }
            return (Domains::default(), file);
        }
    };
    let (mut domains, mut known) = (Domains::default(), BTreeSet::new());
    for (class, names) in classes.names() {
        for item in names.unlisted {
            let message = format!("the domains of {} in {} cannot be listed", quoted(&item), class.domains());
            problems.warning(node, message).hint("name those that you receive mail for in `domains`");
        }
        for name in names.listed {
            let is_own = name == "localhost" || name.starts_with("localhost.") || !name.contains('.');
            let Some(domain) = name.parse::<Domain>().ok().filter(|_| !is_own) else { continue };
            if known.insert(domain.clone()) {
                if class == Class::Relay {
                    domains.relayed.insert(domain.clone());
                }
                domains.all.push(domain);
            }
        }
    }
    if !domains.relayed.is_empty() && classes.relays_subdomains() {
        problems
            .note(
                node,
                "Postfix relays for the domains below those in relay_domains too, which cannot be listed",
            )
            .hint("name those that you receive mail for in `domains`");
    }
    (domains, file)
}

/// The networks whose clients a Postfix trusts (`mynetworks`).
pub(super) fn networks(problems: &mut Problems<'_>, host: &Host, node: Id) -> Vec<IpNet> {
    let Some(main_cf) = main_cf(problems, host, node, None, &["mynetworks"]) else { return Vec::new() };
    let Networks { listed, excluded, unlisted } = Networks::of(main_cf.value("mynetworks"));
    if let Some(item) = excluded.first() {
        problems
            .error(node, format!("mynetworks excludes {}, which cannot be done here", quoted(item)))
            .hint("write the networks instead of `postfix`");
    }
    for item in unlisted {
        problems
            .warning(node, format!("the networks of {} in mynetworks cannot be listed", quoted(&item)))
            .hint("write those that you trust here too");
    }
    if listed.iter().any(|network| network.prefix_len() == 0) {
        problems
            .error(node, "mynetworks trusts everybody")
            .hint("name the networks whose clients need no login");
    }
    listed
}

fn main_cf(
    problems: &mut Problems<'_>,
    host: &Host,
    node: Id,
    config_dir: Option<&Path>,
    names: &[&str],
) -> Option<MainCf> {
    (host.main_cf)(config_dir, names).inspect_err(|problem| report(problems, node, problem)).ok()
}

/// Reports what a Postfix has to say, at what asked for it; nothing can be said about what it would have had.
fn report(problems: &mut Problems<'_>, node: Id, problem: &Problem) {
    problems.add_gap(node);
    let place = problem.place.as_ref().map(|place| {
        let line = place.line.map_or_else(String::new, |line| format!(":{line}"));
        format!("{}{line}: ", place.file.display())
    });
    let message = format!("{}{}", place.unwrap_or_default(), problem.message);
    let reported = problems.error(node, message);
    if let Some(hint) = &problem.hint {
        reported.hint(hint.clone());
    }
}
