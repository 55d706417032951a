//! The one loop between the decision and the world: decide, find out what is asked, decide again.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::Sources;
use crate::decide::{Decision, decide};
use crate::facts::{Answer, Facts, Grant, Question};
use crate::mail::spf::{SpfAnswer, SpfResult};
use crate::policy::Policy;
use crate::session::Request;

/// Decides, asking the sources until nothing is open or `limit` has passed; what is open then is undetermined.
///
/// The questions of a round are asked concurrently. A panic while one is answered leaves only that one undetermined.
/// What is found out stays in `facts`, so that the next decision of the same transaction does not ask again.
pub async fn resolve(
    policy: &Policy,
    request: &Request<'_>,
    facts: &mut Facts,
    sources: &Arc<Sources>,
    limit: Duration,
) -> Decision {
    let deadline = Instant::now() + limit;
    loop {
        let open = match decide(policy, request, facts) {
            Ok(decision) => return decision,
            Err(open) => open,
        };
        let mut asked = JoinSet::new();
        for question in open.questions().iter().cloned() {
            let sources = Arc::clone(sources);
            asked.spawn(async move {
                let answer = timeout_at(deadline, sources.find(&question, deadline)).await;
                (question, answer)
            });
        }
        while let Some(ended) = asked.join_next().await {
            if let Ok((question, Ok(answer))) = ended {
                facts.learn(question, answer);
            }
        }
        for question in
            open.questions().iter().filter(|question| !facts.know(question)).cloned().collect::<Vec<_>>()
        {
            let answer = undetermined(&question, limit);
            facts.learn(question, answer);
        }
    }
}

/// The answer to a question that nobody answered.
fn undetermined(question: &Question, limit: Duration) -> Answer {
    match question {
        Question::Grant(_) => Answer::Grant(Grant::Undetermined(format!("no answer within {limit:?}"))),
        Question::Spf(_) => {
            Answer::Spf(SpfAnswer::new(SpfResult::Temperror, format!("no answer within {limit:?}")))
        }
    }
}
