//! Whether those for whose guesses a block is due are trusted forwarders by their SPF, or hosts of domains that our users
//! write to.
//!
//! Nobody waits for it: the guess has had its answer. Where DNS cannot tell of forwarders, no block begins, so that none is
//! blocked for that; the next guess after a minute asks again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use tokio::time::Instant;

use super::{Daemon, Snapshot, clock};
use crate::check::{CheckId, Finding, Forwarder, Judgment};
use crate::decide::Decision;
use crate::facts::{Answer, Facts, HarvestQuestion, Question, Standing};
use crate::mail::Domain;
use crate::mail::spf::{SpfQuestion, SpfResult};
use crate::memory::harvest::Asker;
use crate::memory::partners::Partners;
use crate::session::Client;
use crate::sources::ask;

/// Domains that our users write to of which the suspects may be hosts, at most: those that they write to most.
const MOST_PARTNERS: usize = 16;

/// Suspects that may be hosts of them, at most. Each takes an evaluation for each domain.
const MOST_SUSPECTS: usize = 32;

/// Addresses that no host on the Internet has (RFC 1122, 3.2.1.3; RFC 1112, 4; RFC 6666; RFC 3879), of both halves of IPv4
/// and of IPv6.
const NOBODYS: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(0, 0, 0, 1)),
    IpAddr::V4(Ipv4Addr::new(240, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 1)),
];

/// Whether it takes DNS to know who is to be excused.
pub(super) fn may_excuse(snapshot: &Snapshot) -> bool {
    forwarders(snapshot).next().is_some() || partners(snapshot).is_some_and(|partners| !partners.is_empty())
}

/// Takes note of an unknown name. Where a block is due for it, the suspects are looked at first.
pub(super) fn note(
    daemon: &Arc<Daemon>,
    snapshot: &Arc<Snapshot>,
    helo: &str,
    sender: Option<&Domain>,
    asker: Asker,
    name: String,
) {
    let suspects = daemon.harvest.note_unknown(asker, &name);
    if suspects.is_empty() {
        return;
    }
    let mut vouching = partners(snapshot).map_or(Vec::new(), |all| all.first(MOST_PARTNERS, clock::now()));
    // The one that is at hand first, as it is likely to be the one.
    vouching.sort_by_key(|domain| Some(domain) != sender);
    vouching.extend(sender.filter(|domain| knows(snapshot, domain) && !vouching.contains(domain)).cloned());
    let (daemon, snapshot, helo) = (Arc::clone(daemon), Arc::clone(snapshot), helo.to_owned());
    tokio::spawn(async move {
        let forwarders: Vec<Domain> = forwarders(&snapshot).cloned().collect();
        let few = &suspects[..suspects.len().min(MOST_SUSPECTS)];
        let ((excused, is_certain), vouched_for) = tokio::join!(
            authorised(&suspects, &forwarders, &snapshot, &helo),
            hosts(few, &vouching, &snapshot, &helo),
        );
        for (client, _) in &excused {
            daemon.harvest.excuse(*client);
        }
        for client in few.iter().filter(|client| excused.iter().all(|(excused, _)| excused != *client)) {
            let domains = vouched_for.iter().filter(|(host, _)| host == client);
            // Any of them will do.
            let _ = domains.into_iter().any(|(_, domain)| daemon.harvest.vouch(*client, domain));
        }
        if is_certain {
            daemon.harvest.note_unknown(Asker { may_be_excused: false, ..asker }, &name);
        }
    });
}

/// Whether a client that is blocked is a host of the domain that it sends as, our users write to that, and it can answer
/// for the client: what others in its network did is to lose no mail of a partner.
pub(super) async fn vouch(
    daemon: &Daemon,
    snapshot: &Snapshot,
    helo: &str,
    sender: &Domain,
    client: IpAddr,
) -> bool {
    knows(snapshot, sender) && {
        let hosts = hosts(&[client], std::slice::from_ref(sender), snapshot, helo).await;
        !hosts.is_empty() && daemon.harvest.vouch(client, sender.as_str())
    }
}

fn forwarders(snapshot: &Snapshot) -> impl Iterator<Item = &Domain> {
    snapshot.policy.site.trusted_forwarders.iter().filter_map(Forwarder::domain)
}

/// The domains that our users write to, where that is kept.
fn partners(snapshot: &Snapshot) -> Option<&Partners> {
    snapshot.kept.as_ref().map(|kept| &*kept.partners)
}

fn knows(snapshot: &Snapshot, domain: &Domain) -> bool {
    partners(snapshot).is_some_and(|partners| partners.knows(domain, clock::now()))
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

/// Which suspects are hosts of which of the domains: authorised by a record that does not authorise everybody. By `+all`, or by
/// half of all addresses, a domain would vouch for any client at all.
async fn hosts(
    suspects: &[IpAddr],
    domains: &[Domain],
    snapshot: &Snapshot,
    helo: &str,
) -> Vec<(IpAddr, String)> {
    let (mut passing, _) = authorised(suspects, domains, snapshot, helo).await;
    let passed: Vec<Domain> = domains
        .iter()
        .filter(|domain| passing.iter().any(|(_, passed)| passed == domain.as_str()))
        .cloned()
        .collect();
    if passed.is_empty() {
        return passing;
    }
    let (open, _) = authorised(&NOBODYS, &passed, snapshot, helo).await;
    passing.retain(|(client, domain)| {
        let mut same = open.iter().filter(|(nobodys, _)| nobodys.is_ipv4() == client.is_ipv4());
        same.all(|(_, open)| open != domain)
    });
    passing
}

/// Which suspects are authorised for which of the domains, and whether DNS could tell of all of them.
async fn authorised(
    suspects: &[IpAddr],
    domains: &[Domain],
    snapshot: &Snapshot,
    helo: &str,
) -> (Vec<(IpAddr, String)>, bool) {
    let is_public =
        |address: &IpAddr| Client { address: Some(*address), name: String::new(), port: 0 }.is_public();
    let suspects = suspects.iter().copied().filter(is_public);
    let questions: Vec<Question> = suspects
        .flat_map(|client| domains.iter().map(move |domain| SpfQuestion::on_behalf_of(client, helo, domain)))
        .map(Question::Spf)
        .collect();
    let limit = snapshot.decision_time;
    let answers = ask(&questions, &snapshot.sources, None, Instant::now() + limit, limit).await;
    let (mut passing, mut is_certain) = (Vec::new(), true);
    for (question, answer) in answers {
        match (question, answer) {
            (Question::Spf(question), Answer::Spf(answer)) if answer.result == SpfResult::Pass => {
                passing.push((question.client, question.domain));
            }
            (Question::Spf(_), Answer::Spf(answer)) => is_certain &= answer.result != SpfResult::Temperror,
            _ => {}
        }
    }
    (passing, is_certain)
}
