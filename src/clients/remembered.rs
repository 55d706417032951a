//! Answers that are found out once, however many want to know, and believed for a while.
//!
//! What strangers can fill is bounded in octets of memory, never in entries, as a stranger chooses what an entry takes.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The octets that everything remembered for a while takes at most: answers of DNS, and what sources of recipients have
/// said. While a reload is under way, there may be twice as much.
pub const CACHES: u64 = 64 << 20;

/// The share of DNS.
pub(crate) const DNS_CACHE: u64 = CACHES / 2;

/// The share of all sources of recipients together.
pub(crate) const RECIPIENT_CACHES: u64 = CACHES - DNS_CACHE;

/// Octets that an entry takes beside what its key and its value point to: the two themselves, the cache's own records
/// of it, and what the allocator adds. An estimate, rounded up, that `tests/memory/answers.rs` bears out.
pub(crate) const ENTRY: usize = 512;

/// The octets of an entry after which a cache makes room at once. Else it does so after some hundred entries.
pub(crate) const MUCH: u32 = 16 * 1024;

/// Answers by key, the least recently used ones forgotten first. Failures are not remembered.
pub(crate) struct Remembered<K, V> {
    flights: Cache<K, Arc<Flight<V>>>,
    /// The octets that a key and what is remembered of it point to.
    weigh: fn(&K, &V) -> usize,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// How often what was asked was remembered, and how often not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// It was remembered, or somebody was finding it out already.
    pub hits: u64,
    /// It had to be found out.
    pub misses: u64,
}

impl std::ops::Add for Hits {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { hits: self.hits + other.hits, misses: self.misses + other.misses }
    }
}

/// How an answer to one key is found out.
#[derive(Debug)]
struct Flight<V> {
    /// How often it was tried.
    number: AtomicU64,
    /// The octets that the entry takes.
    weight: AtomicU32,
    latest: Mutex<Option<Latest<V>>>,
}

/// What was found out last, and until when that may be believed.
#[derive(Debug)]
struct Latest<V> {
    found: Result<V, String>,
    until: Instant,
}

impl<K, V> Remembered<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Remembers nothing yet, and that many octets at most; `weigh` says how many a key and a value point to.
    pub(crate) fn new(octets: u64, weigh: fn(&K, &V) -> usize) -> Self {
        let flights = Cache::builder()
            .max_capacity(octets)
            .weigher(|_, flight: &Arc<Flight<V>>| flight.weight.load(Ordering::Relaxed))
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { flights, weigh, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// How often it helped so far.
    pub(crate) fn hits(&self) -> Hits {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Hits { hits: read(&self.hits), misses: read(&self.misses) }
    }

    /// The answer to a key: what is remembered, or else what `find` says, with the time for which it may be believed.
    ///
    /// Who comes while somebody finds out waits for the same answer. If that one gives up, the next one finds out.
    ///
    /// # Errors
    ///
    /// What `find` says; to those who waited for it as well, and to nobody after them.
    pub(crate) async fn find(
        &self,
        key: &K,
        find: impl Future<Output = Result<(V, Duration), String>>,
    ) -> Result<V, String> {
        self.ask(key, None, find).await
    }

    /// The same, but for a failure: what was known before goes on to be believed, for `pause` more, and where nothing
    /// was, nobody tries again in that time.
    ///
    /// # Errors
    ///
    /// What `find` says, where nothing was known before.
    pub(crate) async fn find_or_keep(
        &self,
        key: &K,
        pause: Duration,
        find: impl Future<Output = Result<(V, Duration), String>>,
    ) -> Result<V, String> {
        self.ask(key, Some(pause), find).await
    }

    async fn ask(
        &self,
        key: &K,
        pause: Option<Duration>,
        find: impl Future<Output = Result<(V, Duration), String>>,
    ) -> Result<V, String> {
        let new = || Arc::new(Flight::default());
        let flight = self.flights.get_with_by_ref(key, new);
        let before = flight.number.load(Ordering::Acquire);
        let mut latest = flight.latest.lock().await;
        if let Some(latest) = &*latest {
            let is_of_ours = flight.number.load(Ordering::Acquire) != before;
            if Instant::now() < latest.until || (latest.found.is_err() && is_of_ours) {
                self.hits.fetch_add(1, Ordering::Relaxed);
                return latest.found.clone();
            }
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let (found, lifetime) = match find.await {
            Ok((value, lifetime)) => (Ok(value), lifetime),
            Err(why) => {
                let known = latest.take().and_then(|latest| latest.found.ok()).filter(|_| pause.is_some());
                (known.ok_or(why), pause.unwrap_or_default())
            }
        };
        *latest = Some(Latest { found: found.clone(), until: Instant::now() + lifetime });
        flight.number.fetch_add(1, Ordering::Release);
        self.weigh(key, &flight, &found);
        found
    }

    /// Lets the cache know what an entry takes now.
    fn weigh(&self, key: &K, flight: &Arc<Flight<V>>, found: &Result<V, String>) {
        let octets = match found {
            Ok(value) => (self.weigh)(key, value),
            Err(why) => why.len(),
        };
        let weight = u32::try_from(ENTRY + octets).unwrap_or(u32::MAX);
        if flight.weight.swap(weight, Ordering::Relaxed) != weight {
            self.flights.insert(key.clone(), Arc::clone(flight));
            if weight > MUCH {
                self.flights.run_pending_tasks();
            }
        }
    }
}

impl<V> Default for Flight<V> {
    fn default() -> Self {
        // A key that nothing is known of takes its place all the same.
        let weight = u32::try_from(ENTRY).unwrap_or(u32::MAX);
        Self { number: AtomicU64::new(0), weight: AtomicU32::new(weight), latest: Mutex::new(None) }
    }
}

impl<K, V> std::fmt::Debug for Remembered<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Remembered")
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep, timeout};

    use super::*;

    const LIFETIME: Duration = Duration::from_mins(1);

    fn remembered() -> Remembered<u8, u64> {
        Remembered::new(100_000, |_, _| 0)
    }

    /// Counts how often it is asked, which takes a second, and fails while it is down.
    #[derive(Default)]
    struct Case {
        asked: AtomicU64,
        is_down: std::sync::atomic::AtomicBool,
    }

    impl Case {
        async fn find(&self, remembered: &Remembered<u8, u64>) -> Result<u64, String> {
            remembered
                .find(&1, async {
                    sleep(Duration::from_secs(1)).await;
                    let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
                    let is_down = self.is_down.load(Ordering::Relaxed);
                    if is_down { Err(format!("down at {asked}")) } else { Ok((asked, LIFETIME)) }
                })
                .await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answers_hold_for_their_time_and_failures_do_not() {
        let (case, remembered) = (Case::default(), remembered());
        assert_eq!(case.find(&remembered).await, Ok(1));
        advance(LIFETIME / 2).await;
        assert_eq!(case.find(&remembered).await, Ok(1));
        advance(LIFETIME / 2).await;
        case.is_down.store(true, Ordering::Relaxed);
        assert_eq!(case.find(&remembered).await, Err("down at 2".to_owned()));
        assert_eq!(case.find(&remembered).await, Err("down at 3".to_owned()));
        case.is_down.store(false, Ordering::Relaxed);
        assert_eq!(case.find(&remembered).await, Ok(4));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_known_outlives_a_failure_where_that_is_wanted() {
        let (case, remembered) = (Case::default(), remembered());
        let pause = Duration::from_secs(10);
        let find = async || {
            let find = async {
                let asked = case.asked.fetch_add(1, Ordering::Relaxed) + 1;
                let is_down = case.is_down.load(Ordering::Relaxed);
                if is_down { Err(format!("down at {asked}")) } else { Ok((asked, LIFETIME)) }
            };
            remembered.find_or_keep(&1, pause, find).await
        };
        case.is_down.store(true, Ordering::Relaxed);
        assert_eq!(find().await, Err("down at 1".to_owned()));
        assert_eq!(find().await, Err("down at 1".to_owned()));
        advance(pause).await;
        case.is_down.store(false, Ordering::Relaxed);
        assert_eq!(find().await, Ok(2));
        case.is_down.store(true, Ordering::Relaxed);
        advance(LIFETIME).await;
        assert_eq!(find().await, Ok(2), "the third answer is a failure");
        assert_eq!(find().await, Ok(2));
        assert_eq!(case.asked.load(Ordering::Relaxed), 3);
        advance(pause).await;
        case.is_down.store(false, Ordering::Relaxed);
        assert_eq!(find().await, Ok(4));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_same_answer_or_failure() {
        for is_down in [false, true] {
            let (case, remembered) = (Arc::new(Case::default()), Arc::new(remembered()));
            case.is_down.store(is_down, Ordering::Relaxed);
            let started = Instant::now();
            let mut asking = tokio::task::JoinSet::new();
            for _ in 0..50 {
                let (case, remembered) = (Arc::clone(&case), Arc::clone(&remembered));
                asking.spawn(async move { case.find(&remembered).await });
            }
            let answers = asking.join_all().await;
            assert!(answers.iter().all(|answer| answer.is_err() == is_down && *answer == answers[0]));
            assert_eq!(case.asked.load(Ordering::Relaxed), 1);
            assert_eq!(started.elapsed(), Duration::from_secs(1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_leaves_nothing_behind() {
        let (case, remembered) = (Case::default(), remembered());
        assert!(timeout(Duration::from_millis(500), case.find(&remembered)).await.is_err());
        assert_eq!(case.find(&remembered).await, Ok(1));
    }

    #[tokio::test]
    async fn large_answers_push_out_others() {
        const OCTETS: u64 = 100_000;
        let remembered: Remembered<String, String> =
            Remembered::new(OCTETS, |key, value| key.len() + value.len());
        let held = || {
            remembered.flights.run_pending_tasks();
            let flights = remembered.flights.iter();
            flights.map(|(key, _)| key.len()).sum::<usize>() as u64 + remembered.flights.weighted_size()
        };
        for (length, most) in [(10, 1000), (10_000, 100), (200_000, 10)] {
            for number in 0..most {
                let value = "x".repeat(length);
                let found =
                    remembered.find(&number.to_string(), async { Ok((value.clone(), LIFETIME)) }).await;
                assert_eq!(found, Ok(value));
            }
            assert!(held() < OCTETS + 10_000, "{length}: {}", held());
        }
        // What is too large for the whole is not remembered, and nothing else suffers for it.
        assert!(remembered.flights.entry_count() <= OCTETS / ENTRY as u64);
    }
}
