//! SPF through the whole stack, question to answer, over real DNS packets: the test suite of RFC 7208, and cases of our
//! own in its format.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/dns.rs"]
mod dns;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use dns::{Server, Zone};
use libtest_mimic::{Arguments, Failed, Trial};
use lockdown_milter::clients::dns::{Resolver, Settings};
use lockdown_milter::mail::ReversePath;
use lockdown_milter::mail::spf::{SpfAnswer, SpfQuestion};
use lockdown_milter::spf::{Options, evaluate};
use serde::Deserialize;
use serde_yaml::{Mapping, Value};

/// A document of the suite: a zone, and what it makes of some clients.
#[derive(Deserialize)]
struct Scenario {
    description: String,
    tests: Mapping,
    zonedata: Mapping,
}

/// What is asked and expected.
#[derive(Deserialize)]
struct Case {
    helo: String,
    host: IpAddr,
    mailfrom: String,
    result: OneOrMore,
    explanation: Option<String>,
    /// In our own cases only.
    cause: Option<String>,
    sends_no_mail: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn holds(&self, result: &str) -> bool {
        match self {
            Self::One(one) => one == result,
            Self::More(more) => more.iter().any(|one| one == result),
        }
    }
}

/// The cases of the suite's release 2014.04.
const SUITE: usize = 203;

/// Cases of our own, at least: all of RFC 7208, also where the suite is not at hand.
const OURS: usize = 300;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let suite = root.join("../shared/spf/rfc7208-tests.yml");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(root.join("tests/spf")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let is_missing = !suite.exists();
    if is_missing {
        eprintln!("The RFC 7208 test suite is not at {}, so that its test is ignored.", suite.display());
    }
    // The harness of Rust cannot ignore a test by what it finds when it runs, and one that did nothing did not pass.
    let mut trials = vec![
        Trial::test("rfc7208_test_suite", move || {
            all_pass(&suite).and_then(|passed| holds(passed == SUITE, passed))
        })
        .with_ignored_flag(is_missing),
    ];
    let counted = files.clone();
    trials.push(Trial::test("our_own_cases_are_many", move || {
        let cases: usize = counted.iter().map(|file| count(file)).sum();
        holds(cases >= OURS, cases)
    }));
    trials.extend(files.into_iter().map(|file| {
        let name = format!("our_own::{}", file.file_stem().unwrap().to_string_lossy());
        Trial::test(name, move || all_pass(&file).map(drop))
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn holds(condition: bool, cases: usize) -> Result<(), Failed> {
    if condition { Ok(()) } else { Err(format!("there are {cases} cases").into()) }
}

/// Runs all cases of a file, and says how many they are; or which of them fail.
fn all_pass(file: &Path) -> Result<usize, Failed> {
    let text = std::fs::read_to_string(file)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let (passed, failures) = runtime.block_on(run(&text));
    if failures.is_empty() { Ok(passed) } else { Err(format!("{passed} passed, but\n{failures}").into()) }
}

fn count(file: &Path) -> usize {
    scenarios(&std::fs::read_to_string(file).unwrap()).map(|scenario| scenario.tests.len()).sum()
}

fn scenarios(suite: &str) -> impl Iterator<Item = Scenario> {
    serde_yaml::Deserializer::from_str(suite).map(|document| Scenario::deserialize(document).unwrap())
}

/// Runs all cases of a file; returns how many passed, and a line for each of the others.
async fn run(suite: &str) -> (usize, String) {
    let running: Vec<_> = scenarios(suite).map(|scenario| tokio::spawn(run_scenario(scenario))).collect();
    let (mut passed, mut failures) = (0, String::new());
    for scenario in running {
        let (more_passed, more_failures) = scenario.await.unwrap();
        passed += more_passed;
        failures += &more_failures;
    }
    (passed, failures)
}

async fn run_scenario(scenario: Scenario) -> (usize, String) {
    let server = Server::start(zone(&scenario.zonedata)).await;
    let settings = Settings {
        servers: vec![server.address()],
        timeout: Duration::from_secs(1),
        attempts: 1,
        ..Settings::default()
    };
    // One resolver for all, so that the cases of a scenario meet with each other's cached answers.
    let resolver = Resolver::new(&settings).unwrap();
    let running: Vec<_> = scenario
        .tests
        .iter()
        .map(|(name, case)| {
            let case: Case = serde_yaml::from_value(case.clone()).unwrap();
            let resolver = resolver.clone();
            (text(name), tokio::spawn(async move { check(&case, &resolver).await }))
        })
        .collect();
    let (mut passed, mut failures) = (0, String::new());
    for (name, case) in running {
        match case.await.unwrap() {
            Ok(()) => passed += 1,
            Err(answer) => writeln!(failures, "{}: {name}: {answer:?}", scenario.description).unwrap(),
        }
    }
    (passed, failures)
}

/// Evaluates as the daemon does: the null reverse-path stands for the HELO identity (RFC 7208, 2.4).
async fn check(case: &Case, resolver: &Resolver) -> Result<(), SpfAnswer> {
    // In angle brackets, as clients must write it and MTAs hand it over.
    let reverse_path = ReversePath::parse(&format!("<{}>", case.mailfrom));
    let question = SpfQuestion::mail_from(case.host, &case.helo, &reverse_path)
        .unwrap_or_else(|| SpfQuestion::helo(case.host, &case.helo));
    let options = Options {
        lookups: 10,
        void_lookups: 2,
        time: Duration::from_secs(8),
        explanation: true,
        receiver: "mx.example.net".to_owned(),
    };
    let answer = evaluate(resolver, &question, &options).await;
    if agrees(case, &answer) { Ok(()) } else { Err(answer) }
}

fn agrees(case: &Case, answer: &SpfAnswer) -> bool {
    let explanation = match case.explanation.as_deref() {
        None => true,
        Some("DEFAULT") => answer.explanation.is_none(),
        // The suite writes hexadecimal digits of IPv6 addresses in capitals, where RFC 7208, 7.3 leaves the choice.
        Some(expected) => answer.explanation.as_ref().is_some_and(|text| text.eq_ignore_ascii_case(expected)),
    };
    explanation
        && case.result.holds(answer.result.as_str())
        && !answer.cause.is_empty()
        && case.cause.as_ref().is_none_or(|cause| *cause == answer.cause)
        && case.sends_no_mail.is_none_or(|expected| expected == answer.sends_no_mail)
}

/// The zone of a scenario. `SPF` records stand for TXT records, unless the name has TXT records of its own; `NONE` says
/// that it has none. `TIMEOUT` is the answer to all that is not listed.
fn zone(data: &Mapping) -> Zone {
    let mut zone = Zone::new();
    for (name, entries) in data {
        let name = text(name);
        let entries = entries.as_sequence().unwrap();
        let has_txt = entries.iter().any(|entry| entry.get("TXT").is_some());
        for entry in entries {
            let Some(record) = entry.as_mapping() else {
                assert_eq!(text(entry), "TIMEOUT");
                zone = zone.silent(&name);
                continue;
            };
            let (kind, value) = record.iter().next().unwrap();
            zone = match (text(kind).as_str(), value) {
                ("SPF", _) if has_txt => zone,
                ("TXT", Value::String(none)) if none == "NONE" => zone,
                ("SPF" | "TXT", value) => txt(zone, &name, value),
                ("A" | "AAAA", value) => zone.address(&name, &text(value)),
                ("MX", Value::Sequence(mx)) => {
                    zone.mx(&name, u16::try_from(mx[0].as_u64().unwrap()).unwrap(), &text(&mx[1]))
                }
                ("CNAME", value) => zone.cname(&name, &text(value)),
                ("PTR", value) => zone.ptr(&name, &text(value)),
                (kind, _) => panic!("{name} has a record of the unknown type {kind}"),
            };
        }
    }
    zone
}

fn txt(zone: Zone, name: &str, value: &Value) -> Zone {
    let strings: Vec<Vec<u8>> = match value {
        Value::Sequence(strings) if strings.is_empty() => vec![Vec::new()],
        Value::String(text) if text.is_empty() => vec![Vec::new()],
        Value::Sequence(strings) => strings.iter().map(|string| octets(&text(string))).collect(),
        string => octets(&text(string)).chunks(255).map(<[u8]>::to_vec).collect(),
    };
    zone.txt_strings(name, strings.iter().map(Vec::as_slice).collect())
}

/// The suite writes octets as characters of that number.
fn octets(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => panic!("{other:?} is no text"),
    }
}
