//! Where `explain` has its answers from: the command line, the log, the daemon's sources.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::assume::{Assumption, assumed};
use super::outcome::Explained;
use crate::decide::{concerned, decide, evidence};
use crate::facts::{Answer, Facts, Question};
use crate::policy::Policy;
use crate::session::Request;
use crate::sources::{Sources, ask, unanswered};

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The command line.
    Assumption,
    /// The log.
    Log,
    /// A source, just now.
    Source,
    /// Nobody, as nothing was to be asked.
    Nobody,
}

impl By {
    /// The word for programs.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Assumption => "assumed",
            Self::Log => "logged",
            Self::Source => "asked",
            Self::Nobody => "offline",
        }
    }
}

/// Everything that can be known.
pub(super) struct World<'a> {
    pub(super) policy: &'a Policy,
    /// None if nothing is to be asked.
    pub(super) sources: Option<&'a Arc<Sources>>,
    pub(super) limit: Duration,
    pub(super) assumptions: &'a [Assumption],
    facts: Facts,
    by: HashMap<Question, By>,
}

impl<'a> World<'a> {
    pub(super) fn new(
        policy: &'a Policy,
        sources: Option<&'a Arc<Sources>>,
        limit: Duration,
        assumptions: &'a [Assumption],
    ) -> Self {
        let (facts, by) = (Facts::default(), HashMap::new());
        Self { policy, sources, limit, assumptions, facts, by }
    }

    /// Takes answers from the log.
    pub(super) fn recall(&mut self, facts: Facts) {
        self.facts = facts;
    }

    /// The decision with all that led to it.
    pub(super) async fn explain(&mut self, request: &Request<'_>) -> Explained {
        let deadline = Instant::now() + self.limit;
        let decision = loop {
            let open = match decide(self.policy, request, &self.facts) {
                Ok(decision) => break decision,
                Err(open) => open,
            };
            let (given, rest): (Vec<_>, Vec<_>) = open
                .questions()
                .iter()
                .map(|question| (question.clone(), assumed(self.assumptions, question, request)))
                .partition(|(_, answer)| answer.is_some());
            for (question, answer) in given {
                if let Some(answer) = answer {
                    self.learn(question, answer, By::Assumption);
                }
            }
            let rest: Vec<Question> = rest.into_iter().map(|(question, _)| question).collect();
            match self.sources {
                Some(sources) => {
                    let mta_name = request.session.mta_name.as_deref();
                    for (question, answer) in ask(&rest, sources, mta_name, deadline, self.limit).await {
                        self.learn(question, answer, By::Source);
                    }
                }
                None => {
                    for question in rest {
                        let answer = unanswered(&question, "not asked: --offline".to_owned());
                        self.learn(question, answer, By::Nobody);
                    }
                }
            }
        };
        let asked = evidence(self.policy, request, &self.facts).into_iter();
        let asked = asked.map(|(question, answer)| {
            let by = self.by.get(&question).copied().unwrap_or(By::Log);
            (question, answer, by)
        });
        let mut needless = concerned(self.policy, request, &self.facts);
        needless.retain(|(check, domain)| {
            !decision.findings.iter().any(|finding| finding.check == *check && finding.domain == *domain)
        });
        Explained { asked: asked.collect(), needless, decision }
    }

    fn learn(&mut self, question: Question, answer: Answer, by: By) {
        self.by.insert(question.clone(), by);
        self.facts.learn(question, answer);
    }
}
