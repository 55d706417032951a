//! Chapter 1: every address is somebody's.

use std::path::Path;

use super::doors::{LISTS, of_strangers, severity};
use super::host::{Hosted, Mta, Postfix, has, named, without};
use super::{Change, Chapter, Host, Row, State, Verdict};
use crate::check::Mode;
use crate::check::recipients::CatchAll;
use crate::check::responses::Policy as Answers;
use crate::facts::{Existence, Provenance};
use crate::mta::postfix::classes::Class;
use crate::mta::postfix::everybodys::{Everybodys, Spot};
use crate::mta::postfix::restrictions::Restriction;
use crate::mta::postfix::words;

/// No name exists that nobody has.
pub(super) static CATCH_ALLS: Row = Row {
    name: "catch-alls",
    chapter: Chapter::CatchAll,
    title: "No table takes every name of a domain",
    consequence: "Every guessed address is delivered; spammers find out that the domain takes anything.",
    judge: catch_alls,
};

/// A catch-all that answers.
pub(super) static ANSWERING: Row = Row {
    name: "answering-catch-all",
    chapter: Chapter::CatchAll,
    title: "No catch-all mailbox answers by itself",
    consequence: "Each guessed address sends an answer to whoever was named as sender: the host attacks strangers.",
    judge: answering,
};

/// Our own sources.
pub(super) static SOURCES: Row = Row {
    name: "sources",
    chapter: Chapter::CatchAll,
    title: "No source of recipients knows a random name",
    consequence: "The lock on recipients cannot tell a name that exists from one that does not.",
    judge: sources,
};

/// The mail server's own check.
pub(super) static UNLISTED: Row = Row {
    name: "unlisted-recipients",
    chapter: Chapter::CatchAll,
    title: "Unknown recipients are refused in the session",
    consequence: "Mail for nobody is accepted and bounces later, to senders that are mostly forged.",
    judge: unlisted,
};

/// VRFY.
pub(super) static VRFY: Row = Row {
    name: "vrfy",
    chapter: Chapter::CatchAll,
    title: "VRFY is off",
    consequence: "Anybody can ask which names exist, without sending mail.",
    judge: vrfy,
};

/// The two names that must be reachable.
pub(super) static POSTMASTER: Row = Row {
    name: "postmaster",
    chapter: Chapter::CatchAll,
    title: "postmaster and abuse are reachable",
    consequence: "Nobody can tell you that something is wrong (RFC 5321, 4.5.1; RFC 2142).",
    judge: postmaster,
};

fn catch_alls(host: &Host) -> Verdict {
    let mut verdict = seen(host);
    for hosted in &host.domains {
        match &hosted.nobody {
            Existence::Wildcard(by) => wildcard(host, hosted, by, &mut verdict),
            // Nothing tells whether names behind it are real, so that our lock lets them in, too.
            Existence::Ambiguous(by) => {
                let evidence = format!("@{}: {by}, as for any name; {SETTLED}", hosted.domain);
                verdict.find(State::Open, evidence);
            }
            Existence::Undetermined(why) => {
                verdict.find(State::Unknown, format!("{}: {why}", hosted.domain));
            }
            _ => {}
        }
    }
    verdict.or_good(format!("a name that nobody has is known in none of {}", domains(host)))
}

/// What ends a catch-all that a query has inside.
const SETTLED: &str = "take the catch-all away in the panel, or name its real rows in `recipients.sources`";

fn wildcard(host: &Host, hosted: &Hosted, by: &Provenance, verdict: &mut Verdict) {
    let evidence = format!("@{}: {by}", hosted.domain);
    match lock(host, hosted) {
        (Mode::Enforce, CatchAll::Reject) => {
            verdict.find(State::Good, format!("{evidence}; lockdown-milter refuses such names"));
        }
        (Mode::Enforce, CatchAll::Soft) => verdict.mend(
            State::Doubtful,
            format!("{evidence}; it is being retired (`catch_all: soft`)"),
            removal(host, hosted),
        ),
        _ => verdict.mend(State::Open, evidence, removal(host, hosted)),
    }
}

/// What our lock makes of names that only a wildcard knows.
fn lock(host: &Host, hosted: &Hosted) -> (Mode, CatchAll) {
    let locks = host.config().and_then(|config| config.policy.locks(&hosted.domain));
    let lock = locks.map(|locks| &locks.recipients).filter(|lock| !lock.settings.sources.is_empty());
    lock.map_or((Mode::Off, CatchAll::Allow), |lock| (lock.mode, lock.settings.catch_all))
}

/// The lines that take a wildcard away.
fn removal(host: &Host, hosted: &Hosted) -> Vec<Change> {
    hosted.everybodys.iter().flat_map(|entry| mended(host, hosted, entry)).collect()
}

fn mended(host: &Host, hosted: &Hosted, entry: &Everybodys) -> Vec<Change> {
    if let Spot::Line { file, text, .. } = &entry.spot {
        let rebuild = rebuild(&host.mta, &entry.table);
        return [Change::remove(file, vec![text.clone()])].into_iter().chain(rebuild).collect();
    }
    let Mta::Postfix(postfix) = &host.mta else { return refusal(host) };
    let main_cf = postfix.main_cf.file();
    if entry.parameter == "luser_relay" {
        return vec![Change::set(main_cf, "luser_relay =")];
    }
    let value = postfix.main_cf.value(&entry.parameter);
    match &entry.spot {
        Spot::Inline(text) => {
            let table = entry.table.replacen(text.as_str(), "", 1);
            let is_empty = table.split_once('{').is_some_and(|(_, rest)| rest.trim() == "}");
            let value = value.replacen(&entry.table, if is_empty { "" } else { &table }, 1);
            vec![Change::set(main_cf, setting(&entry.parameter, &value))]
        }
        _ if entry.table.starts_with("static:") => {
            let kind = table_kind(postfix);
            let file = main_cf.with_file_name(entry.parameter.trim_end_matches("_maps"));
            let table = format!("{kind}:{}", file.display());
            let value = value.replacen(&entry.table, &table, 1);
            let names = vec![
                "# one line for each address that exists".to_owned(),
                format!("postmaster@{}\t{}", hosted.domain, entry.value),
            ];
            let set = Change::set(main_cf, setting(&entry.parameter, &value));
            [Change::add(&file, names), set].into_iter().chain(rebuild(&host.mta, &table)).collect()
        }
        _ => refusal(host),
    }
}

/// A line of main.cf. What is to stay a `$` is doubled there.
fn setting(parameter: &str, value: &str) -> String {
    let value = value.replace('$', "$$");
    format!("{parameter} = {}", value.trim_matches([' ', ','])).trim_end().to_owned()
}

/// The lines of ours that refuse what only a wildcard knows.
fn refusal(host: &Host) -> Vec<Change> {
    let has_sources = host.config().is_some_and(|config| !config.recipients.is_empty());
    let sources = if has_sources { String::new() } else { format!("sources: {}, ", own_tables(host)) };
    let lines = vec!["defaults:".to_owned(), format!("  recipients: {{ {sources}catch_all: reject }}")];
    vec![Change::merge(host, lines)]
}

/// The tables of the Postfix that was looked at, as a source of ours.
pub(super) fn own_tables(host: &Host) -> String {
    let Mta::Postfix(postfix) = &host.mta else { return "[]".to_owned() };
    match postfix.main_cf.file().parent() {
        Some(dir) if dir != Path::new("/etc/postfix") => {
            format!("[postfix: {{ config_dir: {} }}]", dir.display())
        }
        _ => "[postfix]".to_owned(),
    }
}

/// The kind of table that this Postfix makes by itself.
fn table_kind(postfix: &Postfix) -> &str {
    Some(postfix.main_cf.value("default_database_type")).filter(|kind| !kind.is_empty()).unwrap_or("hash")
}

/// The command that makes a table from its text.
fn rebuild(mta: &Mta, table: &str) -> Option<Change> {
    let (kind, file) = table.split_once(':')?;
    if !["hash", "btree", "lmdb", "cdb", "dbm", "sdbm"].contains(&kind) {
        return None;
    }
    Some(match mta {
        Mta::Sendmail(_) => Change::run(format!("makemap {kind} {file} < {file}")),
        _ => Change::run(format!("postmap {table}")),
    })
}

fn answering(host: &Host) -> Verdict {
    let mut verdict = seen(host);
    for hosted in &host.domains {
        match &hosted.nobody {
            Existence::Wildcard(_) | Existence::Ambiguous(_) => {}
            Existence::Undetermined(why) => {
                verdict.find(State::Unknown, format!("{}: {why}", hosted.domain));
                continue;
            }
            _ => continue,
        }
        let locks = host.config().and_then(|config| config.policy.locks(&hosted.domain));
        let is_held = locks.is_some_and(|locks| {
            let lock = &locks.auto_responders;
            lock.mode == Mode::Enforce && lock.settings.policy != Answers::Allow
        });
        for responder in &hosted.responders {
            let evidence = format!("@{}: {responder}", hosted.domain);
            if is_held {
                verdict.find(State::Good, format!("{evidence}; `auto_responders` throws such answers away"));
            } else {
                verdict.mend(State::Open, evidence, removal(host, hosted));
            }
        }
        if hosted.responders.is_empty() {
            let why = "no .forward, vacation or Sieve script of the catch-all's mailbox was seen; others may be there";
            verdict.find(State::Unknown, format!("@{}: {why}", hosted.domain));
        }
    }
    verdict.or_good("there is no catch-all mailbox")
}

fn sources(host: &Host) -> Verdict {
    let Some(config) = host.config() else { return no_configuration(host) };
    if config.recipients.is_empty() {
        return Verdict::not_applicable("`recipients.sources` names none");
    }
    let mut verdict = Verdict::new();
    for asked in &host.sources {
        let lock = config.policy.locks(&asked.domain).map(|locks| &locks.recipients);
        let evidence = |text: &str| format!("{} at {}: {text}", asked.source, asked.domain);
        match &asked.answer {
            Existence::Wildcard(by) | Existence::Exists(by) => {
                let refuses = lock.is_some_and(|lock| {
                    lock.mode == Mode::Enforce && lock.settings.catch_all == CatchAll::Reject
                });
                if refuses {
                    verdict.find(State::Good, evidence(&format!("{by}; such names are refused")));
                } else {
                    verdict.mend(State::Open, evidence(&by.to_string()), refusal(host));
                }
            }
            Existence::Ambiguous(by) => {
                verdict.find(State::Open, evidence(&format!("{by}; {SETTLED}")));
            }
            Existence::Undetermined(why) => verdict.find(State::Unknown, evidence(why)),
            Existence::NoList(why) => verdict.find(State::Doubtful, evidence(why)),
            Existence::Unknown(_) | Existence::Relocated { .. } => {}
        }
    }
    verdict.or_good("none of them does")
}

fn unlisted(host: &Host) -> Verdict {
    let Mta::Postfix(postfix) = &host.mta else {
        return match &host.mta {
            Mta::Unknown(why) => Verdict::only(State::Unknown, why),
            _ => Verdict::only(State::Good, "Sendmail looks recipients up in the session"),
        };
    };
    let mut verdict = Verdict::new();
    for (service, fate) in postfix.strangers_doors() {
        let label = service.label();
        let options = postfix.value(service, "receive_override_options");
        let implicit = postfix.is_yes(service, "smtpd_reject_unlisted_recipient");
        let checks = |list| {
            let all = postfix.restrictions(service, list);
            // What stands behind an unconditional permit is never asked.
            let mut asked = all.iter().take_while(|(_, one)| !one.ends());
            asked.any(|(_, one)| is_check_of_recipients(one))
        };
        // What comes back from a filter was checked when it came in; what strangers send was not.
        if has(options, "no_unknown_recipient_checks") {
            let evidence = format!("{label}: receive_override_options = no_unknown_recipient_checks");
            let change = postfix.set(
                service,
                "receive_override_options",
                &without(options, "no_unknown_recipient_checks"),
            );
            verdict.mend(severity(fate), evidence, vec![change]);
        }
        if !implicit && !LISTS.iter().any(|list| checks(list)) {
            verdict.mend(
                severity(fate),
                format!("{label}: smtpd_reject_unlisted_recipient = no"),
                vec![postfix.set(service, "smtpd_reject_unlisted_recipient", "yes")],
            );
        }
        if postfix.is_yes(service, "soft_bounce") {
            let evidence = format!("{label}: soft_bounce = yes, so refusals are deferrals");
            verdict.mend(severity(fate), evidence, vec![postfix.set(service, "soft_bounce", "no")]);
        }
    }
    for hosted in &host.domains {
        let why = match &hosted.nobody {
            Existence::NoList(why) => why,
            Existence::Undetermined(why) => {
                verdict.find(State::Unknown, format!("{}: {why}", hosted.domain));
                continue;
            }
            _ => continue,
        };
        let Some(class) = hosted.class else { continue };
        let restrictions = postfix.main_cf.value("smtpd_recipient_restrictions");
        let ours = host.sources.iter().filter(|asked| asked.domain == hosted.domain);
        let is_ours = ours.map(|asked| &asked.answer).any(|answer| matches!(answer, Existence::Unknown(_)))
            && lock(host, hosted).0 == Mode::Enforce;
        let is_verified = postfix.strangers_doors().all(|(service, _)| {
            has(postfix.value(service, "smtpd_recipient_restrictions"), "reject_unverified_recipient")
        });
        if is_verified || is_ours {
            continue;
        }
        let main_cf = postfix.main_cf.file();
        let change = if class == Class::Local && !delivers_elsewhere(postfix) {
            Change::set(main_cf, "local_recipient_maps = proxy:unix:passwd.byname $alias_maps")
        } else {
            // The next hop is asked, so that nobody who exists is refused meanwhile.
            let mut all: Vec<&str> = words(restrictions).collect();
            // What stands behind an unconditional permit is never asked.
            let at = all.iter().position(|word| word.eq_ignore_ascii_case("permit")).unwrap_or(all.len());
            all.insert(at, "reject_unverified_recipient");
            Change::set(main_cf, setting("smtpd_recipient_restrictions", &all.join(", ")))
        };
        verdict.mend(State::Open, format!("{}: {why}", hosted.domain), vec![change]);
    }
    verdict.or_good(match host.domains.as_slice() {
        [] => format!("{}; no domain is hosted here", of_strangers(host)),
        _ => format!("{}, for {}", of_strangers(host), domains(host)),
    })
}

/// Whether a restriction refuses recipients that no table knows.
fn is_check_of_recipients(one: &Restriction<'_>) -> bool {
    one.is_any(&["reject_unlisted_recipient", "check_recipient_maps"]) && !one.only_warns
}

/// Whether local mail leaves local(8), so that its users need not be in the passwd file.
fn delivers_elsewhere(postfix: &Postfix) -> bool {
    let others =
        ["mailbox_transport", "mailbox_transport_maps", "fallback_transport", "fallback_transport_maps"];
    others.iter().any(|name| !postfix.main_cf.value(name).is_empty())
        || !postfix.main_cf.value("local_transport").starts_with("local")
}

fn vrfy(host: &Host) -> Verdict {
    match &host.mta {
        Mta::Unknown(why) => Verdict::only(State::Unknown, why),
        Mta::Postfix(postfix) => {
            let mut verdict = Verdict::new();
            // VRFY is judged like RCPT: who may not write to anybody is not told who there is.
            for (service, fate) in postfix.strangers_doors() {
                if !postfix.is_yes(service, "disable_vrfy_command") {
                    verdict.mend(
                        severity(fate),
                        format!("{}: disable_vrfy_command = no", service.label()),
                        vec![postfix.set(service, "disable_vrfy_command", "yes")],
                    );
                }
            }
            verdict.or_good(of_strangers(host))
        }
        Mta::Sendmail(sendmail) => {
            let flags = sendmail.cf.option("PrivacyOptions");
            if has(flags, "goaway") || (has(flags, "novrfy") && has(flags, "noexpn")) {
                return Verdict::only(State::Good, format!("PrivacyOptions={flags}"));
            }
            // `goaway` is not all flags; those that are set stay.
            let words = flags.split([',', ' ']).filter(|flag| !flag.is_empty());
            let list = words.chain(["goaway"]).collect::<Vec<_>>().join(",");
            let flags = if flags.is_empty() { "(none)" } else { flags };
            let mut verdict = Verdict::new();
            let line = format!("define(`confPRIVACY_FLAGS',`{list}')dnl");
            let change = Change::set(&sendmail.macros, &line);
            verdict.mend(State::Open, format!("PrivacyOptions={flags}"), vec![change]);
            verdict
        }
    }
}

fn postmaster(host: &Host) -> Verdict {
    let mut verdict = seen(host);
    for hosted in &host.domains {
        for (name, existence) in &hosted.roles {
            let address = format!("{name}@{}", hosted.domain);
            match existence {
                Existence::Unknown(_) => {
                    verdict.mend(State::Open, format!("{address} is unknown"), reachable(host, hosted, name));
                }
                Existence::Wildcard(by) => verdict.mend(
                    State::Doubtful,
                    format!("{address} is reached through the catch-all only ({by})"),
                    reachable(host, hosted, name),
                ),
                Existence::Ambiguous(by) => verdict.mend(
                    State::Doubtful,
                    format!("{address} may be reached through a catch-all only ({by}, as for any name)"),
                    reachable(host, hosted, name),
                ),
                Existence::Undetermined(why) => verdict.find(State::Unknown, format!("{address}: {why}")),
                Existence::Exists(_) | Existence::Relocated { .. } | Existence::NoList(_) => {}
            }
        }
    }
    verdict.or_good(format!("both at {}", domains(host)))
}

/// The alias that makes a name reachable.
fn reachable(host: &Host, hosted: &Hosted, name: &str) -> Vec<Change> {
    match &host.mta {
        Mta::Postfix(postfix) if hosted.class == Some(Class::Local) => {
            let Some((table, file)) = text_table(postfix, "alias_maps") else { return Vec::new() };
            let line = format!("{name}: root");
            vec![Change::add(Path::new(file), vec![line]), Change::run(format!("postalias {table}"))]
        }
        Mta::Postfix(postfix) => {
            let line = format!("{}@{}\troot", name, hosted.domain);
            if let Some((table, file)) = text_table(postfix, "virtual_alias_maps") {
                let add = Change::add(Path::new(file), vec![line]);
                return [add].into_iter().chain(rebuild(&host.mta, table)).collect();
            }
            let main_cf = postfix.main_cf.file();
            let file = main_cf.with_file_name("virtual");
            let table = format!("{}:{}", table_kind(postfix), file.display());
            let value = format!("{} {table}", postfix.main_cf.value("virtual_alias_maps"));
            let set = Change::set(main_cf, setting("virtual_alias_maps", &value));
            [Change::add(&file, vec![line]), set].into_iter().chain(rebuild(&host.mta, &table)).collect()
        }
        _ => Vec::new(),
    }
}

/// The first table of a parameter that is made from a text, and its text.
fn text_table<'a>(postfix: &'a Postfix, parameter: &str) -> Option<(&'a str, &'a str)> {
    let tables = postfix.main_cf.value(parameter).split([' ', ',', '\t']);
    let mut tables = tables.map(|table| table.trim_start_matches("proxy:"));
    tables.find_map(|table| {
        let (kind, file) = table.split_once(':')?;
        let kinds = ["hash", "btree", "lmdb", "cdb", "dbm", "texthash"];
        (kinds.contains(&kind) && file.starts_with('/')).then_some((table, file))
    })
}

/// The beginning of a verdict about the domains: where there are none, nothing can be said.
fn seen(host: &Host) -> Verdict {
    let mut verdict = Verdict::new();
    if host.domains.is_empty() && host.unlisted.is_empty() {
        let why = match &host.mta {
            Mta::Unknown(why) => why.clone(),
            _ => "no domain is hosted here".to_owned(),
        };
        verdict.find(
            if matches!(host.mta, Mta::Unknown(_)) { State::Unknown } else { State::NotApplicable },
            why,
        );
    }
    for why in host.unseen() {
        verdict.find(State::Unknown, why);
    }
    verdict
}

fn domains(host: &Host) -> String {
    named(host.domains.iter().map(|hosted| &hosted.domain))
}

/// What is said where our configuration would be needed.
pub(super) fn no_configuration(host: &Host) -> Verdict {
    let why = host.configuration.as_ref().err().map_or("", String::as_str);
    Verdict::only(State::Unknown, format!("{}: {why}", host.config_file.display()))
}
