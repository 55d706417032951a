//! Which addresses are one to a policy by which alice@example.org sends as herself only: see `tests/addresses`.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use lockdown_milter::check::addresses::Addresses;
use lockdown_milter::check::auth_match::{Axis, Settings};
use lockdown_milter::check::recipients::{self, CatchAll};
use lockdown_milter::check::{CheckId, Lock, Locks, Mode, Site};
use lockdown_milter::config::Profile;
use lockdown_milter::decide::{Decision, decide};
use lockdown_milter::facts::{Answer, Cost, Facts, Grant, Question};
use lockdown_milter::mail::{Domain, Field, ForwardPath, Header, ReversePath};
use lockdown_milter::policy::Policy;
use lockdown_milter::session::{Client, Envelope, Login, Point, Request, Role, Session};
use serde::Deserialize;

/// One line of a table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// A path or a header.
    form: String,
    /// Postfix's macro for the path.
    #[serde(default)]
    canonical: Option<String>,
    #[serde(default)]
    login: Option<String>,
    /// `match`, `refused` or `malformed`.
    means: String,
    /// The section of a standard that says so, or the attack that the form stands for.
    see: String,
}

/// Holds every form of a table against its outcome, and shows all that differ.
#[track_caller]
fn check(table: &str, least: usize, read: impl Fn(&Case) -> String) {
    let path = format!("tests/addresses/{table}.yaml");
    let text = fs::read_to_string(&path).expect("a readable file");
    let forms: Vec<Case> = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut wrong = Vec::new();
    for form in &forms {
        assert!(!form.see.is_empty(), "{:?} stands for nothing", form.form);
        let found = read(form);
        if found != form.means {
            let Case { form, see, means, .. } = form;
            wrong.push(format!("{form:?} ({see})\n  means {means:?}\n  found {found:?}\n"));
        }
    }
    assert!(wrong.is_empty(), "{path}:\n{}", wrong.concat());
    assert!(forms.len() >= least, "{path} has {} forms", forms.len());
}

#[test]
fn envelope_of_alice() {
    let path = ForwardPath::parse("info@example.net");
    check("envelope_of_alice", 40, |form| judgment(form, reverse_path(form), Point::Recipient(&path)));
}

#[test]
fn header_of_alice() {
    check("header_of_alice", 40, |form| {
        let text = form.form.replace("\n\t", "\u{0}").replace("\n ", "\u{1}");
        let fields = text.split('\n').map(|field| {
            let (name, value) = field.split_once(':').expect("a field");
            Field::new(name, value.replace('\u{0}', "\n\t").replace('\u{1}', "\n "))
        });
        let header: Header = fields.collect();
        judgment(form, ReversePath::Null, Point::Message(&header))
    });
}

fn reverse_path(form: &Case) -> ReversePath {
    match &form.canonical {
        Some(canonical) => ReversePath::settle(&form.form, canonical),
        None => ReversePath::parse(&form.form),
    }
}

/// What auth match says.
fn judgment(form: &Case, reverse_path: ReversePath, point: Point<'_>) -> String {
    let client = Client { address: "192.0.2.1".parse().ok(), name: "unknown".to_owned(), port: 1 };
    let session = Session {
        role: Role::Submission,
        client,
        helo: "client".to_owned(),
        mta_name: None,
        is_postfix: true,
    };
    let login = Login(form.login.clone().unwrap_or_else(|| "alice@example.org".to_owned()));
    let envelope = Envelope {
        reverse_path,
        bracketed: true,
        login: Some(login),
        recipients: Vec::new(),
        queue_id: None,
    };
    let policy = policy();
    let origin = policy.origin(&session, &envelope);
    let now = "2026-11-24T12:00:00Z".parse().expect("a time");
    let request = Request { session: &session, envelope: &envelope, origin, point, report: None, now };
    let decision = settle(&policy, &request);
    let finding = decision.findings.iter().find(|finding| finding.check == CheckId::AuthMatch);
    let judgment = &finding.expect("auth match concerns every login").judgment;
    match judgment.remark().reason {
        "malformed-from" => "malformed",
        _ if judgment.reply().is_some() => "refused",
        _ => "match",
    }
    .to_owned()
}

/// Every login is granted sales@example.org and the whole of example.net.
fn settle(policy: &Policy, request: &Request<'_>) -> Decision {
    let mut facts = Facts::default();
    loop {
        let open = match decide(policy, request, &facts) {
            Ok(decision) => return decision,
            Err(open) => open,
        };
        for question in open.questions() {
            let Question::Grant(grant) = question else { panic!("nobody should ask {question:?}") };
            let mailbox = grant.mailbox.to_string();
            let granted = mailbox == "sales@example.org" || grant.mailbox.domain().as_str() == "example.net";
            let answer = if granted { Grant::Granted(mailbox) } else { Grant::NotGranted(Vec::new()) };
            facts.learn(question.clone(), Answer::Grant(answer));
        }
    }
}

/// Own addresses only, on all axes; example.com follows example.org.
fn policy() -> Policy {
    let domain = |name: &str| name.parse::<Domain>().expect("a domain");
    let settings = Settings {
        mail_from: Axis::Address,
        header_from: Axis::Address,
        sender: Axis::Address,
        subdomains: false,
        reject_malformed_from: true,
        check_resent: true,
    };
    let locks = Arc::new(Locks {
        addresses: Addresses { subaddress_delimiters: "+".to_owned(), case_sensitive: false },
        require_auth: Lock { mode: Mode::Off, settings: Profile::Lockdown.require_auth() },
        auth_match: Lock { mode: Mode::Enforce, settings },
        harvest: Mode::Off,
        relay: Mode::Off,
        recipients: Lock { mode: Mode::Off, settings: no_recipients() },
        spf: Lock { mode: Mode::Off, settings: Profile::Lockdown.spf() },
        auto_responders: Lock { mode: Mode::Off, settings: Profile::Lockdown.auto_responders() },
        bounces: Lock { mode: Mode::Off, settings: Profile::Lockdown.bounces() },
        exceptions: Vec::new(),
    });
    let site = Site {
        authserv_id: None,
        host_name: "mx.example.org".to_owned(),
        trusted_authserv_ids: Vec::new(),
        trusted_networks: Vec::new(),
        trusted_forwarders: Vec::new(),
        aliases: BTreeMap::from([(domain("example.com"), domain("example.org"))]),
        login_domain: Some(domain("example.org")),
        exempt_logins: Vec::new(),
        hosted: ["example.org", "example.com"].map(domain).into(),
        harvest_exempt: Vec::new(),
        harvest_exceptions: Vec::new(),
    };
    let hosted = ["example.org", "example.com"].map(|name| (domain(name), Arc::clone(&locks))).into();
    Policy { mode: Mode::Enforce, site, hosted, defaults: locks, grants: Cost::Memory }
}

/// Recipients are nobody's concern here.
fn no_recipients() -> recipients::Settings {
    recipients::Settings {
        sources: Vec::new(),
        catch_all: CatchAll::Allow,
        soft_until: None,
        accept_patterns: Vec::new(),
        accept_on_error: false,
    }
}
