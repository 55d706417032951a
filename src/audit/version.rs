//! Chapter 6, third part: known faults of the mail server, and whether its settings make up for them.

use super::host::{Mta, Postfix, has};
use super::{Change, Chapter, Host, Row, State, Verdict};
use crate::mta::postfix::master_cf::Service;
use crate::mta::postfix::networks::network;
use crate::mta::postfix::restrictions::restrictions as restrictions_of;
use crate::mta::postfix::words;

/// The mail server's age.
pub(super) static MTA: Row = Row {
    name: "mta-version",
    chapter: Chapter::UpToDate,
    title: "The mail server has no known fault with milters",
    consequence: "What a milter asks for is done in part, or forged messages pass SPF.",
    judge: mta,
};

/// The setting against messages that are smuggled in behind others (CVE-2023-51764). Distributions have brought it to
/// versions that did not have it, so that whether it is there counts, and not the version.
const BARE_NEWLINE: &str = "smtpd_forbid_bare_newline";

/// Whether a version is before the one in which its branch got a fix; `fixed` has each branch's, the newest first.
fn is_before(version: &str, fixed: &[[u32; 3]]) -> Option<bool> {
    let mut numbers = version.split(['.', '-', '_']).map_while(|part| part.parse::<u32>().ok());
    let version = [numbers.next()?, numbers.next()?, numbers.next().unwrap_or(0)];
    let branch = fixed.iter().find(|fixed| fixed[..2] == version[..2]);
    Some(match branch {
        Some(fixed) => version < *fixed,
        None => fixed.first().is_some_and(|newest| version < *newest),
    })
}

fn mta(host: &Host) -> Verdict {
    match &host.mta {
        Mta::Unknown(why) => Verdict::only(State::Unknown, why),
        Mta::Postfix(postfix) => postfix_version(postfix),
        Mta::Sendmail(sendmail) => {
            let version = &sendmail.cf.version;
            match is_before(version, &[[8, 17, 1]]) {
                None => Verdict::only(State::Unknown, "sendmail.cf does not say its version"),
                Some(true) => Verdict::only(
                    State::Open,
                    format!(
                        "Sendmail {version}: a milter's refusal of a recipient may be lost (fixed in 8.17.1)"
                    ),
                ),
                Some(false) => Verdict::only(State::Good, format!("Sendmail {version}")),
            }
        }
    }
}

fn postfix_version(postfix: &Postfix) -> Verdict {
    let version = postfix.main_cf.value("mail_version");
    let mut verdict = Verdict::new();
    if is_before(version, &[[3, 0, 0]]) == Some(true) {
        let what = "no settings for one milter, so that default_action is the same for all (since 3.0)";
        verdict.find(State::Open, format!("Postfix {version}: {what}"));
    }
    let fixed = [[3, 9, 0], [3, 8, 6], [3, 7, 11], [3, 6, 15], [3, 5, 25]];
    match is_before(version, &fixed) {
        None => verdict.find(State::Unknown, format!("the version of Postfix is not known: {version}")),
        Some(true) => {
            let what = "after an access table's PREPEND it deletes the wrong header field for a milter, so that forged \
                        results may stay (fixed in 3.5.25, 3.6.15, 3.7.11, 3.8.6, 3.9)";
            verdict.find(State::Open, format!("Postfix {version}: {what}"));
        }
        Some(false) => {}
    }
    // Messages are smuggled through a host that passes them on; whoever logs in here sends them himself.
    for (service, _) in postfix.strangers_doors() {
        smuggling(postfix, service, &mut verdict);
    }
    verdict.or_good(format!("Postfix {version}"))
}

/// Whether messages can be smuggled in behind others at a service.
fn smuggling(postfix: &Postfix, service: &Service, verdict: &mut Verdict) {
    let value = postfix.value(service, BARE_NEWLINE);
    let name = Postfix::named(service, BARE_NEWLINE);
    if !["", "no"].contains(&value.to_ascii_lowercase().as_str()) {
        let exclusions = "smtpd_forbid_bare_newline_exclusions";
        let list = postfix.value(service, exclusions);
        let is_everybody = words(list).filter_map(network).any(|network| network.prefix_len() <= 1);
        // Where it is mynetworks, there is a row for that.
        if is_everybody && list != postfix.value(service, "mynetworks") {
            let evidence =
                format!("{}: everybody is excluded from {BARE_NEWLINE}", Postfix::named(service, exclusions));
            verdict.mend(State::Open, evidence, vec![postfix.set(service, exclusions, "$mynetworks")]);
        }
        return;
    }
    let harm = "messages can be smuggled in behind others, and pass SPF as those do";
    let since = "since 3.5.23, 3.6.13, 3.7.9, 3.8.4, 3.9";
    let found = match value {
        "" => {
            format!("Postfix {}: there is no {BARE_NEWLINE} ({since})", postfix.main_cf.value("mail_version"))
        }
        value => format!("{name} = {value}"),
    };
    let long_term: Option<Change> = (!value.is_empty()).then(|| {
        // What came with it says which values it has.
        let knows = postfix.main_cf.has("smtpd_forbid_bare_newline_reject_code");
        postfix.set(service, BARE_NEWLINE, if knows { "normalize" } else { "yes" })
    });
    let lacking = lacking_of_short_term(postfix, service);
    if lacking.is_empty() {
        let evidence = format!(
            "{found}: without pipelining and CHUNKING the attack fails as it was published, but not in every form"
        );
        verdict.mend(State::Doubtful, evidence, long_term.into_iter().collect());
        return;
    }
    let changes = match long_term {
        Some(change) => vec![change],
        // An update is better; until then this stops what was published.
        None => lacking,
    };
    verdict.mend(State::Open, format!("{found}: {harm} (CVE-2023-51764)"), changes);
}

/// What refuses clients that send ahead.
const REFUSES: &str = "reject_unauth_pipelining";

/// What is missing of the settings that stop the attack as it was published: clients that send ahead are refused, and
/// with CHUNKING there is no sending ahead to be seen.
fn lacking_of_short_term(postfix: &Postfix, service: &Service) -> Vec<Change> {
    let list = "smtpd_data_restrictions";
    let restrictions = postfix.restrictions(service, list);
    let mut asked = restrictions.iter().map(|(_, one)| one).take_while(|one| !one.ends());
    let refuses = postfix.is_yes(service, "smtpd_forbid_unauth_pipelining")
        || asked.any(|one| one.is(REFUSES) && !one.only_warns);
    let mut lacking = Vec::new();
    if !refuses {
        let others = restrictions_of(postfix.value(service, list)).into_iter();
        let others = others.filter(|one| !one.is(REFUSES)).map(|one| one.written());
        let all: Vec<String> = [REFUSES.to_owned()].into_iter().chain(others).collect();
        lacking.push(postfix.set(service, list, &all.join(", ")));
    }
    let discarded = postfix.value(service, "smtpd_discard_ehlo_keywords");
    // Before 3.4 there was no CHUNKING.
    let has_chunking = is_before(postfix.main_cf.value("mail_version"), &[[3, 4, 0]]) != Some(true);
    if has_chunking && !has(discarded, "chunking") {
        let all = format!("{discarded}, chunking");
        lacking.push(postfix.set(service, "smtpd_discard_ehlo_keywords", all.trim_start_matches([',', ' '])));
    }
    lacking
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::mta::postfix::main_cf::MainCf;
    use crate::mta::postfix::master_cf::MasterCf;

    #[test]
    fn versions_before_a_fix() {
        let fixed = [[3, 9, 0], [3, 8, 6], [3, 7, 11]];
        for (version, expected) in [
            ("3.7.11", Some(false)),
            ("3.7.9", Some(true)),
            ("3.8.5", Some(true)),
            ("3.8.6", Some(false)),
            ("3.9.0", Some(false)),
            ("3.11-20260101", Some(false)),
            ("2.11.3", Some(true)),
            ("4.0.0", Some(false)),
            ("x", None),
        ] {
            assert_eq!(is_before(version, &fixed), expected, "{version}");
        }
    }

    /// What is found of a Postfix with these settings, and the lines that mend it.
    #[track_caller]
    fn check(settings: &[(&str, &str)], state: State, lines: &[&str]) {
        let service = Service {
            name: "smtp".to_owned(),
            kind: "inet".to_owned(),
            chroot: false,
            command: "smtpd".to_owned(),
            overrides: Vec::new(),
        };
        let postfix = Postfix {
            main_cf: MainCf::of(Path::new("/etc/postfix"), settings),
            master_cf: MasterCf { services: vec![service], file: PathBuf::from("/etc/postfix/master.cf") },
            networks: BTreeMap::new(),
        };
        let mut verdict = Verdict::new();
        smuggling(&postfix, &postfix.master_cf.services[0], &mut verdict);
        let verdict = verdict.or_good("");
        assert_eq!(verdict.state(), state, "{settings:?}");
        let found: Vec<&String> = verdict.changes().iter().flat_map(|change| &change.lines).collect();
        assert_eq!(found, lines, "{settings:?}");
    }

    /// Versions of which the machine has one at most: what each of them knows, as its release notes say.
    #[test]
    fn settings_of_versions_against_smuggling() {
        let old = |more: &[(&'static str, &'static str)]| [&[("mail_version", "3.5.19")], more].concat();
        let both = [
            ("smtpd_data_restrictions", "permit_mynetworks, reject_unauth_pipelining"),
            ("smtpd_discard_ehlo_keywords", "chunking, silent-discard"),
        ];
        check(&old(&both), State::Doubtful, &[]);
        let short_term =
            ["smtpd_data_restrictions = reject_unauth_pipelining", "smtpd_discard_ehlo_keywords = chunking"];
        check(&old(&[]), State::Open, &short_term);
        check(&old(&both[..1]), State::Open, &short_term[1..]);
        check(&old(&both[1..]), State::Open, &short_term[..1]);
        let discarded = [("smtpd_discard_ehlo_keywords", "dsn"), both[0]];
        check(&old(&discarded), State::Open, &["smtpd_discard_ehlo_keywords = dsn, chunking"]);
        let never = [("smtpd_data_restrictions", "permit, reject_unauth_pipelining"), both[1]];
        check(&old(&never), State::Open, &["smtpd_data_restrictions = reject_unauth_pipelining, permit"]);
        let warned = [("smtpd_data_restrictions", "warn_if_reject reject_unauth_pipelining"), both[1]];
        check(&old(&warned), State::Open, &["smtpd_data_restrictions = reject_unauth_pipelining"]);
        // 3.5.20, 3.6.10, 3.7.6, 3.8.1
        check(&old(&[("smtpd_forbid_unauth_pipelining", "yes"), both[1]]), State::Doubtful, &[]);
        // 3.3 has no CHUNKING.
        check(&[("mail_version", "3.3.0"), both[0]], State::Doubtful, &[]);
        // 3.5.23, 3.6.13, 3.7.9, 3.8.4
        let no = (BARE_NEWLINE, "no");
        check(&old(&[no]), State::Open, &["smtpd_forbid_bare_newline = yes"]);
        check(&old(&[no, both[0], both[1]]), State::Doubtful, &["smtpd_forbid_bare_newline = yes"]);
        check(&old(&[(BARE_NEWLINE, "yes")]), State::Good, &[]);
        // 3.5.24, 3.6.14, 3.7.10, 3.8.5, 3.9
        let code = ("smtpd_forbid_bare_newline_reject_code", "550");
        check(&old(&[no, code]), State::Open, &["smtpd_forbid_bare_newline = normalize"]);
        for value in ["normalize", "Reject", "note", "yes"] {
            check(&old(&[(BARE_NEWLINE, value), code]), State::Good, &[]);
        }
        let nobody = ("smtpd_forbid_bare_newline_exclusions", "10.0.0.0/8 0.0.0.0/0");
        check(
            &old(&[(BARE_NEWLINE, "yes"), nobody]),
            State::Open,
            &["smtpd_forbid_bare_newline_exclusions = $mynetworks"],
        );
    }
}
