//! The milter protocol, frame by frame: what is negotiated, what is answered, and that no message shows in the next.

use std::time::Duration;

use lockdown_milter::milter::Limits;
use tokio::time::Instant;

use crate::frames::{self, *};
use crate::shell::Shell;

async fn check_negotiation(offered: (u32, u32, u32), granted: (u32, u32, u32), macros: &[(u32, &str)]) {
    let shell = Shell::start(Limits::default()).await;
    let mut mta = shell.connect().await;
    mta.send(&offer(offered.0, offered.1, offered.2)).await.unwrap();
    let wishes = Wishes::read(&mta.frame().await.unwrap());
    let (version, actions, options) = granted;
    let macros = macros.iter().map(|&(stage, names)| (stage, names.to_owned())).collect();
    assert_eq!(wishes, Wishes { version, actions, options, macros });
}

#[tokio::test]
async fn negotiation_asks_for_no_more_than_is_offered() {
    let macros = [
        (0, "j v {daemon_name}"),
        (2, "i {mail_addr} {auth_authen} {auth_type}"),
        (3, "i {rcpt_addr} {rcpt_host} {rcpt_mailer}"),
        (5, "i"),
    ];
    // Changes: add 0x1, change 0x10, choose macros 0x100. Without events: body 0x10, end of header 0x40, unknown 0x100,
    // DATA 0x200. Without replies: header 0x80, CONNECT 0x1000, HELO 0x2000, MAIL 0x4000; not RCPT 0x8000.
    check_negotiation((6, ALL_ACTIONS, ALL_OPTIONS), (6, 0x111, 0x73d0), &macros).await;
    // Sendmail 8.13: no choice of macros, an answer to everything.
    check_negotiation((2, 0x3f, 0x7f), (2, 0x11, 0x50), &[]).await;
    check_negotiation((4, 0x01, 0x200), (4, 0x01, 0x200), &[]).await;
    check_negotiation((7, ALL_ACTIONS, 0xffff_ffff), (6, 0x111, 0x73d0), &macros).await;
}

/// Sends a session in one go, and compares all answers and all events.
async fn check_session(offer: Vec<u8>, session: &[Vec<u8>], answers: &[&str], events: &[&str]) {
    let shell = Shell::start(Limits::default()).await;
    let mut mta = shell.connect().await;
    mta.send(&offer).await.unwrap();
    mta.send(&session.concat()).await.unwrap();
    mta.send(&quit()).await.unwrap();
    assert_eq!(mta.until_closed().await, [&["negotiated"], answers].concat());
    assert_eq!(shell.record.take(), events);
    shell.stopped().await;
}

/// The offer of an MTA that knows nothing of silence, of chosen macros or of DATA.
fn poor_offer() -> Vec<u8> {
    offer(2, 0x3f, 0x7f)
}

fn one_message() -> Vec<Vec<u8>> {
    vec![
        macros('C', &[("j", "mx.example.org"), ("v", "Postfix 3.7.11"), ("{daemon_name}", "smtpd")]),
        connect("client.example", '4', 4025, "192.0.2.1"),
        helo("client.example"),
        macros('M', &[("{mail_addr}", "a@example.com")]),
        mail(&["<a@example.com>", "SIZE=1000"]),
        macros(
            'R',
            &[("{rcpt_addr}", "b@example.org"), ("{rcpt_host}", "example.org"), ("{rcpt_mailer}", "virtual")],
        ),
        rcpt("<b@example.org>"),
        header("From", "a@example.com"),
        header("Subject", "hello\n\tthere"),
        macros('E', &[("i", "4ZbQ7x")]),
        end_of_message(),
    ]
}

const ONE_MESSAGE: &[&str] = &[
    "connect client.example 192.0.2.1 4025 j=mx.example.org v=Postfix 3.7.11 daemon=smtpd",
    "helo client.example",
    "mail <a@example.com> SIZE=1000 addr=a@example.com",
    "rcpt <b@example.org> addr=b@example.org host=example.org mailer=virtual",
    "header From: a@example.com",
    "header Subject: hello\n\tthere",
    "end 4ZbQ7x",
    "closed",
];

#[tokio::test]
async fn one_message_has_two_replies() {
    let edits = ["change 2 Received-SPF", "change 1 Received-SPF"];
    let top = ["insert 0 Authentication-Results: mx; 1 rcpt, 2 header"];
    let answers = [&["continue"], &edits[..], &top, &["continue"]].concat();
    check_session(full_offer(), &one_message(), &answers, ONE_MESSAGE).await;
}

#[tokio::test]
async fn an_old_mta_gets_an_answer_to_everything() {
    let end = [
        "change 2 Received-SPF",
        "change 1 Received-SPF",
        "insert 0 Authentication-Results: mx; 1 rcpt, 2 header",
        "continue",
    ];
    // CONNECT, HELO, MAIL, RCPT, two header fields.
    let answers = [&["continue"; 6][..], &end].concat();
    check_session(poor_offer(), &one_message(), &answers, ONE_MESSAGE).await;
}

#[tokio::test]
async fn an_mta_that_allows_no_deletions_gets_the_rest() {
    let answers = ["continue", "insert 0 Authentication-Results: mx; 1 rcpt, 2 header", "continue"];
    check_session(offer(6, 0x101, ALL_OPTIONS), &one_message(), &answers, ONE_MESSAGE).await;
}

/// The answers to a recipient that the MTA refuses, to a virtual alias and to an ordinary one; and what is told of them.
async fn check_refused(shell: Shell, offered: u32, granted: bool, told: &str) {
    let mut mta = shell.connect().await;
    mta.send(&offer(6, ALL_ACTIONS, offered)).await.unwrap();
    let wishes = Wishes::read(&mta.frame().await.unwrap());
    assert_eq!(wishes.options & 0x800 != 0, granted, "{:x}", wishes.options);
    mta.send(&[connect("client.example", '4', 25, "192.0.2.1"), helo("h")].concat()).await.unwrap();
    for host in ["5.1.1", "5.1.1 User unknown in virtual alias table", "example.org"] {
        let mailer = if host == "example.org" { "relay" } else { "error" };
        let about = [("{rcpt_addr}", "x"), ("{rcpt_host}", host), ("{rcpt_mailer}", mailer)];
        let frames = [mail(&["<a@example.com>"]), macros('R', &about), rcpt("<reject@example.org>")];
        let answer = mta.ask(&frames).await;
        let refused = granted && host == "5.1.1";
        // Whatever is said of what is refused already, it must not be left for the next recipient.
        assert_eq!(answer, if refused { "continue" } else { "550 5.1.1 no such user; 100%% sure" }, "{host}");
    }
    mta.send(&quit()).await.unwrap();
    assert_eq!(mta.until_closed().await, [""; 0]);
    let events = shell.record.take();
    let first = events.iter().find(|event| event.contains("<reject@")).unwrap();
    assert!(first.starts_with(told), "{first}");
    shell.stopped().await;
}

#[tokio::test]
async fn what_the_mta_refuses_is_told_and_not_answered() {
    let told = "refused <reject@example.org> 5.1.1";
    check_refused(Shell::start_curious(Limits::default()).await, ALL_OPTIONS, true, told).await;
}

#[tokio::test]
async fn nothing_is_taken_for_refused_where_that_was_not_agreed() {
    let told = "rcpt <reject@example.org>";
    check_refused(Shell::start_curious(Limits::default()).await, ALL_OPTIONS & !0x800, false, told).await;
    check_refused(Shell::start(Limits::default()).await, ALL_OPTIONS, false, told).await;
}

#[tokio::test]
async fn a_message_can_be_refused_at_its_beginning() {
    let shell = Shell::start_asked_at_mail(Limits::default()).await;
    let mut mta = shell.greet().await;
    assert_eq!(mta.ask(&[mail(&["<a@example.com>"])]).await, "continue");
    assert_eq!(mta.ask(&[rcpt("<b@example.org>")]).await, "continue");
    assert_eq!(mta.ask(&[mail(&["<blocked@example.com>"])]).await, "421 4.7.0 come back later");
    // Where an MTA goes on, nothing is left of it.
    assert_eq!(mta.ask(&[mail(&["<a@example.com>"])]).await, "continue");
    assert_eq!(mta.ask(&[rcpt("<reject@example.org>")]).await, "550 5.1.1 no such user; 100%% sure");
}

#[tokio::test]
async fn an_old_mta_is_told_at_mail_as_well() {
    let shell = Shell::start(Limits::default()).await;
    let mut mta = shell.connect().await;
    assert_eq!(mta.ask(&[poor_offer()]).await, "negotiated");
    assert_eq!(mta.ask(&[connect("client.example", '4', 25, "192.0.2.1")]).await, "continue");
    assert_eq!(mta.ask(&[helo("client.example")]).await, "continue");
    assert_eq!(mta.ask(&[mail(&["<blocked@example.com>"])]).await, "421 4.7.0 come back later");
}

#[tokio::test]
async fn a_body_is_read_as_far_as_it_is_wanted() {
    let shell = Shell::start_curious(Limits::default()).await;
    let mut mta = shell.greet().await;
    for _ in 0..2 {
        assert_eq!(mta.ask(&[mail(&["<a@example.com>"]), rcpt("<b@example.org>")]).await, "continue");
        assert_eq!(mta.ask(&[header("From", "x"), body("more")]).await, "continue");
        assert_eq!(mta.ask(&[body("enough")]).await, "skip");
        mta.ask(&[end_of_message()]).await;
        // What is inserted comes before the reply.
        while mta.answer().await != "continue" {}
    }
    let told = shell.record.take().into_iter().filter(|event| event.starts_with("body"));
    assert_eq!(told.collect::<Vec<_>>(), ["body more", "body enough", "body more", "body enough"]);
}

#[tokio::test]
async fn an_mta_that_cannot_skip_sends_the_whole_body() {
    let shell = Shell::start_curious(Limits::default()).await;
    let mut mta = shell.connect().await;
    assert_eq!(mta.ask(&[offer(6, ALL_ACTIONS, ALL_OPTIONS & !0x400)]).await, "negotiated");
    mta.send(&[connect("client.example", '4', 25, "192.0.2.1"), helo("client.example")].concat())
        .await
        .unwrap();
    assert_eq!(mta.ask(&[mail(&["<a@example.com>"]), rcpt("<b@example.org>")]).await, "continue");
    assert_eq!(mta.ask(&[header("From", "x"), body("enough")]).await, "continue");
}

#[tokio::test]
async fn changes_and_reply_arrive_together() {
    let shell = Shell::start(Limits::default()).await;
    let mut mta = shell.greet().await;
    assert_eq!(mta.ask(&[mail(&["<a@example.com>"]), rcpt("<b@example.org>")]).await, "continue");
    mta.send(&[header("From", "x"), end_of_message()].concat()).await.unwrap();
    let mut octets = &mta.read().await[..];
    let mut answers = Vec::new();
    while let Some(length) = octets.first_chunk() {
        let (frame, rest) = octets.split_at(4 + usize::try_from(u32::from_be_bytes(*length)).unwrap());
        answers.push(in_words(frame));
        octets = rest;
    }
    assert_eq!(answers.len(), 4, "{answers:?}");
    assert_eq!(answers[3], "continue");
}

#[tokio::test]
async fn an_mta_never_waits_for_a_delayed_acknowledgement() {
    // As Postfix does: its socket has Nagle's algorithm, and the macros of DATA have no answer.
    let shell = Shell::start(Limits::default()).await;
    let mut mta = shell.greet().await;
    let mut taken = Vec::new();
    for _ in 0..20 {
        assert_eq!(mta.ask(&[mail(&["<a@example.com>"]), rcpt("<b@example.org>")]).await, "continue");
        mta.send(&macros('T', &[("i", "4ZbQ7x")])).await.unwrap();
        let begin = Instant::now();
        assert_eq!(mta.ask(&[header("Subject", "reject"), end_of_message()]).await, "550 5.7.1 not this one");
        taken.push(begin.elapsed());
    }
    // The system is quick to acknowledge at first, and the machine may be slow: the shortest of the last ones counts.
    assert!(taken[10..].iter().min() < Some(&Duration::from_millis(20)), "{taken:?}");
}

/// A message after CONNECT and HELO, whose recipient gets `at_rcpt` and whose end gets `at_end`.
async fn check_answer(recipient: &str, subject: &str, at_rcpt: &str, at_end: &[&str]) {
    let session = [
        connect("client.example", '4', 25, "192.0.2.1"),
        helo("h"),
        mail(&["<a@example.com>"]),
        rcpt(recipient),
        header("Subject", subject),
        end_of_message(),
    ];
    let shell = Shell::start(Limits::default()).await;
    let mut mta = shell.connect().await;
    mta.send(&[full_offer(), session.concat(), quit()].concat()).await.unwrap();
    assert_eq!(mta.until_closed().await, [&["negotiated", at_rcpt], at_end].concat());
}

#[tokio::test]
async fn replies_keep_their_text_and_class() {
    let passed = [
        "change 2 Received-SPF",
        "change 1 Received-SPF",
        "insert 0 Authentication-Results: mx; 1 rcpt, 1 header",
        "continue",
    ];
    check_answer("<reject@example.org>", "x", "550 5.1.1 no such user; 100%% sure", &passed).await;
    check_answer("<defer@example.org>", "x", "451 4.4.3 ask again", &passed).await;
    check_answer("<hang-up@example.org>", "x", "421 4.7.0 come back later", &passed).await;
    check_answer("<discard@example.org>", "x", "discard", &passed).await;
    check_answer("<b@example.org>", "reject", "continue", &["550 5.7.1 not this one"]).await;
    check_answer("<b@example.org>", "discard", "continue", &["discard"]).await;
}

fn begin(address: &str) -> Vec<Vec<u8>> {
    vec![connect("client.example", '4', 25, address), helo("one")]
}

const BEGUN: [&str; 2] = ["connect client.example 192.0.2.1 25", "helo one"];

fn message(from: &str) -> Vec<Vec<u8>> {
    let end = macros('E', &[("i", "Q1")]);
    vec![mail(&[from]), rcpt("<b@example.org>"), header("Subject", from), end, end_of_message()]
}

/// Events of a message that nothing of an earlier one shows in.
fn told(from: &str) -> Vec<String> {
    vec![
        format!("mail {from}"),
        "rcpt <b@example.org>".into(),
        format!("header Subject: {from}"),
        "end Q1".into(),
    ]
}

/// What comes between HELO and a second message must not show in that message.
async fn check_second(between: &[Vec<u8>], answers: usize, events: &[&str]) {
    let session = [begin("192.0.2.1"), between.to_vec(), message("<second@example.com>")].concat();
    let shell = Shell::start(Limits::default()).await;
    let mut mta = shell.connect().await;
    mta.send(&[full_offer(), session.concat(), quit()].concat()).await.unwrap();

    let said = mta.until_closed().await;
    let last = ["continue", "change 2 Received-SPF", "change 1 Received-SPF"];
    let last = [&last[..], &["insert 0 Authentication-Results: mx; 1 rcpt, 1 header", "continue"]].concat();
    assert_eq!(said[said.len() - last.len()..], last);
    assert_eq!(said.len(), 1 + answers + last.len(), "{said:?}");

    let second = told("<second@example.com>");
    let mut expected: Vec<&str> = BEGUN.iter().chain(events).copied().collect();
    expected.extend(second.iter().map(String::as_str));
    expected.push("closed");
    assert_eq!(shell.record.take(), expected);
}

#[tokio::test]
async fn nothing_of_one_message_shows_in_the_next() {
    let login = macros('M', &[("{mail_addr}", "first@example.com"), ("{auth_authen}", "alice")]);
    let first_addr = "mail <first@example.com> addr=first@example.com login=alice";
    let open = [login.clone(), mail(&["<first@example.com>"])];

    // A complete message.
    let whole = [vec![login], message("<first@example.com>")].concat();
    let mut events = vec![first_addr];
    let rest = told("<first@example.com>");
    events.extend(rest[1..].iter().map(String::as_str));
    check_second(&whole, 5, &events).await;

    // RSET, or a lost client, at every stage; Postfix says it more than once.
    let stages = [rcpt("<c@example.org>"), header("Subject", "first")];
    let told_stages = ["rcpt <c@example.org>", "header Subject: first"];
    for count in 0..=stages.len() {
        let between = [&open[..], &stages[..count], &[abort(), abort()]].concat();
        let events = [&[first_addr], &told_stages[..count], &["abort"]].concat();
        check_second(&between, count.min(1), &events).await;
    }

    // HELO in mid-transaction, with and without the ABORT that Postfix sends.
    let between = [&open[..], &stages, &[helo("two")]].concat();
    check_second(&between, 1, &[&[first_addr], &told_stages[..], &["abort", "helo two"]].concat()).await;
    let between = [&open[..], &[helo("two"), abort()]].concat();
    check_second(&between, 0, &[first_addr, "abort", "helo two"]).await;

    // MAIL in mid-transaction, without a word before.
    check_second(&[&open[..], &stages].concat(), 1, &[&[first_addr], &told_stages[..], &["abort"]].concat())
        .await;

    // An abort with no message open.
    check_second(&[abort(), abort()], 0, &[]).await;
}

#[tokio::test]
async fn macros_do_not_outlive_their_message() {
    let login = macros(
        'M',
        &[("{mail_addr}", "a@example.com"), ("{auth_authen}", "alice"), ("{auth_type}", "PLAIN")],
    );
    let session = [
        begin("192.0.2.1"),
        vec![login.clone(), mail(&["<a@example.com>"]), rcpt("<b@example.org>"), abort()],
        // Postfix sends an empty frame where none of the macros has a value.
        vec![macros('M', &[]), mail(&["<b@example.com>"]), abort()],
        vec![mail(&["<c@example.com>"]), abort()],
        vec![macros('M', &[("{mail_addr}", ""), ("{auth_authen}", "")]), mail(&["<>"]), abort()],
    ];
    let events = [
        "connect client.example 192.0.2.1 25",
        "helo one",
        "mail <a@example.com> addr=a@example.com login=alice auth=PLAIN",
        "rcpt <b@example.org>",
        "abort",
        "mail <b@example.com>",
        "abort",
        "mail <c@example.com>",
        "abort",
        "mail <> addr=",
        "abort",
        "closed",
    ];
    check_session(full_offer(), &session.concat(), &["continue"], &events).await;
}

async fn check_connect(frame: Vec<u8>, expected: &str) {
    check_session(full_offer(), &[frame], &[], &[expected, "closed"]).await;
}

#[tokio::test]
async fn clients_are_named_in_every_form() {
    check_connect(connect("c", '4', 25, "192.0.2.1"), "connect c 192.0.2.1 25").await;
    check_connect(connect("c", '4', 0, "192.0.2.1"), "connect c 192.0.2.1 0").await;
    check_connect(connect("c", '6', 25, "2001:db8::1"), "connect c 2001:db8::1 25").await;
    check_connect(connect("c", '6', 25, "IPv6:2001:db8::1"), "connect c 2001:db8::1 25").await;
    check_connect(connect("c", '6', 25, "IPv6:::ffff:192.0.2.1"), "connect c 192.0.2.1 25").await;
    check_connect(connect("c", 'L', 0, "/run/x"), "connect c nowhere 0").await;
    check_connect(frames::frame(b'C', b"unknown\0U"), "connect unknown nowhere 0").await;
    check_connect(connect("\u{e9}", '4', 25, "192.0.2.1"), "connect \u{e9} 192.0.2.1 25").await;
    check_connect(frames::frame(b'C', b"\xff\x004\0\x19192.0.2.1\0"), "connect \u{fffd} 192.0.2.1 25").await;
}

#[tokio::test]
async fn commands_out_of_order_have_no_answer_and_no_effect() {
    let session = [
        begin("192.0.2.1"),
        vec![rcpt("<early@example.org>"), header("Subject", "early"), end_of_message()],
        vec![connect("other.example", '4', 25, "192.0.2.2"), full_offer()],
        vec![mail(&["<a@example.com>"]), end_of_message(), rcpt("<late@example.org>")],
        message("<a@example.com>"),
        vec![
            mail(&["<b@example.com>"]),
            abort(),
            rcpt("<late@example.org>"),
            header("Subject", "late"),
            end_of_message(),
        ],
    ];
    // The library lets the last ones pass; we do not.
    let said = [
        "continue",
        "change 2 Received-SPF",
        "change 1 Received-SPF",
        "insert 0 Authentication-Results: mx; 1 rcpt, 1 header",
        "continue",
        "tempfail",
        "tempfail",
    ];
    let expected = told("<a@example.com>");
    let mut events = vec![BEGUN[0], BEGUN[1], "mail <a@example.com>", "abort"];
    events.extend(expected.iter().map(String::as_str));
    events.extend(["mail <b@example.com>", "abort", "closed"]);
    check_session(full_offer(), &session.concat(), &said, &events).await;
}

#[tokio::test]
async fn mail_before_connect_is_put_off() {
    // The library lets it pass; but nobody knows whom it comes from.
    let session = [mail(&["<a@example.com>"]), rcpt("<b@example.org>")];
    check_session(full_offer(), &session, &["tempfail"], &[]).await;
    check_session(poor_offer(), &session, &["tempfail"], &[]).await;
    let late = [session.to_vec(), begin("192.0.2.1"), session.to_vec(), vec![end_of_message()]].concat();
    check_session(full_offer(), &late, &["tempfail"; 3], &[]).await;
}

#[tokio::test]
async fn a_connection_can_be_used_again() {
    let again = frames::frame(b'K', b"");
    let session = [begin("192.0.2.1"), message("<a@example.com>"), vec![again], begin("192.0.2.2")];
    let said = [
        "continue",
        "change 2 Received-SPF",
        "change 1 Received-SPF",
        "insert 0 Authentication-Results: mx; 1 rcpt, 1 header",
        "continue",
    ];
    let told = told("<a@example.com>");
    let mut events = BEGUN.to_vec();
    events.extend(told.iter().map(String::as_str));
    events.extend(["closed", "connect client.example 192.0.2.2 25", "helo one", "closed"]);
    check_session(full_offer(), &session.concat(), &said, &events).await;
}
