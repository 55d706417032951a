//! Whether DNS agrees with what a good configuration asks for.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::check::Mode;
use crate::config::{Config, Diagnostic, Severity};
use crate::mail::Domain;
use crate::sources::Sources;

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
pub(super) fn named<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let shown = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
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
