//! Chapter 4: a login sends as itself.

use super::authentication::width;
use super::catch_all::no_configuration;
use super::host::{Mta, named};
use super::{Change, Chapter, Host, Row, State, Verdict};
use crate::check::Mode;
use crate::check::auth_match::Axis;
use crate::mta::postfix::networks::network;
use crate::mta::postfix::words;

/// The axes of every domain.
pub(super) static DOMAINS: Row = Row {
    name: "auth-match",
    chapter: Chapter::AuthMatch,
    title: "A login sends only as its own domain or address",
    consequence: "One stolen password sends as the managing director, and as every other domain on this host.",
    judge: domains,
};

/// Logins that may do anything.
pub(super) static LOGINS: Row = Row {
    name: "exempt-logins",
    chapter: Chapter::AuthMatch,
    title: "No login may send as anybody",
    consequence: "Whoever learns such a password, or may say XCLIENT, sends as anybody here.",
    judge: logins,
};

fn domains(host: &Host) -> Verdict {
    let Some(config) = host.config() else { return no_configuration(host) };
    let mut verdict = Verdict::new();
    for (axis, name) in [(false, "mail_from"), (true, "header_from")] {
        let open: Vec<String> = config
            .policy
            .hosted
            .iter()
            .filter(|(_, locks)| {
                let settings = &locks.auth_match.settings;
                let axis = if axis { settings.header_from } else { settings.mail_from };
                axis == Axis::None && locks.auth_match.mode != Mode::Off
            })
            .map(|(domain, _)| domain.to_string())
            .collect();
        if open.is_empty() {
            continue;
        }
        let change = Change::of_domains(host, &open, &format!("auth_match: {{ {name}: domain }}"));
        let evidence = format!("auth_match.{name} is `none` for {}", named(open));
        verdict.mend(State::Open, evidence, vec![change]);
    }
    if config.policy.hosted.is_empty() {
        return Verdict::not_applicable("no domain is hosted by lockdown-milter");
    }
    verdict
        .or_good(format!("in the envelope and in the header; hosted domains: {}", config.policy.hosted.len()))
}

fn logins(host: &Host) -> Verdict {
    let Some(config) = host.config() else { return no_configuration(host) };
    let mut verdict = Verdict::new();
    let exempt = &config.policy.site.exempt_logins;
    if !exempt.is_empty() {
        verdict.find(State::Doubtful, format!("identities.exempt_logins: {}", named(exempt)));
    }
    if let Mta::Postfix(postfix) = &host.mta {
        for service in postfix.open_services() {
            let hosts = postfix.value(service, "smtpd_authorized_xclient_hosts");
            if hosts.is_empty() {
                continue;
            }
            let evidence = format!("{}: smtpd_authorized_xclient_hosts = {hosts}", service.label());
            let is_wide = words(hosts).any(|word| network(word).is_none_or(|one| width(&one).is_some()));
            if is_wide {
                let change = postfix.set(service, "smtpd_authorized_xclient_hosts", "");
                let why = "they can claim any address and any login";
                verdict.mend(State::Doubtful, format!("{evidence}: {why}"), vec![change]);
            } else {
                // Without it, all logins of a proxy like nginx are refused.
                let why = "right for a proxy that logs users in; any other program there can claim any login";
                verdict.find(State::Doubtful, format!("{evidence}: {why}"));
            }
        }
    }
    verdict.or_good("none is exempt")
}
