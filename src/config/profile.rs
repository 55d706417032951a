//! Profiles: what `defaults` starts from. One table, so that they can be compared at a glance.

use super::recipients;
use crate::check::Mode;
use crate::check::auth_match::{self, Axis};
use crate::check::recipients::CatchAll;
use crate::check::require_auth::{self, Lists};
use crate::check::responses::{AutoSettings, BounceSettings, Policy, Suppress, Unknown};
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

    /// Authentication required.
    pub fn require_auth(self) -> require_auth::Settings {
        let (mail_from, header_from, lists) = match self {
            Self::Relaxed => (false, false, Lists::Posted),
            Self::Standard => (true, false, Lists::Posted),
            Self::Lockdown => (true, true, Lists::Reject),
        };
        require_auth::Settings { mail_from, header_from, unless_spf_pass: true, lists }
    }

    /// The login must match the sender.
    pub fn auth_match(self) -> auth_match::Settings {
        let (mail_from, header_from, sender) = match self {
            Self::Relaxed => (Axis::Domain, Axis::None, Axis::None),
            Self::Standard => (Axis::Domain, Axis::Domain, Axis::None),
            Self::Lockdown => (Axis::Address, Axis::Address, Axis::Address),
        };
        auth_match::Settings {
            mail_from,
            header_from,
            sender,
            subdomains: false,
            reject_malformed_from: true,
            check_resent: false,
        }
    }

    /// Harvesting.
    pub fn harvest(self) -> Mode {
        match self {
            Self::Relaxed => Mode::Monitor,
            Self::Standard | Self::Lockdown => Mode::Enforce,
        }
    }

    /// Whether strangers' mail for domains that are not hosted is refused.
    pub fn denies_relay(self) -> bool {
        self == Self::Lockdown
    }

    /// Recipients exist. SRS addresses are no exception: who takes any of them takes forged ones, and a Postfix that
    /// forwards has a map that tells which are its own.
    pub(super) fn recipients(self) -> recipients::Meant {
        let catch_all = match self {
            Self::Relaxed => CatchAll::Allow,
            Self::Standard => CatchAll::Learn,
            Self::Lockdown => CatchAll::Reject,
        };
        recipients::Meant {
            sources: Vec::new(),
            catch_all,
            soft_until: None,
            accept_patterns: Vec::new(),
            accept_on_error: false,
        }
    }

    /// Automatic replies.
    pub fn auto_responders(self) -> AutoSettings {
        let policy = match self {
            Self::Relaxed => Policy::RequireSpfPassIfPublished,
            Self::Standard | Self::Lockdown => Policy::RequireSpfPass,
        };
        // Ticket systems take the field for a sign that the message itself is automatic.
        let header = Suppress::Failed;
        AutoSettings { policy, unknown: self.unknown(), header, header_exempt: Vec::new() }
    }

    /// Bounces.
    pub fn bounces(self) -> BounceSettings {
        let policy = match self {
            Self::Relaxed => Policy::Allow,
            Self::Standard => Policy::RequireSpfPassIfPublished,
            Self::Lockdown => Policy::RequireSpfPass,
        };
        BounceSettings { policy, unknown: self.unknown(), notifies_never: false }
    }

    /// Answers to what is not on record.
    fn unknown(self) -> Unknown {
        match self {
            Self::Relaxed | Self::Standard => Unknown::Allow,
            Self::Lockdown => Unknown::Discard,
        }
    }

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
