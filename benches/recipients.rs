//! A million recipients in a file: reading them, holding them, finding one; beside a `HashSet<String>` in the same run.
//!
//! `cargo bench --bench recipients`. Figures of one run are to be compared with each other only.
#![allow(missing_docs, reason = "divan names the functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark ends where its surroundings do")]

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use lockdown_milter::facts::{Cost, Existence, RecipientQuestion, SourceId};
use lockdown_milter::sources::recipients::{Recipients, SourceSettings};
use tempfile::NamedTempFile;
use tokio::runtime::{Builder, Runtime};

/// Addresses in the file.
const ADDRESSES: usize = 1_000_000;

/// Look-ups in one turn, spread over the file.
const LOOK_UPS: usize = 1000;

fn main() {
    LazyLock::force(&FILE);
    let (runtime, before) = (runtime(), resident());
    let ours = ours(&runtime);
    let with_ours = resident();
    let hash_set = hash_set(FILE.path());
    let with_both = resident();
    println!(
        "{ADDRESSES} addresses in memory: {} MB, as HashSet<String> {} MB",
        (with_ours - before) / 1_000_000,
        (with_both - with_ours) / 1_000_000
    );
    drop((ours, hash_set));
    divan::main();
}

/// The memory of this process that is in use, in octets.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// An address as sites have them: a name of some length at one of a thousand domains.
fn address(number: usize) -> String {
    format!(
        "{}.{number}@customer-{}.example",
        ["ana", "giovanni", "li", "maximilian"][number % 4],
        number % 1000
    )
}

static FILE: LazyLock<NamedTempFile> = LazyLock::new(|| {
    let text = (0..ADDRESSES).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "{}", address(number));
        text
    });
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    file
});

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn ours(runtime: &Runtime) -> Recipients {
    runtime.block_on(Recipients::open(&[SourceSettings::File(FILE.path().to_owned())])).unwrap()
}

/// What one would write in an hour.
fn hash_set(file: &Path) -> HashSet<String> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| line.trim().to_lowercase()).filter(|line| !line.is_empty()).collect()
}

/// Numbers of addresses in no order that a cache could guess.
fn numbers() -> impl Iterator<Item = usize> {
    (0..LOOK_UPS).map(|turn| turn.wrapping_mul(7_368_787) % ADDRESSES)
}

/// The addresses that are looked up: those of the file, or others.
fn wanted(known: bool) -> Vec<String> {
    numbers().map(|number| address(if known { number } else { number + ADDRESSES })).collect()
}

#[divan::bench(sample_count = 5)]
fn load_ours(bencher: Bencher<'_, '_>) {
    LazyLock::force(&FILE);
    let runtime = runtime();
    bencher.counter(ItemsCount::new(ADDRESSES)).bench_local(|| ours(&runtime));
}

#[divan::bench(sample_count = 5)]
fn load_hash_set(bencher: Bencher<'_, '_>) {
    LazyLock::force(&FILE);
    bencher.counter(ItemsCount::new(ADDRESSES)).bench_local(|| hash_set(FILE.path()));
}

#[divan::bench(args = [true, false])]
fn find_ours(bencher: Bencher<'_, '_>, known: bool) {
    let runtime = runtime();
    let recipients = ours(&runtime);
    let source = SourceId { number: 0, cost: Cost::Memory };
    let questions: Vec<RecipientQuestion> = wanted(known)
        .iter()
        .map(|address| {
            let forms = vec![address.parse().unwrap()];
            RecipientQuestion { source, forms, case_sensitive: false, by_name: true }
        })
        .collect();
    bencher.counter(ItemsCount::new(LOOK_UPS)).bench_local(|| {
        runtime.block_on(async {
            for question in &questions {
                let found = recipients.find(question).await;
                assert_eq!(matches!(found, Existence::Exists(_)), known);
            }
        });
    });
}

#[divan::bench(args = [true, false])]
fn find_hash_set(bencher: Bencher<'_, '_>, known: bool) {
    let set = hash_set(FILE.path());
    let questions = wanted(known);
    bencher.counter(ItemsCount::new(LOOK_UPS)).bench_local(|| {
        for question in &questions {
            assert_eq!(black_box(&set).contains(&question.to_lowercase()), known);
        }
    });
}
