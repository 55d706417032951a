//! Sources that cannot be enumerated. Where one knows a name, a random name tells whether it would know any.

use std::time::Duration;

use tokio::time::timeout;

use super::Source;
use super::doubts::knows_everybody;
use crate::clients::files::problem::Problem;
use crate::clients::remembered::{Hits, Remembered};
use crate::facts::{Cost, Evidence, Existence, Provenance, RecipientQuestion, SourceId};
use crate::mail::{Domain, Mailbox};

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

/// How long nobody asks again for a random name about which the server could not tell.
const PAUSE: Duration = Duration::from_mins(1);

/// How many domains are looked at for what is doubtful about them.
const MOST_DOUBTS: usize = 100;

/// How long that may take, all domains together.
const PATIENCE: Duration = Duration::from_secs(1);

/// A source whose ‘exists’ is [`Existence::Ambiguous`] at domains where it has the same for a random name. Whether it has
/// an entry for every name there, or answers them all in another way, it does not say.
///
/// Where nothing is found out about the random name, what was known before goes on to hold, and without that the answer
/// for the name itself is believed. What a probe finds out is remembered for each domain. However many wait for the
/// probe of a domain, it is made once; none is made where nobody wants to tell the two apart.
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
    /// This random name is known, with this value if there is one.
    Everybody { probe: Mailbox, value: Option<String> },
}

impl<S: Source> Probed<S> {
    /// The source with its probes, of which so many octets are remembered at most.
    pub(super) fn new(source: S, lifetimes: Lifetimes, octets: u64) -> Self {
        let probes = Remembered::new(octets, |domain: &Domain, probing: &Probing| match probing {
            Probing::Names => domain.as_str().len(),
            Probing::Everybody { probe, value } => {
                let value = value.as_ref().map_or(0, String::len);
                2 * domain.as_str().len() + probe.local_part().len() + value
            }
        });
        Self { source, lifetimes, probes }
    }

    /// The answer to a question whose forms are all at one domain.
    async fn find_at(&self, domain: &Domain, question: &RecipientQuestion) -> Existence {
        let answer = self.source.find(question).await;
        let Existence::Exists(by) = &answer else { return answer };
        if !question.by_name {
            return answer;
        }
        match self.probing(domain, question).await {
            Ok(Probing::Everybody { probe, value }) if !is_other(by, question, &probe, value.as_deref()) => {
                let words = format!("{}, which knows {} too", self.source.name(), probe.local_part());
                Existence::Ambiguous(format!("{by}: {words}").into())
            }
            // A guess that came to nothing does not overrule an answer.
            Ok(_) | Err(_) => answer,
        }
    }

    /// What a random name at a domain comes to.
    async fn probing(&self, domain: &Domain, question: &RecipientQuestion) -> Result<Probing, String> {
        self.probes.find_or_keep(domain, PAUSE, self.probe(domain, question)).await
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
            Existence::Exists(by) => {
                let value = value(&by).map(str::to_owned);
                Ok((Probing::Everybody { probe, value }, self.lifetimes.wildcard))
            }
            Existence::Relocated { .. } | Existence::Ambiguous(_) | Existence::Wildcard(_) => {
                Ok((Probing::Everybody { probe, value: None }, self.lifetimes.wildcard))
            }
            Existence::Unknown(_) | Existence::NoList(_) => Ok((Probing::Names, self.lifetimes.names)),
            Existence::Undetermined(why) => Err(why),
        }
    }
}

/// What a source has for a name beside a yes.
fn value(by: &Provenance) -> Option<&str> {
    match by.last()? {
        Evidence::Said { value, .. } => value.as_deref(),
        Evidence::Entry { .. } | Evidence::Parameter { .. } => None,
    }
}

/// Whether the value of a name is another one than the random name has, the names themselves set aside.
fn is_other(
    by: &Provenance,
    question: &RecipientQuestion,
    probe: &Mailbox,
    everybodys: Option<&str>,
) -> bool {
    let (Some(own), Some(everybodys)) = (value(by), everybodys) else { return false };
    let same = |form: &Mailbox| everybodys.replace(probe.local_part(), form.local_part()) == own;
    !question.forms.iter().any(same)
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

    async fn doubts(&self, domains: &[&Domain]) -> Vec<Problem> {
        let mut everybody: Vec<&str> = Vec::new();
        let all = async {
            for domain in domains.iter().take(MOST_DOUBTS) {
                let source = SourceId { number: 0, cost: Cost::Near };
                let question =
                    RecipientQuestion { source, forms: Vec::new(), case_sensitive: false, by_name: true };
                match self.probing(domain, &question).await {
                    Ok(Probing::Everybody { .. }) => everybody.push(domain.as_str()),
                    Ok(Probing::Names) => {}
                    // A server that does not answer for one domain would not for the next.
                    Err(_) => break,
                }
            }
        };
        // What is not found out by then is when the first mail comes.
        let _ = timeout(PATIENCE, all).await;
        let everybody =
            (!everybody.is_empty()).then(|| knows_everybody(self.source.name(), &everybody)).into_iter();
        everybody.chain(self.source.doubts(domains).await).collect()
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
        has_values: AtomicBool,
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
                if self.has_values.load(Ordering::Relaxed) && (every || form.local_part() == "alice") {
                    let own = (form.local_part() == "alice").then_some("box of alice");
                    let value = Some(own.map_or_else(|| format!("all of {form}"), str::to_owned));
                    return Existence::Exists(Evidence::Said { words: form.to_string(), value }.into());
                }
                if every || form.local_part() == "alice" {
                    return Existence::Exists(form.to_string().into());
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
            Self { probed: Probed::new(Arc::clone(&server), Lifetimes::NEAR, 1 << 20), server }
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
                by_name: true,
            };
            let answer = match self.probed.find(&question).await {
                Existence::Exists(by) => format!("exists {by}"),
                Existence::Ambiguous(by) => {
                    format!("ambiguous {}", by.to_string().split(':').next().unwrap())
                }
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
        assert_eq!(case.find(&["bob@every.example"]).await, found("ambiguous bob@every.example", 1));
        assert_eq!(case.find(&["alice@every.example"]).await, found("ambiguous alice@every.example", 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_at_one_domain_goes_before_the_wildcard_of_the_other() {
        let case = Case::new();
        let forms = ["alice@every.example", "alice@a.example"];
        assert_eq!(case.find(&forms).await, found("exists alice@a.example", 2));
        let forms = ["bob@every.example", "bob@a.example"];
        assert_eq!(case.find(&forms).await, found("ambiguous bob@every.example", 0));
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
    async fn a_probe_that_fails_overrules_nothing() {
        let case = Case::new();
        case.down(true);
        assert_eq!(case.find(&["alice@a.example"]).await, found("exists alice@a.example", 1));
        assert_eq!(case.find(&["alice@a.example"]).await, found("exists alice@a.example", 0));
        assert_eq!(case.find(&["alice@every.example"]).await, found("exists alice@every.example", 1));
        // It is tried again after a while, and what it finds out outlives the next failure.
        tokio::time::advance(PAUSE).await;
        case.down(false);
        assert_eq!(case.find(&["alice@every.example"]).await, found("ambiguous alice@every.example", 1));
        tokio::time::advance(Lifetimes::NEAR.wildcard).await;
        case.down(true);
        assert_eq!(case.find(&["alice@every.example"]).await, found("ambiguous alice@every.example", 1));
        assert_eq!(case.find(&["alice@every.example"]).await, found("ambiguous alice@every.example", 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_with_another_value_has_an_entry_of_its_own() {
        let case = Case::new();
        case.server.has_values.store(true, Ordering::Relaxed);
        assert_eq!(case.find(&["alice@every.example"]).await, found("exists alice@every.example", 1));
        assert_eq!(case.find(&["bob@every.example"]).await, found("ambiguous bob@every.example", 0));
        assert_eq!(case.find(&["bob+x@every.example"]).await, found("ambiguous bob+x@every.example", 0));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_probed_where_nobody_tells_the_two_apart() {
        let case = Case::new();
        let before = case.server.probes.load(Ordering::Relaxed);
        let question = RecipientQuestion {
            source: SourceId { number: 0, cost: Cost::Near },
            forms: vec!["bob@every.example".parse().unwrap()],
            case_sensitive: false,
            by_name: false,
        };
        assert!(matches!(case.probed.find(&question).await, Existence::Exists(_)));
        assert_eq!(case.server.probes.load(Ordering::Relaxed), before);
    }

    #[tokio::test(start_paused = true)]
    async fn what_knows_everybody_is_told_of_its_domains() {
        let case = Case::new();
        let domains = ["a.example", "every.example"].map(|domain| domain.parse::<Domain>().unwrap());
        let doubts: Vec<String> =
            case.probed.doubts(&domains.each_ref()[1..]).await.iter().map(ToString::to_string).collect();
        assert!(doubts.len() == 1 && doubts[0].starts_with("server answers"), "{doubts:?}");
        assert!(case.probed.doubts(&domains.each_ref()[..1]).await.is_empty());
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
