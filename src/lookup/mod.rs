//! Finding out what decisions depend on: DNS, the grants of logins, the names that exist; from files, from Postfix's own
//! tables, from servers.

pub mod clients;
pub mod directory;
pub mod dns;
pub mod identities;
mod lines;
mod pairs;
pub mod postfix;
pub mod problem;
pub mod recipients;
mod remembered;
mod resolve;
mod watched;

use tokio::time::Instant;

pub use problem::{Place, Problem};
pub use resolve::resolve;

use crate::facts::{Answer, Question, Standing, Usage};
use crate::mail::Domain;
use crate::spf;
use dns::Resolver;
use identities::Identities;
use recipients::Recipients;

/// Everything that can be asked.
#[derive(Debug)]
pub struct Sources {
    dns: Resolver,
    identities: Identities,
    recipients: Recipients,
    spf: spf::Options,
}

impl Sources {
    /// The sources; `spf` bounds each evaluation.
    pub fn new(dns: Resolver, identities: Identities, recipients: Recipients, spf: spf::Options) -> Self {
        Self { dns, identities, recipients, spf }
    }

    /// Whether a domain publishes an SPF record; the error says why that is not known.
    pub async fn has_spf(&self, domain: &Domain) -> Result<bool, String> {
        spf::has_record(&self.dns, domain).await.map_err(|failed| failed.to_string())
    }

    /// The answer to a question, by `deadline`.
    pub async fn find(&self, question: &Question, deadline: Instant) -> Answer {
        match question {
            Question::Harvest(_) => Answer::Harvest(Standing::NotCounted("nobody counts".to_owned())),
            Question::Recipient(question) => Answer::Recipient(self.recipients.find(question).await),
            Question::Usage(_) => Answer::Usage(Usage::Undetermined("nothing is learned".to_owned())),
            Question::Grant(question) => Answer::Grant(self.identities.find(question).await),
            Question::Spf(question) => {
                let time = self.spf.time.min(deadline.saturating_duration_since(Instant::now()));
                let options = spf::Options { time, ..self.spf.clone() };
                Answer::Spf(spf::evaluate(&self.dns, question, &options).await)
            }
        }
    }
}
