//! What strangers, and servers of theirs, can make the daemon remember or hold: each resource to its bound, in octets of
//! memory as the system counts them.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

mod answers;
#[path = "../support/daemon.rs"]
mod daemon;
#[path = "../support/frames.rs"]
mod frames;
mod hostile_dns;
mod together;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use daemon::Daemon;
use frames::*;
use lockdown_milter::milter::Address;
use tokio::task::JoinSet;

/// Memory of the daemon, in KiB.
#[derive(Clone, Copy, Debug)]
struct Memory {
    now: usize,
    peak: usize,
}

impl Memory {
    fn of(daemon: &Daemon) -> Self {
        let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
        let of = |name: &str| -> usize {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        Self { now: of("VmRSS:"), peak: of("VmHWM:") }
    }
}

fn address(daemon: &Daemon) -> Address {
    let path: PathBuf = daemon.path("milter.sock");
    Address::Unix { path, permissions: 0, group: None }
}

/// What a stranger says: where from, and as whom.
#[derive(Clone)]
struct Stranger {
    family: char,
    client: String,
    mail: String,
    to: &'static str,
}

/// What the stranger is told at RCPT.
async fn envelope(address: &Address, stranger: &Stranger) -> String {
    let mut mta = Mta::connect(address).await.unwrap();
    assert_eq!(mta.ask(&[full_offer()]).await, "negotiated");
    let Stranger { family, client, mail: sender, to } = stranger;
    mta.send(&[connect("mail.example", *family, 4567, client), helo("mail.invalid")].concat()).await.unwrap();
    let answer = mta.ask(&[mail(&[&format!("<{sender}>")]), rcpt(to)]).await;
    mta.send(&quit()).await.unwrap();
    answer
}

/// Many strangers, so many at a time. What they are told, each code once.
async fn envelopes(
    address: &Address,
    at_once: usize,
    strangers: impl Iterator<Item = Stranger>,
) -> Vec<String> {
    let (mut running, mut answers) = (JoinSet::new(), Vec::new());
    for stranger in strangers {
        if running.len() == at_once {
            answers.extend(running.join_next().await.map(Result::unwrap));
        }
        let address = address.clone();
        running.spawn(async move { envelope(&address, &stranger).await });
    }
    answers.extend(running.join_all().await);
    let code = |answer: String| answer.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let codes: BTreeSet<String> = answers.into_iter().map(code).collect();
    codes.into_iter().collect()
}
