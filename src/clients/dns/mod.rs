//! DNS: answers by name and type, cached, and each question asked upstream once however many want to know.
//!
//! Who asks waits for [`Settings::patience`] at most. The question lives on in a task of its own: an answer that comes
//! too late for whoever asked is there for who asks next. Until then the failure is remembered, so that a dead domain
//! costs time once and not with every message. `upstream` says which server is asked when, `server` knows what each can
//! do, `wire` speaks to it, `reply` reads what it says; `cache` remembers it in the form of `records`.

mod cache;
mod records;
mod reply;
mod server;
mod upstream;
mod wire;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

use self::cache::Cache;
use self::records::{Packed, exchanger, strings, text};
pub use self::upstream::SetupError;
use self::upstream::{Unanswered, Upstream};
use super::counts::{Outcome, Tally};
use crate::spf::lint::Zone;
use crate::spf::{Found, NotFound, Records};

/// How DNS is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The servers, which must be recursive. None: those of the system's resolv.conf.
    pub servers: Vec<SocketAddr>,
    /// The time of one try; within it every server is asked once, one after the other.
    pub timeout: Duration,
    /// How many tries; at least one is made.
    pub attempts: usize,
    /// How many answers are remembered at most; fewer where they take more memory than caches may.
    pub cache_entries: u64,
    /// How long a failure (SERVFAIL, no answer) is remembered, unless no server answers anything.
    pub failure_ttl: Duration,
    /// Whether the case of the letters in queries is random and must come back as it was, against spoofed answers.
    pub case_randomization: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(2),
            attempts: 2,
            cache_entries: 16_384,
            failure_ttl: Duration::from_secs(20),
            case_randomization: false,
        }
    }
}

impl Settings {
    /// How long whoever asks waits for an answer.
    pub fn patience(&self) -> Duration {
        let attempts = u32::try_from(self.attempts).unwrap_or(u32::MAX).max(1);
        self.timeout.saturating_mul(attempts)
    }
}

/// How long an answer may come after everybody's patience is over, and still fill the cache.
const LATE: Duration = Duration::from_secs(10);

/// How many questions may be listened for beyond everybody's patience. Each keeps descriptors, and when DNS is dead there
/// is a new one with every message.
const LATE_AT_MOST: usize = 64;

/// What is asked: a name, whose case does not matter, and a type.
type Question = (Name, RecordType);

/// The records, or why there are none.
type Answer = Result<Packed, NotFound>;

/// An answer, and how long it holds.
#[derive(Clone, Debug)]
struct Reply {
    answer: Answer,
    lifetime: Duration,
}

/// The resolver. Clones share cache and servers.
#[derive(Clone, Debug)]
pub struct Resolver {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    upstream: Upstream,
    cache: Cache,
    /// The questions under way, each with the place where its answer will be.
    flights: Mutex<HashMap<Question, watch::Receiver<Option<Answer>>>>,
    /// A permit for each question that is late.
    late: Semaphore,
    counters: Arc<Counters>,
}

/// What resolvers do, counted.
#[derive(Debug, Default)]
pub struct Counters {
    cached: AtomicU64,
    upstream: AtomicU64,
    failed: AtomicU64,
    late: AtomicU64,
    asked: Tally,
}

impl Counters {
    /// What has been done so far.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Self { cached, upstream, failed, late, .. } = self;
        Counts { cached: read(cached), upstream: read(upstream), failed: read(failed), late: read(late) }
    }

    /// What was asked upstream and is decided: what it came to and how long whoever asked waited.
    pub fn asked(&self) -> &Tally {
        &self.asked
    }
}

/// What a resolver has done since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Questions answered from the cache.
    pub cached: u64,
    /// Questions asked upstream, each counted once whatever number of tries it took.
    pub upstream: u64,
    /// Those that got no answer in time, or SERVFAIL and the like.
    pub failed: u64,
    /// Those whose answer came when nobody waited any more.
    pub late: u64,
}

impl Resolver {
    /// A resolver with an empty cache.
    ///
    /// # Errors
    /// No server is named and the system's resolv.conf names none either.
    pub fn new(settings: &Settings) -> Result<Self, SetupError> {
        Self::counted(settings, Arc::default())
    }

    /// The same, with what it does counted here.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn counted(settings: &Settings, counters: Arc<Counters>) -> Result<Self, SetupError> {
        let shared = Shared {
            upstream: Upstream::new(settings)?,
            cache: Cache::new(settings.cache_entries),
            flights: Mutex::default(),
            late: Semaphore::new(LATE_AT_MOST),
            counters,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What has been done so far.
    pub fn counts(&self) -> Counts {
        self.shared.counters.counts()
    }

    async fn find(&self, name: Option<Name>, record_type: RecordType) -> Answer {
        // RFC 7208, 4.8 leaves open what a name is worth that DNS cannot carry. Nothing can be published there, nor at a
        // name that is not for DNS.
        let question = (name.filter(is_for_dns).ok_or(NotFound::NoRecords)?, record_type);
        if let Some(answer) = self.shared.cache.find(&question) {
            count(&self.shared.counters.cached);
            return answer;
        }
        let mut flight = self.join(question);
        match flight.wait_for(Option::is_some).await.map(|landed| landed.clone()) {
            Ok(Some(answer)) => answer,
            Ok(None) | Err(_) => Err(NotFound::Failed("the query broke off".to_owned())),
        }
    }

    /// The flight of the question that is under way, or a new one.
    fn join(&self, question: Question) -> watch::Receiver<Option<Answer>> {
        let mut flights = self.shared.flights();
        if let Some(flight) = flights.get(&question) {
            return flight.clone();
        }
        // One may have landed since the cache was asked; it leaves its answer there before it leaves the list.
        if let Some(answer) = self.shared.cache.find(&question) {
            return watch::channel(Some(answer)).1;
        }
        let (landing, flight) = watch::channel(None);
        flights.insert(question.clone(), flight.clone());
        let (shared, begun) = (Arc::clone(&self.shared), Instant::now());
        tokio::spawn(fly(Flight { shared, question, landing, begun }));
        flight
    }
}

impl Shared {
    fn flights(&self) -> MutexGuard<'_, HashMap<Question, watch::Receiver<Option<Answer>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self, Unanswered { cause, lifetime }: Unanswered) -> Reply {
        count(&self.counters.failed);
        Reply { answer: Err(NotFound::Failed(cause)), lifetime }
    }
}

/// A question on its way upstream.
struct Flight {
    shared: Arc<Shared>,
    question: Question,
    landing: watch::Sender<Option<Answer>>,
    begun: Instant,
}

impl Flight {
    /// Leaves the answer in the cache, then hands it to all who wait.
    fn land(self, reply: Reply) {
        let outcome = match &reply.answer {
            Ok(_) => Outcome::Found,
            Err(NotFound::NoRecords) => Outcome::None,
            Err(NotFound::Failed(_)) => Outcome::Failed,
        };
        self.shared.counters.asked.note(outcome, self.begun.elapsed());
        self.shared.cache.insert(self.question.clone(), reply.clone());
        self.landing.send_replace(Some(reply.answer));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.shared.flights().remove(&self.question);
    }
}

/// Asks upstream, in a task of its own.
async fn fly(flight: Flight) {
    let (shared, question) = (Arc::clone(&flight.shared), flight.question.clone());
    count(&shared.counters.upstream);
    let mut asking = shared.upstream.ask(&question);
    match asking.in_time().await {
        Ok(reply) => return flight.land(reply),
        Err(unanswered) => flight.land(shared.failure(unanswered)),
    }
    let Ok(_permit) = shared.late.try_acquire() else { return };
    if let Ok(Some(reply)) = timeout(LATE, asking.late()).await {
        count(&shared.counters.late);
        shared.cache.insert(question, reply);
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Records for Resolver {
    async fn a(&self, name: &str) -> Found<Ipv4Addr> {
        let answer = self.find(name_of(name), RecordType::A).await?;
        found(&answer, |data| data.as_array::<4>().copied().map(Ipv4Addr::from))
    }

    async fn aaaa(&self, name: &str) -> Found<Ipv6Addr> {
        let answer = self.find(name_of(name), RecordType::AAAA).await?;
        found(&answer, |data| data.as_array::<16>().copied().map(Ipv6Addr::from))
    }

    async fn mx(&self, name: &str) -> Found<String> {
        let answer = self.find(name_of(name), RecordType::MX).await?;
        let mut exchangers = found(&answer, exchanger)?;
        exchangers.sort_by_key(|(preference, _)| *preference);
        Ok(exchangers.into_iter().map(|(_, name)| name).collect())
    }

    async fn txt(&self, name: &str) -> Found<String> {
        let answer = self.find(name_of(name), RecordType::TXT).await?;
        // The character-strings of a record are joined without spaces (RFC 7208, 3.3).
        found(&answer, |data| Some(text(&strings(data).collect::<Vec<_>>().concat())))
    }

    async fn ptr(&self, address: IpAddr) -> Found<String> {
        let answer = self.find(Some(Name::from(address)), RecordType::PTR).await?;
        found(&answer, |data| Some(text(data)))
    }
}

/// The type that SPF records once had (RFC 4408, 3.1.1).
const TYPE_99: RecordType = RecordType::Unknown(99);

impl Zone for Resolver {
    async fn strings(&self, name: &str) -> Found<Vec<Vec<u8>>> {
        let answer = self.find(name_of(name), RecordType::TXT).await?;
        found(&answer, |data| Some(strings(data).map(<[u8]>::to_vec).collect()))
    }

    async fn type_99(&self, name: &str) -> Found<String> {
        let answer = self.find(name_of(name), TYPE_99).await?;
        found(&answer, |data| Some(text(data)))
    }
}

fn found<T>(answer: &Packed, read: impl Fn(&[u8]) -> Option<T>) -> Found<T> {
    let records: Vec<T> = answer.iter().filter_map(read).collect();
    if records.is_empty() { Err(NotFound::NoRecords) } else { Ok(records) }
}

/// Whether a name may be asked for: RFC 6761, 6.3 and 6.4 and RFC 7686, 2 keep these domains from leaving the host.
fn is_for_dns(name: &Name) -> bool {
    let top = name.iter().next_back().unwrap_or_default();
    !["localhost", "invalid", "onion"].iter().any(|kept| top.eq_ignore_ascii_case(kept.as_bytes()))
}

/// A name in DNS's form; nothing if a label is empty or too long, or the whole is (RFC 1035, 2.3.4).
fn name_of(text: &str) -> Option<Name> {
    Name::from_labels(text.split('.').map(str::as_bytes)).ok()
}
