//! The configuration: one YAML file, read into a [`Policy`] and the settings of the daemon, or into all its problems.
//!
//! The file passes four stages, each of which reports everything that it finds: nodes with their numbers (`yaml`), the
//! configuration as written (`document`, `written`), the configuration as meant (`build` and the files for its topics),
//! and, for problems only, places in the text (`problems`). Reading needs no network and no clock; what depends on the
//! host is an argument.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Date;

mod addresses;
mod answers;
mod auth_match;
mod build;
mod check;
pub mod diagnostic;
mod directory;
mod document;
mod domain_file;
mod domains;
mod exceptions;
mod harvest;
mod identities;
mod inherited;
mod later;
mod ledger;
mod listen;
mod metrics;
mod postfix;
mod problems;
mod profile;
mod read;
mod recipients;
mod require_auth;
mod responses;
pub mod show;
mod source;
mod spf;
mod sql;
mod summary;
mod value;
mod words;
mod written;
mod yaml;

pub use answers::{Judged, MainCfLine, main_cf};
pub use check::{Checked, Format, check};
pub use diagnostic::{Diagnostic, Place, Related, Report, Severity, Spot, Style};
pub use ledger::Ledger;
pub use listen::{Address, Listener};
pub use metrics::Metrics;
pub use profile::Profile;
pub use summary::summary;

use crate::clients::dns;
use crate::clients::files::Problem;
use crate::memory::harvest::Settings as Harvest;
use crate::mta::postfix::main_cf::MainCf;
use crate::policy::Policy;
use crate::sources::identities::SourceSettings as IdentitySource;
use crate::sources::recipients::SourceSettings as RecipientSource;
use source::{Source, Unreadable};

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
    /// The Unix socket on which an administrator is answered.
    pub control: Option<PathBuf>,
    /// How harvesting is recognised and what it leads to.
    pub harvest: Harvest,
    /// How DNS is asked.
    pub dns: dns::Settings,
    /// Bounds of what would be unbounded.
    pub limits: Limits,
    /// The log.
    pub log: Log,
    /// What is kept from one day to the next.
    pub ledger: Ledger,
    /// Where metrics and health are served.
    pub metrics: Metrics,
    /// Where grants are found, in the order of asking.
    pub identities: Vec<IdentitySource>,
    /// Where recipients are found; the locks name them by their number.
    pub recipients: Vec<RecipientSource>,
    /// Files besides the configuration whose contents went into it.
    pub files: Vec<PathBuf>,
}

/// Bounds (`limits`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once, at least 1.
    pub connections: usize,
    /// Connections of one peer at once; 0 for no limit.
    pub connections_per_peer: usize,
    /// For a decision; more than 0.
    pub decision_time: Duration,
    /// For a connection on which nothing happens; more than 0.
    pub idle_time: Duration,
    /// For one frame, and from accept to the end of the negotiation; more than 0.
    pub frame_time: Duration,
    /// For open sessions when the daemon is told to stop.
    pub drain_time: Duration,
    /// Terms of SPF records that cause DNS queries (RFC 7208, 4.6.4), at least 1.
    pub spf_lookups: usize,
    /// DNS queries without an answer in one SPF evaluation (RFC 7208, 4.6.4).
    pub spf_void_lookups: usize,
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
    /// systemd-journald, with fields of their own.
    Journald,
}

impl LogTarget {
    /// All targets with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 2] = [("stderr", Self::Stderr), ("journald", Self::Journald)];
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
    /// Asks for parameters of the Postfix in a folder, or of this host's own.
    pub main_cf: fn(Option<&Path>, &[&str]) -> Result<MainCf, Problem>,
}

/// What settings mean besides what they say.
#[derive(Clone, Copy)]
struct Context<'a> {
    host: &'a Host,
    /// Where relative paths begin.
    base: &'a Path,
}

/// Reads the configuration and the files that it names.
///
/// # Errors
///
/// All problems, where one of them is an error. The report beside a configuration holds warnings and notes only.
pub fn load(path: &Path, host: &Host) -> Result<(Config, Report), Report> {
    let source = Source::read(path, MAX_FILE).map_err(|Unreadable { place, message, hint }| {
        Report::only(Diagnostic {
            severity: Severity::Error,
            place,
            message: format!("cannot read the configuration: {message}"),
            hint: hint.map(str::to_owned),
            related: None,
        })
    })?;
    read::read(&source, host, path.parent().unwrap_or(Path::new("")))
}

/// Reads a configuration from its text; `name` stands for its file, `base` is where relative paths in it begin.
///
/// # Errors
///
/// See [`load`].
pub fn parse(name: &str, text: &str, host: &Host, base: &Path) -> Result<(Config, Report), Report> {
    read::read(&Source::new(name, text.to_owned()), host, base)
}
