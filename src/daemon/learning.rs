//! What messages teach about names behind wildcards: from requests and decisions to what is noted.
//!
//! Only domains with `catch_all: learn` or `soft` are of interest, and nothing here can change a decision or delay it.

use crate::check::recipients::{name_behind, shape};
use crate::check::{CheckId, Known, Mode, Observation};
use crate::decide::{Decision, Verdict};
use crate::mail::address_list::{AddressList, Author};
use crate::mail::spf::{SpfIdentity, SpfResult};
use crate::mail::{Domain, ForwardPath, Header, Mailbox, ReversePath};
use crate::memory::catch_all::{Accepted, CatchAll, Seen, Sighting, Spf};
use crate::policy::Policy;
use crate::session::{Origin, Point, Request};

/// What one mail transaction teaches.
#[derive(Debug, Default)]
pub struct Lesson {
    /// Recipients that were accepted, and as what.
    accepted: Vec<(Mailbox, Known)>,
}

impl Lesson {
    /// Takes note of a decision.
    pub fn learn(
        &mut self,
        catch_all: &CatchAll,
        policy: &Policy,
        request: &Request<'_>,
        decision: &Decision,
    ) {
        match request.point {
            Point::Transaction => {}
            Point::Recipient(_) => self.learn_recipient(catch_all, policy, request, decision),
            Point::Message(header) => {
                let accepted = std::mem::take(&mut self.accepted);
                if decision.verdict == Verdict::Pass {
                    learn_message(catch_all, policy, request, decision, accepted);
                    learn_own(catch_all, policy, request, header);
                }
            }
        }
    }

    fn learn_recipient(
        &mut self,
        catch_all: &CatchAll,
        policy: &Policy,
        request: &Request<'_>,
        decision: &Decision,
    ) {
        let passes = decision.verdict == Verdict::Pass;
        for observation in &decision.observations {
            let Observation::Recipient { mailbox, known } = observation else { continue };
            if !learns(policy, mailbox.domain()) {
                continue;
            }
            match known {
                // Two subaddresses of a name are two recipients and one message.
                _ if self.accepted.iter().any(|(known, _)| known == mailbox) => {}
                Known::ByName
                | Known::Ambiguously
                | Known::ByWildcard
                | Known::OnReturn
                | Known::Deferred
                    if passes =>
                {
                    self.accepted.push((mailbox.clone(), *known));
                }
                Known::Deferred if is_deferred_for_it(decision) => catch_all.note(&Sighting {
                    mailbox: mailbox.clone(),
                    at: request.now,
                    seen: Seen::Deferred {
                        sender: shaped(&request.envelope.reverse_path),
                        network: request.session.client.network(),
                    },
                }),
                _ => {}
            }
        }
    }
}

/// Whether the client was told to come back because of the name, and not refused for another reason.
fn is_deferred_for_it(decision: &Decision) -> bool {
    let decisive = decision.decisive();
    matches!(decision.verdict, Verdict::Defer(_))
        && decisive
            .is_some_and(|finding| finding.check == CheckId::Recipients && finding.mode == Mode::Enforce)
}

fn learn_message(
    catch_all: &CatchAll,
    policy: &Policy,
    request: &Request<'_>,
    decision: &Decision,
    accepted: Vec<(Mailbox, Known)>,
) {
    let reverse_path = &request.envelope.reverse_path;
    let spf = spf(reverse_path, &decision.observations);
    for (mailbox, known) in accepted {
        let sender = shaped(reverse_path);
        let seen = if known == Known::ByName {
            // What a sender that is not authorised writes to says nothing about the one that it claims to be.
            if spf != Spf::Pass {
                continue;
            }
            Seen::ByName { sender }
        } else {
            Seen::Accepted(Accepted {
                sender,
                network: request.session.client.network(),
                spf,
                returned: known == Known::OnReturn,
                is_ours: is_ours(policy, request),
            })
        };
        catch_all.note(&Sighting { mailbox, at: request.now, seen });
    }
}

/// Addresses that our own send as, and names that programs of this host write to: they are in use.
fn learn_own(catch_all: &CatchAll, policy: &Policy, request: &Request<'_>, header: &Header) {
    let mut own: Vec<Mailbox> = Vec::new();
    // What a filter on this host gives back is not of this host.
    let loops = request.session.client.address.is_some_and(|address| address.is_loopback());
    if is_ours(policy, request) && !(loops && request.origin == Origin::Trusted) {
        if let ReversePath::Mailbox(mailbox) = &request.envelope.reverse_path {
            own.push(mailbox.clone());
        }
        if request.origin == Origin::Login {
            own.extend(header.all("From").flat_map(|field| authors(&field.value)));
        }
        if request.origin == Origin::Local {
            own.extend(request.envelope.forward_paths().filter_map(|path| match path {
                ForwardPath::Mailbox(mailbox) => Some(mailbox.clone()),
                _ => None,
            }));
        }
    }
    let mut names: Vec<Mailbox> = own
        .iter()
        .filter(|mailbox| learns(policy, mailbox.domain()))
        .filter_map(|mailbox| {
            let locks = policy.locks(mailbox.domain())?;
            Some(name_behind(&policy.site, &locks.addresses, mailbox))
        })
        .collect();
    names.sort();
    names.dedup();
    for mailbox in names {
        catch_all.note(&Sighting { mailbox, at: request.now, seen: Seen::Ours });
    }
}

/// The mailboxes of a From field that all readers agree on.
fn authors(field: &str) -> Vec<Mailbox> {
    let AddressList::Exact(authors) = AddressList::parse(field) else { return Vec::new() };
    authors
        .into_iter()
        .filter_map(|author| match author {
            Author::Mailbox(mailbox) => Some(mailbox),
            Author::Elsewhere(_) => None,
        })
        .collect()
}

/// Whether the domain wants to know who uses the names behind its wildcard.
fn learns(policy: &Policy, domain: &Domain) -> bool {
    policy.locks(domain).is_some_and(crate::check::Locks::learns)
}

/// Whether one of our own wrote the message. What trusted hosts relay for others is of those others.
fn is_ours(policy: &Policy, request: &Request<'_>) -> bool {
    let hosted =
        || request.envelope.reverse_path.domain().is_some_and(|domain| policy.locks(domain).is_some());
    match request.origin {
        Origin::Login => true,
        Origin::Local | Origin::Trusted => hosted(),
        Origin::Foreign => false,
    }
}

fn shaped(reverse_path: &ReversePath) -> ReversePath {
    match reverse_path {
        ReversePath::Mailbox(mailbox) => ReversePath::Mailbox(shape(mailbox)),
        path => path.clone(),
    }
}

/// What SPF says of the sender: of MAIL FROM, or of HELO where there is no reverse-path (RFC 7208, 2.4); none where that
/// was not examined.
pub(super) fn sender_result(reverse_path: &ReversePath, observations: &[Observation]) -> Option<SpfResult> {
    let wanted = if *reverse_path == ReversePath::Null { SpfIdentity::Helo } else { SpfIdentity::MailFrom };
    observations.iter().find_map(|observation| match observation {
        Observation::Spf { identity, result, .. } if *identity == wanted => Some(*result),
        _ => None,
    })
}

fn spf(reverse_path: &ReversePath, observations: &[Observation]) -> Spf {
    match sender_result(reverse_path, observations) {
        Some(SpfResult::Pass) => Spf::Pass,
        None | Some(SpfResult::Temperror) => Spf::NotExamined,
        Some(_) => Spf::NotPass,
    }
}
