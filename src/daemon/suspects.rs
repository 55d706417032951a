//! Whether those for whose guesses a block is due are trusted forwarders by their SPF.
//!
//! Nobody waits for it: the guess has had its answer. Where DNS cannot tell, no block begins, so that no forwarder is
//! blocked for that; the next guess after a minute asks again.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Daemon, Snapshot};
use crate::check::{CheckId, Finding, Forwarder, Judgment};
use crate::decide::Decision;
use crate::facts::{Answer, Facts, HarvestQuestion, Question, Standing};
use crate::lookup::ask;
use crate::lookup::harvest::Asker;
use crate::mail::spf::{SpfQuestion, SpfResult};
use crate::policy::Policy;
use crate::session::Client;

/// Whether it takes DNS to know who is a trusted forwarder.
pub(super) fn may_forward(policy: &Policy) -> bool {
    policy.site.trusted_forwarders.iter().any(|forwarder| forwarder.domain().is_some())
}

/// Takes note of an unknown name. Where a block is due for it, the suspects are looked at first.
pub(super) fn note(daemon: &Arc<Daemon>, snapshot: &Arc<Snapshot>, helo: &str, asker: Asker, name: String) {
    let suspects = daemon.harvest.note_unknown(asker, &name);
    if !suspects.is_empty() {
        let (daemon, snapshot, helo) = (Arc::clone(daemon), Arc::clone(snapshot), helo.to_owned());
        tokio::spawn(async move {
            let (forwarders, is_certain) = forwarders_among(&suspects, &snapshot, &helo).await;
            for forwarder in forwarders {
                daemon.harvest.excuse(forwarder);
            }
            if is_certain {
                daemon.harvest.note_unknown(Asker { may_forward: false, ..asker }, &name);
            }
        });
    }
}

/// Releases a client that is blocked and has turned out to be a forwarder: the block began before anybody said so.
pub(super) fn release(daemon: &Daemon, decision: &Decision, facts: &Facts, question: HarvestQuestion) {
    let is_forwarder = |finding: &Finding| {
        finding.check == CheckId::Harvest && matches!(finding.judgment, Judgment::NotExamined(_))
    };
    let standing = facts.answer(&Question::Harvest(question));
    if matches!(standing, Some(Answer::Harvest(Standing::Blocked { .. })))
        && decision.findings.iter().any(is_forwarder)
    {
        daemon.harvest.excuse(question.client);
    }
}

/// The suspects that are authorised for the domain of a trusted forwarder, and whether DNS could tell of all of them.
async fn forwarders_among(suspects: &[IpAddr], snapshot: &Snapshot, helo: &str) -> (Vec<IpAddr>, bool) {
    let domains = || snapshot.policy.site.trusted_forwarders.iter().filter_map(Forwarder::domain);
    let is_public =
        |address: &IpAddr| Client { address: Some(*address), name: String::new(), port: 0 }.is_public();
    let suspects = suspects.iter().copied().filter(is_public);
    let questions: Vec<Question> = suspects
        .flat_map(|client| domains().map(move |domain| SpfQuestion::on_behalf_of(client, helo, domain)))
        .map(Question::Spf)
        .collect();
    let limit = snapshot.decision_time;
    let answers = ask(&questions, &snapshot.sources, None, Instant::now() + limit, limit).await;
    let (mut forwarders, mut is_certain) = (Vec::new(), true);
    for (question, answer) in answers {
        match (question, answer) {
            (Question::Spf(question), Answer::Spf(answer)) if answer.result == SpfResult::Pass => {
                forwarders.push(question.client);
            }
            (Question::Spf(_), Answer::Spf(answer)) => is_certain &= answer.result != SpfResult::Temperror,
            _ => {}
        }
    }
    (forwarders, is_certain)
}
