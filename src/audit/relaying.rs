//! Chapter 3, first part: what a stranger may do at each service.

use super::catch_all::no_configuration;
use super::doors::{Fate, To};
use super::host::{Mta, Postfix, named};
use super::milters::of_list;
use super::{Change, Chapter, Host, Place, Row, State, Verdict};
use crate::check::Mode;
use crate::mta::postfix::master_cf::Service;
use crate::mta::sendmail::Relaying;

/// An open relay.
pub(super) static OPEN_RELAY: Row = Row {
    name: "open-relay",
    chapter: Chapter::Authentication,
    title: "Strangers cannot send through this host to strangers",
    consequence: "Spammers send through this host, and it is on every block list within a day.",
    judge: open_relay,
};

/// Submission services.
pub(super) static SUBMISSION: Row = Row {
    name: "submission-login",
    chapter: Chapter::Authentication,
    title: "Submission services take mail of logins only",
    consequence: "Mail comes in by a door where strangers are not checked, and is taken for our users'.",
    judge: submission,
};

/// Our domains as senders.
pub(super) static HOSTED_SENDERS: Row = Row {
    name: "hosted-senders",
    chapter: Chapter::Authentication,
    title: "Strangers cannot send as a hosted domain",
    consequence: "Anybody can write to your users as their own colleagues.",
    judge: hosted_senders,
};

fn open_relay(host: &Host) -> Verdict {
    match &host.mta {
        Mta::Unknown(why) => Verdict::only(State::Unknown, why),
        Mta::Postfix(postfix) => {
            let mut verdict = Verdict::new();
            for service in postfix.open_services() {
                let label = service.label();
                match postfix.strangers(service, To::Others) {
                    Fate::Refused => {}
                    Fate::Perhaps => {
                        let why = "a table or server is asked before reject_unauth_destination, and may let strangers pass";
                        verdict.find(State::Doubtful, format!("{label}: {why}"));
                    }
                    Fate::Passes => {
                        let evidence = format!("{label}: nothing refuses mail of strangers for strangers");
                        verdict.mend(State::Open, evidence, closing(postfix, service));
                    }
                }
            }
            verdict.or_good("every service refuses")
        }
        Mta::Sendmail(sendmail) => {
            let mut verdict = Verdict::new();
            for relaying in &sendmail.cf.relaying {
                let state = match relaying {
                    Relaying::OwnDomain => State::Doubtful,
                    Relaying::Everybody | Relaying::Senders => State::Open,
                };
                let line = format!("FEATURE(`{}')dnl", relaying.feature());
                let evidence = format!("FEATURE(`{}') is in force", relaying.feature());
                verdict.mend(state, evidence, vec![Change::remove(&sendmail.macros, vec![line])]);
            }
            verdict.or_good("the rules deny relaying")
        }
    }
}

/// The lines that refuse strangers' mail for strangers.
fn closing(postfix: &Postfix, service: &Service) -> Vec<Change> {
    let mut changes = Vec::new();
    let networks = postfix.networks.get(postfix.value(service, "mynetworks"));
    let everybody =
        networks.filter(|networks| networks.listed.iter().any(|network| network.prefix_len() <= 1));
    let narrowed = everybody.and_then(super::authentication::narrowed);
    changes.extend(narrowed.map(|list| postfix.set(service, "mynetworks", &list)));
    let list = closed(postfix.value(service, "smtpd_relay_restrictions"));
    changes.push(postfix.set(service, "smtpd_relay_restrictions", &list));
    changes
}

/// A list of restrictions that ends strangers' mail for strangers: what comes before a `permit` for everybody stays.
fn closed(list: &str) -> String {
    const ENDS: [&str; 4] = ["permit", "reject", "reject_unauth_destination", "defer_unauth_destination"];
    let kept = list.split([',', ' ', '\t', '\n']).filter(|word| !word.is_empty());
    let kept: Vec<&str> = kept.take_while(|word| !ENDS.contains(word)).collect();
    if kept.is_empty() {
        return "permit_mynetworks,permit_sasl_authenticated,reject_unauth_destination".to_owned();
    }
    format!("{},reject_unauth_destination", kept.join(","))
}

fn submission(host: &Host) -> Verdict {
    match &host.mta {
        Mta::Unknown(why) => Verdict::only(State::Unknown, why),
        Mta::Postfix(postfix) => {
            let mut verdict = Verdict::new();
            let mut any = false;
            let services = postfix.open_services().filter(|service| !postfix.is_local(service));
            for service in services.filter(|service| Postfix::is_submission(service)) {
                any = true;
                if postfix.strangers(service, To::Us) != Fate::Refused {
                    let list = "permit_sasl_authenticated,reject";
                    let change = postfix.over_ride(service, "smtpd_relay_restrictions", list);
                    let evidence =
                        format!("{}: mail for our own domains is taken of anybody", service.label());
                    verdict.mend(State::Open, evidence, vec![change]);
                }
            }
            if !any {
                return Verdict::not_applicable("there is no submission service");
            }
            verdict.or_good("they refuse everybody else")
        }
        Mta::Sendmail(sendmail) => {
            let mut verdict = Verdict::new();
            let daemons = sendmail.cf.daemons();
            let submission =
                |port: &str| ["587", "465", "submission", "submissions", "smtps"].contains(&port);
            let mut any = false;
            for daemon in daemons.iter().filter(|daemon| submission(daemon.port())) {
                any = true;
                if daemon.modifiers().contains('a') {
                    continue;
                }
                // With one service named, Sendmail has no others but those that are named.
                let all = daemons.iter().map(|daemon| daemon.written(submission(daemon.port())));
                let all = all.map(|daemon| format!("DAEMON_OPTIONS(`{daemon}')dnl"));
                let lines = ["FEATURE(`no_default_msa')dnl".to_owned()].into_iter().chain(all).collect();
                let place = Place::Set(sendmail.macros.display().to_string());
                let evidence =
                    format!("{}: port {} takes mail without a login", daemon.name(), daemon.port());
                verdict.mend(State::Open, evidence, vec![Change { place, lines }]);
            }
            if !any {
                return Verdict::not_applicable("there is no submission service");
            }
            verdict.or_good("they take a login (M=a)")
        }
    }
}

fn hosted_senders(host: &Host) -> Verdict {
    let Some(config) = host.config() else { return no_configuration(host) };
    let mut verdict = Verdict::new();
    let is_open = |mode: Mode| -> Vec<String> {
        let hosted = config.policy.hosted.iter();
        let hosted = hosted.filter(|(_, locks)| {
            let lock = &locks.require_auth;
            let asks = lock.settings.mail_from;
            if mode == Mode::Off { !asks || lock.mode == Mode::Off } else { asks && lock.mode == mode }
        });
        hosted.map(|(domain, _)| domain.to_string()).collect()
    };
    let (open, watched) = (is_open(Mode::Off), is_open(Mode::Monitor));
    if !open.is_empty() {
        let settings = "require_auth: { mode: enforce, mail_from: reject }";
        let change = Change::of_domains(host, &open, settings);
        let evidence = format!("require_auth is off for {}", named(open));
        verdict.mend(State::Open, evidence, vec![change]);
    }
    if !watched.is_empty() {
        verdict.find(State::Doubtful, format!("require_auth only watches (monitor) for {}", named(watched)));
    }
    if let Mta::Postfix(postfix) = &host.mta {
        for service in postfix.open_services() {
            let is_wired = !of_list(config, postfix.value(service, "smtpd_milters")).is_empty();
            if !is_wired && postfix.strangers(service, To::Us) != Fate::Refused {
                let evidence = format!("{}: lockdown-milter does not see its mail", service.label());
                let changes = super::wiring::wire(config, postfix, service);
                verdict.mend(State::Open, evidence, changes);
            }
        }
    }
    if let Mta::Sendmail(sendmail) = &host.mta {
        for daemon in super::wiring::unseen(config, sendmail) {
            let evidence = format!("{}: lockdown-milter does not see its mail", daemon.name());
            verdict.mend(State::Open, evidence, vec![super::wiring::filter_line(config, sendmail)]);
        }
    }
    if config.policy.hosted.is_empty() {
        return Verdict::not_applicable("no domain is hosted by lockdown-milter");
    }
    verdict.or_good(format!("require_auth is enforced; hosted domains: {}", config.policy.hosted.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_closed_list_keeps() {
        for (list, expected) in [
            ("", "permit_mynetworks,permit_sasl_authenticated,reject_unauth_destination"),
            ("permit", "permit_mynetworks,permit_sasl_authenticated,reject_unauth_destination"),
            (
                "permit_tls_clientcerts, permit_mynetworks permit",
                "permit_tls_clientcerts,permit_mynetworks,reject_unauth_destination",
            ),
        ] {
            assert_eq!(closed(list), expected, "{list}");
        }
    }
}
