//! What the decisions of a transaction were judged on, for the log.

use crate::decide::{Decision, evidence};
use crate::facts::{Answer, Facts, Question};
use crate::journal::{is_eventful, judged};
use crate::policy::Policy;
use crate::session::{Point, Request};

/// Answers that are kept for the line of a message, at most. Of more recipients no line has room to tell.
const MOST_ANSWERS: usize = 400;

/// What was answered about the recipients that were accepted. No line tells of them but that of the message.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    recipients: Vec<(Question, Answer)>,
}

impl Evidence {
    /// What a decision was judged on, as the log has it; none for a decision that leaves no line.
    pub(super) fn of(
        &mut self,
        policy: &Policy,
        request: &Request<'_>,
        decision: &Decision,
        facts: &Facts,
        source_names: &[String],
    ) -> Option<String> {
        let seen = evidence(policy, request, facts);
        match request.point {
            Point::Transaction => Some(judged::write(request, decision, &seen, &[], source_names)),
            Point::Recipient(_) => {
                let line =
                    is_eventful(decision).then(|| judged::write(request, decision, &seen, &[], source_names));
                if decision.verdict.reply().is_none() {
                    for fact in seen {
                        self.keep(fact);
                    }
                }
                line
            }
            Point::Message(_) => {
                self.recipients.retain(|(question, _)| seen.iter().all(|(known, _)| known != question));
                Some(judged::write(request, decision, &seen, &self.recipients, source_names))
            }
        }
    }

    /// Keeps an answer; a later one to the same question goes before an earlier one, as how a client stands may change.
    fn keep(&mut self, (question, answer): (Question, Answer)) {
        let has_room = self.recipients.len() < MOST_ANSWERS;
        match self.recipients.iter_mut().find(|(known, _)| *known == question) {
            Some((_, known)) => *known = answer,
            None if has_room => self.recipients.push((question, answer)),
            None => {}
        }
    }
}
