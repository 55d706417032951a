//! `config show`: every effective setting with its value, as one would write it, and where it comes from.
//!
//! Values are those of the policy in force, so that they cannot be others than the daemon's; only lists of maps, which
//! are taken over whole, are shown as the file has them. Where a value comes from is read off the file.

mod difference;
mod origin;
mod values;

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::source::{Source, Unreadable};
use super::yaml::{Id, Node, Tree};
use super::{Config, Diagnostic, Host, MAX_FILE, Profile, Report, Severity, read};
use crate::check::{Locks, Mode};
use crate::mail::Domain;
pub use difference::{Difference, Holder};
pub use origin::Origin;
use values::Form;

/// An effective setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Its name: `limits.connections`, `defaults.spf.mode`; of a domain `spf.mode`.
    pub name: String,
    /// Its value, as one would write it. Passwords in URLs are left out.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
    /// The line that says so, from 1; none where no line does.
    pub line: Option<usize>,
    /// Whether no domain may change it.
    pub is_locked: bool,
    /// What would hold without the cap on modes, and by what.
    pub otherwise: Option<(Mode, Origin)>,
}

/// A configuration that can be shown.
pub struct Shown {
    config: Config,
    source: Source,
}

impl Shown {
    /// Reads a configuration.
    ///
    /// # Errors
    ///
    /// As [`super::load`] has them.
    pub fn load(path: &Path, host: &Host) -> Result<Self, Report> {
        let source = Source::read(path, MAX_FILE).map_err(unreadable)?;
        Self::of(source, host, path.parent().unwrap_or(Path::new("")))
    }

    /// Reads a configuration from its text; see [`super::parse`].
    ///
    /// # Errors
    ///
    /// As [`super::parse`] has them.
    pub fn parse(name: &str, text: &str, host: &Host, base: &Path) -> Result<Self, Report> {
        Self::of(Source::new(name, text.to_owned()), host, base)
    }

    fn of(source: Source, host: &Host, base: &Path) -> Result<Self, Report> {
        let (config, _) = read::read(&source, host, base)?;
        Ok(Self { config, source })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The settings of the host, and what `defaults` gives to every domain.
    pub fn settings(&self) -> Vec<Setting> {
        let tree = self.tree();
        let view = View::new(self, &tree);
        let mut settings = view.of_host();
        let defaults = view.of_locks(&self.config.policy.defaults, None);
        // Where the file has them: after what they start from.
        let at = settings.iter().position(|setting| setting.name == "profile").map_or(0, |at| at + 1);
        let named = defaults
            .into_iter()
            .map(|setting| Setting { name: format!("defaults.{}", setting.name), ..setting });
        settings.splice(at..at, named);
        settings
    }

    /// The domain that a domain follows, or the domain itself; none if it is not hosted.
    pub fn followed(&self, domain: &Domain) -> Option<Domain> {
        let policy = &self.config.policy;
        policy.hosted.contains_key(domain).then(|| policy.site.followed(domain).clone())
    }

    /// What holds for a hosted domain.
    pub fn settings_of(&self, domain: &Domain) -> Option<Vec<Setting>> {
        let tree = self.tree();
        let followed = self.followed(domain)?;
        let locks = self.config.policy.locks(&followed)?;
        Some(View::new(self, &tree).of_locks(locks, Some(&followed)))
    }

    /// The effective settings that differ from those of a profile.
    pub fn differences(&self, profile: Profile) -> Vec<Difference> {
        let tree = self.tree();
        difference::all(&View { has_lines: false, ..View::new(self, &tree) }, profile)
    }

    fn tree(&self) -> Tree<'_> {
        Tree::read(self.source.text()).expect("it was read before")
    }
}

fn unreadable(Unreadable { place, message, hint }: Unreadable) -> Report {
    let message = format!("cannot read the configuration: {message}");
    let hint = hint.map(str::to_owned);
    Report::only(Diagnostic { severity: Severity::Error, place, message, hint, related: None })
}

/// The policy beside the file that it was made of.
struct View<'a> {
    config: &'a Config,
    source: &'a Source,
    tree: &'a Tree<'a>,
    locked: Vec<String>,
    /// What the profile has for the settings of domains, and whether others have something else.
    profiles: HashMap<&'static str, (Form, bool)>,
    /// What `domains` has for each.
    entries: HashMap<Domain, Id>,
    /// Whether lines are worth their price: each takes a reading of the file.
    has_lines: bool,
}

impl<'a> View<'a> {
    fn new(shown: &'a Shown, tree: &'a Tree<'a>) -> Self {
        let value = |name| tree.find(0, &[name]).map(|(_, value)| value);
        let locked = value("locked").map_or_else(Vec::new, |list| values::texts(tree, list));
        let mut entries = HashMap::new();
        if let Some(Node::Map(pairs)) = value("domains").map(|map| tree.node(map)) {
            for &(key, entry) in pairs {
                let Node::Text(name) = tree.node(key) else { continue };
                entries.extend(name.parse().map(|domain: Domain| (domain, entry)));
            }
        }
        let (config, source) = (&shown.config, &shown.source);
        let others = Profile::NAMES.map(|(_, profile)| values::of_profile(profile));
        let profiles = values::of_profile(config.profile).into_iter().enumerate();
        let profiles = profiles.map(|(at, (name, form))| {
            let differs = others.iter().any(|other| other[at].1 != form);
            (name, (form, differs))
        });
        Self { config, source, tree, locked, profiles: profiles.collect(), entries, has_lines: true }
    }

    fn of_host(&self) -> Vec<Setting> {
        values::of_host(self.config).into_iter().map(|(name, form)| self.host_setting(name, form)).collect()
    }

    fn host_setting(&self, name: &str, form: Form) -> Setting {
        let found = match name {
            "mode" => self.cap(),
            "harvest.mode" => self.harvest_mode(),
            _ => self.of_file(name),
        };
        self.setting(name, form, found, false)
    }

    /// The settings of a domain, or of `defaults`.
    fn of_locks(&self, locks: &Locks, domain: Option<&Domain>) -> Vec<Setting> {
        let entry = domain.and_then(|domain| self.entries.get(domain)).copied();
        values::of_locks(locks)
            .into_iter()
            .map(|(name, form)| {
                let found = match name.strip_suffix("mode").map(|lock| lock.trim_end_matches('.')) {
                    Some(lock) => self.mode(lock, locks, domain, entry),
                    None => self.inherited(name, &form, domain, entry),
                };
                self.setting(name, form, found, self.is_locked(name))
            })
            .collect()
    }

    fn setting(&self, name: &str, form: Form, found: origin::Found, is_locked: bool) -> Setting {
        let value = match (form, found.mode) {
            (_, Some(mode)) => mode.as_str().into(),
            (Form::Value(value), None) => value,
            (Form::AsWritten(value), None) => {
                found.node.map_or(value, |(_, node)| values::as_written(self.tree, node))
            }
        };
        let line = found.node.filter(|_| self.has_lines).and_then(|(key, _)| self.line(key));
        Setting {
            name: name.to_owned(),
            value,
            origin: found.origin,
            line,
            is_locked,
            otherwise: found.otherwise,
        }
    }

    fn line(&self, node: Id) -> Option<usize> {
        let (offset, length) = self.tree.position(self.source.text(), node);
        self.source.place(offset, length).spot.map(|spot| spot.line)
    }

    /// Whether `locked` names the setting, or one that it is part of.
    fn is_locked(&self, name: &str) -> bool {
        let covers = |locked: &String| {
            name.strip_prefix(locked.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.locked.iter().any(covers)
    }
}
