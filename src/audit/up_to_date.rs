//! Chapter 6, second part: programs, modes, sockets and secrets.

use super::host::{Mta, named};
use super::{Change, Chapter, Host, Row, State, Verdict};
use crate::check::{CheckId, Locks, Mode};
use crate::config::{Address, Config};

/// Our configuration.
pub(super) static CONFIGURATION: Row = Row {
    name: "configuration",
    chapter: Chapter::UpToDate,
    title: "lockdown-milter has a configuration that can be used",
    consequence: "The daemon does not run, or goes on with what it had.",
    judge: configuration,
};

/// What is meant seriously.
pub(super) static MODES: Row = Row {
    name: "modes",
    chapter: Chapter::UpToDate,
    title: "Every lock is enforced",
    consequence: "What the lock finds is logged, and the mail is delivered.",
    judge: modes,
};

/// Exceptions.
pub(super) static EXCEPTIONS: Row = Row {
    name: "exceptions",
    chapter: Chapter::UpToDate,
    title: "No exception has outlived its reason",
    consequence: "Nobody knows any more what is exempt, and why.",
    judge: exceptions,
};

/// The mail server's age.
pub(super) static MTA: Row = Row {
    name: "mta-version",
    chapter: Chapter::UpToDate,
    title: "The mail server has no known fault with milters",
    consequence: "What a milter asks for is done in part, or messages arrive that no milter saw.",
    judge: mta,
};

/// Sockets.
pub(super) static SOCKETS: Row = Row {
    name: "sockets",
    chapter: Chapter::UpToDate,
    title: "Only the mail server reaches our sockets",
    consequence: "Others can ask which names exist, keep the daemon busy, or take the place of its socket.",
    judge: sockets,
};

/// Secrets.
pub(super) static SECRETS: Row = Row {
    name: "secrets",
    chapter: Chapter::UpToDate,
    title: "Passwords are read by nobody else",
    consequence: "Every user and every program of this host can read the database of mailboxes, or change who decides.",
    judge: secrets,
};

fn configuration(host: &Host) -> Verdict {
    let file = host.config_file.display();
    match &host.configuration {
        Err(why) => Verdict::only(State::Open, format!("{file}: {why}")),
        Ok(config) => {
            let mut verdict = Verdict::new();
            for warning in &host.warnings {
                verdict.find(State::Doubtful, warning);
            }
            if config.policy.hosted.is_empty() {
                verdict.find(
                    State::Open,
                    format!("{file}: no domain is hosted, so that no lock judges any mail"),
                );
            }
            let version = env!("CARGO_PKG_VERSION");
            verdict.or_good(format!(
                "{file}, hosted domains: {}, lockdown-milter {version}",
                config.policy.hosted.len()
            ))
        }
    }
}

fn modes(host: &Host) -> Verdict {
    let Some(config) = host.config() else { return super::catch_all::no_configuration(host) };
    let policy = &config.policy;
    let mut verdict = Verdict::new();
    if policy.mode != Mode::Enforce {
        let state = if policy.mode == Mode::Off { State::Open } else { State::Doubtful };
        let evidence = format!("mode: {} caps every lock", policy.mode.as_str());
        verdict.mend(state, evidence, vec![Change::merge(host, vec!["mode: enforce".to_owned()])]);
        return verdict;
    }
    for (name, lock) in CheckId::LOCKS {
        // Strangers' mail for strangers is the mail server's own matter.
        if lock == CheckId::Relay {
            continue;
        }
        for (mode, state) in [(Mode::Off, State::Open), (Mode::Monitor, State::Doubtful)] {
            // Without sources the lock on recipients is off, which its mode does not change.
            let is_blind = |locks: &Locks| lock == CheckId::Recipients && without_sources(locks);
            let is_so = |locks: &Locks| locks.mode(lock) == mode && !is_blind(locks);
            let domains: Vec<String> = policy
                .hosted
                .iter()
                .filter(|(_, locks)| is_so(locks))
                .map(|(domain, _)| domain.to_string())
                .collect();
            if domains.is_empty() {
                continue;
            }
            let change = if lock == CheckId::Harvest {
                Change::merge(host, vec!["harvest:".to_owned(), "  mode: enforce".to_owned()])
            } else {
                Change::of_domains(host, &domains, &format!("{name}: {{ mode: enforce }}"))
            };
            let evidence = format!("{name}: {} for {}", mode.as_str(), named(domains));
            verdict.mend(state, evidence, vec![change]);
        }
    }
    let blind = policy.hosted.iter().filter(|(_, locks)| without_sources(locks));
    let blind: Vec<String> = blind.map(|(domain, _)| domain.to_string()).collect();
    if !blind.is_empty() {
        let tables = super::catch_all::own_tables(host);
        let lines = vec!["defaults:".to_owned(), format!("  recipients: {{ sources: {tables} }}")];
        let changes = match &host.mta {
            Mta::Postfix(_) => vec![Change::merge(host, lines)],
            _ => Vec::new(),
        };
        verdict.mend(State::Open, format!("recipients: no sources for {}", named(blind)), changes);
    }
    verdict.or_good(format!("hosted domains: {}", policy.hosted.len()))
}

fn without_sources(locks: &Locks) -> bool {
    locks.recipients.settings.sources.is_empty()
}

fn exceptions(host: &Host) -> Verdict {
    let Some(config) = host.config() else { return super::catch_all::no_configuration(host) };
    let mut verdict = Verdict::new();
    let policy = &config.policy;
    let named = policy.hosted.iter().map(|(domain, locks)| (domain.to_string(), locks));
    let all = named.chain([("defaults".to_owned(), &policy.defaults)]);
    let mut seen = Vec::new();
    for (of, locks) in all {
        for exception in &locks.exceptions {
            if seen.contains(&exception) {
                continue;
            }
            seen.push(exception);
            let what = exception.note.clone().unwrap_or_else(|| "without a note".to_owned());
            match exception.until {
                Some(until) if exception.is_expired(host.today) => {
                    verdict.find(State::Open, format!("{of}: expired on {until}: {what}"));
                }
                Some(_) => {}
                None => verdict.find(State::Doubtful, format!("{of}: an exception without an end: {what}")),
            }
        }
    }
    verdict.or_good("none has")
}

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

fn postfix_version(postfix: &super::host::Postfix) -> Verdict {
    let main_cf = &postfix.main_cf;
    let version = main_cf.value("mail_version");
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
    let bare = "smtpd_forbid_bare_newline";
    match main_cf.value(bare) {
        "" => {
            let what = "messages can be smuggled in behind others, unseen by any milter (fixed in 3.5.23, 3.6.13, 3.7.9, 3.8.4)";
            verdict.find(State::Open, format!("Postfix {version}: {what}"));
        }
        "no" => {
            let evidence =
                format!("{bare} = no: messages can be smuggled in behind others, unseen by any milter");
            // Patch releases before this one knew `yes` only.
            let knows = is_before(version, &[[3, 9, 0], [3, 8, 5], [3, 7, 10], [3, 6, 14], [3, 5, 24]])
                == Some(false);
            let value = if knows { "normalize" } else { "yes" };
            verdict.mend(
                State::Open,
                evidence,
                vec![Change::set(main_cf.file(), format!("{bare} = {value}"))],
            );
        }
        _ => {}
    }
    verdict.or_good(format!("Postfix {version}"))
}

fn sockets(host: &Host) -> Verdict {
    let Some(config) = host.config() else { return super::catch_all::no_configuration(host) };
    let mut verdict = Verdict::new();
    for socket in &host.sockets {
        let name = &socket.name;
        if socket.open_to_all {
            verdict.find(State::Open, format!("{name}: `allowed_peers` lets every host in"));
        }
        if let Some((folder, is_everybodys)) = &socket.open_folder {
            let evidence = format!("{name}: everybody may write to {}", folder.display());
            if *is_everybodys {
                // Other programs need it as it is.
                verdict.find(
                    State::Open,
                    format!("{evidence}; use a folder of its own, such as /run/lockdown-milter"),
                );
            } else {
                let change = Change::run(format!("chmod o-w {}", folder.display()));
                verdict.mend(State::Open, evidence, vec![change]);
            }
        }
        if let Some(permissions) = socket.permissions.filter(|bits| bits & 0o006 != 0) {
            let evidence = format!("{name}: permissions {permissions:04o} let every user in");
            let path = name.trim_start_matches("unix:");
            let lines = ["listen:".to_owned()].into_iter().chain(closed(config)).collect();
            let mut changes = vec![Change::merge(host, lines)];
            if socket.is_there {
                changes.push(Change::run(format!("chmod o-rwx {path}")));
            }
            verdict.mend(State::Open, evidence, changes);
        }
    }
    verdict.or_good(named(host.sockets.iter().map(|socket| &socket.name)))
}

/// The listeners of ours, with the permissions of others taken away.
fn closed(config: &Config) -> impl Iterator<Item = String> {
    config.listeners.iter().map(|listener| {
        let role = listener.role.as_str();
        match &listener.address {
            Address::Inet(address) => {
                let peers: Vec<String> =
                    listener.allowed_peers.iter().map(|one| format!("\"{one}\"")).collect();
                format!("  - {{ inet: \"{address}\", allowed_peers: [{}], role: {role} }}", peers.join(", "))
            }
            Address::Unix { path, permissions, group } => {
                let group = group.as_ref().map_or_else(String::new, |group| format!(", group: {group}"));
                let permissions = permissions & 0o770;
                let path = path.display();
                format!("  - {{ unix: {path}, permissions: \"{permissions:04o}\"{group}, role: {role} }}")
            }
        }
    })
}

fn secrets(host: &Host) -> Verdict {
    let mut verdict = Verdict::new();
    for secret in &host.secrets {
        let file = secret.file.display();
        match &secret.access {
            Err(why) => verdict.find(State::Unknown, format!("{file} ({}): {why}", secret.what)),
            Ok(access) => {
                if access.read && secret.is_secret {
                    let change = Change::run(format!("chmod o-rwx {file}"));
                    verdict.mend(
                        State::Open,
                        format!("{file} ({}): everybody can read it", secret.what),
                        vec![change],
                    );
                }
                if access.write {
                    let change = Change::run(format!("chmod o-w {file}"));
                    verdict.mend(
                        State::Open,
                        format!("{file} ({}): everybody can write to it", secret.what),
                        vec![change],
                    );
                }
            }
        }
    }
    if host.secrets.is_empty() {
        return Verdict::not_applicable("no file is known to keep one");
    }
    verdict.or_good(named(host.secrets.iter().map(|secret| secret.file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
