//! Which records about recipients belong to one message.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};

use super::super::Event;
use super::super::parse::{Entry, Field};

/// Messages that are under way at the same time, at most.
const MAX_OPEN: usize = 4096;

/// Recipients of one message follow each other within this time, where there is nothing better to go by.
const GAP: SignedDuration = SignedDuration::from_secs(10);

/// The messages under way, by login, client and reverse-path. Only fingerprints are kept: a collision in 64 bits
/// would take one from a count.
#[derive(Clone, Debug, Default)]
pub(super) struct Transactions(HashMap<u64, Transaction>);

#[derive(Clone, Copy, Debug)]
struct Transaction {
    queue_id: Option<u64>,
    first_recipient: u64,
    last: Timestamp,
}

impl Transactions {
    /// Whether a record is the first of its message that `counts` and is about a recipient, or is about the message.
    pub(super) fn begins(&mut self, login: &str, entry: &Entry<'_>, counts: impl Fn() -> bool) -> bool {
        let key = || fingerprint(&[login, text(entry, Field::Client), text(entry, Field::MailFrom)]);
        match entry.event {
            Event::Message => {
                if !self.0.is_empty() {
                    self.0.remove(&key());
                }
                true
            }
            Event::Recipient if counts() => self.begins_with(key(), entry),
            Event::Recipient => false,
        }
    }

    fn begins_with(&mut self, key: u64, entry: &Entry<'_>) -> bool {
        let queue_id = entry.text(Field::QueueId).map(|id| fingerprint(&[id]));
        let recipient = fingerprint(&[text(entry, Field::RcptTo)]);
        if let Some(open) = self.0.get_mut(&key) {
            let goes_on = match (open.queue_id, queue_id) {
                (Some(before), Some(now)) => before == now,
                // Postfix gives none before the first recipient is accepted, and keeps what it gave.
                (Some(_), None) => false,
                (None, _) => recipient != open.first_recipient && is_near(open.last, entry.time),
            };
            if goes_on {
                open.queue_id = queue_id;
                open.last = entry.time;
                return false;
            }
        } else if self.0.len() >= MAX_OPEN {
            self.0.retain(|_, open| is_near(open.last, entry.time));
            if self.0.len() >= MAX_OPEN {
                self.0.clear();
            }
        }
        self.0.insert(key, Transaction { queue_id, first_recipient: recipient, last: entry.time });
        true
    }
}

/// Several logs, one after the other, may go back in time.
fn is_near(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other).abs() < GAP
}

fn text<'a>(entry: &'a Entry<'_>, field: Field) -> &'a str {
    entry.text(field).unwrap_or_default()
}

fn fingerprint(texts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    hasher.finish()
}
