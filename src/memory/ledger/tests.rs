//! The rules of matching and retention, in memory and on the disk, under a clock that tests move.

use std::cell::Cell;
use std::path::Path;

use jiff::ToSpan as _;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::facts::{Original, Tie};
use crate::mail::spf::SpfResult;
use crate::mail::{ForwardPath, Mailbox, ReversePath};
use crate::memory::store::{MOST_ROWS, Store};
use crate::session::Origin;

const RETENTION: Duration = Duration::from_hours(14 * 24);

thread_local! {
    static NOW: Cell<Timestamp> = const { Cell::new(Timestamp::UNIX_EPOCH) };
}

fn now() -> Timestamp {
    NOW.get()
}

fn at(time: &str) -> Timestamp {
    format!("2026-11-{time}Z").parse().unwrap()
}

/// A ledger in a store, and what it was promised.
struct Stage {
    ledger: Arc<Ledger>,
    store: Option<Store>,
    path: PathBuf,
    _dir: TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Stage {
    fn new() -> Self {
        NOW.set(at("10T12:00:00"));
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("ledger.redb");
        let (ledger, store) = open(&path);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self { ledger, store: Some(store), path, _dir: dir, runtime }
    }

    /// The same after the index was written, so that nothing is found without it.
    fn restart_indexed(&mut self) {
        self.ledger.write_index(&mut self.ledger.lock());
        self.restart();
        assert_eq!(self.ledger.lock().recent.len(), 0);
    }

    /// Lets another daemon take over, whose memory has what the index lacks.
    fn restart(&mut self) {
        drop(self.store.take());
        let (ledger, store) = open(&self.path);
        (self.ledger, self.store) = (ledger, Some(store));
    }

    fn record(&self, message: &Message) {
        self.ledger.record(message);
    }

    /// The reference of the cause, or the word for none.
    fn find(&self, sender: &str, ties: &[Tie]) -> String {
        let question = CauseQuestion { sender: ForwardPath::parse(sender), ties: ties.to_vec() };
        match self.runtime.block_on(self.ledger.find(&question)) {
            Cause::Known(original) => original.reference,
            Cause::Unknown(_) => "unknown".to_owned(),
        }
    }

    /// The days that the file has parts for.
    fn parts(&self) -> usize {
        assert!(self.store.as_ref().unwrap().flush(Duration::from_secs(20)));
        let rows = Rows::of_file(&self.path).unwrap();
        let (entries, index) = (rows.parts(&ENTRIES).unwrap(), rows.parts(&INDEX).unwrap());
        assert!(index.iter().all(|part| entries.contains(part)), "{index:?} of {entries:?}");
        entries.len()
    }
}

fn open(path: &Path) -> (Arc<Ledger>, Store) {
    let queue = Arc::new(Queue::default());
    let ledger = Arc::new(Ledger::new(Arc::clone(&queue), RETENTION, now));
    let residents: Vec<Arc<dyn Resident>> = vec![Arc::<Ledger>::clone(&ledger)];
    let store =
        Store::open(path.to_owned(), Duration::from_millis(1), queue, residents, || at("01T00:00:00"))
            .unwrap();
    ledger.read_from(store.reader());
    (ledger, store)
}

fn mailbox(text: &str) -> Mailbox {
    text.parse().unwrap()
}

/// `reference sender queue-id message-id recipient`, recorded at that time.
fn message(time: Timestamp, text: &str) -> Message {
    let mut words = text.split(' ').map(str::to_owned);
    let mut word = || words.next().unwrap();
    Message {
        at: time,
        reference: word(),
        reverse_path: ReversePath::parse(&word()),
        queue_id: Some(word()),
        message_id: Some(word()),
        origin: Origin::Foreign,
        spf: Some(SpfResult::Fail),
        by_loopback: false,
        recipients: vec![(mailbox(&word()), false)],
        authors: Vec::new(),
        posted_to: Vec::new(),
    }
}

fn queue(id: &str, answered: Timestamp) -> Tie {
    Tie::Queue { id: id.to_owned(), answered }
}

fn id(id: &str) -> Tie {
    Tie::MessageId(id.to_owned())
}

fn pair(mailbox: &str, answered: Timestamp) -> Tie {
    Tie::Correspondents { mailbox: self::mailbox(mailbox), answered }
}

/// Holds what is found in memory, and after a restart on the disk, against what should be.
#[track_caller]
fn check(messages: &[Message], cases: &[(&str, Tie, &str)]) {
    let mut stage = Stage::new();
    for message in messages {
        NOW.set(message.at);
        stage.record(message);
    }
    for place in ["memory", "a file", "an indexed file"] {
        match place {
            "memory" => {}
            "a file" => stage.restart(),
            _ => stage.restart_indexed(),
        }
        for (sender, tie, expected) in cases {
            assert_eq!(stage.find(sender, std::slice::from_ref(tie)), *expected, "{place}: {sender} {tie:?}");
        }
    }
}

#[test]
fn an_identifier_ties_it_to_the_newest_message_of_that_sender() {
    let messages = [
        message(at("10T12:00:00"), "R1 A@Example.com Q1 m@x info@example.org"),
        message(at("10T12:00:01"), "R2 a@example.com Q2 m@x info@example.org"),
        message(at("10T12:00:02"), "R3 b@example.com Q3 m@x info@example.org"),
        message(at("10T12:00:03"), "R4 prvs=0123abcdef=c@example.com Q4 n@x info@example.org"),
        message(at("10T12:00:04"), "R5 <> Q5 o@x info@example.org"),
    ];
    check(
        &messages,
        &[
            ("a@example.com", id("m@x"), "R2"),
            ("A@EXAMPLE.COM", id("m@x"), "R2"),
            ("b@example.com", id("m@x"), "R3"),
            ("c@example.com", id("m@x"), "unknown"),
            ("a@example.com", id("M@x"), "unknown"),
            ("c@example.com", id("n@x"), "R4"),
            ("PRVS=9999abcdef=c@example.com", id("n@x"), "R4"),
            ("c@example.com", id("o@x"), "unknown"),
        ],
    );
}

#[test]
fn a_queue_id_means_the_newest_message_before_the_answer_and_no_other() {
    let messages = [
        message(at("02T12:00:00"), "R1 a@example.com AAAA m1@x info@example.org"),
        message(at("10T12:00:00"), "R2 b@example.com AAAA m2@x info@example.org"),
        message(at("10T12:00:00"), "R3 c@example.com BBBB m3@x info@example.org"),
        message(at("10T12:00:01"), "R4 <> CCCC m4@x info@example.org"),
        message(at("10T12:00:01"), "R5 a@example.com DDDD m5@x info@example.org"),
        message(at("10T12:00:02"), "R6 <> DDDD m6@x info@example.org"),
    ];
    let later = at("10T12:05:00");
    check(
        &messages,
        &[
            ("b@example.com", queue("AAAA", later), "R2"),
            // The id is another message's now.
            ("a@example.com", queue("AAAA", later), "unknown"),
            ("a@example.com", queue("DDDD", later), "unknown"),
            // But it was this one's when the answer was made.
            ("a@example.com", queue("AAAA", at("05T12:00:00")), "R1"),
            ("b@example.com", queue("AAAA", at("05T12:00:00")), "unknown"),
            // Eight days, and no longer.
            ("c@example.com", queue("BBBB", at("18T11:59:59")), "R3"),
            ("c@example.com", queue("BBBB", at("18T12:00:01")), "unknown"),
            // Postfix notes whole seconds.
            ("c@example.com", queue("BBBB", at("10T11:59:59")), "R3"),
            ("c@example.com", queue("BBBB", at("10T11:58:59")), "unknown"),
            ("c@example.com", queue("bbbb", later), "unknown"),
            ("c@example.com", queue("CCCC", later), "unknown"),
        ],
    );
}

/// The same with what SPF said of it.
fn with(spf: Option<SpfResult>, message: Message) -> Message {
    Message { spf, ..message }
}

#[test]
fn a_good_cause_among_several_is_the_cause() {
    let pass = Some(SpfResult::Pass);
    let softfail = Some(SpfResult::Softfail);
    let start = at("10T12:00:00");
    let mut messages = vec![
        with(pass, message(start, "R1 a@example.com Q1 m@x info@example.org")),
        with(softfail, message(start, "R2 a@example.com Q2 m@x other@example.org")),
        // A stranger's own good message says nothing of anybody else's.
        with(pass, message(start, "R3 evil@evil.example Q3 n@x info@example.org")),
        with(softfail, message(start, "R4 b@example.com Q4 n@x info@example.org")),
        // What was not examined is answered more readily than what did not pass.
        with(None, message(start, "R5 c@example.com Q5 o@x info@example.org")),
        with(softfail, message(start, "R6 c@example.com Q6 o@x info@example.org")),
        // One with no tie but its sender.
        with(pass, message(start, "R7 d@example.com Q7 p@x other@example.org")),
    ];
    messages[2].authors = vec![(mailbox("b@example.com"), false)];
    messages.extend((0..200).map(|number| {
        let text = format!("F{number} a@example.com F{number} m@x info@example.org");
        with(softfail, message(start, &text))
    }));
    messages.extend((0..2 * search::MOST_ALIKE).map(|number| {
        let text = format!("D{number} d@example.com D{number} d{number}@x info@example.org");
        with(softfail, message(start, &text))
    }));
    let later = at("10T12:30:00");
    check(
        &messages,
        &[
            ("a@example.com", id("m@x"), "R1"),
            ("a@example.com", pair("info@example.org", later), "R1"),
            ("a@example.com", pair("other@example.org", later), "R1"),
            ("a@example.com", Tie::Sender { answered: later }, "R1"),
            ("a@example.com", queue("Q2", later), "R2"),
            ("b@example.com", id("n@x"), "R4"),
            ("b@example.com", pair("info@example.org", later), "R4"),
            ("c@example.com", id("o@x"), "R5"),
            ("c@example.com", pair("info@example.org", later), "R5"),
            // No number of forgeries stands before it.
            ("d@example.com", pair("info@example.org", later), "R7"),
            ("d@example.com", Tie::Sender { answered: at("18T11:59:59") }, "R7"),
            ("d@example.com", Tie::Sender { answered: at("18T12:00:01") }, "unknown"),
        ],
    );
}

#[test]
fn whoever_a_header_names_is_answered_if_spf_speaks_for_them() {
    let pass = Some(SpfResult::Pass);
    let start = at("10T12:00:00");
    let authors = |of: &[(&str, bool)]| of.iter().map(|(name, speaks)| (mailbox(name), *speaks)).collect();
    let mut messages = [
        with(pass, message(start, "R1 bounce@news.example.com Q1 m1@x info@example.org")),
        with(pass, message(start, "R2 x@evil.example Q2 m2@x info@example.org")),
        with(None, message(start, "R3 x@forwarder.example Q3 m3@x info@example.org")),
        with(Some(SpfResult::Fail), message(start, "R4 <> Q4 m4@x info@example.org")),
        with(Some(SpfResult::Softfail), message(start, "R5 x@[192.0.2.1] Q5 m5@x info@example.org")),
    ];
    messages[0].authors = authors(&[("shop@example.com", true), ("other@example.net", false)]);
    messages[1].authors = authors(&[("victim@example.com", false)]);
    messages[2].authors = authors(&[("friend@example.com", false)]);
    messages[3].authors = authors(&[("null@example.com", false)]);
    let later = at("10T12:30:00");
    let mut stage = Stage::new();
    for message in &messages {
        stage.record(message);
    }
    for place in ["memory", "a file", "an indexed file"] {
        for (sender, reference, is_claimed) in [
            ("shop@example.com", "R1", false),
            ("bounce@news.example.com", "R1", false),
            ("other@example.net", "R1", true),
            ("Victim@example.com", "R2", true),
            ("friend@example.com", "R3", true),
            ("null@example.com", "R4", true),
            ("X@[192.0.2.1]", "R5", false),
        ] {
            // Whatever mailbox answers: an alias may have led the message there.
            let ties = vec![id("unknown@x"), pair("alias@example.org", later)];
            let question = CauseQuestion { sender: ForwardPath::parse(sender), ties };
            let Cause::Known(original) = stage.runtime.block_on(stage.ledger.find(&question)) else {
                panic!("{place}: {sender} is not known");
            };
            assert_eq!(
                (original.reference.as_str(), original.is_claimed),
                (reference, is_claimed),
                "{sender}"
            );
        }
        match place {
            "memory" => stage.restart(),
            _ => stage.restart_indexed(),
        }
    }
}

#[test]
fn correspondents_are_tied_for_an_hour() {
    let messages = [
        message(at("10T12:00:00"), "R1 a@example.com Q1 m1@x info@example.org"),
        message(at("10T12:10:00"), "R2 a@example.com Q2 m2@x info@example.org"),
        message(at("10T12:20:00"), "R3 a@example.com Q3 m3@x other@example.org"),
    ];
    check(
        &messages,
        &[
            ("a@example.com", pair("info@example.org", at("10T12:30:00")), "R2"),
            ("A@example.com", pair("other@example.org", at("10T12:30:00")), "R3"),
            ("a@example.com", pair("info@example.org", at("10T13:10:00")), "R2"),
            // To whom it was sent counts for less, as there are aliases.
            ("a@example.com", pair("info@example.org", at("10T13:10:01")), "R3"),
            ("a@example.com", pair("nobody@example.org", at("10T12:30:00")), "R3"),
            ("a@example.com", pair("info@example.org", at("10T13:20:00")), "R3"),
            ("a@example.com", pair("info@example.org", at("10T13:20:01")), "unknown"),
            ("b@example.com", pair("info@example.org", at("10T12:30:00")), "unknown"),
        ],
    );
}

#[test]
fn the_surest_tie_that_holds_counts() {
    let mut stage = Stage::new();
    let start = at("10T12:00:00");
    stage.record(&message(start, "R1 a@example.com Q1 m1@x info@example.org"));
    stage.restart_indexed();
    stage.record(&message(start, "R2 a@example.com Q2 m2@x info@example.org"));
    // The first is on the disk only, the second in memory.
    let find = |ties: &[Tie]| stage.find("a@example.com", ties);
    assert_eq!(find(&[id("m1@x"), id("m2@x")]), "R1");
    assert_eq!(find(&[id("m2@x"), id("m1@x")]), "R2");
    assert_eq!(find(&[id("none@x"), queue("Q1", start), id("m2@x")]), "R1");
    assert_eq!(find(&[id("none@x"), pair("info@example.org", start)]), "R2");
    assert_eq!(find(&[]), "unknown");
}

#[test]
fn where_a_message_was_sent_is_known_by_organisation() {
    let to = |domain: &str| Tie::Posted { id: "m@x".to_owned(), to: domain.parse().unwrap() };
    let mut sent = message(at("10T12:00:00"), "R1 alice@example.org Q1 m@x info@example.org");
    sent.posted_to = ["lists.example.net", "example.co.uk"].map(|name| name.parse().unwrap()).to_vec();
    let other = message(at("10T12:00:01"), "R2 ceo@example.org Q2 m@x info@example.org");
    check(
        &[sent, other],
        &[
            ("Alice@example.org", to("lists.example.net"), "R1"),
            ("alice@example.org", to("bounces.example.net"), "R1"),
            ("alice@example.org", to("lists.example.co.uk"), "R1"),
            ("alice@example.org", to("example.com"), "unknown"),
            ("alice@example.org", to("evil.co.uk"), "unknown"),
            ("ceo@example.org", to("example.net"), "unknown"),
        ],
    );
    let id = Tie::Posted { id: "other@x".to_owned(), to: "example.net".parse().unwrap() };
    let mut all = message(at("10T12:00:00"), "R1 alice@example.org Q1 m@x info@example.org");
    all.posted_to = (0..2 * MOST_RECIPIENTS).map(|n| format!("n{n}.example").parse().unwrap()).collect();
    // As many as there is room for, or nobody could read the entry.
    let last = format!("n{}.example", MOST_RECIPIENTS - 2);
    check(
        &[all],
        &[
            ("alice@example.org", to("n0.example"), "R1"),
            ("alice@example.org", to(&last), "R1"),
            ("alice@example.org", to(&format!("n{}.example", MOST_RECIPIENTS - 1)), "unknown"),
            ("alice@example.org", id, "unknown"),
        ],
    );
}

#[test]
fn what_is_answered_is_what_was_recorded() {
    let mut recipients = vec![
        (Mailbox::new("odd \"name\"", "example.org".parse().unwrap()), true),
        (mailbox("ü@example.net"), false),
    ];
    recipients.extend((2..MOST_RECIPIENTS).map(|n| (mailbox(&format!("user{n}@example.org")), n % 2 == 0)));
    let mut stage = Stage::new();
    for (number, (origin, spf)) in [
        (Origin::Foreign, Some(SpfResult::Pass)),
        (Origin::Foreign, None),
        (Origin::Login, None),
        (Origin::Local, None),
        (Origin::Trusted, Some(SpfResult::Permerror)),
    ]
    .into_iter()
    .enumerate()
    {
        let sent = Message {
            origin,
            spf,
            recipients: recipients.clone(),
            ..message(now(), &format!("R{number} a@example.com Q{number} m{number}@x info@example.org"))
        };
        stage.record(&sent);
        let question = CauseQuestion {
            sender: ForwardPath::parse("a@example.com"),
            ties: vec![id(&format!("m{number}@x"))],
        };
        let reference = format!("R{number}");
        let expected = Original { reference, origin, spf, is_claimed: false, recipients: recipients.clone() };
        for _ in 0..2 {
            let cause = stage.runtime.block_on(stage.ledger.find(&question));
            assert_eq!(cause, Cause::Known(Box::new(expected.clone())));
            stage.restart();
        }
    }
}

#[test]
fn what_a_filter_gives_back_is_from_where_it_came() {
    let stage = Stage::new();
    let given_back = |text: &str, by_loopback| Message {
        origin: Origin::Trusted,
        spf: None,
        by_loopback,
        ..message(now(), text)
    };
    stage.record(&message(now(), "R1 a@example.com Q1 m1@x info@example.org"));
    stage.record(&given_back("R2 a@example.com Q2 m1@x info@example.org", true));
    stage.record(&given_back("R3 a@example.com Q3 m3@x info@example.org", true));
    stage.record(&message(now(), "R4 a@example.com Q4 m4@x info@example.org"));
    stage.record(&given_back("R5 a@example.com Q5 m4@x info@example.org", false));
    for (number, expected) in [
        (1, (Origin::Foreign, Some(SpfResult::Fail))),
        (2, (Origin::Foreign, Some(SpfResult::Fail))),
        (3, (Origin::Trusted, None)),
        (5, (Origin::Trusted, None)),
    ] {
        let ties = vec![queue(&format!("Q{number}"), now())];
        let question = CauseQuestion { sender: ForwardPath::parse("a@example.com"), ties };
        let Cause::Known(original) = stage.runtime.block_on(stage.ledger.find(&question)) else {
            panic!("Q{number} is not known");
        };
        assert_eq!((original.origin, original.spf), expected, "Q{number}");
        assert_eq!(original.reference, format!("R{number}"));
    }
}

#[test]
fn what_waits_for_the_disk_is_found() {
    let dir = TempDir::new().unwrap();
    NOW.set(at("10T12:00:00"));
    let queue = Arc::new(Queue::default());
    let ledger = Arc::new(Ledger::new(Arc::clone(&queue), RETENTION, now));
    let residents: Vec<Arc<dyn Resident>> = vec![Arc::<Ledger>::clone(&ledger)];
    let path = dir.path().join("ledger.redb");
    let _store = Store::open(path, Duration::from_hours(1), queue, residents, now).unwrap();
    // There is no way to the disk, so this is memory.
    let most = MOST_ROWS / 4;
    for number in 0..most + 10 {
        let text = format!("R{number} a@example.com Q{number} m{number}@x info@example.org");
        ledger.record(&with(Some(SpfResult::Pass), message(now(), &text)));
    }
    assert_eq!(ledger.lock().recent.len(), most, "memory is bounded");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let find = |number: usize| {
        let ties = vec![id(&format!("m{number}@x"))];
        runtime.block_on(ledger.find(&CauseQuestion { sender: ForwardPath::parse("a@example.com"), ties }))
    };
    assert!(matches!(find(most + 9), Cause::Known(_)));
    assert!(matches!(find(10), Cause::Known(_)));
    assert_eq!(ledger.troubles(), 0);
    let Cause::Unknown(why) = find(9) else { panic!("forgotten") };
    assert!(why.contains("cannot be read"), "{why}");
    assert_eq!(ledger.troubles(), 1);
}

#[test]
fn nothing_is_recorded_before_there_is_a_store() {
    let ledger = Arc::new(Ledger::new(Arc::default(), RETENTION, now));
    ledger.record(&message(at("10T12:00:00"), "R1 a@example.com Q1 m1@x info@example.org"));
    assert_eq!(ledger.troubles(), 1);
    let ledger = Arc::new(Ledger::of_file("/nonexistent/ledger.redb".into(), RETENTION, now));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let question = CauseQuestion { sender: ForwardPath::parse("a@example.com"), ties: vec![id("m@x")] };
    assert!(matches!(runtime.block_on(ledger.find(&question)), Cause::Unknown(_)));
}

#[test]
fn a_file_that_is_begun_anew_gets_what_memory_holds() {
    let mut stage = Stage::new();
    stage.record(&message(now(), "R1 a@example.com Q1 m1@x info@example.org"));
    let fresh = TempDir::new().unwrap();
    let path = fresh.path().join("ledger.redb");
    let (_, other) = open(&path);
    let rows = other.reader().rows().unwrap();
    // The writer gives a new file the key of the old one; with another key nothing that is known means anything.
    assert_eq!(stage.ledger.opened(&rows).unwrap(), []);
    assert_eq!(stage.ledger.lock().recent.len(), 0);
    stage.restart();
    stage.record(&message(now(), "R2 a@example.com Q2 m2@x info@example.org"));
    let secret = stage.ledger.lock().secret;
    stage.ledger.lock().secret = Some(rows.secret());
    assert_eq!(stage.ledger.opened(&rows).unwrap().len(), 2);
    // The index of the other file may be lost with it.
    assert_eq!(stage.ledger.lock().unindexed.len(), 6);
    stage.ledger.lock().secret = secret;
}

#[test]
fn nothing_expired_is_answered_and_old_parts_go() {
    let mut stage = Stage::new();
    let start = at("01T12:00:00");
    for day in 0..30 {
        let time = start + (24 * day).hours();
        NOW.set(time);
        stage.record(&message(time, &format!("R{day} a@example.com Q{day} m{day}@x info@example.org")));
    }
    let now = now();
    for place in ["memory", "the file"] {
        for day in 0..30 {
            let expected = if 29 - day <= 14 { format!("R{day}") } else { "unknown".to_owned() };
            assert_eq!(stage.find("a@example.com", &[id(&format!("m{day}@x"))]), expected, "{place}");
        }
        NOW.set(now + 1.second());
        assert_eq!(stage.find("a@example.com", &[id("m15@x")]), "unknown", "{place}");
        NOW.set(now);
        stage.restart();
    }
    // Today, the days of the retention, and two of grace.
    assert_eq!(stage.parts(), 17);
    stage.ledger.set_retention(Duration::from_hours(24));
    assert_eq!(stage.find("a@example.com", &[id("m27@x")]), "unknown");
    stage.record(&message(now, "R30 a@example.com Q30 m30@x info@example.org"));
    assert_eq!(stage.parts(), 4);
}

#[test]
fn a_clock_that_jumps_a_day_expires_nothing_early() {
    for jump in [-24_i64, 24] {
        let mut stage = Stage::new();
        let start = at("01T12:00:00");
        let day = |day: i64| start + (24 * day).hours();
        for number in 0..15 {
            NOW.set(day(number));
            stage.record(&message(
                now(),
                &format!("R{number} a@example.com Q{number} m{number}@x info@example.org"),
            ));
        }
        NOW.set(day(14) + jump.hours());
        stage.record(&message(now(), "W a@example.com QW mW@x info@example.org"));
        for _ in 0..2 {
            // While it is wrong, nothing of the last days is missing, and what came last is still the newest.
            for number in 1..15 {
                assert_eq!(stage.find("a@example.com", &[id(&format!("m{number}@x"))]), format!("R{number}"));
            }
            assert_eq!(stage.find("a@example.com", &[pair("info@example.org", now())]), "W");
            assert_eq!(stage.find("a@example.com", &[queue("QW", now())]), "W");
            stage.restart();
        }
        NOW.set(day(14) + 1.minute());
        stage.record(&message(now(), "X a@example.com QX mX@x other@example.org"));
        for _ in 0..2 {
            for number in 1..15 {
                assert_eq!(stage.find("a@example.com", &[id(&format!("m{number}@x"))]), format!("R{number}"));
            }
            assert_eq!(stage.find("a@example.com", &[id("mW@x")]), "W");
            assert_eq!(stage.find("a@example.com", &[queue("QX", now())]), "X");
            stage.restart();
        }
        assert_eq!(stage.parts(), 15 + usize::from(jump > 0), "{jump}");
    }
}

/// A few of each, so that they meet.
fn some_message() -> impl Strategy<Value = (i64, usize, usize, usize, usize, usize)> {
    (-30_000..90_000_i64, 0..3_usize, 0..3_usize, 0..3_usize, 0..2_usize, 0..3_usize)
}

const RESULTS: [Option<SpfResult>; 3] = [Some(SpfResult::Pass), Some(SpfResult::Softfail), None];

const SENDERS: [&str; 3] = ["a@example.com", "b@example.com", ""];
const RECIPIENTS: [&str; 2] = ["info@example.org", "other@example.org"];

/// The best by rank; of equal ones the newest, which comes first.
fn best<'m>(all: impl Iterator<Item = (i32, &'m Message)>) -> Option<&'m Message> {
    let best = all.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map(|(_, message)| message)
}

/// The rules once more, over all messages at once.
fn expected(messages: &[Message], sender: &str, tie: &Tie, now: Timestamp) -> String {
    let retention = SignedDuration::try_from(RETENTION).unwrap();
    let newest_first = messages.iter().rev().filter(|message| now.duration_since(message.at) <= retention);
    let is_theirs = |message: &&Message| message.reverse_path.to_string() == sender;
    let merit = |message: &Message| match message.spf {
        Some(SpfResult::Pass) => 2,
        None => 1,
        Some(_) => 0,
    };
    let age = |answered: &Timestamp, message: &Message| answered.as_second() - message.at.as_second();
    let by_sender = |answered: &Timestamp, limit: i64, to: Option<&Mailbox>| {
        let theirs: Vec<&Message> = newest_first.clone().filter(is_theirs).collect();
        let of = |comes: bool| {
            let such = theirs.iter().copied().filter(move |message| (merit(message) == 2) == comes);
            such.take_while(|message| age(answered, message) <= limit)
        };
        let rank = |message: &Message| 2 * merit(message) + i32::from(to == Some(&message.recipients[0].0));
        best(of(true).chain(of(false)).map(|message| (rank(message), message)))
    };
    let cause = match tie {
        Tie::Posted { .. } => None,
        Tie::MessageId(id) => {
            let same = newest_first.clone().filter(|m| m.message_id.as_ref() == Some(id) && is_theirs(m));
            best(same.map(|message| (merit(message), message)))
        }
        Tie::Queue { id, answered } => newest_first
            .clone()
            .find(|m| m.queue_id.as_ref() == Some(id) && age(answered, m) >= -60)
            .filter(is_theirs)
            .filter(|m| age(answered, m) <= 8 * DAY),
        Tie::Correspondents { mailbox, answered } => by_sender(answered, 3600, Some(mailbox)),
        Tie::Sender { answered } => by_sender(answered, 8 * DAY, None),
    };
    cause.map_or("unknown".to_owned(), |message| message.reference.clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever clocks and ids do, memory and disk together answer by the rules.
    #[test]
    fn the_rules_hold(
        messages in prop::collection::vec((some_message(), any::<bool>()), 1..25),
        questions in prop::collection::vec(((0..2_usize, 0..3_usize, 0..3_usize, 0..2_usize), -30_000..90_000_i64), 1..12),
    ) {
        let mut stage = Stage::new();
        let (mut time, mut recorded) = (at("10T12:00:00"), Vec::new());
        for (number, ((step, sender, queue, id, recipient, spf), restarts)) in messages.into_iter().enumerate() {
            time += step.seconds();
            NOW.set(time);
            let (sender, recipient) = (SENDERS[sender], RECIPIENTS[recipient]);
            let text = format!("R{number} {sender} Q{queue} m{id} {recipient}");
            recorded.push(with(RESULTS[spf], message(time, &text)));
            stage.record(recorded.last().unwrap());
            match number % 7 {
                2 if restarts => stage.restart(),
                5 if restarts => stage.restart_indexed(),
                _ => {}
            }
        }
        for ((sender, queue, id, recipient), step) in questions {
            NOW.set(time + step.seconds());
            let ties = [
                self::queue(&format!("Q{queue}"), now()),
                self::id(&format!("m{id}")),
                pair(RECIPIENTS[recipient], now()),
                Tie::Sender { answered: now() },
            ];
            for tie in ties {
                let expected = expected(&recorded, SENDERS[sender], &tie, now());
                prop_assert_eq!(stage.find(SENDERS[sender], std::slice::from_ref(&tie)), expected, "{:?}", tie);
            }
        }
    }
}
