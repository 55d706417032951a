//! From beside the programs that read it: whatever address or domain one of them shows, the decision has accounted for.
//!
//! A stranger must be refused where a reader shows a hosted domain, and a login where a reader shows somebody else; both in the
//! forms that are known (`from_readers/forms.yaml`) and in thousands that are drawn from numbers. Fields as honest programs write
//! them must pass. What readers show and need not be accounted for is argued in `from_readers/argued.yaml`.
//!
//! `FROM_READERS_FIELDS=100000` draws more, `FROM_READERS_FIRST=1234` begins elsewhere.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "from_readers/headers.rs"]
mod headers;
#[path = "support/host.rs"]
mod host;
#[path = "from_readers/readers.rs"]
mod readers;
#[path = "support/unpacked.rs"]
mod unpacked;

use std::collections::BTreeMap;
use std::path::Path;

use lockdown_milter::config::{self, Host};
use lockdown_milter::decide::decide;
use lockdown_milter::facts::{Answer, Facts, Grant, Question};
use lockdown_milter::mail::spf::{SpfAnswer, SpfResult};
use lockdown_milter::mail::{Domain, Field, ForwardPath, Header, ReversePath};
use lockdown_milter::mta::postfix::main_cf::MainCf;
use lockdown_milter::policy::Policy;
use lockdown_milter::session::{Client, Envelope, Login, Point, Recipient, Request, Role, Session};
use readers::{Readers, Shown};
use regex_automata::meta::Regex;
use serde::Deserialize;

/// Fields of each kind, where the environment says nothing else.
const FIELDS: u64 = 4000;

/// Fields that are read between two looks at what they gave.
const BATCH: u64 = 500;

/// Failures that are shown.
const MOST_SHOWN: usize = 20;

/// The login.
const ALICE: &str = "alice@example.org";

/// What is hosted.
const HOSTED: [&str; 2] = ["example.org", "b\u{fc}cher.example"];

/// Locks that judge From and nothing else.
const CONFIGURATION: &str = "listen: ['inet:127.0.0.1:8891']
authserv_id: mx.example.org
defaults: { spf: { mode: off }, require_auth: { header_from: reject }, auth_match: { header_from: address, mail_from: none } }
identities: { sources: [{ file: /dev/null }] }
domains: { example.org: , b\u{fc}cher.example: }
";

/// A field that is known to fool somebody.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form(String, String);

/// What is shown and need not be accounted for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Argued {
    /// The reader.
    by: String,
    /// The fields in which it shows that: a regular expression, of the field with what is not ASCII escaped.
    field: String,
    argument: String,
}

/// The arguments, ready to be looked at.
fn argued() -> Vec<(String, Argued, Regex)> {
    let argued: BTreeMap<String, Argued> = data("argued.yaml");
    let ready = argued.into_iter().map(|(name, argued)| {
        assert!(!argued.argument.is_empty(), "{name} argues nothing");
        let field = Regex::new(&argued.field).unwrap();
        (name, argued, field)
    });
    ready.collect()
}

fn data<T: for<'de> Deserialize<'de>>(file: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/from_readers").join(file);
    serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

fn policy() -> Policy {
    let host = Host {
        name: "host.example.org".to_owned(),
        today: "2026-11-24".parse().unwrap(),
        has_group: |_| true,
        main_cf: MainCf::absent,
    };
    match config::parse("from", CONFIGURATION, &host, Path::new("tests")) {
        Ok((config, _)) => config.policy,
        Err(report) => panic!("{}", report.render(config::Style::Plain)),
    }
}

/// Whether a message with this From is refused, of a stranger or of a login.
fn is_refused(policy: &Policy, body: &[u8], login: Option<&str>) -> bool {
    // As the milter protocol hands it over.
    let value = String::from_utf8_lossy(body).replace("\r\n", "\n");
    let header = Header::from_iter([Field::new("From", value.trim_start_matches(' '))]);
    let session = Session {
        role: if login.is_some() { Role::Submission } else { Role::Inbound },
        client: Client { address: "192.0.2.1".parse().ok(), name: "unknown".to_owned(), port: 4711 },
        helo: "client.test".to_owned(),
        mta_name: None,
        is_postfix: true,
    };
    let envelope = Envelope {
        reverse_path: ReversePath::parse("<x@evil.test>"),
        bracketed: true,
        login: login.map(|login| Login(login.to_owned())),
        recipients: vec![Recipient::bare(ForwardPath::parse("<info@example.org>"))],
        queue_id: None,
    };
    let origin = policy.origin(&session, &envelope);
    let now = "2026-11-24T12:00:00Z".parse().unwrap();
    let point = Point::Message(&header);
    let request = Request { session: &session, envelope: &envelope, origin, point, report: None, now };
    let mut facts = Facts::default();
    loop {
        let open = match decide(policy, &request, &facts) {
            Ok(decision) => return decision.verdict.reply().is_some(),
            Err(open) => open,
        };
        for question in open.questions() {
            let answer = match question {
                Question::Spf(_) => Answer::Spf(SpfAnswer::new(SpfResult::None, "given")),
                Question::Grant(_) => Answer::Grant(Grant::NotGranted(Vec::new())),
                other => panic!("nobody should ask for {other:?}"),
            };
            facts.learn(question.clone(), answer);
        }
    }
}

impl Shown {
    /// What people take for the address: it, or the name where it looks like none.
    fn text(&self) -> &str {
        let is_address = |text: &str| text.contains(['@', '\u{ff20}', '\u{fe6b}']);
        if is_address(&self.address) || !is_address(&self.name) { &self.address } else { &self.name }
    }

    /// The domains that people see in it.
    fn domains(&self) -> Vec<Domain> {
        let unseen = |c: char| {
            matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}')
                || c.is_control()
        };
        let text: String = self.text().chars().filter(|&c| !unseen(c)).collect();
        let names = text.split(['@', '\u{ff20}', '\u{fe6b}']).skip(1).map(|behind| {
            let behind = behind.trim_start_matches(|c: char| c.is_whitespace() || "[(<\"'".contains(c));
            behind
                .split(|c: char| {
                    !c.is_alphanumeric() && !"-._\u{301}\u{308}\u{3002}\u{ff0e}\u{ff61}\u{fffd}".contains(c)
                })
                .next()
                .unwrap()
        });
        names.filter_map(|name| name.trim_matches('.').parse().ok()).collect()
    }

    /// Whether it is Alice, or nobody's address.
    fn is_alice(&self) -> bool {
        // Roundcube keeps a bracket where white space stands within them, nodemailer and postal-mime the parenthesis of a
        // comment in a comment: it is no other address.
        let text = self.text().trim_matches([' ', '<', '>', ')']);
        match text.rsplit_once('@') {
            None => !text.contains(['\u{ff20}', '\u{fe6b}']),
            Some((local_part, domain)) => {
                let domain: Option<Domain> = domain.parse().ok();
                local_part.trim_matches('"').eq_ignore_ascii_case("alice")
                    && domain == "example.org".parse().ok()
            }
        }
    }
}

/// What the run found.
#[derive(Default)]
struct Tally {
    fields: usize,
    refused_strangers: usize,
    refused_logins: usize,
    /// By reader: fields in which it shows a hosted domain, and somebody else than Alice.
    shown: BTreeMap<String, (usize, usize)>,
    /// By argument.
    argued: BTreeMap<String, usize>,
    failures: Vec<String>,
}

impl Tally {
    /// Holds the decisions on some fields against what readers show.
    fn compare(&mut self, readers: &mut Readers, policy: &Policy, bodies: &[Vec<u8>]) {
        let argued = argued();
        let hosted = HOSTED.map(|name| name.parse::<Domain>().unwrap());
        for (body, answer) in bodies.iter().zip(readers.read(bodies)) {
            let (stranger, login) = (is_refused(policy, body, None), is_refused(policy, body, Some(ALICE)));
            self.fields += 1;
            self.refused_strangers += usize::from(stranger);
            self.refused_logins += usize::from(login);
            for (reader, shown) in answer {
                let counts = self.shown.entry(reader.clone()).or_default();
                let ours =
                    shown.iter().find(|shown| shown.domains().iter().any(|domain| hosted.contains(domain)));
                let other = shown.iter().find(|shown| !shown.is_alice());
                counts.0 += usize::from(ours.is_some());
                counts.1 += usize::from(other.is_some());
                for (who, shown) in
                    [("a stranger", ours.filter(|_| !stranger)), ("alice", other.filter(|_| !login))]
                {
                    let Some(shown) = shown else { continue };
                    let field = body.escape_ascii().to_string();
                    let argument = argued
                        .iter()
                        .find(|(_, argued, fields)| argued.by == reader && fields.is_match(&field));
                    if let Some((name, ..)) = argument {
                        *self.argued.entry(name.clone()).or_default() += 1;
                    } else {
                        self.failures.push(format!("{reader} shows {shown:?} from {who}: {field}"));
                    }
                }
            }
        }
    }

    #[track_caller]
    fn end(self) {
        println!(
            "{} fields, {} refused of a stranger, {} of a login; readers show (ours, somebody else) {:?}; argued {:?}",
            self.fields, self.refused_strangers, self.refused_logins, self.shown, self.argued
        );
        let shown: Vec<&str> = self.failures.iter().take(MOST_SHOWN).map(String::as_str).collect();
        assert!(shown.is_empty(), "{} failures, of which\n{}", self.failures.len(), shown.join("\n"));
    }
}

#[test]
fn what_readers_show_of_known_forms() {
    let forms: Vec<Form> = data("forms.yaml");
    let bodies: Vec<Vec<u8>> =
        forms.iter().map(|Form(body, _)| body.replace('\n', "\r\n").into_bytes()).collect();
    let policy = policy();
    let (mut readers, mut tally) = (Readers::start(), Tally::default());
    tally.compare(&mut readers, &policy, &bodies);
    for (Form(body, why), octets) in forms.iter().zip(&bodies) {
        assert!(!why.is_empty(), "{body} stands for nothing");
        if !is_refused(&policy, octets, None) {
            tally.failures.push(format!("accepted of a stranger: {body}"));
        }
    }
    tally.end();
}

#[test]
fn what_readers_show_of_drawn_fields() {
    let policy = policy();
    let (mut readers, mut tally) = (Readers::start(), Tally::default());
    let first = number("FROM_READERS_FIRST", 0);
    let end = first + number("FROM_READERS_FIELDS", FIELDS);
    for begun in (first..end).step_by(usize::try_from(BATCH).unwrap()) {
        let bodies: Vec<Vec<u8>> = (begun..end.min(begun + BATCH)).map(headers::hostile).collect();
        tally.compare(&mut readers, &policy, &bodies);
    }
    tally.end();
}

/// What honest programs write passes, and every reader sees the author in it.
#[test]
fn honest_fields_pass() {
    let policy = policy();
    let mut readers = Readers::start();
    let bodies: Vec<Vec<u8>> =
        (0..FIELDS / 4).map(|number| headers::honest(number, ALICE).into_bytes()).collect();
    let mut failures = Vec::new();
    for (body, answer) in bodies.iter().zip(readers.read(&bodies)) {
        let field = body.escape_ascii();
        if is_refused(&policy, body, Some(ALICE)) {
            failures.push(format!("refused: {field}"));
        }
        for (reader, shown) in answer {
            if shown.len() != 1 || shown[0].address != ALICE {
                failures.push(format!("{reader} shows {shown:?}: {field}"));
            }
        }
    }
    let shown: Vec<&str> = failures.iter().take(MOST_SHOWN).map(String::as_str).collect();
    assert!(shown.is_empty(), "{} failures, of which\n{}", failures.len(), shown.join("\n"));
}
