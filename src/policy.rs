//! The policy in force: everything that a decision depends on besides the request and the facts.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::check::{Locks, Mode, Site, Subject};
use crate::facts::{Cost, Question};
use crate::mail::Domain;
use crate::session::{Envelope, Origin, Session};

/// The policy in force. Built by `crate::config`, never changed afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The cap on every lock, and the mode of what no lock governs.
    pub mode: Mode,
    /// What holds for the whole host.
    pub site: Site,
    /// The hosted domains with their locks. A domain that is an alias shares the locks of the domain it follows.
    pub hosted: BTreeMap<Domain, Arc<Locks>>,
    /// What a domain has that says nothing of its own.
    pub defaults: Arc<Locks>,
    /// What it costs to ask for a grant: as much as the dearest source.
    pub grants: Cost,
}

impl Policy {
    /// The locks of a hosted domain.
    pub fn locks(&self, domain: &Domain) -> Option<&Locks> {
        self.hosted.get(domain).map(AsRef::as_ref)
    }

    /// The settings that judge a subject, and the hosted domain that they are of; none where nobody's do.
    pub fn judge_of(&self, subject: Subject) -> Option<(Option<Domain>, &Locks)> {
        let (domain, defaults) = match subject {
            Subject::Hosted(domain) => (Some(domain), false),
            Subject::OrDefaults(domain) => (domain, true),
            Subject::NotHosted(domain) => {
                return self.locks(&domain).is_none().then_some((None, &*self.defaults));
            }
        };
        match domain.as_ref().and_then(|domain| self.locks(domain)) {
            Some(locks) => Some((domain, locks)),
            None => defaults.then_some((None, &*self.defaults)),
        }
    }

    /// Whether any hosted domain wants to know who uses the names behind its wildcard.
    pub fn learns(&self) -> bool {
        self.hosted.values().any(|locks| locks.learns())
    }

    /// Whether accepted messages must be recorded, so that answers can be judged by what they answer.
    pub fn records(&self) -> bool {
        self.hosted.values().any(|locks| locks.records())
    }

    /// Where a transaction comes from.
    pub fn origin(&self, session: &Session, envelope: &Envelope) -> Origin {
        Origin::of(session, envelope, &self.site.trusted_networks)
    }

    /// What it costs to answer a question.
    pub fn cost(&self, question: &Question) -> Cost {
        match question {
            Question::Cause(_) | Question::Harvest(_) | Question::Usage(_) => Cost::Memory,
            Question::Recipient(question) => question.source.cost,
            Question::Grant(_) => self.grants,
            Question::Spf(_) => Cost::Far,
        }
    }

    /// Whether messages may be told not to bounce, by other parameters of their recipients.
    pub fn changes_recipients(&self) -> bool {
        self.hosted
            .values()
            .any(|locks| locks.bounces.settings.notifies_never && locks.bounces.mode == Mode::Enforce)
    }

    /// Whether any refusal would quote the explanation that a sender's domain publishes.
    pub fn quotes_explanations(&self) -> bool {
        self.hosted.values().any(|locks| locks.spf.settings.explanation)
    }
}
