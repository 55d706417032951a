//! Finding out what decisions depend on: DNS, and in later versions tables and the ledger.

pub mod dns;
pub mod identities;
mod pairs;
pub mod postfix;
pub mod problem;
mod resolve;
mod watched;

use tokio::time::Instant;

pub use problem::{Place, Problem};
pub use resolve::resolve;

use crate::facts::{Answer, Question};
use crate::mail::Domain;
use crate::spf;
use dns::Resolver;
use identities::Identities;

/// Everything that can be asked.
#[derive(Debug)]
pub struct Sources {
    dns: Resolver,
    identities: Identities,
    spf: spf::Options,
}

impl Sources {
    /// The sources; `spf` bounds each evaluation.
    pub fn new(dns: Resolver, identities: Identities, spf: spf::Options) -> Self {
        Self { dns, identities, spf }
    }

    /// Whether a domain publishes an SPF record; the error says why that is not known.
    pub async fn has_spf(&self, domain: &Domain) -> Result<bool, String> {
        spf::has_record(&self.dns, domain).await.map_err(|failed| failed.to_string())
    }

    /// The answer to a question, by `deadline`.
    pub async fn find(&self, question: &Question, deadline: Instant) -> Answer {
        match question {
            Question::Grant(question) => Answer::Grant(self.identities.find(question).await),
            Question::Spf(question) => {
                let time = self.spf.time.min(deadline.saturating_duration_since(Instant::now()));
                let options = spf::Options { time, ..self.spf.clone() };
                Answer::Spf(spf::evaluate(&self.dns, question, &options).await)
            }
        }
    }
}
