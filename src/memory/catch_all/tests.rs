//! What holds for any mail: bounds, order, time, and what is written.

use proptest::prelude::*;

use super::*;
use crate::facts::Usage;
use crate::memory::store::Secret;

const BEGIN: &str = "2026-11-02T00:00:00Z";
const RETENTION: u32 = 14;

fn state() -> State {
    State::new(Secret::new([3; 16]), RETENTION, Vec::new(), Vec::new(), Vec::new())
}

fn at(day: i64) -> Timestamp {
    BEGIN.parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_hours(24 * day)
}

fn mailbox(name: &str) -> Mailbox {
    Mailbox::new(name, "example.org".parse().unwrap())
}

/// A message that was accepted.
fn message(day: i64, from: &str, network: u32, to: &str, spf: Spf) -> Sighting {
    let [a, b, c, d] = (network << 8).to_be_bytes();
    Sighting {
        mailbox: mailbox(to),
        at: at(day),
        seen: Seen::Accepted(Accepted {
            sender: ReversePath::parse(&format!("<{from}>")),
            network: Some(format!("{a}.{b}.{c}.{d}/24").parse().unwrap()),
            spf,
            returned: false,
            is_ours: false,
        }),
    }
}

impl State {
    fn verdict(&self, name: &str) -> String {
        match self.judge(self.id(&mailbox(name))) {
            Verdict::Typo(meant) => format!("typo of {}", meant.local_part()),
            verdict => verdict.as_str().to_owned(),
        }
    }

    /// The same as it is after the daemon's restart.
    fn reread(&self) -> Self {
        let names = self.names.iter().map(|(id, name)| (*id, written(name))).collect();
        let familiar = self.familiar.iter().map(|(id, row)| (*id, written(row))).collect();
        let untold = self.untold.iter().map(|(domain, row)| (domain.to_string(), written(row))).collect();
        Self::new(self.secret(), RETENTION, names, familiar, untold)
    }
}

/// A row as it is after it was written and read.
fn written<R: Record>(row: &R) -> R {
    crate::memory::store::tests::written(row)
}

#[test]
fn a_harvester_adds_a_thousand_names_and_no_more() {
    let mut state = state();
    state.note(&message(0, "jane@friend.example", 1, "info", Spf::Pass));
    for n in 0..250_000 {
        state.note(&message(0, "a@guess.example", 2, &format!("n{n}"), Spf::Pass));
    }
    let names = state.names.len();
    assert!((1000..2500).contains(&names), "{names} names");
    let told: u32 = state.names.values().map(|name| name.total().messages).sum();
    let untold: u32 = state.untold(&"example.org".parse().unwrap()).values().sum();
    assert_eq!(told + untold, 250_001, "no message is forgotten");
    assert_eq!((state.verdict("n1"), state.verdict("info")), ("harvest-like".to_owned(), "real".to_owned()));
    // He does not keep others from being noticed.
    state.note(&message(0, "joe@other.example", 3, "sales", Spf::Pass));
    assert_eq!(state.verdict("sales"), "real");
}

/// A deferral, some minutes after the beginning.
fn deferred(minute: i64, from: &str, network: u32, to: &str) -> Sighting {
    let mut sighting = message(0, from, network, to, Spf::NotPass);
    let Seen::Accepted(Accepted { sender, network, .. }) = sighting.seen else { unreachable!() };
    sighting.seen = Seen::Deferred { sender, network };
    sighting.at = at(0) + jiff::SignedDuration::from_mins(minute);
    sighting
}

/// When this sender was first deferred from this network, in minutes.
fn first_deferred(state: &State, from: &str, network: u32, to: &str) -> Option<i64> {
    let Seen::Deferred { sender, network } = deferred(0, from, network, to).seen else { unreachable!() };
    let (mailbox, network) = (mailbox(to), network.unwrap());
    match state.find(&UsageQuestion { mailbox, sender, network }) {
        Usage::Unused(first) => first.map(|first| first.duration_since(at(0)).as_mins()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nobody_pushes_out_a_sender_who_waits_for_his_return() {
    let mut state = state();
    state.note(&deferred(0, "real@pass.example", 1, "info"));
    for guess in 0..1000 {
        state.note(&deferred(1, &format!("{}@spam.example", "x".repeat(1 + guess % 60)), 2, "info"));
        state.note(&deferred(
            1,
            &format!("{}@spam.example", "y".repeat(1 + guess % 60)),
            1000 + u32::try_from(guess).unwrap(),
            "info",
        ));
    }
    assert_eq!(first_deferred(&state, "real@pass.example", 1, "info"), Some(0));
}

#[test]
fn a_sender_whose_name_or_network_others_abuse_may_return_all_the_same() {
    let mut state = state();
    for guess in 0..2000 {
        state.note(&deferred(0, "boss@customer.example", 7, &format!("guess{guess}")));
    }
    state.note(&deferred(1, "boss@customer.example", 8, "office"));
    state.note(&deferred(2, "alice@customer.example", 7, "sales"));
    assert_eq!(first_deferred(&state, "boss@customer.example", 8, "office"), Some(1));
    assert_eq!(first_deferred(&state, "alice@customer.example", 7, "sales"), Some(2));
    assert_eq!(first_deferred(&state, "alice@customer.example", 8, "sales"), None);
}

#[test]
fn names_that_nobody_vouches_for_are_the_first_to_go() {
    let mut state = state();
    state.note(&message(0, "jane@friend.example", 1, "info", Spf::Pass));
    let number = u32::try_from(MOST_NAMES).unwrap() * 3 / 2;
    let mut changes = 0;
    for n in 0..number {
        let sighting = message(0, &format!("a@b{n}.example"), n + 10, &format!("n{n}"), Spf::NotPass);
        changes += state.note(&sighting).len();
    }
    assert!(state.names.len() <= MOST_NAMES && state.names.len() > MOST_NAMES / 2);
    assert_eq!(state.verdict("info"), "real");
    // What is forgotten is forgotten in the file as well.
    assert!(changes > usize::try_from(number).unwrap() + MOST_NAMES / 10);
    // Where everything is vouched for, the rest is refused.
    let mut state = super::tests::state();
    for n in 0..u32::try_from(MOST_NAMES).unwrap() + 10 {
        state.note(&message(0, &format!("a@b{n}.example"), n + 10, &format!("n{n}"), Spf::Pass));
    }
    assert_eq!(state.names.len(), MOST_NAMES);
    assert_eq!(state.verdict("n7"), "real");
}

#[test]
fn a_name_has_so_many_correspondents_networks_and_deferrals() {
    let mut state = state();
    for n in 0..300 {
        // Those that SPF says pass of stay, in whatever order they come.
        let spf = if n % 10 == 0 { Spf::Pass } else { Spf::NotPass };
        state.note(&message(0, &format!("a@b{n}.example"), n, "info", spf));
        state.note(&message(0, "a@b0.example", n, "info", Spf::Pass));
        let (sender, network) = (ReversePath::parse(&format!("<a@b{n}.example>")), None);
        state.note(&Sighting {
            mailbox: mailbox("info"),
            at: at(0),
            seen: Seen::Deferred { sender, network },
        });
    }
    let name = &state.names[&state.id(&mailbox("info"))];
    assert_eq!((name.correspondents.len(), name.is_crowded), (MOST_CORRESPONDENTS, true));
    assert_eq!((name.passing(), name.deferrals.len()), (30, MOST_DEFERRALS));
    assert!(name.correspondents.iter().all(|one| one.networks.len() <= MOST_NETWORKS));
    assert_eq!(name.total().messages, 600);
}

#[test]
fn what_was_real_is_remembered_and_the_rest_forgotten() {
    let mut state = state();
    state.note(&message(0, "jane@friend.example", 1, "info", Spf::Pass));
    state.note(&message(0, "", 2, "bounced", Spf::NotExamined));
    state.note(&message(0, "x@forged.example", 3, "forged", Spf::NotPass));
    for n in 0..40 {
        state.note(&message(0, "a@guess.example", 4, &format!("n{n}"), Spf::Pass));
    }
    let busy = |state: &mut State, day| {
        for _ in 0..3 {
            state.note(&message(day, "joe@other.example", 5, "sales", Spf::Pass));
        }
    };
    busy(&mut state, 14);
    assert_eq!(state.names.len(), 44, "the fortnight is not over");
    busy(&mut state, 15);
    assert_eq!((state.verdict("info"), state.names.len()), ("real".to_owned(), 2));
    busy(&mut state, 399);
    assert_eq!(state.reread().verdict("info"), "real");
    busy(&mut state, 402);
    assert_eq!((state.verdict("info"), state.names.len()), ("unknown".to_owned(), 1));
    // Who goes on to guess does not become respectable by it.
    let mut state = super::tests::state();
    for day in 0..40 {
        for n in 0..40 {
            state.note(&message(day, "a@guess.example", 4, &format!("n{n}"), Spf::Pass));
        }
    }
    assert_eq!(state.verdict("n3"), "harvest-like");
    assert_eq!(state.reread().verdict("n3"), "harvest-like");
}

#[test]
fn slips_of_the_pen() {
    let mut state = state();
    let note = |state: &mut State, from: &str, to: &str| {
        state.note(&message(0, &format!("{from}@friend.example"), 1, to, Spf::Pass));
    };
    for _ in 0..4 {
        note(&mut state, "jane", "info");
    }
    for (from, to) in [("jane", "ifno"), ("joe", "infp"), ("jane", "infos"), ("jane", "sales")] {
        note(&mut state, from, to);
    }
    assert_eq!(state.verdict("ifno"), "typo of info");
    assert_eq!(state.verdict("infos"), "typo of info");
    assert_eq!(state.verdict("infp"), "real", "joe never wrote to info");
    assert_eq!(state.verdict("sales"), "real");
    note(&mut state, "joe", "ifno");
    assert_eq!(state.verdict("ifno"), "real", "two people");
    let sender = ReversePath::parse("<jane@friend.example>");
    state.note(&Sighting { mailbox: mailbox("office"), at: at(0), seen: Seen::ByName { sender } });
    note(&mut state, "jane", "ofice");
    assert_eq!(state.verdict("ofice"), "typo of office");
    assert_eq!(state.reread().verdict("ofice"), "typo of office");
    state.note(&Sighting { mailbox: mailbox("ofice"), at: at(0), seen: Seen::Ours });
    assert_eq!(state.verdict("ofice"), "real", "our own people use it");
}

/// A name that only a partner uses, and what a stranger does to have it dropped.
#[track_caller]
fn check_partner(attack: &str, messages: impl IntoIterator<Item = Sighting>, expected: &str) {
    let mut state = state();
    for day in [0, 3] {
        state.note(&message(day, "jane@partner.example", 1, "orders", Spf::Pass));
    }
    for sighting in messages {
        state.note(&sighting);
    }
    assert_eq!(state.verdict("orders"), expected, "{attack}");
    assert_eq!(state.reread().verdict("orders"), expected, "{attack}, after a restart");
}

/// Names that nobody uses.
fn made_up(number: u32) -> impl Iterator<Item = String> {
    (0..number).map(|n| format!("q{n}"))
}

#[test]
fn a_stranger_cannot_have_a_name_dropped() {
    let partner = "jane@partner.example";
    let forged = |network, name: &str, spf| message(3, partner, network, name, spf);
    for spf in [Spf::NotPass, Spf::NotExamined] {
        let as_partner = made_up(25).map(|name| forged(66, &name, spf));
        check_partner("as the partner, from elsewhere", as_partner, "real");
        let from_everywhere = (100..160).flat_map(|network| {
            made_up(25).chain(["orders".to_owned()]).map(move |name| forged(network, &name, spf))
        });
        check_partner("from all over the net, to the name itself as well", from_everywhere, "real");
        let colleagues =
            made_up(25).map(|name| message(3, &format!("{name}@partner.example"), 66, &name, spf));
        check_partner("as colleagues of the partner", colleagues, "real");
    }
    let customer = |day, from: &str, network| {
        let from = from.to_owned();
        made_up(25).map(move |name| message(day, &from, network, &name, Spf::Pass)).collect::<Vec<_>>()
    };
    check_partner("from the partner's network", customer(3, "eve@evil.example", 1), "real");
    check_partner("at the partner's provider", customer(3, "eve@partner.example", 2), "real");
    // With so many addresses of his own that only the names are left which others may have used.
    let crowd = (0..1000).flat_map(|n| {
        let names = made_up(25).chain(["orders".to_owned()]);
        names.map(move |name| message(3, &format!("e{n}@evil.example"), 66, &name, Spf::Pass))
    });
    check_partner("crowding the partner out", crowd, "unknown");
}

#[test]
fn forgeries_do_not_keep_a_name_from_being_noticed() {
    let mut state = state();
    for name in made_up(3000) {
        state.note(&message(3, "jane@partner.example", 66, &name, Spf::NotPass));
    }
    state.note(&message(3, "jane@partner.example", 1, "orders", Spf::Pass));
    assert_eq!(state.verdict("orders"), "real");
}

#[test]
fn a_stranger_cannot_make_a_slip_of_a_name() {
    let forged = |name: &str| message(0, "jane@partner.example", 66, name, Spf::NotPass);
    let mut state = state();
    let note =
        |state: &mut State, name: &str| state.note(&message(0, "jane@partner.example", 1, name, Spf::Pass));
    note(&mut state, "invoices");
    for _ in 0..5 {
        state.note(&forged("invoice"));
    }
    assert_eq!(state.verdict("invoices"), "real", "the partner never wrote to the other");
    note(&mut state, "invoice");
    assert_eq!(state.verdict("invoices"), "real", "and but once");
    note(&mut state, "invoice");
    assert_eq!(state.verdict("invoices"), "typo of invoice");
}

#[test]
fn hashes_of_version_1_are_told_apart() {
    let mut state = state();
    for (name, spf) in [("a", Spf::Pass), ("b", Spf::NotPass), ("c", Spf::NotExamined)] {
        state.note(&message(0, "jane@partner.example", 1, name, spf));
        let name = &state.names[&state.id(&mailbox(name))];
        let mut old = name.clone();
        for one in &mut old.correspondents {
            // What they had in common.
            (one.sender, one.domain) = (spf.apart(one.sender), spf.apart(one.domain));
        }
        let mut octets = crate::memory::store::tests::octets(&old);
        octets[0] = 1;
        assert_eq!(crate::memory::store::tests::read::<Name>(&octets).ok().as_ref(), Some(name));
    }
}

#[test]
fn nothing_is_known_before_the_store_is_open() {
    let catch_all = CatchAll::new(Arc::default(), Duration::from_hours(24));
    catch_all.note(&message(0, "jane@friend.example", 1, "info", Spf::Pass));
    let question = UsageQuestion {
        mailbox: mailbox("info"),
        sender: ReversePath::Null,
        network: "192.0.2.0/24".parse().unwrap(),
    };
    assert!(matches!(catch_all.find(&question), Usage::Undetermined(_)));
}

/// Mail between a few, as dense as harvesters make it.
fn mail() -> impl Strategy<Value = Sighting> {
    let spf = prop::sample::select(vec![Spf::Pass, Spf::Pass, Spf::NotPass, Spf::NotExamined]);
    (0..20_i64, 0..6_u32, 0..4_u32, 0..60_u32, spf, any::<bool>(), 0..12).prop_map(
        |(day, sender, network, name, spf, returned, kind)| {
            let from = if sender == 0 { String::new() } else { format!("s{sender}@d{}.example", sender / 2) };
            let mut sighting = message(day, &from, network, &format!("n{name}"), spf);
            match (&mut sighting.seen, kind) {
                (_, 0) => sighting.seen = Seen::Ours,
                (Seen::Accepted(accepted), 1..3) => {
                    let (sender, network) = (accepted.sender.clone(), accepted.network);
                    sighting.seen = Seen::Deferred { sender, network };
                }
                (Seen::Accepted(accepted), _) => accepted.returned = returned && kind > 9,
                _ => {}
            }
            sighting
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn order_and_restarts_make_no_difference(
        mail in prop::collection::vec(mail(), 0..400),
        seed in any::<u64>(),
    ) {
        // Within the retention: what is older than that depends on when it comes.
        let mail: Vec<Sighting> = mail.into_iter().filter(|one| one.at < at(14)).collect();
        let mut shuffled = mail.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        let (mut one, mut other) = (state(), state());
        for sighting in &mail {
            one.note(sighting);
        }
        for sighting in &shuffled {
            other.note(sighting);
        }
        let reread = one.reread();
        for n in 0..60 {
            let name = format!("n{n}");
            prop_assert_eq!(one.verdict(&name), other.verdict(&name), "{}", name);
            prop_assert_eq!(one.verdict(&name), reread.verdict(&name), "{}", name);
        }
    }

    #[test]
    fn what_changes_is_what_is_written(mail in prop::collection::vec(mail(), 0..400)) {
        // A file that takes every change holds in the end what memory holds.
        let mut state = state();
        let mut file = std::collections::HashMap::new();
        for sighting in &mail {
            for change in state.note(sighting) {
                let (row, value) = crate::memory::store::tests::parts(change);
                match value {
                    Some(value) => file.insert(row, value),
                    None => file.remove(&row),
                };
            }
        }
        let expected: std::collections::HashMap<_, _> = state
            .rows()
            .into_iter()
            .map(crate::memory::store::tests::parts)
            .filter_map(|(row, value)| Some((row, value?)))
            .collect();
        prop_assert_eq!(file, expected);
    }
}
