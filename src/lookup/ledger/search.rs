//! Which of the recorded messages is the cause of an answer: the rules, whatever holds the entries.

use jiff::{SignedDuration, Timestamp};

use super::entry::{self, Entry};
use crate::facts::{CauseQuestion, Tie};
use crate::lookup::store::{Secret, StoreError};

/// How long after a message its queue id still means it. No MTA keeps trying that long.
const QUEUE_LIFETIME: SignedDuration = SignedDuration::from_hours(8 * 24);

/// How far the MTA's time may be behind ours: it notes whole seconds, and may be another host.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// How old the message of a correspondent may be if nothing but the names ties it to the answer.
const CONVERSATION: SignedDuration = SignedDuration::from_hours(1);

/// Messages with the same queue id that are looked at, the newest ones.
pub(super) const MOST_REUSES: usize = 64;

/// A search for one cause.
pub(super) struct Search<'a> {
    pub(super) question: &'a CauseQuestion,
    pub(super) secret: Secret,
    pub(super) now: Timestamp,
    pub(super) retention: SignedDuration,
}

/// What entries say about one tie.
pub(super) enum Found {
    /// This is the cause.
    Cause(Entry),
    /// There is none, and what is older need not be looked at.
    Nothing,
    /// These entries know none; older ones may.
    Unknown,
}

impl Search<'_> {
    fn sender(&self) -> u64 {
        entry::of_sender(self.secret, &self.question.sender)
    }

    /// The hash under which the cause is found if it has this tie, and how many entries there may matter.
    pub(super) fn hash(&self, tie: &Tie) -> (u64, usize) {
        match tie {
            Tie::Queue { id, .. } => (entry::of_queue_id(self.secret, id), MOST_REUSES),
            Tie::MessageId(id) => (entry::of_message_id(self.secret, self.sender(), id), 1),
            Tie::Posted { id, to } => (entry::of_posted(self.secret, self.sender(), id, to), 1),
            Tie::Correspondents { mailbox, .. } => (entry::of_pair(self.secret, self.sender(), mailbox), 1),
        }
    }

    /// What the entries under that hash say, the newest first.
    ///
    /// # Errors
    ///
    /// When one cannot be read that would have mattered.
    pub(super) fn judge(
        &self,
        tie: &Tie,
        entries: impl Iterator<Item = Result<Entry, StoreError>>,
    ) -> Result<Found, StoreError> {
        let sender = self.sender();
        for entry in entries {
            let entry = entry?;
            if self.now.duration_since(entry.at) > self.retention {
                continue;
            }
            let is_theirs = entry.sender == sender;
            let cause = |holds| if is_theirs && holds { Found::Cause(entry.clone()) } else { Found::Nothing };
            match tie {
                Tie::MessageId(_) | Tie::Posted { .. } => return Ok(cause(true)),
                Tie::Queue { answered, .. } => {
                    let age = answered.duration_since(entry.at);
                    // A younger one got the id after the answer was made; an older one had it before.
                    if age >= -SKEW {
                        return Ok(cause(age <= QUEUE_LIFETIME));
                    }
                }
                // Where the clock was put back, a message may seem to come after its answer.
                Tie::Correspondents { answered, .. } => {
                    return Ok(cause(answered.duration_since(entry.at) <= CONVERSATION));
                }
            }
        }
        Ok(Found::Unknown)
    }

    /// What was tried in vain.
    pub(super) fn tried(&self) -> String {
        let sender = &self.question.sender;
        let tried: Vec<String> = self
            .question
            .ties
            .iter()
            .map(|tie| match tie {
                Tie::Queue { id, .. } => format!("with queue id {id} at that time"),
                Tie::MessageId(id) => format!("with Message-ID <{id}>"),
                Tie::Posted { id, to } => format!("with Message-ID <{id}> to anybody at {to}"),
                Tie::Correspondents { mailbox, .. } => format!("to {mailbox} within the hour before"),
            })
            .collect();
        if tried.is_empty() {
            return format!("nothing ties it to a message of {sender}");
        }
        format!("no message of {sender} is recorded {}", tried.join(", nor "))
    }
}
