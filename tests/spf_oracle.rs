//! SPF beside Debian's pyspf: thousands of zones, drawn from numbers, on one name server that both ask. Whatever the two see
//! differently is on a list of arguments (`argued.yaml`), each of which is carried out: pyspf with that fault mended agrees.
//! Over the same zones, `spf lint` never lets a record pass that is a permerror for a stranger, and what `spf suggest` calls good
//! is none to pyspf either, and lets in whoever passed before.
//!
//! `SPF_ORACLE_ZONES=20000` draws more, `SPF_ORACLE_FIRST=1234` begins elsewhere.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "spf_oracle/child.rs"]
mod child;
#[path = "support/dns.rs"]
mod dns;
#[path = "spf_oracle/zones.rs"]
mod zones;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use child::{Pyspf, Told};
use dns::{Server, Zone};
use lockdown_milter::clients::dns::{Resolver, Settings};
use lockdown_milter::mail::Domain;
use lockdown_milter::mail::spf::{SpfAnswer, SpfIdentity, SpfQuestion, SpfResult};
use lockdown_milter::spf::lint::{Duties, STRANGERS, Severity, lint_domain};
use lockdown_milter::spf::overlay::Overlay;
use lockdown_milter::spf::suggest::{Known, Suggestion, suggest};
use lockdown_milter::spf::{Options, Records as _, evaluate, is_spf};
use serde::Deserialize;
use zones::{Question, World};

const RECEIVER: &str = "mx.example.net";

/// Zones, where the environment says nothing else.
const ZONES: u64 = 2_000;

/// Differences that are shown one by one, at most.
const MOST_SHOWN: usize = 10;

/// What is known to be wrong with pyspf.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Argued {
    section: String,
    argument: String,
}

fn argued() -> BTreeMap<String, Argued> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spf_oracle/argued.yaml");
    serde_yaml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

fn options() -> Options {
    Options {
        lookups: 10,
        void_lookups: 2,
        time: Duration::from_secs(20),
        explanation: true,
        receiver: RECEIVER.to_owned(),
    }
}

fn resolver(server: &Server) -> Resolver {
    let settings = Settings { servers: vec![server.address()], ..Settings::default() };
    Resolver::new(&settings).unwrap()
}

fn question(asked: &Question) -> SpfQuestion {
    match &asked.sender {
        None => SpfQuestion::helo(asked.client, &asked.helo),
        Some((local_part, domain)) => SpfQuestion {
            identity: SpfIdentity::MailFrom,
            client: asked.client,
            helo: asked.helo.clone(),
            local_part: local_part.clone(),
            domain: domain.clone(),
        },
    }
}

/// Whether both say the same. Case does not matter to names, and RFC 7208, 7.3 leaves that of hexadecimal digits open.
fn agree(ours: &SpfAnswer, theirs: &Told) -> bool {
    let explanation = ours.explanation.as_deref().filter(|text| !text.is_empty());
    let same = match (explanation, theirs.explanation.as_deref()) {
        (Some(ours), Some(theirs)) => ours.eq_ignore_ascii_case(theirs),
        (ours, theirs) => ours == theirs,
    };
    ours.result.as_str() == theirs.result && same
}

/// What the run found.
#[derive(Default)]
struct Tally {
    questions: usize,
    differences: usize,
    results: BTreeMap<String, usize>,
    by_argument: BTreeMap<String, usize>,
    broken: usize,
    suggested: usize,
    good: usize,
    failures: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_difference_from_pyspf_is_argued() {
    let argued = argued();
    assert!(argued.values().all(|argued| !argued.section.is_empty() && !argued.argument.is_empty()));
    let kinds: Vec<&str> = argued.keys().map(String::as_str).collect();
    let server = Server::start(Zone::new()).await;
    let mut pyspf = Pyspf::start(server.address().port());
    let (first, count) = (number("SPF_ORACLE_FIRST", 0), number("SPF_ORACLE_ZONES", ZONES));
    let mut tally = Tally::default();
    for number in first..first + count {
        let world = World::draw(number);
        server.replace(world.zone());
        let dns = resolver(&server);
        for asked in &world.questions {
            let ours = evaluate(&dns, &question(asked), &options()).await;
            let theirs = tokio::task::block_in_place(|| pyspf.ask(asked, RECEIVER, &[]));
            tally.questions += 1;
            *tally.results.entry(ours.result.as_str().to_owned()).or_default() += 1;
            if agree(&ours, &theirs) {
                continue;
            }
            tally.differences += 1;
            tokio::task::block_in_place(|| {
                settle(&mut tally, &mut pyspf, &world, asked, &ours, &theirs, &kinds);
            });
        }
        strangers(&mut tally, &dns, &world).await;
        let suggestion = suggestion(&mut tally, &dns, &world).await;
        if let Some(record) = suggestion.record().filter(|_| suggestion.keeps()) {
            server.replace(world.with_record(record).zone());
            tokio::task::block_in_place(|| published(&mut tally, &mut pyspf, &world, record, &kinds));
        }
    }
    println!(
        "{count} zones from {first}, {} questions, {} differences, all argued but {}: {:?}\nresults {:?}\n{} records that are a permerror for a stranger; {} suggestions, {} good",
        tally.questions,
        tally.differences,
        tally.failures.len(),
        tally.by_argument,
        tally.results,
        tally.broken,
        tally.suggested,
        tally.good,
    );
    let shown: Vec<&str> = tally.failures.iter().take(MOST_SHOWN).map(String::as_str).collect();
    assert!(shown.is_empty(), "{} failures, of which\n{}", tally.failures.len(), shown.join("\n"));
}

/// Finds what a difference comes from: the fewest faults that must be mended for pyspf to agree.
fn settle(
    tally: &mut Tally,
    pyspf: &mut Pyspf,
    world: &World,
    asked: &Question,
    ours: &SpfAnswer,
    theirs: &Told,
    kinds: &[&str],
) {
    if let Some(kind) = kinds.iter().find(|kind| agree(ours, &pyspf.ask(asked, RECEIVER, &[kind]))) {
        *tally.by_argument.entry((*kind).to_owned()).or_default() += 1;
        return;
    }
    let mended = pyspf.ask(asked, RECEIVER, kinds);
    if agree(ours, &mended) {
        let mut needed = kinds.to_vec();
        for kind in kinds {
            let without: Vec<&str> = needed.iter().copied().filter(|other| other != kind).collect();
            if agree(ours, &pyspf.ask(asked, RECEIVER, &without)) {
                needed = without;
            }
        }
        *tally.by_argument.entry(needed.join(" and ")).or_default() += 1;
        return;
    }
    let mut says = format!(
        "zone {}: {asked:?}\n  ours {ours:?}\n  pyspf {theirs:?}\n  mended {mended:?}\n",
        world.number
    );
    says.push_str(&world.text());
    tally.failures.push(says);
}

/// No record passes `spf lint` that a stranger finds broken.
async fn strangers(tally: &mut Tally, dns: &Resolver, world: &World) {
    let options = Options { explanation: false, ..options() };
    // The first domain, and another one in its turn.
    let other = 1 + usize::try_from(world.number).unwrap() % (world.domains.len() - 1);
    for name in [&world.domains[0], &world.domains[other]] {
        let domain: Domain = name.parse().unwrap();
        let mut broken = None;
        for stranger in STRANGERS {
            let question = SpfQuestion::on_behalf_of(stranger, "unknown", &domain);
            let answer = evaluate(dns, &question, &options).await;
            if answer.result == SpfResult::Permerror {
                broken = Some(answer);
            }
        }
        let lint = lint_domain(dns, &domain, &options, &Duties::default()).await;
        let Some(answer) = broken else { continue };
        tally.broken += 1;
        if lint.worst().is_none_or(|worst| worst > Severity::Warning) {
            let mut says = format!(
                "zone {}: lint finds nothing in {name}, though {answer:?}\n  {lint:?}\n",
                world.number
            );
            let _ = write!(says, "{}", world.text());
            tally.failures.push(says);
        }
    }
}

/// What is suggested for the first domain of a zone, in whose place nobody who passed fails.
async fn suggestion(tally: &mut Tally, dns: &Resolver, world: &World) -> Suggestion {
    let options = Options { explanation: false, ..options() };
    let domain: Domain = world.domains[0].parse().unwrap();
    let texts = dns.txt(domain.as_str()).await.unwrap_or_default();
    let known = Known {
        domain: domain.clone(),
        records: texts.into_iter().filter(|text| is_spf(text)).collect(),
        is_partial: false,
        mail_hosts: Vec::new(),
        outgoing: vec![("198.51.100.80".parse().unwrap(), "told".to_owned())],
        clients: Vec::new(),
        was_watched: false,
    };
    let suggestion = suggest(dns, &known, &[], &options).await;
    tally.suggested += 1;
    tally.good += usize::from(suggestion.keeps());
    let Some(record) = suggestion.record() else { return suggestion };
    let overlay = Overlay { dns, name: domain.as_str(), record };
    for asked in &world.questions {
        let question = SpfQuestion::on_behalf_of(asked.client, "unknown", &domain);
        let before = evaluate(dns, &question, &options).await;
        let after = evaluate(&overlay, &question, &options).await;
        let is_lost = before.result == SpfResult::Pass && after.result != SpfResult::Pass;
        let is_named = !suggestion.dropped.is_empty() || before.cause.ends_with("all matched");
        if is_lost && !is_named {
            let says = format!(
                "zone {}: {} passed {}, and gets {} by {record}\n  {suggestion:?}\n",
                world.number, asked.client, before.cause, after.result
            );
            tally.failures.push(says + &world.text());
        }
    }
    suggestion
}

/// A record that was called good, published: pyspf can evaluate it for a stranger.
fn published(tally: &mut Tally, pyspf: &mut Pyspf, world: &World, record: &str, kinds: &[&str]) {
    for client in STRANGERS {
        let sender = Some(("postmaster".to_owned(), world.domains[0].clone()));
        let theirs = pyspf.ask(&Question { client, helo: "unknown".to_owned(), sender }, RECEIVER, kinds);
        if !["fail", "softfail", "neutral"].contains(&theirs.result.as_str()) {
            let says = format!("zone {}: suggested {record}, and a stranger gets {theirs:?}\n", world.number);
            tally.failures.push(says + &world.text());
        }
    }
}
