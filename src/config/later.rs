//! What the configuration knows and this version does not do yet. Each later version shortens the list.

/// Settings, by their path; what holds for `defaults` holds for every domain.
pub(super) const SETTINGS: &[&str] = &[
    "control",
    "defaults.addresses",
    "defaults.auth_match",
    "defaults.auto_responders",
    "defaults.bounces",
    "defaults.recipients",
    "defaults.require_auth",
    "harvest",
    "identities",
    "ledger",
    "metrics",
    "relay",
    "shared",
];

/// Values of settings that are there.
pub(super) const VALUES: &[(&str, &str)] =
    &[("domains_from", "postfix"), ("log.target", "journald"), ("trusted_networks", "postfix")];

/// What is said about them.
pub(super) const HINT: &str = "not in this version; remove it";

/// Whether a setting comes later. `path` leads to it from the top of the file.
pub(super) fn is_later(path: &[&str]) -> bool {
    let path = match path {
        ["domains", _, rest @ ..] => ["defaults"].iter().chain(rest).copied().collect::<Vec<_>>().join("."),
        path => path.join("."),
    };
    SETTINGS.contains(&path.as_str())
}

/// Whether a lock, by its name in `locked` or in an exception, comes later.
pub(super) fn is_later_lock(name: &str) -> bool {
    let lock = name.split('.').next().unwrap_or(name);
    is_later(&["defaults", lock]) || is_later(&[lock])
}

/// Whether a value of a setting comes later.
pub(super) fn is_later_value(setting: &str, value: &str) -> bool {
    VALUES.contains(&(setting, value))
}
