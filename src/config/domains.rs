//! Hosted domains: what each inherits, what it must not change, which follows another.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::diagnostic::quoted;
use super::domain_file::Listed;
use super::inherited::Inherited;
use super::problems::Problems;
use super::written::{At, Domain as Written, Entries, Settings};
use super::yaml::Id;
use super::{Context, addresses, auth_match, later, recipients, require_auth, responses, spf, value, words};
use crate::check::{Locks, Mode};
use crate::mail::Domain;
use crate::sources::recipients::SourceSettings as RecipientSource;

/// The settings of a domain that `locked` may name besides those of the locks.
const SETTINGS: &[&str] = &["mode", "exceptions"];

/// The locks that a domain has a mode for.
const LOCKS: [&str; 6] = ["require_auth", "auth_match", "recipients", "spf", "auto_responders", "bounces"];

/// All settings of a domain, as `locked` names them.
pub(super) fn settings() -> impl Iterator<Item = &'static str> {
    [
        SETTINGS,
        addresses::SETTINGS,
        require_auth::SETTINGS,
        auth_match::SETTINGS,
        recipients::SETTINGS,
        spf::SETTINGS,
        responses::SETTINGS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// The settings that no domain may change: their names, and where each is locked.
pub(super) struct Locked<'w>(Vec<(Id, Vec<&'w str>)>);

impl<'w> Locked<'w> {
    pub(super) fn build(problems: &mut Problems<'_>, written: &'w [At<String>]) -> Self {
        let mut locked = Vec::new();
        for word in written {
            if later::is_later_lock(&word.value) {
                problems
                    .error(word.node, format!("there is no setting {} yet", quoted(&word.value)))
                    .hint(later::HINT);
            } else if !settings().any(|name| name == word.value) {
                problems
                    .error(word.node, format!("{} is not a setting of domains", quoted(&word.value)))
                    .hint(suggest(&word.value));
            } else {
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
            if let ([lock] | [lock, "mode"], Some(mode)) = (path.as_slice(), &domain.value.settings.mode)
                && LOCKS.contains(lock)
            {
                problems
                    .error(mode.node, format!("this changes `{lock}.mode`, and `{name}` is locked"))
                    .hint("set the mode of the other locks one by one")
                    .related(*node, "locked here");
            }
        }
    }
}

/// The setting that was probably meant by one that is not there, or what there is in its place.
fn suggest(word: &str) -> String {
    let (above, last) = match word.rsplit_once('.') {
        Some((above, last)) if settings().any(|name| name == above) => (format!("{above}."), last),
        _ => (String::new(), word),
    };
    let known: Vec<&str> =
        settings().filter_map(|name| name.strip_prefix(&above)).filter(|rest| !rest.contains('.')).collect();
    match words::nearest(last, &known) {
        Some(name) => format!("did you mean `{above}{name}`?"),
        None => format!("one of: {above}{}", known.join(&format!(", {above}"))),
    }
}

/// The hosted domains.
pub(super) struct Hosted {
    /// Their locks.
    pub(super) locks: BTreeMap<Domain, Arc<Locks>>,
    /// Those that follow another one, and which.
    pub(super) aliases: BTreeMap<Domain, Domain>,
    /// What asks for `auth_match` by address, in domains and in `defaults`.
    pub(super) demands: BTreeSet<Id>,
}

/// The hosted domains. `listed` come from files and a Postfix and say nothing of their own.
pub(super) fn build(
    problems: &mut Problems<'_>,
    context: Context<'_>,
    cap: Mode,
    defaults: &Inherited,
    locked: &Locked<'_>,
    (written, listed): (&Entries<Written>, Listed),
    sources: &mut Vec<RecipientSource>,
) -> Hosted {
    let inherited = defaults.locks(cap, sources);
    let relayed = defaults.relayed();
    let inherited_relayed = relayed.locks(cap, sources);
    let above = |domain: &Domain| {
        let is_relayed = listed.relayed.contains(domain);
        if is_relayed { (&relayed, &inherited_relayed) } else { (defaults, &inherited) }
    };
    let mut hosted: BTreeMap<Domain, Arc<Locks>> =
        listed.domains.iter().map(|domain| (domain.clone(), Arc::clone(above(domain).1))).collect();
    let mut demands: BTreeSet<Id> = defaults.demand(&inherited).into_iter().collect();
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
        let (defaults, inherited) = above(&domain);
        let locks = if entry.value.settings == Settings::default() {
            Arc::clone(inherited)
        } else {
            let own = defaults.merge(problems, context, &entry.value.settings);
            let locks = own.locks(cap, sources);
            demands.extend(own.demand(&locks));
            locks
        };
        hosted.insert(domain, locks);
    }
    let aliases = add_aliases(problems, &mut hosted, aliases);
    Hosted { locks: hosted, aliases, demands }
}

/// How many hosted domains are compared with one that is not, which may be a slip.
const MOST_CANDIDATES: usize = 1000;

/// ‘did you mean `x`?’, where the name of a hosted domain is that near.
pub(super) fn nearest(
    problems: &Problems<'_>,
    hosted: &BTreeMap<Domain, Arc<Locks>>,
    domain: &Domain,
) -> Option<String> {
    let candidates = if problems.room() > 0 { MOST_CANDIDATES } else { 0 };
    let known: Vec<&str> = hosted.keys().take(candidates).map(Domain::as_str).collect();
    words::nearest(domain.as_str(), &known).map(|name| format!("did you mean `{name}`?"))
}

/// Gives every alias the locks of the domain that it follows, and says which that is.
fn add_aliases(
    problems: &mut Problems<'_>,
    hosted: &mut BTreeMap<Domain, Arc<Locks>>,
    aliases: Vec<(Domain, &At<String>)>,
) -> BTreeMap<Domain, Domain> {
    let mut follows = BTreeMap::new();
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
            hosted.insert(domain.clone(), locks);
            follows.insert(domain, target);
        } else if !problems.has_gap_in(&["domains"]) && !problems.has_gap_in(&["domains_from"]) {
            let hint = nearest(problems, hosted, &target);
            problems
                .error(text.node, format!("{target} is not a hosted domain"))
                .hint(hint.unwrap_or_else(|| "add it to `domains`".to_owned()));
        }
    }
    follows
}
