//! The audit: the hardening guide as a checklist, judged by what was seen of a host.
//!
//! A row is a function that judges a [`Host`] and a line in [`REGISTRY`]; rows of a chapter share a file. Nothing here
//! reads a file or asks a server: what was seen is gathered by `crate::cli`. What could not be seen is never good.

mod auth_match;
mod authentication;
mod catch_all;
mod doors;
pub mod host;
mod milters;
mod quiet;
mod relaying;
mod row;
mod spf;
mod unreachable;
mod up_to_date;
mod version;
mod wiring;

pub use host::Host;
pub use row::{Change, Place, Row, State, Verdict};

/// The chapters of the guide, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chapter {
    /// Every address is somebody's.
    CatchAll,
    /// Bounces and automatic replies answer only what is genuine.
    Quiet,
    /// Nobody sends for our domains, or through us, without a login.
    Authentication,
    /// A login sends as itself.
    AuthMatch,
    /// Every hosted domain says who sends for it.
    Spf,
    /// The programs are current, wired up, and keep their secrets.
    UpToDate,
}

impl Chapter {
    /// All of them with the names that the command line and programs know, and their titles.
    pub const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::CatchAll, "catch-all", "No catch-all"),
        (Self::Quiet, "quiet", "Quiet"),
        (Self::Authentication, "authentication", "Authentication"),
        (Self::AuthMatch, "auth-match", "Auth match"),
        (Self::Spf, "spf", "SPF"),
        (Self::UpToDate, "up-to-date", "Up to date"),
    ];

    /// The name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(chapter, ..)| *chapter == self).map_or("", |(_, name, _)| name)
    }

    /// The title.
    pub fn title(self) -> &'static str {
        Self::ALL.iter().find(|(chapter, ..)| *chapter == self).map_or("", |(.., title)| title)
    }
}

/// Every row, in the order of the guide.
pub static REGISTRY: [&Row; 31] = [
    &catch_all::CATCH_ALLS,
    &catch_all::ANSWERING,
    &catch_all::SOURCES,
    &catch_all::UNLISTED,
    &catch_all::VRFY,
    &catch_all::POSTMASTER,
    &quiet::LOCKS,
    &quiet::PROGRAMS,
    &quiet::BOUNCES,
    &relaying::OPEN_RELAY,
    &relaying::SUBMISSION,
    &relaying::HOSTED_SENDERS,
    &authentication::TLS,
    &authentication::MECHANISMS,
    &authentication::WIDE_NETWORKS,
    &authentication::UNTRUSTED_NETWORKS,
    &auth_match::DOMAINS,
    &auth_match::LOGINS,
    &unreachable::ROW,
    &spf::RECORDS,
    &spf::LOCK,
    &up_to_date::CONFIGURATION,
    &up_to_date::MODES,
    &up_to_date::EXCEPTIONS,
    &version::MTA,
    &wiring::SERVICES,
    &wiring::ORDER,
    &wiring::AWAY,
    &wiring::TIMES,
    &up_to_date::SOCKETS,
    &up_to_date::SECRETS,
];

/// What the audit says: each row with its verdict.
#[derive(Clone, Debug)]
pub struct Audit {
    /// The rows, in the order of the registry.
    pub rows: Vec<(&'static Row, Verdict)>,
}

impl Audit {
    /// Judges a host by every row that is wanted.
    pub fn of(host: &Host, wanted: impl Fn(&Row) -> bool) -> Self {
        let rows = REGISTRY.into_iter().filter(|row| wanted(row));
        Self { rows: rows.map(|row| (row, accepted(host, row, (row.judge)(host)))).collect() }
    }

    /// How many rows are in a state.
    pub fn count(&self, state: State) -> usize {
        self.rows.iter().filter(|(_, verdict)| verdict.state() == state).count()
    }

    /// Whether the host is as the guide wants it: nothing is open, and at least something could be seen.
    pub fn is_good(&self) -> bool {
        let seen = |state: State| !matches!(state, State::Unknown | State::NotApplicable);
        self.count(State::Open) == 0 && self.rows.iter().any(|(_, verdict)| seen(verdict.state()))
    }
}

/// The verdict, with what the administrator says of it.
fn accepted(host: &Host, row: &Row, verdict: Verdict) -> Verdict {
    if host.accepted.iter().any(|name| name == row.name) { verdict.accepted() } else { verdict }
}
