//! Which domains our users write to: from requests and decisions to what is noted.
//!
//! Nothing here can change a decision or delay it.

use crate::decide::{Decision, Verdict};
use crate::mail::{Domain, ReversePath, automatic};
use crate::memory::partners::Partners;
use crate::policy::Policy;
use crate::session::{Origin, Point, Request};

/// Takes note of a message that one of our users sends to others.
pub(super) fn learn(partners: &Partners, policy: &Policy, request: &Request<'_>, decision: &Decision) {
    let Point::Message(header) = request.point else { return };
    let reverse_path = &request.envelope.reverse_path;
    if decision.verdict != Verdict::Pass || !is_of_a_user(policy, request) {
        return;
    }
    // What a program sends, a stranger may have asked it for.
    let (kind, sign) = automatic::recognise_leaving(header, reverse_path, None);
    if kind.is_some() || sign.is_some() {
        return;
    }
    let theirs = request.envelope.forward_paths().filter_map(|path| path.domain());
    let mut domains: Vec<&Domain> = theirs.filter(|domain| policy.locks(domain).is_none()).collect();
    domains.sort_unstable();
    domains.dedup();
    partners.note(domains, request.now);
}

/// Whether a user wrote the message: with a login, or on a host of a trusted network as one of our domains. What this host
/// makes is as likely a program's, which writes to whomever a form names; and what comes back from a filter is anybody's.
fn is_of_a_user(policy: &Policy, request: &Request<'_>) -> bool {
    let ReversePath::Mailbox(mailbox) = &request.envelope.reverse_path else { return false };
    let loops = request.session.client.address.is_some_and(|address| address.is_loopback());
    match request.origin {
        Origin::Login => true,
        Origin::Trusted => !loops && policy.locks(mailbox.domain()).is_some(),
        Origin::Local | Origin::Foreign => false,
    }
}
