//! What no zone can show: time, panics, and the questions that are asked. The results as such are in `tests/spf`.

use std::collections::HashMap;
use std::sync::Mutex;

use proptest::prelude::*;
use tokio::time::sleep;

use super::*;

/// What a look-up does, by type and name.
#[derive(Clone)]
enum Act {
    Answer(&'static str),
    AnswerAfter(Duration, &'static str),
    Fail(&'static str),
    Hang,
    Panic,
}

/// DNS by script; what is not in it does not exist.
#[derive(Default)]
struct Script {
    acts: HashMap<String, Act>,
    asked: Mutex<Vec<String>>,
}

impl Script {
    fn of(acts: &[(&str, Act)]) -> Self {
        Self {
            acts: acts.iter().map(|(query, act)| ((*query).to_owned(), act.clone())).collect(),
            ..Self::default()
        }
    }

    async fn play(&self, query: String) -> Found<String> {
        self.asked.lock().unwrap().push(query.clone());
        match self.acts.get(&query).cloned() {
            None => Err(NotFound::NoRecords),
            Some(Act::Answer(text)) => Ok(vec![text.to_owned()]),
            Some(Act::AnswerAfter(delay, text)) => {
                sleep(delay).await;
                Ok(vec![text.to_owned()])
            }
            Some(Act::Fail(cause)) => Err(NotFound::Failed(cause.to_owned())),
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::Panic) => panic!("of {query}"),
        }
    }
}

impl Records for Script {
    async fn a(&self, name: &str) -> Found<Ipv4Addr> {
        self.play(format!("A {name}")).await.map(|found| vec![found[0].parse().unwrap()])
    }

    async fn aaaa(&self, name: &str) -> Found<Ipv6Addr> {
        self.play(format!("AAAA {name}")).await.map(|found| vec![found[0].parse().unwrap()])
    }

    async fn mx(&self, name: &str) -> Found<String> {
        self.play(format!("MX {name}")).await
    }

    async fn txt(&self, name: &str) -> Found<String> {
        self.play(format!("TXT {name}")).await
    }

    async fn ptr(&self, address: IpAddr) -> Found<String> {
        self.play(format!("PTR {address}")).await
    }
}

fn options() -> Options {
    Options {
        lookups: 10,
        void_lookups: 2,
        time: Duration::from_secs(8),
        explanation: true,
        receiver: "mx.example.net".to_owned(),
    }
}

/// Evaluates `user@example.org` for the client 192.0.2.1.
async fn evaluated(dns: &Script, options: &Options) -> SpfAnswer {
    let client = Ipv4Addr::new(192, 0, 2, 1).into();
    let path = crate::mail::ReversePath::parse("user@example.org");
    let question = SpfQuestion::mail_from(client, "mail.example.net", &path).unwrap();
    evaluate(dns, &question, options).await
}

/// The result, cause and explanation, and the seconds that they took by the paused clock.
#[track_caller]
fn check(acts: &[(&str, Act)], expected: &str) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let shown = runtime.block_on(async {
        let began = Instant::now();
        let answer = evaluated(&Script::of(acts), &options()).await;
        let explanation = answer.explanation.map(|text| format!(" ({text})")).unwrap_or_default();
        format!("{}: {}{explanation}, {:.1} s", answer.result, answer.cause, began.elapsed().as_secs_f32())
    });
    assert_eq!(shown, expected);
}

const FAIL: &str = "v=spf1 -all exp=why.example.org";

#[test]
fn records_are_long_but_not_without_end() {
    use super::check_host::MOST_OCTETS;
    // A record that is included and ends in a match, so that both together have `octets`.
    let check_together = |octets: usize, expected: &str| {
        let (outer, begin, end) = ("v=spf1 include:b.example -all", "v=spf1 ", "+all");
        let fill = octets - outer.len() - begin.len() - end.len();
        let inner = format!("{begin}{}{end}", "ip4:10.0.0.1 ".repeat(fill / 13) + &" ".repeat(fill % 13));
        let inner: &'static str = inner.leak();
        check(&[("TXT example.org", Act::Answer(outer)), ("TXT b.example", Act::Answer(inner))], expected);
    };
    check_together(10_000, "pass: include:b.example matched, 0.0 s");
    check_together(MOST_OCTETS, "pass: include:b.example matched, 0.0 s");
    check_together(MOST_OCTETS + 1, "permerror: SPF records of more than 16384 octets in all, 0.0 s");
}

#[test]
fn trouble_with_dns_is_temperror() {
    check(
        &[("TXT example.org", Act::Fail("SERVFAIL"))],
        "temperror: DNS: SERVFAIL for TXT example.org, 0.0 s",
    );
    let include = ("TXT example.org", Act::Answer("v=spf1 include:a.example -all"));
    check(
        &[include.clone(), ("TXT a.example", Act::Fail("no answer within 4s"))],
        "temperror: DNS: no answer within 4s for TXT a.example, 0.0 s",
    );
    check(
        &[include, ("TXT a.example", Act::Hang)],
        "temperror: no result within 8s, waiting for TXT a.example, 8.0 s",
    );
}

#[test]
fn an_explanation_never_changes_the_result() {
    let policy = ("TXT example.org", Act::Answer(FAIL));
    let explanation = |act| ("TXT why.example.org", act);
    check(&[policy.clone(), explanation(Act::Answer("No."))], "fail: -all matched (No.), 0.0 s");
    check(std::slice::from_ref(&policy), "fail: -all matched, 0.0 s");
    check(&[policy.clone(), explanation(Act::Fail("SERVFAIL"))], "fail: -all matched, 0.0 s");
    check(&[policy.clone(), explanation(Act::Hang)], "fail: -all matched, 1.0 s");
    check(&[policy.clone(), explanation(Act::Panic)], "fail: -all matched, 0.0 s");
    // The macro `%{p}` asks on in the time that is left, also where it is in the name.
    check(
        &[
            ("TXT example.org", Act::Answer("v=spf1 -all exp=%{p}.example.org")),
            ("PTR 192.0.2.1", Act::Hang),
            ("TXT unknown.example.org", Act::Answer("No.")),
        ],
        "fail: -all matched (No.), 1.0 s",
    );
    check(
        &[policy, explanation(Act::Answer("No, %{p}.")), ("PTR 192.0.2.1", Act::Hang)],
        "fail: -all matched (No, unknown.), 1.0 s",
    );
    // Whatever is left of the time of the evaluation.
    let slow = ("TXT example.org", Act::AnswerAfter(Duration::from_millis(7500), FAIL));
    check(&[slow, explanation(Act::Hang)], "fail: -all matched, 8.0 s");
}

#[test]
fn a_panic_is_temperror() {
    check(
        &[("TXT example.org", Act::Panic)],
        "temperror: the evaluation broke off: of TXT example.org, 0.0 s",
    );
}

#[tokio::test]
async fn unwanted_explanations_are_not_looked_up() {
    let dns =
        Script::of(&[("TXT example.org", Act::Answer(FAIL)), ("TXT why.example.org", Act::Answer("No."))]);
    let answer = evaluated(&dns, &Options { explanation: false, ..options() }).await;
    assert_eq!((answer.result, answer.explanation), (SpfResult::Fail, None));
    assert_eq!(*dns.asked.lock().unwrap(), ["TXT example.org"]);
}

#[tokio::test]
async fn the_limits_are_those_of_the_options() {
    let dns =
        Script::of(&[("TXT example.org", Act::Answer("v=spf1 a:x.example a:y.example a:z.example -all"))]);
    let answer = evaluated(&dns, &Options { lookups: 1, ..options() }).await;
    assert_eq!((answer.result, answer.cause.as_str()), (SpfResult::Permerror, "more than 1 look-ups"));
    let answer = evaluated(&dns, &Options { void_lookups: 3, ..options() }).await;
    assert_eq!(answer.result, SpfResult::Fail);
}

/// A client's reverse zone is the client's own: whatever it does takes a bounded share of the time, and changes no result
/// (RFC 7208, 5.5).
#[test]
fn a_reverse_zone_that_hangs_does_not_match() {
    let policy = |text| ("TXT example.org", Act::Answer(text));
    let hangs = ("PTR 192.0.2.1", Act::Hang);
    check(&[policy("v=spf1 ptr -all"), hangs.clone()], "fail: -all matched, 2.0 s");
    // Once for all terms.
    check(
        &[policy("v=spf1 ptr exists:%{p}.x.example ptr:example.net -all"), hangs.clone()],
        "fail: -all matched, 2.0 s",
    );
    let included = ("TXT a.example", Act::Answer("v=spf1 ptr ~all"));
    check(&[policy("v=spf1 include:a.example -all"), included, hangs], "fail: -all matched, 2.0 s");
    let named = ("PTR 192.0.2.1", Act::Answer("host.example.org"));
    check(
        &[policy("v=spf1 ptr -all"), named.clone(), ("A host.example.org", Act::Hang)],
        "fail: -all matched, 2.0 s",
    );
    check(
        &[policy("v=spf1 ptr -all"), named.clone(), ("A host.example.org", Act::Fail("SERVFAIL"))],
        "fail: -all matched, 0.0 s",
    );
    let slow = ("A host.example.org", Act::AnswerAfter(Duration::from_secs(1), "192.0.2.1"));
    check(&[policy("v=spf1 ptr -all"), named, slow], "pass: ptr matched, 1.0 s");
}

#[tokio::test]
async fn names_are_asked_for_as_they_are() {
    let dns = Script::of(&[(
        "TXT my_host.example",
        Act::Answer("v=spf1 mx/0 a/0 exists:%{L}.x.example -all exp=%{d}"),
    )]);
    let client = Ipv4Addr::new(192, 0, 2, 1).into();
    let path = crate::mail::ReversePath::parse("\"a b\"@my_host.example");
    let question = SpfQuestion::mail_from(client, "mail.example.net", &path).unwrap();
    evaluate(&dns, &question, &Options { void_lookups: 9, ..options() }).await;
    let expected = [
        "TXT my_host.example",
        "MX my_host.example",
        "A my_host.example",
        "A a%20b.x.example",
        "TXT my_host.example",
    ];
    assert_eq!(*dns.asked.lock().unwrap(), expected);
}

/// Records as domains publish them, and as they should not.
pub(super) fn record() -> impl Strategy<Value = String> {
    let qualifier = "[-+~?]?";
    let word = "(all|a|mx|ptr|include|exists|ip4|ip6|redirect|exp|[a-z]{1,4})";
    let domain = "([:=](%\\{[slodiphcrtvSLH][0-9]{0,4}r?[-.+,/_=]{0,2}\\}|%[%_-]|[a-z.-]{0,9}){1,4})?";
    let network = "([:=]([0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-f]{0,4}(::?[0-9a-f]{0,4}){1,7}))?";
    let prefix = "(/(0|00|[0-9]{1,3}))?(//(0|[0-9]{1,3}))?";
    let term = (qualifier, word, prop_oneof![domain, network], prefix)
        .prop_map(|(qualifier, word, argument, prefix)| format!("{qualifier}{word}{argument}{prefix}"));
    prop::collection::vec(term, 0..6).prop_map(|terms| format!("v=spf1 {}", terms.join(" ")))
}

/// DNS where every name has records of every type, and that record for SPF.
struct Everywhere(String);

impl Records for Everywhere {
    async fn a(&self, _: &str) -> Found<Ipv4Addr> {
        Ok(vec![Ipv4Addr::new(203, 0, 113, 7)])
    }

    async fn aaaa(&self, _: &str) -> Found<Ipv6Addr> {
        Ok(vec![Ipv6Addr::LOCALHOST])
    }

    async fn mx(&self, name: &str) -> Found<String> {
        Ok(vec![String::new(), format!("mx.{name}")])
    }

    async fn txt(&self, _: &str) -> Found<String> {
        Ok(vec![self.0.clone()])
    }

    async fn ptr(&self, _: IpAddr) -> Found<String> {
        Ok(vec!["a b\u{E000}".to_owned(), "host.example.org".to_owned()])
    }
}

proptest! {
    #[test]
    fn no_record_and_no_identity_breaks_the_evaluation(
        record in record(),
        local_part in "(a|\\.|-|.|[\u{E000}-\u{E010}]){0,80}",
        ipv6 in any::<bool>(),
    ) {
        let client = if ipv6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::new(192, 0, 2, 1).into() };
        let question = SpfQuestion {
            local_part,
            ..SpfQuestion::on_behalf_of(client, "mail.example.net", &"my_host.example.org".parse().unwrap())
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let answer = runtime.block_on(evaluate(&Everywhere(record), &question, &options()));
        prop_assert!(answer.result != SpfResult::None && answer.result != SpfResult::Temperror, "{:?}", answer);
        prop_assert!(!answer.cause.contains('!'), "{:?}", answer);
    }
}

proptest! {
    /// Lint and evaluation agree on which records are none, and no record keeps lint from coming to its end.
    #[test]
    fn lint_finds_flaws_where_the_evaluation_does(
        record in prop_oneof![record(), ".{0,60}".prop_map(|text| format!("v=spf1 {text}"))],
    ) {
        use super::lint::{Duties, Severity, lint_record};
        let domain: Domain = "example.org".parse().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let dns = Everywhere(record.clone());
        let lint = runtime.block_on(lint_record(Some(&dns), Some(&domain), &record, &options(), &Duties::default()));
        let flaws = ["syntax", "repeated-modifier", "macro-letter"];
        let is_flawed = lint.findings.iter().any(|finding| flaws.contains(&finding.kind.slug));
        prop_assert_eq!(is_flawed, record::flaw(&record).is_some(), "{:?}", lint);
        prop_assert!(!is_flawed || lint.worst() == Some(Severity::Error));
        for place in lint.findings.iter().filter_map(|finding| finding.place.as_ref()) {
            prop_assert!((1..=record.chars().count() + 1).contains(&place.column), "{:?}", place);
        }
    }
}
