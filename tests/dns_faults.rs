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
use lockdown_milter::clients::dns::{Resolver, Settings};
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
        assert_eq!(bad.count(DOMAIN, RecordType::TXT), 1);
    }
}

/// What evaluating a domain of the zone came to, and how long that took.
async fn timed(resolver: &Resolver, name: &str) -> (Result<usize, NotFound>, Duration) {
    let began = Instant::now();
    let found = resolver.txt(name).await.map(|texts| texts.len());
    (found, began.elapsed())
}

/// Several domains, for questions that are not in the cache.
fn domains() -> Zone {
    (0..9).fold(zone(), |zone, n| zone.txt(&format!("d{n}.example"), "text"))
}

#[tokio::test]
async fn a_server_that_knows_no_edns_is_asked_without() {
    let (form, not_implemented, fail) = (ResponseCode::FormErr, ResponseCode::NotImp, ResponseCode::ServFail);
    for fault in [
        Fault::NoEdns(form),
        Fault::NoEdns(not_implemented),
        Fault::NoEdns(fail),
        Fault::NoEdns(ResponseCode::BADVERS),
        Fault::NoEdnsHeaderAlone(form),
        Fault::NoEdnsHeaderAlone(not_implemented),
        Fault::NoEdnsHeaderAlone(fail),
    ] {
        let server = Server::start(domains().fault_everywhere(fault.clone())).await;
        let resolver = resolver(&server);
        let answer = evaluated(&resolver).await;
        assert_eq!(answer.cause, "-all matched", "{fault:?}");
        assert_eq!(server.total(), 2, "{fault:?}");
        assert_eq!(timed(&resolver, "d1.example").await.0, Ok(1));
        assert_eq!(server.total(), 3, "that it knows none is remembered: {fault:?}");
    }
}

#[tokio::test]
async fn a_server_that_drops_edns_is_asked_without() {
    let server = Server::start(domains().fault_everywhere(Fault::NoEdnsDrop)).await;
    let resolver = resolver(&server);
    assert_eq!(evaluated(&resolver).await.cause, "-all matched");
    assert_eq!(server.count(DOMAIN, RecordType::TXT), 2, "the last try is a plain one");
    assert_eq!(timed(&resolver, "d1.example").await.0, Ok(1));
    assert_eq!(server.count("d1.example", RecordType::TXT), 1, "that it drops them is remembered");
}

#[tokio::test]
async fn one_bad_answer_says_nothing_about_edns() {
    for (code, name) in [(ResponseCode::FormErr, "FORMERR"), (ResponseCode::NotImp, "NOTIMP")] {
        let expected = format!("temperror: DNS: {name} for TXT example.org");
        let server = Server::start(domains().fault(DOMAIN, Fault::Code(code))).await;
        let resolver = resolver(&server);
        let answer = evaluated(&resolver).await;
        assert_eq!(format!("{}: {}", answer.result, answer.cause), expected);
        assert_eq!(server.total(), 2, "with EDNS and without");
        assert_eq!(timed(&resolver, "d1.example").await.0, Ok(1));
        assert_eq!(server.total(), 3);
    }
    // A server that was heard to do EDNS means it when it fails.
    let fault = Fault::NoEdns(ResponseCode::ServFail);
    let server = Server::start(domains().fault("d2.example", fault)).await;
    let resolver = resolver(&server);
    assert_eq!(timed(&resolver, "d1.example").await.0, Ok(1));
    assert_eq!(timed(&resolver, "d2.example").await.0, Err(NotFound::Failed("SERVFAIL".to_owned())));
    assert_eq!(server.total(), 2);
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_no_answer() {
    let cause = "temperror: DNS: the answer is too long for UDP, and over TCP: unexpected end of file for TXT example.org";
    check(Fault::TruncateAndClose, cause).await;
}

#[tokio::test]
async fn where_nothing_listens_nobody_waits() {
    let nowhere = dns::nowhere().await;
    let resolver = Resolver::new(&settings(&[nowhere])).unwrap();
    for name in ["d1.example", "d2.example", "d3.example"] {
        let (found, took) = timed(&resolver, name).await;
        let refused = format!("{nowhere}: Connection refused");
        assert_eq!(found, Err(NotFound::Failed(refused)));
        assert!(took < Duration::from_millis(500), "one try alone has 500 ms: {took:?}");
    }
}

#[tokio::test]
async fn the_next_server_is_asked_at_once_where_one_is_unreachable() {
    let good = Server::start(domains()).await;
    // No route, no such address, and nothing listens. A host with IPv6 may have to wait for the first.
    for bad in ["[2001:db8::53]:53", "[fe80::1]:53", &dns::nowhere().await.to_string()] {
        let resolver = Resolver::new(&settings(&[bad.parse().unwrap(), good.address()])).unwrap();
        let (found, took) = timed(&resolver, "d1.example").await;
        assert_eq!(found, Ok(1), "{bad}");
        assert!(took < Duration::from_millis(500), "{bad}: {took:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_being_restarted_costs_no_answer() {
    let address = dns::nowhere().await;
    // A pause is 250 ms here.
    let settings = Settings { servers: vec![address], ..Settings::default() };
    let resolver = Resolver::new(&settings).unwrap();
    let asked = tokio::spawn(async move { timed(&resolver, "d1.example").await.0 });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let _server = Server::start_at(address, domains()).await;
    assert_eq!(asked.await.unwrap(), Ok(1));
}

#[tokio::test]
async fn a_silent_server_is_remembered_for_a_moment() {
    let silent = Server::start(domains().fault_everywhere(Fault::Drop)).await;
    let good = Server::start(domains()).await;
    let alone = resolver(&silent);
    let beside = Resolver::new(&settings(&[silent.address(), good.address()])).unwrap();
    assert!(timed(&alone, "d1.example").await.0.is_err());
    assert_eq!(timed(&beside, "d1.example").await.0, Ok(1));
    // The probe has had its time by now, or gets it here.
    silent.asked(".", RecordType::NS, 2).await;
    tokio::time::sleep(Duration::from_millis(600)).await;

    let (found, took) = timed(&alone, "d2.example").await;
    assert!(found.is_err());
    assert!(took < Duration::from_millis(500), "no single try is waited for: {took:?}");
    let before = silent.count("d2.example", RecordType::TXT);
    assert_eq!(before, 2, "but it is asked");
    assert_eq!(timed(&beside, "d2.example").await.0, Ok(1));
    assert_eq!(silent.count("d2.example", RecordType::TXT), before, "the one that answers is asked first");

    // It is back: the next question finds that out, whatever was remembered.
    silent.replace(domains());
    assert_eq!(timed(&alone, "d3.example").await.0, Ok(1));
}

#[tokio::test]
async fn dead_domains_do_not_make_a_dead_server() {
    let dead = |zone: Zone, n| zone.fault(&format!("d{n}.example"), Fault::Drop);
    let slow = Fault::Delay(Duration::from_millis(300));
    let zone = (1..8).fold(domains(), dead).fault("d8.example", slow);
    let server = Server::start(zone).await;
    let resolver = resolver(&server);
    let names: Vec<String> = (1..8).map(|n| format!("d{n}.example")).collect();
    let asked: Vec<_> = names
        .into_iter()
        .map(|name| {
            let resolver = resolver.clone();
            tokio::spawn(async move { timed(&resolver, &name).await.0 })
        })
        .collect();
    for one in asked {
        assert!(one.await.unwrap().is_err());
    }
    assert_eq!(timed(&resolver, "d8.example").await.0, Ok(1), "which takes longer than an outage allows");
}

#[tokio::test]
async fn an_outage_is_forgotten_sooner_than_a_dead_domain() {
    let address = dns::nowhere().await;
    let resolver = Resolver::new(&settings(&[address])).unwrap();
    assert!(timed(&resolver, "d1.example").await.0.is_err());
    let server = Server::start_at(address, domains()).await;
    // The cache lives by the real clock.
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(timed(&resolver, "d1.example").await.0, Ok(1));
    assert_eq!(server.count("d1.example", RecordType::TXT), 1);
}

#[tokio::test]
async fn names_that_are_not_for_dns_stay_here() {
    let server = Server::start(domains()).await;
    let resolver = resolver(&server);
    for name in ["localhost", "x.LOCALHOST", "a.invalid", "b.onion"] {
        assert_eq!(resolver.a(name).await, Err(NotFound::NoRecords), "{name}");
    }
    assert_eq!(server.total(), 0);
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
