//! Profiles: what `defaults` starts from. One table, so that they can be compared at a glance.

use crate::check::spf::{Action, Actions, Record, Settings};

/// How strict the defaults are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Refuses as little as possible.
    Relaxed,
    /// Refuses what senders themselves ask to be refused.
    Standard,
    /// Refuses whatever is not in order.
    Lockdown,
}

impl Profile {
    /// All profiles with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 3] =
        [("relaxed", Self::Relaxed), ("standard", Self::Standard), ("lockdown", Self::Lockdown)];

    /// The SPF lock.
    pub fn spf(self) -> Settings {
        use Action::{Accept, Reject};
        let (fail, permerror) = match self {
            Self::Relaxed => (Accept, Accept),
            Self::Standard => (Reject, Accept),
            Self::Lockdown => (Reject, Reject),
        };
        Settings {
            helo: Actions::ACCEPT,
            mail_from: Actions { fail, permerror, ..Actions::ACCEPT },
            reject_not_pass: Vec::new(),
            reject_no_mail_domains: true,
            headers: vec![Record::AuthenticationResults],
            delete_incoming: true,
            explanation: true,
        }
    }
}
