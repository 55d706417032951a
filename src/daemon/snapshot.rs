//! What changes together when the configuration is reloaded.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::lookup::Sources;
use crate::lookup::dns::{Resolver, SetupError};
use crate::lookup::identities::Identities;
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
        lookups: config.limits.spf_lookups,
        void_lookups: config.limits.spf_void_lookups,
        time: config.limits.decision_time,
        explanation: config.policy.quotes_explanations(),
        receiver: config.policy.site.host_name.clone(),
    };
    Ok(Arc::new(Sources::new(Resolver::new(&config.dns)?, Identities::default(), spf)))
}

impl Snapshot {
    pub(super) fn new(config: &Config) -> Result<Self, SetupError> {
        let decision_time = config.limits.decision_time;
        Ok(Self { policy: config.policy.clone(), sources: sources(config)?, decision_time })
    }
}
