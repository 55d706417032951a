//! `report` beside `jq`: a million lines of a JSON log, with what each decision was judged on, summed up by one and counted
//! by one field by the other, in turns. Prints the time and the most memory (`VmHWM`) of each.
//!
//! `cargo bench --bench report`. Figures of one run are to be compared with each other only. `jq` is installed by
//! `packaging/setup`.
#![allow(missing_docs, reason = "it is a program")]
#![allow(clippy::unwrap_used, reason = "a benchmark ends where its surroundings do")]

#[path = "../tests/support/cases.rs"]
mod cases;

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cases::{Case, NOW};
use lockdown_milter::decide::evidence;
use lockdown_milter::journal::{Record, judged, render};
use lockdown_milter::mail::ForwardPath;
use lockdown_milter::session::{Point, Recipient, Request};
use lockdown_milter::sources::recipients::identities;

/// Lines of the log.
const LINES: usize = 1_000_000;

/// Turns of each program.
const TURNS: usize = 3;

/// How often the memory of a program is looked at.
const LOOK: Duration = Duration::from_millis(5);

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log.json");
    let octets = write(&log);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let megabytes = octets as f64 / 1e6;
    println!("{LINES} lines, {megabytes:.0} MB, {} octets a line", octets / LINES as u64);
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_lockdown-milter"));
    let count = r#"reduce inputs as $line ({}; .[$line.check // "none"] += 1)"#;
    let programs: [(&str, &Path, Vec<&str>); 2] = [
        ("report", &ours, vec!["report", "--json", log.to_str().unwrap()]),
        ("jq", Path::new("jq"), vec!["-n", count, log.to_str().unwrap()]),
    ];
    let mut best = [Duration::MAX; 2];
    for turn in 1..=TURNS {
        for (at, (name, program, arguments)) in programs.iter().enumerate() {
            let (took, memory) = run(program, arguments);
            best[at] = best[at].min(took);
            println!("turn {turn}: {name:8} {:7.2} s  VmHWM {:6} KiB", took.as_secs_f64(), memory);
        }
    }
    let times = best[1].as_secs_f64() / best[0].as_secs_f64();
    println!("report is {times:.1} times as fast as jq");
    assert!(best[0] < best[1], "report must be faster than jq");
}

/// Runs a program to its end; how long that took, and the most memory it had, in KiB.
fn run(program: &Path, arguments: &[&str]) -> (Duration, u64) {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
    let begun = Instant::now();
    let mut child = Command::new(program).args(arguments).stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut memory = 0;
    loop {
        let peak = fs::read_to_string(&status).ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
            line.split_whitespace().nth(1)?.parse().ok()
        });
        memory = memory.max(peak.unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{}: {status}", program.display());
            return (begun.elapsed(), memory);
        }
        std::thread::sleep(LOOK);
    }
}

/// Writes the log: the decisions of all golden cases again and again, by a great many clients, for a great many recipients.
fn write(path: &Path) -> u64 {
    let kinds: Vec<(Record, String)> = cases::all().iter().flat_map(records).collect();
    let mut file = BufWriter::new(File::create(path).unwrap());
    let mut octets = 0;
    for (number, (record, judged)) in (0..LINES).zip(kinds.iter().cycle()) {
        let mut record = record.clone();
        record.client = format!("198.{}.{}.{}", 18 + number % 2, number / 7 % 256, number % 251);
        record.reference = Some(format!("{number:08X}"));
        for recipient in &mut record.rcpt_to {
            *recipient = format!("user{}{recipient}", number % 300_000);
        }
        record.judged = Some(judged.clone());
        let line = render::json(&record) + "\n";
        octets += line.len() as u64;
        file.write_all(line.as_bytes()).unwrap();
    }
    file.flush().unwrap();
    octets
}

/// The decisions of a case, and what they were judged on.
fn records(case: &Case) -> Vec<(Record, String)> {
    let config = case.config();
    let (policy, sources) = (&config.policy, identities(&config.recipients));
    let (session, mut envelope) = (case.session(), case.envelope());
    let (origin, now) = (policy.origin(&session, &envelope), NOW.parse().unwrap());
    let mut records = Vec::new();
    let paths: Vec<ForwardPath> = case.rcpt_to.keys().map(|name| ForwardPath::parse(name)).collect();
    let header = case.header();
    let points = paths.iter().map(Point::Recipient);
    let is_sent = case.message.is_some() || case.edits.is_some();
    for point in points.chain(is_sent.then_some(Point::Message(&header))) {
        let request = Request { session: &session, envelope: &envelope, origin, point, report: None, now };
        let (decision, facts) = case.decide(policy, &request);
        let seen = evidence(policy, &request, &facts);
        let judged = judged::write(&request, &decision, &seen, &[], &sources);
        records.push((Record::of(&request, &decision), judged));
        if let Point::Recipient(path) = point
            && decision.verdict.reply().is_none()
        {
            envelope.recipients.push(Recipient::bare(path.clone()));
        }
    }
    records
}
