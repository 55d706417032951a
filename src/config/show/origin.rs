//! Where a setting comes from, as the file has it.

use std::fmt;

use super::super::yaml::{Id, Node};
use super::super::{Profile, summary};
use super::View;
use super::values::Form;
use crate::check::{Locks, Mode};
use crate::mail::Domain;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is the same in every profile, and the file says nothing else.
    BuiltIn,
    /// What `defaults` starts from.
    Profile(Profile),
    /// The file, at the top.
    File,
    /// `defaults`.
    Defaults,
    /// The settings of this domain.
    Domain(Domain),
    /// The cap on all modes, the top-level `mode`.
    Cap,
    /// The host passes the domain's mail on, so that others send for it, and the file does not ask for more.
    RelayDomain,
    /// No source says which recipients there are.
    NoSource,
}

impl Origin {
    /// The kind, for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::Profile(_) => "profile",
            Self::File => "file",
            Self::Defaults => "defaults",
            Self::Domain(_) => "domain",
            Self::Cap => "mode",
            Self::RelayDomain => "relay-domain",
            Self::NoSource => "no-source",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::Profile(profile) => write!(f, "profile {}", summary::word(&Profile::NAMES, *profile)),
            Self::File => f.write_str("written"),
            Self::Defaults => f.write_str("defaults"),
            Self::Domain(domain) => write!(f, "domains.{domain}"),
            Self::Cap => f.write_str("mode"),
            Self::RelayDomain => f.write_str("relay domain"),
            Self::NoSource => f.write_str("no source of recipients"),
        }
    }
}

/// What the file has to say about a setting.
pub(super) struct Found {
    pub(super) origin: Origin,
    /// The key and its value.
    pub(super) node: Option<(Id, Id)>,
    /// The mode, where it is one that several places have a say in.
    pub(super) mode: Option<Mode>,
    pub(super) otherwise: Option<(Mode, Origin)>,
}

impl Found {
    fn at(origin: Origin, node: Option<(Id, Id)>) -> Self {
        Self { origin, node, mode: None, otherwise: None }
    }
}

impl View<'_> {
    /// A setting at the top of the file.
    pub(super) fn of_file(&self, name: &str) -> Found {
        let path: Vec<&str> = name.split('.').collect();
        match self.written(0, &path) {
            Some(node) => Found::at(Origin::File, Some(node)),
            None if name == "relay" => Found::at(Origin::Profile(self.config.profile), None),
            None => Found::at(Origin::BuiltIn, None),
        }
    }

    /// The cap on all modes.
    pub(super) fn cap(&self) -> Found {
        let found = self.of_file("mode");
        Found { mode: Some(self.config.policy.mode), ..found }
    }

    /// The mode for harvesting: its own, or the profile's, which is no stronger than that of `defaults`.
    pub(super) fn harvest_mode(&self) -> Found {
        let general = self.first_mode(&[(self.defaults(), &["mode"], Origin::Defaults)]);
        let profile = self.config.profile;
        let (mode, origin, node) = match self.first_mode(&[(Some(0), &["harvest", "mode"], Origin::File)]) {
            Some(found) => found,
            None => match general {
                Some(general) if general.0 < profile.harvest() => general,
                _ => (profile.harvest(), Origin::Profile(profile), None),
            },
        };
        self.capped(mode, origin, node)
    }

    /// The mode of a lock, or the general one where `lock` is empty: the most specific that is written, no stronger than
    /// the cap.
    pub(super) fn mode(
        &self,
        lock: &str,
        locks: &Locks,
        domain: Option<&Domain>,
        entry: Option<Id>,
    ) -> Found {
        let has_sources = !locks.recipients.settings.sources.is_empty();
        if lock == "recipients" && !has_sources {
            return Found { mode: Some(Mode::Off), ..Found::at(Origin::NoSource, None) };
        }
        let own: &[&str] = &[lock, "mode"];
        let named = domain.cloned().map_or(Origin::Defaults, Origin::Domain);
        let candidates = [
            (entry, own, named.clone()),
            (entry, &["mode"], named),
            (self.defaults(), own, Origin::Defaults),
            (self.defaults(), &["mode"], Origin::Defaults),
        ];
        let (mode, origin, node) =
            self.first_mode(&candidates).unwrap_or((Mode::Enforce, Origin::BuiltIn, None));
        self.capped(mode, origin, node)
    }

    /// A setting that a domain inherits if it does not set it.
    pub(super) fn inherited(
        &self,
        name: &str,
        form: &Form,
        domain: Option<&Domain>,
        entry: Option<Id>,
    ) -> Found {
        let path: Vec<&str> = name.split('.').collect();
        let below = |map: Option<Id>| map.and_then(|map| self.written(map, &path));
        if let (Some(domain), Some(node)) = (domain, below(entry)) {
            return Found::at(Origin::Domain(domain.clone()), Some(node));
        }
        if let Some(node) = below(self.defaults()) {
            return Found::at(Origin::Defaults, Some(node));
        }
        let (as_profile, is_profiles) = &self.profiles[name];
        let origin = match form == as_profile || matches!(form, Form::AsWritten(_)) {
            false => Origin::RelayDomain,
            true if *is_profiles => Origin::Profile(self.config.profile),
            true => Origin::BuiltIn,
        };
        Found::at(origin, None)
    }

    fn defaults(&self) -> Option<Id> {
        self.tree.find(0, &["defaults"]).map(|(_, map)| map)
    }

    /// The key and the value of a setting below a map; none where it is not there or says nothing.
    fn written(&self, map: Id, path: &[&str]) -> Option<(Id, Id)> {
        self.tree.find(map, path).filter(|&(_, value)| !matches!(self.tree.node(value), Node::Null))
    }

    /// The first mode that is written.
    #[expect(clippy::type_complexity, reason = "a map, the path below it, and what to call it")]
    fn first_mode(
        &self,
        candidates: &[(Option<Id>, &[&str], Origin)],
    ) -> Option<(Mode, Origin, Option<(Id, Id)>)> {
        candidates.iter().find_map(|(map, path, origin)| {
            let node = self.written((*map)?, path)?;
            let Node::Text(word) = self.tree.node(node.1) else { return None };
            let (_, mode) = Mode::NAMES.into_iter().find(|(name, _)| name == word)?;
            Some((mode, origin.clone(), Some(node)))
        })
    }

    /// The mode, or the cap if that is weaker.
    fn capped(&self, mode: Mode, origin: Origin, node: Option<(Id, Id)>) -> Found {
        let cap = self.config.policy.mode;
        if mode <= cap {
            return Found { origin, node, mode: Some(mode), otherwise: None };
        }
        let node = self.written(0, &["mode"]);
        Found { origin: Origin::Cap, node, mode: Some(cap), otherwise: Some((mode, origin)) }
    }
}
