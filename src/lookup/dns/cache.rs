//! What was answered, for as long as it holds. Bounded, the least recently used goes first.

use std::time::{Duration, Instant};

use hickory_resolver::proto::rr::RData;
use moka::Expiry;
use moka::policy::EvictionPolicy;

use super::{Answer, Question, Reply};

/// Octets of an answer that count as one entry.
const ENTRY_SIZE: usize = 4096;

/// Answers by question.
#[derive(Debug)]
pub(super) struct Cache {
    replies: moka::sync::Cache<Question, Reply>,
}

impl Cache {
    /// An empty cache of that many entries.
    pub(super) fn new(entries: u64) -> Self {
        let replies = moka::sync::Cache::builder()
            .max_capacity(entries)
            // The default policy lets in only what was asked for before, so that a full cache would forget at once.
            .eviction_policy(EvictionPolicy::lru())
            .weigher(|_, reply| weight(reply))
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
        self.replies.insert(question, reply);
    }
}

/// How many entries a reply counts for. Only TXT records can be long.
fn weight(reply: &Reply) -> u32 {
    let length = |data: &RData| match data {
        RData::TXT(txt) => txt.txt_data.iter().map(|string| string.len()).sum(),
        _ => 0,
    };
    let octets: usize = reply.answer.iter().flat_map(|records| records.iter()).map(length).sum();
    u32::try_from(1 + octets / ENTRY_SIZE).unwrap_or(u32::MAX)
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
