//! What the ledger costs: messages per second through the daemon with the ledger on and off in the same run, octets in
//! the file for a million messages, and the time it takes to let go of a day.
//!
//! `cargo bench --bench ledger`. Figures of one run are to be compared with each other only.
#![allow(missing_docs, reason = "divan names the functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark ends where its surroundings do")]

#[path = "../tests/support/daemon.rs"]
mod daemon;
#[path = "../tests/support/dns.rs"]
mod dns;
#[path = "../tests/support/frames.rs"]
mod frames;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use daemon::Daemon;
use divan::Bencher;
use divan::counter::ItemsCount;
use dns::{Dns, Zone};
use frames::Mta;
use jiff::Timestamp;
use lockdown_milter::facts::{Cause, CauseQuestion, Tie};
use lockdown_milter::mail::spf::SpfResult;
use lockdown_milter::mail::{ForwardPath, ReversePath};
use lockdown_milter::memory::ledger::{Ledger, Message};
use lockdown_milter::memory::store::{Queue, Resident, Store};
use lockdown_milter::milter::Address;
use lockdown_milter::session::Origin;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Sessions at a time, and messages of each in one turn.
const SESSIONS: usize = 8;
const MESSAGES: usize = 1000;

/// Turns of each kind, which take it in turns.
const TURNS: usize = 9;

/// Messages in the file that is measured.
const RECORDED: u64 = 1_000_000;

const RETENTION: Duration = Duration::from_hours(14 * 24);

fn main() {
    compare(true);
    compare(false);
    fill();
    divan::main();
}

/// A daemon under test. The name server is asked once for each name.
struct Stage {
    daemon: Daemon,
    _dns: Dns,
    runtime: Runtime,
}

/// What there is to a ledger.
#[derive(Clone, Copy, Debug)]
enum Use {
    /// It is off.
    Off,
    /// Every message is recorded, for the sake of a domain that gets none of them.
    Recorded,
    /// Every message is recorded, and judged by the locks that need it.
    Judged,
}

const USES: [Use; 3] = [Use::Off, Use::Recorded, Use::Judged];

impl Stage {
    fn new(ledger: Use, spf: bool) -> Self {
        let dns = Dns::start(Zone::new().txt("example.com", "v=spf1 ip4:192.0.2.0/24 -all"));
        let spf = if spf { "enforce" } else { "off" };
        let (policy, other) = match ledger {
            Use::Off => ("allow", "allow"),
            Use::Recorded => ("allow", "require_spf_pass"),
            Use::Judged => ("require_spf_pass", "require_spf_pass"),
        };
        let daemon = Daemon::start(&format!(
            "mode: enforce\n\
             log: {{ level: warn }}\n\
             listen: [{{ unix: '{{dir}}/milter.sock', role: inbound }}]\n\
             dns: {{ servers: ['{}'] }}\n\
             identities: {{ login_domain: local.test }}\n\
             defaults:\n  \
               auto_responders: {{ policy: {policy}, header: off }}\n  \
               bounces: {{ policy: {policy} }}\n  \
               spf: {{ mode: {spf}, headers: [], delete_incoming: false }}\n\
             domains:\n  \
               local.test:\n  \
               other.test: {{ bounces: {{ policy: {other} }} }}\n",
            dns.address()
        ));
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { daemon, _dns: dns, runtime }
    }

    /// One turn: all sessions at the same time.
    fn play(&self, turn: usize) {
        let socket = Address::Unix { path: self.daemon.path("milter.sock"), permissions: 0o600, group: None };
        self.runtime.block_on(async {
            let mut sessions = JoinSet::new();
            for number in 0..SESSIONS {
                sessions.spawn(session(socket.clone(), turn * SESSIONS + number));
            }
            while let Some(ended) = sessions.join_next().await {
                ended.unwrap();
            }
        });
        // Its log must not fill the pipe.
        self.daemon.forget();
    }
}

/// One session of message after message, as Postfix sends them.
async fn session(socket: Address, number: usize) {
    let mut mta = Mta::connect(&socket).await.unwrap();
    mta.ask(&[frames::full_offer()]).await;
    let macros = frames::macros('C', &[("v", "Postfix 3.7.11")]);
    let connect = frames::connect("mail.example", '4', 4711, "192.0.2.10");
    mta.send(&[macros, connect, frames::helo("mail.example")].concat()).await.unwrap();
    for message in 0..MESSAGES {
        let from = format!("sender{}@example.com", message % 97);
        let to = format!("user{}@local.test", message % 89);
        let id = format!("4Q{number:x}Z{message:x}");
        let envelope = [
            frames::macros('M', &[("{mail_addr}", &from)]),
            frames::mail(&[&format!("<{from}>")]),
            frames::macros('R', &[("{rcpt_addr}", &to), ("i", &id)]),
            frames::rcpt(&format!("<{to}>")),
        ];
        assert_eq!(mta.ask(&envelope).await, "continue");
        let content = [
            frames::header("Received", "from mail.example (mail.example [192.0.2.10]) by mx.local.test"),
            frames::header("From", &from),
            frames::header("To", &to),
            frames::header("Subject", "Hello"),
            frames::header("Message-ID", &format!("<{id}.{number}@mail.example>")),
            frames::header("Date", "Tue, 24 Nov 2026 12:00:00 +0000"),
            frames::macros('E', &[("i", &id)]),
            frames::end_of_message(),
        ];
        assert_eq!(mta.ask(&content).await, "continue");
    }
    mta.send(&frames::quit()).await.unwrap();
}

/// Messages per second with the ledger and without, turn by turn. Without SPF hardly anything else is done for a message.
fn compare(spf: bool) {
    println!("{}", if spf { "SPF enforced, from the cache:" } else { "SPF off:" });
    let stages = USES.map(|ledger| Stage::new(ledger, spf));
    let mut times: [Vec<f64>; 3] = Default::default();
    for turn in 0..=TURNS {
        // Whoever comes later may profit from the others.
        for place in 0..USES.len() {
            let place = (place + turn) % USES.len();
            let begun = Instant::now();
            stages[place].play(turn);
            // The first turn of each is for warming up.
            if turn > 0 {
                times[place].push(begun.elapsed().as_secs_f64());
            }
        }
    }
    let medians = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        (times[TURNS / 2], times[0], times[TURNS - 1])
    });
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let messages = (SESSIONS * MESSAGES) as f64;
    for (ledger, (median, fastest, slowest)) in USES.into_iter().zip(medians) {
        println!(
            "{ledger:?}: {:.0} messages a second ({:.0} to {:.0} in {TURNS} turns), {:.2} of those without",
            messages / median,
            messages / slowest,
            messages / fastest,
            medians[0].0 / median
        );
    }
}

fn midnight() -> Timestamp {
    "2026-11-24T00:00:00Z".parse().unwrap()
}

fn message(number: u64, at: Timestamp) -> Message {
    Message {
        at,
        reference: format!("{:08X}", number % (1 << 32)),
        reverse_path: ReversePath::parse(&format!("sender{}@example.com", number % 10_007)),
        queue_id: Some(format!("4Q{number:X}")),
        message_id: Some(format!("20261124.{number}.abcdef@mail.example.com")),
        origin: Origin::Foreign,
        spf: Some(SpfResult::Pass),
        by_loopback: false,
        recipients: vec![(format!("user{}@example.org", number % 1009).parse().unwrap(), false)],
        authors: Vec::new(),
        posted_to: Vec::new(),
    }
}

fn open(path: &Path) -> (Store, Arc<Queue>, Arc<Ledger>) {
    let queue = Arc::new(Queue::default());
    let ledger = Arc::new(Ledger::new(Arc::clone(&queue), RETENTION, midnight));
    let residents: Vec<Arc<dyn Resident>> = vec![Arc::<Ledger>::clone(&ledger)];
    let interval = Duration::from_millis(20);
    let store = Store::open(path.to_owned(), interval, Arc::clone(&queue), residents, midnight).unwrap();
    ledger.read_from(store.reader());
    (store, queue, ledger)
}

/// The size of a file of a million messages, of one day; the time to open it, to find a cause or none, and to
/// let go of the day.
fn fill() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ledger.redb");
    let size = || std::fs::metadata(&path).unwrap().len() / 1_000_000;
    let (store, queue, ledger) = open(&path);
    let begun = Instant::now();
    for number in 0..RECORDED {
        ledger.record(&message(number, midnight()));
        if number % 2000 == 1999 {
            assert!(store.flush(Duration::from_mins(1)));
        }
    }
    assert_eq!(queue.dropped(), 0);
    println!("{RECORDED} messages recorded in {:.1?}; the file has {} MB", begun.elapsed(), size());
    drop(store);
    let begun = Instant::now();
    let (store, _, ledger) = open(&path);
    println!("opened and examined in {:.1?}", begun.elapsed());
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let find = |number: u64, id: u64| {
        let sender = ForwardPath::parse(&format!("sender{}@example.com", number % 10_007));
        let ties = vec![Tie::MessageId(format!("20261124.{id}.abcdef@mail.example.com"))];
        runtime.block_on(ledger.find(&CauseQuestion { sender, ties }))
    };
    let begun = Instant::now();
    for turn in 0..1000_u64 {
        let number = turn.wrapping_mul(7_368_787) % RECORDED;
        assert!(matches!(find(number, number), Cause::Known(_)));
    }
    println!("a cause on the disk is found in {:.1?}", begun.elapsed() / 1000);
    let begun = Instant::now();
    for number in 0..1000 {
        assert!(matches!(find(number, RECORDED + number), Cause::Unknown(_)));
    }
    println!("that there is none is found in {:.1?}", begun.elapsed() / 1000);
    let begun = Instant::now();
    ledger.record(&message(RECORDED, midnight() + Duration::from_hours(18 * 24)));
    let asked = begun.elapsed();
    assert!(store.flush(Duration::from_mins(10)));
    println!(
        "the day of {RECORDED} messages gone in {:.1?}; who recorded waited {asked:.1?}",
        begun.elapsed()
    );
    let begun = Instant::now();
    for number in 0..RECORDED / 10 {
        ledger.record(&message(number, midnight() + Duration::from_hours(18 * 24)));
        if number % 2000 == 1999 {
            assert!(store.flush(Duration::from_mins(1)));
        }
    }
    println!("the tenth of them again in {:.1?}; the file has {} MB", begun.elapsed(), size());
}

#[divan::bench(args = USES, sample_count = 5, sample_size = 1)]
fn messages_through_the_daemon(bencher: Bencher<'_, '_>, ledger: Use) {
    let stage = Stage::new(ledger, true);
    bencher.counter(ItemsCount::new(SESSIONS * MESSAGES)).bench_local(|| stage.play(1));
}

/// What the end of a message waits for.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn record_a_thousand(bencher: Bencher<'_, '_>) {
    let dir = TempDir::new().unwrap();
    let (store, _, ledger) = open(&dir.path().join("ledger.redb"));
    let messages: Vec<Message> = (0..1000).map(|number| message(number, midnight())).collect();
    bencher.counter(ItemsCount::new(messages.len())).bench_local(|| {
        for message in &messages {
            ledger.record(message);
        }
    });
    assert!(store.flush(Duration::from_mins(1)));
}
