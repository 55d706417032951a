//! What changes together when the configuration is reloaded.

use std::sync::Arc;
use std::time::Duration;

use super::clock;
use super::kept::Kept;
use super::run::RunError;
use crate::check::Mode;
use crate::clients::counts::Counts;
use crate::clients::dns::Resolver;
use crate::clients::files::Problem;
use crate::config::{Config, Diagnostic, Report, Severity};
use crate::facts::SourceId;
use crate::mail::Domain;
use crate::memory::catch_all::CatchAll;
use crate::memory::harvest::Counter;
use crate::memory::ledger::Ledger;
use crate::policy::Policy;
use crate::sources::Sources;
use crate::sources::identities::Identities;
use crate::sources::recipients::{Recipients, identities};
use crate::spf;

/// One configuration in force.
pub(super) struct Snapshot {
    pub(super) policy: Policy,
    pub(super) sources: Arc<Sources>,
    /// The names of the sources of recipients, by their number.
    pub(super) source_names: Vec<String>,
    /// What is kept from one day to the next, where anything is.
    pub(super) kept: Option<Arc<Kept>>,
    pub(super) decision_time: Duration,
}

/// Opens the sources that a configuration describes; what is doubtful about them is added to `report`. Who guesses names
/// is for `harvest` to say; what a daemon has learned and recorded is read as it is.
///
/// # Errors
/// The report with everything for which a source cannot be used.
pub async fn open(
    config: &Config,
    report: Report,
    harvest: Arc<dyn Counter>,
) -> Result<(Arc<Sources>, Report), Report> {
    let (mut sources, report) = open_sources(config, report, harvest, &Counts::default()).await?;
    if config.policy.records() {
        let ledger = config.ledger.clone();
        sources = sources.with_ledger(Arc::new(Ledger::of_file(ledger.path, ledger.retention, clock::now)));
    }
    if !config.policy.learns() {
        return Ok((Arc::new(sources), report));
    }
    let path = config.ledger.path.clone();
    let learned = tokio::task::spawn_blocking(move || match CatchAll::of_file(&path) {
        Ok(catch_all) => Ok(Arc::new(catch_all)),
        Err(error) if error.is_absent() => {
            Err(format!("nothing was learned yet: {} is not there", path.display()))
        }
        Err(error) => Err(error.to_string()),
    });
    let learned = learned.await.unwrap_or_else(|error| Err(error.to_string()));
    Ok((Arc::new(sources.with_catch_all(learned)), report))
}

/// The sources, without what was learned.
async fn open_sources(
    config: &Config,
    mut report: Report,
    harvest: Arc<dyn Counter>,
    counts: &Counts,
) -> Result<(Sources, Report), Report> {
    let spf = spf::Options {
        lookups: config.limits.spf_lookups,
        void_lookups: config.limits.spf_void_lookups,
        time: config.limits.decision_time,
        explanation: config.policy.quotes_explanations(),
        // Never the host's own name, which strangers need not know.
        receiver: config.policy.site.authserv_id.clone().unwrap_or_else(|| spf::UNKNOWN.to_owned()),
    };
    let dns = Resolver::counted(&config.dns, Arc::clone(&counts.dns));
    let login_domain = config.policy.site.login_domain.as_ref();
    let identities = Identities::open(&config.identities, login_domain).await;
    let recipients = Recipients::open(&config.recipients).await;
    if let Err(error) = &dns {
        let hint = Some("name servers in `dns.servers`");
        report.add([Diagnostic::of_host(Severity::Error, "dns", error.to_string(), hint)]);
    }
    let mut note = |severity, problems: &[Problem]| {
        report.add(problems.iter().map(|problem| Diagnostic::of_source(severity, problem)));
    };
    for warnings in [
        identities.as_ref().map(Identities::warnings).ok(),
        recipients.as_ref().map(Recipients::warnings).ok(),
    ] {
        note(Severity::Warning, warnings.unwrap_or_default());
    }
    for problems in [identities.as_ref().err(), recipients.as_ref().err()].into_iter().flatten() {
        note(Severity::Error, problems);
    }
    match (dns, identities, recipients) {
        (Ok(dns), Ok(identities), Ok(recipients)) => {
            note(Severity::Warning, &recipients.doubts(&config.recipients, &uses(&config.policy)).await);
            Ok((Sources::new(dns, identities, recipients, harvest, spf).counted(counts), report))
        }
        _ => Err(report),
    }
}

/// The domains whose recipients are checked, and by which sources. One that follows another has that one's recipients.
fn uses(policy: &Policy) -> Vec<(&Domain, &[SourceId])> {
    let hosted = policy.hosted.iter();
    hosted
        .filter(|(domain, locks)| {
            locks.recipients.mode != Mode::Off && !policy.site.aliases.contains_key(*domain)
        })
        .map(|(domain, locks)| (domain, locks.recipients.settings.sources.as_slice()))
        .collect()
}

impl Snapshot {
    /// The configuration with its sources opened; see [`open`]. What an earlier one kept goes on. Look-ups are counted in
    /// `counts`.
    ///
    /// # Errors
    ///
    /// A source cannot be used, or another daemon keeps what this one should.
    pub(super) async fn new(
        config: &Config,
        report: Report,
        harvest: Arc<dyn Counter>,
        counts: &Counts,
        earlier: Option<&Arc<Kept>>,
    ) -> Result<(Self, Report), RunError> {
        let (mut sources, report) = open_sources(config, report, harvest, counts).await?;
        let kept = Kept::open(config, earlier).await?;
        if let Some(kept) = &kept {
            sources =
                sources.with_catch_all(Ok(Arc::clone(&kept.catch_all))).with_ledger(Arc::clone(&kept.ledger));
        }
        let decision_time = config.limits.decision_time;
        let (policy, sources) = (config.policy.clone(), Arc::new(sources));
        let source_names = identities(&config.recipients);
        Ok((Self { policy, sources, source_names, kept, decision_time }, report))
    }
}
