//! Finding out what decisions depend on: DNS, the grants of logins, the names that exist, who uses them and who guesses
//! them, which message an answer is about; from files, from Postfix's own tables, from servers, from what was learned,
//! counted and recorded.

pub mod catch_all;
pub mod clients;
pub mod directory;
pub mod dns;
pub mod harvest;
pub mod identities;
pub mod ledger;
mod lines;
mod pairs;
pub mod postfix;
pub mod problem;
pub mod recipients;
mod remembered;
mod resolve;
pub mod senders;
pub mod sendmail;
pub mod store;
mod system;
mod watched;

use std::sync::Arc;

use tokio::time::Instant;

pub use problem::{Place, Problem};
pub use resolve::{ask, resolve, unanswered};

use crate::facts::{Answer, Cause, Question, Usage};
use crate::mail::Domain;
use crate::spf;
use catch_all::CatchAll;
use dns::Resolver;
use harvest::Counter;
use identities::Identities;
use ledger::Ledger;
use recipients::Recipients;

/// Everything that can be asked.
#[derive(Debug)]
pub struct Sources {
    dns: Resolver,
    identities: Identities,
    recipients: Recipients,
    harvest: Arc<dyn Counter>,
    spf: spf::Options,
    /// What is known of names behind wildcards, or why nothing is.
    catch_all: Result<Arc<CatchAll>, String>,
    /// The messages that were accepted, where they are recorded.
    ledger: Option<Arc<Ledger>>,
}

impl Sources {
    /// The sources; `spf` bounds each evaluation.
    pub fn new(
        dns: Resolver,
        identities: Identities,
        recipients: Recipients,
        harvest: Arc<dyn Counter>,
        spf: spf::Options,
    ) -> Self {
        let catch_all = Err("nothing is learned".to_owned());
        Self { dns, identities, recipients, harvest, spf, catch_all, ledger: None }
    }

    /// The same with what is known of names behind wildcards, or why nothing is.
    #[must_use]
    pub fn with_catch_all(self, catch_all: Result<Arc<CatchAll>, String>) -> Self {
        Self { catch_all, ..self }
    }

    /// The same with the messages that were accepted.
    #[must_use]
    pub fn with_ledger(self, ledger: Arc<Ledger>) -> Self {
        Self { ledger: Some(ledger), ..self }
    }

    /// Whether a domain publishes an SPF record; the error says why that is not known.
    pub async fn has_spf(&self, domain: &Domain) -> Result<bool, String> {
        spf::has_record(&self.dns, domain).await.map_err(|failed| failed.to_string())
    }

    /// The SPF records that a domain publishes; the error says why they are not known.
    pub async fn spf_records(&self, domain: &Domain) -> Result<Vec<String>, String> {
        spf::records(&self.dns, domain).await.map_err(|failed| failed.to_string())
    }

    /// The answer to a question, by `deadline`.
    pub async fn find(&self, question: &Question, deadline: Instant) -> Answer {
        match question {
            Question::Cause(question) => Answer::Cause(match &self.ledger {
                Some(ledger) => ledger.find(question).await,
                None => Cause::Unknown("nothing is recorded".to_owned()),
            }),
            Question::Harvest(question) => Answer::Harvest(self.harvest.standing(question.client).await),
            Question::Recipient(question) => Answer::Recipient(self.recipients.find(question).await),
            Question::Usage(question) => Answer::Usage(match &self.catch_all {
                Ok(catch_all) => catch_all.find(question),
                Err(why) => Usage::Undetermined(why.clone()),
            }),
            Question::Grant(question) => Answer::Grant(self.identities.find(question).await),
            Question::Spf(question) => {
                let time = self.spf.time.min(deadline.saturating_duration_since(Instant::now()));
                let options = spf::Options { time, ..self.spf.clone() };
                Answer::Spf(spf::evaluate(&self.dns, question, &options).await)
            }
        }
    }
}
