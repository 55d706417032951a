//! What was written is read back, to the last octet.

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::check::{CheckId, Finding, Judgment, Mode, Remark};
use crate::facts::*;
use crate::journal::{Record, parse, render};
use crate::mail::report::Nature;
use crate::mail::spf::{SpfAnswer, SpfIdentity, SpfQuestion, SpfResult};
use crate::mail::{Field, Mailbox, ReversePath, Twofold};
use crate::session::{Client, Login, Origin, Point, Recipient, Role};

/// The sources as they were, and where they are now.
const SOURCES: [&str; 3] = ["list 00000001", "file /etc/names", "ldap ldap://x"];

fn source(name: &str) -> Option<SourceId> {
    SOURCES.iter().position(|known| *known == name).map(|number| SourceId { number, cost: Cost::Near })
}

/// Anything a stranger may say.
fn said() -> impl Strategy<Value = String> {
    "\\PC{0,20}|.{0,20}|[\\x00-\\x7f]{0,20}|[\"\\\\ @{},\u{202e}\r\n]{0,8}"
}

fn mailbox() -> impl Strategy<Value = Mailbox> {
    let domain = prop::sample::select(vec!["example.org", "xn--bcher-kva.example", "a_b.example"]);
    (said(), domain).prop_map(|(local_part, domain)| Mailbox::new(local_part, domain.parse().unwrap()))
}

fn twofold() -> impl Strategy<Value = Box<Twofold>> {
    (said(), said(), any::<bool>())
        .prop_map(|(written, resolved, is_stripped)| Box::new(Twofold::new(written, resolved, is_stripped)))
}

fn reverse_path() -> impl Strategy<Value = ReversePath> {
    prop_oneof![
        Just(ReversePath::Null),
        mailbox().prop_map(ReversePath::Mailbox),
        said().prop_map(ReversePath::Malformed),
        twofold().prop_map(ReversePath::Twofold),
    ]
}

fn forward_path() -> impl Strategy<Value = ForwardPath> {
    prop_oneof![
        Just(ForwardPath::Postmaster),
        mailbox().prop_map(ForwardPath::Mailbox),
        said().prop_map(ForwardPath::AtLiteral),
        said().prop_map(ForwardPath::Malformed),
        twofold().prop_map(ForwardPath::Twofold),
    ]
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0i64..4_000_000_000, 0i32..1_000_000_000).prop_map(|(s, ns)| Timestamp::new(s, ns).unwrap())
}

fn network() -> impl Strategy<Value = IpNet> {
    prop::sample::select(vec!["192.0.2.0/24", "192.0.2.7/32", "2001:db8::/64"])
        .prop_map(|text| text.parse().unwrap())
}

fn address() -> impl Strategy<Value = std::net::IpAddr> {
    prop_oneof![
        any::<[u8; 16]>().prop_map(std::net::IpAddr::from),
        any::<[u8; 4]>().prop_map(std::net::IpAddr::from),
    ]
}

fn origin() -> impl Strategy<Value = Origin> {
    prop::sample::select(vec![Origin::Local, Origin::Login, Origin::Trusted, Origin::Foreign])
}

fn result() -> impl Strategy<Value = SpfResult> {
    prop::sample::select(SpfResult::ALL.to_vec())
}

fn tie() -> impl Strategy<Value = Tie> {
    prop_oneof![
        (said(), time()).prop_map(|(id, answered)| Tie::Queue { id, answered }),
        said().prop_map(Tie::MessageId),
        (said(), mailbox()).prop_map(|(id, mailbox)| Tie::Posted { id, to: mailbox.domain().clone() }),
        (mailbox(), time()).prop_map(|(mailbox, answered)| Tie::Correspondents { mailbox, answered }),
        time().prop_map(|answered| Tie::Sender { answered }),
    ]
}

fn cause() -> impl Strategy<Value = (Question, Answer)> {
    let known = (
        said(),
        origin(),
        prop::option::of(result()),
        any::<bool>(),
        prop::collection::vec((mailbox(), any::<bool>()), 0..3),
    )
        .prop_map(|(reference, origin, spf, is_claimed, recipients)| {
            Cause::Known(Box::new(Original { reference, origin, spf, is_claimed, recipients }))
        });
    let answer = prop_oneof![known, said().prop_map(Cause::Unknown)];
    let sender = prop_oneof![
        mailbox().prop_map(ForwardPath::Mailbox),
        Just(ForwardPath::AtLiteral("a@[192.0.2.1]".to_owned())),
    ];
    (sender, prop::collection::vec(tie(), 0..3), answer).prop_map(|(sender, ties, answer)| {
        (Question::Cause(CauseQuestion { sender, ties }), Answer::Cause(answer))
    })
}

fn harvest() -> impl Strategy<Value = (Question, Answer)> {
    let answer = prop_oneof![
        Just(Standing::Clear),
        (network(), time(), any::<usize>()).prop_map(|(network, until, names)| Standing::Blocked {
            network,
            until,
            names
        }),
        said().prop_map(Standing::NotCounted),
    ];
    (address(), answer).prop_map(|(client, answer)| {
        let question = HarvestQuestion { client, null_sender: client.is_ipv6() };
        (Question::Harvest(question), Answer::Harvest(answer))
    })
}

/// Which entry says so, as it is read: in words.
fn by() -> impl Strategy<Value = Provenance> {
    said().prop_map(Provenance::from)
}

fn recipient() -> impl Strategy<Value = (Question, Answer)> {
    let answer = prop_oneof![
        by().prop_map(Existence::Exists),
        (said(), by()).prop_map(|(to, by)| Existence::Relocated { to, by }),
        by().prop_map(Existence::Ambiguous),
        by().prop_map(Existence::Wildcard),
        said().prop_map(Existence::Unknown),
        said().prop_map(Existence::NoList),
        said().prop_map(Existence::Undetermined),
    ];
    let forms = prop::collection::vec(mailbox(), 1..3);
    let question = (0..SOURCES.len(), forms, any::<bool>(), any::<bool>()).prop_map(
        |(number, forms, case_sensitive, by_name)| RecipientQuestion {
            source: SourceId { number, cost: Cost::Near },
            forms,
            case_sensitive,
            by_name,
        },
    );
    (question, answer)
        .prop_map(|(question, answer)| (Question::Recipient(question), Answer::Recipient(answer)))
}

fn usage() -> impl Strategy<Value = (Question, Answer)> {
    let answer = prop_oneof![
        said().prop_map(Usage::Real),
        prop::option::of(time()).prop_map(Usage::Unused),
        said().prop_map(Usage::Undetermined),
    ];
    (mailbox(), reverse_path(), network(), answer).prop_map(|(mailbox, sender, network, answer)| {
        (Question::Usage(UsageQuestion { mailbox, sender, network }), Answer::Usage(answer))
    })
}

fn grant() -> impl Strategy<Value = (Question, Answer)> {
    let answer = prop_oneof![
        said().prop_map(Grant::Granted),
        prop::collection::vec(said(), 0..3).prop_map(Grant::NotGranted),
        said().prop_map(Grant::Undetermined),
    ];
    (said(), mailbox(), any::<bool>(), answer).prop_map(|(login, mailbox, subdomains, answer)| {
        let question = GrantQuestion { login: Login(login), mailbox, subdomains };
        (Question::Grant(question), Answer::Grant(answer))
    })
}

fn spf() -> impl Strategy<Value = (Question, Answer)> {
    let identity = prop::sample::select(vec![SpfIdentity::Helo, SpfIdentity::MailFrom]);
    let question = (identity, address(), said(), said(), said()).prop_map(
        |(identity, client, helo, local_part, domain)| SpfQuestion {
            identity,
            client,
            helo,
            local_part,
            domain,
        },
    );
    let answer = (result(), prop::option::of(said()), said(), any::<bool>()).prop_map(
        |(result, explanation, cause, sends_no_mail)| SpfAnswer { result, explanation, cause, sends_no_mail },
    );
    (question, answer).prop_map(|(question, answer)| (Question::Spf(question), Answer::Spf(answer)))
}

fn fact() -> impl Strategy<Value = (Question, Answer)> {
    prop_oneof![cause(), harvest(), recipient(), usage(), grant(), spf()]
}

prop_compose! {
    fn session()(
        role in prop::sample::select(Role::NAMES.to_vec()), address in prop::option::of(address()),
        port: u16, name in said(), helo in said(), mta_name in prop::option::of(said()), is_postfix: bool,
    ) -> Session {
        Session { role: role.1, client: Client { address, name, port }, helo, mta_name, is_postfix }
    }
}

prop_compose! {
    fn recipient_of_envelope()(
        path in forward_path(), argument in prop::option::of(said()), parameters in prop::collection::vec(said(), 0..3),
    ) -> Recipient {
        let bare = Recipient::bare(path);
        Recipient { argument: argument.unwrap_or(bare.argument), parameters, path: bare.path }
    }
}

prop_compose! {
    fn envelope()(
        reverse_path in reverse_path(), bracketed: bool, login in prop::option::of(said()),
        recipients in prop::collection::vec(recipient_of_envelope(), 0..3), queue_id in prop::option::of(said()),
    ) -> Envelope {
        Envelope { reverse_path, bracketed, login: login.map(Login), recipients, queue_id }
    }
}

fn about() -> impl Strategy<Value = About> {
    let names = prop::sample::select(vec!["From", "fROM ", "Subject", "Authentication-Results"]);
    let field = (names, said()).prop_map(|(name, value)| Field::new(name, value));
    prop_oneof![
        Just(About::Transaction),
        forward_path().prop_map(About::Recipient),
        prop::collection::vec(field, 0..4).prop_map(|fields| About::Message(fields.into_iter().collect())),
    ]
}

prop_compose! {
    fn report()(
        nature in prop::option::of(prop::sample::select(Nature::NAMES.map(|(_, nature)| nature).to_vec())),
        message_ids in prop::collection::vec(said(), 0..3), queue_id in prop::option::of(said()),
        recipients in prop::collection::vec(said(), 0..3),
    ) -> Report {
        Report { nature, message_ids, queue_id, recipients }
    }
}

/// The line of a decision.
fn line(judged: &Judged, facts: &[(Question, Answer)], decision: &Decision) -> String {
    let Judged { session, envelope, about, report, now, .. } = judged;
    let point = match about {
        About::Transaction => Point::Transaction,
        About::Recipient(path) => Point::Recipient(path),
        About::Message(header) => Point::Message(header),
    };
    let origin = Origin::Foreign;
    let request = Request { session, envelope, origin, point, report: report.as_ref(), now: *now };
    let mut record = Record::of(&request, decision);
    record.judged = Some(write(&request, decision, facts, &[], &SOURCES.map(str::to_owned)));
    render::json(&record)
}

proptest! {
    /// Whatever strangers and sources say, a line stays one line, says what it said before, and gives back all of it.
    #[test]
    fn round_trip(
        (session, envelope, about) in (session(), envelope(), about()),
        report in prop::option::of(report()), now in time(), facts in prop::collection::vec(fact(), 0..6),
    ) {
        let remark = Remark::new("spf-fail", "because");
        let domain = "example.org".parse().ok();
        let judgment = Judgment::Pass(remark);
        let findings = vec![Finding { check: CheckId::Spf, domain, mode: Mode::Monitor, judgment }];
        let decision = Decision { findings, ..Decision::default() };
        let mut known = Facts::default();
        for (question, answer) in &facts {
            known.learn(question.clone(), answer.clone());
        }
        let found = Found {
            check: "spf".to_owned(), domain: Some("example.org".to_owned()), mode: "monitor".to_owned(),
            judgment: "pass".to_owned(), reason: "spf-fail".to_owned(),
        };
        let (findings, lost) = (vec![found], Vec::new());
        let judged = Judged { session, envelope, about, report, now, findings, facts: known, lost };

        let line = line(&judged, &facts, &decision);
        prop_assert!(line.chars().all(|c| " …‘’".contains(c) || c.is_ascii_graphic() || c.is_alphanumeric()));
        prop_assert!(parse::parse(&line).is_ok());
        prop_assert_eq!(read(&line, source), Ok(judged));
    }
}

fn judged() -> Judged {
    let client = Client { address: "192.0.2.1".parse().ok(), name: "unknown".to_owned(), port: 4711 };
    Judged {
        session: Session {
            role: Role::Auto,
            client,
            helo: "mx".to_owned(),
            mta_name: None,
            is_postfix: true,
        },
        envelope: Envelope {
            reverse_path: ReversePath::parse("<a@example.com>"),
            bracketed: true,
            login: None,
            recipients: Vec::new(),
            queue_id: None,
        },
        about: About::Recipient(ForwardPath::parse("<info@example.org>")),
        report: None,
        now: "2026-11-24T12:00:00.123456789Z".parse().unwrap(),
        findings: Vec::new(),
        facts: Facts::default(),
        lost: Vec::new(),
    }
}

fn known(source: usize, name: &str) -> (Question, Answer) {
    let source = SourceId { number: source, cost: Cost::Near };
    let question = RecipientQuestion {
        source,
        forms: vec![name.parse().unwrap()],
        case_sensitive: false,
        by_name: true,
    };
    (Question::Recipient(question), Answer::Recipient(Existence::Exists("line 1".into())))
}

/// The form is a contract.
#[test]
fn the_form() {
    let line = line(&judged(), &[known(1, "info@example.org")], &Decision::default());
    let (_, judged) = line.split_once(",\"judged\":").unwrap();
    let expected = r#"{"v":1,"at":"2026-11-24T12:00:00.123456789Z",
        "session":{"role":"auto","client":"192.0.2.1","name":"unknown","port":4711,"helo":"mx","postfix":true},
        "envelope":{"mail_from":{"mailbox":"a@example.com"},"bracketed":true},
        "recipient":{"mailbox":"info@example.org"},"findings":[],
        "facts":[{"recipient":{"source":"file /etc/names","forms":["info@example.org"],"answer":{"exists":"line 1"}}}]}}"#;
    assert_eq!(judged, expected.replace("\n        ", ""));
}

#[test]
fn what_a_source_said_that_is_gone() {
    let line = line(&judged(), &[known(0, "a@example.org"), known(1, "b@example.org")], &Decision::default());
    let now = |name: &str| (name == SOURCES[1]).then_some(SourceId { number: 7, cost: Cost::Far });
    let read = read(&line, now).unwrap();
    let lost = Lost {
        source: SOURCES[0].to_owned(),
        recipient: "a@example.org".to_owned(),
        said: "exists".to_owned(),
    };
    assert_eq!(read.lost, [lost]);
    let (Question::Recipient(question), _) = known(1, "b@example.org") else { unreachable!() };
    let source = SourceId { number: 7, cost: Cost::Far };
    assert!(read.facts.know(&Question::Recipient(RecipientQuestion { source, ..question })));
}

/// Why a line cannot be judged again.
#[track_caller]
fn check(line: &str, expected: &Unjudged) {
    assert_eq!(read(line, source).as_ref(), Err(expected), "{line}");
}

#[test]
fn lines_that_do_not_say_it() {
    check("time=2026-11-24T12:00:00Z event=message verdict=pass ms=1", &Unjudged::Absent);
    check(r#"{"event":"message"}"#, &Unjudged::Absent);
    check(r#"{"event":"message","judged":{"v":1,"omitted":70000}}"#, &Unjudged::Omitted);
    check(r#"{"event":"message","judged":{"v":2,"new":[]}}"#, &Unjudged::Later(2));
    check(r#"{"event":"message","judged":{"v":1}}"#, &Unjudged::Broken);
    check(r#"{"event":"message","judged":7}"#, &Unjudged::Broken);
}

#[test]
fn no_line_is_too_long() {
    let header = std::iter::repeat_n(Field::new("Subject", "\u{202e}".repeat(10_000)), 20).collect();
    let long = Judged { about: About::Message(header), ..judged() };
    let text = line(&long, &[], &Decision::default());
    assert!(text.len() < 1000, "{}", text.len());
    check(&text, &Unjudged::Omitted);

    let facts: Vec<_> = (0..1000).map(|n| known(1, &format!("user{n}@example.org"))).collect();
    let Judged { session, envelope, now, .. } = judged();
    let (header, origin) = (Header::default(), Origin::Foreign);
    let point = Point::Message(&header);
    let request = Request { session: &session, envelope: &envelope, origin, point, report: None, now };
    let names = SOURCES.map(str::to_owned);
    // What is not needed gives way to what is.
    let text = write(&request, &Decision::default(), &facts[..1], &facts[1..], &names);
    let line = format!("{{\"judged\":{text}}}");
    let read = read(&line, source).unwrap();
    assert!(read.facts.know(&facts[0].0) && !read.facts.know(&facts[1].0));
}
