//! What it costs to learn who uses the names behind a wildcard, and to ask.
//!
//! `cargo bench --bench learning`. Figures of one run are to be compared with each other only.
#![allow(missing_docs, reason = "divan names the functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark ends where its surroundings do")]

use std::sync::Arc;
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use jiff::{SignedDuration, Timestamp};
use lockdown_milter::facts::UsageQuestion;
use lockdown_milter::mail::{Mailbox, ReversePath};
use lockdown_milter::memory::catch_all::{Accepted, CatchAll, Seen, Sighting, Spf};
use lockdown_milter::memory::store::{Queue, Resident, Store};
use tempfile::TempDir;

/// Messages in one turn.
const MESSAGES: u32 = 10_000;

/// Names of a large domain, each with some correspondents.
const NAMES: u32 = 20_000;

fn main() {
    divan::main();
}

fn clock() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn message(number: u32) -> Sighting {
    let name = number.wrapping_mul(7919) % NAMES;
    let writer = number.wrapping_mul(31) % 5 + name;
    Sighting {
        mailbox: mailbox(name),
        at: clock() + SignedDuration::from_secs(number.into()),
        seen: Seen::Accepted(Accepted {
            sender: ReversePath::parse(&format!("<writer@firm-{writer}.example>")),
            network: Some(format!("10.{}.{}.0/24", writer / 256 % 256, writer % 256).parse().unwrap()),
            spf: Spf::Pass,
            returned: false,
            is_ours: false,
        }),
    }
}

fn mailbox(name: u32) -> Mailbox {
    Mailbox::new(format!("name-{name}"), "example.org".parse().unwrap())
}

/// A store with what lives in it.
struct Kept {
    catch_all: Arc<CatchAll>,
    queue: Arc<Queue>,
    store: Store,
    _dir: TempDir,
}

impl Kept {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let queue = Arc::new(Queue::default());
        let catch_all = Arc::new(CatchAll::new(Arc::clone(&queue), Duration::from_hours(14 * 24)));
        let residents: Vec<Arc<dyn Resident>> = vec![Arc::<CatchAll>::clone(&catch_all)];
        let path = dir.path().join("ledger.redb");
        let store =
            Store::open(path, Duration::from_millis(20), Arc::clone(&queue), residents, clock).unwrap();
        Self { catch_all, queue, store, _dir: dir }
    }
}

/// What the end of a message costs the session.
#[divan::bench]
fn note(bencher: Bencher<'_, '_>) {
    let kept = Kept::new();
    let messages: Vec<Sighting> = (0..MESSAGES).map(message).collect();
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        for message in &messages {
            kept.catch_all.note(message);
        }
    });
    println!("changes that found no room: {}", kept.queue.dropped());
}

/// The same, until all of it is on the disk.
#[divan::bench]
fn note_and_commit(bencher: Bencher<'_, '_>) {
    let kept = Kept::new();
    let messages: Vec<Sighting> = (0..MESSAGES).map(message).collect();
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        for message in &messages {
            kept.catch_all.note(message);
        }
        assert!(kept.store.flush(Duration::from_mins(1)));
    });
}

/// What a recipient costs under `soft`.
#[divan::bench]
fn find(bencher: Bencher<'_, '_>) {
    let kept = Kept::new();
    for number in 0..10 * NAMES {
        kept.catch_all.note(&message(number));
    }
    let questions: Vec<UsageQuestion> = (0..MESSAGES)
        .map(|number| UsageQuestion {
            mailbox: mailbox(number.wrapping_mul(7919) % (NAMES * 2)),
            sender: ReversePath::parse("<writer@firm.example>"),
            network: "192.0.2.0/24".parse().unwrap(),
        })
        .collect();
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        for question in &questions {
            black_box(kept.catch_all.find(question));
        }
    });
}
