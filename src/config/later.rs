//! What the configuration knows and this version does not do yet. Each later version shortens the list.

/// Settings, by their path; what holds for `defaults` holds for every domain.
pub(super) const SETTINGS: &[&str] = &["shared"];

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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::show::Shown;
    use super::super::yaml::{Node, Tree};
    use super::super::{Host, Report, domains, parse};
    use super::*;
    use crate::mta::postfix::main_cf::MainCf;

    /// Every setting that this version has.
    const ACCEPTED: &[&str] = &[
        "authserv_id",
        "control",
        "defaults",
        "defaults.addresses",
        "defaults.addresses.case_sensitive",
        "defaults.addresses.subaddress_delimiters",
        "defaults.auth_match",
        "defaults.auth_match.header_from",
        "defaults.auth_match.mail_from",
        "defaults.auth_match.malformed_from",
        "defaults.auth_match.mode",
        "defaults.auth_match.resent",
        "defaults.auth_match.sender",
        "defaults.auth_match.subdomains",
        "defaults.auto_responders",
        "defaults.auto_responders.header",
        "defaults.auto_responders.header_exempt",
        "defaults.auto_responders.mode",
        "defaults.auto_responders.policy",
        "defaults.auto_responders.unknown",
        "defaults.bounces",
        "defaults.bounces.at_source",
        "defaults.bounces.mode",
        "defaults.bounces.policy",
        "defaults.bounces.unknown",
        "defaults.exceptions",
        "defaults.mode",
        "defaults.recipients",
        "defaults.recipients.accept_patterns",
        "defaults.recipients.catch_all",
        "defaults.recipients.mode",
        "defaults.recipients.on_error",
        "defaults.recipients.soft_until",
        "defaults.recipients.sources",
        "defaults.require_auth",
        "defaults.require_auth.header_from",
        "defaults.require_auth.lists",
        "defaults.require_auth.mail_from",
        "defaults.require_auth.mode",
        "defaults.require_auth.unless_spf_pass",
        "defaults.spf",
        "defaults.spf.delete_incoming",
        "defaults.spf.explanation",
        "defaults.spf.headers",
        "defaults.spf.helo",
        "defaults.spf.helo.fail",
        "defaults.spf.helo.neutral",
        "defaults.spf.helo.none",
        "defaults.spf.helo.permerror",
        "defaults.spf.helo.softfail",
        "defaults.spf.helo.temperror",
        "defaults.spf.mail_from",
        "defaults.spf.mail_from.fail",
        "defaults.spf.mail_from.neutral",
        "defaults.spf.mail_from.none",
        "defaults.spf.mail_from.permerror",
        "defaults.spf.mail_from.softfail",
        "defaults.spf.mail_from.temperror",
        "defaults.spf.mode",
        "defaults.spf.no_mail_domains",
        "defaults.spf.reject_not_pass",
        "dns",
        "dns.attempts",
        "dns.cache_entries",
        "dns.case_randomization",
        "dns.failure_ttl",
        "dns.servers",
        "dns.timeout",
        "domains_from",
        "harvest",
        "harvest.block",
        "harvest.block_max",
        "harvest.exempt_networks",
        "harvest.good_ratio",
        "harvest.memory_entries",
        "harvest.mode",
        "harvest.network_threshold",
        "harvest.threshold",
        "harvest.window",
        "identities",
        "identities.exempt_logins",
        "identities.login_domain",
        "identities.sources",
        "ledger",
        "ledger.commit_interval",
        "ledger.path",
        "ledger.retention",
        "limits",
        "limits.connections",
        "limits.connections_per_peer",
        "limits.decision_time",
        "limits.drain_time",
        "limits.frame_time",
        "limits.idle_time",
        "limits.spf_lookups",
        "limits.spf_void_lookups",
        "listen",
        "locked",
        "log",
        "log.format",
        "log.level",
        "log.target",
        "metrics",
        "metrics.listen",
        "mode",
        "profile",
        "relay",
        "trusted_authserv_ids",
        "trusted_forwarders",
        "trusted_networks",
    ];

    fn read(text: &str) -> Report {
        let host = Host {
            name: "mx.example.org".to_owned(),
            today: jiff::civil::date(2026, 6, 1),
            has_group: |_| true,
            main_cf: MainCf::absent,
        };
        match parse("test.yaml", text, &host, Path::new("")) {
            Ok((_, report)) | Err(report) => report,
        }
    }

    /// A configuration that sets one setting to `value`.
    fn setting(path: &str, value: &str) -> String {
        path.rsplit('.').fold(value.to_owned(), |inner, key| format!("{{ {key}: {inner} }}"))
    }

    /// Whether it is said that something comes later.
    fn is_refused(text: &str) -> bool {
        read(text).problems.iter().any(|problem| problem.hint.as_deref() == Some(HINT))
    }

    #[test]
    fn what_comes_later_is_not_accepted_yet() {
        for path in SETTINGS {
            assert!(is_refused(&setting(path, "~")), "{path}");
        }
        assert!(is_refused("shared: redis://valkey.example.org"));
    }

    #[test]
    fn what_is_accepted_is_known() {
        let unknown = |text: &str| {
            read(text).problems.iter().any(|problem| problem.message.starts_with("there is no setting"))
        };
        for path in ACCEPTED {
            assert!(!unknown(&setting(path, "~")), "{path}");
        }
        for name in domains::settings() {
            assert!(ACCEPTED.contains(&format!("defaults.{name}").as_str()), "{name}");
        }
    }

    #[test]
    fn what_is_accepted_is_shown() {
        let host = Host {
            name: "mx.example.org".to_owned(),
            today: jiff::civil::date(2026, 6, 1),
            has_group: |_| true,
            main_cf: MainCf::absent,
        };
        let shown = Shown::parse("test.yaml", "listen: ['inet:127.0.0.1:1']", &host, Path::new("")).unwrap();
        let shown: Vec<String> = shown.settings().into_iter().map(|setting| setting.name).collect();
        let is_shown =
            |path: &str| shown.iter().any(|name| name == path || name.starts_with(&format!("{path}.")));
        let missing: Vec<&&str> = ACCEPTED.iter().filter(|path| !is_shown(path)).collect();
        assert_eq!(missing, Vec::<&&str>::new(), "`config show` lacks them");
        let strange: Vec<&String> = shown.iter().filter(|name| !ACCEPTED.contains(&name.as_str())).collect();
        assert_eq!(strange, Vec::<&String>::new(), "`config show` has them, and they are no settings");
    }

    /// Every path of keys in a document, apart from what is inside lists, domains and settings that come later.
    fn paths(tree: &Tree<'_>, map: usize, above: &[&str], found: &mut Vec<String>) {
        let Node::Map(pairs) = tree.node(map) else { return };
        for &(key, value) in pairs {
            let Node::Text(key) = tree.node(key) else { continue };
            let path: Vec<&str> = above.iter().copied().chain([key.as_ref()]).collect();
            if path != ["domains"] {
                found.push(path.join("."));
                if !is_later(&path) {
                    paths(tree, value, &path, found);
                }
            }
        }
    }

    #[test]
    fn the_reference_is_accepted_or_comes_later() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/config-reference.yaml");
        let Ok(text) = std::fs::read_to_string(&file) else {
            eprintln!("SKIPPED: {} is not there", file.display());
            return;
        };
        let mut found = Vec::new();
        paths(&Tree::read(&text).unwrap(), 0, &[], &mut found);
        found.sort_unstable();
        // It says of all locks at once that they take `mode`.
        let of_lock = |path: &str| path.strip_prefix("defaults.").is_some_and(|lock| lock.contains(".mode"));
        let listed = ACCEPTED.iter().chain(SETTINGS).filter(|path| !of_lock(path));
        let mut expected: Vec<&str> = listed.copied().collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
        // Beside the defaults it has examples: a domain with `auth_match` by address, which takes an identity source.
        let text = text.replace("exempt_logins: []", "exempt_logins: [relay]");
        for problem in read(&text).problems {
            assert_eq!(problem.hint.as_deref(), Some(HINT), "{problem:?}");
        }
    }
}
