//! What is different from a profile, and in which domains.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::super::Profile;
use super::values::{self, Form};
use super::{Setting, View};
use crate::check::{Locks, Mode};
use crate::mail::Domain;

/// Who has a setting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// The host.
    Host,
    /// `defaults`, which also judges for domains that are not hosted.
    Defaults,
    /// A hosted domain.
    Domain(Domain),
}

/// A setting that differs from what a profile has.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The setting as it is, without its line. Where several domains have it so, its origin is that of the first.
    pub setting: Setting,
    /// What it would be.
    pub would_be: Value,
    /// Who has it so; at least one.
    pub holders: Vec<Holder>,
}

/// All differences: those of the host, then those of most domains first.
pub(super) fn all(view: &View<'_>, profile: Profile) -> Vec<Difference> {
    let mut found = Vec::new();
    for setting in view.of_host() {
        let would_be: Value = match setting.name.as_str() {
            "mode" => Mode::Enforce.as_str().into(),
            "harvest.mode" => profile.harvest().as_str().into(),
            "relay" => if profile.denies_relay() { "deny" } else { "off" }.into(),
            _ => continue,
        };
        if setting.value != would_be {
            found.push(Difference { setting, would_be, holders: vec![Holder::Host] });
        }
    }
    let expected = expected(profile);
    let mut places: HashMap<(String, String, &str), usize> = HashMap::new();
    for (locks, domain, holders) in kinds(view) {
        for setting in view.of_locks(locks, domain) {
            let Some(would_be) = expected.get(setting.name.as_str()) else { continue };
            if setting.value == *would_be {
                continue;
            }
            // The same setting of several domains is one row.
            let key = (setting.name.clone(), setting.value.to_string(), setting.origin.as_str());
            let at = *places.entry(key).or_insert_with(|| {
                let would_be = would_be.clone();
                found.push(Difference { setting, would_be, holders: Vec::new() });
                found.len() - 1
            });
            found[at].holders.extend(holders.iter().cloned());
        }
    }
    for difference in &mut found {
        difference.holders.sort();
    }
    found
}

/// What the profile has for domains: everything but where recipients are looked up, of which no profile knows.
fn expected(profile: Profile) -> HashMap<&'static str, Value> {
    let enforced = || Value::from(Mode::Enforce.as_str());
    values::of_profile(profile)
        .into_iter()
        .filter(|(name, _)| *name != "recipients.sources")
        .map(|(name, form)| match form {
            _ if name.rsplit('.').next() == Some("mode") => (name, enforced()),
            Form::Value(value) | Form::AsWritten(value) => (name, value),
        })
        .collect()
}

/// The different kinds of domains, each with those that are of it, `defaults` among them. A domain that the file says
/// something about is of its own kind.
fn kinds<'v>(view: &'v View<'_>) -> Vec<(&'v Locks, Option<&'v Domain>, Vec<Holder>)> {
    let policy = &view.config.policy;
    let mut kinds = vec![(&*policy.defaults, None, vec![Holder::Defaults])];
    let mut known: HashMap<(*const Locks, Option<&Domain>), usize> = HashMap::new();
    let plain = policy.hosted.values().find(|locks| **locks == policy.defaults);
    known.extend(plain.map(|locks| ((Arc::as_ptr(locks), None), 0)));
    for (domain, locks) in &policy.hosted {
        let followed = policy.site.followed(domain);
        let own = view.entries.get(followed).map(|_| followed);
        let at = *known.entry((Arc::as_ptr(locks), own)).or_insert_with(|| {
            kinds.push((locks, Some(followed), Vec::new()));
            kinds.len() - 1
        });
        kinds[at].2.push(Holder::Domain(domain.clone()));
    }
    kinds
}
