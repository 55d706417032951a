//! What all these tests share: who writes to whom, what stands around the mail system, and the table of all outcomes.

use std::fmt::Write as _;

use hickory_proto::op::ResponseCode;

use crate::daemon::Daemon;
use crate::dns::{Dns, Fault, Zone};
use crate::host;
use crate::mta::Mta;
use crate::postfix::{self, Postfix};
use crate::sink::Sink;
use crate::story;

/// Domains by the messages that they answer: those whose SPF result is among these.
pub(crate) const DOMAINS: [(&str, &str, &[&str]); 4] = [
    ("strict.test", "require_spf_pass", &["pass"]),
    ("published.test", "require_spf_pass_if_published", &["pass", "none"]),
    ("disabled.test", "disabled", &[]),
    ("allow.test", "allow", &["pass", "fail", "softfail", "none", "temperror"]),
];

/// Senders by their SPF result at 192.0.2.10.
const SENDERS: [(&str, &str); 5] = [
    ("pass", "alice@pass.example"),
    ("fail", "alice@fail.example"),
    ("softfail", "alice@softfail.example"),
    ("none", "alice@none.example"),
    ("temperror", "alice@broken.example"),
];

fn zone() -> Zone {
    Zone::new()
        .txt("pass.example", "v=spf1 ip4:192.0.2.10 -all")
        .txt("fail.example", "v=spf1 ip4:192.0.2.99 -all")
        .txt("softfail.example", "v=spf1 ip4:192.0.2.99 ~all")
        .fault("broken.example", Fault::Code(ResponseCode::ServFail))
}

/// What stands around the MTA: the next hop, DNS, and the daemon's ports.
pub(crate) struct Stage {
    pub(crate) sink: Sink,
    dns: Dns,
    /// For mail exchange.
    pub(crate) exchange: u16,
    /// For what comes by no SMTP session.
    pub(crate) local: u16,
    /// For programs that speak SMTP, and for logins.
    pub(crate) programs: u16,
}

/// All hosted domains. `careful.test` answers what passes SPF, and discards answers to what it knows nothing of.
pub(crate) fn domains() -> Vec<&'static str> {
    DOMAINS.iter().map(|(name, ..)| *name).chain(["careful.test"]).collect()
}

/// A milter on this port, as Postfix names it.
pub(crate) fn at(port: u16) -> String {
    format!("inet:127.0.0.1:{port}")
}

impl Stage {
    pub(crate) fn set() -> Self {
        Self {
            sink: Sink::start(),
            dns: Dns::start(zone()),
            exchange: host::free_port(),
            local: host::free_port(),
            programs: host::free_port(),
        }
    }

    /// The configuration: every domain with its policy for both locks, and what else the test sets in `defaults`.
    pub(crate) fn config(&self, defaults: &str) -> String {
        let domain = |(name, policy, _): (&str, &str, &[&str])| {
            format!(
                "  {name}: {{ auto_responders: {{ policy: {policy} }}, bounces: {{ policy: {policy} }} }}\n"
            )
        };
        format!(
            "mode: enforce
authserv_id: mx.local.test
listen:
  - {{ inet: 127.0.0.1:{}, role: inbound }}
  - {{ inet: 127.0.0.1:{}, role: local }}
  - {{ inet: 127.0.0.1:{}, role: submission }}
trusted_forwarders: [192.0.2.50]
dns: {{ servers: [\"{}\"] }}
ledger: {{ path: \"{{dir}}/ledger.redb\" }}
defaults:
  spf: {{ mail_from: {{ fail: accept }} }}
  {defaults}
domains:
  careful.test: {{ auto_responders: {{ unknown: discard }}, bounces: {{ policy: require_spf_pass, unknown: discard }} }}
{}",
            self.exchange,
            self.local,
            self.programs,
            self.dns.address(),
            DOMAINS.map(domain).concat(),
        )
    }

    /// A Postfix that asks the daemon about what comes in.
    pub(crate) fn postfix(&self) -> postfix::Builder {
        Postfix::builder(self.sink.port()).milter(&at(self.exchange))
    }

    /// The same that relays all domains to the next hop.
    pub(crate) fn relay(&self) -> postfix::Builder {
        domains().into_iter().fold(self.postfix(), postfix::Builder::relay_domain)
    }

    pub(crate) fn play(&self, story: &str, mta: &dyn Mta, config: &str) {
        story::play(story, mta, Daemon::start(config), &self.sink);
    }

    /// Plays every story in this folder, each with a daemon of its own.
    pub(crate) fn play_all(&self, folder: &str, mta: &dyn Mta, config: &str) {
        for (name, story) in story::all_in(&format!("quiet/{folder}")) {
            eprintln!("--- story {name}");
            self.play(&story, mta, config);
        }
    }
}

/// Every sender writes to this local part at every domain; `then` says what follows if the message is answered, or not.
pub(crate) fn table(local_part: &str, then: impl Fn(&str, &str, bool) -> String) -> String {
    let mut story =
        "client ADDR=192.0.2.10 NAME=mail.pass.example\n> EHLO mail.pass.example\n< 250 *\n".to_owned();
    for (domain, _, answered) in DOMAINS {
        for (result, sender) in SENDERS {
            let recipient = format!("{local_part}@{domain}");
            // Postfix tells milters about lower case only.
            let logged = recipient.to_lowercase();
            let _ = writeln!(
                story,
                "mail {sender} -> {recipient}
message
    From: {sender}
    To: {recipient}
    Subject: hello
    Message-ID: <{domain}.{sender}>

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:{result}* rcpt_to={logged}
{}",
                then(sender, &recipient, answered.contains(&result))
            );
        }
    }
    story
}

/// What follows when a program answers and the daemon judges that.
pub(crate) fn judged(check: &str, reason: &str, sender: &str, answered: bool) -> String {
    let (verdict, outcome) = if answered { ("pass", "wanted") } else { ("discard", "unwanted") };
    let log = format!(
        "log event=message check={check} verdict={verdict} reason={reason}-{outcome} mail_from=<> rcpt_to={sender}\n"
    );
    if answered { format!("{log}delivered  -> {sender}\n") } else { log }
}
