//! Who sends as our own domains: from requests and decisions to what is noted.
//!
//! It is noted in every mode, and nothing here can change a decision or delay it.

use super::learning::sender_result;
use crate::check::CheckId;
use crate::decide::{Decision, Verdict};
use crate::facts::{Answer, Facts, Question};
use crate::mail::spf::{SpfIdentity, SpfQuestion, SpfResult};
use crate::memory::senders::{Seen, Senders, Sighting};
use crate::policy::Policy;
use crate::session::{Origin, Point, Request};

/// What one mail transaction shows.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// Whether the transaction has been noted.
    is_noted: bool,
    /// Whether a recipient would have been refused for the reverse-path, were that lock enforced.
    would_be_refused: bool,
}

impl Sight {
    /// Takes note of a decision: of a transaction once, at its end or at the first refusal for its reverse-path.
    pub(super) fn note(
        &mut self,
        senders: &Senders,
        policy: &Policy,
        request: &Request<'_>,
        facts: &Facts,
        decision: &Decision,
    ) {
        let Some(domain) = request.envelope.reverse_path.domain() else { return };
        if self.is_noted || policy.locks(domain).is_none() {
            return;
        }
        let is_end = matches!(request.point, Point::Message(_));
        let seen = if request.origin == Origin::Foreign {
            let result = result(request, facts, decision);
            let is_refused = refused(decision) || self.would_be_refused;
            match is_refused {
                true if is_end || decision.verdict != Verdict::Pass => Seen::Refused(result),
                _ if is_end => Seen::Foreign(result),
                _ => {
                    // The transaction goes on, and is counted at its end.
                    self.would_be_refused = is_refused;
                    return;
                }
            }
        } else if is_end {
            Seen::Ours
        } else {
            return;
        };
        self.is_noted = true;
        senders.note(&Sighting {
            domain: domain.clone(),
            client: request.session.client.address,
            at: request.now,
            seen,
        });
    }
}

/// Whether the client is refused, or would be, for the domain that it sends as.
fn refused(decision: &Decision) -> bool {
    let decisive = decision.decisive();
    decision.would != Verdict::Pass
        && decisive.is_some_and(|finding| matches!(finding.check, CheckId::RequireAuth | CheckId::Spf))
}

/// What SPF says of the reverse-path: as the SPF lock recorded it, else as another lock has asked.
fn result(request: &Request<'_>, facts: &Facts, decision: &Decision) -> Option<SpfResult> {
    let recorded = sender_result(&request.envelope.reverse_path, &decision.observations);
    recorded.or_else(|| {
        let client = request.session.client.address?;
        let domain = request.envelope.reverse_path.domain()?;
        facts.answers().find_map(|(question, answer)| match (question, answer) {
            (
                Question::Spf(SpfQuestion {
                    identity: SpfIdentity::MailFrom, client: asked, domain: of, ..
                }),
                Answer::Spf(answer),
            ) if *asked == client && of == domain.as_str() => Some(answer.result),
            _ => None,
        })
    })
}
