//! Everything that can go wrong at once: a log that nobody reads, a full disk, 64 descriptors, DNS and sources that are
//! dead. Mail gets its answers in the time of a decision, and when all is well again, memory and descriptors are as
//! before. Each fault is tried alone, and all together.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/dns.rs"]
mod dns;
#[path = "support/frames.rs"]
mod frames;
#[path = "support/gate.rs"]
mod gate;
#[path = "support/host.rs"]
mod host;
#[path = "support/map_server.rs"]
mod map_server;

use std::fs;
use std::io::{self, PipeReader, Read as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use daemon::{Daemon, Launch};
use dns::{Fault, Server, Zone};
use frames::*;
use gate::{Gate, Socket, State};
use lockdown_milter::milter::Address;
use map_server::{Answer, MapServer, Protocol};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// Below it every answer must be, with a moment for a busy machine.
const DECISION_TIME: Duration = Duration::from_secs(4);
const MOMENT: Duration = Duration::from_secs(1);

/// Connections at once in a load, and transactions of each.
const CONNECTIONS: usize = 40;
const TRANSACTIONS: usize = 3;

/// What goes wrong.
#[expect(clippy::struct_excessive_bools, reason = "each fault is there or not")]
#[derive(Clone, Copy, Debug, Default)]
struct Wrong {
    stderr: bool,
    disk: bool,
    descriptors: bool,
    dns: bool,
    sources: bool,
}

const ALL: Wrong = Wrong { stderr: true, disk: true, descriptors: true, dns: true, sources: true };

/// A transaction: who says what to whom, on which socket, and what the answer begins with.
#[derive(Clone, Copy, Debug)]
struct Case {
    socket: &'static str,
    client: (&'static str, char, u16),
    mail: &'static str,
    rcpt: &'static str,
    well: &'static str,
    without_dns: &'static str,
    without_sources: &'static str,
}

const STRANGER: (&str, char, u16) = ("192.0.2.10", '4', 4567);

/// DESIGN, section 7.
const CASES: [Case; 5] = [
    // SPF is accepted without an answer; a source is not.
    case("milter.sock", "<a@pass.example>", "<info@listed.test>", ["continue", "continue", "451 4.4.3"]),
    case("milter.sock", "<a@pass.example>", "<nobody@listed.test>", ["550 5.1.1", "550 5.1.1", "451 4.4.3"]),
    case("milter.sock", "<a@pass.example>", "<any@open.test>", ["continue"; 3]),
    // Whether a stranger may use our domain is for our record to say.
    case("milter.sock", "<a@open.test>", "<any@open.test>", ["530 5.7.0", "451 4.7.24", "530 5.7.0"]),
    // A bounce of our own is never held up.
    Case {
        client: ("127.0.0.1", '4', 0),
        ..case("local.sock", "<>", "<any@elsewhere.example>", ["continue"; 3])
    },
];

const fn case(
    socket: &'static str,
    mail: &'static str,
    rcpt: &'static str,
    [well, without_dns, without_sources]: [&'static str; 3],
) -> Case {
    Case { socket, client: STRANGER, mail, rcpt, well, without_dns, without_sources }
}

impl Case {
    fn expected(&self, wrong: Wrong) -> &'static str {
        match wrong {
            Wrong { sources: true, .. } if self.without_sources != self.well => self.without_sources,
            Wrong { dns: true, .. } => self.without_dns,
            _ => self.well,
        }
    }
}

fn zone() -> Zone {
    // What is remembered is soon forgotten.
    Zone::new().ttl(1, 1).txt("pass.example", "v=spf1 ip4:192.0.2.10 -all").txt("open.test", "v=spf1 -all")
}

fn config(dns: &Server, maps: &Socket) -> String {
    let Socket::Unix(maps) = maps else { unreachable!() };
    let source = format!("{{ socketmap: {{ address: \"unix:{}\", map: recipients }} }}", maps.display());
    format!(
        "mode: enforce\nharvest: {{ mode: off }}\nprofile: standard\n\
         limits: {{ decision_time: {}s }}\n\
         dns: {{ servers: [\"{}\"], timeout: 1s, attempts: 2, failure_ttl: 1s }}\n\
         defaults: {{ auto_responders: {{ policy: require_spf_pass }} }}\n\
         domains: {{ open.test: {{}}, listed.test: {{ recipients: {{ sources: [{source}] }} }} }}\n\
         listen:\n  - {{ unix: '{{dir}}/milter.sock', permissions: \"0666\" }}\n  \
         - {{ unix: '{{dir}}/local.sock', role: local }}\n\
         ledger: {{ path: '{{dir}}/disk/ledger.redb', commit_interval: 50ms }}\n",
        DECISION_TIME.as_secs(),
        dns.address(),
    )
}

/// A daemon with a disk of its own, and what it depends on.
struct Stage {
    daemon: Daemon,
    dns: Server,
    gate: Gate,
    /// Where its standard error can be read.
    log: PipeReader,
    wrong: Wrong,
    _maps: (MapServer, TempDir),
}

impl Stage {
    async fn set(wrong: Wrong) -> Self {
        let dns = Server::start(zone()).await;
        let dir = TempDir::new().unwrap();
        let maps = MapServer::on_path(&dir.path().join("maps"), Protocol::Socketmap, |key| {
            if key == "info@listed.test" { Answer::Found("info") } else { Answer::NotFound }
        });
        let gate = Gate::before(maps.socket());
        let disk = "mkdir -p {dir}/disk && mount -t tmpfs -o size=6m tmpfs {dir}/disk && ";
        let limit = if wrong.descriptors { "ulimit -n 64 && " } else { "" };
        let script = format!("{disk}{limit}exec \"$@\"");
        let wrapper = ["unshare", "--mount", "sh", "-c", &script, "sh"].map(str::to_owned).to_vec();
        let (log, stderr) = io::pipe().unwrap();
        let config = config(&dns, gate.front());
        let launch = Launch { wrapper, stderr: Some(stderr.into()), ..Launch::default() };
        let daemon = tokio::task::block_in_place(|| Daemon::launch(&config, launch));
        Self { daemon, dns, gate, log, wrong, _maps: (maps, dir) }
    }

    /// A file on the daemon's disk, which only it sees.
    fn on_disk(&self, name: &str) -> PathBuf {
        let own = self.daemon.path("disk").join(name);
        PathBuf::from(format!("/proc/{}/root{}", self.daemon.pid(), own.display()))
    }

    fn begin_trouble(&self) {
        if self.wrong.disk {
            let mut file = fs::File::create(self.on_disk("full")).unwrap();
            while file.write_all(&[0; 4096]).is_ok() {}
        }
        if self.wrong.dns {
            let silent = ["pass.example", "open.test", "mail.example"];
            self.dns.replace(silent.into_iter().fold(zone(), |zone, name| zone.fault(name, Fault::Drop)));
        }
        if self.wrong.sources {
            tokio::task::block_in_place(|| self.gate.set(State::Shut));
        }
    }

    fn end_trouble(&self) {
        if self.wrong.disk {
            fs::remove_file(self.on_disk("full")).unwrap();
        }
        self.dns.replace(zone());
        if self.wrong.sources {
            self.gate.set(State::Open);
        }
    }

    /// Reads the log until the end of the daemon.
    fn read_log(&self) {
        let mut log = self.log.try_clone().unwrap();
        std::thread::spawn(move || io::copy(&mut log, &mut io::sink()));
    }

    fn connections(&self) -> impl Iterator<Item = (usize, Case, Address)> {
        (0..CONNECTIONS).map(|index| {
            let case = CASES[index % CASES.len()];
            let path = self.daemon.path(case.socket);
            (index, case, Address::Unix { path, permissions: 0, group: None })
        })
    }

    /// Many connections at once; returns the longest time that an answer took once a connection was served.
    async fn load(&self, wrong: Wrong) -> Duration {
        let mut sessions = JoinSet::new();
        for (index, case, address) in self.connections() {
            sessions.spawn(async move { session(index, case, &address, case.expected(wrong)).await });
        }
        let mut longest = Duration::ZERO;
        while let Some(time) = sessions.join_next().await {
            longest = longest.max(time.unwrap());
        }
        longest
    }

    /// Waits until every answer is the one that is expected: what was known before is used for a while.
    async fn settled(&self, wrong: Wrong) {
        let settle = async {
            for (_, case, address) in self.connections().take(CASES.len()) {
                while !transaction(case, &address).await.starts_with(case.expected(wrong)) {
                    sleep(Duration::from_millis(100)).await;
                }
            }
        };
        timeout(Duration::from_secs(30), settle).await.expect("trouble shows, and ends");
    }

    fn figures(&self) -> Figures {
        let proc = PathBuf::from(format!("/proc/{}", self.daemon.pid()));
        let status = fs::read_to_string(proc.join("status")).unwrap();
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib = rss.trim().trim_end_matches(" kB").parse().unwrap();
        Figures { kib, descriptors: fs::read_dir(proc.join("fd")).unwrap().count() }
    }
}

#[derive(Debug, Clone, Copy)]
struct Figures {
    kib: usize,
    descriptors: usize,
}

/// A connection that has shaken hands.
async fn greet(case: Case, address: &Address) -> Mta {
    let mut mta = Mta::connect(address).await.unwrap();
    // With few descriptors there are few places, and the others wait.
    mta.send(&full_offer()).await.unwrap();
    let patience = DECISION_TIME * u32::try_from(CONNECTIONS).unwrap();
    let frame = timeout(patience, mta.frame()).await.expect("served in the end").expect("served");
    assert_eq!(in_words(&frame), "negotiated");
    let (client, family, port) = case.client;
    mta.send(&[connect("mail.example", family, port, client), helo("mail.example")].concat()).await.unwrap();
    mta
}

async fn session(index: usize, case: Case, address: &Address, expected: &str) -> Duration {
    let mut mta = greet(case, address).await;
    let mut longest = Duration::ZERO;
    for number in 0..TRANSACTIONS {
        let began = Instant::now();
        let answer = mta.ask(&[mail(&[case.mail]), rcpt(case.rcpt)]).await;
        longest = longest.max(began.elapsed());
        assert!(answer.starts_with(expected), "{case:?}: {answer}, not {expected}");
        if answer == "continue" {
            let began = Instant::now();
            let id = format!("<{index}.{number}@pass.example>");
            let fields = [header("From", "a@pass.example"), header("Message-ID", &id), end_of_message()];
            mta.send(&fields.concat()).await.unwrap();
            let mut answer = mta.answer().await;
            while answer.starts_with("insert") || answer.starts_with("change") {
                answer = mta.answer().await;
            }
            assert_eq!(answer, "continue", "{case:?}");
            longest = longest.max(began.elapsed());
        }
        mta.send(&abort()).await.unwrap();
    }
    mta.send(&quit()).await.unwrap();
    longest
}

async fn transaction(case: Case, address: &Address) -> String {
    let mut mta = greet(case, address).await;
    let answer = mta.ask(&[mail(&[case.mail]), rcpt(case.rcpt)]).await;
    mta.send(&quit()).await.unwrap();
    answer
}

/// Whether a file system can be mounted in a namespace of its own.
fn is_available() -> bool {
    let mounted = std::process::Command::new("unshare").args(["--mount", "true"]).status();
    let obstacle = if mounted.is_ok_and(|status| status.success()) {
        Ok(())
    } else {
        Err("no file system can be mounted".to_owned())
    };
    host::is_possible(host::require_root().and(obstacle))
}

async fn check(name: &str, wrong: Wrong) {
    if !is_available() {
        return;
    }
    let stage = Stage::set(wrong).await;
    if !wrong.stderr {
        stage.read_log();
    }
    // Memory that is used once is kept by its threads; the baseline is that of a daemon that has been at work.
    for _ in 0..3 {
        stage.load(Wrong::default()).await;
    }
    let before = stage.figures();
    stage.begin_trouble();
    stage.settled(wrong).await;
    let longest = stage.load(wrong).await.max(stage.load(wrong).await);
    let during = stage.figures();
    stage.end_trouble();
    stage.settled(Wrong::default()).await;
    if wrong.stderr {
        stage.read_log();
    }
    for _ in 0..3 {
        stage.load(Wrong::default()).await;
    }
    let after = timeout(Duration::from_secs(30), async {
        loop {
            let now = stage.figures();
            if now.descriptors <= before.descriptors {
                return now;
            }
            sleep(Duration::from_millis(100)).await;
        }
    });
    let after = after.await.unwrap_or_else(|_| panic!("{before:?}, {:?}", stage.figures()));
    eprintln!(
        "{name:12} slowest answer {longest:>8.1?}; memory {} -> {} -> {} KiB; descriptors {} -> {} -> {}",
        before.kib, during.kib, after.kib, before.descriptors, during.descriptors, after.descriptors
    );
    assert!(longest < DECISION_TIME + MOMENT, "{longest:?}");
    assert!(after.kib < before.kib + 8 * 1024, "{before:?} -> {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_error_is_blocked() {
    check("stderr", Wrong { stderr: true, ..Wrong::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_full() {
    check("disk", Wrong { disk: true, ..Wrong::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_64_descriptors() {
    check("descriptors", Wrong { descriptors: true, ..Wrong::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dns_is_dead() {
    check("DNS", Wrong { dns: true, ..Wrong::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_are_dead() {
    check("sources", Wrong { sources: true, ..Wrong::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_at_once() {
    check("everything", ALL).await;
}

/// More lines than a pipe and the queue hold.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_dropped_is_counted() {
    if !is_available() {
        return;
    }
    let stage = Stage::set(Wrong { stderr: true, ..Wrong::default() }).await;
    let refused = CASES[1];
    let address = Address::Unix { path: stage.daemon.path(refused.socket), permissions: 0, group: None };
    let mut mta = greet(refused, &address).await;
    for _ in 0..11_500 {
        let answer = mta.ask(&[mail(&[refused.mail]), rcpt(refused.rcpt)]).await;
        assert!(answer.starts_with(refused.well), "{answer}");
    }
    let mut log = stage.log.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        log.read_to_string(&mut text).map(|_| text)
    });
    drop(mta);
    let Stage { daemon, log, .. } = stage;
    tokio::task::block_in_place(|| drop(daemon.stop()));
    drop(log);
    let text = reader.join().unwrap().unwrap();
    let dropped = text.lines().find_map(|line| line.split_once(" lines were dropped")?.0.rsplit('"').next());
    let dropped: usize = dropped.expect("it is said").parse().unwrap();
    let written = text.matches("verdict=reject").count();
    eprintln!("{written} lines written, {dropped} dropped");
    assert!(dropped > 0);
    // The daemon's own messages may be among those that were dropped.
    assert!((11_500..11_510).contains(&(written + dropped)), "{written} and {dropped}");
    for line in text.lines() {
        assert!(line.starts_with("time="), "half a line: {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptors_are_raised_or_said_to_be_few() {
    let dns = Server::start(zone()).await;
    let maps = TempDir::new().unwrap();
    let start = |limit: &str| {
        let wrapper = ["sh", "-c", &format!("mkdir -p {{dir}}/disk; ulimit {limit} && exec \"$@\""), "sh"];
        let config = config(&dns, &Socket::Unix(maps.path().join("maps")));
        let launch = Launch { wrapper: wrapper.map(str::to_owned).to_vec(), ..Launch::default() };
        tokio::task::block_in_place(|| Daemon::launch(&config, launch))
    };
    let few = start("-n 64");
    few.wait_for(&["takes more descriptors than there are", "connections=16"]);

    let raised = start("-Sn 64");
    let limits = fs::read_to_string(format!("/proc/{}/limits", raised.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let figures: Vec<&str> = line.split_whitespace().skip(3).collect();
    assert_eq!(figures[0], figures[1], "{line}");
    assert!(!raised.written().contains("takes more descriptors"));
}
