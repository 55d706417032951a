//! End to end: who is answered. Vacation notices by a real, private Dovecot, and bounces by a real, private Postfix, each
//! of mail that passes SPF and of mail that does not; vacation(1) by a real, private Sendmail. What each session must lead
//! to is in the table of `stage`, and in `tests/stories/quiet`.
#![allow(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

#[path = "../support/daemon.rs"]
mod daemon;
#[path = "../support/dns.rs"]
mod dns;
#[path = "../support/dovecot.rs"]
mod dovecot;
#[path = "../support/host.rs"]
mod host;
#[path = "../support/mta.rs"]
mod mta;
#[path = "../support/network.rs"]
mod network;
#[path = "../support/postfix.rs"]
mod postfix;
#[path = "../support/sendmail.rs"]
mod sendmail;
#[path = "../support/sink.rs"]
mod sink;
#[path = "../support/smtp.rs"]
mod smtp;
#[path = "../support/story.rs"]
mod story;
#[path = "../support/tls.rs"]
mod tls;

mod bounces;
mod replies;
mod stage;

use daemon::Daemon;
use stage::{Stage, at};

/// At its start the daemon says what it cannot see without.
#[test]
fn what_postfix_must_show_is_said_at_the_start() {
    let stage = Stage::set();
    let daemon = Daemon::start(&stage.config(""));
    daemon.wait_for(&[&format!("non_smtpd_milters = {{ {}, default_action=accept }}", at(stage.local))]);
    daemon.wait_for(&["internal_mail_filter_classes = bounce"]);
}
