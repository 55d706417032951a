//! Peers that are no MTA, or a bad one: each is closed in its time, nobody else is disturbed, and the log stays short.

use std::time::Duration;

use lockdown_milter::milter::{Address, Bound, Limits};
use tokio::time::timeout;

use crate::frames::*;
use crate::shell::{Log, Shell, on_loopback};

/// A time limit that a test can wait for.
const MOMENT: Duration = Duration::from_millis(300);

/// One more message on a connection that is open.
async fn check_alive(mta: &mut Mta) {
    let answer = mta.ask(&[mail(&["<a@example.com>"]), rcpt("<b@example.org>")]).await;
    assert_eq!(answer, "continue");
    mta.send(&abort()).await.unwrap();
}

/// The peer is closed at once, long before its time is over.
async fn check_refused(octets: &[u8]) {
    let log = Log::begin();
    let shell = Shell::start(Limits::default()).await;
    let mut other = shell.greet().await;
    for _ in 0..5 {
        let mut peer = shell.connect().await;
        peer.send(octets).await.unwrap();
        assert_eq!(peer.until_closed().await, [""; 0], "{}", octets.escape_ascii());
    }
    check_alive(&mut other).await;
    assert_eq!(log.count("does not speak the milter protocol"), 1);
}

#[tokio::test]
async fn strangers_are_closed_at_once() {
    check_refused(b"GET / HTTP/1.0\r\n\r\n").await;
    check_refused(b"EHLO client.example\r\n").await;
    // A TLS client hello; zero, 2 GiB; a command of another protocol; a command before the negotiation.
    check_refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
    check_refused(b"\0\0\0\0").await;
    check_refused(b"\x80\0\0\0O").await;
    check_refused(b"\0\0\0\x0dx").await;
    check_refused(&helo("client.example")).await;
}

#[tokio::test]
async fn garbage_after_the_negotiation_is_closed_at_once() {
    check_refused_later(b"\0\0\0\0").await;
    check_refused_later(b"\x7f\xff\xff\xffB").await;
    check_refused_later(&frame(b'z', b"")).await;
    // Frames whose payload the library cannot read.
    check_refused_later(&frame(b'H', b"")).await;
    check_refused_later(&frame(b'M', b"no end")).await;
    check_refused_later(&frame(b'L', b"\0\0")).await;
}

async fn check_refused_later(octets: &[u8]) {
    let shell = Shell::start(Limits::default()).await;
    let (mut other, mut peer) = (shell.greet().await, shell.greet().await);
    assert_eq!(peer.ask(&[mail(&["<a@example.com>"]), rcpt("<b@example.org>")]).await, "continue");
    peer.send(octets).await.unwrap();
    assert_eq!(peer.until_closed().await, [""; 0], "{}", octets.escape_ascii());
    check_alive(&mut other).await;
}

#[tokio::test]
async fn those_who_say_nothing_are_closed_in_their_time() {
    let log = Log::begin();
    let shell = Shell::start(Limits { frame_time: MOMENT, ..Limits::default() }).await;
    let mut other = shell.greet().await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(shell.connect().await);
    }
    check_alive(&mut other).await;
    for peer in &mut silent {
        assert_eq!(peer.until_closed().await, [""; 0]);
    }
    check_alive(&mut other).await;
    assert_eq!(log.count("no whole frame"), 1);
}

#[tokio::test]
async fn half_a_frame_is_closed_in_its_time() {
    let shell = Shell::start(Limits { frame_time: MOMENT, ..Limits::default() }).await;
    let mut other = shell.greet().await;
    let mut peer = shell.greet().await;
    peer.send(&helo("client.example")[..7]).await.unwrap();
    assert_eq!(peer.until_closed().await, [""; 0]);
    check_alive(&mut other).await;
}

#[tokio::test]
async fn a_silent_mta_is_closed_after_idle_time() {
    let shell = Shell::start(Limits { idle_time: MOMENT, ..Limits::default() }).await;
    let mut mta = shell.greet().await;
    assert_eq!(mta.until_closed().await, [""; 0]);
    assert_eq!(shell.record.take().last().unwrap(), "closed");
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_closed_in_its_time() {
    let log = Log::begin();
    let shell = Shell::start(Limits { frame_time: MOMENT, ..Limits::default() }).await;
    let mut peer = shell.greet().await;
    // Answers of 500 kB each: more than the buffers of two sockets hold.
    let message =
        [mail(&["<a@example.com>"]), rcpt("<b@example.org>"), header("Subject", "large"), end_of_message()];
    peer.send(&message.concat().repeat(50)).await.unwrap();
    shell.record.until("closed").await;
    assert_eq!(log.count("read no answer"), 1);
    assert!(peer.until_closed().await.len() < 150);
    check_alive(&mut shell.greet().await).await;
}

#[tokio::test]
async fn a_panic_ends_one_connection() {
    let log = Log::begin();
    let shell = Shell::start(Limits::default()).await;
    let (mut other, mut mta) = (shell.greet().await, shell.greet().await);
    assert_eq!(mta.ask(&[mail(&["<a@example.com>"]), rcpt("<panic@example.org>")]).await, "closed");
    assert_eq!(log.count("a panic ended one connection"), 1);
    check_alive(&mut other).await;
    check_alive(&mut shell.greet().await).await;
}

#[tokio::test]
async fn only_allowed_peers_are_served() {
    let log = Log::begin();
    let inet = || Address::Inet("127.0.0.1:0".parse().unwrap());
    let strict = Bound::bind(inet(), vec!["192.0.2.0/24".parse().unwrap()]).await.unwrap();
    let open = Bound::bind(inet(), vec!["127.0.0.1/32".parse().unwrap()]).await.unwrap();
    let shell = Shell::serve(vec![strict, open], Limits::default());
    for _ in 0..5 {
        assert_eq!(shell.connect().await.until_closed().await, [""; 0]);
    }
    let mut mta = Mta::connect(&shell.addresses[1]).await.unwrap();
    assert_eq!(mta.ask(&[full_offer()]).await, "negotiated");
    assert_eq!(log.count("allowed_peers"), 1);
}

#[tokio::test]
async fn an_ipv4_peer_of_an_ipv6_socket_is_an_ipv4_peer() {
    let any = Address::Inet("[::]:0".parse().unwrap());
    let bound = Bound::bind(any, vec!["127.0.0.0/8".parse().unwrap()]).await.unwrap();
    let Address::Inet(address) = bound.address() else { unreachable!() };
    let _shell = Shell::serve(vec![bound], Limits::default());
    let address = Address::Inet(([127, 0, 0, 1], address.port()).into());
    assert_eq!(Mta::connect(&address).await.unwrap().ask(&[full_offer()]).await, "negotiated");
}

#[tokio::test]
async fn the_limit_is_one_for_all_listeners() {
    let log = Log::begin();
    let sockets = vec![on_loopback().await, on_loopback().await];
    let shell = Shell::serve(sockets, Limits { connections: 2, ..Limits::default() });
    let mut first = shell.greet().await;
    let mut second = Mta::connect(&shell.addresses[1]).await.unwrap();
    assert_eq!(second.ask(&[full_offer()]).await, "negotiated");
    second.send(&connect("client.example", '4', 25, "192.0.2.1")).await.unwrap();
    shell.record.until("connect client.example 192.0.2.1 25").await;

    let mut third = Mta::connect(&shell.addresses[1]).await.unwrap();
    third.send(&full_offer()).await.unwrap();
    assert!(timeout(MOMENT, third.frame()).await.is_err(), "there is no place for a third one");
    check_alive(&mut first).await;

    drop(first);
    assert_eq!(third.answer().await, "negotiated");
    assert_eq!(log.count("limits.connections is reached"), 1);
}

#[tokio::test]
async fn listeners_take_turns() {
    let sockets = vec![on_loopback().await, on_loopback().await];
    let [one, two] = [0, 1].map(|index: usize| sockets[index].address());
    // All wait before anybody is accepted.
    let mut crowd = [Mta::connect(&one).await.unwrap(), Mta::connect(&one).await.unwrap()];
    let mut single = Mta::connect(&two).await.unwrap();
    let _shell = Shell::serve(sockets, Limits { connections: 2, ..Limits::default() });
    assert_eq!(single.ask(&[full_offer()]).await, "negotiated");
    assert_eq!(crowd[0].ask(&[full_offer()]).await, "negotiated");
}

#[tokio::test]
async fn a_peer_has_its_share() {
    let log = Log::begin();
    let shell = Shell::start(Limits { connections_per_peer: 2, ..Limits::default() }).await;
    let (mut first, mut second) = (shell.greet().await, shell.greet().await);
    assert_eq!(shell.connect().await.until_closed().await, [""; 0]);
    assert_eq!(log.count("limits.connections_per_peer is reached"), 1);

    check_alive(&mut second).await;
    first.send(&quit()).await.unwrap();
    first.until_closed().await;
    // Its place is free a moment after the peer has seen the end.
    let again = async { while shell.connect().await.ask(&[full_offer()]).await != "negotiated" {} };
    timeout(LONG, again).await.expect("a place is free again");
}

#[tokio::test]
async fn open_connections_go_on_while_draining() {
    let shell = Shell::start(Limits::default()).await;
    let (address, record) = (shell.addresses[0].clone(), shell.record.clone());
    let mut mta = shell.greet().await;
    let served = shell.stop();
    while Mta::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    // Two messages: a connection that ends between them makes Postfix put off the second.
    check_alive(&mut mta).await;
    check_alive(&mut mta).await;
    assert!(!served.is_finished());
    mta.send(&quit()).await.unwrap();
    assert_eq!(mta.until_closed().await, [""; 0]);
    timeout(LONG, served).await.expect("it stops in time").unwrap();
    assert_eq!(record.take().last().unwrap(), "closed");
}

#[tokio::test]
async fn connections_are_closed_when_the_time_to_drain_is_over() {
    let log = Log::begin();
    let shell = Shell::start(Limits { drain_time: MOMENT, ..Limits::default() }).await;
    let record = shell.record.clone();
    let mut idle = shell.greet().await;
    let mut busy = shell.greet().await;
    check_alive(&mut idle).await;
    busy.send(&[mail(&["<a@example.com>"]), rcpt("<slow@example.org>")].concat()).await.unwrap();
    record.until("rcpt <slow@example.org>").await;
    shell.stopped().await;
    assert_eq!(idle.until_closed().await, [""; 0]);
    assert_eq!(busy.until_closed().await, ["continue"]);
    assert_eq!(record.take().iter().filter(|event| *event == "closed").count(), 2);
    assert_eq!(log.count("limits.drain_time"), 1);
}
