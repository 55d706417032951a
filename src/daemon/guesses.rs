//! What a recipient says about the client who asked for it: whether it was a guess.

use crate::check::{CheckId, Known, Mode, Observation, recipients, roles};
use crate::decide::Decision;
use crate::mail::{ForwardPath, Mailbox};
use crate::milter::Rcpt;
use crate::policy::Policy;
use crate::session::Origin;

/// The code by which we and the MTA say that there is no such name (RFC 3463, 3.2). Other refusals are none of a
/// guess: the sender, the network or the moment is to blame.
const NO_SUCH_NAME: &str = "5.1.1";

/// A name that counts, in the form in which equal ones are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// It exists, and the recipient was accepted.
    Good(Mailbox),
    /// It does not exist, and the recipient was refused for that.
    Unknown(Mailbox),
}

/// What a decision about a recipient says. Nothing, where it was put off, where only a wildcard knows the name, or where
/// something else was wrong.
pub(super) fn of_decision(
    policy: &Policy,
    origin: Origin,
    path: &ForwardPath,
    decision: &Decision,
) -> Option<Guess> {
    let mailbox = countable(policy, origin, path)?;
    let locks = policy.locks(mailbox.domain())?;
    // Where blocks are only spoken of, so are refusals: what would be refused then counts as if it were.
    let would = decision.would.reply().filter(|_| policy.defaults.harvest == Mode::Monitor);
    let observed = decision.observations.iter().find_map(|observation| match observation {
        Observation::Recipient { mailbox, known } => Some((mailbox, *known)),
        Observation::Spf { .. } => None,
    });
    match (decision.verdict.reply().or(would), observed) {
        (Some(reply), Some((name, Known::Not))) if reply.enhanced() == NO_SUCH_NAME => {
            let decisive = decision.decisive().map(|finding| finding.check);
            (decisive == Some(CheckId::Recipients)).then(|| Guess::Unknown(name.clone()))
        }
        (None, Some((name, Known::ByName))) => Some(Guess::Good(name.clone())),
        // The MTA knows it, and nobody else was asked.
        (None, None) if locks.recipients.mode == Mode::Off => Some(Guess::Good(name(policy, mailbox)?)),
        _ => None,
    }
}

/// What it says that the MTA itself refuses a recipient.
pub(super) fn of_refusal(policy: &Policy, origin: Origin, rcpt: &Rcpt) -> Option<Guess> {
    if rcpt.host.as_deref() != Some(NO_SUCH_NAME) {
        return None;
    }
    // What the macros hold is about the refusal, so that only the client's own words are left.
    let path = ForwardPath::parse(&rcpt.argument);
    countable(policy, origin, &path).and_then(|mailbox| name(policy, mailbox)).map(Guess::Unknown)
}

/// The mailbox, where it counts at all: a stranger asks for it, at a domain of ours, and it is none of those that must
/// be reachable for everybody.
fn countable<'p>(policy: &Policy, origin: Origin, path: &'p ForwardPath) -> Option<&'p Mailbox> {
    let ForwardPath::Mailbox(mailbox) = path else { return None };
    let counts = policy.defaults.harvest != Mode::Off
        && origin == Origin::Foreign
        && policy.locks(mailbox.domain()).is_some()
        && !roles::is_always_reachable(path);
    counts.then_some(mailbox)
}

fn name(policy: &Policy, mailbox: &Mailbox) -> Option<Mailbox> {
    let locks = policy.locks(mailbox.domain())?;
    Some(recipients::name_behind(&policy.site, &locks.addresses, mailbox))
}
