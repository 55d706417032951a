//! The values of a policy as one would write them. The structures are taken apart whole, so that none is forgotten.

use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::super::inherited::Inherited;
use super::super::summary::{shown_network, word};
use super::super::value::Shown;
use super::super::yaml::{Id, Node, Tree};
use super::super::{Config, Ledger, Limits, Log, LogFormat, LogLevel, LogTarget, Profile};
use crate::check::addresses::Addresses;
use crate::check::auth_match::{self, Axis};
use crate::check::recipients::{self, CatchAll};
use crate::check::require_auth::{self, Lists};
use crate::check::responses::{AutoSettings, BounceSettings, Policy, Suppress, Unknown};
use crate::check::spf::{self, Action, Actions, Record};
use crate::check::{Locks, Mode, Site};
use crate::clients::dns;
use crate::memory::harvest::Settings as Harvest;

/// How a value is shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    /// This is it.
    Value(Value),
    /// As the file has it; this is it where the file has nothing.
    AsWritten(Value),
}

/// Names and values, in the order of the manual.
pub(super) type Values = Vec<(&'static str, Form)>;

fn value(value: impl Into<Value>) -> Form {
    Form::Value(value.into())
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> Form {
    Form::Value(items.into_iter().map(|item| item.to_string()).collect())
}

fn optional(item: Option<impl ToString>) -> Form {
    Form::Value(item.map(|item| item.to_string()).into())
}

fn duration(duration: Duration) -> Form {
    value(Shown(duration).to_string())
}

fn path(path: &Path) -> Form {
    value(path.display().to_string())
}

fn choice(choice: bool, [no, yes]: [&str; 2]) -> Form {
    value(if choice { yes } else { no })
}

fn none() -> Form {
    Form::AsWritten(json!([]))
}

/// The settings of the host.
pub(super) fn of_host(config: &Config) -> Values {
    let Config {
        policy,
        profile,
        listeners: _,
        control,
        harvest,
        dns,
        limits,
        metrics,
        log,
        ledger,
        identities: _,
        recipients: _,
        files: _,
    } = config;
    let Site {
        authserv_id,
        host_name: _,
        trusted_authserv_ids,
        trusted_networks,
        trusted_forwarders: _,
        aliases: _,
        login_domain,
        exempt_logins,
        hosted: _,
        harvest_exempt: _,
        harvest_exceptions: _,
    } = &policy.site;
    let trusted_networks = trusted_networks.iter().map(shown_network).collect();
    let mut values = vec![
        ("mode", value(policy.mode.as_str())),
        ("listen", none()),
        ("control", control.as_deref().map_or(value(Value::Null), path)),
        ("authserv_id", optional(authserv_id.as_ref())),
        ("trusted_authserv_ids", list(trusted_authserv_ids)),
        ("trusted_networks", Form::AsWritten(trusted_networks)),
        ("trusted_forwarders", none()),
    ];
    values.extend(of_dns(dns));
    values.extend(of_limits(limits));
    values.extend([
        ("profile", value(word(&Profile::NAMES, *profile))),
        ("relay", Form::AsWritten(if profile.denies_relay() { "deny" } else { "off" }.into())),
        ("domains_from", none()),
        ("locked", none()),
    ]);
    values.extend(of_harvest(policy.defaults.harvest, harvest));
    values.extend([
        ("identities.login_domain", optional(login_domain.as_ref())),
        ("identities.sources", none()),
        ("identities.exempt_logins", list(exempt_logins)),
    ]);
    values.extend(of_ledger(ledger));
    values.push(("metrics.listen", optional(metrics.listen.as_ref())));
    values.extend(of_log(*log));
    values
}

fn of_dns(settings: &dns::Settings) -> Values {
    let dns::Settings { servers, timeout, attempts, cache_entries, failure_ttl, case_randomization } =
        settings;
    vec![
        ("dns.servers", list(servers)),
        ("dns.timeout", duration(*timeout)),
        ("dns.attempts", value(*attempts)),
        ("dns.cache_entries", value(*cache_entries)),
        ("dns.failure_ttl", duration(*failure_ttl)),
        ("dns.case_randomization", value(*case_randomization)),
    ]
}

fn of_limits(limits: &Limits) -> Values {
    let Limits {
        connections,
        connections_per_peer,
        decision_time,
        idle_time,
        frame_time,
        drain_time,
        spf_lookups,
        spf_void_lookups,
    } = limits;
    vec![
        ("limits.connections", value(*connections)),
        ("limits.connections_per_peer", value(*connections_per_peer)),
        ("limits.decision_time", duration(*decision_time)),
        ("limits.idle_time", duration(*idle_time)),
        ("limits.frame_time", duration(*frame_time)),
        ("limits.drain_time", duration(*drain_time)),
        ("limits.spf_lookups", value(*spf_lookups)),
        ("limits.spf_void_lookups", value(*spf_void_lookups)),
    ]
}

fn of_harvest(mode: Mode, settings: &Harvest) -> Values {
    let Harvest {
        enforced: _,
        window,
        threshold,
        network_threshold,
        good_ratio,
        block,
        block_max,
        exempt,
        forwarders: _,
        memory_entries,
    } = settings;
    vec![
        ("harvest.mode", value(mode.as_str())),
        ("harvest.window", duration(*window)),
        ("harvest.threshold", value(*threshold)),
        ("harvest.network_threshold", value(*network_threshold)),
        ("harvest.good_ratio", value(*good_ratio)),
        ("harvest.block", duration(*block)),
        ("harvest.block_max", duration(*block_max)),
        ("harvest.exempt_networks", list(exempt.iter().map(|network: &IpNet| shown_network(network)))),
        ("harvest.memory_entries", value(*memory_entries)),
    ]
}

fn of_ledger(ledger: &Ledger) -> Values {
    let Ledger { path: file, retention, commit_interval } = ledger;
    vec![
        ("ledger.path", path(file)),
        ("ledger.retention", duration(*retention)),
        ("ledger.commit_interval", duration(*commit_interval)),
    ]
}

fn of_log(log: Log) -> Values {
    let Log { format, level, target } = log;
    vec![
        ("log.format", value(word(&LogFormat::NAMES, format))),
        ("log.level", value(word(&LogLevel::NAMES, level))),
        ("log.target", value(word(&LogTarget::NAMES, target))),
    ]
}

/// The settings of a domain, or of `defaults`. What `mode` alone says is not in the policy: only what comes of it.
pub(super) fn of_locks(locks: &Locks) -> Values {
    let Locks {
        addresses,
        harvest: _,
        require_auth,
        auth_match,
        relay: _,
        recipients,
        spf,
        auto_responders,
        bounces,
        exceptions: _,
    } = locks;
    let Addresses { subaddress_delimiters, case_sensitive } = addresses;
    let mut values = vec![
        ("mode", value(Value::Null)),
        ("addresses.subaddress_delimiters", value(subaddress_delimiters.as_str())),
        ("addresses.case_sensitive", value(*case_sensitive)),
    ];
    let mode = |mode: Mode| value(mode.as_str());
    values.push(("recipients.mode", mode(recipients.mode)));
    values.extend(of_recipients(&recipients.settings));
    values.push(("require_auth.mode", mode(require_auth.mode)));
    values.extend(of_require_auth(&require_auth.settings));
    values.push(("auth_match.mode", mode(auth_match.mode)));
    values.extend(of_auth_match(&auth_match.settings));
    values.push(("spf.mode", mode(spf.mode)));
    values.extend(of_spf(&spf.settings));
    values.push(("auto_responders.mode", mode(auto_responders.mode)));
    values.extend(of_auto_responders(&auto_responders.settings));
    values.push(("bounces.mode", mode(bounces.mode)));
    values.extend(of_bounces(&bounces.settings));
    values.push(("exceptions", none()));
    values
}

/// What a profile has for domains, before any of them says where its recipients are.
pub(super) fn of_profile(profile: Profile) -> Values {
    of_locks(&Inherited::from_profile(profile, None).locks(Mode::Enforce, &mut Vec::new()))
}

fn of_recipients(settings: &recipients::Settings) -> Values {
    let recipients::Settings { sources: _, catch_all, soft_until, accept_patterns, accept_on_error } =
        settings;
    vec![
        ("recipients.sources", none()),
        ("recipients.catch_all", value(word(&CatchAll::NAMES, *catch_all))),
        ("recipients.soft_until", optional(soft_until.as_ref())),
        ("recipients.accept_patterns", list(accept_patterns)),
        ("recipients.on_error", choice(*accept_on_error, ["defer", "accept"])),
    ]
}

fn of_require_auth(settings: &require_auth::Settings) -> Values {
    let require_auth::Settings { mail_from, header_from, unless_spf_pass, lists } = settings;
    vec![
        ("require_auth.mail_from", choice(*mail_from, ["off", "reject"])),
        ("require_auth.header_from", choice(*header_from, ["off", "reject"])),
        ("require_auth.unless_spf_pass", value(*unless_spf_pass)),
        ("require_auth.lists", of_lists(lists)),
    ]
}

fn of_lists(lists: &Lists) -> Form {
    match lists {
        Lists::Reject => value("reject"),
        Lists::Posted => value("accept"),
        Lists::Named(domains) => list(domains),
    }
}

fn of_auth_match(settings: &auth_match::Settings) -> Values {
    let auth_match::Settings {
        mail_from,
        header_from,
        sender,
        subdomains,
        reject_malformed_from,
        check_resent,
    } = settings;
    vec![
        ("auth_match.mail_from", value(word(&Axis::NAMES, *mail_from))),
        ("auth_match.header_from", value(word(&Axis::NAMES, *header_from))),
        ("auth_match.sender", value(word(&Axis::NAMES, *sender))),
        ("auth_match.subdomains", value(*subdomains)),
        ("auth_match.malformed_from", choice(*reject_malformed_from, ["accept", "reject"])),
        ("auth_match.resent", choice(*check_resent, ["ignore", "check"])),
    ]
}

fn of_spf(settings: &spf::Settings) -> Values {
    let spf::Settings {
        helo,
        mail_from,
        reject_not_pass,
        reject_no_mail_domains,
        headers,
        delete_incoming,
        explanation,
    } = settings;
    let action = |action: Action| value(word(&Action::NAMES, action));
    let Actions { fail, softfail, neutral, none, temperror, permerror } = *helo;
    let mut values = vec![
        ("spf.helo.fail", action(fail)),
        ("spf.helo.softfail", action(softfail)),
        ("spf.helo.neutral", action(neutral)),
        ("spf.helo.none", action(none)),
        ("spf.helo.temperror", action(temperror)),
        ("spf.helo.permerror", action(permerror)),
    ];
    let Actions { fail, softfail, neutral, none, temperror, permerror } = *mail_from;
    values.extend([
        ("spf.mail_from.fail", action(fail)),
        ("spf.mail_from.softfail", action(softfail)),
        ("spf.mail_from.neutral", action(neutral)),
        ("spf.mail_from.none", action(none)),
        ("spf.mail_from.temperror", action(temperror)),
        ("spf.mail_from.permerror", action(permerror)),
        ("spf.reject_not_pass", list(reject_not_pass)),
        ("spf.no_mail_domains", choice(*reject_no_mail_domains, ["accept", "reject"])),
        ("spf.headers", list(headers.iter().map(|header| word(&Record::NAMES, *header)))),
        ("spf.delete_incoming", value(*delete_incoming)),
        ("spf.explanation", value(*explanation)),
    ]);
    values
}

fn of_auto_responders(settings: &AutoSettings) -> Values {
    let AutoSettings { policy, unknown, header, header_exempt } = settings;
    vec![
        ("auto_responders.policy", value(word(&Policy::NAMES, *policy))),
        ("auto_responders.unknown", value(word(&Unknown::NAMES, *unknown))),
        ("auto_responders.header", value(word(&Suppress::NAMES, *header))),
        ("auto_responders.header_exempt", list(header_exempt)),
    ]
}

fn of_bounces(settings: &BounceSettings) -> Values {
    let BounceSettings { policy, unknown, notifies_never } = settings;
    vec![
        ("bounces.policy", value(word(&Policy::NAMES, *policy))),
        ("bounces.unknown", value(word(&Unknown::NAMES, *unknown))),
        ("bounces.at_source", choice(*notifies_never, ["off", "notify_never"])),
    ]
}

/// The value of a node.
pub(super) fn as_written(tree: &Tree<'_>, node: Id) -> Value {
    match tree.node(node) {
        Node::Null => Value::Null,
        Node::Bool(value) => (*value).into(),
        Node::Integer(value) => i64::try_from(*value).map_or_else(|_| value.to_string().into(), Value::from),
        Node::Float(value) => (*value).into(),
        Node::Text(text) => without_password(text).into(),
        Node::List(items) => items.iter().map(|&item| as_written(tree, item)).collect(),
        Node::Map(pairs) => {
            let keys = pairs.iter().filter_map(|&(key, value)| match tree.node(key) {
                Node::Text(key) => Some((key.to_string(), as_written(tree, value))),
                _ => None,
            });
            Value::Object(keys.collect::<Map<_, _>>())
        }
    }
}

/// The texts of a list.
pub(super) fn texts(tree: &Tree<'_>, node: Id) -> Vec<String> {
    match as_written(tree, node) {
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// A URL without the password that it may have (RFC 3986, 3.2.1), whatever signs that is made of; any other text as it
/// is.
fn without_password(text: &str) -> String {
    let hidden = || {
        let (scheme, rest) = text.split_once("://")?;
        let (user, host) = rest.rsplit_once('@')?;
        let (name, _) = user.split_once(':')?;
        Some(format!("{scheme}://{name}@{host}"))
    };
    hidden().unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_left_out() {
        for (text, shown) in [
            ("redis://a:secret@host:6379/0", "redis://a@host:6379/0"),
            ("redis://:s@cr/et@host", "redis://@host"),
            ("redis://:secret@host", "redis://@host"),
            ("postgres://milter@db/mail", "postgres://milter@db/mail"),
            ("hash:/etc/postfix/virtual", "hash:/etc/postfix/virtual"),
        ] {
            assert_eq!(without_password(text), shown);
        }
    }
}
