//! What a good configuration amounts to, for its author to compare with what was meant.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::sync::Arc;

use ipnet::IpNet;

use super::{Address, Config, Listener, Profile};
use crate::check::exception::{Exception, Pattern};
use crate::check::spf::{Action, Actions, Record, Settings};
use crate::check::{Forwarder, Locks, Mode};
use crate::mail::Domain;
use crate::mail::spf::SpfResult;
use crate::session::Role;

/// What will be enforced, a few lines for each policy.
pub fn summary(config: &Config) -> String {
    let policy = &config.policy;
    let mut rows = vec![(
        "mode",
        format!("{}, profile {}", policy.mode.as_str(), word(&Profile::NAMES, config.profile)),
    )];
    let sockets: Vec<String> = config.listeners.iter().map(|listener| listener.address.to_string()).collect();
    let width = sockets.iter().map(String::len).max().unwrap_or_default();
    for (listener, socket) in config.listeners.iter().zip(sockets) {
        let role = word(&Role::NAMES, listener.role);
        rows.push(("listen", format!("{socket:width$}  {role:10}  {}", access(listener))));
    }
    rows.push(("trusted", networks(&policy.trusted_networks)));
    if !policy.site.trusted_forwarders.is_empty() {
        rows.push(("forwarders", list(policy.site.trusted_forwarders.iter().map(forwarder))));
    }
    let policies = distinct(&policy.hosted);
    let differing = if policies.len() > 1 { format!(", {} policies", policies.len()) } else { String::new() };
    rows.push(("domains", format!("{} hosted{differing}", policy.hosted.len())));
    let mut text = columns("", &rows);
    for (locks, domains) in policies.iter().take(MOST_POLICIES) {
        text.push('\n');
        text += &list(domains);
        text.push('\n');
        text += &columns("  ", &describe(locks));
    }
    if policies.len() > MOST_POLICIES {
        let _ = write!(text, "\nand {} more policies\n", policies.len() - MOST_POLICIES);
    }
    text
}

/// How many policies and how many items of a list are shown.
const MOST_POLICIES: usize = 20;
const MOST_ITEMS: usize = 4;

/// The different policies, each with its domains; those with most domains first.
fn distinct(hosted: &BTreeMap<Domain, Arc<Locks>>) -> Vec<(&Locks, Vec<&Domain>)> {
    let mut policies: Vec<(&Locks, Vec<&Domain>)> = Vec::new();
    for (domain, locks) in hosted {
        // Comparing pointers is enough for nearly all domains: they share what `defaults` gives them.
        let same = |known: &&Locks| std::ptr::eq(*known, locks.as_ref()) || **known == **locks;
        match policies.iter_mut().find(|(known, _)| same(known)) {
            Some((_, domains)) => domains.push(domain),
            None => policies.push((locks, vec![domain])),
        }
    }
    policies.sort_by_key(|(_, domains)| std::cmp::Reverse(domains.len()));
    policies
}

fn describe(locks: &Locks) -> Vec<(&'static str, String)> {
    let mode = locks.spf.mode;
    let mut rows: Vec<(&str, String)> = Vec::new();
    for (at, line) in spf(mode, &locks.spf.settings).into_iter().enumerate() {
        rows.push(("spf", format!("{:8} {line}", if at == 0 { mode.as_str() } else { "" })));
    }
    rows.extend(
        locks.exceptions.iter().take(MOST_ITEMS).map(|exception| ("except", describe_exception(exception))),
    );
    if locks.exceptions.len() > MOST_ITEMS {
        rows.push(("except", format!("and {} more", locks.exceptions.len() - MOST_ITEMS)));
    }
    rows
}

fn spf(mode: Mode, settings: &Settings) -> Vec<String> {
    if mode == Mode::Off {
        return vec!["not examined".to_owned()];
    }
    let mut lines = vec![
        format!("MAIL FROM: {}", actions(settings.mail_from)),
        format!("HELO: {}", actions(settings.helo)),
    ];
    if settings.reject_no_mail_domains {
        lines.push("reject domains that send no mail".to_owned());
    }
    if !settings.reject_not_pass.is_empty() {
        lines.push(format!("reject softfail and neutral of {}", list(&settings.reject_not_pass)));
    }
    lines.push(match settings.headers.as_slice() {
        [] => "record nothing".to_owned(),
        headers => format!("record in {}", list(headers.iter().map(|header| word(&Record::NAMES, *header)))),
    });
    if !settings.delete_incoming {
        lines.push("keep incoming fields that claim to be ours".to_owned());
    }
    lines
}

fn actions(actions: Actions) -> String {
    let mut parts = Vec::new();
    for (name, action) in Action::NAMES.into_iter().rev().filter(|(_, action)| *action != Action::Accept) {
        let results: Vec<&str> = SpfResult::ALL
            .into_iter()
            .filter(|result| actions.of(*result) == action)
            .map(SpfResult::as_str)
            .collect();
        if !results.is_empty() {
            parts.push(format!("{name} {}", results.join(", ")));
        }
    }
    if parts.is_empty() { "accept all".to_owned() } else { parts.join(", ") }
}

fn describe_exception(exception: &Exception) -> String {
    let pattern = |pattern: &Pattern| match pattern {
        Pattern::Mailbox(mailbox) => mailbox.to_string(),
        Pattern::Domain(domain) => format!("@{domain}"),
        Pattern::Null => "<>".to_owned(),
    };
    let parts = [
        Some(exception.lock.map_or("all locks", |lock| lock.as_str()).to_owned()),
        exception.sender.as_ref().map(|sender| format!("sender {}", pattern(sender))),
        exception.network.map(|network| format!("network {}", shown_network(&network))),
        exception.recipient.as_ref().map(|recipient| format!("recipient {}", pattern(recipient))),
        exception.login.as_ref().map(|login| format!("login {login}")),
        exception.until.map(|until| format!("until {until}")),
        exception.note.as_ref().map(|note| format!("({note})")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn access(listener: &Listener) -> String {
    match &listener.address {
        Address::Inet(_) => format!("from {}", networks(&listener.allowed_peers)),
        Address::Unix { permissions, group: Some(group), .. } => format!("{permissions:04o}, group {group}"),
        Address::Unix { permissions, group: None, .. } => format!("{permissions:04o}"),
    }
}

fn forwarder(forwarder: &Forwarder) -> String {
    match forwarder {
        Forwarder::Network(network) => shown_network(network),
        Forwarder::Spf(domain) => format!("spf:{domain}"),
    }
}

fn networks(networks: &[IpNet]) -> String {
    list(networks.iter().map(shown_network))
}

/// A network, or the address where it is a single one.
fn shown_network(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

/// The word for a value.
fn word<T: Copy + PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, known)| *known == value).map_or("", |(name, _)| name)
}

/// The first few items and the number of the others.
fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut items = items.into_iter();
    let shown: Vec<String> = items.by_ref().take(MOST_ITEMS).map(|item| item.to_string()).collect();
    let more = items.count();
    match (shown.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Names on the left, each once for a run of equal ones; what they stand for on the right.
fn columns(indent: &str, rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut text = String::new();
    let mut last = "";
    for (name, value) in rows {
        let shown = if *name == last { "" } else { *name };
        let _ = writeln!(text, "{indent}{shown:width$}  {value}");
        last = name;
    }
    text
}
