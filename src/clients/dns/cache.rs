//! What was answered, for as long as it holds. Bounded in octets of memory, the least recently used goes first.

use std::time::{Duration, Instant};

use moka::Expiry;
use moka::policy::EvictionPolicy;

use super::{Answer, Question, Reply};
use crate::clients::remembered::{DNS_CACHE, ENTRY, MUCH};
use crate::spf::NotFound;

/// Answers by question.
#[derive(Debug)]
pub(super) struct Cache {
    replies: moka::sync::Cache<Question, Reply>,
}

impl Cache {
    /// An empty cache of that many entries, or of fewer that take [`DNS_CACHE`] octets together.
    pub(super) fn new(entries: u64) -> Self {
        // An entry counts for its share at least, so that there are no more of them.
        let least =
            DNS_CACHE.checked_div(entries).map_or(u32::MAX, |octets| octets.try_into().unwrap_or(u32::MAX));
        let replies = moka::sync::Cache::builder()
            .max_capacity(if entries == 0 { 0 } else { DNS_CACHE })
            // The default policy lets in only what was asked for before, so that a full cache would forget at once.
            .eviction_policy(EvictionPolicy::lru())
            .weigher(move |question, reply| weight(question, reply).max(least))
            .expire_after(Lifetime)
            .build();
        Self { replies }
    }

    /// The answer that still holds.
    pub(super) fn find(&self, question: &Question) -> Option<Answer> {
        self.replies.get(question).map(|reply| reply.answer)
    }

    /// Remembers an answer, in the place of an earlier one.
    pub(super) fn insert(&self, question: Question, reply: Reply) {
        let is_much = weight(&question, &reply) > MUCH;
        self.replies.insert(question, reply);
        if is_much {
            self.replies.run_pending_tasks();
        }
    }
}

/// How many octets an entry takes.
fn weight((name, _): &Question, reply: &Reply) -> u32 {
    let answer = match &reply.answer {
        Ok(records) => records.size(),
        Err(NotFound::NoRecords) => 0,
        Err(NotFound::Failed(why)) => why.len(),
    };
    u32::try_from(ENTRY + name.len() + answer).unwrap_or(u32::MAX)
}

/// Each reply brings its own lifetime, and a newer one starts anew.
struct Lifetime;

impl Expiry<Question, Reply> for Lifetime {
    fn expire_after_create(&self, _: &Question, reply: &Reply, _: Instant) -> Option<Duration> {
        Some(reply.lifetime)
    }

    fn expire_after_update(
        &self,
        _: &Question,
        reply: &Reply,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(reply.lifetime)
    }
}
