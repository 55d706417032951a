//! What changes together when the configuration is reloaded.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, Diagnostic, Report, Severity};
use crate::lookup::Sources;
use crate::lookup::dns::Resolver;
use crate::lookup::identities::Identities;
use crate::policy::Policy;
use crate::spf;

/// One configuration in force.
pub(super) struct Snapshot {
    pub(super) policy: Policy,
    pub(super) sources: Arc<Sources>,
    pub(super) decision_time: Duration,
}

/// Opens the sources that a configuration describes; what is doubtful about them is added to `report`.
///
/// # Errors
/// The report with everything for which a source cannot be used.
pub async fn open(config: &Config, mut report: Report) -> Result<(Arc<Sources>, Report), Report> {
    let spf = spf::Options {
        lookups: config.limits.spf_lookups,
        void_lookups: config.limits.spf_void_lookups,
        time: config.limits.decision_time,
        explanation: config.policy.quotes_explanations(),
        receiver: config.policy.site.host_name.clone(),
    };
    let dns = Resolver::new(&config.dns);
    let login_domain = config.policy.site.login_domain.as_ref();
    let identities = Identities::open(&config.identities, login_domain).await;
    match (dns, identities) {
        (Ok(dns), Ok(identities)) => {
            let doubts =
                identities.warnings().iter().map(|problem| Diagnostic::of_source(Severity::Warning, problem));
            report.problems.extend(doubts);
            Ok((Arc::new(Sources::new(dns, identities, spf)), report))
        }
        (dns, identities) => {
            if let Err(error) = dns {
                let hint = "name servers in `dns.servers`";
                report.problems.push(Diagnostic::of_host(
                    Severity::Error,
                    "dns",
                    error.to_string(),
                    Some(hint),
                ));
            }
            let problems = identities.err().unwrap_or_default();
            let errors = problems.iter().map(|problem| Diagnostic::of_source(Severity::Error, problem));
            report.problems.extend(errors);
            Err(report)
        }
    }
}

impl Snapshot {
    /// The configuration with its sources opened; see [`open`].
    pub(super) async fn new(config: &Config, report: Report) -> Result<(Self, Report), Report> {
        let (sources, report) = open(config, report).await?;
        let decision_time = config.limits.decision_time;
        Ok((Self { policy: config.policy.clone(), sources, decision_time }, report))
    }
}
