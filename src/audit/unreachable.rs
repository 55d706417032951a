//! Chapter 4, second part: restrictions that are written down and never asked.
//!
//! Postfix goes through each list on its own until one restriction permits or refuses; what a client passes in one list
//! exempts it from no other. So a check of logins behind `permit_sasl_authenticated` sees no login.

use super::doors::LISTS;
use super::host::{Mta, Postfix, named};
use super::milters::of_list;
use super::{Change, Chapter, Host, Row, State, Verdict};
use crate::check::Mode;
use crate::check::auth_match::Axis;
use crate::config::Config;
use crate::mta::postfix::master_cf::Service;
use crate::mta::postfix::restrictions::{Restriction, restrictions};

/// What no client comes to.
pub(super) static ROW: Row = Row {
    name: "unreachable-restrictions",
    chapter: Chapter::AuthMatch,
    title: "Postfix comes to every restriction of its lists",
    consequence: "main.cf reads as if something were checked that never is: logins may send under any address.",
    judge: unreachable,
};

/// Lists that are judged after RCPT, and end like the others.
const LATER: [&str; 2] = ["smtpd_data_restrictions", "smtpd_end_of_data_restrictions"];

const PERMITS_LOGINS: &str = "permit_sasl_authenticated";
const OF_LOGINS: &str = "reject_authenticated_sender_login_mismatch";
const OF_OTHERS: &str = "reject_unauthenticated_sender_login_mismatch";
/// Both of them.
const OF_ALL: &str = "reject_sender_login_mismatch";
/// Both, for senders that the map knows.
const OF_KNOWN: &str = "reject_known_sender_login_mismatch";
const LOOKS_UP: &str = "check_sasl_access";

/// Whether a restriction says something about the sender of a login.
fn is_of_logins(one: &Restriction<'_>) -> bool {
    one.is_any(&[OF_LOGINS, OF_ALL, OF_KNOWN])
}

/// Whether what one restriction refuses of a login is refused by another one already.
fn covers(other: &Restriction<'_>, one: &Restriction<'_>) -> bool {
    if other.only_warns {
        return false;
    }
    let is_same = other.name.eq_ignore_ascii_case(one.name) && other.argument == one.argument;
    is_same || is_of_logins(one) && other.is_any(&[OF_LOGINS, OF_ALL])
}

/// A list, and the restrictions of it that never act.
#[derive(Debug, Default, PartialEq, Eq)]
struct Unreached<'a> {
    /// What ends the list for everybody, and what stands behind it.
    ended: Option<(&'a str, Vec<&'a str>)>,
    /// Checks of logins behind what lets all logins pass, with their numbers in the list.
    of_logins: Vec<(usize, Restriction<'a>)>,
    /// Checks of logins that see them.
    reached: Vec<Restriction<'a>>,
}

/// Goes through a list as Postfix does. Without logins, a check of them is not missed.
fn unreached<'a>(all: &[(usize, Restriction<'a>)], takes_logins: bool) -> Unreached<'a> {
    let mut found = Unreached::default();
    let mut are_permitted = false;
    for (at, (number, one)) in all.iter().enumerate() {
        if one.ends() {
            let behind: Vec<&str> = all[at + 1..].iter().map(|(_, one)| one.name).collect();
            found.ended = Some((one.name, behind)).filter(|(_, behind)| !behind.is_empty());
            break;
        }
        are_permitted |= takes_logins && one.is(PERMITS_LOGINS);
        if !is_of_logins(one) && !one.is(LOOKS_UP) {
            continue;
        }
        if !are_permitted {
            found.reached.push(*one);
        } else if !one.only_warns && !found.reached.iter().any(|other| covers(other, one)) {
            found.of_logins.push((*number, *one));
        }
    }
    found
}

/// What Postfix does not know yet when it goes through a list without waiting for RCPT.
fn comes_too_early(list: &str, one: &Restriction<'_>) -> bool {
    let name = one.name.to_ascii_lowercase();
    let is_of_login = is_of_logins(one) || one.is(LOOKS_UP) || one.is(PERMITS_LOGINS);
    let is_of_recipient =
        name.contains("recipient") || name.ends_with("_destination") || name == "permit_mx_backup";
    match list {
        "smtpd_client_restrictions" => {
            is_of_login || is_of_recipient || name.contains("sender") || name.contains("helo")
        }
        // A client logs in after EHLO.
        "smtpd_helo_restrictions" => is_of_login || is_of_recipient || name.contains("sender"),
        "smtpd_sender_restrictions" => is_of_recipient,
        _ => false,
    }
}

/// The list in which these checks of logins, by their numbers, stand before what lets logins pass; none where others
/// than logins would be refused by it.
fn reordered(list: &str, late: &[usize]) -> Option<String> {
    let all = restrictions(list);
    let at = all.iter().position(|one| one.is(PERMITS_LOGINS))?;
    let (mut first, mut moved, mut kept): (Vec<String>, Vec<String>, Vec<String>) = Default::default();
    first.extend(all[..at].iter().map(Restriction::written));
    let mut networks = None;
    for (number, one) in all.iter().enumerate().skip(at + 1) {
        let between = &all[at + 1..number];
        match one {
            one if !late.contains(&number) => kept.push(one.written()),
            one if one.is(OF_ALL) => {
                moved.push(OF_LOGINS.to_owned());
                kept.push(OF_OTHERS.to_owned());
            }
            one if one.is(OF_KNOWN) => {
                // It concerns clients without a login as well, and those of mynetworks are exempt now.
                let is_exempt = |one: &Restriction<'_>| one.is("permit_mynetworks") || one.is(LOOKS_UP);
                if !between.iter().all(is_exempt) {
                    return None;
                }
                networks =
                    between.iter().any(|one| one.is("permit_mynetworks")).then_some("permit_mynetworks");
                moved.push(one.written());
            }
            one if one.is(OF_LOGINS) || one.is(LOOKS_UP) => moved.push(one.written()),
            // It stands in a class.
            _ => return None,
        }
    }
    first.extend(networks.map(str::to_owned));
    kept.retain(|one| networks != Some(one.as_str()));
    moved.push(all[at].written());
    Some([first, moved, kept].concat().join(", "))
}

fn unreachable(host: &Host) -> Verdict {
    let postfix = match &host.mta {
        Mta::Unknown(why) => return Verdict::only(State::Unknown, why),
        Mta::Sendmail(_) => return Verdict::not_applicable("Sendmail has no lists of restrictions"),
        Mta::Postfix(postfix) => postfix,
    };
    let mut verdict = Verdict::new();
    for service in postfix.open_services() {
        let is_held = host.config().is_some_and(|config| is_held(config, postfix, service));
        of_service(postfix, service, is_held, &mut verdict);
    }
    verdict.or_good("in every list of every service")
}

/// Whether we refuse what a login must not send, whatever Postfix does.
fn is_held(config: &Config, postfix: &Postfix, service: &Service) -> bool {
    let mut hosted = config.policy.hosted.values().peekable();
    let checks = hosted.peek().is_some()
        && hosted.all(|locks| {
            let lock = &locks.auth_match;
            lock.mode == Mode::Enforce && lock.settings.mail_from != Axis::None
        });
    checks && !of_list(config, postfix.value(service, "smtpd_milters")).is_empty()
}

fn of_service(postfix: &Postfix, service: &Service, is_held: bool, verdict: &mut Verdict) {
    let is_delayed = !postfix.value(service, "smtpd_delay_reject").eq_ignore_ascii_case("no");
    let lists: Vec<_> = LISTS
        .into_iter()
        .chain(LATER)
        .map(|list| (list, postfix.restrictions(service, list)))
        .map(|(list, all)| (list, unreached(&all, postfix.takes_logins(service)), all))
        .collect();
    for (list, found, all) in &lists {
        let name = Postfix::named(service, list);
        if let Some((end, behind)) = &found.ended {
            let evidence = format!("{name}: `{end}` ends the list, so that nothing behind it is asked");
            verdict.find(State::Doubtful, format!("{evidence}: {}", named(behind)));
        }
        let early = all.iter().filter(|(_, one)| !is_delayed && comes_too_early(list, one));
        let early: Vec<&str> = early.map(|(_, one)| one.name).collect();
        if !early.is_empty() {
            let evidence =
                format!("{name}: with smtpd_delay_reject = no it is too early there for {}", named(early));
            let change = postfix.set(service, "smtpd_delay_reject", "yes");
            verdict.mend(State::Doubtful, evidence, vec![change]);
        }
        let is_seen = |one: &Restriction<'_>| {
            lists.iter().any(|(_, other, _)| other.reached.iter().any(|other| covers(other, one)))
        };
        let late = found.of_logins.iter().filter(|(_, one)| !is_seen(one));
        let late: Vec<(usize, Restriction<'_>)> = late.copied().collect();
        if !late.is_empty() {
            of_logins(postfix, service, (list, &name), &late, is_held, verdict);
        }
    }
}

/// Checks of logins that stand too late in a list.
fn of_logins(
    postfix: &Postfix,
    service: &Service,
    (list, name): (&str, &str),
    late: &[(usize, Restriction<'_>)],
    is_held: bool,
    verdict: &mut Verdict,
) {
    let is_empty = postfix.value(service, "smtpd_sender_login_maps").is_empty();
    let needs_maps = late.iter().any(|(_, one)| is_of_logins(one));
    let names = named(late.iter().map(|(_, one)| one.name));
    let mut evidence = format!("{name}: Postfix lets logins pass by {PERMITS_LOGINS} before it asks {names}");
    let mut changes: Vec<Change> = Vec::new();
    if needs_maps && is_empty {
        // By an empty map no login owns any address, and all their mail would be refused.
        evidence +=
            "; smtpd_sender_login_maps is empty: name who may send as what there, and then change the order";
    } else {
        let numbers: Vec<usize> = late.iter().map(|(number, _)| *number).collect();
        let line = reordered(postfix.value(service, list), &numbers);
        changes.extend(line.map(|line| postfix.set(service, list, &line)));
    }
    let state = if needs_maps && !is_held { State::Open } else { State::Doubtful };
    if needs_maps && is_held {
        evidence += "; lockdown-milter asks (`auth_match`)";
    }
    verdict.mend(state, evidence, changes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mta::postfix::restrictions::flattened;

    fn flat<'a>(list: &'a str) -> Vec<(usize, Restriction<'a>)> {
        flattened(list, &|name| -> Option<&'a str> {
            match name {
                "logins" => Some("permit_sasl_authenticated, reject"),
                "mismatch" => Some("reject_sender_login_mismatch"),
                _ => None,
            }
        })
    }

    /// What of a list is never asked, and the list in the right order.
    #[track_caller]
    fn check(list: &str, late: &[&str], ended: &[&str], line: Option<&str>) {
        let all = flat(list);
        let found = unreached(&all, true);
        let names: Vec<&str> = found.of_logins.iter().map(|(_, one)| one.name).collect();
        assert_eq!(names, late, "{list}");
        assert_eq!(found.ended.map(|(_, behind)| behind).unwrap_or_default(), ended, "{list}");
        let numbers: Vec<usize> = found.of_logins.iter().map(|(number, _)| *number).collect();
        let mended = reordered(list, &numbers).filter(|_| !numbers.is_empty());
        assert_eq!(mended.as_deref(), line, "{list}");
        // The line that is printed leaves nothing to be found, and is printed once.
        if let Some(mended) = mended {
            assert_eq!(unreached(&flat(&mended), true).of_logins, [], "{mended}");
        }
        assert_eq!(unreached(&all, false).of_logins, [], "{list}");
    }

    #[test]
    fn logins_that_pass_before_they_are_checked() {
        check(
            "permit_sasl_authenticated, reject_sender_login_mismatch",
            &["reject_sender_login_mismatch"],
            &[],
            Some(
                "reject_authenticated_sender_login_mismatch, permit_sasl_authenticated, \
                 reject_unauthenticated_sender_login_mismatch",
            ),
        );
        // Local programs without a login are exempt now, and stay it.
        check(
            "reject_non_fqdn_sender, permit_sasl_authenticated permit_mynetworks REJECT_sender_login_mismatch",
            &["REJECT_sender_login_mismatch"],
            &[],
            Some(
                "reject_non_fqdn_sender, reject_authenticated_sender_login_mismatch, permit_sasl_authenticated, \
                 permit_mynetworks, reject_unauthenticated_sender_login_mismatch",
            ),
        );
        check(
            "permit_sasl_authenticated, check_sender_access hash:/x, reject_authenticated_sender_login_mismatch",
            &["reject_authenticated_sender_login_mismatch"],
            &[],
            Some(
                "reject_authenticated_sender_login_mismatch, permit_sasl_authenticated, check_sender_access hash:/x",
            ),
        );
        check(
            "permit_sasl_authenticated, permit_mynetworks, reject_known_sender_login_mismatch, reject",
            &["reject_known_sender_login_mismatch"],
            &[],
            Some("permit_mynetworks, reject_known_sender_login_mismatch, permit_sasl_authenticated, reject"),
        );
        // A table lets some pass that the check would refuse.
        check(
            "permit_sasl_authenticated, check_sender_access hash:/x, reject_known_sender_login_mismatch",
            &["reject_known_sender_login_mismatch"],
            &[],
            None,
        );
        check(
            "permit_sasl_authenticated, check_sasl_access hash:/x",
            &["check_sasl_access"],
            &[],
            Some("check_sasl_access hash:/x, permit_sasl_authenticated"),
        );
        check("logins, reject_sender_login_mismatch", &[], &["reject_sender_login_mismatch"], None);
        check("permit_sasl_authenticated, mismatch", &["reject_sender_login_mismatch"], &[], None);
    }

    #[test]
    fn logins_that_are_checked() {
        for list in [
            "reject_sender_login_mismatch, permit_sasl_authenticated",
            "permit_mynetworks, reject_sender_login_mismatch, permit_sasl_authenticated",
            "reject_authenticated_sender_login_mismatch, permit_sasl_authenticated, reject_sender_login_mismatch",
            "mismatch, permit_sasl_authenticated, reject_known_sender_login_mismatch",
            "permit_sasl_authenticated, warn_if_reject reject_sender_login_mismatch",
            "permit_sasl_authenticated, reject_unauthenticated_sender_login_mismatch",
            "check_sasl_access hash:/x, permit_sasl_authenticated, check_sasl_access hash:/x",
        ] {
            check(list, &[], &[], None);
        }
        check(
            "warn_if_reject reject_sender_login_mismatch, permit_sasl_authenticated, reject_sender_login_mismatch",
            &["reject_sender_login_mismatch"],
            &[],
            Some(
                "warn_if_reject reject_sender_login_mismatch, reject_authenticated_sender_login_mismatch, \
                 permit_sasl_authenticated, reject_unauthenticated_sender_login_mismatch",
            ),
        );
        check(
            "reject_known_sender_login_mismatch, permit_sasl_authenticated, reject_authenticated_sender_login_mismatch",
            &["reject_authenticated_sender_login_mismatch"],
            &[],
            Some(
                "reject_known_sender_login_mismatch, reject_authenticated_sender_login_mismatch, \
                 permit_sasl_authenticated",
            ),
        );
    }

    #[test]
    fn what_stands_behind_the_end() {
        check("permit_mynetworks, permit", &[], &[], None);
        check(
            "permit_mynetworks, permit, reject_unknown_sender_domain",
            &[],
            &["reject_unknown_sender_domain"],
            None,
        );
        check("permit_sasl_authenticated, reject, permit_mynetworks", &[], &["permit_mynetworks"], None);
        check("warn_if_reject reject, permit_mynetworks", &[], &[], None);
    }

    #[test]
    fn what_is_not_known_yet() {
        let early = |list: &str, one| comes_too_early(list, &restrictions(one)[0]);
        for (one, client, helo, sender) in [
            ("permit_mynetworks", false, false, false),
            ("reject_rbl_client x", false, false, false),
            ("permit_sasl_authenticated", true, true, false),
            ("reject_sender_login_mismatch", true, true, false),
            ("reject_invalid_helo_hostname", true, false, false),
            ("reject_unknown_sender_domain", true, true, false),
            ("reject_unauth_destination", true, true, true),
            ("reject_unlisted_recipient", true, true, true),
        ] {
            assert_eq!(early("smtpd_client_restrictions", one), client, "{one}");
            assert_eq!(early("smtpd_helo_restrictions", one), helo, "{one}");
            assert_eq!(early("smtpd_sender_restrictions", one), sender, "{one}");
            assert!(!early("smtpd_recipient_restrictions", one), "{one}");
        }
    }
}
