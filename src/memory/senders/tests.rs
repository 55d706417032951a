//! What is kept, and what goes first.

use super::*;
use crate::memory::store::tests::{read, written};

fn sighting(domain: &str, client: &str, day: i64, seen: Seen) -> Sighting {
    let at = Timestamp::from_second(1_790_000_000 + day * 86_400).unwrap();
    Sighting { domain: domain.parse().unwrap(), client: client.parse().ok(), at, seen }
}

fn rows<'s>(state: &'s State, domain: &str) -> &'s BTreeMap<Source, Row> {
    &state.domains[&domain.parse().unwrap()]
}

#[test]
fn who_sends_is_kept_by_what_speaks_for_it() {
    let (pass, fail) = (Seen::Foreign(Some(SpfResult::Pass)), Seen::Refused(Some(SpfResult::Fail)));
    let mut state = State::default();
    state.note(&sighting("example.org", "203.0.113.9", 0, pass));
    state.note(&sighting("example.org", "203.0.113.10", 0, Seen::Ours));
    for _ in 0..3 {
        state.note(&sighting("example.org", "203.0.113.11", 0, Seen::Foreign(Some(SpfResult::None))));
    }
    for number in 0..10_000_u32 {
        let client = std::net::Ipv4Addr::from(0x3c00_0000 + number).to_string();
        state.note(&sighting("example.org", &client, 1, fail));
    }
    let kept = rows(&state, "example.org");
    assert!(kept.len() <= MOST_OF_DOMAIN + 1, "{}", kept.len());
    for client in ["203.0.113.9/32", "203.0.113.11/32"] {
        assert!(kept.contains_key(&Source::Client(client.parse().unwrap())), "{client}");
    }
    // Nothing is lost of what was counted.
    let total = kept.values().fold(Tally::default(), |sum, row| {
        row.clone()
            .into_sender(Id { domain: "example.org".parse().unwrap(), source: Source::Ours })
            .total(Day::MIN)
            .plus(sum)
    });
    assert_eq!((total.ours, total.pass, total.none, total.fail, total.refused), (1, 1, 3, 10_000, 10_000));
    assert_eq!(state.rows, kept.len());
}

#[test]
fn all_domains_together_are_bounded() {
    let mut state = State::default();
    for domain in 0..60 {
        for number in 0..500_u32 {
            let client = std::net::Ipv4Addr::from(0x3c00_0000 + number).to_string();
            let name = format!("d{domain}.example");
            state.note(&sighting(&name, &client, 0, Seen::Foreign(None)));
        }
    }
    assert_eq!(state.rows, state.domains.values().map(BTreeMap::len).sum::<usize>());
    assert!(state.rows <= MOST + 60, "{}", state.rows);
}

#[test]
fn ipv6_clients_are_networks_and_days_go() {
    let mut state = State::default();
    let seen = Seen::Foreign(Some(SpfResult::Softfail));
    for (client, day) in [("2001:db8::1", 0), ("2001:db8::2", 1), ("::ffff:192.0.2.1", 9)] {
        state.note(&sighting("example.org", client, day, seen));
    }
    let sources: Vec<Source> = rows(&state, "example.org").keys().copied().collect();
    let client = |text: &str| Source::Client(text.parse().unwrap());
    assert_eq!(sources, [client("192.0.2.1/32"), client("2001:db8::/64")]);
    let today = Day::of(sighting("example.org", "", 10, seen).at);
    assert_eq!(state.purge(today, 9).len(), 1, "one day of two goes");
    assert_eq!(state.purge(today, 9), [], "once a day");
    assert_eq!(state.purge(Day::of(sighting("example.org", "", 11, seen).at), 5).len(), 1);
    assert_eq!(state.rows, 1);
}

#[test]
fn rows_come_back_from_the_store() {
    let mut state = State::default();
    state.note(&sighting("example.org", "192.0.2.1", 0, Seen::Foreign(Some(SpfResult::Pass))));
    state.note(&sighting("example.org", "192.0.2.1", 3, Seen::Refused(None)));
    for row in rows(&state, "example.org").values() {
        assert_eq!(written(row), *row);
    }
    assert!(read::<Row>(&[2, 0, 0, 0, 0]).is_err(), "another version");
    for source in [Source::Ours, Source::Others, Source::Client("2001:db8::/64".parse().unwrap())] {
        let id = Id { domain: "example.org".parse().unwrap(), source };
        assert_eq!(
            <Id as crate::memory::store::Key>::decode(&crate::memory::store::Key::encode(&id)),
            Some(id)
        );
    }
}
