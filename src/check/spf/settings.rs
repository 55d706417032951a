//! What the administrator sets for the SPF lock, as meant.

use crate::mail::{Domain, spf::SpfResult};

/// What a result leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Nothing.
    Accept,
    /// A 4xx reply.
    Defer,
    /// A 5xx reply.
    Reject,
}

impl Action {
    /// All actions with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 3] =
        [("accept", Self::Accept), ("defer", Self::Defer), ("reject", Self::Reject)];
}

/// An action for every result but `pass`, which is always accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actions {
    /// For `fail`.
    pub fail: Action,
    /// For `softfail`.
    pub softfail: Action,
    /// For `neutral`.
    pub neutral: Action,
    /// For `none`.
    pub none: Action,
    /// For `temperror`: accept or defer, as the next try may end differently.
    pub temperror: Action,
    /// For `permerror`.
    pub permerror: Action,
}

impl Actions {
    /// Nothing is refused.
    pub const ACCEPT: Self = Self {
        fail: Action::Accept,
        softfail: Action::Accept,
        neutral: Action::Accept,
        none: Action::Accept,
        temperror: Action::Accept,
        permerror: Action::Accept,
    };

    /// The action for a result.
    pub fn of(&self, result: SpfResult) -> Action {
        match result {
            SpfResult::Pass => Action::Accept,
            SpfResult::Fail => self.fail,
            SpfResult::Softfail => self.softfail,
            SpfResult::Neutral => self.neutral,
            SpfResult::None => self.none,
            SpfResult::Temperror => self.temperror,
            SpfResult::Permerror => self.permerror,
        }
    }
}

/// A header field in which results are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    /// Authentication-Results (RFC 8601).
    AuthenticationResults,
    /// Received-SPF (RFC 7208, 9.1).
    ReceivedSpf,
}

impl Record {
    /// All fields with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 2] =
        [("authentication-results", Self::AuthenticationResults), ("received-spf", Self::ReceivedSpf)];
}

/// The settings of the lock in one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For the HELO identity, which also stands for the null reverse-path (RFC 7208, 2.4).
    pub helo: Actions,
    /// For the MAIL FROM identity.
    pub mail_from: Actions,
    /// Sender domains whose softfail and neutral are refused too.
    pub reject_not_pass: Vec<Domain>,
    /// Whether senders are refused whose domain says that it sends no mail (`v=spf1 -all`), whatever `fail` says.
    pub reject_no_mail_domains: bool,
    /// Where results are recorded.
    pub headers: Vec<Record>,
    /// Whether fields that claim to be ours are deleted.
    pub delete_incoming: bool,
    /// Whether a refusal quotes the explanation that the sender's domain publishes.
    pub explanation: bool,
}
