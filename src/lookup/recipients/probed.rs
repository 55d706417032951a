//! Sources that cannot be enumerated. Where one knows a name, a random name tells whether it would know any.

use std::time::Duration;

use super::Source;
use crate::facts::{Existence, RecipientQuestion};
use crate::lookup::remembered::{Hits, Remembered};
use crate::mail::{Domain, Mailbox};

/// How many domains are remembered; each takes some hundred octets.
const DOMAINS: u64 = 10_000;

/// How many random characters a probe has, of 36 that may be.
const RANDOM: usize = 24;

/// How long it is believed what a probe found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lifetimes {
    /// That every name of a domain is known. While it is, names that exist cannot be told from the others, so this
    /// should be short.
    pub(super) wildcard: Duration,
    /// That only some names of a domain are known.
    pub(super) names: Duration,
}

impl Lifetimes {
    /// For sources that are near, of which a question a minute is nothing.
    pub(super) const NEAR: Self = Self { wildcard: Duration::from_mins(1), names: Duration::from_mins(5) };
}

/// A source whose ‘exists’ is believed only for domains where it does not know a random name as well. Where it does,
/// the answer is [`Existence::Wildcard`]; where that cannot be told, [`Existence::Undetermined`].
///
/// What a probe finds out is remembered for each domain, failures are not. However many wait for the probe of a domain,
/// it is made once.
#[derive(Debug)]
pub(super) struct Probed<S> {
    source: S,
    lifetimes: Lifetimes,
    probes: Remembered<Domain, Probing>,
}

/// What a probe found out.
#[derive(Clone, Debug)]
enum Probing {
    /// Random names are not known.
    Names,
    /// This random name is known.
    Wildcard(Mailbox),
}

impl<S: Source> Probed<S> {
    /// The source with its probes.
    pub(super) fn new(source: S, lifetimes: Lifetimes) -> Self {
        Self { source, lifetimes, probes: Remembered::new(DOMAINS) }
    }

    /// The answer to a question whose forms are all at one domain.
    async fn find_at(&self, domain: &Domain, question: &RecipientQuestion) -> Existence {
        let answer = self.source.find(question).await;
        if !matches!(answer, Existence::Exists(_)) {
            return answer;
        }
        match self.probes.find(domain, self.probe(domain, question)).await {
            Ok(Probing::Names) => answer,
            Ok(Probing::Wildcard(probe)) => {
                let local_part = probe.local_part();
                Existence::Wildcard(format!(
                    "@{domain} ({}, which knows {local_part} too)",
                    self.source.name()
                ))
            }
            Err(why) => {
                Existence::Undetermined(format!("whether every name of {domain} exists is not known: {why}"))
            }
        }
    }

    /// Asks for a random name; what that says, with the time for which it may be believed.
    async fn probe(
        &self,
        domain: &Domain,
        question: &RecipientQuestion,
    ) -> Result<(Probing, Duration), String> {
        let probe = random_mailbox(domain);
        let question = RecipientQuestion { forms: vec![probe.clone()], ..*question };
        match self.source.find(&question).await {
            Existence::Exists(_) | Existence::Relocated { .. } | Existence::Wildcard(_) => {
                Ok((Probing::Wildcard(probe), self.lifetimes.wildcard))
            }
            Existence::Unknown(_) | Existence::NoList(_) => Ok((Probing::Names, self.lifetimes.names)),
            Existence::Undetermined(why) => Err(why),
        }
    }
}

#[async_trait::async_trait]
impl<S: Source> Source for Probed<S> {
    fn name(&self) -> &str {
        self.source.name()
    }

    async fn find(&self, question: &RecipientQuestion) -> Existence {
        // Of an alias domain and the one that it follows one may have a wildcard and the other not.
        let mut strongest: Option<Existence> = None;
        for forms in question.forms.chunk_by(|one, other| one.domain() == other.domain()) {
            let part = RecipientQuestion { forms: forms.to_vec(), ..*question };
            let answer = self.find_at(forms[0].domain(), &part).await;
            if matches!(answer, Existence::Exists(_)) {
                return answer;
            }
            if strongest.as_ref().is_none_or(|strongest| answer.rank() < strongest.rank()) {
                strongest = Some(answer);
            }
        }
        strongest.unwrap_or_else(|| Existence::Unknown(String::new()))
    }

    fn hits(&self) -> Hits {
        self.source.hits() + self.probes.hits()
    }

    fn answered(&self) -> bool {
        self.source.answered()
    }
}

/// A mailbox that nobody has. Its local-part has no character that could divide it, whatever divides local-parts there.
fn random_mailbox(domain: &Domain) -> Mailbox {
    let random: String = std::iter::repeat_with(|| fastrand::digit(36)).take(RANDOM).collect();
    Mailbox::new(format!("probe{random}"), domain.clone())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use tokio::time::Instant;

    use super::*;
    use crate::facts::{Cost, SourceId};

    /// Knows `alice` at every domain, every name at `every.example`, and nothing while it is down. It takes a second.
    #[derive(Debug, Default)]
    struct Server {
        is_down: AtomicBool,
        has_wildcard: AtomicBool,
        probes: AtomicU64,
    }

    #[async_trait::async_trait]
    impl Source for Arc<Server> {
        fn name(&self) -> &'static str {
            "server"
        }

        async fn find(&self, question: &RecipientQuestion) -> Existence {
            tokio::time::sleep(Duration::from_secs(1)).await;
            for form in &question.forms {
                let is_probe = form.local_part().starts_with("probe");
                if is_probe {
                    self.probes.fetch_add(1, Ordering::Relaxed);
                    assert!(form.local_part().len() > 25 && question.forms.len() == 1);
                }
                if self.is_down.load(Ordering::Relaxed) && is_probe {
                    return Existence::Undetermined("down".to_owned());
                }
                let every =
                    form.domain().as_str() == "every.example" && self.has_wildcard.load(Ordering::Relaxed);
                if every || form.local_part() == "alice" {
                    return Existence::Exists(form.to_string());
                }
            }
            Existence::Unknown(String::new())
        }
    }

    struct Case {
        server: Arc<Server>,
        probed: Probed<Arc<Server>>,
    }

    impl Case {
        fn new() -> Self {
            let server = Arc::new(Server::default());
            server.has_wildcard.store(true, Ordering::Relaxed);
            Self { probed: Probed::new(Arc::clone(&server), Lifetimes::NEAR), server }
        }

        fn down(&self, is_down: bool) {
            self.server.is_down.store(is_down, Ordering::Relaxed);
        }

        /// The answer in short, with the number of probes that it took.
        async fn find(&self, forms: &[&str]) -> (String, u64) {
            let before = self.server.probes.load(Ordering::Relaxed);
            let question = RecipientQuestion {
                source: SourceId { number: 0, cost: Cost::Near },
                forms: forms.iter().map(|form| form.parse().unwrap()).collect(),
                case_sensitive: false,
            };
            let answer = match self.probed.find(&question).await {
                Existence::Exists(by) => format!("exists {by}"),
                Existence::Wildcard(by) => format!("wildcard {}", by.split(' ').next().unwrap()),
                Existence::Unknown(_) => "unknown".to_owned(),
                other => format!("{other:?}"),
            };
            (answer, self.server.probes.load(Ordering::Relaxed) - before)
        }
    }

    fn found(answer: &str, probes: u64) -> (String, u64) {
        (answer.to_owned(), probes)
    }

    #[tokio::test(start_paused = true)]
    async fn yes_is_believed_where_it_is_not_said_to_everything() {
        let case = Case::new();
        assert_eq!(case.find(&["bob@a.example"]).await, found("unknown", 0));
        assert_eq!(
            case.find(&["alice+x@a.example", "alice@a.example"]).await,
            found("exists alice@a.example", 1)
        );
        assert_eq!(case.find(&["alice@a.example"]).await, found("exists alice@a.example", 0));
        assert_eq!(case.find(&["alice@b.example"]).await, found("exists alice@b.example", 1));
        assert_eq!(case.find(&["bob@every.example"]).await, found("wildcard @every.example", 1));
        assert_eq!(case.find(&["alice@every.example"]).await, found("wildcard @every.example", 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_at_one_domain_goes_before_the_wildcard_of_the_other() {
        let case = Case::new();
        let forms = ["alice@every.example", "alice@a.example"];
        assert_eq!(case.find(&forms).await, found("exists alice@a.example", 2));
        let forms = ["bob@every.example", "bob@a.example"];
        assert_eq!(case.find(&forms).await, found("wildcard @every.example", 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_found_out_is_believed_for_a_while() {
        let case = Case::new();
        case.find(&["alice@every.example"]).await;
        case.find(&["alice@a.example"]).await;
        case.server.has_wildcard.store(false, Ordering::Relaxed);
        tokio::time::advance(Lifetimes::NEAR.wildcard).await;
        assert_eq!(case.find(&["alice@every.example"]).await, found("exists alice@every.example", 1));
        assert_eq!(case.find(&["alice@a.example"]).await, found("exists alice@a.example", 0));
        tokio::time::advance(Lifetimes::NEAR.names).await;
        assert_eq!(case.find(&["alice@a.example"]).await, found("exists alice@a.example", 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_not_remembered() {
        let case = Case::new();
        case.down(true);
        let why = "whether every name of a.example exists is not known: down";
        let failed = format!("{:?}", Existence::Undetermined(why.to_owned()));
        assert_eq!(case.find(&["alice@a.example"]).await, found(&failed, 1));
        assert_eq!(case.find(&["alice@a.example"]).await, found(&failed, 1));
        case.down(false);
        assert_eq!(case.find(&["alice@a.example"]).await, found("exists alice@a.example", 1));
        // Nor does it end what is known.
        case.down(true);
        assert_eq!(case.find(&["alice@a.example"]).await, found("exists alice@a.example", 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_domain_is_probed_once_however_many_wait() {
        let case = Arc::new(Case::new());
        for (is_down, domain) in [(false, "a.example"), (true, "b.example")] {
            case.down(is_down);
            let before = case.server.probes.load(Ordering::Relaxed);
            let started = Instant::now();
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..50 {
                let (case, alice) = (Arc::clone(&case), format!("alice@{domain}"));
                tasks.spawn(async move { case.find(&[&alice]).await.0 });
            }
            let answers = tasks.join_all().await;
            assert!(answers.iter().all(|answer| *answer == answers[0]));
            assert_eq!(case.server.probes.load(Ordering::Relaxed) - before, 1);
            assert_eq!(started.elapsed(), Duration::from_secs(2));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_leaves_nothing_behind() {
        let case = Case::new();
        let patience = Duration::from_millis(1500);
        assert!(tokio::time::timeout(patience, case.find(&["alice@a.example"])).await.is_err());
        assert_eq!(case.find(&["alice@a.example"]).await, found("exists alice@a.example", 1));
    }
}
