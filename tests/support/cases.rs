//! Golden cases: whole policies against whole messages, with the answers of the world given. See `tests/cases`.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use lockdown_milter::config::{self, Config, Host};
use lockdown_milter::decide::{Decision, decide};
use lockdown_milter::facts::{
    Answer, Cause, CauseQuestion, Existence, Facts, Grant, GrantQuestion, Original, Question,
    RecipientQuestion, Standing, Tie, Usage, UsageQuestion,
};
use lockdown_milter::mail::report::Report;
use lockdown_milter::mail::spf::{SpfAnswer, SpfIdentity, SpfQuestion, SpfResult};
use lockdown_milter::mail::{Field, Header, ReversePath};
use lockdown_milter::mta::postfix::main_cf::MainCf;
use lockdown_milter::policy::Policy;
use lockdown_milter::session::{Client, Envelope, Login, Origin, Request, Role, Session};
use serde::Deserialize;

/// What every configuration of a case begins with.
pub(crate) const PREAMBLE: &str = "listen: ['inet:127.0.0.1:8891']\nauthserv_id: mx.example.org\n";

/// The time of every case.
pub(crate) const NOW: &str = "2026-11-24T12:00:00Z";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    #[serde(default = "one_domain")]
    pub(crate) policy: String,
    #[serde(default = "client")]
    pub(crate) client: String,
    #[serde(default = "port")]
    pub(crate) port: u16,
    #[serde(default)]
    pub(crate) role: Option<String>,
    #[serde(default = "helo")]
    pub(crate) helo: String,
    #[serde(default = "mail_from")]
    pub(crate) mail_from: String,
    #[serde(default)]
    pub(crate) login: Option<String>,
    #[serde(default)]
    pub(crate) header: Vec<String>,
    /// SPF results: by `mailfrom`, `helo`, or the domain of a forwarder. What is missing must not be asked.
    #[serde(default)]
    pub(crate) spf: BTreeMap<String, Spf>,
    /// What each login is granted: addresses, `@domain`, `*`; null: the source is down.
    #[serde(default = "no_grants")]
    pub(crate) grants: Option<BTreeMap<String, Vec<String>>>,
    /// What each source of recipients says of an address, by its number: `exists`, `ambiguous`, `wildcard`, `relocated`, `unknown`,
    /// `no-list`, `undetermined`. What is missing is unknown.
    #[serde(default)]
    pub(crate) recipients: BTreeMap<String, Vec<String>>,
    /// Who uses a name: `real`, `unused`, `unknown`, or how many minutes ago this sender was deferred.
    #[serde(default)]
    pub(crate) usage: BTreeMap<String, String>,
    /// The message that this one answers, by who gets the answer: `ORIGIN [claimed] SPF [RECIPIENT|RECIPIENT*…]`, a `*` after those
    /// that only a wildcard knows; SPF is `-` where it was not examined. What is missing is unknown. That a message itself
    /// was sent to a domain stands by `SENDER to DOMAIN`.
    #[serde(default)]
    pub(crate) cause: BTreeMap<String, String>,
    /// What the body of a report names: recipients.
    #[serde(default)]
    pub(crate) reported: Vec<String>,
    /// Whether the client is blocked for harvesting.
    #[serde(default)]
    pub(crate) blocked: bool,
    /// Each recipient with `VERDICT REASON [REPLY]`; `VERDICT` is `pass/reject` where the two verdicts differ.
    pub(crate) rcpt_to: BTreeMap<String, String>,
    /// The outcome at the end of the message, if it is not a pass by SPF.
    #[serde(default)]
    pub(crate) message: Option<String>,
    /// The edits at the end of the message.
    #[serde(default)]
    pub(crate) edits: Option<Vec<String>>,
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the type of the field")]
fn no_grants() -> Option<BTreeMap<String, Vec<String>>> {
    Some(BTreeMap::new())
}
fn one_domain() -> String {
    "domains: { example.org: }".to_owned()
}
fn client() -> String {
    "192.0.2.1".to_owned()
}
fn port() -> u16 {
    4711
}
fn helo() -> String {
    "mail.example.com".to_owned()
}
fn mail_from() -> String {
    "<a@example.com>".to_owned()
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Spf {
    Result(String),
    Answer {
        result: String,
        explanation: Option<String>,
        #[serde(default)]
        sends_no_mail: bool,
    },
}

impl Spf {
    fn answer(&self) -> SpfAnswer {
        let (result, explanation, sends_no_mail) = match self {
            Self::Result(result) => (result, None, false),
            Self::Answer { result, explanation, sends_no_mail } => {
                (result, explanation.clone(), *sends_no_mail)
            }
        };
        let result: SpfResult = result.parse().expect("an SPF result");
        SpfAnswer { explanation, sends_no_mail, ..SpfAnswer::new(result, "given") }
    }
}

impl Case {
    /// The configuration as written.
    pub(crate) fn configuration(&self) -> String {
        format!("{PREAMBLE}{}\n", self.policy)
    }

    /// The configuration, as read.
    pub(crate) fn config(&self) -> Config {
        self.config_in(Path::new("tests/cases"))
    }

    /// The configuration as read from a file in a directory.
    pub(crate) fn config_in(&self, directory: &Path) -> Config {
        let host = Host {
            name: "host.example.org".to_owned(),
            today: "2026-11-24".parse().expect("a date"),
            has_group: |_| true,
            main_cf: MainCf::absent,
        };
        match config::parse(&self.name, &self.configuration(), &host, directory) {
            Ok((config, _)) => config,
            Err(report) => panic!("{}", report.render(config::Style::Plain)),
        }
    }

    pub(crate) fn session(&self) -> Session {
        let address: Option<IpAddr> = self.client.parse().ok();
        let client = Client { address, name: "unknown".to_owned(), port: self.port };
        let role =
            self.role.as_deref().map(|name| Role::NAMES.iter().find(|(n, _)| *n == name).expect("a role").1);
        Session {
            role: role.unwrap_or_default(),
            client,
            helo: self.helo.clone(),
            mta_name: Some("host.example.org".to_owned()),
            is_postfix: true,
        }
    }

    pub(crate) fn envelope(&self) -> Envelope {
        Envelope {
            reverse_path: ReversePath::parse(&self.mail_from),
            bracketed: self.mail_from.starts_with('<'),
            login: self.login.clone().map(Login),
            recipients: Vec::new(),
            queue_id: None,
        }
    }

    pub(crate) fn header(&self) -> Header {
        let fields = self.header.iter().map(|field| field.split_once(':').expect("a header field"));
        fields.map(|(name, value)| Field::new(name, value.trim_start())).collect()
    }

    /// What the body of a report says.
    pub(crate) fn report(&self) -> Report {
        Report { recipients: self.reported.clone(), ..Report::default() }
    }

    /// The decision and the facts that it took, every question answered from the case.
    pub(crate) fn decide(&self, policy: &Policy, request: &Request<'_>) -> (Decision, Facts) {
        let mut facts = Facts::default();
        loop {
            let open = match decide(policy, request, &facts) {
                Ok(decision) => return (decision, facts),
                Err(open) => open,
            };
            for question in open.questions() {
                let answer = match question {
                    Question::Cause(question) => Answer::Cause(self.cause(question)),
                    Question::Harvest(_) => Answer::Harvest(self.standing()),
                    Question::Recipient(question) => Answer::Recipient(self.existence(question)),
                    Question::Usage(question) => Answer::Usage(self.usage(question)),
                    Question::Spf(question) => Answer::Spf(self.answer(question)),
                    Question::Grant(question) => Answer::Grant(self.grant(question)),
                };
                facts.learn(question.clone(), answer);
            }
        }
    }

    fn cause(&self, question: &CauseQuestion) -> Cause {
        let key = match question.ties.as_slice() {
            [Tie::Posted { to, .. }] => format!("{} to {}", question.sender, to.organisation()),
            _ => question.sender.to_string(),
        };
        let Some(said) = self.cause.get(&key) else {
            return Cause::Unknown("not given".to_owned());
        };
        let mut words = said.split(' ');
        let origin = words.next().expect("an origin");
        let origins = [Origin::Foreign, Origin::Trusted, Origin::Login, Origin::Local];
        let origin = origins.into_iter().find(|known| known.as_str() == origin).expect("an origin");
        let mut words = words.peekable();
        let is_claimed = words.next_if_eq(&"claimed").is_some();
        let spf = words.next().filter(|word| *word != "-").map(|word| word.parse().expect("a result"));
        let recipients = words
            .map(|word| (word.trim_end_matches('*').parse().expect("a mailbox"), word.ends_with('*')))
            .collect();
        let reference = "ABCDEFGH".to_owned();
        Cause::Known(Box::new(Original { reference, origin, spf, is_claimed, recipients }))
    }

    fn standing(&self) -> Standing {
        if !self.blocked {
            return Standing::Clear;
        }
        let network = format!("{}/32", self.client).parse().expect("a network");
        Standing::Blocked { network, until: NOW.parse().expect("a time"), names: 12 }
    }

    fn existence(&self, question: &RecipientQuestion) -> Existence {
        let number = question.source.number;
        let said = question.forms.iter().find_map(|form| self.recipients.get(&form.to_string())?.get(number));
        let by = || format!("source {number}");
        match said.map_or("unknown", String::as_str) {
            "exists" => Existence::Exists(by().into()),
            "relocated" => Existence::Relocated { to: "new@example.net".to_owned(), by: by().into() },
            "ambiguous" => Existence::Ambiguous(by().into()),
            "wildcard" => Existence::Wildcard(by().into()),
            "unknown" => Existence::Unknown(by()),
            "no-list" => Existence::NoList(by()),
            "undetermined" => Existence::Undetermined(by()),
            other => panic!("{}: no answer is ‘{other}’", self.name),
        }
    }

    fn usage(&self, question: &UsageQuestion) -> Usage {
        let said = self.usage.get(&question.mailbox.to_string());
        match said.unwrap_or_else(|| panic!("{}: nobody should ask who uses a name", self.name)).as_str() {
            "real" => Usage::Real("real people use it".to_owned()),
            "unused" => Usage::Unused(None),
            "unknown" => Usage::Undetermined("given".to_owned()),
            minutes => {
                let now: Timestamp = NOW.parse().expect("a time");
                let ago = SignedDuration::from_mins(minutes.parse().expect("minutes"));
                Usage::Unused(Some(now - ago))
            }
        }
    }

    fn grant(&self, question: &GrantQuestion) -> Grant {
        let Some(grants) = &self.grants else { return Grant::Undetermined("the source is down".to_owned()) };
        let mailbox = question.mailbox.to_string();
        let domain = format!("@{}", question.mailbox.domain());
        let granted = grants.get(&question.login.0).into_iter().flatten();
        match granted.into_iter().find(|grant| **grant == mailbox || **grant == domain || *grant == "*") {
            Some(grant) => Grant::Granted(format!("granted {grant}")),
            None => Grant::NotGranted(vec!["given".to_owned()]),
        }
    }

    fn answer(&self, question: &SpfQuestion) -> SpfAnswer {
        let of_sender =
            SpfQuestion::mail_from(question.client, &self.helo, &ReversePath::parse(&self.mail_from));
        let key = match question.identity {
            SpfIdentity::Helo => "helo",
            SpfIdentity::MailFrom if Some(question) == of_sender.as_ref() => "mailfrom",
            SpfIdentity::MailFrom => question.domain.as_str(),
        };
        self.spf.get(key).unwrap_or_else(|| panic!("{}: nobody should ask for {key}", self.name)).answer()
    }
}

/// All cases.
pub(crate) fn all() -> Vec<Case> {
    let mut all = Vec::new();
    for file in fs::read_dir("tests/cases").expect("tests/cases") {
        let path = file.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = fs::read_to_string(&path).expect("a readable file");
            let cases: Vec<Case> =
                serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            all.extend(cases);
        }
    }
    assert!(!all.is_empty(), "no cases were found");
    all
}
