//! What holds for every policy, request and set of facts.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockdown_milter::check::addresses::Addresses;
use lockdown_milter::check::spf::{Action, Actions, Record, Settings};
use lockdown_milter::check::{Forwarder, Lock, Locks, Mode, Site};
use lockdown_milter::config::Profile;
use lockdown_milter::decide::{Decision, Verdict, decide};
use lockdown_milter::facts::{Facts, Question};
use lockdown_milter::mail::spf::{SpfAnswer, SpfQuestion, SpfResult};
use lockdown_milter::mail::{Domain, Field, ForwardPath, Header, ReversePath};
use lockdown_milter::policy::Policy;
use lockdown_milter::session::{Client, Envelope, Point, Request, Role, Session};
use proptest::prelude::*;
use proptest::sample::select;

const HOSTED: [&str; 3] = ["a.example", "b.example", "c.example"];
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
    fn locks()(
        mode in select(vec![Mode::Off, Mode::Monitor, Mode::Enforce]),
        helo in actions(),
        mail_from in actions(),
        reject_no_mail_domains: bool,
        explanation: bool,
        headers in select(vec![vec![], vec![Record::AuthenticationResults, Record::ReceivedSpf]]),
    ) -> Arc<Locks> {
        let reject_not_pass = vec![domain("sender.example")];
        let settings = Settings {
            helo, mail_from, reject_not_pass, reject_no_mail_domains, headers, delete_incoming: true, explanation,
        };
        Arc::new(Locks {
            addresses: Addresses { subaddress_delimiters: "+".to_owned(), case_sensitive: false },
            require_auth: Lock { mode, settings: Profile::Lockdown.require_auth() },
            auth_match: Lock { mode, settings: Profile::Lockdown.auth_match() },
            relay: mode,
            spf: Lock { mode, settings },
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
            trusted_forwarders: FORWARDERS[..forwarders].iter().map(|name| Forwarder::Spf(domain(name))).collect(),
            aliases: BTreeMap::new(),
            login_domain: None,
            exempt_logins: Vec::new(),
        };
        let defaults = Arc::clone(&of_domains[0]);
        let hosted: BTreeMap<_, _> = HOSTED.iter().map(|name| domain(name)).zip(of_domains).collect();
        Policy { mode: Mode::Enforce, site, trusted_networks: Vec::new(), hosted, defaults }
    }
}

/// A world: the answer to every question, from a seed.
#[derive(Clone, Debug)]
struct World {
    results: [SpfResult; 4],
    sends_no_mail: bool,
}

impl World {
    fn answer(&self, question: &SpfQuestion) -> SpfAnswer {
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
    fn world()(results in prop::array::uniform4(select(SpfResult::ALL.to_vec())), sends_no_mail: bool) -> World {
        World { results, sends_no_mail }
    }
}

/// A transaction with the null or another reverse-path, and the questions that it could ever raise.
fn transaction(null: bool) -> (Session, Envelope, Vec<SpfQuestion>) {
    let address = "192.0.2.1".parse().expect("an address");
    let client = Client { address: Some(address), name: "unknown".to_owned(), port: 1 };
    let session = Session { role: Role::Auto, client, helo: "helo.example".to_owned(), mta_name: None };
    let reverse_path = ReversePath::parse(if null { "<>" } else { "<a@sender.example>" });
    let mut questions = vec![SpfQuestion::helo(address, "helo.example")];
    questions.extend(SpfQuestion::mail_from(address, "helo.example", &reverse_path));
    questions.extend(
        FORWARDERS.iter().map(|name| SpfQuestion::on_behalf_of(address, "helo.example", &domain(name))),
    );
    let forward_paths = HOSTED.iter().map(|name| ForwardPath::parse(&format!("x@{name}"))).collect();
    let envelope = Envelope { reverse_path, bracketed: true, login: None, forward_paths, queue_id: None };
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
                    let Question::Spf(spf) = question else { panic!("nobody has a login") };
                    facts.learn_spf(spf.clone(), world.answer(spf));
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
        policy in policy(), world in world(), null: bool, known in prop::array::uniform4(any::<bool>()), at_end: bool,
    ) {
        let (session, envelope, questions) = transaction(null);
        let origin = policy.origin(&session, &envelope);
        let path = ForwardPath::parse("x@a.example");
        let header: Header = [Field::new("Authentication-Results", "mx.example; spf=pass")].into_iter().collect();
        let point = if at_end { Point::Message(&header) } else { Point::Recipient(&path) };
        let now = "2026-11-24T12:00:00Z".parse().expect("a time");
        let request = Request { session: &session, envelope: &envelope, origin, point, now };

        let (expected, asked) = settle(&policy, &request, &world, Facts::default());
        let mut facts = Facts::default();
        for (question, _) in questions.into_iter().zip(known).filter(|(_, known)| *known) {
            let answer = world.answer(&question);
            facts.learn_spf(question, answer);
        }
        let (found, asked_more) = settle(&policy, &request, &world, facts);
        prop_assert_eq!(&found, &expected);
        prop_assert!(asked_more <= asked);

        // What is true of every decision.
        prop_assert!(!(at_end && found.verdict != Verdict::Pass), "SPF refuses at RCPT only");
        let strength = |verdict: &Verdict| match verdict { Verdict::Pass => 0, Verdict::Defer(_) => 1, Verdict::Reject(_) => 2 };
        prop_assert!(strength(&found.verdict) <= strength(&found.would));
        let enforced = found.findings.iter().any(|f| f.mode == Mode::Enforce && f.judgment.reply().is_some());
        prop_assert_eq!(found.verdict != Verdict::Pass, enforced);
    }
}
