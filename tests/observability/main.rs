//! What an administrator and his programs see of the daemon: metrics, health, what a broken configuration changes, and
//! what is shipped to look at it.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]
#![allow(clippy::float_cmp, reason = "what is compared are counts, and exact")]

#[path = "../support/daemon.rs"]
mod daemon;
#[path = "../support/frames.rs"]
mod frames;
#[path = "../support/host.rs"]
mod host;
#[path = "../support/metrics.rs"]
mod metrics;
#[path = "../support/mta.rs"]
mod mta;
#[path = "../support/slapd.rs"]
mod slapd;
#[path = "../support/smtp.rs"]
mod smtp;
#[path = "../support/tls.rs"]
mod tls;

mod attacks;
mod health;
mod reload;
mod shipped;

use std::net::{Ipv4Addr, SocketAddr};

use daemon::Daemon;
use frames::Mta;
use lockdown_milter::milter::Address;

/// A daemon with its milter port and the port of its metrics.
struct Stage {
    daemon: Daemon,
    milter: u16,
    metrics: u16,
    config: String,
}

impl Stage {
    /// A daemon with this configuration, to which the ports are added.
    fn start(config: &str) -> Self {
        let (milter, metrics) = (host::free_port(), host::free_port());
        let config = format!(
            "listen: [\"inet:127.0.0.1:{milter}\"]\nmetrics: {{ listen: \"127.0.0.1:{metrics}\" }}\n\
             ledger: {{ path: '{{dir}}/ledger.redb' }}\n{config}"
        );
        Self { daemon: Daemon::start(&config), milter, metrics, config }
    }

    /// A session of a client up to HELO.
    async fn session(&self, client: &str) -> Mta {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.milter));
        let mut mta = Mta::connect(&Address::Inet(address)).await.unwrap();
        mta.ask(&[frames::full_offer()]).await;
        let greeting = [
            frames::macros('C', &[("v", "Postfix 3.7.11")]),
            frames::connect("mail.example", '4', 4711, client),
            frames::helo("mail.example"),
        ];
        mta.send(&greeting.concat()).await.unwrap();
        mta
    }
}

/// The answer at RCPT, after which the transaction is over.
async fn rcpt(mta: &mut Mta, sender: &str, recipient: &str) -> String {
    let mail = [frames::macros('M', &[("{mail_addr}", sender)]), frames::mail(&[&format!("<{sender}>")])];
    let rcpt = [frames::macros('R', &[("{rcpt_addr}", recipient)]), frames::rcpt(&format!("<{recipient}>"))];
    let answer = mta.ask(&[mail.concat(), rcpt.concat()]).await;
    mta.send(&frames::abort()).await.unwrap();
    answer
}
