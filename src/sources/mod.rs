//! Finding out what decisions depend on: DNS, the grants of logins, the names that exist, who uses them and who guesses
//! them, which message an answer is about; from files, from Postfix's own tables, from servers, from what was learned,
//! counted and recorded. What look-ups come to is counted in [`counts`](crate::clients::counts).

pub mod identities;
pub mod recipients;
mod resolve;

use std::sync::Arc;

use tokio::time::Instant;

pub use resolve::{ask, resolve, unanswered};

use crate::clients::counts::{Counts, Meter, Outcome};
use crate::clients::dns::Resolver;
use crate::facts::{Answer, Cause, Existence, Grant, Question, Standing, Usage};
use crate::mail::Domain;
use crate::mail::spf::{SpfAnswer, SpfResult};
use crate::memory::catch_all::CatchAll;
use crate::memory::harvest::Counter;
use crate::memory::ledger::Ledger;
use crate::spf;
use identities::Identities;
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
    meters: Meters,
}

/// What counts the answers that come from one place each.
#[derive(Debug, Default)]
struct Meters {
    cause: Meter,
    harvest: Meter,
    spf: Meter,
    usage: Meter,
}

impl Sources {
    /// The sources; `spf` bounds each evaluation, and has what we are called where the MTA has no name.
    pub fn new(
        dns: Resolver,
        identities: Identities,
        recipients: Recipients,
        harvest: Arc<dyn Counter>,
        spf: spf::Options,
    ) -> Self {
        let catch_all = Err("nothing is learned".to_owned());
        let meters = Meters::default();
        Self { dns, identities, recipients, harvest, spf, catch_all, ledger: None, meters }
    }

    /// The same with its look-ups counted here; those of DNS are counted by the resolver.
    #[must_use]
    pub fn counted(self, counts: &Counts) -> Self {
        Self {
            identities: self.identities.counted(counts),
            recipients: self.recipients.counted(counts),
            meters: Meters {
                cause: counts.meter(("cause", "ledger")),
                harvest: counts.meter(("harvest", "memory")),
                spf: counts.meter(("spf", "dns")),
                usage: counts.meter(("usage", "memory")),
            },
            ..self
        }
    }

    /// The sources of recipients, by their number.
    pub fn recipients(&self) -> &Recipients {
        &self.recipients
    }

    /// The sources of grants.
    pub fn identities(&self) -> &Identities {
        &self.identities
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
        self.find_for(question, None, deadline).await
    }

    /// The same for a session with an MTA of this name, by which an explanation of SPF may call us (RFC 7208, 7.3).
    pub async fn find_for(&self, question: &Question, mta_name: Option<&str>, deadline: Instant) -> Answer {
        let asked = self.ask(question, mta_name, deadline);
        match self.meter(question) {
            Some(meter) => meter.watch(deadline, asked, outcome).await,
            None => asked.await,
        }
    }

    /// What counts the answers to such questions. The sources of grants have a meter each.
    fn meter(&self, question: &Question) -> Option<&Meter> {
        match question {
            Question::Cause(_) => Some(&self.meters.cause),
            Question::Harvest(_) => Some(&self.meters.harvest),
            Question::Recipient(question) => self.recipients.meter(question.source),
            Question::Usage(_) => Some(&self.meters.usage),
            Question::Grant(_) => None,
            Question::Spf(_) => Some(&self.meters.spf),
        }
    }

    async fn ask(&self, question: &Question, mta_name: Option<&str>, deadline: Instant) -> Answer {
        match question {
            Question::Cause(question) => Answer::Cause(match &self.ledger {
                Some(ledger) => ledger.find(question).await,
                None => Cause::Unknown("nothing is recorded".to_owned()),
            }),
            Question::Harvest(question) => Answer::Harvest(self.harvest.standing(*question).await),
            Question::Recipient(question) => Answer::Recipient(self.recipients.find(question).await),
            Question::Usage(question) => Answer::Usage(match &self.catch_all {
                Ok(catch_all) => catch_all.find(question),
                Err(why) => Usage::Undetermined(why.clone()),
            }),
            Question::Grant(question) => Answer::Grant(self.identities.find(question, deadline).await),
            Question::Spf(question) => {
                let time = self.spf.time.min(deadline.saturating_duration_since(Instant::now()));
                let receiver = mta_name.unwrap_or(&self.spf.receiver).to_owned();
                let options = spf::Options { time, receiver, ..self.spf };
                Answer::Spf(spf::evaluate(&self.dns, question, &options).await)
            }
        }
    }
}

/// What an answer counts as.
fn outcome(answer: &Answer) -> Outcome {
    match answer {
        Answer::Cause(Cause::Known(_))
        | Answer::Harvest(Standing::Blocked { .. })
        | Answer::Recipient(
            Existence::Exists(_)
            | Existence::Relocated { .. }
            | Existence::Ambiguous(_)
            | Existence::Wildcard(_),
        )
        | Answer::Usage(Usage::Real(_))
        | Answer::Grant(Grant::Granted(_)) => Outcome::Found,
        Answer::Cause(Cause::Unknown(_))
        | Answer::Harvest(Standing::Clear)
        | Answer::Recipient(Existence::Unknown(_) | Existence::NoList(_))
        | Answer::Usage(Usage::Unused(_))
        | Answer::Grant(Grant::NotGranted(_)) => Outcome::None,
        Answer::Harvest(Standing::NotCounted(_))
        | Answer::Recipient(Existence::Undetermined(_))
        | Answer::Usage(Usage::Undetermined(_))
        | Answer::Grant(Grant::Undetermined(_)) => Outcome::Failed,
        Answer::Spf(SpfAnswer { result, .. }) => match result {
            SpfResult::Temperror => Outcome::Failed,
            SpfResult::None => Outcome::None,
            _ => Outcome::Found,
        },
    }
}
