//! What an MTA must show us so that automatic replies and bounces can be judged when they leave.
//!
//! They are made on the host itself and come by no SMTP session, so that no milter of one sees them.

use super::problems::{Problems, Spot};
use super::{Address, Config, Listener};
use crate::check::Mode;
use crate::check::responses::Policy as Answers;
use crate::policy::Policy;
use crate::session::Role;

/// A line of Postfix's main.cf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MainCfLine {
    /// The line.
    pub text: String,
    /// What is judged by it.
    pub gain: &'static str,
    /// What it costs.
    pub cost: &'static str,
}

/// What is judged when it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Automatic replies.
    pub replies: bool,
    /// Bounces.
    pub bounces: bool,
}

impl Judged {
    /// What a policy judges for any of its hosted domains.
    pub fn by(policy: &Policy) -> Self {
        let judges = |mode, answers| mode != Mode::Off && answers != Answers::Allow;
        let locks = || policy.hosted.values();
        Self {
            replies: locks()
                .any(|locks| judges(locks.auto_responders.mode, locks.auto_responders.settings.policy)),
            bounces: locks().any(|locks| judges(locks.bounces.mode, locks.bounces.settings.policy)),
        }
    }
}

/// The lines of main.cf without which answers leave unjudged; none where none are judged.
pub fn main_cf(config: &Config) -> Vec<MainCfLine> {
    let Judged { replies, bounces } = Judged::by(&config.policy);
    let mut lines = Vec::new();
    if replies || bounces {
        let address = listener(&config.listeners).map_or_else(
            || "ADDRESS OF A LISTENER WITH ROLE local".to_owned(),
            |listener| for_postfix(&listener.address),
        );
        lines.push(MainCfLine {
            text: format!("non_smtpd_milters = {{ {address}, default_action=accept }}"),
            gain: "what programs of this host send, by sendmail(1)",
            cost: "one more session for each; while the daemon is away, answers leave unjudged",
        });
    }
    if bounces {
        lines.push(MainCfLine {
            text: "internal_mail_filter_classes = bounce".to_owned(),
            gain: "bounces that Postfix makes itself",
            cost: "all of non_smtpd_milters see them; one that refuses a bounce keeps what bounced in the queue",
        });
    }
    lines
}

/// The listener for what the host itself sends.
fn listener(listeners: &[Listener]) -> Option<&Listener> {
    let with = |role| listeners.iter().find(move |listener| listener.role == role);
    with(Role::Local).or_else(|| with(Role::Auto))
}

/// A socket as main.cf names it. Whether in a chroot or not, Postfix's programs work in its queue directory, and a path
/// that begins there is right in both.
fn for_postfix(address: &Address) -> String {
    match address {
        Address::Unix { path, .. } => {
            let path = path.strip_prefix("/var/spool/postfix").unwrap_or(path);
            format!("unix:{}", path.display())
        }
        Address::Inet(_) => address.to_string(),
    }
}

/// Warns where answers are to be judged that no listener gets to see.
pub(super) fn check(problems: &mut Problems<'_>, policy: &Policy, listeners: &[Listener]) {
    let Judged { replies, bounces } = Judged::by(policy);
    let judged = match (replies, bounces) {
        (true, true) => "automatic replies and bounces are",
        (true, false) => "automatic replies are",
        (false, true) => "bounces are",
        (false, false) => return,
    };
    if listeners.is_empty() || listener(listeners).is_some() {
        return;
    }
    let place = problems.tree().find(0, &["listen"]).map_or(Spot::Whole, |(key, _)| key.into());
    problems
        .warning(place, format!("{judged} to be judged when they leave, and no listener is for what leaves"))
        .hint("add `{ inet: 127.0.0.1:8892, role: local }` for non_smtpd_milters of Postfix");
}
