//! Chapter 6, first part: whether the mail server shows us all mail, and in the right way.

use super::catch_all::no_configuration;
use super::doors::{Fate, To};
use super::host::{Mta, Postfix, Sendmail, has, without};
use super::milters::{listener_at, mended, of_list};
use super::{Change, Chapter, Host, Place, Row, State, Verdict};
use crate::config::{Address, Config};
use crate::mta::postfix::master_cf::Service;
use crate::mta::postfix::milters::{Milter, milters};
use crate::mta::sendmail::{Daemon, Filter};
use crate::session::Role;

/// Every door.
pub(super) static SERVICES: Row = Row {
    name: "milter-wired",
    chapter: Chapter::UpToDate,
    title: "Every SMTP service asks lockdown-milter",
    consequence: "Mail comes in by a door that has no lock.",
    judge: services,
};

/// Ours first.
pub(super) static ORDER: Row = Row {
    name: "milter-first",
    chapter: Chapter::UpToDate,
    title: "lockdown-milter is the first milter",
    consequence: "Earlier milters do their work for mail that is refused, and later ones miss what it records.",
    judge: order,
};

/// While we are away.
pub(super) static AWAY: Row = Row {
    name: "milter-away",
    chapter: Chapter::UpToDate,
    title: "While lockdown-milter is away, mail waits",
    consequence: "Whoever makes the daemon stop is let in (accept), or mail is lost (reject).",
    judge: away,
};

/// Patience and protocol.
pub(super) static TIMES: Row = Row {
    name: "milter-times",
    chapter: Chapter::UpToDate,
    title: "The mail server waits long enough, and speaks version 6",
    consequence: "Decisions come too late and count as failures, or steps are left out.",
    judge: times,
};

/// The lines that make a service ask us.
pub(super) fn wire(config: &Config, postfix: &Postfix, service: &Service) -> Vec<Change> {
    let list = postfix.value(service, "smtpd_milters");
    let Some(list) = mended(config, postfix, service, list) else { return Vec::new() };
    let has_own_role = config.listeners.iter().any(|listener| listener.role == Role::Submission);
    let mut changes = if Postfix::is_submission(service) && has_own_role {
        vec![postfix.over_ride(service, "smtpd_milters", &list)]
    } else {
        vec![postfix.set(service, "smtpd_milters", &list)]
    };
    let options = postfix.value(service, "receive_override_options");
    if has(options, "no_milters") {
        let kept = without(options, "no_milters");
        changes.push(postfix.set(service, "receive_override_options", &kept));
    }
    changes
}

fn services(host: &Host) -> Verdict {
    let Some(config) = host.config() else { return no_configuration(host) };
    let mut verdict = Verdict::new();
    match &host.mta {
        Mta::Unknown(why) => return Verdict::only(State::Unknown, why),
        Mta::Postfix(postfix) => {
            for service in postfix.smtp_services() {
                of_service(config, postfix, service, &mut verdict);
            }
            if postfix.open_services().next().is_none() {
                return Verdict::not_applicable("master.cf has no SMTP service");
            }
        }
        Mta::Sendmail(sendmail) => {
            for daemon in unseen(config, sendmail) {
                let evidence =
                    format!("{} (port {}): none of its milters is ours", daemon.name(), daemon.port());
                verdict.mend(State::Open, evidence, vec![filter_line(config, sendmail)]);
            }
        }
    }
    verdict.or_good("all of them")
}

/// Whether the services of Postfix ask us as they should.
fn of_service(config: &Config, postfix: &Postfix, service: &Service, verdict: &mut Verdict) {
    let label = service.label();
    let list = postfix.value(service, "smtpd_milters");
    let is_off = has(postfix.value(service, "receive_override_options"), "no_milters");
    let is_wired = !of_list(config, list).is_empty() && !is_off;
    if postfix.takes_mail_back(service) {
        if is_wired {
            let evidence = format!(
                "{label}: mail that comes back from a content filter is judged twice, the second time as this host's own"
            );
            verdict.mend(State::Doubtful, evidence, vec![postfix.over_ride(service, "smtpd_milters", "")]);
        }
    } else if !is_wired {
        let found = match (is_off, list) {
            (true, _) => "no_milters",
            (false, "") => "has no milters",
            (false, list) => list,
        };
        // Whom it lets in has no login that could be stolen, and is trusted to send as anybody.
        let is_trusted_only =
            postfix.strangers(service, To::Us) == Fate::Refused && !postfix.takes_logins(service);
        let trusted = "; only trusted networks may use it, whose automatic replies leave unjudged";
        let (state, who) = if is_trusted_only { (State::Doubtful, trusted) } else { (State::Open, "") };
        verdict.mend(state, format!("{label}: {found}{who}"), wire(config, postfix, service));
    } else if !postfix.value(service, "smtpd_milter_maps").is_empty() {
        verdict.find(State::Doubtful, format!("{label}: smtpd_milter_maps decides for which clients"));
    }
}

/// The services of a Sendmail whose mail we do not see.
pub(super) fn unseen(config: &Config, sendmail: &Sendmail) -> Vec<Daemon> {
    let ours = our_filters(config, sendmail);
    let all = sendmail.cf.option("InputMailFilters");
    let is_unseen = |daemon: &Daemon| {
        let names = daemon.filters().unwrap_or_else(|| all.split([',', ';']).map(str::trim).collect());
        !daemon.is_loopback() && !ours.iter().any(|filter| names.contains(&filter.name.as_str()))
    };
    sendmail.cf.daemons().into_iter().filter(is_unseen).collect()
}

/// The milters of a Sendmail that are ours.
fn our_filters<'s>(config: &Config, sendmail: &'s Sendmail) -> Vec<&'s Filter> {
    let filters = sendmail.cf.filters.iter();
    filters.filter(|filter| listener_at(config, filter.setting("S")).is_some()).collect()
}

/// The line that names us to Sendmail.
pub(super) fn filter_line(config: &Config, sendmail: &Sendmail) -> Change {
    let ours = our_filters(config, sendmail).first().map(|filter| filter.name.clone());
    let name = ours.unwrap_or_else(|| "lockdown-milter".to_owned());
    let socket =
        config.listeners.iter().find(|listener| listener.role != Role::Local).map(|listener| match &listener
            .address
        {
            Address::Inet(address) => {
                let family = if address.is_ipv6() { "inet6" } else { "inet" };
                format!("{family}:{}@{}", address.port(), address.ip())
            }
            Address::Unix { path, .. } => format!("local:{}", path.display()),
        });
    let line = format!(
        "INPUT_MAIL_FILTER(`{name}', `S={}, F=T, T=C:10s;S:10s;R:60s;E:5m')dnl",
        socket.unwrap_or_default()
    );
    Change { place: Place::Set(sendmail.macros.display().to_string()), lines: vec![line] }
}

/// Every service that asks us, with its list and our place in it.
fn wired<'h>(config: &Config, postfix: &'h Postfix) -> Vec<(&'h Service, Milter, usize)> {
    let ours = |service: &'h Service| {
        let list = milters(postfix.value(service, "smtpd_milters"));
        let at = list.iter().position(|milter| listener_at(config, &milter.address).is_some())?;
        Some((service, list.into_iter().nth(at)?, at))
    };
    postfix.open_services().filter_map(ours).collect()
}

/// What a row says of each service that asks us: `good` where nothing is found; no row at all where none does.
fn of_wired(
    host: &Host,
    good: &str,
    of_postfix: impl Fn(&Postfix, &Service, &Milter, usize, &mut Verdict),
    of_sendmail: impl Fn(&Sendmail, &Filter, &mut Verdict),
) -> Verdict {
    let Some(config) = host.config() else { return no_configuration(host) };
    let mut verdict = Verdict::new();
    let mut is_wired = false;
    match &host.mta {
        Mta::Unknown(why) => return Verdict::only(State::Unknown, why),
        Mta::Postfix(postfix) => {
            for (service, milter, at) in wired(config, postfix) {
                is_wired = true;
                of_postfix(postfix, service, &milter, at, &mut verdict);
            }
        }
        Mta::Sendmail(sendmail) => {
            for filter in our_filters(config, sendmail) {
                is_wired = true;
                of_sendmail(sendmail, filter, &mut verdict);
            }
        }
    }
    if is_wired { verdict.or_good(good) } else { Verdict::not_applicable("no service asks lockdown-milter") }
}

fn order(host: &Host) -> Verdict {
    let Some(config) = host.config() else { return no_configuration(host) };
    let of_postfix = |postfix: &Postfix, service: &Service, milter: &Milter, at, verdict: &mut Verdict| {
        if at > 0 {
            let evidence = format!("{}: {} is number {}", service.label(), milter.address, at + 1);
            verdict.mend(State::Doubtful, evidence, wire(config, postfix, service));
        }
    };
    let of_sendmail = |sendmail: &Sendmail, filter: &Filter, verdict: &mut Verdict| {
        let names = sendmail.cf.option("InputMailFilters");
        let first = names.split([',', ';']).map(str::trim).next().unwrap_or_default();
        if !first.is_empty() && first != filter.name {
            verdict.find(State::Doubtful, format!("InputMailFilters={names}"));
        }
    };
    of_wired(host, "on every service that asks it", of_postfix, of_sendmail)
}

fn away(host: &Host) -> Verdict {
    let Some(config) = host.config() else { return no_configuration(host) };
    let of_postfix = |postfix: &Postfix, service: &Service, milter: &Milter, _, verdict: &mut Verdict| {
        let general = postfix.value(service, "milter_default_action");
        let action = milter.setting("default_action").unwrap_or(general);
        let state = match action {
            "tempfail" | "shutdown" => return,
            "accept" => State::Open,
            _ => State::Doubtful,
        };
        let evidence = format!("{}: default_action={action}", service.label());
        verdict.mend(state, evidence, wire(config, postfix, service));
    };
    let of_sendmail = |sendmail: &Sendmail, filter: &Filter, verdict: &mut Verdict| {
        let state = match filter.setting("F") {
            "T" | "4" => return,
            "R" => State::Doubtful,
            _ => State::Open,
        };
        let evidence = format!("{}: F={}", filter.name, filter.setting("F"));
        verdict.mend(state, evidence, vec![filter_line(config, sendmail)]);
    };
    of_wired(host, "it is tried again later", of_postfix, of_sendmail)
}

/// Seconds of a time of Postfix; none where it is none.
fn seconds(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        "w" => 7 * 86400,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// How long a mail server may wait for one answer at most before clients give up, in seconds (RFC 5321, 4.5.3.2).
const LONGEST: u64 = 120;

fn times(host: &Host) -> Verdict {
    let Some(config) = host.config() else { return no_configuration(host) };
    let needed = config.limits.decision_time.as_secs() + 1;
    let of_postfix = |postfix: &Postfix, service: &Service, milter: &Milter, _, verdict: &mut Verdict| {
        let value = |name: &str| {
            let general = postfix.value(service, &format!("milter_{name}"));
            milter.setting(name).unwrap_or(general).to_owned()
        };
        let (time, label) = (value("command_timeout"), service.label());
        let state = match seconds(&time) {
            None => Some(State::Unknown),
            Some(time) if time < needed => Some(State::Open),
            Some(time) if time > LONGEST => Some(State::Doubtful),
            Some(_) => None,
        };
        if let Some(state) = state {
            let evidence = format!("{label}: command_timeout={time}; a decision takes up to {needed} s");
            verdict.mend(state, evidence, wire(config, postfix, service));
        }
        let protocol = value("protocol");
        if protocol != "6" {
            let evidence = format!("{label}: milter protocol {protocol}");
            let changes = match milter.setting("protocol") {
                Some(_) => wire(config, postfix, service),
                None => vec![postfix.set(service, "milter_protocol", "6")],
            };
            verdict.mend(State::Open, evidence, changes);
        }
    };
    let of_sendmail = |sendmail: &Sendmail, filter: &Filter, verdict: &mut Verdict| {
        // What is not said is 10 s.
        let time = filter.time("R").unwrap_or(10);
        if time < needed {
            let evidence = format!("{}: R:{time}s; a decision takes up to {needed} s", filter.name);
            verdict.mend(State::Open, evidence, vec![filter_line(config, sendmail)]);
        }
    };
    of_wired(host, &format!("longer than the {needed} s of a decision"), of_postfix, of_sendmail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_postfix() {
        for (text, expected) in [
            ("30s", Some(30)),
            ("5m", Some(300)),
            ("1h", Some(3600)),
            ("7", Some(7)),
            ("é", None),
            ("s", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
