//! What holds for every policy, request and set of facts.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use lockdown_milter::check::addresses::Addresses;
use lockdown_milter::check::recipients::{self, CatchAll};
use lockdown_milter::check::responses::{AutoSettings, Policy as Answers, Suppress, Unknown};
use lockdown_milter::check::spf::{Action, Actions, Record, Settings};
use lockdown_milter::check::{Forwarder, Lock, Locks, Mode, Site};
use lockdown_milter::config::Profile;
use lockdown_milter::decide::{Decision, Verdict, decide};
use lockdown_milter::facts::{
    Answer, Cost, Existence, Facts, HarvestQuestion, Question, RecipientQuestion, SourceId, Standing, Usage,
    UsageQuestion,
};
use lockdown_milter::mail::spf::{SpfAnswer, SpfQuestion, SpfResult};
use lockdown_milter::mail::{Domain, Field, ForwardPath, Header, Mailbox, ReversePath};
use lockdown_milter::policy::Policy;
use lockdown_milter::session::{Client, Envelope, Point, Recipient, Request, Role, Session};
use proptest::prelude::*;
use proptest::sample::select;

const HOSTED: [&str; 3] = ["a.example", "b.example", "c.example"];
/// Sources of recipients, and how many questions a transaction may raise.
const SOURCES: usize = 3;
const MOST_QUESTIONS: usize = 70;
const FORWARDERS: [&str; 2] = ["forwarder.example", "relay.example"];

fn domain(name: &str) -> Domain {
    name.parse().expect("a domain")
}

fn actions() -> impl Strategy<Value = Actions> {
    let any = || select(vec![Action::Accept, Action::Defer, Action::Reject]);
    (any(), any(), any(), any(), select(vec![Action::Accept, Action::Defer]), any()).prop_map(
        |(fail, softfail, neutral, none, temperror, permerror)| Actions {
            fail,
            softfail,
            neutral,
            none,
            temperror,
            permerror,
        },
    )
}

prop_compose! {
    fn recipients()(
        costs in prop::collection::vec(select(Cost::ALL.to_vec()), 0..=SOURCES),
        catch_all in select(CatchAll::NAMES.map(|(_, catch_all)| catch_all).to_vec()),
        accept_on_error: bool,
    ) -> recipients::Settings {
        let sources = costs.into_iter().enumerate().map(|(number, cost)| SourceId { number, cost }).collect();
        recipients::Settings { sources, catch_all, soft_until: None, accept_patterns: Vec::new(), accept_on_error }
    }
}

prop_compose! {
    fn locks()(
        mode in select(vec![Mode::Off, Mode::Monitor, Mode::Enforce]),
        helo in actions(),
        mail_from in actions(),
        reject_no_mail_domains: bool,
        explanation: bool,
        recipients in recipients(),
        policy in select(Answers::NAMES.map(|(_, policy)| policy).to_vec()),
        header in select(Suppress::NAMES.map(|(_, header)| header).to_vec()),
        unknown in select(vec![Unknown::Allow, Unknown::Discard]),
        headers in select(vec![vec![], vec![Record::AuthenticationResults, Record::ReceivedSpf]]),
    ) -> Arc<Locks> {
        let auto_responders = AutoSettings { policy, unknown, header, header_exempt: Vec::new() };
        let reject_not_pass = vec![domain("sender.example")];
        let settings = Settings {
            helo, mail_from, reject_not_pass, reject_no_mail_domains, headers, delete_incoming: true, explanation,
        };
        Arc::new(Locks {
            addresses: Addresses { subaddress_delimiters: "+".to_owned(), case_sensitive: false },
            require_auth: Lock { mode, settings: Profile::Lockdown.require_auth() },
            auth_match: Lock { mode, settings: Profile::Lockdown.auth_match() },
            harvest: mode,
            relay: mode,
            recipients: Lock { mode, settings: recipients },
            spf: Lock { mode, settings },
            auto_responders: Lock { mode, settings: auto_responders },
            bounces: Lock { mode, settings: Profile::Lockdown.bounces() },
            exceptions: Vec::new(),
        })
    }
}

prop_compose! {
    fn policy()(of_domains in prop::collection::vec(locks(), HOSTED.len()), forwarders in 0..=2_usize) -> Policy {
        let site = Site {
            authserv_id: None,
            host_name: "mx.example".to_owned(),
            trusted_authserv_ids: Vec::new(),
            trusted_networks: Vec::new(),
            trusted_forwarders: FORWARDERS[..forwarders].iter().map(|name| Forwarder::Spf(domain(name))).collect(),
            aliases: BTreeMap::new(),
            login_domain: None,
            exempt_logins: Vec::new(),
            hosted: HOSTED.map(domain).into(),
            harvest_exempt: Vec::new(),
            harvest_exceptions: Vec::new(),
        };
        let defaults = Arc::clone(&of_domains[0]);
        let hosted: BTreeMap<_, _> = HOSTED.iter().map(|name| domain(name)).zip(of_domains).collect();
        Policy { mode: Mode::Enforce, site, hosted, defaults, grants: Cost::Memory }
    }
}

/// A world: the answer to every question, from a seed.
#[derive(Clone, Debug)]
struct World {
    results: [SpfResult; 4],
    sends_no_mail: bool,
    standing: Standing,
    /// What each source of recipients says.
    existence: Vec<Existence>,
    usage: Usage,
}

impl World {
    fn answer(&self, question: &Question) -> Answer {
        match question {
            Question::Harvest(_) => Answer::Harvest(self.standing.clone()),
            Question::Recipient(question) => {
                Answer::Recipient(self.existence[question.source.number].clone())
            }
            Question::Usage(_) => Answer::Usage(self.usage.clone()),
            Question::Cause(_) => panic!("nobody inside answers"),
            Question::Grant(_) => panic!("nobody has a login"),
            Question::Spf(question) => Answer::Spf(self.spf(question)),
        }
    }

    fn spf(&self, question: &SpfQuestion) -> SpfAnswer {
        let which = match question.domain.as_str() {
            "helo.example" => 0,
            "sender.example" => 1,
            "forwarder.example" => 2,
            _ => 3,
        };
        let answer = SpfAnswer::new(self.results[which], question.domain.clone());
        SpfAnswer { sends_no_mail: self.sends_no_mail, ..answer }
    }
}

prop_compose! {
    fn world()(
        results in prop::array::uniform4(select(SpfResult::ALL.to_vec())),
        sends_no_mail: bool,
        standing in select(standings()),
        existence in prop::collection::vec(select(existences()), SOURCES),
        usage in select(usages()),
    ) -> World {
        World { results, sends_no_mail, standing, existence, usage }
    }
}

fn standings() -> Vec<Standing> {
    let network = "192.0.2.1/32".parse().expect("a network");
    let blocked = Standing::Blocked { network, until: now(), names: 12 };
    vec![Standing::Clear, Standing::Clear, Standing::NotCounted("nobody counts".to_owned()), blocked]
}

fn existences() -> Vec<Existence> {
    let text = || "x".to_owned();
    vec![
        Existence::Exists("x".into()),
        Existence::Relocated { to: text(), by: "x".into() },
        Existence::Ambiguous("x".into()),
        Existence::Wildcard("x".into()),
        Existence::Unknown(text()),
        Existence::NoList(text()),
        Existence::Undetermined(text()),
    ]
}

fn usages() -> Vec<Usage> {
    let text = || "x".to_owned();
    vec![Usage::Real(text()), Usage::Unused(None), Usage::Unused(Some(now())), Usage::Undetermined(text())]
}

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().expect("a time")
}

/// A transaction with the null or another reverse-path, and the questions that it could ever raise.
fn transaction(null: bool) -> (Session, Envelope, Vec<Question>) {
    let address = "192.0.2.1".parse().expect("an address");
    let client = Client { address: Some(address), name: "unknown".to_owned(), port: 1 };
    let session = Session {
        role: Role::Auto,
        client,
        helo: "helo.example".to_owned(),
        mta_name: None,
        is_postfix: true,
    };
    let reverse_path = ReversePath::parse(if null { "<>" } else { "<a@sender.example>" });
    let mut questions = vec![SpfQuestion::helo(address, "helo.example")];
    questions.extend(SpfQuestion::mail_from(address, "helo.example", &reverse_path));
    questions.extend(
        FORWARDERS.iter().map(|name| SpfQuestion::on_behalf_of(address, "helo.example", &domain(name))),
    );
    let mut questions: Vec<Question> = questions.into_iter().map(Question::Spf).collect();
    questions.push(Question::Harvest(HarvestQuestion { client: address, null_sender: null }));
    let mailbox: Mailbox = "x@a.example".parse().expect("a mailbox");
    for (number, domain) in (0..SOURCES).flat_map(|number| HOSTED.map(|domain| (number, domain))) {
        for cost in Cost::ALL {
            for by_name in [true, false] {
                let forms = vec![format!("x@{domain}").parse().expect("a mailbox")];
                let source = SourceId { number, cost };
                let question = RecipientQuestion { source, forms, case_sensitive: false, by_name };
                questions.push(Question::Recipient(question));
            }
        }
    }
    let network = session.client.network().expect("a network");
    questions.push(Question::Usage(UsageQuestion { mailbox, sender: reverse_path.clone(), network }));
    let paths = HOSTED.iter().map(|name| ForwardPath::parse(&format!("x@{name}")));
    let recipients = paths.map(Recipient::bare).collect();
    let envelope = Envelope { reverse_path, bracketed: true, login: None, recipients, queue_id: None };
    (session, envelope, questions)
}

/// Decides with what is known, asking the world for the rest; returns how many questions that took.
fn settle(policy: &Policy, request: &Request<'_>, world: &World, mut facts: Facts) -> (Decision, usize) {
    let mut asked = 0;
    loop {
        match decide(policy, request, &facts) {
            Ok(decision) => return (decision, asked),
            Err(open) => {
                for question in open.questions() {
                    assert!(!facts.know(question), "asked again: {question:?}");
                    facts.learn(question.clone(), world.answer(question));
                    asked += 1;
                }
            }
        }
    }
}

proptest! {
    /// Whatever is known beforehand, the decision is the same, to the last finding.
    #[test]
    fn more_facts_never_change_a_decision(
        policy in policy(), world in world(), null: bool,
        known in prop::collection::vec(any::<bool>(), MOST_QUESTIONS), at_end: bool,
    ) {
        let (session, envelope, questions) = transaction(null);
        let origin = policy.origin(&session, &envelope);
        let path = ForwardPath::parse("x@a.example");
        let header: Header = [Field::new("Authentication-Results", "mx.example; spf=pass")].into_iter().collect();
        let point = if at_end { Point::Message(&header) } else { Point::Recipient(&path) };
        let request = Request { session: &session, envelope: &envelope, origin, point, report: None, now: now() };

        let (expected, asked) = settle(&policy, &request, &world, Facts::default());
        let mut facts = Facts::default();
        for (question, _) in questions.into_iter().zip(known).filter(|(_, known)| *known) {
            let answer = world.answer(&question);
            facts.learn(question, answer);
        }
        let (found, asked_more) = settle(&policy, &request, &world, facts);
        prop_assert_eq!(&found, &expected);
        prop_assert!(asked_more <= asked);

        // What is true of every decision.
        prop_assert!(!(at_end && found.verdict != Verdict::Pass), "these locks refuse at RCPT only");
        let strength = |verdict: &Verdict| match verdict { Verdict::Pass => 0, Verdict::Discard => 1, Verdict::Defer(_) => 2, Verdict::Reject(_) => 3 };
        prop_assert!(strength(&found.verdict) <= strength(&found.would));
        let enforced = found.findings.iter().any(|f| f.mode == Mode::Enforce && f.judgment.reply().is_some());
        prop_assert_eq!(found.verdict != Verdict::Pass, enforced);
    }
}

/// The questions asked, in the order of asking, in rounds that are answered at once.
fn rounds(policy: &Policy, request: &Request<'_>, world: &World) -> Vec<Vec<Question>> {
    let (mut facts, mut rounds) = (Facts::default(), Vec::new());
    while let Err(open) = decide(policy, request, &facts) {
        for question in open.questions() {
            facts.learn(question.clone(), world.answer(question));
        }
        rounds.push(open.questions().to_vec());
    }
    rounds
}

proptest! {
    /// Whether the client is blocked is asked first and alone, and if it is, nothing else is but whether it forwards.
    #[test]
    fn a_blocked_client_costs_one_question(policy in policy(), world in world(), null: bool) {
        let (session, envelope, _) = transaction(null);
        let origin = policy.origin(&session, &envelope);
        let path = ForwardPath::parse("x@a.example");
        let point = Point::Recipient(&path);
        let request = Request { session: &session, envelope: &envelope, origin, point, report: None, now: now() };
        let mode = policy.locks(&domain("a.example")).expect("it is hosted").harvest;

        let rounds = rounds(&policy, &request, &world);
        let about_harvest = |question: &Question| matches!(question, Question::Harvest(_));
        let first: &[Question] = rounds.first().map_or(&[], Vec::as_slice);
        prop_assert_eq!(first.iter().any(about_harvest), mode != Mode::Off);
        prop_assert!(mode == Mode::Off || first.len() == 1);
        prop_assert!(!rounds.iter().skip(1).flatten().any(about_harvest));

        let (decision, _) = settle(&policy, &request, &world, Facts::default());
        let is_blocked = matches!(world.standing, Standing::Blocked { .. });
        let is_forwarder = decision.findings.iter().any(|finding| finding.judgment.remark().reason == "forwarder");
        if is_blocked && mode == Mode::Enforce && !is_forwarder {
            let about_forwarders = |question: &Question| {
                matches!(question, Question::Spf(asked) if FORWARDERS.contains(&asked.domain.as_str()))
            };
            prop_assert!(rounds.iter().skip(1).flatten().all(about_forwarders), "{:?}", rounds);
            prop_assert_eq!(decision.findings.len(), 1);
            prop_assert_eq!(decision.verdict.reply().map(lockdown_milter::mail::Reply::code), Some(421));
        } else {
            prop_assert!(decision.verdict.reply().is_none_or(|reply| reply.code() != 421));
        }
    }
}
