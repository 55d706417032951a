//! What changes together when the configuration is reloaded.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{self, Config};
use crate::lookup::Sources;
use crate::lookup::dns::{self, Resolver, SetupError};
use crate::policy::Policy;
use crate::spf;

/// One configuration in force.
pub(super) struct Snapshot {
    pub(super) policy: Policy,
    pub(super) sources: Arc<Sources>,
    pub(super) decision_time: Duration,
}

/// The sources that a configuration describes.
pub fn sources(config: &Config) -> Result<Arc<Sources>, SetupError> {
    let spf = spf::Options {
        lookups: count(config.limits.spf_lookups),
        void_lookups: count(config.limits.spf_void_lookups),
        time: config.limits.decision_time,
        explanation: config.policy.quotes_explanations(),
        receiver: config.policy.site.host_name.clone(),
    };
    Ok(Arc::new(Sources::new(Resolver::new(&dns_settings(&config.dns))?, spf)))
}

impl Snapshot {
    pub(super) fn new(config: &Config) -> Result<Self, SetupError> {
        let decision_time = config.limits.decision_time;
        Ok(Self { policy: config.policy.clone(), sources: sources(config)?, decision_time })
    }
}

pub(super) fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn dns_settings(dns: &config::Dns) -> dns::Settings {
    dns::Settings {
        servers: dns.servers.clone(),
        timeout: dns.timeout,
        attempts: count(dns.attempts),
        cache_entries: dns.cache_entries,
        failure_ttl: dns.failure_ttl,
        case_randomization: dns.case_randomization,
    }
}
