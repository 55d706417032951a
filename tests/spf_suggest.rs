//! `spf suggest` for a domain whose senders a daemon has seen: each of them passes `spf check` once the record is published, a
//! stranger does not, and receivers grant the look-ups.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/dns.rs"]
mod dns;
#[path = "support/frames.rs"]
mod frames;
#[path = "support/schema.rs"]
mod schema;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use daemon::Daemon;
use dns::{Fault, Server, Zone};
use frames::Mta;
use hickory_proto::op::ResponseCode;
use lockdown_milter::clients::dns::{Resolver, Settings};
use lockdown_milter::milter::Address;
use lockdown_milter::spf::lint::mend;
use lockdown_milter::spf::suggest::{Allowed, Known, Term, suggest};
use lockdown_milter::spf::{Options, is_spf};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

const CONFIG: &str = "
mode: monitor
authserv_id: mx.own.example
listen: [{ unix: '{dir}/smtp.sock', role: inbound }]
trusted_networks: [10.0.0.0/8]
ledger: { path: '{store}/ledger.redb', commit_interval: 20ms }
dns: { servers: ['{dns}'] }
domains: { own.example: , quiet.example: }
";

const MAIL_HOST: &str = "192.0.2.25";
const MAIL_HOST_V6: &str = "2001:db8::25";
const RELAY: &str = "192.0.2.80";
const HOST_V6: &str = "2001:db8:1::7";
const NEWSLETTER: &str = "198.51.100.17";
const FORGOTTEN: &str = "203.0.113.40";
const FORGER: &str = "203.0.113.66";

/// The zone, with this record for the domain.
fn zone(record: &str) -> Zone {
    Zone::new()
        .txt("own.example", record)
        .mx("own.example", 10, "mail.own.example")
        .address("mail.own.example", MAIL_HOST)
        .address("mail.own.example", MAIL_HOST_V6)
        .txt("_dmarc.own.example", "v=DMARC1; p=quarantine")
        .txt("_spf.news.example", "v=spf1 ip4:198.51.100.0/24 -all")
        .txt("unused.example", "v=spf1 ip4:198.51.101.0/24 -all")
        .txt("shop.example", "v=spf1 ip4:203.0.113.40 -all")
        .address("out.shop.example", FORGOTTEN)
        .ptr("40.113.0.203.in-addr.arpa", "out.shop.example")
}

struct Stage {
    dns: Server,
    store: TempDir,
    daemon: Daemon,
}

impl Stage {
    async fn start(record: &str) -> Self {
        let (dns, store) = (Server::start(zone(record)).await, TempDir::new().unwrap());
        let daemon = Daemon::start(&config(&dns, &store));
        Self { dns, store, daemon }
    }

    /// The same store under a new daemon.
    fn restart(self) -> Self {
        let Self { dns, store, daemon } = self;
        daemon.stop();
        let daemon = Daemon::start(&config(&dns, &store));
        Self { dns, store, daemon }
    }

    /// A message from this client, as Postfix would show it.
    async fn send(&self, client: &str, login: Option<&str>, from: &str) {
        let socket = Address::Unix { path: self.daemon.path("smtp.sock"), permissions: 0o600, group: None };
        let mut mta = Mta::connect(&socket).await.unwrap();
        mta.ask(&[frames::full_offer()]).await;
        let family = if client.contains(':') { '6' } else { '4' };
        let connect = frames::connect("mail.example", family, 4711, client);
        let begin = [frames::macros('C', &[("v", "Postfix 3.7.11")]), connect, frames::helo("mail.example")];
        mta.send(&begin.concat()).await.unwrap();
        let mut macros = vec![("{mail_addr}", from)];
        macros.extend(login.map(|login| ("{auth_authen}", login)));
        let mail = [frames::macros('M', &macros), frames::mail(&[&format!("<{from}>")])];
        mta.send(&mail.concat()).await.unwrap();
        let to = "info@quiet.example";
        let rcpt = [frames::macros('R', &[("{rcpt_addr}", to)]), frames::rcpt(&format!("<{to}>"))];
        assert_eq!(mta.ask(&rcpt).await, "continue");
        mta.send(&frames::header("From", from)).await.unwrap();
        mta.ask(&[frames::macros('E', &[("i", "4XyZ")]), frames::end_of_message()]).await;
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_in(arguments, "80")
    }

    fn run_in(&self, arguments: &[&str], columns: &str) -> Output {
        let mut command = daemon::program::lockdown_milter();
        command.arg("spf").args(arguments).arg("--config").arg(self.config_file()).env("COLUMNS", columns);
        command.output().unwrap()
    }

    fn config_file(&self) -> PathBuf {
        self.daemon.config_file()
    }

    fn suggest(&self, allowed: &[&str]) -> (Value, bool) {
        let mut arguments =
            vec!["suggest", "own.example", "--outgoing", RELAY, "--outgoing", HOST_V6, "--json"];
        arguments.extend(allowed.iter().flat_map(|allow| ["--allow", allow]));
        let output = self.run(&arguments);
        let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        (value, output.status.success())
    }

    /// The result of `spf check` for a client.
    #[track_caller]
    fn check(&self, client: &str, expected: &str) {
        let output = self.run(&["check", "--client", client, "--mail-from", "info@own.example", "--json"]);
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        let evaluation = &value["evaluations"][0];
        assert_eq!(evaluation["result"], expected, "{client}: {value:#}");
        assert!(evaluation["lookups"].as_u64().unwrap() <= 10);
        assert_eq!(output.status.success(), expected == "pass");
    }
}

fn config(dns: &Server, store: &TempDir) -> String {
    let store = store.path().to_str().unwrap();
    CONFIG.replace("{store}", store).replace("{dns}", &dns.address().to_string())
}

fn terms(value: &Value) -> Vec<&str> {
    value["terms"].as_array().unwrap().iter().map(|term| term["term"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_covers_who_sends_and_nobody_else() {
    let present = "v=spf1 include:_spf.news.example include:unused.example include:gone.example ptr ~all";
    // A broken include makes everything a permerror, so that the ledger is filled before that happened.
    let stage = Stage::start("v=spf1 include:_spf.news.example include:unused.example ~all").await;
    for _ in 0..3 {
        stage.send(NEWSLETTER, None, "news@own.example").await;
    }
    stage.send(FORGOTTEN, None, "shop@own.example").await;
    stage.send(FORGER, None, "boss@own.example").await;
    stage.send("203.0.113.99", Some("alice@own.example"), "alice@own.example").await;
    stage.send("10.0.0.7", None, "scanner@own.example").await;
    // What was seen is still known to the next daemon, and is read while that is at work.
    let stage = stage.restart();

    let (first, is_done) = stage.suggest(&[]);
    assert!(!is_done, "somebody unknown sends");
    assert_eq!(
        terms(&first),
        [
            format!("ip4:{RELAY}").as_str(),
            &format!("ip6:{HOST_V6}"),
            "mx",
            "include:_spf.news.example",
            "include:unused.example",
        ]
    );
    let unknown: Vec<&str> =
        first["unknown"].as_array().unwrap().iter().map(|one| one["client"].as_str().unwrap()).collect();
    assert_eq!(unknown, [FORGOTTEN, FORGER]);
    assert_eq!(first["unknown"][0]["name"], "out.shop.example");
    assert_eq!(first["unknown"][0]["own_record"], "shop.example");
    // A login and a trusted host leave by our own hosts.
    assert_eq!(first["ours"], 2);

    // For people, at both widths; with LOOK in the environment it is printed for them.
    let relay = ["--outgoing", RELAY, "--outgoing", HOST_V6];
    for (columns, most) in [("80", 80), ("200", 160)] {
        for command in [
            [&["suggest", "own.example"][..], &relay].concat(),
            [&["report"][..], &relay].concat(),
            [&["lint", "own.example"][..], &relay].concat(),
            vec![
                "check",
                "--client",
                NEWSLETTER,
                "--mail-from",
                "news@own.example",
                "--helo",
                "mail.own.example",
            ],
            [&["report", "--mail", "root@own.example"][..], &relay].concat(),
        ] {
            let output = stage.run_in(&command, columns);
            let text = String::from_utf8(output.stdout).unwrap();
            if std::env::var_os("LOOK").is_some() {
                println!("$ spf {} ({columns})\n{text}", command.join(" "));
            }
            assert!(!text.is_empty() && output.stderr.is_empty(), "{command:?}");
            let long =
                text.lines().filter(|line| !line.contains("IN TXT")).find(|line| line.chars().count() > most);
            assert_eq!(long, None, "{command:?} in {columns} columns");
        }
    }
    for (name, command) in [
        ("spf-report", vec!["report", "--json"]),
        ("spf-lint", vec!["lint", "own.example", "v=spf1 mx +all", "--json"]),
        ("spf-suggest", vec!["suggest", "own.example", "--json"]),
        ("spf-check", vec!["check", "--client", NEWSLETTER, "--helo", "mail.own.example", "--json"]),
    ] {
        let output = stage.run(&command);
        let value = schema::check(name, &output.stdout);
        if name == "spf-report" {
            let own = &value["domains"][0];
            assert_eq!(
                (&own["pass"], &own["softfail"], &own["ours"]),
                (&3.into(), &2.into(), &2.into()),
                "{value:#}"
            );
            assert_eq!((&own["policy"], &own["refused"]), (&"~all".into(), &2.into()), "{value:#}");
        }
    }

    let (second, _) = stage.suggest(&["include:shop.example"]);
    assert!(second["record"].as_str().unwrap().ends_with(" ~all"));
    stage.dns.replace(zone(second["record"].as_str().unwrap()));
    for client in [MAIL_HOST, MAIL_HOST_V6, RELAY, HOST_V6, NEWSLETTER, FORGOTTEN] {
        stage.check(client, "pass");
    }
    stage.check(FORGER, "softfail");
    stage.check("2001:db8:9::1", "softfail");

    // Terms that break a record are left out.
    stage.dns.replace(zone(present));
    let (third, _) = stage.suggest(&[]);
    let dropped: Vec<&str> =
        third["dropped"].as_array().unwrap().iter().map(|term| term["term"].as_str().unwrap()).collect();
    assert_eq!(dropped, ["include:gone.example", "ptr"]);
}

/// Present records with what is suggested (`tests/spf_suggest/records.yaml`).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    zone: BTreeMap<String, Vec<String>>,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    records: Vec<String>,
    #[serde(default)]
    allow: Vec<String>,
    record: Option<String>,
    #[serde(default)]
    left_out: Vec<String>,
    #[serde(default)]
    unclear: Vec<String>,
    good: Option<bool>,
}

fn book_zone(book: &Book) -> Zone {
    let mut zone = Zone::new();
    for (name, records) in &book.zone {
        for record in records {
            zone = match record.split_once(' ').unwrap_or((record, "")) {
                ("A" | "AAAA", address) => zone.address(name, address),
                ("TXT", text) => zone.txt(name, text),
                ("SERVFAIL", _) => zone.fault(name, Fault::Code(ResponseCode::ServFail)),
                other => panic!("{name}: {other:?}"),
            };
        }
    }
    for (name, case) in &book.cases {
        zone =
            case.records.iter().fold(zone, |zone, record| zone.txt(&format!("{name}.case.example"), record));
    }
    zone
}

#[tokio::test]
async fn mistakes_are_mended_or_nothing_is_suggested() {
    let book: Book =
        serde_yaml::from_str(&std::fs::read_to_string("tests/spf_suggest/records.yaml").unwrap()).unwrap();
    let server = Server::start(book_zone(&book)).await;
    let settings = Settings { servers: vec![server.address()], ..Settings::default() };
    let dns = Resolver::new(&settings).unwrap();
    let options = Options {
        lookups: 10,
        void_lookups: 2,
        time: Duration::from_secs(20),
        explanation: false,
        receiver: "mx.example.net".to_owned(),
    };
    let mut failures = String::new();
    for (name, case) in &book.cases {
        let read = |text: &String| if is_spf(text) { Some(text.clone()) } else { mend::almost(text) };
        let known = Known {
            domain: format!("{name}.case.example").parse().unwrap(),
            records: case.records.iter().filter_map(read).collect(),
            is_partial: false,
            mail_hosts: Vec::new(),
            outgoing: vec![(RELAY.parse().unwrap(), "told".to_owned())],
            clients: Vec::new(),
            was_watched: true,
        };
        let allowed: Vec<Allowed> = case.allow.iter().map(|allow| allow.parse().unwrap()).collect();
        let suggestion = suggest(&dns, &known, &allowed, &options).await;
        let texts = |terms: &[Term]| terms.iter().map(|term| term.text.clone()).collect::<Vec<_>>();
        let found =
            (suggestion.record(), texts(&suggestion.dropped), texts(&suggestion.unclear), suggestion.keeps());
        let good = case.good.unwrap_or(case.record.is_some());
        if found != (case.record.as_deref(), case.left_out.clone(), case.unclear.clone(), good) {
            writeln!(failures, "{name}: {found:?}\n{suggestion:#?}").unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
}
