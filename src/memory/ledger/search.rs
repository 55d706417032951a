//! Which of the recorded messages is the cause of an answer: the rules, whatever holds the entries.

use jiff::{SignedDuration, Timestamp};

use super::entry::{self, Entry, Says};
use crate::facts::{CauseQuestion, Original, Tie};
use crate::mail::spf::SpfResult;
use crate::memory::store::{Secret, StoreError};

/// How long after a message its queue id still means it. No MTA keeps trying that long.
const QUEUE_LIFETIME: SignedDuration = SignedDuration::from_hours(8 * 24);

/// How far the MTA's time may be behind ours: it notes whole seconds, and may be another host.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// How old the message of a correspondent may be if nothing but the names ties it to the answer.
const CONVERSATION: SignedDuration = SignedDuration::from_hours(1);

/// Messages under one hash that are looked at, the newest ones.
pub(super) const MOST_ALIKE: usize = 256;

/// A search for one cause.
pub(super) struct Search<'a> {
    pub(super) question: &'a CauseQuestion,
    pub(super) secret: Secret,
    pub(super) now: Timestamp,
    pub(super) retention: SignedDuration,
}

/// What entries say about one tie.
#[derive(Clone)]
pub(super) enum Found {
    /// This is the cause, and there is no better one.
    Cause(Original),
    /// This is the cause if there is no better one.
    Perhaps(Rank, Original),
    /// There is none, and what is older need not be looked at.
    Nothing,
    /// These entries know none; others may.
    Unknown,
}

/// How readily a message is answered. Where `unknown` discards, what was not examined would come behind what publishes
/// nothing, but mail of one address is rarely both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Merit {
    /// SPF says something, and not for the address that is answered.
    Foreign,
    /// It did not pass.
    NotPassed,
    /// Its domain publishes nothing.
    Unpublished,
    /// It was not examined.
    NotExamined,
    /// It comes from where it says.
    Comes,
}

impl Merit {
    fn of(entry: &Entry, says: Says) -> Self {
        match (says, entry.spf) {
            (Says::Comes, _) => Self::Comes,
            (_, None) => Self::NotExamined,
            (Says::Claims, Some(_)) => Self::Foreign,
            (Says::MayCome, Some(SpfResult::None)) => Self::Unpublished,
            (Says::MayCome, Some(_)) => Self::NotPassed,
        }
    }
}

/// How readily a message is answered, and whether it went to the very mailbox that answers.
pub(super) type Rank = (Merit, bool);

/// Whether an entry has a tie.
enum Fit {
    /// It has; nothing under the same hash can have it more.
    Exact,
    /// It has; and whether it went to the very mailbox that answers.
    Close(bool),
    /// It has not, an older one may.
    Not,
    /// It has not, nor has any that is older.
    End,
}

impl Search<'_> {
    fn sender(&self) -> u64 {
        entry::of_sender(self.secret, &self.question.sender)
    }

    /// What is said about a tie by those who have entries, the newest under each hash first.
    ///
    /// # Errors
    ///
    /// When an entry cannot be read that would have mattered.
    pub(super) fn judge<E>(
        &self,
        tie: &Tie,
        entries: impl Fn(u64) -> Result<E, StoreError>,
    ) -> Result<Found, StoreError>
    where
        E: Iterator<Item = Result<Entry, StoreError>>,
    {
        let mut found = Found::Unknown;
        for (hash, says) in self.places(tie) {
            match self.judge_place(tie, says, entries(hash)?)? {
                Found::Unknown => {}
                Found::Perhaps(rank, original) => {
                    if !matches!(&found, Found::Perhaps(known, _) if *known >= rank) {
                        found = Found::Perhaps(rank, original);
                    }
                    if rank.0 == Merit::Comes {
                        break;
                    }
                }
                last => return Ok(last),
            }
        }
        Ok(found)
    }

    /// The hashes under which the cause is found if it has this tie, the surest first, and what entries there say of the
    /// address that is answered; nothing where that is their reverse-path.
    fn places(&self, tie: &Tie) -> Vec<(u64, Option<Says>)> {
        match tie {
            Tie::Queue { id, .. } => vec![(entry::of_queue_id(self.secret, id), None)],
            Tie::MessageId(id) => vec![(entry::of_message_id(self.secret, self.sender(), id), None)],
            Tie::Posted { id, to } => vec![(entry::of_posted(self.secret, self.sender(), id, to), None)],
            Tie::Correspondents { .. } | Tie::Sender { .. } => Says::ALL
                .map(|says| (entry::of_address(self.secret, says, self.sender()), Some(says)))
                .to_vec(),
        }
    }

    fn judge_place(
        &self,
        tie: &Tie,
        says: Option<Says>,
        entries: impl Iterator<Item = Result<Entry, StoreError>>,
    ) -> Result<Found, StoreError> {
        let mut found = Found::Unknown;
        for entry in entries {
            let entry = entry?;
            if self.now.duration_since(entry.at) > self.retention {
                continue;
            }
            let is_theirs = says.is_some() || entry.sender == self.sender();
            let said = says.unwrap_or_else(|| entry.says());
            let merit = Merit::of(&entry, said);
            match fit(tie, is_theirs, said, &entry) {
                Fit::Not => {}
                Fit::End if matches!(found, Found::Unknown) && says.is_none() => return Ok(Found::Nothing),
                Fit::End => break,
                Fit::Exact => return Ok(Found::Cause(entry.original(said))),
                Fit::Close(is_to_them) => {
                    let rank = (merit, is_to_them);
                    // Of equal ones the newest.
                    if !matches!(&found, Found::Perhaps(known, _) if *known >= rank) {
                        found = Found::Perhaps(rank, entry.original(said));
                    }
                }
            }
        }
        Ok(found)
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
                Tie::Correspondents { .. } => "within the hour before".to_owned(),
                Tie::Sender { .. } => "within eight days before".to_owned(),
            })
            .collect();
        if tried.is_empty() {
            return format!("nothing ties it to a message of {sender}");
        }
        format!("no message of {sender} is recorded {}", tried.join(", nor "))
    }
}

/// Whether an entry has this tie. `is_theirs`: it is about the address that is answered, of which it says `said`.
fn fit(tie: &Tie, is_theirs: bool, said: Says, entry: &Entry) -> Fit {
    let close = |is_best| if is_best && said == Says::Comes { Fit::Exact } else { Fit::Close(is_best) };
    match tie {
        Tie::Queue { answered, .. } => {
            let age = answered.duration_since(entry.at);
            // A younger one got the id after the answer was made; an older one had it before.
            match age {
                _ if age < -SKEW => Fit::Not,
                _ if age > QUEUE_LIFETIME || !is_theirs => Fit::End,
                _ => Fit::Exact,
            }
        }
        _ if !is_theirs => Fit::End,
        Tie::Posted { .. } => Fit::Exact,
        // Where the clock was put back, a message may seem to come after its answer.
        Tie::Correspondents { answered, .. } if answered.duration_since(entry.at) > CONVERSATION => Fit::End,
        Tie::Correspondents { mailbox, .. } => {
            close(entry.recipients.iter().any(|(known, _)| known == mailbox))
        }
        Tie::Sender { answered } if answered.duration_since(entry.at) > QUEUE_LIFETIME => Fit::End,
        Tie::MessageId(_) | Tie::Sender { .. } => close(true),
    }
}
