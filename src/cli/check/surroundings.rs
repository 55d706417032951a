//! What a good configuration meets: whether DNS and Postfix agree with what it asks for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use nix::unistd::{AccessFlags, access};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::check::Mode;
use crate::config::{Config, Diagnostic, Severity};
use crate::lookup::Sources;
use crate::lookup::postfix::main_cf::MainCf;
use crate::lookup::postfix::networks::Networks;
use crate::mail::Domain;

/// Domains asked for, at most; the answers of more would not be read.
const MOST: usize = 200;

/// Domains named in one line, at most.
const NAMED: usize = 10;

/// How long DNS may take for all of them.
const PATIENCE: Duration = Duration::from_secs(20);

/// Hosted domains that take a login and publish no SPF record: nobody outside can send for them.
pub(super) async fn without_spf(config: &Config, sources: &Arc<Sources>) -> Vec<Diagnostic> {
    let takes_login = |domain: &&Domain| {
        let lock = config.policy.locks(domain).map(|locks| &locks.require_auth);
        lock.is_some_and(|lock| {
            lock.mode != Mode::Off && lock.settings.mail_from && lock.settings.unless_spf_pass
        })
    };
    let mut asked = JoinSet::new();
    for domain in config.policy.hosted.keys().filter(takes_login).take(MOST).cloned() {
        let sources = Arc::clone(sources);
        asked.spawn(async move { (sources.has_spf(&domain).await, domain) });
    }
    let (mut without, mut unknown, open) = (Vec::new(), Vec::new(), asked.len());
    let ended = timeout(PATIENCE, async {
        while let Some(answer) = asked.join_next().await {
            match answer {
                Ok((Ok(true), _)) => {}
                Ok((Ok(false), domain)) => without.push(domain),
                Ok((Err(why), domain)) => unknown.push((domain, why)),
                Err(broken) => tracing::warn!(%broken, "a look-up broke off"),
            }
        }
    });
    let in_time = ended.await.is_ok();
    let mut problems = Vec::new();
    if !without.is_empty() {
        without.sort();
        let message = format!(
            "no SPF record, and a login is required to send as them: {}",
            named(without.iter().map(Domain::as_str))
        );
        let hint = "nobody outside can send for them; publish a record if somebody should";
        problems.push(Diagnostic::of_host(Severity::Warning, "dns", message, Some(hint)));
    }
    if !unknown.is_empty() || !in_time {
        let message = match unknown.first() {
            Some((domain, why)) => format!("whether {domain} publishes an SPF record is not known: {why}"),
            None => format!("the SPF records of {open} domains could not be read within {PATIENCE:?}"),
        };
        problems.push(Diagnostic::of_host(
            Severity::Note,
            "dns",
            message,
            Some("see `dns.servers`, or try --offline"),
        ));
    }
    problems
}

/// The first few names, and how many more there are.
fn named<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let shown = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// A store that the daemon needs and this user cannot write to: mail flows without it, and nothing is learned.
pub(super) fn unusable_store(config: &Config) -> Option<Diagnostic> {
    if !config.policy.learns() {
        return None;
    }
    let path = &config.ledger.path;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (what, hint) = if !folder.is_dir() {
        (folder, "there is no such folder; make it, or name another one in `ledger.path`")
    } else if access(folder, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        (folder, "this user cannot write to it; run `check` as the daemon's user, or change its owner")
    } else if path.exists() && access(path.as_path(), AccessFlags::R_OK | AccessFlags::W_OK).is_err() {
        (
            path.as_path(),
            "this user cannot write to it; run `check` as the daemon's user, or change its owner",
        )
    } else {
        return None;
    };
    let message = "what is learned about names behind a wildcard cannot be stored".to_owned();
    Some(Diagnostic::of_host(Severity::Warning, &what.display().to_string(), message, Some(hint)))
}

/// Networks of Postfix's `mynetworks` that are not in `trusted_networks`: their clients are strangers to us, who may not
/// use our domains without a login. `config_dir` is where main.cf is; none for the machine's own, if there is one.
pub(super) async fn untrusted_mynetworks(config: &Config, config_dir: Option<&Path>) -> Vec<Diagnostic> {
    if config_dir.is_none() && !Path::new("/etc/postfix/main.cf").exists() {
        return Vec::new();
    }
    let main_cf = match MainCf::read(config_dir, &["mynetworks"]).await {
        Ok(main_cf) => main_cf,
        Err(problem) => return vec![Diagnostic::of_source(Severity::Note, &problem)],
    };
    let trusted = |network: &IpNet| config.policy.trusted_networks.iter().any(|ours| ours.contains(network));
    let untrusted: Vec<String> = Networks::of(main_cf.value("mynetworks"))
        .listed
        .iter()
        .filter(|network| !trusted(network))
        .map(ToString::to_string)
        .collect();
    if untrusted.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "Postfix trusts networks that `trusted_networks` does not: {}",
        named(untrusted.iter().map(String::as_str))
    );
    let hint = "their clients cannot send as a hosted domain without a login; add those that shall";
    let what = main_cf.file().display().to_string();
    vec![Diagnostic::of_host(Severity::Warning, &what, message, Some(hint))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_shortened() {
        let names: Vec<String> = (0..12).map(|number| number.to_string()).collect();
        assert_eq!(named(names.iter().map(String::as_str)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more");
        assert_eq!(named(names[..2].iter().map(String::as_str)), "0, 1");
    }
}
