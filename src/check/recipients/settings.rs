//! What a domain knows of its recipients, and what a wildcard is worth to it.

use glob::{MatchOptions, Pattern};
use jiff::SignedDuration;
use jiff::civil::Date;

use crate::facts::SourceId;
use crate::mail::Mailbox;

/// How long after its deferral a sender must come back to count as one who does. Programs that guess names try again at
/// once or never.
pub const RETURN_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// The settings of the lock in one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where recipients are looked up, in the order of asking; the lock is off without any.
    pub sources: Vec<SourceId>,
    /// What a name is worth that only a wildcard knows.
    pub catch_all: CatchAll,
    /// The last day (UTC) of [`CatchAll::Soft`]; afterwards it is [`CatchAll::Reject`].
    pub soft_until: Option<Date>,
    /// Local-parts that exist whatever the sources say, in any case: `*`, `?` and `[…]` as in file names.
    pub accept_patterns: Vec<Pattern>,
    /// Whether a recipient is accepted that no source can tell about at the moment.
    pub accept_on_error: bool,
}

/// What a name is worth that only a wildcard knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchAll {
    /// As much as any other.
    Allow,
    /// As much as any other, while we learn who uses it.
    Learn,
    /// It is deferred, until somebody comes back who means it.
    Soft,
    /// Nothing.
    Reject,
}

impl CatchAll {
    /// All of them with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 4] =
        [("allow", Self::Allow), ("learn", Self::Learn), ("soft", Self::Soft), ("reject", Self::Reject)];

    /// Whether who uses such names is worth knowing.
    pub fn learns(self) -> bool {
        matches!(self, Self::Learn | Self::Soft)
    }
}

/// Whether a pattern accepts a local-part.
pub(super) fn fits(pattern: &Pattern, mailbox: &Mailbox) -> bool {
    let options = MatchOptions {
        case_sensitive: false,
        require_literal_separator: false,
        require_literal_leading_dot: false,
    };
    pattern.matches_with(mailbox.local_part(), options)
}
