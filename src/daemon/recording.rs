//! What messages leave in the ledger: from requests and decisions to what is recorded.
//!
//! Every message that is accepted is recorded, whatever its origin, once answers to it may have to be judged. Nothing here
//! can change a decision or delay it.

use super::learning::sender_result;
use crate::check::alignment::is_aligned;
use crate::check::recipients::name_behind;
use crate::check::{Known, Locks, Observation};
use crate::decide::{Decision, Verdict};
use crate::mail::address_list::{AddressList, Author};
use crate::mail::{Domain, ForwardPath, Header, Mailbox, ReversePath, message_id};
use crate::memory::ledger::{Ledger, MOST_AUTHORS, MOST_RECIPIENTS, Message};
use crate::policy::Policy;
use crate::session::{Origin, Point, Request};

/// What is known so far of a message that may be accepted.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The accepted recipients at hosted domains, and whether only a wildcard knows them.
    recipients: Vec<(Mailbox, bool)>,
    /// The domains elsewhere to which one of ours wrote, one for each organisation.
    posted_to: Vec<Domain>,
}

impl Draft {
    /// Takes note of a decision. A message that is accepted is recorded under a reference, which is drawn then and
    /// returned.
    pub(super) fn record(
        &mut self,
        ledger: &Ledger,
        policy: &Policy,
        request: &Request<'_>,
        decision: &Decision,
        reference: impl FnOnce() -> String,
    ) -> Option<String> {
        if decision.verdict != Verdict::Pass || !policy.records() {
            return None;
        }
        match request.point {
            Point::Transaction => None,
            Point::Recipient(path) => {
                if let Some(mailbox) = path.mailbox() {
                    self.add(policy, request, mailbox, &decision.observations);
                }
                None
            }
            Point::Message(header) => {
                let reference = reference();
                ledger.record(&Message {
                    at: request.now,
                    reference: reference.clone(),
                    reverse_path: request.envelope.reverse_path.clone(),
                    queue_id: request.envelope.queue_id.clone(),
                    message_id: message_id::of(header),
                    origin: if is_vouched_for(policy, request) { Origin::Trusted } else { request.origin },
                    spf: sender_result(&request.envelope.reverse_path, &decision.observations),
                    by_loopback: comes_back(request),
                    recipients: std::mem::take(&mut self.recipients),
                    authors: authors(policy, request, header),
                    posted_to: std::mem::take(&mut self.posted_to),
                });
                Some(reference)
            }
        }
    }

    fn add(
        &mut self,
        policy: &Policy,
        request: &Request<'_>,
        mailbox: &Mailbox,
        observations: &[Observation],
    ) {
        let has_room = self.recipients.len() + self.posted_to.len() < MOST_RECIPIENTS;
        let Some(locks) = policy.locks(mailbox.domain()) else {
            if has_room && follows_posts(policy, request) {
                self.add_posted_to(mailbox.domain());
            }
            return;
        };
        let name = name_behind(&policy.site, &locks.addresses, mailbox);
        let by_wildcard = observations.iter().any(|observation| match observation {
            Observation::Recipient { known, .. } => {
                matches!(known, Known::ByWildcard | Known::OnReturn | Known::Deferred)
            }
            Observation::Spf { .. } => false,
        });
        match self.recipients.iter_mut().find(|(known, _)| *known == name) {
            // One of its subaddresses may have an entry of its own.
            Some((_, known_by_wildcard)) => *known_by_wildcard &= by_wildcard,
            None if has_room => self.recipients.push((name, by_wildcard)),
            None => {}
        }
    }

    fn add_posted_to(&mut self, domain: &Domain) {
        let organisation = domain.organisation();
        if self.posted_to.iter().all(|known| known.organisation() != organisation) {
            self.posted_to.push(domain.clone());
        }
    }
}

/// The addresses in the header that programs may answer instead of the reverse-path, each once. Answers to our own domains
/// are not judged.
fn authors(policy: &Policy, request: &Request<'_>, header: &Header) -> Vec<(Mailbox, bool)> {
    let sender = match &request.envelope.reverse_path {
        ReversePath::Mailbox(mailbox) => Some(mailbox),
        ReversePath::Null | ReversePath::Malformed(_) | ReversePath::Twofold(_) => None,
    };
    let mut authors: Vec<(Mailbox, bool)> = Vec::new();
    for field in ["From", "Reply-To"].into_iter().flat_map(|name| header.all(name)) {
        let AddressList::Exact(named) = AddressList::parse(&field.value) else { continue };
        for mailbox in named.iter().filter_map(Author::mailbox) {
            let is_known = sender.into_iter().chain(authors.iter().map(|(known, _)| known));
            if authors.len() == MOST_AUTHORS {
                return authors;
            }
            if policy.locks(mailbox.domain()).is_none()
                && !is_known.into_iter().any(|known| known.is_like(mailbox))
            {
                let speaks = sender.is_some_and(|sender| is_aligned(sender.domain(), mailbox.domain()));
                authors.push((mailbox.clone(), speaks));
            }
        }
    }
    authors
}

/// Whether it matters where this message goes, as one of ours sends it and lists may bring it back.
fn follows_posts(policy: &Policy, request: &Request<'_>) -> bool {
    let locks = request.envelope.reverse_path.domain().and_then(|domain| policy.locks(domain));
    request.origin != Origin::Foreign && locks.is_some_and(Locks::follows_posts)
}

/// Whether every hosted recipient's domain has an exception from SPF that vouches for the client.
fn is_vouched_for(policy: &Policy, request: &Request<'_>) -> bool {
    let vouches = |domain| {
        let locks = policy.locks(domain)?;
        let rules = policy.site.login_rules(&locks.addresses);
        Some(locks.exceptions.iter().any(|exception| exception.vouches(request, rules)))
    };
    let domains = request.envelope.forward_paths().filter_map(ForwardPath::domain);
    let mut answers = domains.filter_map(vouches).peekable();
    answers.peek().is_some() && answers.all(|answer| answer)
}

/// Whether a filter on this host may be giving back what was accepted before.
fn comes_back(request: &Request<'_>) -> bool {
    let by_loopback = request.session.client.address.is_some_and(|address| address.is_loopback());
    by_loopback && matches!(request.origin, Origin::Trusted | Origin::Foreign)
}
