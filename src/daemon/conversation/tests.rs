//! Sessions in any order of events: no message knows of the one before it.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

use arc_swap::ArcSwap;
use proptest::prelude::*;

use super::super::harvest::Watch;
use super::super::log::Log;
use super::*;
use crate::config::{self, Host};
use crate::mta::postfix::main_cf::MainCf;

/// Every identity here is of a single label, which has no SPF record, so that no DNS is asked.
const CONFIGURATION: &str = "
listen: ['inet:127.0.0.1:8891']
authserv_id: mx
dns: { servers: ['127.0.0.1:1'], timeout: 1ms, attempts: 1 }
defaults:
  auto_responders: { policy: allow }
  bounces: { policy: allow }
  spf: { helo: { none: reject }, mail_from: { none: reject } }
  exceptions: [{ sender: kind@sender, lock: spf }]
domains: { hosted: , other: { spf: { mode: monitor } } }
";

/// What an MTA may say, in any order.
#[derive(Clone, Debug)]
enum Event {
    Helo(&'static str),
    Mail(&'static str, Option<&'static str>),
    Rcpt(&'static str),
    Header(&'static str),
    EndOfMessage,
    Abort,
}

fn event() -> impl Strategy<Value = Event> {
    use Event::{Abort, EndOfMessage, Header, Helo, Mail, Rcpt};
    prop_oneof![
        prop::sample::select(vec!["one", "two"]).prop_map(Helo),
        (
            prop::sample::select(vec!["<>", "<kind@sender>", "<bad@sender>", "local@sender"]),
            prop::option::of(prop::sample::select(vec!["alice", "bob"])),
        )
            .prop_map(|(path, login)| Mail(path, login)),
        prop::sample::select(vec!["<x@hosted>", "<y@other>", "<z@else>", "<a@b@c>"]).prop_map(Rcpt),
        prop::sample::select(vec!["mx; spf=pass", "gw; spf=pass"]).prop_map(Header),
        Just(EndOfMessage),
        Just(Abort),
    ]
}

/// Where the log of a test goes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A session, and what it said and logged since it was last asked.
struct Stage {
    talk: Talk,
    lines: Lines,
    said: Vec<String>,
}

impl Stage {
    async fn new() -> Self {
        let host = Host {
            name: "mx".to_owned(),
            today: "2026-11-24".parse().unwrap(),
            has_group: |_| true,
            main_cf: MainCf::absent,
        };
        let (config, report) = config::parse("test", CONFIGURATION, &host, Path::new("")).unwrap();
        let harvest = Arc::new(Watch::new(config.harvest.clone()));
        let (counter, metrics) = (Arc::clone(&harvest) as _, Metrics::new());
        let (snapshot, _) = Snapshot::new(&config, report, counter, &metrics.counts, None).await.unwrap();
        let lines = Lines::default();
        let log = Log::start_to(config.log, lines.clone()).unwrap();
        let snapshot = ArcSwap::from_pointee(snapshot);
        let connect = Connect {
            client_name: "unknown".to_owned(),
            address: "192.0.2.1".parse().ok(),
            port: 0,
            host: None,
            software: None,
            daemon_name: None,
        };
        let talk = Talk::new(Arc::new(Daemon { snapshot, harvest, log, metrics }), Role::Auto, connect);
        Self { talk, lines, said: Vec::new() }
    }

    async fn play(&mut self, event: &Event) {
        match *event {
            Event::Helo(name) => self.talk.helo(name.to_owned()),
            Event::Mail(path, login) => self.talk.mail(Mail {
                argument: path.to_owned(),
                parameters: Vec::new(),
                address: None,
                login: login.map(str::to_owned),
                mechanism: None,
                queue_id: None,
            }),
            Event::Rcpt(path) => {
                let rcpt = Rcpt {
                    argument: path.to_owned(),
                    parameters: Vec::new(),
                    address: None,
                    host: None,
                    mailer: None,
                    queue_id: None,
                };
                let answer = self.talk.rcpt(rcpt).await;
                self.say(&answer);
            }
            Event::Header(value) => self.talk.header(Field::new("Authentication-Results", value)),
            Event::EndOfMessage => {
                let (edits, answer) = self.talk.end_of_message(Some("QUEUE".to_owned())).await;
                self.said.push(format!("{edits:?}"));
                self.say(&answer);
            }
            Event::Abort => self.talk.abort(),
        }
    }

    fn say(&mut self, answer: &Answer) {
        self.said.push(match answer {
            Answer::Reply(reply) => without_chance(&reply.to_string()),
            other => format!("{other:?}"),
        });
    }

    fn take(&mut self) -> Vec<String> {
        self.talk.daemon.log.flush();
        let lines = String::from_utf8(std::mem::take(&mut *self.lines.0.lock().unwrap())).unwrap();
        self.said.extend(lines.lines().map(without_chance));
        std::mem::take(&mut self.said)
    }
}

/// A line without its time and without what is drawn.
fn without_chance(line: &str) -> String {
    let words =
        line.split(' ').filter(|word| !["time=", "ms=", "ref="].iter().any(|key| word.starts_with(key)));
    let line = words.collect::<Vec<_>>().join(" ");
    line.split(" (ref ").next().unwrap_or_default().to_owned()
}

proptest! {
    /// Whatever went before in the session, a message fares as it would in a session of its own.
    #[test]
    fn nothing_of_one_message_shows_in_the_next(
        before in prop::collection::vec(event(), 0..12),
        message in prop::collection::vec(event(), 0..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut used, mut fresh) = (Stage::new().await, Stage::new().await);
            for event in &before {
                used.play(event).await;
            }
            used.take();
            let said = before.iter().rev().find_map(|event| match event {
                Event::Helo(name) => Some(*name),
                _ => None,
            });
            if let Some(name) = said {
                fresh.play(&Event::Helo(name)).await;
            }
            let mail = Event::Mail("<kind@sender>", None);
            let end = [Event::Rcpt("<x@hosted>"), Event::EndOfMessage];
            for event in [mail].iter().chain(&message).chain(&end) {
                used.play(event).await;
                fresh.play(event).await;
            }
            prop_assert_eq!(used.take(), fresh.take());
            Ok(())
        })?;
    }
}
