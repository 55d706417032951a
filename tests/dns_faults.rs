//! DNS in trouble, seen through the whole stack: what an evaluation makes of it, and what it costs upstream.
//!
//! Times are a quarter of the daemon's: a try has 500 ms instead of 2 s, so "slow by 1 s" is slow by 250 ms here.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/dns.rs"]
mod dns;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use dns::{Fault, Server, Zone};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use lockdown_milter::lookup::dns::{Resolver, Settings};
use lockdown_milter::mail::ReversePath;
use lockdown_milter::mail::spf::{SpfAnswer, SpfQuestion};
use lockdown_milter::spf::{NotFound, Options, Records, evaluate};
use tokio::time::Instant;

const DOMAIN: &str = "example.org";

fn settings(servers: &[SocketAddr]) -> Settings {
    Settings { servers: servers.to_vec(), timeout: Duration::from_millis(500), ..Settings::default() }
}

fn resolver(server: &Server) -> Resolver {
    Resolver::new(&settings(&[server.address()])).unwrap()
}

/// A zone whose only domain authorises nobody.
fn zone() -> Zone {
    Zone::new().txt(DOMAIN, "v=spf1 -all")
}

async fn evaluated(resolver: &Resolver) -> SpfAnswer {
    let client = Ipv4Addr::new(192, 0, 2, 1).into();
    let path = ReversePath::parse(&format!("user@{DOMAIN}"));
    let question = SpfQuestion::mail_from(client, "mail.example.net", &path).unwrap();
    let options = Options {
        lookups: 10,
        void_lookups: 2,
        time: Duration::from_secs(8),
        explanation: true,
        receiver: "mx.example.net".to_owned(),
    };
    evaluate(resolver, &question, &options).await
}

/// Evaluates with a fault at the domain; returns the server for a look at its counts.
async fn check(fault: Fault, expected: &str) -> (Server, Resolver) {
    let server = Server::start(zone().fault(DOMAIN, fault.clone())).await;
    let resolver = resolver(&server);
    let answer = evaluated(&resolver).await;
    assert_eq!(format!("{}: {}", answer.result, answer.cause), expected, "{fault:?}");
    (server, resolver)
}

#[tokio::test]
async fn dead_dns_is_temperror_and_remembered() {
    let began = Instant::now();
    let (server, resolver) =
        check(Fault::Drop, "temperror: DNS: no answer within 1s for TXT example.org").await;
    assert!(began.elapsed() < Duration::from_secs(2), "two tries of 500 ms took {:?}", began.elapsed());
    assert_eq!(server.count(DOMAIN, RecordType::TXT), 2, "two tries");

    assert_eq!(evaluated(&resolver).await.result.as_str(), "temperror");
    assert_eq!(server.count(DOMAIN, RecordType::TXT), 2, "the failure is remembered");
}

#[tokio::test]
async fn failures_are_forgotten_in_time() {
    let server = Server::start(zone().fault(DOMAIN, Fault::Code(ResponseCode::ServFail))).await;
    let settings = Settings { failure_ttl: Duration::from_secs(1), ..settings(&[server.address()]) };
    let resolver = Resolver::new(&settings).unwrap();
    assert_eq!(evaluated(&resolver).await.result.as_str(), "temperror");
    server.replace(zone());
    assert_eq!(evaluated(&resolver).await.result.as_str(), "temperror", "still remembered");
    assert_eq!(server.count(DOMAIN, RecordType::TXT), 1);
    // The cache lives by the real clock.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(evaluated(&resolver).await.result.as_str(), "fail");
}

#[tokio::test]
async fn a_server_that_says_no_is_not_asked_twice() {
    for (code, name) in [
        (ResponseCode::ServFail, "SERVFAIL"),
        (ResponseCode::Refused, "REFUSED"),
        (ResponseCode::NotAuth, "RCODE 9"),
        (ResponseCode::Unknown(12), "RCODE 12"),
    ] {
        let expected = format!("temperror: DNS: {name} for TXT example.org");
        let (server, resolver) = check(Fault::Code(code), &expected).await;
        assert_eq!(server.total(), 1);
        assert_eq!(resolver.counts().failed, 1);
    }
}

#[tokio::test]
async fn a_referral_is_not_the_news_that_there_is_nothing() {
    let cause = "temperror: DNS: a referral, which no recursive server gives for TXT example.org";
    check(Fault::Referral, cause).await;
}

#[tokio::test]
async fn a_truncated_answer_is_fetched_over_tcp() {
    let (server, _) = check(Fault::Truncate, "fail: -all matched").await;
    assert_eq!(server.count(DOMAIN, RecordType::TXT), 2, "over UDP, then over TCP");
}

#[tokio::test]
async fn a_long_answer_comes_whole() {
    let networks: Vec<String> = (0..200).map(|n| format!("ip4:198.51.100.{n}")).collect();
    let record = format!("v=spf1 {} ip4:192.0.2.1 -all", networks.join(" "));
    let server = Server::start(Zone::new().txt(DOMAIN, &record)).await;
    let answer = evaluated(&resolver(&server)).await;
    assert_eq!(answer.cause, "ip4:192.0.2.1 matched");
}

#[tokio::test]
async fn spoofed_answers_are_not_believed() {
    check(Fault::SpoofedFirst, "fail: -all matched").await;
    check(Fault::WrongId, "temperror: DNS: no answer within 1s for TXT example.org").await;
}

#[tokio::test]
async fn case_randomization_works_where_the_server_keeps_the_case() {
    let server = Server::start(zone()).await;
    let settings = Settings { case_randomization: true, ..settings(&[server.address()]) };
    let answer = evaluated(&Resolver::new(&settings).unwrap()).await;
    assert_eq!(answer.result.as_str(), "fail");
}

#[tokio::test]
async fn a_slow_answer_counts() {
    let delay = Duration::from_millis(250);
    let (server, _) = check(Fault::Delay(delay), "fail: -all matched").await;
    assert_eq!(server.total(), 1, "waiting is no reason to ask again");
}

#[tokio::test]
async fn a_late_answer_fills_the_cache() {
    let began = Instant::now();
    let delay = Fault::Delay(Duration::from_millis(750));
    let (server, resolver) = check(delay, "temperror: DNS: no answer within 1s for TXT example.org").await;
    assert!(began.elapsed() < Duration::from_secs(2), "well within the time of a decision");
    assert_eq!(server.count(DOMAIN, RecordType::TXT), 2);
    assert_eq!(resolver.counts().late, 1, "the answer to the first try came while the second was waited for");
    assert_eq!(evaluated(&resolver).await.result.as_str(), "fail", "from the cache");
    assert_eq!(server.count(DOMAIN, RecordType::TXT), 2);
}

#[tokio::test]
async fn an_answer_that_nobody_waits_for_any_more_fills_the_cache() {
    let delay = Fault::Delay(Duration::from_millis(1500));
    let (server, resolver) = check(delay, "temperror: DNS: no answer within 1s for TXT example.org").await;
    assert_eq!(evaluated(&resolver).await.result.as_str(), "temperror", "not yet");
    let arrived = async {
        while resolver.counts().late == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), arrived).await.expect("the answer arrives");
    assert_eq!(evaluated(&resolver).await.result.as_str(), "fail", "from the cache");
    assert_eq!(server.count(DOMAIN, RecordType::TXT), 2);
}

#[tokio::test]
async fn an_asker_that_goes_away_does_not_take_the_query_along() {
    let server = Server::start(zone().fault(DOMAIN, Fault::Delay(Duration::from_millis(100)))).await;
    let resolver = resolver(&server);
    let asker = tokio::spawn({
        let resolver = resolver.clone();
        async move { evaluated(&resolver).await }
    });
    server.asked(DOMAIN, RecordType::TXT, 1).await;
    asker.abort();
    assert_eq!(evaluated(&resolver).await.result.as_str(), "fail");
    assert_eq!(server.total(), 1);
}

#[tokio::test]
async fn twenty_evaluations_at_once_are_one_query() {
    let server = Server::start(zone().fault(DOMAIN, Fault::Delay(Duration::from_millis(50)))).await;
    let resolver = resolver(&server);
    let evaluations: Vec<_> = (0..20)
        .map(|_| {
            let resolver = resolver.clone();
            tokio::spawn(async move { evaluated(&resolver).await })
        })
        .collect();
    for evaluation in evaluations {
        assert_eq!(evaluation.await.unwrap().result.as_str(), "fail");
    }
    assert_eq!(server.total(), 1);
    assert_eq!(resolver.counts().upstream, 1);
}

#[tokio::test]
async fn what_does_not_exist_is_remembered() {
    let server =
        Server::start(Zone::new().txt("a.example.org", "text").address("b.example.org", "192.0.2.1")).await;
    let resolver = resolver(&server);
    for _ in 0..2 {
        assert_eq!(resolver.txt("nowhere.example.net").await, Err(NotFound::NoRecords), "NXDOMAIN");
        assert_eq!(resolver.txt("b.example.org").await, Err(NotFound::NoRecords), "NODATA");
    }
    assert_eq!(server.count("nowhere.example.net", RecordType::TXT), 1);
    assert_eq!(server.count("b.example.org", RecordType::TXT), 1);
    assert_eq!(resolver.txt("B.EXAMPLE.org").await, Err(NotFound::NoRecords));
    assert_eq!(server.total(), 2, "the case of a name does not matter");
    assert_eq!(resolver.counts().cached, 3);
}

#[tokio::test]
async fn nothing_is_remembered_beyond_its_time_to_live() {
    // A time to live of 0 is taken for 1 s.
    let server = Server::start(zone().ttl(0, 0)).await;
    let resolver = resolver(&server);
    for expected in [1, 1, 2] {
        if expected == 2 {
            // The cache lives by the real clock.
            tokio::time::sleep(Duration::from_millis(1100)).await;
        }
        for (name, found) in [(DOMAIN, true), ("nowhere.example.org", false)] {
            assert_eq!(resolver.txt(name).await.is_ok(), found);
            assert_eq!(server.count(name, RecordType::TXT), expected, "{name}");
        }
    }
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_is_of_no_use() {
    let good = Server::start(zone()).await;
    for fault in [Fault::Drop, Fault::Code(ResponseCode::ServFail), Fault::WrongId] {
        let bad = Server::start(zone().fault(DOMAIN, fault)).await;
        let resolver = Resolver::new(&settings(&[bad.address(), good.address()])).unwrap();
        assert_eq!(evaluated(&resolver).await.result.as_str(), "fail");
        assert_eq!(bad.total(), 1);
    }
}

#[tokio::test]
async fn a_hanging_explanation_leaves_the_fail_alone() {
    let zone = Zone::new()
        .txt(DOMAIN, "v=spf1 -all exp=why.example.org")
        .txt("why.example.org", "No.")
        .fault("why.example.org", Fault::Drop);
    let server = Server::start(zone).await;
    // With the daemon's own timeout, the limit for explanations comes first.
    let settings = Settings { servers: vec![server.address()], ..Settings::default() };
    let began = Instant::now();
    let answer = evaluated(&Resolver::new(&settings).unwrap()).await;
    assert_eq!((answer.result.as_str(), answer.explanation), ("fail", None));
    assert!(began.elapsed() < Duration::from_millis(1900), "{:?}", began.elapsed());
}

#[tokio::test]
async fn names_are_octets() {
    let zone = Zone::new()
        .address("a b.example.org", "192.0.2.1")
        .address("_x.%2e!.example.org", "192.0.2.2")
        .address("ü.example.org", "192.0.2.3");
    let server = Server::start(zone).await;
    let resolver = resolver(&server);
    for (name, last) in [("a b.example.org", 1), ("_x.%2e!.example.org", 2), ("ü.example.org", 3)] {
        assert_eq!(resolver.a(name).await, Ok(vec![Ipv4Addr::new(192, 0, 2, last)]), "{name}");
    }
    let label = "x".repeat(64);
    let labels = ["x"; 130].join(".");
    let asked = server.total();
    for name in ["", "a..example.org", ".example.org", &label, &labels] {
        assert_eq!(resolver.a(name).await, Err(NotFound::NoRecords), "{name}");
    }
    assert_eq!(server.total(), asked, "such names never leave the host");
}

#[tokio::test]
async fn records_of_every_type() {
    let zone = Zone::new()
        .mx(DOMAIN, 20, "second.example.org")
        .mx(DOMAIN, 10, "first.example.org")
        .address("first.example.org", "2001:db8::1")
        .ptr("1.2.0.192.in-addr.arpa", "first.example.org")
        .cname("alias.example.org", "first.example.org")
        .txt_strings("strings.example.org", vec![b"one", b" two", b"\xff"])
        .cname("loop.example.org", "loop.example.org");
    let server = Server::start(zone).await;
    let resolver = resolver(&server);
    let ipv6 = Ok(vec!["2001:db8::1".parse().unwrap()]);
    assert_eq!(resolver.mx(DOMAIN).await.unwrap(), ["first.example.org", "second.example.org"]);
    assert_eq!(resolver.aaaa("first.example.org").await, ipv6);
    assert_eq!(resolver.aaaa("alias.example.org").await, ipv6);
    assert_eq!(resolver.ptr(Ipv4Addr::new(192, 0, 2, 1).into()).await.unwrap(), ["first.example.org"]);
    assert_eq!(resolver.txt("strings.example.org").await.unwrap(), ["one two\u{FFFD}"]);
    assert!(resolver.a("loop.example.org").await.is_err());
}
