//! `spf lint` over records as domains publish them, each with everything that must be found in it; and what it counts beside
//! what the evaluation counts.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/dns.rs"]
mod dns;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use dns::{Fault, Server, Zone};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{RData, RecordType};
use lockdown_milter::clients::dns::{Resolver, Settings};
use lockdown_milter::mail::Domain;
use lockdown_milter::mail::spf::{SpfQuestion, SpfResult};
use lockdown_milter::spf::lint::{Duties, Lint, STRANGERS, Severity, lint_domain, lint_record};
use lockdown_milter::spf::trace::Counts;
use lockdown_milter::spf::{Options, evaluate_traced};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    zone: BTreeMap<String, Vec<String>>,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The one record.
    record: Option<String>,
    /// It in character-strings.
    strings: Option<Vec<String>>,
    /// All TXT records.
    records: Option<Vec<String>>,
    #[serde(default)]
    more: Vec<String>,
    dmarc: Option<Vec<String>>,
    #[serde(default)]
    outgoing: Vec<IpAddr>,
    helo: Option<String>,
    expect: Vec<String>,
    lookups: Option<usize>,
    void_lookups: Option<usize>,
    #[serde(default)]
    endless: bool,
}

fn options() -> Options {
    Options {
        lookups: 10,
        void_lookups: 2,
        time: Duration::from_secs(20),
        explanation: false,
        receiver: "mx.example.net".to_owned(),
    }
}

fn add(zone: Zone, name: &str, record: &str) -> Zone {
    match record.split_once(' ').unwrap_or((record, "")) {
        ("A" | "AAAA", address) => zone.address(name, address),
        ("MX", host) => zone.mx(name, 10, host),
        ("TXT", text) => zone.txt(name, text),
        ("SPF", text) => {
            let rdata = NULL::with([&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat());
            zone.record(name, RData::Unknown { code: RecordType::Unknown(99), rdata })
        }
        ("SERVFAIL", _) => zone.fault(name, Fault::Code(ResponseCode::ServFail)),
        other => panic!("{name}: {other:?}"),
    }
}

fn zone_of(book: &Book) -> Zone {
    let shared =
        book.zone.iter().flat_map(|(name, records)| records.iter().map(move |record| (name, record)));
    let mut zone = shared.fold(Zone::new(), |zone, (name, record)| add(zone, name, record));
    for (name, case) in &book.cases {
        let name = format!("{name}.case.example");
        if let Some(strings) = &case.strings {
            zone = zone.txt_strings(&name, strings.iter().map(String::as_bytes).collect());
        }
        for text in case.record.iter().chain(case.records.iter().flatten()) {
            zone = zone.txt(&name, text);
        }
        for record in &case.more {
            zone = add(zone, &name, record);
        }
        let reject = vec!["v=DMARC1; p=reject".to_owned()];
        for text in case.dmarc.as_ref().unwrap_or(&reject) {
            zone = zone.txt(&format!("_dmarc.{name}"), text);
        }
    }
    zone
}

fn book() -> Book {
    serde_yaml::from_str(&std::fs::read_to_string("tests/spf_lint/records.yaml").unwrap()).unwrap()
}

fn resolver(server: &Server) -> Resolver {
    Resolver::new(&Settings { servers: vec![server.address()], ..Settings::default() }).unwrap()
}

/// Findings as `kind` or `kind@column`.
fn shown(lint: &Lint) -> Vec<String> {
    let place = |column: Option<usize>| column.map(|column| format!("@{column}")).unwrap_or_default();
    let mut found: Vec<String> = lint
        .findings
        .iter()
        .map(|finding| {
            format!("{}{}", finding.kind.slug, place(finding.place.as_ref().map(|place| place.column)))
        })
        .collect();
    found.sort();
    found
}

/// What the evaluation counts for a stranger; with limits so high that none ends it, where `unlimited`.
async fn counted(dns: &Resolver, domain: &Domain, stranger: IpAddr, unlimited: bool) -> (SpfResult, Counts) {
    let most = if unlimited { 1000 } else { 10 };
    let options = Options { lookups: most, void_lookups: if unlimited { 1000 } else { 2 }, ..options() };
    let question = SpfQuestion::on_behalf_of(stranger, "unknown", domain);
    let traced = evaluate_traced(dns, &question, &options).await;
    (traced.answer.result, traced.counts)
}

#[tokio::test]
async fn every_record_has_its_findings() {
    let book = book();
    assert!(book.cases.len() >= 60, "{} cases", book.cases.len());
    let server = Server::start(zone_of(&book)).await;
    let dns = resolver(&server);
    let mut failures = String::new();
    for (name, case) in &book.cases {
        let domain: Domain = format!("{name}.case.example").parse().unwrap();
        let helo = case.helo.as_ref().map(|helo| helo.parse().unwrap());
        let duties = Duties { outgoing: case.outgoing.clone(), helo };
        let lint = lint_domain(&dns, &domain, &options(), &duties).await;
        let mut expected = case.expect.clone();
        expected.sort();
        if shown(&lint) != expected {
            let says: Vec<&str> = lint.findings.iter().map(|finding| finding.says.as_str()).collect();
            writeln!(failures, "{name}: expected {expected:?}, found {:?}: {says:#?}", shown(&lint)).unwrap();
        }
        let cost = lint.cost();
        for (what, wanted, found) in [
            ("look-ups", case.lookups, cost.map(|cost| cost.counts.lookups)),
            ("void look-ups", case.void_lookups, cost.map(|cost| cost.counts.void_lookups)),
        ] {
            if wanted.is_some() && wanted != found {
                writeln!(failures, "{name}: expected {wanted:?} {what}, found {found:?}").unwrap();
            }
        }
        assert_eq!(cost.is_some_and(|cost| cost.is_endless), case.endless, "{name}");
    }
    assert!(failures.is_empty(), "{failures}");
}

#[tokio::test]
async fn the_counts_are_those_of_the_evaluation() {
    let book = book();
    let server = Server::start(zone_of(&book)).await;
    let dns = resolver(&server);
    let (mut compared, mut failures) = (0, String::new());
    for name in book.cases.keys() {
        let domain: Domain = format!("{name}.case.example").parse().unwrap();
        let lint = lint_domain(&dns, &domain, &options(), &Duties::default()).await;
        let Some(costs) = lint.counts else { continue };
        // Two records are no record to an evaluation.
        if shown(&lint).contains(&"multiple-records".to_owned()) {
            continue;
        }
        for (stranger, cost) in STRANGERS.into_iter().zip(costs) {
            let is_over = cost.counts.lookups > 10 || cost.counts.void_lookups > 2;
            if cost.is_endless {
                let (result, counts) = counted(&dns, &domain, stranger, false).await;
                assert_eq!((result, counts.lookups), (SpfResult::Permerror, 11), "{name}");
            } else {
                let (_, counts) = counted(&dns, &domain, stranger, is_over).await;
                if counts != cost.counts {
                    writeln!(
                        failures,
                        "{name} for {stranger}: lint {:?}, evaluation {counts:?}",
                        cost.counts
                    )
                    .unwrap();
                }
            }
            if is_over {
                let (result, _) = counted(&dns, &domain, stranger, false).await;
                assert_eq!(result, SpfResult::Permerror, "{name} for {stranger}");
            }
            compared += 1;
        }
    }
    assert!(failures.is_empty(), "{failures}");
    assert!(compared > 120, "{compared} compared");
}

#[tokio::test]
async fn a_record_is_looked_at_before_it_is_published() {
    let server = Server::start(zone_of(&book())).await;
    let dns = resolver(&server);
    let none = None::<&Resolver>;
    let duties = Duties { outgoing: vec!["192.0.2.25".parse().unwrap()], helo: None };
    let domain: Domain = "new.case.example".parse().unwrap();
    let text = "v=spf1 include:gone.spf.example a:gone.host.example +all";
    let offline = lint_record(none, None, text, &options(), &duties).await;
    assert_eq!((shown(&offline), offline.counts), (vec!["pass-all@53".to_owned()], None));
    let online = lint_record(Some(&dns), Some(&domain), text, &options(), &duties).await;
    assert_eq!(shown(&online), ["include-missing@8", "not-covered", "pass-all@53", "void-lookup@33"]);
    // Whose hosts a bare mx means is not known without a domain.
    let nowhere = lint_record(Some(&dns), None, "v=spf1 a mx -all", &options(), &duties).await;
    assert_eq!(shown(&nowhere), Vec::<String>::new());
    let long = format!("v=spf1 {}-all", "ip4:192.0.2.1 ".repeat(20));
    let long = lint_record(none, None, &long, &options(), &duties).await;
    assert!(shown(&long).contains(&"needs-splitting".to_owned()));
    assert_eq!(lint_record(none, None, "hello", &options(), &duties).await.worst(), Some(Severity::Warning));
}
