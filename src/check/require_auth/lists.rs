//! Mailing lists: what our users post comes back from strangers, with the user's own address in From.
//!
//! Nothing that a message says of itself makes it a list's: anybody writes a List-Id, and passes SPF for a domain of their
//! own. SPF, and a signature that a trusted host checked, tell which domain it comes from. That the domain may bring it
//! back is for the administrator to say, or for the user, who sent this very message there.

use super::sender_domain;
use crate::check::Case;
use crate::check::authors::Authors;
use crate::facts::{Cause, CauseQuestion, Open, Tie, View};
use crate::mail::{Domain, Header, message_id};
use crate::session::Origin;

/// Which mailing lists may bring back what our users posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lists {
    /// None.
    Reject,
    /// Those to which one of our users sent the message, as is on record.
    Posted,
    /// Those of these domains, and of domains below them.
    Named(Vec<Domain>),
}

/// Signatures that are looked at: a list signs once, and what a stranger adds costs a look-up each.
const MOST_SIGNERS: usize = 3;

/// What there is to say for a list that may have brought a message back.
pub(super) enum Word {
    /// Nothing.
    None,
    /// It may bring it back, and its signature is good; why.
    Signed(String),
    /// It may bring it back if SPF passes for the sender; why.
    IfSpfPasses(String),
}

/// What there is to say for the list that brings back a message with this domain in From. `signers` are the domains of
/// its good signatures.
pub(super) fn word(
    case: &Case<'_>,
    header: &Header,
    domain: &Domain,
    signers: &[Domain],
    facts: &View<'_>,
) -> Result<Word, Open> {
    for signer in signers.iter().take(MOST_SIGNERS) {
        if let Some(why) = may_bring_back(case, header, domain, signer, facts)? {
            return Ok(Word::Signed(format!("signed by {signer}; {why}")));
        }
    }
    let Some(sender) = sender_domain(case.request) else { return Ok(Word::None) };
    let why = may_bring_back(case, header, domain, &sender, facts)?;
    Ok(why.map_or(Word::None, Word::IfSpfPasses))
}

/// Why a list at `list` may bring back a message with this domain in From, if it may.
fn may_bring_back(
    case: &Case<'_>,
    header: &Header,
    domain: &Domain,
    list: &Domain,
    facts: &View<'_>,
) -> Result<Option<String>, Open> {
    match &case.locks.require_auth.settings.lists {
        Lists::Reject => Ok(None),
        Lists::Named(named) => {
            let named = named.iter().find(|named| list.is_within(named));
            Ok(named.map(|named| format!("{named} is one of `require_auth.lists`")))
        }
        Lists::Posted => {
            let Some(question) = posted(header, domain, list) else { return Ok(None) };
            let author = question.sender.to_string();
            Ok(match facts.cause(question)? {
                Cause::Known(original) if original.origin != Origin::Foreign => {
                    Some(format!("{author} sent it to {list}, ref {}", original.reference))
                }
                Cause::Known(_) | Cause::Unknown(_) => None,
            })
        }
    }
}

/// Whether the one mailbox of this domain in From sent the message to somebody at `list`, as a question.
fn posted(header: &Header, domain: &Domain, list: &Domain) -> Option<CauseQuestion> {
    let Authors::Exact(authors) = Authors::of(header, "From") else { return None };
    let mut ours =
        authors.iter().filter_map(|author| author.mailbox()).filter(|mailbox| mailbox.domain() == domain);
    let sender = ours.next()?.clone();
    if !ours.all(|other| other.is_like(&sender)) {
        return None;
    }
    let tie = Tie::Posted { id: message_id::of(header)?, to: list.clone() };
    Some(CauseQuestion { sender: sender.into(), ties: vec![tie] })
}
