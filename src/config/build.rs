//! From the configuration as written to the configuration as meant. The only way between the two.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::diagnostic::quoted;
use super::domains::{self, Hosted, Locked};
use super::inherited::{self, Inherited};
use super::problems::{Problems, Spot};
use super::written::{self, At, TextOr, Written};
use super::{
    Config, Context, Host, Limits, Log, LogFormat, LogLevel, LogTarget, Profile, answers, domain_file,
    listen, postfix, value, words,
};
use crate::check::exception::Exception;
use crate::check::{CheckId, Forwarder, Locks, Mode, Site};
use crate::clients::dns;
use crate::facts::Cost;
use crate::memory::harvest;
use crate::policy::Policy;
use crate::sources::identities::SourceSettings as IdentitySource;

/// What the configuration means. Everything that is wrong goes to `problems`; where something is, the result is of no
/// use. Relative paths in it begin at `base`.
pub(super) fn build(problems: &mut Problems<'_>, host: &Host, base: &Path, written: &Written) -> Config {
    let listeners = listen::build(problems, host, written.listen.as_deref());
    let control = written.control.as_ref().and_then(|path| listen::control(problems, &listeners, path));
    let metrics = written.metrics.build(problems, &listeners);
    let trusted_networks = match &written.trusted_networks {
        Some(list) => list.iter().flat_map(|text| trusted_networks(problems, host, text)).collect(),
        None => listen::loopback(),
    };
    let cap = written.mode.as_ref().and_then(|word| inherited::mode(problems, word)).unwrap_or(Mode::Enforce);
    let profile = written
        .profile
        .as_ref()
        .and_then(|word| words::meaning(problems, word, "a profile", &Profile::NAMES))
        .unwrap_or(Profile::Standard);
    let context = Context { host, base };
    let mut recipients = Vec::new();
    let defaults = defaults(problems, context, profile, written);
    let trusted_forwarders = forwarders(problems, &written.trusted_forwarders);
    let harvest = harvest::Settings {
        forwarders: trusted_forwarders.iter().filter_map(Forwarder::network).collect(),
        ..written.harvest.build(problems, defaults.harvest(cap))
    };
    let locked = Locked::build(problems, &written.locked);
    let listed = domain_file::build(problems, context, &written.domains_from);
    let files = listed.files.clone();
    let Hosted { locks: hosted, aliases, demands } = domains::build(
        problems,
        context,
        cap,
        &defaults,
        &locked,
        (&written.domains, listed),
        &mut recipients,
    );
    let defaults = defaults.locks(cap, &mut recipients);
    let site = Site {
        authserv_id: written.authserv_id.as_ref().and_then(|text| value::authserv_id(problems, text)),
        host_name: host.name.clone(),
        trusted_authserv_ids: written
            .trusted_authserv_ids
            .iter()
            .filter_map(|text| value::authserv_id(problems, text))
            .collect(),
        trusted_networks,
        trusted_forwarders,
        aliases,
        login_domain: written.identities.login_domain(problems),
        exempt_logins: written.identities.exempt_logins(problems),
        hosted: hosted.keys().cloned().collect(),
        harvest_exempt: harvest.exempt.clone(),
        harvest_exceptions: lifting_blocks(hosted.values().chain([&defaults])),
    };
    let identities = written.identities.sources(problems, context);
    let policy = Policy {
        mode: cap,
        site,
        hosted,
        defaults,
        grants: identities.iter().map(IdentitySource::cost).max().unwrap_or(Cost::Memory),
    };
    let limits = limits(problems, &written.limits);
    let config = Config {
        policy,
        profile,
        listeners,
        control,
        harvest,
        dns: dns(problems, &written.dns, limits.decision_time),
        limits,
        log: log(problems, &written.log),
        ledger: written.ledger.build(problems, base),
        metrics,
        identities,
        recipients,
        files,
    };
    written.identities.check(problems, &config.policy, &demands);
    check_hosted(problems, &config.policy);
    answers::check(problems, &config.policy, &config.listeners);
    config
}

/// The exceptions that may lift a block, each once.
fn lifting_blocks<'a>(all: impl Iterator<Item = &'a Arc<Locks>>) -> Vec<Exception> {
    let mut lifting: Vec<Exception> = Vec::new();
    for exception in all.flat_map(|locks| &locks.exceptions) {
        if exception.may_lift(CheckId::Harvest) && !lifting.contains(exception) {
            lifting.push(exception.clone());
        }
    }
    lifting
}

/// What `defaults` holds, and with it what domains inherit.
fn defaults(
    problems: &mut Problems<'_>,
    context: Context<'_>,
    profile: Profile,
    written: &Written,
) -> Inherited {
    let word = written.profile.as_ref().map(|word| word.node);
    let defaults = Inherited::from_profile(profile, word).merge(problems, context, &written.defaults);
    let harvest = written.harvest.mode(problems, profile, defaults.mode());
    let defaults = defaults.with_harvest(harvest);
    let relay = words::choice(problems, written.relay.as_ref(), &[("off", false), ("deny", true)]);
    if relay.unwrap_or(profile.denies_relay()) { defaults.denying_relay() } else { defaults }
}

fn check_hosted(problems: &mut Problems<'_>, policy: &Policy) {
    if !policy.hosted.is_empty() || problems.has_errors() {
        return;
    }
    let message = match policy.defaults.relay {
        Mode::Enforce => "no domain is hosted, so `relay: deny` refuses all mail from outside",
        Mode::Off | Mode::Monitor => "no domain is hosted, so there is nothing to protect",
    };
    problems
        .warning(Spot::Whole, message)
        .hint("name the domains that this host receives mail for in `domains`");
}

/// A network, or those of Postfix.
fn trusted_networks(problems: &mut Problems<'_>, host: &Host, text: &At<String>) -> Vec<IpNet> {
    if text.value == "postfix" {
        return postfix::networks(problems, host, text.node);
    }
    let network = value::network(problems, text);
    if network.is_some_and(|network| network.prefix_len() == 0) {
        problems
            .error(text.node, "this trusts everybody")
            .hint("name the networks whose clients need no login");
    }
    network.into_iter().collect()
}

fn forwarders(problems: &mut Problems<'_>, written: &[At<TextOr<written::Forwarder>>]) -> Vec<Forwarder> {
    let mut forwarders = Vec::new();
    for item in written {
        let forwarder = match &item.value {
            TextOr::Text(text) => {
                let text = At { node: item.node, value: text.clone() };
                value::network(problems, &text).map(Forwarder::Network)
            }
            TextOr::Map(written::Forwarder { spf: Some(domain) }) => {
                value::domain(problems, domain).map(Forwarder::Spf)
            }
            TextOr::Map(written::Forwarder { spf: None }) => {
                if !problems.has_gap(item.node) {
                    problems
                        .error(item.node, "this names no forwarder")
                        .hint("write a network, or `spf: DOMAIN`");
                }
                None
            }
        };
        forwarders.extend(forwarder);
    }
    forwarders
}

fn dns(problems: &mut Problems<'_>, written: &written::Dns, decision_time: Duration) -> dns::Settings {
    let dns = dns::Settings {
        servers: written.servers.iter().filter_map(|text| dns_server(problems, text)).collect(),
        timeout: value::positive_duration(problems, written.timeout.as_ref(), Duration::from_secs(2)),
        attempts: value::number(problems, written.attempts.as_ref(), 1..=10, 2),
        cache_entries: value::number(problems, written.cache_entries.as_ref(), 0..=100_000_000, 16_384),
        failure_ttl: value::duration(problems, written.failure_ttl.as_ref(), Duration::from_secs(20)),
        case_randomization: written.case_randomization.unwrap_or(false),
    };
    let longest = dns.patience();
    let culprit =
        written.timeout.as_ref().map(|text| text.node).or(written.attempts.as_ref().map(|at| at.node));
    if let Some(node) = culprit.filter(|_| longest > decision_time) {
        let message = format!(
            "one DNS query may take {} and a decision only {}",
            value::Shown(longest),
            value::Shown(decision_time)
        );
        problems.warning(node, message).hint("keep `timeout` times `attempts` below `limits.decision_time`");
    }
    dns
}

/// `127.0.0.1:53`, `[::1]:53`, or an address alone, which means port 53.
fn dns_server(problems: &mut Problems<'_>, text: &At<String>) -> Option<SocketAddr> {
    let port_53 = || text.value.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, 53));
    let server = text.value.parse().ok().or_else(port_53);
    if server.is_none() {
        problems
            .error(text.node, format!("{} is not the address of a server", quoted(&text.value)))
            .hint("write 127.0.0.1, 127.0.0.1:53 or [::1]:53");
    }
    server
}

fn limits(problems: &mut Problems<'_>, written: &written::Limits) -> Limits {
    let limits = Limits {
        connections: value::number(problems, written.connections.as_ref(), 1..=1_000_000, 1000),
        connections_per_peer: value::number(
            problems,
            written.connections_per_peer.as_ref(),
            0..=1_000_000,
            0,
        ),
        decision_time: value::positive_duration(
            problems,
            written.decision_time.as_ref(),
            Duration::from_secs(8),
        ),
        idle_time: value::positive_duration(problems, written.idle_time.as_ref(), Duration::from_hours(1)),
        frame_time: value::positive_duration(problems, written.frame_time.as_ref(), Duration::from_secs(30)),
        drain_time: value::duration(problems, written.drain_time.as_ref(), Duration::from_secs(20)),
        // RFC 7208, 4.6.4: ten terms that cause queries, and two void lookups, are what a domain may count on.
        spf_lookups: value::number(problems, written.spf_lookups.as_ref(), 1..=100, 10),
        spf_void_lookups: value::number(problems, written.spf_void_lookups.as_ref(), 0..=100, 2),
    };
    for (term, standard) in [(&written.spf_lookups, 10), (&written.spf_void_lookups, 2)] {
        if let Some(number) = term.as_ref().filter(|number| number.value > standard) {
            let message = format!("RFC 7208, 4.6.4 ends an evaluation after {standard}");
            problems.warning(number.node, message).hint("a record that needs more is permerror elsewhere");
        }
    }
    if let Some(text) = &written.decision_time {
        match limits.decision_time.as_secs() {
            30.. => {
                problems
                    .warning(text.node, "Postfix waits 30s for a milter, and then does without it")
                    .hint("stay well below milter_command_timeout");
            }
            10.. => {
                problems
                    .note(text.node, "Sendmail waits 10s for a milter unless told otherwise")
                    .hint("stay below its T=R: timeout if you use Sendmail");
            }
            _ => {}
        }
    }
    limits
}

fn log(problems: &mut Problems<'_>, written: &written::Log) -> Log {
    let format = written
        .format
        .as_ref()
        .and_then(|word| words::meaning(problems, word, "a log format", &LogFormat::NAMES));
    let level = written
        .level
        .as_ref()
        .and_then(|word| words::meaning(problems, word, "a log level", &LogLevel::NAMES));
    let target = written
        .target
        .as_ref()
        .and_then(|word| words::meaning(problems, word, "a log target", &LogTarget::NAMES));
    Log {
        format: format.unwrap_or(LogFormat::Logfmt),
        level: level.unwrap_or(LogLevel::Info),
        target: target.unwrap_or(LogTarget::Stderr),
    }
}
