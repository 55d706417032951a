//! Inheritance: what `defaults` starts from, hands down to domains, and becomes there.

use std::sync::Arc;

use super::problems::Problems;
use super::require_auth::Spoken;
use super::written::{At, Settings};
use super::yaml::Id;
use super::{Context, Profile, exceptions, recipients, words};
use crate::check::addresses::Addresses;
use crate::check::auth_match::Axis;
use crate::check::exception::Exception;
use crate::check::{self, Lock, Locks, Mode, auth_match, require_auth, responses, spf};
use crate::sources::recipients::SourceSettings as RecipientSource;

/// What a domain, or `defaults`, has and hands down.
#[derive(Clone)]
pub(super) struct Inherited {
    mode: Mode,
    addresses: Addresses,
    harvest: Mode,
    require_auth: Inheritable<require_auth::Settings>,
    spoken: Spoken,
    auth_match: Inheritable<auth_match::Settings>,
    /// What asks for `auth_match` by address, where something does.
    demand: Option<Id>,
    relay: Mode,
    recipients: Inheritable<recipients::Meant>,
    spf: Inheritable<spf::Settings>,
    auto_responders: Inheritable<responses::AutoSettings>,
    bounces: Inheritable<responses::BounceSettings>,
    exceptions: Vec<Exception>,
}

/// A lock on its way down.
#[derive(Clone)]
struct Inheritable<S> {
    /// The mode of the lock itself; it goes before the general one.
    mode: Option<Mode>,
    settings: S,
}

impl<S: Clone> Inheritable<S> {
    fn new(settings: S) -> Self {
        Self { mode: None, settings }
    }

    /// The lock on the next level, which may have a general mode and one for the lock.
    fn next(&self, general: Option<Mode>, own: Option<Mode>, settings: S) -> Self {
        // The most specific mode wins: a domain's own goes before that of the lock in `defaults`.
        let inherited = if general.is_some() { None } else { self.mode };
        Self { mode: own.or(inherited), settings }
    }

    fn lock(&self, general: Mode, cap: Mode) -> Lock<S> {
        Lock { mode: self.mode.unwrap_or(general).min(cap), settings: self.settings.clone() }
    }
}

impl Inherited {
    /// What `defaults` inherits. `word` names the profile in the file.
    pub(super) fn from_profile(profile: Profile, word: Option<Id>) -> Self {
        Self {
            mode: Mode::Enforce,
            addresses: Addresses::standard(),
            harvest: Mode::Off,
            require_auth: Inheritable::new(profile.require_auth()),
            spoken: Spoken::default(),
            auth_match: Inheritable::new(profile.auth_match()),
            demand: word,
            relay: Mode::Off,
            recipients: Inheritable::new(profile.recipients()),
            spf: Inheritable::new(profile.spf()),
            auto_responders: Inheritable::new(profile.auto_responders()),
            bounces: Inheritable::new(profile.bounces()),
            exceptions: Vec::new(),
        }
    }

    /// What this becomes by the settings of the next level. Lists are replaced, maps merged key by key.
    pub(super) fn merge(
        &self,
        problems: &mut Problems<'_>,
        context: Context<'_>,
        written: &Settings,
    ) -> Self {
        let [general, require_auth, auth_match, recipients, spf, auto_responders, bounces] = [
            &written.mode,
            &written.require_auth.mode,
            &written.auth_match.mode,
            &written.recipients.mode,
            &written.spf.mode,
            &written.auto_responders.mode,
            &written.bounces.mode,
        ]
        .map(|word| word.as_ref().and_then(|word| mode(problems, word)));
        let auth_settings = written.require_auth.build(problems, &self.require_auth.settings);
        let match_settings = written.auth_match.build(problems, &self.auth_match.settings);
        let recipient_settings = written.recipients.build(problems, context, &self.recipients.settings);
        let addresses = written.addresses.build(problems, &self.addresses);
        let automatic = written.auto_responders.build(problems, &addresses, &self.auto_responders.settings);
        let returned = written.bounces.build(problems, &self.bounces.settings);
        let spf_settings = written.spf.build(problems, &self.spf.settings);
        Self {
            mode: general.unwrap_or(self.mode),
            addresses,
            harvest: self.harvest,
            require_auth: self.require_auth.next(general, require_auth, auth_settings),
            spoken: written.require_auth.spoken(self.spoken),
            auth_match: self.auth_match.next(general, auth_match, match_settings),
            demand: written.auth_match.demand().or(self.demand),
            relay: self.relay,
            recipients: self.recipients.next(general, recipients, recipient_settings),
            spf: self.spf.next(general, spf, spf_settings),
            auto_responders: self.auto_responders.next(general, auto_responders, automatic),
            bounces: self.bounces.next(general, bounces, returned),
            exceptions: match &written.exceptions {
                Some(list) => exceptions::build(problems, context.host, list),
                None => self.exceptions.clone(),
            },
        }
    }

    /// The general mode.
    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// The same with this mode for harvesting.
    pub(super) fn with_harvest(self, harvest: Mode) -> Self {
        Self { harvest, ..self }
    }

    /// The mode for harvesting, no stronger than `cap`.
    pub(super) fn harvest(&self, cap: Mode) -> Mode {
        self.harvest.min(cap)
    }

    /// The same with strangers' mail for strangers refused, in the mode that everything has here.
    pub(super) fn denying_relay(self) -> Self {
        Self { relay: self.mode, ..self }
    }

    /// The same for domains whose mail is passed on to other hosts.
    pub(super) fn relayed(&self) -> Self {
        let settings = self.spoken.relayed(&self.require_auth.settings);
        Self { require_auth: Inheritable { settings, ..self.require_auth.clone() }, ..self.clone() }
    }

    /// The locks, none stronger than `cap`. Sources of recipients get their numbers in `sources`.
    pub(super) fn locks(&self, cap: Mode, sources: &mut Vec<RecipientSource>) -> Arc<Locks> {
        Arc::new(Locks {
            addresses: self.addresses.clone(),
            harvest: self.harvest(cap),
            require_auth: self.require_auth.lock(self.mode, cap),
            auth_match: self.auth_match.lock(self.mode, cap),
            relay: self.relay.min(cap),
            recipients: self.recipients(cap, sources),
            spf: self.spf.lock(self.mode, cap),
            auto_responders: self.auto_responders.lock(self.mode, cap),
            bounces: self.bounces.lock(self.mode, cap),
            exceptions: self.exceptions.clone(),
        })
    }

    /// The lock on recipients, which is off where nobody can say which there are.
    fn recipients(&self, cap: Mode, sources: &mut Vec<RecipientSource>) -> Lock<check::recipients::Settings> {
        let settings = self.recipients.settings.number(sources);
        let mode =
            if settings.sources.is_empty() { Mode::Off } else { self.recipients.mode.unwrap_or(self.mode) };
        Lock { mode: mode.min(cap), settings }
    }

    /// What in the file asks for `auth_match` by address, where these locks do.
    pub(super) fn demand(&self, locks: &Locks) -> Option<Id> {
        let auth_match::Settings { mail_from, header_from, sender, .. } = locks.auth_match.settings;
        let asks =
            locks.auth_match.mode != Mode::Off && [mail_from, header_from, sender].contains(&Axis::Address);
        self.demand.filter(|_| asks)
    }
}

/// The mode that a word names.
pub(super) fn mode(problems: &mut Problems<'_>, word: &At<String>) -> Option<Mode> {
    words::meaning(problems, word, "a mode", &Mode::NAMES)
}
