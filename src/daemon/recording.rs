//! What messages leave in the ledger: from requests and decisions to what is recorded.
//!
//! Every message that is accepted is recorded, whatever its origin, once answers to it may have to be judged. Nothing here
//! can change a decision or delay it.

use super::learning::sender_result;
use crate::check::recipients::name_behind;
use crate::check::{Known, Observation};
use crate::decide::{Decision, Verdict};
use crate::lookup::ledger::{Ledger, MOST_RECIPIENTS, Message};
use crate::mail::{Header, Mailbox, message_id};
use crate::policy::Policy;
use crate::session::{Origin, Point, Request};

/// What is known so far of a message that may be accepted.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The accepted recipients at hosted domains, and whether only a wildcard knows them.
    recipients: Vec<(Mailbox, bool)>,
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
            Point::Recipient(path) => {
                if let Some(mailbox) = path.mailbox() {
                    self.add(policy, mailbox, &decision.observations);
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
                    message_id: message_id(header),
                    origin: request.origin,
                    spf: sender_result(&request.envelope.reverse_path, &decision.observations),
                    by_loopback: comes_back(request),
                    recipients: std::mem::take(&mut self.recipients),
                });
                Some(reference)
            }
        }
    }

    fn add(&mut self, policy: &Policy, mailbox: &Mailbox, observations: &[Observation]) {
        let Some(locks) = policy.locks(mailbox.domain()) else { return };
        let name = name_behind(&policy.site, &locks.addresses, mailbox);
        let by_wildcard = observations.iter().any(|observation| match observation {
            Observation::Recipient { known, .. } => {
                matches!(known, Known::ByWildcard | Known::OnReturn | Known::Deferred)
            }
            Observation::Spf { .. } => false,
        });
        let has_room = self.recipients.len() < MOST_RECIPIENTS;
        match self.recipients.iter_mut().find(|(known, _)| *known == name) {
            // One of its subaddresses may have an entry of its own.
            Some((_, known_by_wildcard)) => *known_by_wildcard &= by_wildcard,
            None if has_room => self.recipients.push((name, by_wildcard)),
            None => {}
        }
    }
}

/// Whether a filter on this host may be giving back what was accepted before.
fn comes_back(request: &Request<'_>) -> bool {
    let by_loopback = request.session.client.address.is_some_and(|address| address.is_loopback());
    by_loopback && matches!(request.origin, Origin::Trusted | Origin::Foreign)
}

/// The identifier of the message, where it has one.
fn message_id(header: &Header) -> Option<String> {
    let field = header.all("Message-ID").next()?;
    message_id::parse(&field.value, 1).pop()
}
