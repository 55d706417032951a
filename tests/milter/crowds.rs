//! Crowds that hold every place: those that say nothing give way to whoever speaks, and those that speak stay.

use std::time::Duration;

use lockdown_milter::milter::Limits;
use tokio::time::timeout;

use crate::frames::*;
use crate::shell::{Log, Shell};

const PLACES: usize = 200;

/// A client has been named.
async fn is_alive(mta: &mut Mta) -> bool {
    let asked = mta.send(&[mail(&["<a@example.com>"]), rcpt("<b@example.org>")].concat()).await;
    asked.is_ok() && mta.answer().await == "continue" && mta.send(&abort()).await.is_ok()
}

/// Connections that say this, and read what they are told, hold every place but one.
async fn check_gives_way(says: &[u8]) {
    let log = Log::begin();
    let shell = Shell::start(Limits { connections: PLACES, ..Limits::default() }).await;
    let mut speaker = shell.greet().await;
    let mut crowd = Vec::new();
    for _ in 1..PLACES {
        let mut peer = shell.connect().await;
        peer.send(says).await.unwrap();
        if says.starts_with(&full_offer()) {
            assert_eq!(peer.answer().await, "negotiated");
        }
        crowd.push(peer);
    }
    // As many again come and speak as there are places for.
    let mut served = Vec::new();
    for _ in 0..20 {
        let mut mta = shell.greet().await;
        assert!(is_alive(&mut mta).await, "{}", says.escape_ascii());
        served.push(mta);
    }
    assert!(log.count("said nothing; it gives way") == 1, "one line a minute");
    // The oldest went, and nobody who speaks.
    for peer in &mut crowd[..20] {
        assert_eq!(peer.until_closed().await, [""; 0]);
    }
    assert!(timeout(Duration::from_millis(100), crowd[21].frame()).await.is_err(), "the others stay");
    for mta in served.iter_mut().chain([&mut speaker]) {
        assert!(is_alive(mta).await);
    }
}

#[tokio::test]
async fn without_a_word() {
    check_gives_way(b"").await;
}

#[tokio::test]
async fn negotiated_and_silent() {
    check_gives_way(&full_offer()).await;
}

#[tokio::test]
async fn half_a_negotiation() {
    check_gives_way(&full_offer()[..7]).await;
}

#[tokio::test]
async fn half_a_frame_after_the_negotiation() {
    check_gives_way(&[&full_offer(), &connect("a.example", '4', 25, "192.0.2.1")[..6]].concat()).await;
}

#[tokio::test]
async fn macros_and_no_client() {
    check_gives_way(&[full_offer(), macros('C', &[("j", "mx.example")])].concat()).await;
}

#[tokio::test]
async fn those_who_speak_stay_and_others_wait() {
    let log = Log::begin();
    let shell = Shell::start(Limits { connections: 3, ..Limits::default() }).await;
    let mut all = [shell.greet().await, shell.greet().await, shell.greet().await];
    for mta in &mut all {
        assert!(is_alive(mta).await);
    }
    let mut late = shell.connect().await;
    late.send(&full_offer()).await.unwrap();
    assert!(timeout(Duration::from_millis(1500), late.frame()).await.is_err(), "there is no place");
    for mta in &mut all {
        assert!(is_alive(mta).await);
    }
    assert_eq!(log.count("further MTAs wait"), 1);
    let [first, ..] = all;
    drop(first);
    assert_eq!(late.answer().await, "negotiated");
}
