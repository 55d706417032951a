//! What a good configuration amounts to, for its author to compare with what was meant.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{Display, Write as _};
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;

use super::diagnostic::visible;
use super::value::Shown;
use super::{Address, Config, Listener, MainCfLine, Profile, harvest, main_cf};
use crate::check::addresses::Addresses;
use crate::check::auth_match::{self, Axis};
use crate::check::exception::{Exception, Pattern};
use crate::check::recipients::{self, CatchAll};
use crate::check::require_auth::{self, Lists};
use crate::check::responses::{AutoSettings, BounceSettings, Policy, Suppress, Unknown};
use crate::check::spf::{self, Action, Actions, Record};
use crate::check::{Forwarder, Locks, Mode};
use crate::mail::Domain;
use crate::mail::spf::SpfResult;
use crate::session::Role;
use crate::sources::recipients::{CallAheadSettings, SourceSettings as RecipientSource};

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
    if let Some(path) = &config.control {
        rows.push(("control", path.display().to_string()));
    }
    if let Some(address) = config.metrics.listen {
        rows.push(("metrics", format!("http://{address}/metrics")));
    }
    rows.push(("trusted", networks(&policy.site.trusted_networks)));
    if !policy.site.trusted_forwarders.is_empty() {
        rows.push(("forwarders", list(policy.site.trusted_forwarders.iter().map(forwarder))));
    }
    rows.extend(logins(config));
    rows.extend(harvesting(config));
    if policy.defaults.relay != Mode::Off {
        rows.push((
            "relay",
            format!("{}, deny mail for domains that are not hosted", policy.defaults.relay.as_str()),
        ));
    }
    let policies = distinct(&policy.hosted);
    let differing = if policies.len() > 1 { format!(", {} policies", policies.len()) } else { String::new() };
    rows.push(("domains", format!("{} hosted{differing}", policy.hosted.len())));
    let mut text = columns("", &rows);
    for (locks, domains) in policies.iter().take(MOST_POLICIES) {
        text.push('\n');
        text += &list(domains);
        text.push('\n');
        text += &columns("  ", &describe(locks, &config.recipients));
    }
    if policies.len() > MOST_POLICIES {
        let _ = write!(text, "\nand {} more policies\n", policies.len() - MOST_POLICIES);
    }
    text += &leaving(config);
    text
}

/// What Postfix must be told so that answers can be judged when they leave, where any are.
fn leaving(config: &Config) -> String {
    let lines = main_cf(config);
    if lines.is_empty() {
        return String::new();
    }
    let mut text = "\nmain.cf of Postfix, for answers that leave\n".to_owned();
    for MainCfLine { text: line, gain, cost } in lines {
        let _ = write!(text, "  {line}\n    shows {gain}\n    costs: {cost}\n");
    }
    text
}

/// How many policies and how many items of a list are shown.
const MOST_POLICIES: usize = 20;
const MOST_ITEMS: usize = 4;

/// How much of a free text is shown, in characters.
const LONGEST_TEXT: usize = 80;

/// The different policies, each with its domains; those with most domains first.
fn distinct(hosted: &BTreeMap<Domain, Arc<Locks>>) -> Vec<(&Locks, Vec<&Domain>)> {
    let mut policies: Vec<(&Locks, Vec<&Domain>)> = Vec::new();
    let mut by_address: HashMap<*const Locks, usize> = HashMap::new();
    let mut by_content: HashMap<String, usize> = HashMap::new();
    for (domain, locks) in hosted {
        // Nearly all domains share what `defaults` gives them; only the others have to be compared.
        let index = *by_address.entry(Arc::as_ptr(locks)).or_insert_with(|| {
            *by_content.entry(format!("{locks:?}")).or_insert_with(|| {
                policies.push((locks, Vec::new()));
                policies.len() - 1
            })
        });
        policies[index].1.push(domain);
    }
    policies.sort_by_key(|(_, domains)| std::cmp::Reverse(domains.len()));
    policies
}

fn describe(locks: &Locks, sources: &[RecipientSource]) -> Vec<(&'static str, String)> {
    let mut rows: Vec<(&str, String)> =
        addresses(&locks.addresses).into_iter().map(|line| ("addresses", line)).collect();
    for (name, mode, lines) in [
        ("require_auth", locks.require_auth.mode, require_auth(&locks.require_auth.settings)),
        ("auth_match", locks.auth_match.mode, auth_match(&locks.auth_match.settings)),
        ("recipients", locks.recipients.mode, recipients(&locks.recipients.settings, sources)),
        ("spf", locks.spf.mode, spf(&locks.spf.settings)),
        ("auto_responders", locks.auto_responders.mode, auto_responders(&locks.auto_responders.settings)),
        ("bounces", locks.bounces.mode, bounces(&locks.bounces.settings)),
    ] {
        let lines = match mode {
            Mode::Off if name == "recipients" && locks.recipients.settings.sources.is_empty() => {
                vec!["no source says which there are".to_owned()]
            }
            Mode::Off => vec!["not examined".to_owned()],
            Mode::Monitor | Mode::Enforce => lines,
        };
        for (at, line) in lines.into_iter().enumerate() {
            rows.push((name, format!("{:8} {line}", if at == 0 { mode.as_str() } else { "" })));
        }
    }
    rows.extend(
        locks.exceptions.iter().take(MOST_ITEMS).map(|exception| ("except", describe_exception(exception))),
    );
    if locks.exceptions.len() > MOST_ITEMS {
        rows.push(("except", format!("and {} more", locks.exceptions.len() - MOST_ITEMS)));
    }
    rows
}

/// What becomes of who guesses names.
fn harvesting(config: &Config) -> Vec<(&'static str, String)> {
    let lines = match config.policy.defaults.harvest {
        Mode::Off => vec!["not examined".to_owned()],
        Mode::Monitor | Mode::Enforce => {
            let exempt = &config.harvest.exempt;
            let exempt = (!exempt.is_empty()).then(|| format!("exempt: {}", networks(exempt)));
            harvest::describe(&config.harvest).into_iter().chain(exempt).collect()
        }
    };
    let mode = |at| if at == 0 { config.policy.defaults.harvest.as_str() } else { "" };
    let row = |(at, line)| ("harvest", format!("{:8} {line}", mode(at)));
    lines.into_iter().enumerate().map(row).collect()
}

/// Who logins are, where something is said about that.
fn logins(config: &Config) -> Vec<(&'static str, String)> {
    let site = &config.policy.site;
    let bare = site.login_domain.as_ref().map(|domain| format!("at {domain} if they name no domain"));
    let exempt = (!site.exempt_logins.is_empty()).then(|| {
        let names = site.exempt_logins.iter().map(|login| visible(&login.to_string(), LONGEST_TEXT));
        format!("may send as anything: {}", list(names))
    });
    let mut rows: Vec<(&str, String)> =
        [bare, exempt].into_iter().flatten().map(|line| ("logins", line)).collect();
    rows.extend(config.identities.iter().map(|source| ("identities", source.to_string())));
    rows
}

/// A source, and the Postfix that it is of where that is not the machine's own.
fn of_postfix(name: &str, config_dir: Option<&Path>) -> String {
    match config_dir {
        Some(path) => format!("{name} of {}", path.display()),
        None => name.to_owned(),
    }
}

/// How addresses are compared, where it is not as usual.
fn addresses(addresses: &Addresses) -> Vec<String> {
    let Addresses { subaddress_delimiters, case_sensitive } = addresses;
    let subaddresses = match subaddress_delimiters.as_str() {
        "+" => None,
        "" => Some("no subaddresses".to_owned()),
        delimiters => Some(format!("subaddresses after {delimiters}")),
    };
    let case = case_sensitive.then(|| "upper and lower case differ".to_owned());
    subaddresses.into_iter().chain(case).collect()
}

fn require_auth(settings: &require_auth::Settings) -> Vec<String> {
    let places: Vec<&str> = [("MAIL FROM", settings.mail_from), ("From", settings.header_from)]
        .into_iter()
        .filter_map(|(name, is_on)| is_on.then_some(name))
        .collect();
    if places.is_empty() {
        return vec!["accept all".to_owned()];
    }
    let unless = if settings.unless_spf_pass { ", unless SPF passes" } else { "" };
    let mut lines = vec![format!("reject strangers in {}{unless}", places.join(" and "))];
    if settings.header_from {
        lines.extend(lists(&settings.lists));
    }
    lines
}

/// What lists may do, and what that costs.
fn lists(lists: &Lists) -> Vec<String> {
    match lists {
        Lists::Reject => vec!["reject what lists bring back, too".to_owned()],
        Lists::Posted => vec![
            "accept back what a user sent, from the domain it was sent to: a list,".to_owned(),
            "or anybody to whom that user wrote, who can then write as that user".to_owned(),
        ],
        Lists::Named(domains) => vec![
            format!("accept any From of lists at {};", list(domains)),
            "whoever may post there can write as any user".to_owned(),
        ],
    }
}

fn auth_match(settings: &auth_match::Settings) -> Vec<String> {
    let axes =
        [("MAIL FROM", settings.mail_from), ("From", settings.header_from), ("Sender", settings.sender)];
    let places: Vec<String> = axes
        .into_iter()
        .filter(|(_, axis)| *axis != Axis::None)
        .map(|(name, axis)| format!("{name}: {}", word(&Axis::NAMES, axis)))
        .collect();
    if places.is_empty() {
        return vec!["accept all".to_owned()];
    }
    let mut lines = vec![places.join(", ")];
    if settings.subdomains {
        lines.push("a domain covers its subdomains".to_owned());
    }
    if !settings.reject_malformed_from {
        lines.push("accept malformed From".to_owned());
    }
    if settings.check_resent {
        lines.push("Resent-From and Resent-Sender likewise".to_owned());
    }
    lines
}

fn recipients(settings: &recipients::Settings, sources: &[RecipientSource]) -> Vec<String> {
    let names: Vec<String> = settings
        .sources
        .iter()
        .filter_map(|source| sources.get(source.number))
        .map(recipient_source)
        .collect();
    let until = settings.soft_until.filter(|_| settings.catch_all == CatchAll::Soft);
    let until = until.map_or_else(String::new, |until| format!(" until {until}"));
    let mut lines = vec![
        format!("must be in {}", names.join(", ")),
        format!("catch-all: {}{until}", word(&CatchAll::NAMES, settings.catch_all)),
    ];
    if settings.accept_on_error {
        lines.push("accept while a source does not answer".to_owned());
    }
    lines
}

fn recipient_source(source: &RecipientSource) -> String {
    match source {
        RecipientSource::List(mailboxes) => format!("list of {}", mailboxes.len()),
        RecipientSource::File(path) => format!("file {}", path.display()),
        RecipientSource::Postfix { config_dir } => of_postfix("postfix", config_dir.as_deref()),
        RecipientSource::PostfixMap(table) => format!("postfix_map {}", visible(table, LONGEST_TEXT)),
        RecipientSource::Socketmap(settings) => format!("socketmap {} {}", settings.address, settings.map),
        RecipientSource::Dovecot(settings) => {
            let alone = if settings.without_domain { " (without domain)" } else { "" };
            format!("dovecot {}{alone}", settings.socket.display())
        }
        RecipientSource::Smtp(settings) => format!("smtp {}", call_ahead(settings)),
        RecipientSource::Lmtp(settings) => format!("lmtp {}", call_ahead(settings)),
        RecipientSource::Ldap(directory) => format!("ldap {}", directory.servers()),
        RecipientSource::Sql(settings) => format!("sql {}", settings.url),
        RecipientSource::Passwd(passwd) => match &passwd.file {
            Some(path) => format!("passwd {}", path.display()),
            None => format!("passwd from uid {} on", passwd.min_uid),
        },
        RecipientSource::Aliases(aliases) => format!("aliases {}", aliases.file.display()),
    }
}

fn call_ahead(settings: &CallAheadSettings) -> String {
    let (exists, unknown) = (Shown(settings.exists), Shown(settings.unknown));
    format!("{} (believed for {exists}, unknown for {unknown})", settings.server)
}

fn spf(settings: &spf::Settings) -> Vec<String> {
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

fn auto_responders(settings: &AutoSettings) -> Vec<String> {
    let AutoSettings { policy, unknown, header, header_exempt } = settings;
    let mut lines = vec![answered(*policy, *unknown)];
    if *header != Suppress::Off && *policy != Policy::Allow {
        let exempt = header_exempt.len();
        let except = if exempt == 0 { String::new() } else { format!(", not to {}", list(header_exempt)) };
        lines.push(format!("header: {}{except}", word(&Suppress::NAMES, *header)));
    }
    lines
}

fn bounces(settings: &BounceSettings) -> Vec<String> {
    let mut lines = vec![answered(settings.policy, settings.unknown)];
    if settings.notifies_never && settings.policy != Policy::Allow {
        lines.push("at source: NOTIFY=NEVER".to_owned());
    }
    lines
}

fn answered(policy: Policy, unknown: Unknown) -> String {
    match policy {
        Policy::Allow | Policy::Disabled => policy.as_str().to_owned(),
        _ => format!("{}; unknown: {}", policy.as_str(), word(&Unknown::NAMES, unknown)),
    }
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
        exception.login.as_ref().map(|login| format!("login {}", visible(&login.to_string(), LONGEST_TEXT))),
        exception.until.map(|until| format!("until {until}")),
        exception.note.as_ref().map(|note| format!("({})", visible(note, LONGEST_TEXT))),
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
pub(super) fn shown_network(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

/// The word for a value.
pub(super) fn word<T: Copy + PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
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
