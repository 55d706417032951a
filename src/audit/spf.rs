//! Chapter 5: every hosted domain says who sends for it, and what others say is honoured.

use super::catch_all::no_configuration;
use super::host::named;
use super::{Change, Chapter, Host, Row, State, Verdict};
use crate::check::spf::Action;

/// What hosted domains publish.
pub(super) static RECORDS: Row = Row {
    name: "spf-records",
    chapter: Chapter::Spf,
    title: "Every hosted domain publishes who sends for it",
    consequence: "Anybody sends as the domain to everybody else, and its own mail is trusted less.",
    judge: records,
};

/// What becomes of forged senders.
pub(super) static LOCK: Row = Row {
    name: "spf-fail",
    chapter: Chapter::Spf,
    title: "Senders that fail SPF are refused",
    consequence: "Mail arrives from hosts of which the sender's domain says that they are not its own.",
    judge: lock,
};

fn records(host: &Host) -> Verdict {
    let mut verdict = Verdict::new();
    for hosted in &host.domains {
        let domain = &hosted.domain;
        match &hosted.spf {
            Err(why) => verdict.find(State::Unknown, format!("{domain}: {why}")),
            Ok(records) => match records.as_slice() {
                [] => {
                    let change = Change::publish(format!("{domain}. IN TXT \"v=spf1 mx ~all\""));
                    let evidence =
                        format!("{domain} publishes no record; `spf suggest {domain}` finds a better one");
                    verdict.mend(State::Open, evidence, vec![change]);
                }
                [record] => record_of(domain.as_str(), record, &mut verdict),
                several => {
                    let evidence =
                        format!("{domain} publishes {} records, so that none counts", several.len());
                    verdict.find(State::Open, format!("{evidence}; publish one with the terms of all"));
                }
            },
        }
    }
    let unseen = host.unseen();
    if host.domains.is_empty() && unseen.is_empty() {
        return Verdict::not_applicable("no domain is hosted here");
    }
    for why in unseen {
        verdict.find(State::Unknown, why);
    }
    verdict.or_good(named(host.domains.iter().map(|hosted| &hosted.domain)))
}

/// Judges a record by how it ends.
fn record_of(domain: &str, record: &str, verdict: &mut Verdict) {
    let terms: Vec<String> = record.split_ascii_whitespace().map(str::to_ascii_lowercase).collect();
    let is_all = |term: &&String| term.trim_start_matches(['+', '-', '~', '?']) == "all";
    let mended = || {
        let kept = record.split_ascii_whitespace().filter(|term| !is_all(&&term.to_ascii_lowercase()));
        let kept: Vec<&str> = kept.collect();
        vec![Change::publish(format!("{domain}. IN TXT \"{} ~all\"", kept.join(" ")))]
    };
    match terms.iter().find(is_all).map(String::as_str) {
        Some("-all" | "~all") => {}
        Some("?all") => {
            verdict.mend(State::Doubtful, format!("{domain}: ?all says nothing of others"), mended());
        }
        Some(all) => {
            verdict.mend(State::Open, format!("{domain}: {all} lets everybody send for it"), mended());
        }
        None if terms.iter().any(|term| term.starts_with("redirect=")) => {}
        None => {
            verdict.mend(State::Doubtful, format!("{domain}: the record does not end in `all`"), mended());
        }
    }
}

fn lock(host: &Host) -> Verdict {
    let Some(config) = host.config() else { return no_configuration(host) };
    let lenient: Vec<String> = config
        .policy
        .hosted
        .iter()
        .filter(|(_, locks)| locks.spf.settings.mail_from.fail == Action::Accept)
        .map(|(domain, _)| domain.to_string())
        .collect();
    let mut verdict = Verdict::new();
    if !lenient.is_empty() {
        let change = Change::of_domains(host, &lenient, "spf: { mail_from: { fail: reject } }");
        let evidence = format!("spf.mail_from.fail is `accept` for {}", named(lenient));
        verdict.mend(State::Open, evidence, vec![change]);
    }
    if config.policy.hosted.is_empty() {
        return Verdict::not_applicable("no domain is hosted by lockdown-milter");
    }
    verdict.or_good(format!("hosted domains: {}", config.policy.hosted.len()))
}
