//! Hosted domains: what each inherits, what it must not change, which follows another.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::diagnostic::quoted;
use super::problems::Problems;
use super::written::{At, Domain as Written, Entries, Settings};
use super::yaml::Id;
use super::{Host, Profile, exceptions, later, spf, value, words};
use crate::check::addresses::Addresses;
use crate::check::exception::Exception;
use crate::check::{Lock, Locks, Mode, spf as spf_lock};
use crate::mail::Domain;

/// The settings of a domain that `locked` may name besides those of the locks.
const SETTINGS: &[&str] = &["mode", "exceptions"];

/// All settings of a domain, as `locked` names them.
pub(super) fn settings() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().chain(spf::SETTINGS).copied()
}

/// What a domain, or `defaults`, hands down.
#[derive(Clone)]
pub(super) struct Inherited {
    mode: Mode,
    /// The mode of the lock itself; it goes before `mode`.
    spf_mode: Option<Mode>,
    spf: spf_lock::Settings,
    exceptions: Vec<Exception>,
    profile: Profile,
}

impl Inherited {
    /// What `defaults` inherits.
    pub(super) fn from_profile(profile: Profile) -> Self {
        Self { mode: Mode::Enforce, spf_mode: None, spf: profile.spf(), exceptions: Vec::new(), profile }
    }

    /// What this becomes by the settings of the next level. Lists are replaced, maps merged key by key.
    pub(super) fn merge(&self, problems: &mut Problems<'_>, host: &Host, written: &Settings) -> Self {
        let mode = written.mode.as_ref().and_then(|word| mode(problems, word));
        let spf_mode = written.spf.mode.as_ref().and_then(|word| self::mode(problems, word));
        Self {
            mode: mode.unwrap_or(self.mode),
            // The most specific mode wins: a domain's own goes before that of the lock in `defaults`.
            spf_mode: spf_mode.or(if mode.is_some() { None } else { self.spf_mode }),
            spf: written.spf.build(problems, &self.spf),
            profile: self.profile,
            exceptions: match &written.exceptions {
                Some(list) => exceptions::build(problems, host, list),
                None => self.exceptions.clone(),
            },
        }
    }

    /// The locks, none stronger than `cap`.
    pub(super) fn locks(&self, cap: Mode) -> Arc<Locks> {
        let mode = self.spf_mode.unwrap_or(self.mode).min(cap);
        Arc::new(Locks {
            addresses: Addresses { subaddress_delimiters: "+".to_owned(), case_sensitive: false },
            require_auth: Lock { mode: Mode::Off, settings: self.profile.require_auth() },
            auth_match: Lock { mode: Mode::Off, settings: self.profile.auth_match() },
            relay: Mode::Off,
            spf: Lock { mode, settings: self.spf.clone() },
            exceptions: self.exceptions.clone(),
        })
    }
}

/// The mode that a word names.
pub(super) fn mode(problems: &mut Problems<'_>, word: &At<String>) -> Option<Mode> {
    words::meaning(problems, word, "a mode", &Mode::NAMES)
}

/// The settings that no domain may change: their names, and where each is locked.
pub(super) struct Locked<'w>(Vec<(Id, Vec<&'w str>)>);

impl<'w> Locked<'w> {
    pub(super) fn build(problems: &mut Problems<'_>, written: &'w [At<String>]) -> Self {
        let names: Vec<(&str, ())> = settings().map(|name| (name, ())).collect();
        let mut locked = Vec::new();
        for word in written {
            if later::is_later_lock(&word.value) {
                problems
                    .error(word.node, format!("there is no setting {} yet", quoted(&word.value)))
                    .hint(later::HINT);
            } else if words::meaning(problems, word, "a setting of domains", &names).is_some() {
                let path: Vec<&str> = word.value.split('.').collect();
                if !locked.iter().any(|(_, known)| *known == path) {
                    locked.push((word.node, path));
                }
            }
        }
        Self(locked)
    }

    /// Complains about every locked setting that the domain sets.
    fn check(&self, problems: &mut Problems<'_>, domain: &At<Written>) {
        for (node, path) in &self.0 {
            let name = path.join(".");
            if let Some((key, _)) = problems.tree().find(domain.node, path) {
                problems
                    .error(key, format!("`{name}` is locked: no domain may change it"))
                    .hint("set it in `defaults`")
                    .related(*node, "locked here");
            }
            // The mode of a domain is the mode of each of its locks.
            if let (["spf"] | ["spf", "mode"], Some(mode)) = (path.as_slice(), &domain.value.settings.mode) {
                problems
                    .error(mode.node, format!("this changes `spf.mode`, and `{name}` is locked"))
                    .hint("set the mode of the other locks one by one")
                    .related(*node, "locked here");
            }
        }
    }
}

/// The hosted domains by name. `listed` come from files and say nothing of their own.
pub(super) fn build(
    problems: &mut Problems<'_>,
    host: &Host,
    cap: Mode,
    defaults: &Inherited,
    locked: &Locked<'_>,
    (written, listed): (&Entries<Written>, Vec<Domain>),
) -> BTreeMap<Domain, Arc<Locks>> {
    let inherited = defaults.locks(cap);
    let mut hosted: BTreeMap<Domain, Arc<Locks>> =
        listed.into_iter().map(|domain| (domain, Arc::clone(&inherited))).collect();
    let mut seen: HashMap<Domain, &At<String>> = HashMap::new();
    let mut aliases = Vec::new();
    for (key, entry) in &written.0 {
        let Some(domain) = value::domain(problems, key) else { continue };
        if let Some(first) = seen.get(&domain) {
            problems
                .error(key.node, format!("the domain {domain} is there already"))
                .hint("merge the two")
                .related(first.node, "the same domain");
            continue;
        }
        seen.insert(domain.clone(), key);
        if let Some(target) = &entry.value.alias_of {
            if entry.value.settings != Settings::default() {
                problems
                    .error(
                        target.node,
                        format!("{domain} follows another domain and has settings of its own"),
                    )
                    .hint("remove `alias_of` or the other settings");
            }
            aliases.push((domain, target));
            continue;
        }
        locked.check(problems, entry);
        let locks = if entry.value.settings == Settings::default() {
            Arc::clone(&inherited)
        } else {
            defaults.merge(problems, host, &entry.value.settings).locks(cap)
        };
        hosted.insert(domain, locks);
    }
    add_aliases(problems, &mut hosted, aliases);
    hosted
}

/// How many hosted domains are compared with one that is not, which may be a slip.
const MOST_CANDIDATES: usize = 1000;

/// Gives every alias the locks of the domain that it follows.
fn add_aliases(
    problems: &mut Problems<'_>,
    hosted: &mut BTreeMap<Domain, Arc<Locks>>,
    aliases: Vec<(Domain, &At<String>)>,
) {
    let followed: HashMap<Domain, Option<Domain>> =
        aliases.iter().map(|(domain, target)| (domain.clone(), target.value.parse().ok())).collect();
    // A file may list an alias too; it is one all the same.
    for domain in followed.keys() {
        hosted.remove(domain);
    }
    for (domain, text) in aliases {
        let Some(target) = value::domain(problems, text) else { continue };
        if target == domain {
            problems.error(text.node, format!("{domain} follows itself"));
        } else if let Some(next) = followed.get(&target) {
            let problem = problems.error(text.node, format!("{target} is an alias itself"));
            match next {
                Some(next) if *next != domain => problem.hint(format!("write `alias_of: {next}`")),
                _ => problem.hint("follow a domain that has settings of its own"),
            };
        } else if let Some(locks) = hosted.get(&target).cloned() {
            hosted.insert(domain, locks);
        } else if !problems.has_gap_in(&["domains"]) && !problems.has_gap_in(&["domains_from"]) {
            let candidates = if problems.room() > 0 { MOST_CANDIDATES } else { 0 };
            let known: Vec<&str> = hosted.keys().take(candidates).map(Domain::as_str).collect();
            let hint = match words::nearest(target.as_str(), &known) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "add it to `domains`".to_owned(),
            };
            problems.error(text.node, format!("{target} is not a hosted domain")).hint(hint);
        }
    }
}
