//! Chapter 6, second part: our configuration, modes, sockets and secrets.

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
    if policy.hosted.is_empty() {
        return Verdict::not_applicable("no domain is hosted by lockdown-milter");
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
