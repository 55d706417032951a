//! What all of `spf` looks with: the configuration as far as it can be read, the DNS, and the bounds of an evaluation.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::cli::Source;
use crate::clients::dns::{Resolver, Settings};
use crate::config::Config;
use crate::daemon::RunError;
use crate::spf;

/// Terms that may ask DNS, and queries that may come back empty (RFC 7208, 4.6.4), where no configuration says otherwise.
const LIMITS: (usize, usize) = (10, 2);

/// How long an evaluation may take where no configuration says otherwise.
const TIME: Duration = Duration::from_secs(8);

/// The port of DNS (RFC 1035, 4.2).
const PORT: u16 = 53;

/// Which configuration and which DNS.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    #[command(flatten)]
    pub(super) source: Source,
    /// The name server to ask, `IP` or `IP:PORT`; else those of the configuration, else those of the system
    #[arg(long, value_name = "SERVER", value_parser = server)]
    dns: Option<SocketAddr>,
}

/// What a command looks with.
pub(super) struct View {
    /// The configuration, where there is one without errors.
    pub(super) config: Option<Config>,
    /// DNS.
    pub(super) dns: Resolver,
    /// This host's name.
    pub(super) host_name: String,
    /// The bounds of an evaluation.
    pub(super) options: spf::Options,
}

impl Which {
    /// Opens it. Records can be looked at on any host, so that a configuration is of use and no condition.
    pub(super) fn open(&self) -> Result<View, RunError> {
        let config = match self.source.load() {
            Ok((config, _)) => Some(config),
            Err(_) if !self.source.config.exists() => None,
            Err(report) => {
                let file = self.source.config.display();
                let errors = report.problems.len();
                eprintln!(
                    "lockdown-milter: {file} has errors ({errors}) and does not count; `lockdown-milter check` names them"
                );
                None
            }
        };
        self.with(config)
    }

    /// Opens it, with a configuration that must be there.
    pub(super) fn open_configured(&self) -> Result<View, RunError> {
        let (config, _) = self.source.load()?;
        self.with(Some(config))
    }

    fn with(&self, config: Option<Config>) -> Result<View, RunError> {
        let mut settings = config.as_ref().map_or_else(Settings::default, |config| config.dns.clone());
        if let Some(server) = self.dns {
            settings.servers = vec![server];
        }
        let dns = Resolver::new(&settings).map_err(|error| RunError::System(std::io::Error::other(error)))?;
        let limits = config.as_ref().map(|config| &config.limits);
        let (lookups, void_lookups) =
            limits.map_or(LIMITS, |limits| (limits.spf_lookups, limits.spf_void_lookups));
        let site = config.as_ref().map(|config| &config.policy.site);
        let host_name = site.map_or_else(crate::cli::host_name, |site| site.host_name.clone());
        let receiver = site.and_then(|site| site.authserv_id.clone());
        let options = spf::Options {
            lookups,
            void_lookups,
            time: limits.map_or(TIME, |limits| limits.decision_time),
            explanation: true,
            receiver: receiver.unwrap_or_else(|| spf::UNKNOWN.to_owned()),
        };
        Ok(View { config, dns, host_name, options })
    }
}

/// An address, with the port of DNS where none is named.
fn server(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, PORT));
    address
        .or_else(|_| text.parse())
        .map_err(|_| "expected an address such as 192.0.2.53 or [2001:db8::53]:5353".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers() {
        for (text, expected) in [
            ("192.0.2.53", Some("192.0.2.53:53")),
            ("2001:db8::53", Some("[2001:db8::53]:53")),
            ("127.0.0.1:5353", Some("127.0.0.1:5353")),
            ("ns.example.org", None),
        ] {
            assert_eq!(server(text).ok(), expected.map(|text| text.parse().unwrap()), "{text}");
        }
    }
}
