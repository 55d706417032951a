//! What is known of the names of one domain, beside what its sources say of them now.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::check::Locks;
use crate::config::Config;
use crate::facts::{Answer, Existence, Question, RecipientQuestion};
use crate::mail::Domain;
use crate::memory::Day;
use crate::memory::catch_all::{Judge, Name, State, Verdict};
use crate::sources::Sources;

/// How long the sources may take for all names together. After that, names pass for what they were.
const PATIENCE: Duration = Duration::from_secs(20);

/// The names of a domain.
pub(super) struct Survey {
    pub(super) domain: Domain,
    /// Names that only a wildcard knows: those that are real first, the busiest of each kind first.
    pub(super) entries: Vec<Entry>,
    /// Names that have an entry of their own by now.
    pub(super) by_name: Vec<Entry>,
    /// Messages to names that are not kept, by day.
    untold: BTreeMap<Day, u32>,
}

/// One name.
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) verdict: Verdict,
}

impl Survey {
    pub(super) async fn of(state: &State, config: &Config, sources: &Arc<Sources>, domain: Domain) -> Self {
        let deadline = Instant::now() + PATIENCE;
        let locks = config.policy.locks(&domain);
        let mut judge = Judge::new(state);
        let (mut entries, mut by_name) = (Vec::new(), Vec::new());
        for (id, name) in state.names().filter(|(_, name)| *name.mailbox.domain() == domain) {
            let entry = Entry { name: name.clone(), verdict: judge.judge(id) };
            // What nobody uses is not worth a question.
            let asked = matches!(entry.verdict, Verdict::Real(_) | Verdict::Typo(_) | Verdict::Unknown);
            let existence = match locks {
                Some(locks) if asked => ask(sources, locks, name, deadline).await,
                _ => None,
            };
            match existence {
                Some(Existence::Exists(_)) => by_name.push(entry),
                Some(Existence::Ambiguous(_) | Existence::Wildcard(_)) => entries.push(entry),
                // Our own people may send as what nobody can write to.
                _ if name.is_by_wildcard() => entries.push(entry),
                _ => {}
            }
        }
        let rank = |entry: &Entry| match entry.verdict {
            Verdict::Real(_) => 0,
            Verdict::Unknown => 1,
            Verdict::Typo(_) => 2,
            Verdict::NullSenderOnly => 3,
            Verdict::NoSpfPass => 4,
            Verdict::NobodyReturned => 5,
            Verdict::HarvestLike => 6,
        };
        for list in [&mut entries, &mut by_name] {
            list.sort_by_cached_key(|entry| {
                let messages = std::cmp::Reverse(entry.name.total().messages);
                (rank(entry), messages, entry.name.mailbox.clone())
            });
        }
        by_name.retain(|entry| entry.name.is_by_wildcard());
        let untold = state.untold(&domain);
        Self { domain, entries, by_name, untold }
    }

    /// Whether there is nothing to say.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.by_name.is_empty()
    }

    /// Messages to names that are not kept, from a day on.
    pub(super) fn untold(&self, since: Day) -> u32 {
        self.untold.range(since..).fold(0, |sum, (_, messages)| sum.saturating_add(*messages))
    }
}

/// What the sources say of a name, in their order; none when there is no time left.
async fn ask(sources: &Arc<Sources>, locks: &Locks, name: &Name, deadline: Instant) -> Option<Existence> {
    let mut any = None;
    for source in &locks.recipients.settings.sources {
        let question = Question::Recipient(RecipientQuestion {
            source: *source,
            forms: vec![name.mailbox.clone()],
            case_sensitive: locks.addresses.case_sensitive,
            by_name: true,
        });
        let answer = tokio::time::timeout_at(deadline, sources.find(&question, deadline)).await;
        match answer.ok()? {
            Answer::Recipient(exists @ Existence::Exists(_)) => return Some(exists),
            Answer::Recipient(answer @ (Existence::Ambiguous(_) | Existence::Wildcard(_))) => {
                any = Some(answer);
            }
            _ => {}
        }
    }
    any
}
