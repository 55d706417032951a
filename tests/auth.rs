//! End to end: who may send as whom. Sessions with logins, strangers and trusted hosts through a real, private Postfix
//! and a real, private Sendmail. What each session must lead to is in `tests/stories/auth`, or in the folder of an MTA
//! there where the two differ.
#![allow(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/dns.rs"]
mod dns;
#[path = "support/dovecot.rs"]
mod dovecot;
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

use std::fs;
use std::panic::{self, AssertUnwindSafe};

use daemon::Daemon;
use dns::{Dns, Fault, Zone};
use dovecot::Dovecot;
use hickory_proto::op::ResponseCode;
use mta::Mta;
use postfix::Postfix;
use sendmail::Sendmail;
use sink::Sink;
use tempfile::NamedTempFile;

const LOGINS: [&str; 4] =
    ["alice@example.org", "bob@example.org", "ceo+assistant@example.org", "dora@example.net"];

/// What is granted to logins besides their own addresses.
const IDENTITIES: &str = "alice@example.org: sales@example.org, @brand.test\n";

/// example.org is strict, example.net is as the profile has it, and nobody can ask about trouble.example.
const POLICY: &str = "
mode: enforce
authserv_id: mx.local.test
trusted_networks: [192.0.2.200, \"2001:db8::200\"]
profile: standard
domains:
  example.org:
    require_auth: { mail_from: reject, header_from: reject, lists: [lists.example] }
    auth_match: { mail_from: address, header_from: address, sender: address }
  example.net:
  trouble.example:
";

fn zone() -> Zone {
    Zone::new()
        .txt("example.org", "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all")
        .txt("lists.example", "v=spf1 ip4:192.0.2.20 ip6:2001:db8::20 -all")
        .fault("trouble.example", Fault::Code(ResponseCode::ServFail))
}

/// What stands around an MTA: the next hop, DNS, and the daemon's two ports and grants.
struct Stage {
    sink: Sink,
    dns: Dns,
    exchange: u16,
    submission: u16,
    identities: NamedTempFile,
}

impl Stage {
    fn set() -> Self {
        let identities = NamedTempFile::new().unwrap();
        fs::write(identities.path(), IDENTITIES).unwrap();
        Self {
            sink: Sink::start(),
            dns: Dns::start(zone()),
            exchange: host::free_port(),
            submission: host::free_port(),
            identities,
        }
    }

    fn config(&self) -> String {
        format!(
            "{POLICY}listen:
  - {{ inet: 127.0.0.1:{}, role: inbound }}
  - {{ inet: 127.0.0.1:{}, role: submission }}
dns: {{ servers: [\"{}\"] }}
identities: {{ sources: [{{ file: {} }}] }}
",
            self.exchange,
            self.submission,
            self.dns.address(),
            self.identities.path().display(),
        )
    }

    /// Plays every story in these folders, each with a daemon of its own, after `adapt` has changed its text.
    ///
    /// # Panics
    ///
    /// After the last one, if any has failed.
    fn play_all(&self, folders: [&str; 2], mta: &dyn Mta, adapt: impl Fn(&str) -> String) {
        let mut failed = Vec::new();
        for (name, story) in folders.into_iter().flat_map(story::all_in) {
            let story = adapt(&story);
            eprintln!("--- story {name}");
            let play = || story::play(&story, mta, Daemon::start(&self.config()), &self.sink);
            let played = panic::catch_unwind(AssertUnwindSafe(play));
            if played.is_err() {
                failed.push(name);
            }
        }
        assert_eq!(failed, [""; 0], "stories that did not come true");
    }
}

#[test]
fn stories_on_postfix() {
    if !Postfix::is_available() || !Dovecot::is_available() {
        return;
    }
    let stage = Stage::set();
    let dovecot = Dovecot::start(&LOGINS);
    let postfix = Postfix::builder(stage.sink.port())
        .relay_domain("example.org")
        .relay_domain("example.net")
        .virtual_alias("sales@example.org", "bob@inner.test")
        .virtual_alias("info@example.net", "carol@inner.test")
        .sasl(&dovecot.socket())
        .milter(&format!("inet:127.0.0.1:{}", stage.exchange))
        .submission_milter(&format!("inet:127.0.0.1:{}", stage.submission))
        .start();
    stage.play_all(["auth", "auth/postfix"], &postfix, str::to_owned);
}

#[test]
fn stories_on_sendmail() {
    if !Sendmail::is_available() {
        return;
    }
    network::isolated(mta::HOST_NAME, || {
        let stage = Stage::set();
        let sendmail = Sendmail::builder(stage.sink.port(), stage.exchange, stage.submission)
            .logins(&LOGINS)
            .relay_domain("example.org")
            .local_domain("example.net")
            .virtual_user("sales@example.org", "bob@inner.test")
            .alias("info", "carol@inner.test")
            .start();
        stage.play_all(["auth", "auth/sendmail"], &sendmail, str::to_owned);
        // The same hosts, in the address family that Sendmail tags when it tells a milter.
        stage.play_all(["auth", "auth/sendmail"], &sendmail, |story| story.replace("192.0.2.", "2001:db8::"));
    });
}
