//! The store under adverse conditions: a process that is killed, files that are damaged or somebody else's, a full disk,
//! a second daemon.
//!
//! Some tests run this program again as a child that may be killed; its part is a test of its own that is ignored
//! otherwise, and learns from the environment what to do.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/frames.rs"]
mod frames;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use lockdown_milter::facts::{Cause, CauseQuestion, Tie};
use lockdown_milter::mail::spf::SpfResult;
use lockdown_milter::mail::{ForwardPath, ReversePath};
use lockdown_milter::memory::ledger::{Ledger, Message};
use lockdown_milter::memory::store::{
    Change, Input, MOST_ROWS, OpenError, Output, Queue, Record, Resident, Rows, Store, StoreError, Table,
};
use lockdown_milter::session::Origin;
use proptest::prelude::*;
use tempfile::TempDir;

/// A row whose value follows from its key, so that an invented one shows.
#[derive(Clone, Debug, PartialEq)]
struct Sample(u64);

const SAMPLES: Table<u64, Sample> = Table::new("samples");

impl Record for Sample {
    const VERSION: u8 = 1;

    fn write(&self, output: &mut Output) {
        output.hash(self.0);
        output.text(&"x".repeat(usize::try_from(self.0 % 97).unwrap()));
    }

    fn read(version: u8, input: &mut Input<'_>) -> Option<Self> {
        (version == 1).then_some(())?;
        let sample = Self(input.hash()?);
        (input.text()?.len() as u64 == sample.0 % 97).then_some(sample)
    }
}

fn put(key: u64) -> Change {
    SAMPLES.put(&key, &Sample(key))
}

/// One who looks into the file when it is opened.
#[derive(Debug, Default)]
struct Visitor(Mutex<Vec<u64>>);

impl Resident for Visitor {
    fn opened(&self, rows: &Rows) -> Result<Vec<Change>, StoreError> {
        let (samples, unreadable) = rows.all(&SAMPLES)?;
        assert_eq!(unreadable, 0);
        assert!(samples.iter().all(|(key, sample)| *key == sample.0), "a value that was never written");
        *self.0.lock().unwrap() = samples.into_iter().map(|(key, _)| key).collect();
        Ok(Vec::new())
    }
}

fn clock() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

/// Opens a store, and says which keys are in it.
fn open(path: &Path) -> Result<(Store, Arc<Queue>, Vec<u64>), OpenError> {
    let (queue, visitor) = (Arc::new(Queue::default()), Arc::new(Visitor::default()));
    let residents: Vec<Arc<dyn Resident>> = vec![Arc::<Visitor>::clone(&visitor)];
    let interval = Duration::from_millis(1);
    let store = Store::open(path.to_owned(), interval, Arc::clone(&queue), residents, clock)?;
    let keys = visitor.0.lock().unwrap().clone();
    Ok((store, queue, keys))
}

/// The same with a ledger in it.
fn open_ledger(path: &Path) -> (Store, Arc<Queue>, Arc<Ledger>, Vec<u64>) {
    let (queue, visitor) = (Arc::new(Queue::default()), Arc::new(Visitor::default()));
    let ledger = Arc::new(Ledger::new(Arc::clone(&queue), RETENTION, time_of_last));
    let residents: Vec<Arc<dyn Resident>> =
        vec![Arc::<Visitor>::clone(&visitor), Arc::<Ledger>::clone(&ledger)];
    let interval = Duration::from_millis(1);
    let store = Store::open(path.to_owned(), interval, Arc::clone(&queue), residents, clock).unwrap();
    ledger.read_from(store.reader());
    let keys = visitor.0.lock().unwrap().clone();
    (store, queue, ledger, keys)
}

/// How long messages are kept while the daemon is killed. A message comes every minute, so days come and go.
const RETENTION: Duration = Duration::from_hours(48);

/// The last message that was sent.
static LAST: AtomicU64 = AtomicU64::new(0);

fn time_of(key: u64) -> Timestamp {
    clock() + Duration::from_mins(key)
}

fn time_of_last() -> Timestamp {
    time_of(LAST.load(Ordering::Relaxed))
}

/// A message whose entry follows from its key, so that an invented one shows.
fn message(key: u64) -> Message {
    let recipient = |number: u64| format!("user{number}@example.org").parse().unwrap();
    Message {
        at: time_of(key),
        reference: format!("R{key}"),
        reverse_path: ReversePath::parse(&format!("sender{key}@example.com")),
        queue_id: Some(format!("Q{key}")),
        message_id: Some(format!("{key}@example.com")),
        origin: Origin::Foreign,
        spf: SpfResult::ALL.get(usize::try_from(key % 9).unwrap()).copied(),
        by_loopback: false,
        recipients: (0..=key % 3).map(|number| (recipient(number), number == 1)).collect(),
        authors: Vec::new(),
        posted_to: Vec::new(),
    }
}

/// Whether the ledger knows this message, by each of its ties; what it says of it must be what was recorded.
fn is_recorded(runtime: &tokio::runtime::Runtime, ledger: &Arc<Ledger>, key: u64) -> bool {
    let sent = message(key);
    let answered = sent.at;
    let ties = [
        Tie::MessageId(sent.message_id.unwrap()),
        Tie::Queue { id: sent.queue_id.unwrap(), answered },
        Tie::Correspondents { mailbox: sent.recipients[0].0.clone(), answered },
    ];
    let known = ties.map(|tie| {
        let sender = ForwardPath::parse(&format!("sender{key}@example.com"));
        match runtime.block_on(ledger.find(&CauseQuestion { sender, ties: vec![tie] })) {
            Cause::Known(original) => {
                assert_eq!(original.reference, sent.reference);
                assert_eq!((original.spf, &original.recipients), (sent.spf, &sent.recipients));
                true
            }
            Cause::Unknown(why) => {
                assert!(why.contains("no message of"), "{why}");
                false
            }
        }
    });
    assert!(known.iter().all(|one| *one == known[0]), "message {key}: {known:?}");
    known[0]
}

/// A closed file with the keys below `number`.
fn file_with(dir: &TempDir, number: u64) -> PathBuf {
    let path = dir.path().join("sound.redb");
    let (store, queue, _) = open(&path).unwrap();
    for key in 0..number {
        queue.submit([put(key)]);
        // Several commits make a file with a history.
        if key % 20 == 0 {
            assert!(store.flush(Duration::from_secs(20)));
        }
    }
    drop(store);
    path
}

fn set_aside(dir: &TempDir) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().contains(".damaged-20261124T120000Z")).collect()
}

#[test]
fn what_waits_is_found_and_then_read() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ledger.redb");
    let (queue, residents) = (Arc::new(Queue::default()), Vec::new());
    let store =
        Store::open(path.clone(), Duration::from_hours(1), Arc::clone(&queue), residents, clock).unwrap();
    let number = queue.submit([put(1), put(2)]);
    assert_eq!(store.find(&SAMPLES, &1).unwrap(), Some(Sample(1)));
    assert_eq!(store.find(&SAMPLES, &3).unwrap(), None);
    assert!(queue.acknowledged() < number);
    queue.submit([SAMPLES.remove(&1)]);
    assert_eq!(store.find(&SAMPLES, &1).unwrap(), None);
    // The end does not wait for the hour to be over.
    drop(store);
    let read = || Rows::of_file(&path).unwrap().all(&SAMPLES).unwrap().0;
    assert_eq!(read(), [(2, Sample(2))]);
    let (store, queue, keys) = open(&path).unwrap();
    assert_eq!(keys, [2]);
    queue.submit([put(5)]);
    assert!(store.flush(Duration::from_secs(20)));
    // Others read while the writer is at work.
    assert_eq!(read().len(), 2);
    assert_eq!(store.find(&SAMPLES, &5).unwrap(), Some(Sample(5)));
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o007, 0, "strangers read what names are used");
}

#[test]
fn the_queue_drops_the_oldest_and_counts() {
    let queue = Queue::default();
    let most = u64::try_from(MOST_ROWS).unwrap();
    for key in 0..most + 10 {
        queue.submit([put(key)]);
        // The same row again takes no room of its own.
        queue.submit([put(key)]);
    }
    assert_eq!(queue.dropped(), 10);
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ledger.redb");
    drop(Store::open(path.clone(), Duration::ZERO, Arc::new(queue), Vec::new(), clock).unwrap());
    let keys: Vec<u64> =
        Rows::of_file(&path).unwrap().all(&SAMPLES).unwrap().0.iter().map(|row| row.0).collect();
    assert_eq!((keys.len(), keys[0]), (MOST_ROWS, 10));
}

#[test]
fn a_part_goes_as_a_whole() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ledger.redb");
    let (store, queue, _) = open(&path).unwrap();
    let (one, other) = (SAMPLES.part(-1), SAMPLES.part(20_416));
    let put = |part: &Table<u64, Sample>, keys: std::ops::Range<u64>| {
        queue.submit(keys.map(|key| part.put(&key, &Sample(key))));
    };
    let keys = |part| {
        let (rows, unreadable) = Rows::of_file(&path).unwrap().all::<u64, Sample>(part).unwrap();
        assert_eq!(unreadable, 0);
        rows.into_iter().map(|(key, _)| key).collect::<Vec<u64>>()
    };
    let flush = || assert!(store.flush(Duration::from_secs(20)));
    put(&one, 0..5);
    put(&other, 0..5);
    flush();
    assert_eq!(Rows::of_file(&path).unwrap().parts(&SAMPLES).unwrap(), [-1, 20_416]);
    // What waits goes with it, what comes afterwards stays.
    put(&one, 5..7);
    queue.drop_table(&one);
    put(&one, 7..9);
    flush();
    assert_eq!((keys(&one), keys(&other)), (vec![7, 8], (0..5).collect()));
    queue.drop_table(&one);
    queue.drop_table(&SAMPLES.part(3));
    flush();
    assert_eq!((keys(&one), keys(&other)), (Vec::new(), (0..5).collect()));
    assert_eq!(Rows::of_file(&path).unwrap().parts(&SAMPLES).unwrap(), [20_416]);
    let rows = store.reader().rows().unwrap();
    assert_eq!(rows.last_key(&other).unwrap(), Some(4));
    assert_eq!(rows.keys_backwards(&other, (&1, &3), 2).unwrap(), [3, 2]);
}

/// What becomes of a file with these octets: its keys, and whether it was moved aside.
fn check_octets(octets: &[u8]) -> (Vec<u64>, bool) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ledger.redb");
    fs::write(&path, octets).unwrap();
    let (store, queue, keys) = open(&path).unwrap();
    // Whatever it was, it can be used now.
    queue.submit([put(1_000_000)]);
    assert!(store.flush(Duration::from_secs(20)));
    let aside = set_aside(&dir);
    assert!(aside.len() <= 1);
    assert!(aside.iter().all(|path| fs::metadata(path).unwrap().len() == octets.len() as u64));
    (keys, !aside.is_empty())
}

#[test]
fn files_that_are_none_of_ours() {
    assert_eq!(check_octets(b""), (Vec::new(), false));
    assert_eq!(check_octets(b"x"), (Vec::new(), true));
    assert_eq!(
        check_octets(&[b"SQLite format 3\0".as_slice(), &vec![7; 100_000]].concat()),
        (Vec::new(), true)
    );
    assert_eq!(check_octets(&vec![0; 65_536]), (Vec::new(), true));
    assert_eq!(check_octets("Return-Path: <>\n".repeat(5000).as_bytes()), (Vec::new(), true));
}

#[test]
fn truncated_files() {
    let dir = TempDir::new().unwrap();
    let octets = fs::read(file_with(&dir, 500)).unwrap();
    let mut lost = 0;
    for part in 1..60 {
        let (keys, aside) = check_octets(&octets[..octets.len() * part / 60]);
        assert!(aside || keys.len() == 500, "{part}: {} keys without a word", keys.len());
        lost += usize::from(aside);
    }
    for length in [1, 9, 64, 320, 511, 512, 4095, 4096, 4097, octets.len() - 1] {
        let (keys, aside) = check_octets(&octets[..length]);
        assert!(aside || keys.len() == 500, "{length}");
    }
    assert!(lost > 30, "only {lost} of the truncations showed");
}

#[test]
fn flipped_bits() {
    let dir = TempDir::new().unwrap();
    let octets = fs::read(file_with(&dir, 500)).unwrap();
    let mut random = fastrand::Rng::with_seed(4);
    let (mut whole, mut aside) = (0, 0);
    // The header first, where every octet counts, then anywhere.
    let header = (0..320).step_by(3);
    let anywhere: Vec<usize> = (0..200).map(|_| random.usize(..octets.len())).collect();
    for at in header.chain(anywhere) {
        let mut damaged = octets.clone();
        damaged[at] ^= 1 << random.u8(..8);
        let (keys, moved) = check_octets(&damaged);
        assert!(keys.iter().all(|key| *key < 500), "an invented key");
        assert!(keys.is_empty() == moved, "octet {at}: {} keys, moved aside: {moved}", keys.len());
        whole += usize::from(keys.len() == 500);
        aside += usize::from(moved);
    }
    println!("flipped bits: {whole} files whole, {aside} moved aside");
    assert!(whole > 0 && aside > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    /// The file holds what the last change to each row says, whatever commits lie between.
    #[test]
    fn the_last_change_counts(changes in prop::collection::vec((0..12_u64, any::<bool>(), any::<bool>()), 1..60)) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("ledger.redb");
        let (store, queue, _) = open(&path).unwrap();
        let mut expected = std::collections::BTreeSet::new();
        for (key, stays, flush) in changes {
            if stays { expected.insert(key) } else { expected.remove(&key) };
            queue.submit([if stays { put(key) } else { SAMPLES.remove(&key) }]);
            if flush {
                prop_assert!(store.flush(Duration::from_secs(20)));
            }
            prop_assert_eq!(store.find(&SAMPLES, &key).unwrap().is_some(), stays);
        }
        drop(store);
        let keys: Vec<u64> = open(&path).unwrap().2;
        prop_assert_eq!(keys, expected.into_iter().collect::<Vec<_>>());
    }
}

/// This program again, in the part of `child`.
fn child(part: &str, path: &Path, first: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", part, "--ignored", "--nocapture"]);
    command.env("STORE_UNDER_TEST", path).env("FIRST_KEY", first.to_string());
    command
}

/// What the parent wants.
fn orders() -> (PathBuf, u64) {
    let path = std::env::var_os("STORE_UNDER_TEST").expect("only the parent runs this");
    (path.into(), std::env::var("FIRST_KEY").unwrap().parse().unwrap())
}

#[test]
#[ignore = "the part of a child that is killed"]
fn child_that_writes() {
    let (path, first) = orders();
    let (store, queue, ledger, _) = open_ledger(&path);
    println!("\nopen");
    for key in first.. {
        ledger.record(&message(key));
        let number = queue.submit([put(key)]);
        if key % 7 == 0 {
            // Each key is two submissions.
            let behind = (number - queue.acknowledged().min(number)).div_ceil(2);
            println!("acknowledged {}", key + 1 - behind);
            // Often enough that nothing is dropped, and not in step with anything.
            if behind > 20 + key % 500 {
                store.flush(Duration::from_secs(20));
            }
        }
    }
}

/// Lets a child write, kills it at some moment, and says how many keys it had been promised.
fn killed(path: &Path, first: u64, random: &mut fastrand::Rng) -> u64 {
    let mut child = child("child_that_writes", path, first).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "open"), "the child did not open the store");
    let (mut promised, mut commits, most) = (first, 0, random.usize(1..9));
    while commits < most {
        let line = lines.next().expect("the child goes on");
        if let Some(number) = line.strip_prefix("acknowledged ").map(|number| number.parse().unwrap())
            && number > promised
        {
            (promised, commits) = (number, commits + 1);
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What the child said before it died counts as well.
    lines.filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok()).fold(promised, u64::max)
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ledger.redb");
    let mut random = fastrand::Rng::with_seed(30);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut first = 0;
    // 200 of them take minutes, so a run does with fewer unless it is told the number.
    let kills = std::env::var("LOCKDOWN_KILLS").map_or(40, |number| number.parse().unwrap());
    for round in 0..kills {
        let promised = killed(&path, first, &mut random);
        let (_store, _, ledger, keys) = open_ledger(&path);
        let next = keys.len() as u64;
        LAST.store(next, Ordering::Relaxed);
        for key in next.saturating_sub(200)..promised {
            assert!(
                is_recorded(&runtime, &ledger, key),
                "round {round}: message {key} of {promised} is lost"
            );
        }
        // One may be recorded whose key is not: its message goes first.
        for key in next + 1..next + 20 {
            assert!(!is_recorded(&runtime, &ledger, key), "round {round}: message {key} was never recorded");
        }
        if let Some(expired) = next.checked_sub(48 * 60 + 1) {
            assert!(!is_recorded(&runtime, &ledger, expired), "round {round}: message {expired} has expired");
        }
        assert!(keys.iter().copied().eq(0..next), "round {round}: a gap, or a key that was never written");
        assert!(next >= promised, "round {round}: {promised} keys were acknowledged and {next} are there");
        first = next;
    }
    assert_eq!(set_aside(&dir), Vec::<PathBuf>::new());
    let octets = fs::metadata(&path).unwrap().len();
    println!("{kills} kills: {first} rows and messages, none lost; the file has {octets} octets");
    assert!(first > 1000);
}

#[test]
#[ignore = "the part of a child whose disk is full"]
fn child_with_a_full_disk() {
    let (path, _) = orders();
    let filler = path.with_file_name("filler");
    let (store, queue, _) = open(&path).unwrap();
    queue.submit([put(0)]);
    assert!(store.flush(Duration::from_secs(20)));
    // Something else takes what is left.
    let _ = fs::write(&filler, vec![0; 8 * 1024 * 1024]);
    for key in 1..20_000 {
        queue.submit([put(key)]);
    }
    assert!(!store.flush(Duration::from_secs(2)), "there is room after all");
    assert_eq!(store.find(&SAMPLES, &19_999).unwrap(), Some(Sample(19_999)), "what waits is found");
    fs::remove_file(&filler).unwrap();
    assert!(store.flush(Duration::from_mins(1)), "it does not recover");
    drop(store);
    assert_eq!(open(&path).unwrap().2.len(), 20_000);
    println!("\nrecovered");
}

#[test]
fn a_full_disk() {
    let dir = TempDir::new().unwrap();
    let child = child("child_with_a_full_disk", &dir.path().join("ledger.redb"), 0);
    // A file system of its own, in a namespace of its own, so that it goes with the child.
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", "mount -t tmpfs -o size=6m tmpfs \"$0\" || exit 99; exec \"$@\""]);
    command.arg(dir.path()).arg(child.get_program()).args(child.get_args());
    command.envs(child.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let output = command.output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(99) || said.contains("unshare failed") {
        assert!(std::env::var_os("LOCKDOWN_REQUIRE_SERVERS").is_none(), "no file system can be mounted");
        eprintln!("SKIPPED a_full_disk: no file system can be mounted: {said}");
        return;
    }
    assert!(output.status.success() && said.contains("recovered"), "{said}");
}

#[test]
#[ignore = "the part of a child whose disk fails"]
fn child_with_a_failing_disk() {
    let (path, first) = orders();
    let (store, queue, _) = open(&path).unwrap();
    for key in first..first + 40 {
        queue.submit([put(key)]);
        // While the file is closed, what was committed to it cannot be read; what can be read is right.
        assert!(!matches!(store.find(&SAMPLES, &key), Ok(None)), "{key} is lost");
        store.flush(Duration::from_millis(50));
    }
    assert!(store.flush(Duration::from_mins(1)), "it does not recover");
    println!("\nrecovered");
}

/// A disk that fails now and then: `strace` lets system calls fail.
#[test]
fn a_disk_that_fails() {
    for (failure, writes) in [
        // The first of a thread open the file, the later ones are commits.
        ("fdatasync:error=EIO:when=1..2", false),
        ("fdatasync:error=EIO:when=5..6", true),
        ("pwrite64:error=EIO:when=20..22", true),
        ("pread64:error=EIO:when=1..2", false),
    ] {
        let dir = TempDir::new().unwrap();
        let path = file_with(&dir, 3);
        let child = child("child_with_a_failing_disk", &path, 3);
        let mut command = Command::new("strace");
        // Calls for other files go well.
        command.args(["-f", "-qq", "-e", "trace=fdatasync,pwrite64,pread64", "-P"]).arg(&path).arg("-e");
        command.arg(format!("inject={failure}")).arg(child.get_program()).args(child.get_args());
        command.envs(child.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let output = match command.output() {
            Ok(output) if !String::from_utf8_lossy(&output.stderr).contains("ptrace") => output,
            other => {
                assert!(
                    std::env::var_os("LOCKDOWN_REQUIRE_SERVERS").is_none(),
                    "system calls cannot be made to fail"
                );
                eprintln!("SKIPPED a_disk_that_fails: strace cannot be used: {other:?}");
                return;
            }
        };
        let said = String::from_utf8_lossy(&output.stdout);
        let calls = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("recovered"), "{failure}: {said}\n{calls}");
        assert!(calls.contains("EIO") && calls.contains("(INJECTED)"), "{failure}: nothing failed");
        assert_eq!(set_aside(&dir), Vec::<PathBuf>::new(), "{failure}: the file was moved aside");
        assert_eq!(open(&path).unwrap().2, (0..43).collect::<Vec<u64>>(), "{failure}");
        println!("{failure}: recovered{}", if writes { ", and what waited was written" } else { "" });
    }
}

#[test]
#[ignore = "the part of a child that may not write"]
fn child_that_may_not_write() {
    let (path, _) = orders();
    let (store, queue, keys) = open(&path).unwrap();
    assert_eq!(keys, Vec::<u64>::new());
    queue.submit([put(1)]);
    assert_eq!(store.find(&SAMPLES, &1).unwrap(), Some(Sample(1)), "mail goes on meanwhile");
    println!("\nrefused: {}", store.find(&SAMPLES, &2).is_err());
}

#[test]
fn a_file_that_may_not_be_written() {
    let dir = TempDir::new().unwrap();
    let path = file_with(&dir, 3);
    let before = fs::read(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // For root, everything may be written, so the child is nobody; it finds this program where it can read it.
    let program = dir.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let orders = child("child_that_may_not_write", &path, 0);
    let mut command = Command::new(&program);
    command.args(orders.get_args()).envs(orders.get_envs().filter_map(|(key, value)| Some((key, value?))));
    if nix::unistd::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("refused: true"), "{output:?}");
    assert_eq!(fs::read(&path).unwrap(), before, "the file is as it was");
    assert_eq!(set_aside(&dir), Vec::<PathBuf>::new());
}

#[test]
fn one_file_cannot_serve_two() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ledger.redb");
    let mut other: Child = child("child_that_writes", &path, 0).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "open"));
    let refused = open(&path).unwrap_err();
    assert!(refused.is_in_use(), "{refused}");
    assert!(Rows::of_file(&path).is_ok(), "reading is free to all");
    other.kill().unwrap();
    other.wait().unwrap();
    let unclean = Rows::of_file(&path).map(drop);
    assert!(unclean.is_ok() || matches!(unclean, Err(OpenError::Unclean(_))), "{unclean:?}");
    open(&path).unwrap();
}

/// A daemon that learns, and the folder of its recipients.
fn learner() -> (daemon::Daemon, TempDir) {
    let dir = TempDir::new().unwrap();
    let recipients = dir.path().join("recipients");
    fs::write(&recipients, "@example.org\n").unwrap();
    let config = format!(
        "listen: ['unix:{{dir}}/milter.sock']\ndns: {{ servers: ['127.0.0.1:1'], timeout: 10ms, attempts: 1 }}\n\
         defaults: {{ recipients: {{ sources: [file: '{}'] }} }}\ndomains: {{ example.org: }}\n",
        recipients.display()
    );
    (daemon::Daemon::start(&config), dir)
}

#[tokio::test]
async fn commands_read_what_a_live_daemon_learns() {
    let (daemon, _dir) = learner();
    let nothing = daemon::run(&["catch-all", "report"], &daemon.config_file());
    let said = String::from_utf8(nothing.stderr).unwrap();
    assert!(nothing.status.code() == Some(1) && said.contains("no name was reached"), "{said}");
    let address = lockdown_milter::milter::Address::Unix {
        path: daemon.path("milter.sock"),
        permissions: 0,
        group: None,
    };
    let mut mta = frames::Mta::connect(&address).await.unwrap();
    mta.ask(&[frames::full_offer()]).await;
    let connect = frames::connect("mail.example", '4', 4711, "192.0.2.10");
    mta.send(&[frames::macros('C', &[("v", "Postfix 3.7.11")]), connect, frames::helo("mail")].concat())
        .await
        .unwrap();
    let mail = frames::mail(&["<jane@example.com>"]);
    mta.send(&[frames::macros('M', &[("{mail_addr}", "jane@example.com")]), mail].concat()).await.unwrap();
    let rcpt =
        [frames::macros('R', &[("{rcpt_addr}", "sales@example.org")]), frames::rcpt("<sales@example.org>")];
    assert_eq!(mta.ask(&rcpt).await, "continue");
    mta.send(&[frames::header("From", "jane@example.com"), frames::end_of_message()].concat()).await.unwrap();
    while mta.answer().await != "continue" {}
    let report = || daemon::run(&["catch-all", "report", "--json"], &daemon.config_file());
    // A commit may be on its way.
    let reported = std::iter::repeat_with(report).take(100).find(|output| output.status.success());
    let text = String::from_utf8(reported.expect("the daemon learns").stdout).unwrap();
    assert!(text.contains("\"address\": \"sales@example.org\""), "{text}");
    mta.send(&frames::quit()).await.unwrap();
    assert_eq!(daemon.stop().len(), 1);
}

#[test]
fn two_daemons_on_one_file() {
    let (first, _dir) = learner();
    let second = daemon::run(&["run"], &first.config_file());
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("another process has it open, and one file cannot serve two daemons"), "{said}");
    assert_eq!(first.stop(), []);
}
