//! End to end: which recipients exist, by a real, private Postfix and a real, private Sendmail. What each session must
//! lead to is in `tests/stories/recipients`.
#![allow(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/dns.rs"]
mod dns;
#[path = "support/host.rs"]
mod host;
#[path = "support/mta.rs"]
mod mta;
#[path = "support/network.rs"]
mod network;
#[path = "support/postfix.rs"]
mod postfix;
#[path = "support/sendmail.rs"]
mod sendmail;
#[path = "support/sink.rs"]
mod sink;
#[path = "support/smtp.rs"]
mod smtp;
#[path = "support/story.rs"]
mod story;
#[path = "support/tls.rs"]
mod tls;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use daemon::Daemon;
use dns::{Dns, Zone};
use mta::Mta;
use postfix::Postfix;
use sendmail::Sendmail;
use sink::Sink;
use tempfile::NamedTempFile;

/// Domains by what their wildcard is worth; `listed.test` has none, `follower.test` has nothing of its own.
const DOMAINS: [&str; 7] = [
    "allow.test",
    "learn.test",
    "soft.test",
    "reject.test",
    "monitored.test",
    "listed.test",
    "follower.test",
];

const POLICY: &str = "
authserv_id: mx.local.test
domains:
  allow.test: { recipients: { catch_all: allow } }
  learn.test: { recipients: { catch_all: learn } }
  soft.test: { recipients: { catch_all: soft, accept_patterns: ['SRS0[=+-]*'] } }
  reject.test: { recipients: { catch_all: reject } }
  monitored.test: { recipients: { mode: monitor, catch_all: reject } }
  listed.test: { recipients: { sources: [list: [info@listed.test]], accept_patterns: ['SRS0[=+-]*'] } }
  follower.test: { alias_of: reject.test }
";

/// What stands around an MTA: the next hop, DNS, the daemon's port and the names that it knows.
struct Stage {
    sink: Sink,
    dns: Dns,
    milter: u16,
    recipients: NamedTempFile,
}

impl Stage {
    fn set() -> Self {
        let recipients = NamedTempFile::new().unwrap();
        let names = DOMAINS.iter().fold(String::new(), |mut names, domain| {
            let _ = writeln!(names, "info@{domain}\n@{domain}   # all others");
            names
        });
        fs::write(recipients.path(), names).unwrap();
        Self {
            sink: Sink::start(),
            dns: Dns::start(Zone::new().txt("pass.example", "v=spf1 ip4:192.0.2.10 -all")),
            milter: host::free_port(),
            recipients,
        }
    }

    /// The configuration with what else a test needs.
    fn config(&self, more: &str) -> String {
        format!(
            "{POLICY}{more}listen: [ {{ inet: 127.0.0.1:{}, role: inbound }} ]
dns: {{ servers: [\"{}\"] }}
defaults: {{ recipients: {{ sources: [ file: {} ] }} }}
",
            self.milter,
            self.dns.address(),
            self.recipients.path().display(),
        )
    }

    fn play(&self, name: &str, mta: &dyn Mta, daemon: Daemon) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories/recipients");
        let story = fs::read_to_string(folder.join(name).with_extension("story")).unwrap();
        eprintln!("--- story {name}");
        story::play(&story, mta, daemon, &self.sink);
    }

    fn play_all(&self, mta: &dyn Mta) {
        for name in ["by_name", "by_wildcard"] {
            self.play(name, mta, Daemon::start(&self.config("")));
        }
        if Daemon::has_clock() {
            self.play("soft", mta, Daemon::start_with_clock(&self.config("")));
        }
    }
}

#[test]
fn stories_on_postfix() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = DOMAINS
        .iter()
        .fold(Postfix::builder(stage.sink.port()), |postfix, domain| postfix.relay_domain(domain))
        .milter(&format!("inet:127.0.0.1:{}", stage.milter))
        .start();
    stage.play_all(&postfix);
}

#[test]
fn stories_on_sendmail() {
    if !Sendmail::is_available() {
        return;
    }
    network::isolated(mta::HOST_NAME, || {
        let stage = Stage::set();
        let sendmail = DOMAINS
            .iter()
            .fold(Sendmail::builder(stage.sink.port(), stage.milter, stage.milter), |sendmail, domain| {
                sendmail.relay_domain(domain)
            })
            .start();
        stage.play_all(&sendmail);
    });
}
