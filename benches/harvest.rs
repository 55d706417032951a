//! One recipient noted in a full memory of 100000 entries, and one client looked up there; beside an unbounded map of
//! sets in the same run.
//!
//! `cargo bench --bench harvest`. Figures of one run are to be compared with each other only.
#![allow(missing_docs, reason = "divan names the functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark ends where its surroundings do")]

use std::collections::{HashMap, HashSet};
use std::fs;
use std::hint::black_box;
use std::net::IpAddr;

use divan::Bencher;
use divan::counter::ItemsCount;
use jiff::{SignedDuration, Timestamp};
use lockdown_milter::memory::harvest::{Asker, Settings, Tracker};

/// Names and networks that are remembered.
const ENTRIES: usize = 100_000;

/// Recipients in one turn.
const RECIPIENTS: u32 = 1000;

fn main() {
    let before = resident();
    let (tracker, _) = full();
    println!("{} entries in memory: {} MB", tracker.entries(), (resident() - before) / 1_000_000);
    drop(tracker);
    divan::main();
}

/// The memory of this process that is in use, in octets.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

fn begin() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

/// One of sixteen million clients.
fn client(number: u32) -> IpAddr {
    let scattered = number.wrapping_mul(2_654_435_761) >> 8;
    IpAddr::V4((u32::from_be_bytes([10, 0, 0, 0]) | scattered).into())
}

fn asker(client: IpAddr) -> Asker {
    Asker { client, null_sender: false, may_be_excused: false }
}

/// A tracker whose memory is full, and how many recipients it has seen.
fn full() -> (Tracker, u32) {
    let settings = Settings { memory_entries: ENTRIES, ..Settings::default() };
    let mut tracker = Tracker::new(settings, begin());
    let mut number = 0;
    while tracker.entries() < ENTRIES - 10 {
        note(&mut tracker, number);
        number += 1;
    }
    (tracker, number)
}

/// One recipient: two of three exist, and every client asks for several.
fn note(tracker: &mut Tracker, number: u32) {
    let (client, name) = (client(number / 4), format!("name{number}@example.org"));
    let now = begin() + SignedDuration::from_millis(i64::from(number));
    if number.is_multiple_of(3) {
        tracker.note_unknown(asker(client), &name, now);
    } else {
        tracker.note_good(asker(client), &name, now);
    }
}

#[divan::bench]
fn a_recipient_noted(bencher: Bencher<'_, '_>) {
    let (mut tracker, mut number) = full();
    bencher.counter(ItemsCount::new(RECIPIENTS)).bench_local(|| {
        for _ in 0..RECIPIENTS {
            note(&mut tracker, number);
            number += 1;
        }
    });
}

/// The same of one client, a provider that has written to more users than are remembered.
#[divan::bench]
fn a_recipient_of_a_provider_noted(bencher: Bencher<'_, '_>) {
    let (mut tracker, mut number) = full();
    let provider = [192, 0, 2, 1].into();
    let mut note = || {
        let now = begin() + SignedDuration::from_millis(i64::from(number));
        tracker.note_good(asker(provider), &format!("name{number}@example.org"), now);
        number += 1;
    };
    (0..10 * RECIPIENTS).for_each(|_| note());
    bencher.counter(ItemsCount::new(RECIPIENTS)).bench_local(|| (0..RECIPIENTS).for_each(|_| note()));
}

#[divan::bench]
fn a_client_looked_up(bencher: Bencher<'_, '_>) {
    let (mut tracker, seen) = full();
    let now = begin() + SignedDuration::from_millis(i64::from(seen));
    let mut number = 0;
    bencher.counter(ItemsCount::new(RECIPIENTS)).bench_local(|| {
        for _ in 0..RECIPIENTS {
            black_box(tracker.block_of(client(number % seen), false, now));
            number += 1;
        }
    });
}

#[divan::bench]
fn a_recipient_in_a_map_of_sets(bencher: Bencher<'_, '_>) {
    let mut names: HashMap<IpAddr, HashSet<String>> = HashMap::new();
    let mut number = 0;
    let mut note = || {
        names.entry(client(number / 4)).or_default().insert(format!("name{number}@example.org"));
        number += 1;
    };
    (0..ENTRIES).for_each(|_| note());
    bencher.counter(ItemsCount::new(RECIPIENTS)).bench_local(|| (0..RECIPIENTS).for_each(|_| note()));
}
