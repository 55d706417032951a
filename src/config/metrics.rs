//! Where the daemon tells how it is and what it has done.

use std::net::SocketAddr;

use serde::Deserialize;

use super::listen::{self, Address, Listener};
use super::problems::Problems;
use super::written::At;

/// `metrics` as written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    listen: Option<At<String>>,
}

/// What others may read about the daemon (`metrics`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Where metrics and health are served by HTTP; none for nowhere.
    pub listen: Option<SocketAddr>,
}

impl Written {
    /// What is meant. No MTA may be expected at the same address.
    pub(super) fn build(&self, problems: &mut Problems<'_>, listeners: &[Listener]) -> Metrics {
        let Some(text) = &self.listen else { return Metrics::default() };
        let Some(address) = listen::inet_address(problems, text, FORMS) else { return Metrics::default() };
        // Port 0 is a fresh port each time.
        if address.port() != 0 && listeners.iter().any(|one| one.address == Address::Inet(address)) {
            problems
                .error(text.node, "MTAs connect to this socket")
                .hint("give the metrics a port of their own");
        }
        if !address.ip().is_loopback() {
            problems
                .warning(
                    text.node,
                    "other hosts can reach this address, and whoever does can read the metrics",
                )
                .hint("use a loopback address, or let a firewall say who may");
        }
        Metrics { listen: Some(address) }
    }
}

/// How an address is written.
const FORMS: &str = "write 127.0.0.1:9891 or [::1]:9891";
