//! The one loop between the decision and the world: decide, find out what is asked, decide again.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::Sources;
use crate::decide::{Decision, decide};
use crate::facts::{Answer, Cause, Existence, Facts, Grant, Question, Standing, Usage};
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
    facts.forget_passing();
    loop {
        let open = match decide(policy, request, facts) {
            Ok(decision) => return decision,
            Err(open) => open,
        };
        let mta_name = request.session.mta_name.as_deref();
        for (question, answer) in ask(open.questions(), sources, mta_name, deadline, limit).await {
            facts.learn(question, answer);
        }
    }
}

/// The answers to questions, which are asked concurrently. Every one gets an answer; what is open after `deadline`, which is
/// `limit` after the beginning, is undetermined. `mta_name` is that of the session.
pub async fn ask(
    questions: &[Question],
    sources: &Arc<Sources>,
    mta_name: Option<&str>,
    deadline: Instant,
    limit: Duration,
) -> Vec<(Question, Answer)> {
    let mut asked = JoinSet::new();
    for question in questions.iter().cloned() {
        let sources = Arc::clone(sources);
        // Only SPF has a use for it.
        let mta_name = mta_name.filter(|_| matches!(question, Question::Spf(_))).map(str::to_owned);
        asked.spawn(async move {
            let found = sources.find_for(&question, mta_name.as_deref(), deadline);
            let answer = timeout_at(deadline, found).await;
            (question, answer)
        });
    }
    let mut answers = Vec::new();
    while let Some(ended) = asked.join_next().await {
        if let Ok((question, Ok(answer))) = ended {
            answers.push((question, answer));
        }
    }
    for question in questions {
        if answers.iter().all(|(known, _)| known != question) {
            answers.push((question.clone(), unanswered(question, format!("no answer within {limit:?}"))));
        }
    }
    answers
}

/// The answer to a question that nobody answered; why.
pub fn unanswered(question: &Question, why: String) -> Answer {
    match question {
        Question::Cause(_) => Answer::Cause(Cause::Unknown(why)),
        Question::Harvest(_) => Answer::Harvest(Standing::NotCounted(why)),
        Question::Recipient(_) => Answer::Recipient(Existence::Undetermined(why)),
        Question::Usage(_) => Answer::Usage(Usage::Undetermined(why)),
        Question::Grant(_) => Answer::Grant(Grant::Undetermined(why)),
        Question::Spf(_) => Answer::Spf(SpfAnswer::new(SpfResult::Temperror, why)),
    }
}
