//! Where the daemon keeps what it must still know tomorrow, and for how long.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::problems::Problems;
use super::value;
use super::written::At;

/// The file, unless another one is named.
const PATH: &str = "/var/lib/lockdown-milter/ledger.redb";

/// How long things are kept, unless said otherwise.
const RETENTION: Duration = Duration::from_hours(14 * 24);

/// The longest time that things are kept: a year and a bit.
const LONGEST_RETENTION: Duration = Duration::from_hours(400 * 24);

/// How long changes wait for others, unless said otherwise.
const COMMIT_INTERVAL: Duration = Duration::from_millis(20);

/// The longest time that changes wait: what is lost when the host loses its power.
const LONGEST_COMMIT_INTERVAL: Duration = Duration::from_secs(10);

/// `ledger` as written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    path: Option<At<String>>,
    retention: Option<At<String>>,
    commit_interval: Option<At<String>>,
}

/// What the daemon keeps, and where (`ledger`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// The file.
    pub path: PathBuf,
    /// How long things are kept; at least a day counts.
    pub retention: Duration,
    /// How long a change waits for others, so that they are written together.
    pub commit_interval: Duration,
}

impl Written {
    /// What is meant. A relative path begins at `base`.
    pub(super) fn build(&self, problems: &mut Problems<'_>, base: &Path) -> Ledger {
        let named = self.path.as_ref().and_then(|text| value::path(problems, base, text));
        Ledger {
            path: named.unwrap_or_else(|| PathBuf::from(PATH)),
            retention: bounded(problems, self.retention.as_ref(), RETENTION, LONGEST_RETENTION),
            commit_interval: bounded(
                problems,
                self.commit_interval.as_ref(),
                COMMIT_INTERVAL,
                LONGEST_COMMIT_INTERVAL,
            ),
        }
    }
}

/// A duration that must not be nothing, nor longer than that.
fn bounded(
    problems: &mut Problems<'_>,
    written: Option<&At<String>>,
    default: Duration,
    longest: Duration,
) -> Duration {
    let duration = value::positive_duration(problems, written, default);
    match written {
        Some(text) if duration > longest => {
            problems.error(text.node, format!("{} is too long", value::Shown(duration))).hint(format!(
                "at most {}; the default is {}",
                value::Shown(longest),
                value::Shown(default)
            ));
            default
        }
        _ => duration,
    }
}
