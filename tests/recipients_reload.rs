//! A million recipients in a file that is replaced while sessions go on: none is stopped, and none gets a wrong answer.
#![allow(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/frames.rs"]
mod frames;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use daemon::Daemon;
use frames::Mta;
use lockdown_milter::milter::Address;
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

const ADDRESSES: usize = 1_000_000;
const SESSIONS: usize = 8;

/// Longer than reading the file takes, even where the program is built for tests and the machine is busy.
const LONG: Duration = Duration::from_mins(2);

/// What all sessions share.
#[derive(Default)]
struct Load {
    /// The name that only the new version has.
    new: &'static str,
    /// Answers so far, and the longest wait for one in microseconds.
    answers: AtomicUsize,
    longest: AtomicUsize,
    /// Whether that name is accepted.
    is_new: AtomicBool,
    done: AtomicBool,
}

impl Load {
    /// One session of message after message. The name in both versions is always accepted, the name in neither never.
    async fn session(self: Arc<Self>, socket: Address) {
        let mut mta = Mta::connect(&socket).await.unwrap();
        mta.ask(&[frames::full_offer()]).await;
        let macros = |stage, pairs: &[(&str, &str)]| frames::macros(stage, pairs);
        let connect = frames::connect("mail.example", '4', 4711, "192.0.2.10");
        mta.send(&[macros('C', &[("v", "Postfix 3.7.11")]), connect, frames::helo("mail.example")].concat())
            .await
            .unwrap();
        while !self.done.load(Ordering::Relaxed) {
            let mail =
                [macros('M', &[("{mail_addr}", "a@pass.example")]), frames::mail(&["<a@pass.example>"])];
            mta.send(&mail.concat()).await.unwrap();
            for (name, expected) in [("stays", Some(true)), ("nobody", Some(false)), (self.new, None)] {
                let address = format!("{name}@local.test");
                let begun = Instant::now();
                let answer = mta
                    .ask(&[macros('R', &[("{rcpt_addr}", &address)]), frames::rcpt(&format!("<{address}>"))])
                    .await;
                let took = usize::try_from(begun.elapsed().as_micros()).unwrap();
                self.longest.fetch_max(took, Ordering::Relaxed);
                self.answers.fetch_add(1, Ordering::Relaxed);
                let accepted = answer == "continue";
                assert!(accepted || answer.contains("550 5.1.1"), "{address}: {answer}");
                assert!(expected.is_none_or(|expected| expected == accepted), "{address}: {answer}");
                if name == self.new && accepted {
                    self.is_new.store(true, Ordering::Relaxed);
                }
            }
            mta.send(&frames::abort()).await.unwrap();
        }
    }

    /// Waits until the new name is accepted; returns how many answers were given meanwhile.
    async fn until_new(&self) -> usize {
        let before = self.answers.load(Ordering::Relaxed);
        let waited = timeout(LONG, async {
            while !self.is_new.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        waited.await.expect("the new version comes into force");
        self.answers.load(Ordering::Relaxed) - before
    }
}

/// Puts a version of the file in place in one step.
fn write(file: &Path, name: &str) {
    let mut text = format!("stays@local.test\n{name}@local.test\n");
    for number in 0..ADDRESSES {
        let _ = writeln!(text, "customer.{number}@local.test");
    }
    fs::write(file.with_extension("new"), text).unwrap();
    fs::rename(file.with_extension("new"), file).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_is_read_anew_under_load() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("recipients");
    write(&file, "first");
    let daemon = Daemon::start(&format!(
        "listen: [ {{ unix: \"{{dir}}/milter.sock\" }} ]\n\
         domains: {{ local.test: {{ spf: {{ mode: off }}, recipients: {{ sources: [ file: {} ] }} }} }}\n",
        file.display()
    ));
    let socket = Address::Unix { path: daemon.path("milter.sock"), permissions: 0o600, group: None };
    for (new, reload) in [("second", "by itself"), ("third", "at SIGHUP")] {
        let load = Arc::new(Load { new, ..Load::default() });
        let mut sessions = JoinSet::new();
        for _ in 0..SESSIONS {
            sessions.spawn(Arc::clone(&load).session(socket.clone()));
        }
        write(&file, new);
        if reload == "at SIGHUP" {
            daemon.signal(Signal::SIGHUP);
        }
        let answers = load.until_new().await;
        load.done.store(true, Ordering::Relaxed);
        while let Some(ended) = sessions.join_next().await {
            ended.unwrap();
        }
        let longest = Duration::from_micros(load.longest.load(Ordering::Relaxed).try_into().unwrap());
        println!("read anew {reload}: {answers} answers meanwhile, the slowest after {longest:?}");
        assert!(answers > 100, "sessions stood still: {answers} answers");
    }
    drop(daemon);
}
