//! The configuration: one YAML file, read into a [`Policy`] and the settings of the daemon, or into all its problems.
//!
//! The file passes four stages, each of which reports everything that it finds: nodes with their numbers (`yaml`), the
//! configuration as written (`document`, `written`), the configuration as meant (`build` and the files for its topics),
//! and, for problems only, places in the text (`problems`). Reading needs no network and no clock; what depends on the
//! host is an argument.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Date;

mod build;
mod check;
pub mod diagnostic;
mod document;
mod domain_file;
mod domains;
mod exceptions;
mod later;
mod listen;
mod problems;
mod profile;
mod source;
mod spf;
mod summary;
mod value;
mod words;
mod written;
mod yaml;

pub use check::{Checked, Format, check};
pub use diagnostic::{Diagnostic, Place, Related, Report, Severity, Spot, Style};
pub use listen::{Address, Listener};
pub use profile::Profile;
pub use summary::summary;

use crate::policy::Policy;
use diagnostic::quoted;
use document::{Problem, describe};
use problems::Problems;
use source::{Source, Unreadable};
use yaml::{Id, Node, Tree};

/// The longest configuration file, in octets. Domains by the thousand belong into a file of their own.
pub const MAX_FILE: usize = 1 << 20;

/// The configuration as meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What decisions depend on.
    pub policy: Policy,
    /// What `defaults` starts from; the policy contains it already.
    pub profile: Profile,
    /// Where MTAs connect; at least one.
    pub listeners: Vec<Listener>,
    /// How DNS is asked.
    pub dns: Dns,
    /// Bounds of what would be unbounded.
    pub limits: Limits,
    /// The log.
    pub log: Log,
    /// Files besides the configuration whose contents went into it.
    pub files: Vec<PathBuf>,
}

/// How DNS is asked (`dns`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// Recursive servers; none means those of the system.
    pub servers: Vec<SocketAddr>,
    /// For one try; more than 0.
    pub timeout: Duration,
    /// Tries, at least 1.
    pub attempts: u32,
    /// Answers to be remembered; 0 for none.
    pub cache_entries: u64,
    /// How long a failure is remembered; 0 for not at all.
    pub failure_ttl: Duration,
    /// Whether the case of query names is randomised.
    pub case_randomization: bool,
}

/// Bounds (`limits`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once, at least 1.
    pub connections: u32,
    /// Connections of one peer at once; 0 for no limit.
    pub connections_per_peer: u32,
    /// For a decision; more than 0.
    pub decision_time: Duration,
    /// For a connection on which nothing happens; more than 0.
    pub idle_time: Duration,
    /// For one frame, and from accept to the end of the negotiation; more than 0.
    pub frame_time: Duration,
    /// For open sessions when the daemon is told to stop.
    pub drain_time: Duration,
    /// Terms of SPF records that cause DNS queries (RFC 7208, 4.6.4), at least 1.
    pub spf_lookups: u32,
    /// DNS queries without an answer in one SPF evaluation (RFC 7208, 4.6.4).
    pub spf_void_lookups: u32,
}

/// The log (`log`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// How decisions are written.
    pub format: LogFormat,
    /// From which severity on operational messages are written.
    pub level: LogLevel,
    /// Where to.
    pub target: LogTarget,
}

/// How decisions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `key=value`, one decision a line.
    Logfmt,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// All formats with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 2] = [("logfmt", Self::Logfmt), ("json", Self::Json)];
}

/// The severity of operational messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something does not work.
    Error,
    /// Something may not work as it should.
    Warn,
    /// What an administrator wants to know.
    Info,
    /// What helps to find a fault.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// All levels with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}

/// Where the log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard error.
    Stderr,
}

impl LogTarget {
    /// All targets with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 1] = [("stderr", Self::Stderr)];
}

/// What the meaning of a configuration depends on besides its files.
#[derive(Clone, Debug)]
pub struct Host {
    /// The full name of this host.
    pub name: String,
    /// The date in UTC, by which exceptions expire.
    pub today: Date,
    /// Whether this host has a group of that name.
    pub has_group: fn(&str) -> bool,
}

/// Reads the configuration and the files that it names.
///
/// # Errors
///
/// All problems, where one of them is an error. The report beside a configuration holds warnings and notes only.
pub fn load(path: &Path, host: &Host) -> Result<(Config, Report), Report> {
    let source = Source::read(path, MAX_FILE).map_err(|Unreadable { place, message, hint }| {
        only(Diagnostic {
            severity: Severity::Error,
            place,
            message: format!("cannot read the configuration: {message}"),
            hint: hint.map(str::to_owned),
            related: None,
        })
    })?;
    read(&source, host, path.parent().unwrap_or(Path::new("")))
}

/// Reads a configuration from its text; `name` stands for its file, `base` is where relative paths in it begin.
///
/// # Errors
///
/// See [`load`].
pub fn parse(name: &str, text: &str, host: &Host, base: &Path) -> Result<(Config, Report), Report> {
    read(&Source::new(name, text.to_owned()), host, base)
}

fn only(diagnostic: Diagnostic) -> Report {
    Report { problems: vec![diagnostic], omitted: 0 }
}

fn read(source: &Source, host: &Host, base: &Path) -> Result<(Config, Report), Report> {
    let tree = Tree::read(source.text()).map_err(|error| only(syntax_error(source, error)))?;
    let mut problems = Problems::new(source, &tree);
    let mut cut = HashSet::new();
    cut_repeated_keys(&mut problems, &mut cut);
    let written = document::read(&tree, &mut cut, Problems::MOST, |node, problem| {
        report_structure(&mut problems, node, problem);
    });
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
    } else {
        words::suggest(name, "known here:", known)
    };
    problems.error(node, format!("there is no setting {} here", quoted(name))).hint(hint);
}
