//! A catch-all on its way out: a fortnight of mail goes through the decision and through what the daemon calls to learn,
//! and then `catch-all report` and `catch-all plan` must tell the names that real people use from the rest.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/program.rs"]
mod program;
#[path = "support/schema.rs"]
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use lockdown_milter::config::{self, Config, Host};
use lockdown_milter::daemon::{self, Lesson};
use lockdown_milter::decide::Decision;
use lockdown_milter::facts::Facts;
use lockdown_milter::mail::spf::{SpfAnswer, SpfQuestion, SpfResult};
use lockdown_milter::mail::{Field, ForwardPath, Header, ReversePath};
use lockdown_milter::memory::catch_all::CatchAll;
use lockdown_milter::memory::harvest::Uncounted;
use lockdown_milter::memory::store::{Queue, Resident, Store};
use lockdown_milter::mta::postfix::main_cf::MainCf;
use lockdown_milter::session::{Client, Envelope, Login, Point, Recipient, Request, Role, Session};
use lockdown_milter::sources::{Sources, resolve};
use tempfile::TempDir;

fn clock() -> Timestamp {
    "2026-11-15T12:00:00Z".parse().unwrap()
}

/// A host with its store, as a daemon has it.
struct Stage {
    dir: TempDir,
    config: Config,
    sources: Arc<Sources>,
    catch_all: Arc<CatchAll>,
    store: Store,
}

/// A message, by those who take part in it.
struct Letter<'a> {
    at: Timestamp,
    client: &'a str,
    from: &'a str,
    to: &'a [&'a str],
    spf: Option<SpfResult>,
    login: Option<&'a str>,
    header_from: &'a str,
}

impl Stage {
    async fn set(recipients: &str, policy: &str) -> Self {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("recipients"), recipients).unwrap();
        let text = format!(
            "listen: ['inet:127.0.0.1:8891']\nauthserv_id: mx.example.org\ndns: {{ servers: ['127.0.0.1:1'] }}\n\
             ledger: {{ path: ledger.redb }}\ntrusted_forwarders: [192.0.2.128/25]\n\
             defaults: {{ recipients: {{ sources: [file: recipients] }}, require_auth: {{ mail_from: off }}, spf: {{ mode: monitor }} }}\n{policy}"
        );
        fs::write(dir.path().join("config.yaml"), &text).unwrap();
        let host = Host {
            name: "mx.example.org".to_owned(),
            today: jiff::civil::date(2026, 11, 2),
            has_group: |_| true,
            main_cf: MainCf::absent,
        };
        let (config, report) = config::load(&dir.path().join("config.yaml"), &host).unwrap();
        let (sources, _) =
            daemon::open(&config, report, Arc::new(Uncounted("nobody guesses"))).await.unwrap();
        let queue = Arc::new(Queue::default());
        let catch_all = Arc::new(CatchAll::new(Arc::clone(&queue), config.ledger.retention));
        let residents: Vec<Arc<dyn Resident>> = vec![Arc::<CatchAll>::clone(&catch_all)];
        let ledger = &config.ledger;
        let store =
            Store::open(ledger.path.clone(), ledger.commit_interval, queue, residents, clock).unwrap();
        let sources = Arc::into_inner(sources).unwrap().with_catch_all(Ok(Arc::clone(&catch_all)));
        Self { dir, config, sources: Arc::new(sources), catch_all, store }
    }

    /// Sends a message as the daemon sees it, and gives the decisions about its recipients and about itself.
    async fn send(&self, letter: &Letter<'_>) -> Vec<Decision> {
        let client =
            Client { address: Some(letter.client.parse().unwrap()), name: "unknown".to_owned(), port: 4711 };
        let session = Session {
            role: Role::Auto,
            client,
            helo: "localhost".to_owned(),
            mta_name: None,
            is_postfix: true,
        };
        let mut envelope = Envelope {
            reverse_path: ReversePath::parse(&format!("<{}>", letter.from)),
            bracketed: true,
            login: letter.login.map(|login| Login(login.to_owned())),
            recipients: Vec::new(),
            queue_id: None,
        };
        let policy = &self.config.policy;
        let origin = policy.origin(&session, &envelope);
        let mut facts = Facts::default();
        let address = letter.client.parse().unwrap();
        facts.learn_spf(SpfQuestion::helo(address, "localhost"), SpfAnswer::new(SpfResult::None, "given"));
        if let (Some(question), Some(result)) =
            (SpfQuestion::mail_from(address, "localhost", &envelope.reverse_path), letter.spf)
        {
            facts.learn_spf(question, SpfAnswer::new(result, "given"));
        }
        let (mut lesson, mut decisions) = (Lesson::default(), Vec::new());
        let limit = Duration::from_secs(8);
        for to in letter.to {
            let path = ForwardPath::parse(&format!("<{to}>"));
            let point = Point::Recipient(&path);
            let request = Request {
                session: &session,
                envelope: &envelope,
                origin,
                point,
                report: None,
                now: letter.at,
            };
            let decision = resolve(policy, &request, &mut facts, &self.sources, limit).await;
            lesson.learn(&self.catch_all, policy, &request, &decision);
            if decision.verdict.reply().is_none() {
                envelope.recipients.push(Recipient::bare(path));
            }
            decisions.push(decision);
        }
        if !envelope.recipients.is_empty() {
            let header: Header = [Field::new("From", letter.header_from)].into_iter().collect();
            let point = Point::Message(&header);
            let request = Request {
                session: &session,
                envelope: &envelope,
                origin,
                point,
                report: None,
                now: letter.at,
            };
            let decision = resolve(policy, &request, &mut facts, &self.sources, limit).await;
            lesson.learn(&self.catch_all, policy, &request, &decision);
            decisions.push(decision);
        }
        decisions
    }

    /// Runs `catch-all` with these arguments, as for a pipe of so many columns.
    fn run(&self, arguments: &[&str], columns: u32) -> Output {
        program::lockdown_milter()
            .arg("catch-all")
            .args(arguments)
            .arg("--config")
            .arg(self.dir.path().join("config.yaml"))
            .env("COLUMNS", columns.to_string())
            .output()
            .unwrap()
    }
}

/// Names that real people use, with how many write to each in the fortnight.
const STAFF: [&str; 26] = [
    "anna", "bruno", "carla", "david", "elena", "fritz", "greta", "heiko", "irene", "jakob", "katja",
    "lukas", "maria", "niels", "oskar", "paula", "quirin", "robert", "sabine", "thomas", "ulrike", "viktor",
    "wanda", "xaver", "yvonne", "zoltan",
];

/// A script of mail, in an order of its own.
#[derive(Default)]
struct Script {
    letters: Vec<Letter<'static>>,
}

fn keep(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

impl Script {
    /// A message on a day of the fortnight, from 0, at some time of it.
    fn mail(&mut self, day: i64, client: String, from: String, to: &str, spf: SpfResult) {
        let minutes = i64::try_from(self.letters.len()).unwrap() * 37 % (24 * 60);
        let begin: Timestamp = "2026-11-02T00:00:00Z".parse().unwrap();
        let at = begin + SignedDuration::from_hours(24 * day) + SignedDuration::from_mins(minutes);
        let to = Box::leak(Box::new([keep(format!("{to}@example.org"))]));
        let (client, from) = (keep(client), keep(from));
        self.letters.push(Letter {
            at,
            client,
            from,
            to,
            spf: Some(spf),
            login: None,
            header_from: "a@b.example",
        });
    }

    fn submit(&mut self, day: i64, from: &'static str, header_from: &'static str, to: &'static str) {
        self.mail(day, "192.0.2.7".to_owned(), from.to_owned(), to, SpfResult::None);
        let letter = self.letters.last_mut().unwrap();
        (letter.login, letter.header_from) = (Some("alice@example.org"), header_from);
    }
}

/// The fortnight.
fn fortnight() -> Script {
    use SpfResult::{Fail, None, Pass};
    let mut script = Script::default();
    let s = &mut script;
    let mut random = fastrand::Rng::with_seed(14);
    for day in 0..14 {
        // Customers of a large provider, each with a few people to write to, through a few of its networks.
        for customer in 0..60_usize {
            if random.u8(..3) > 0 {
                let to = STAFF[(customer * 7 + random.usize(..2)) % STAFF.len()];
                let client = format!("198.51.100.{}", random.u8(1..250));
                s.mail(day, client, format!("customer{}@bigmail.example", keep(spelled(customer))), to, Pass);
            }
        }
        // Partners with servers of their own.
        for (number, name) in STAFF.iter().enumerate() {
            if random.u8(..4) == 0 {
                let client = format!("203.0.{number}.25");
                s.mail(day, client, format!("office@partner-{}.example", spelled(number)), name, Pass);
            }
        }
        // Who writes to everybody knows them all.
        if day == 3 {
            for name in STAFF {
                s.mail(day, "192.0.2.33".to_owned(), "tax@accountant.example".to_owned(), name, Pass);
            }
        }
        for name in ["info", "rechnung"] {
            for caller in 0..4 {
                let from =
                    format!("caller@firm-{}.example", spelled(usize::try_from(day * 5 + caller).unwrap()));
                s.mail(day, format!("100.{}.{caller}.9", 10 + day), from, name, Pass);
            }
        }
        // A list that numbers its reverse-paths (VERP).
        s.mail(
            day,
            "192.0.2.60".to_owned(),
            format!("bounce-{}-{day}@lists.example", 1000 + day),
            "listen",
            Pass,
        );
        // Bounces of forged mail: to names that never were, and to one that is.
        for n in 0..6 {
            let to =
                if n == 0 { "anna".to_owned() } else { format!("forged-{}", spelled(random.usize(..40))) };
            s.mail(day, format!("100.64.{n}.1").replace("100.64", "9.9"), String::new(), &to, None);
        }
        // A harvester from one network, by names that people have and by names that they might have.
        if (4..7).contains(&day) {
            for n in 0..300_usize {
                let to = if n % 20 == 0 {
                    STAFF[n / 20].to_owned()
                } else {
                    format!("{}{}", STAFF[n % 26], spelled(n))
                };
                let client = format!("45.9.148.{}", n % 200 + 1);
                s.mail(day, client, format!("{}@sender-{}.example", spelled(n), spelled(n % 50)), &to, Pass);
            }
        }
        // Another one from everywhere, whose throw-away domain authorises everything.
        for n in 0..40_usize {
            let client = format!("{}.{}.{}.8", 60 + random.u8(..40), random.u8(..), random.u8(..));
            let from = format!("{}@throwaway.example", spelled(random.usize(..100_000)));
            s.mail(
                day,
                client,
                from,
                &format!("mail{}", spelled(n + 40 * usize::try_from(day).unwrap())),
                Pass,
            );
        }
        // A botnet with forged senders.
        for n in 0..15_usize {
            let client = format!("{}.{}.{}.4", 150 + random.u8(..18), random.u8(..), random.u8(..));
            let from = format!("someone@victim-{}.example", spelled(random.usize(..100_000)));
            let result = if n % 2 == 0 { Fail } else { None };
            s.mail(day, client, from, &format!("bot{}", spelled(random.usize(..100_000))), result);
        }
        if day % 4 == 1 {
            // A trusted forwarder, of whose senders SPF says nothing; a correspondent whose domain has no record.
            s.mail(day, "192.0.2.200".to_owned(), "chair@club.example".to_owned(), "verein", None);
            s.mail(day, "192.0.2.70".to_owned(), "next@door.example".to_owned(), "nachbar", None);
        }
    }
    // Somebody who writes once, and means it.
    s.mail(9, "192.0.2.41".to_owned(), "jane@applicant.example".to_owned(), "bewerbung", Pass);
    // Slips of people who otherwise get it right; `office` has an entry of its own.
    s.mail(2, "203.0.5.25".to_owned(), "office@partner-f.example".to_owned(), "fritz", Pass);
    s.mail(2, "203.0.5.25".to_owned(), "office@partner-f.example".to_owned(), "frizt", Pass);
    s.mail(8, "192.0.2.50".to_owned(), "kim@friend.example".to_owned(), "office", Pass);
    s.mail(8, "192.0.2.50".to_owned(), "kim@friend.example".to_owned(), "ofice", Pass);
    // Our own people.
    s.submit(1, "events@example.org", "Events <events@example.org>", "keller");
    s.submit(5, "alice@example.org", "Press <presse@example.org>", "office");
    s.mail(6, "192.0.2.90".to_owned(), String::new(), "events", None);
    s.mail(6, "192.0.2.91".to_owned(), String::new(), "presse", None);
    script
}

/// A number as letters, so that it looks like no number.
fn spelled(mut number: usize) -> String {
    let mut text = String::new();
    loop {
        text.insert(0, char::from(b'a' + u8::try_from(number % 26).unwrap()));
        number /= 26;
        if number == 0 {
            return text;
        }
    }
}

const LEARNING: &str = "domains: { example.org: { recipients: { catch_all: learn } } }\n";
const RECIPIENTS: &str = "office@example.org\nalice@example.org\n@example.org\n";

/// Plays the fortnight, its letters in an order that `seed` makes; 0 leaves it as it is.
async fn played(seed: u64) -> Stage {
    let stage = Stage::set(RECIPIENTS, LEARNING).await;
    let mut letters = fortnight().letters;
    if seed != 0 {
        fastrand::Rng::with_seed(seed).shuffle(&mut letters);
    }
    for letter in &letters {
        let decisions = stage.send(letter).await;
        assert!(decisions.iter().all(|decision| decision.verdict.reply().is_none()), "{}", letter.from);
    }
    assert!(stage.store.flush(Duration::from_secs(20)));
    stage
}

/// Compares what a command says with a file beside this one. With `BLESS` in the environment the file is written
/// instead; the difference is then for a person to judge.
#[track_caller]
fn check_golden(name: &str, output: &Output) {
    assert!(output.status.success() && output.stderr.is_empty(), "{name}: {output:?}");
    let found = String::from_utf8(output.stdout.clone()).unwrap();
    let path = PathBuf::from("tests/catch_all").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{}: expected\n{expected}\nfound\n{found}", path.display());
    let width: usize = path.extension().and_then(|e| e.to_str()?.parse().ok()).unwrap_or(usize::MAX);
    assert!(found.lines().all(|line| line.chars().count() <= width), "{name}: a line is too long");
}

/// The local-parts in a list of a plan.
fn local_parts(list: &serde_json::Value) -> BTreeSet<String> {
    let addresses = list.as_array().unwrap().iter().map(|entry| entry["address"].as_str().unwrap());
    addresses.map(|address| address.strip_suffix("@example.org").unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "the figures are real time")]
async fn the_plan_keeps_what_real_people_use_and_drops_the_rest() {
    let begun = Instant::now();
    let stage = played(0).await;
    let (took, letters) = (begun.elapsed(), fortnight().letters.len());
    // The daemon's store stays open: both commands read beside it.
    check_golden("report.80", &stage.run(&["report"], 80));
    check_golden("report.120", &stage.run(&["report", "--domain", "example.org"], 120));
    check_golden(
        "plan.80",
        &stage.run(&["plan", "--domain", "example.org", "--target", "office@example.org"], 80),
    );
    check_golden("week.80", &stage.run(&["plan", "--domain", "example.org", "--days", "7"], 80));

    let output = stage.run(&["plan", "--domain", "example.org", "--json"], 80);
    let plan = schema::check("catch-all-plan", &output.stdout);
    let real: BTreeSet<String> = STAFF
        .iter()
        .chain(&["info", "rechnung", "listen", "bewerbung", "keller", "events", "presse"])
        .map(|name| (*name).to_owned())
        .collect();
    assert_eq!(local_parts(&plan["keep"]), real);
    let undecided = ["nachbar", "verein"].map(str::to_owned).into();
    assert_eq!(local_parts(&plan["undecided"]), undecided);
    let named: BTreeSet<String> = fortnight()
        .letters
        .iter()
        .map(|letter| letter.to[0].strip_suffix("@example.org").unwrap().to_owned())
        .filter(|name| name != "office")
        .collect();
    let kept: BTreeSet<String> = real.union(&undecided).cloned().collect();
    let wrong: Vec<String> =
        (&named - &kept).symmetric_difference(&local_parts(&plan["drop"])).cloned().collect();
    assert_eq!(
        wrong,
        Vec::<String>::new(),
        "names that should be dropped and are not, or the other way round"
    );

    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in plan["drop"].as_array().unwrap() {
        *kinds.entry(entry["verdict"].as_str().unwrap()).or_default() += 1;
    }
    println!(
        "a fortnight of {letters} messages to {} names: {} kept, {} to look at, dropped {kinds:?}; \
         {} messages a second through decision, learning and store; {} KiB on disk",
        named.len(),
        real.len(),
        undecided.len(),
        (letters as u128 * 1_000_000) / took.as_micros().max(1),
        fs::metadata(&stage.config.ledger.path).unwrap().len() / 1024,
    );
    for mode in plan["modes"].as_array().unwrap() {
        println!("{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_arrival_makes_no_difference() {
    let plan = |stage: &Stage| {
        let output = stage.run(&["plan", "--domain", "example.org", "--json"], 80);
        let plan = schema::check("catch-all-plan", &output.stdout);
        let verdicts = ["keep", "undecided", "drop"].map(|list| plan[list].as_array().unwrap().clone());
        let verdicts = verdicts.concat().into_iter().map(|entry| {
            (entry["address"].as_str().unwrap().to_owned(), entry["verdict"].as_str().unwrap().to_owned())
        });
        verdicts.collect::<BTreeMap<_, _>>()
    };
    assert_eq!(plan(&played(0).await), plan(&played(7).await));
}

const SOFT: &str = "domains: { example.org: { recipients: { catch_all: soft, accept_patterns: ['SRS0=*'] } }, example.net: { alias_of: example.org } }\n";

/// What becomes of a message at some minute: the reply to RCPT, or how the recipient was accepted.
#[track_caller]
fn check_soft(decisions: &[Decision], expected: &str) {
    let found = decisions[0].verdict.reply().map_or("accepted".to_owned(), ToString::to_string);
    let detail = decisions[0].decisive().map(|finding| finding.judgment.remark().detail.clone());
    assert!(found.starts_with(expected), "{found}: {detail:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn soft_defers_once_and_learns_from_those_who_return() {
    use SpfResult::{None as NoRecord, Pass};
    let stage = Stage::set(RECIPIENTS, SOFT).await;
    let begin: Timestamp = "2026-11-02T08:00:00Z".parse().unwrap();
    let send = async |minute: i64, client: &str, from: &str, to: &str, spf: SpfResult| {
        let at = begin + SignedDuration::from_mins(minute);
        let letter =
            Letter { at, client, from, to: &[to], spf: Some(spf), login: None, header_from: "a@b.example" };
        stage.send(&letter).await
    };
    let (deferred, accepted) = ("450 4.1.1", "accepted");

    // A real sender: deferred, too early, then welcome; from then on the name is real, to others as well.
    check_soft(&send(0, "192.0.2.1", "jane@friend.example", "sales@example.org", Pass).await, deferred);
    check_soft(&send(5, "192.0.2.1", "jane@friend.example", "sales@example.org", Pass).await, deferred);
    check_soft(&send(9, "192.0.2.9", "joe@other.example", "sales@example.org", Pass).await, deferred);
    // The pool of a provider is one network; case, tags and subaddresses are matters of taste.
    check_soft(&send(11, "192.0.2.77", "Jane@friend.example", "Sales+x@example.org", Pass).await, accepted);
    check_soft(&send(12, "198.51.100.9", "new@third.example", "sales@example.org", NoRecord).await, accepted);
    // A domain that follows another one has its names.
    check_soft(&send(12, "198.51.100.9", "new@third.example", "sales@example.net", NoRecord).await, accepted);

    // From another network, or as another sender, it is another one's first attempt.
    check_soft(&send(0, "192.0.2.1", "spam@botnet.example", "guess@example.org", NoRecord).await, deferred);
    check_soft(
        &send(20, "203.0.113.5", "spam@botnet.example", "guess@example.org", NoRecord).await,
        deferred,
    );
    check_soft(&send(20, "192.0.2.1", "other@botnet.example", "guess@example.org", NoRecord).await, deferred);

    // A list that numbers its reverse-paths returns under another number.
    check_soft(&send(0, "192.0.2.60", "bounce-17@lists.example", "list@example.org", Pass).await, deferred);
    check_soft(&send(30, "192.0.2.60", "bounce-18@lists.example", "list@example.org", Pass).await, accepted);

    // A bounce comes back and is accepted, but makes nothing real.
    check_soft(&send(0, "192.0.2.80", "", "nobody@example.org", NoRecord).await, deferred);
    check_soft(&send(30, "192.0.2.80", "", "nobody@example.org", NoRecord).await, accepted);
    check_soft(&send(31, "192.0.2.81", "jane@friend.example", "nobody@example.org", Pass).await, deferred);

    // Our own people need not come back, and what they send as is real.
    let at = begin;
    let own = Letter {
        at,
        client: "192.0.2.7",
        from: "events@example.org",
        to: &["keller@example.org"],
        spf: None,
        login: Some("alice@example.org"),
        header_from: "Press <presse@example.org>",
    };
    check_soft(&stage.send(&own).await, accepted);
    for name in ["events", "presse", "keller"] {
        let to = format!("{name}@example.org");
        check_soft(&send(1, "192.0.2.1", "spam@botnet.example", &to, NoRecord).await, accepted);
    }
    // What must always be reachable, and what has an entry, is none of this.
    check_soft(
        &send(0, "192.0.2.1", "spam@botnet.example", "postmaster@example.org", NoRecord).await,
        accepted,
    );
    check_soft(&send(0, "192.0.2.1", "spam@botnet.example", "office@example.org", NoRecord).await, accepted);
    check_soft(
        &send(0, "192.0.2.1", "spam@botnet.example", "SRS0=a=b=c.example=d@example.org", NoRecord).await,
        accepted,
    );

    assert!(stage.store.flush(Duration::from_secs(20)));
    check_golden("soft.120", &stage.run(&["report"], 120));
    let report = stage.run(&["report", "--json"], 80);
    schema::check("catch-all-report", &report.stdout);
    check_golden("soft.json", &report);
    check_golden("soft_plan.json", &stage.run(&["plan", "--domain", "example.net", "--json"], 80));
}

/// What a command complains of.
#[track_caller]
fn check_complaint(output: &Output, status: i32, complaint: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.contains(complaint) && output.stdout.is_empty(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn complaints() {
    let stage = Stage::set(RECIPIENTS, LEARNING).await;
    check_complaint(&stage.run(&["report"], 80), 1, "no name was reached through a wildcard yet");
    check_complaint(
        &stage.run(&["plan", "--domain", "example.com"], 80),
        1,
        "example.com is not a hosted domain",
    );
    check_complaint(&stage.run(&["plan"], 80), 64, "--domain");
    check_complaint(&stage.run(&["plan", "--domain", "example.org", "--days", "0"], 80), 64, "0 is not in");
    let ledger = stage.config.ledger.path.clone();
    drop(stage.store);
    fs::write(&ledger, "no store").unwrap();
    let run = |arguments: &[&str]| {
        program::lockdown_milter()
            .arg("catch-all")
            .args(arguments)
            .arg("--config")
            .arg(stage.dir.path().join("config.yaml"))
            .output()
            .unwrap()
    };
    check_complaint(&run(&["report"]), 1, "it is damaged");
    fs::remove_file(&ledger).unwrap();
    check_complaint(&run(&["report"]), 1, "is not there, so nothing was learned yet");
    let config = fs::read_to_string(stage.dir.path().join("config.yaml")).unwrap();
    fs::write(stage.dir.path().join("config.yaml"), config.replace("learn", "allow")).unwrap();
    check_complaint(&run(&["report"]), 1, "no hosted domain learns who uses the names behind its wildcard");
    fs::write(stage.dir.path().join("config.yaml"), "listen: 7\n").unwrap();
    check_complaint(&run(&["report"]), 78, "expected");
}

/// Forgeries of a partner, to random names and to the one that only the partner uses.
#[tokio::test(flavor = "multi_thread")]
async fn forgeries_of_a_partner_do_not_have_its_name_dropped() {
    let stage = Stage::set(RECIPIENTS, LEARNING).await;
    let mut script = Script::default();
    for day in [1, 4] {
        let from = "office@partner.example".to_owned();
        script.mail(day, "203.0.113.25".to_owned(), from, "orders", SpfResult::Pass);
    }
    for n in 0..25 {
        for (name, result) in
            [(spelled(n + 26), SpfResult::Softfail), ("orders".to_owned(), SpfResult::Neutral)]
        {
            let from = "office@partner.example".to_owned();
            script.mail(4, format!("45.9.{n}.7"), from, &name, result);
        }
    }
    for letter in &script.letters {
        stage.send(letter).await;
    }
    assert!(stage.store.flush(Duration::from_secs(20)));
    let output = stage.run(&["plan", "--domain", "example.org", "--json"], 80);
    let plan = schema::check("catch-all-plan", &output.stdout);
    assert_eq!(local_parts(&plan["keep"]), BTreeSet::from(["orders".to_owned()]), "{plan:#}");
    assert_eq!(plan["drop"].as_array().unwrap().len(), 25, "{plan:#}");
}
