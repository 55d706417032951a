//! The tracker against stories of who asked for what, and what must hold whatever is asked.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;

use super::super::record::FORGOTTEN_AFTER;
use super::*;

const HARVESTER: &str = "192.0.2.7";

fn asker(client: &str) -> Asker {
    Asker { client: client.parse().unwrap(), null_sender: false, may_be_excused: false }
}

/// A tracker with a clock that only a test moves.
struct Scene {
    tracker: Tracker,
    now: Timestamp,
    next_name: u32,
}

impl Scene {
    fn new(settings: Settings) -> Self {
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        Self { tracker: Tracker::new(settings, now), now, next_name: 0 }
    }

    fn standard() -> Self {
        Self::new(Settings::default())
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn unknown(&mut self, client: &str, name: &str) {
        let suspects = self.tracker.note_unknown(asker(client), name, self.now);
        assert!(suspects.is_empty(), "nobody forwards anything");
    }

    fn good(&mut self, client: &str, name: &str) {
        self.tracker.note_good(asker(client), name, self.now);
    }

    /// Names that nobody asked for before.
    fn guess(&mut self, client: &str, count: u32) {
        for _ in 0..count {
            self.next_name += 1;
            let name = format!("guess{}", self.next_name);
            self.unknown(client, &name);
        }
    }

    /// Names that bounces ask for.
    fn bounce(&mut self, client: &str, count: u32) {
        for _ in 0..count {
            self.next_name += 1;
            let asker = Asker { null_sender: true, ..asker(client) };
            self.tracker.note_unknown(asker, &format!("forged{}", self.next_name), self.now);
        }
    }

    /// Names asked for by a client of which only DNS tells whether it is a forwarder. Returns the suspects of the last.
    fn pass_on(&mut self, client: &str, count: u32) -> Vec<String> {
        let mut suspects = Vec::new();
        for _ in 0..count {
            self.next_name += 1;
            let asker = Asker { may_be_excused: true, ..asker(client) };
            suspects = self.tracker.note_unknown(asker, &format!("passed{}", self.next_name), self.now);
        }
        suspects.into_iter().map(|address| address.to_string()).collect()
    }

    /// What is blocked for the client, and for how many minutes still.
    fn standing(&mut self, client: &str) -> String {
        self.standing_of(client, false)
    }

    /// The same for mail with the null reverse-path, or for other mail.
    fn standing_of(&mut self, client: &str, null_sender: bool) -> String {
        match self.tracker.block_of(client.parse().unwrap(), null_sender, self.now) {
            None => "clear".to_owned(),
            Some(Block { network, until, names, .. }) => {
                let minutes = until.duration_since(self.now).as_secs() / 60;
                format!("{network} {names} names {minutes}m")
            }
        }
    }

    fn events(&mut self) -> Vec<String> {
        let in_words = |event| match event {
            Event::Began(block) => format!("began {} {}", block.network, block.times),
            Event::Ended(block, why) => format!("ended {} {why:?}", block.network),
        };
        self.tracker.take_events().into_iter().map(in_words).collect()
    }
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

#[test]
fn a_block_begins_at_the_threshold() {
    let mut scene = Scene::standard();
    scene.guess(HARVESTER, 9);
    assert_eq!(scene.standing(HARVESTER), "clear");
    scene.guess(HARVESTER, 1);
    assert_eq!(scene.standing(HARVESTER), "192.0.2.7/32 10 names 15m");
    assert_eq!(scene.standing("192.0.2.8"), "clear");
    assert_eq!(scene.events(), ["began 192.0.2.7/32 1"]);
}

#[test]
fn a_name_counts_once() {
    let mut scene = Scene::standard();
    for _ in 0..50 {
        scene.unknown(HARVESTER, "nobody");
    }
    scene.guess(HARVESTER, 8);
    assert_eq!(scene.standing(HARVESTER), "clear");
    scene.guess(HARVESTER, 1);
    assert_eq!(scene.standing(HARVESTER), "192.0.2.7/32 10 names 15m");
}

#[test]
fn names_count_for_the_window_after_they_were_last_asked_for() {
    let mut scene = Scene::standard();
    scene.guess(HARVESTER, 8);
    scene.unknown(HARVESTER, "again");
    scene.pass(minutes(6));
    scene.unknown(HARVESTER, "again");
    scene.pass(minutes(4));
    // The first eight are gone, one stays.
    scene.guess(HARVESTER, 8);
    assert_eq!(scene.standing(HARVESTER), "clear");
    scene.guess(HARVESTER, 1);
    assert_eq!(scene.standing(HARVESTER), "192.0.2.7/32 10 names 15m");
}

#[test]
fn a_network_of_ipv6_is_one_client() {
    let mut scene = Scene::standard();
    for host in 1..=10 {
        scene.guess(&format!("2001:db8::{host}"), 1);
    }
    assert_eq!(scene.standing("2001:db8::ffff"), "2001:db8::/64 10 names 15m");
    assert_eq!(scene.standing("2001:db8:0:1::1"), "clear");
    assert_eq!(scene.events(), ["began 2001:db8::/64 1"]);
}

#[test]
fn good_recipients_are_a_brake() {
    let mut scene = Scene::standard();
    for number in 0..100 {
        scene.good(HARVESTER, &format!("user{number}"));
    }
    scene.guess(HARVESTER, 49);
    assert_eq!(scene.standing(HARVESTER), "clear");
    // Nobody mistypes that often, unless he mostly does not.
    scene.guess(HARVESTER, 1);
    assert_eq!(scene.standing(HARVESTER), "192.0.2.7/32 50 names 15m");
    for number in 0..1000 {
        scene.good("198.51.100.1", &format!("user{number}"));
    }
    scene.guess("198.51.100.1", 111);
    assert_eq!(scene.standing("198.51.100.1"), "clear");
    scene.guess("198.51.100.1", 1);
    assert_eq!(scene.standing("198.51.100.1"), "198.51.100.1/32 112 names 15m");
}

#[test]
fn as_many_bad_names_as_good_ones_are_too_many() {
    let mut scene = Scene::standard();
    for number in 0..12 {
        scene.good(HARVESTER, &format!("user{number}"));
    }
    scene.guess(HARVESTER, 11);
    assert_eq!(scene.standing(HARVESTER), "clear");
    scene.guess(HARVESTER, 1);
    assert_eq!(scene.standing(HARVESTER), "192.0.2.7/32 12 names 15m");
}

#[test]
fn one_good_name_buys_no_guesses() {
    let mut scene = Scene::standard();
    for _ in 0..1000 {
        scene.good(HARVESTER, "info");
    }
    scene.guess(HARVESTER, 10);
    assert_eq!(scene.standing(HARVESTER), "192.0.2.7/32 10 names 15m");
}

/// How many unknown names can be asked for in an hour without a block, from these clients, by one who sends messages to
/// so many known ones: the best of all even paces. Other paces are no better, as a name counts for the whole window.
fn most_guesses(clients: &[&str], known: u32) -> u32 {
    let is_blocked = |each_window: u32| {
        let mut scene = Scene::standard();
        for _ in 0..6 {
            for number in 0..known {
                scene.good(clients[number as usize % clients.len()], &format!("user{number}"));
            }
            for number in 0..each_window {
                scene.guess(clients[number as usize % clients.len()], 1);
            }
            scene.pass(minutes(10));
        }
        !scene.events().is_empty()
    };
    6 * (1..1000).take_while(|each_window| !is_blocked(*each_window)).last().unwrap_or_default()
}

/// The figures that SECURITY.md gives.
#[test]
fn what_an_hour_of_guessing_yields() {
    let network: Vec<String> = (1..=200).map(|host| format!("192.0.2.{host}")).collect();
    let network: Vec<&str> = network.iter().map(String::as_str).collect();
    let block_of_64: Vec<String> = (1..=200).map(|host| format!("2001:db8::{host:x}")).collect();
    let block_of_64: Vec<&str> = block_of_64.iter().map(String::as_str).collect();
    for (clients, known, expected) in [
        (&[HARVESTER][..], 0, 54),
        (&[HARVESTER], 1, 54),
        (&[HARVESTER], 10, 54),
        (&[HARVESTER], 50, 294),
        (&[HARVESTER], 400, 294),
        (&[HARVESTER], 1000, 666),
        (&block_of_64, 0, 54),
        (&block_of_64, 50, 294),
        (&network, 0, 294),
        (&network, 200, 1194),
    ] {
        assert_eq!(most_guesses(clients, known), expected, "{} clients, {known} names", clients.len());
    }
}

#[test]
fn the_ratio_can_be_set() {
    for (good_ratio, expected) in [(0.0, "clear"), (1.0, "192.0.2.7/32 10 names 15m")] {
        let mut scene = Scene::new(Settings { good_ratio, ..Settings::default() });
        scene.good(HARVESTER, "info");
        scene.guess(HARVESTER, 10);
        assert_eq!(scene.standing(HARVESTER), expected, "{good_ratio}");
    }
}

#[test]
fn a_network_is_blocked_for_the_guesses_of_several_hosts() {
    let mut scene = Scene::standard();
    for host in 1..=5 {
        scene.guess(&format!("192.0.2.{host}"), 9);
    }
    scene.guess("192.0.2.6", 4);
    assert_eq!(scene.standing("192.0.2.200"), "clear");
    scene.guess("192.0.2.6", 1);
    assert_eq!(scene.standing("192.0.2.200"), "192.0.2.0/24 50 names 15m");
    assert_eq!(scene.standing("192.0.3.1"), "clear");
    assert_eq!(scene.events(), ["began 192.0.2.0/24 1"]);
}

#[test]
fn fewer_than_three_hosts_do_not_block_their_network() {
    // Many names from one are too many only if its own threshold is as high.
    let mut scene = Scene::new(Settings { threshold: 50, network_threshold: 50, ..Settings::default() });
    scene.guess("192.0.2.1", 49);
    scene.guess("192.0.2.2", 49);
    assert_eq!(scene.standing("192.0.2.200"), "clear");
    scene.guess("192.0.2.3", 1);
    assert_eq!(scene.standing("192.0.2.200"), "192.0.2.0/24 99 names 15m");
}

#[test]
fn a_bad_host_and_two_with_a_slip_do_not_block_their_network() {
    let mut scene = Scene::standard();
    scene.guess(HARVESTER, 200);
    scene.guess("192.0.2.1", 1);
    scene.guess("192.0.2.2", 1);
    assert_eq!(scene.standing("192.0.2.200"), "clear");
    assert_eq!(scene.events(), ["began 192.0.2.7/32 1"]);
}

#[test]
fn each_block_is_twice_as_long_until_a_day_was_clean() {
    let mut scene = Scene::standard();
    for expected in [15, 30, 60, 120] {
        scene.guess(HARVESTER, 10);
        assert_eq!(scene.standing(HARVESTER), format!("192.0.2.7/32 10 names {expected}m"));
        // Guesses while it lasts do not make it longer, nor the next one sooner.
        scene.guess(HARVESTER, 9);
        scene.pass(minutes(expected));
        assert_eq!(scene.standing(HARVESTER), "clear");
        scene.guess(HARVESTER, 9);
        assert_eq!(scene.standing(HARVESTER), "clear");
        scene.pass(minutes(10));
    }
    scene.pass(FORGOTTEN_AFTER.saturating_sub(minutes(10)));
    scene.guess(HARVESTER, 10);
    assert_eq!(scene.standing(HARVESTER), "192.0.2.7/32 10 names 15m");
    assert_eq!(scene.events().iter().filter(|event| event.starts_with("ended")).count(), 4);
}

#[test]
fn the_end_of_a_block_is_noticed() {
    let mut scene = Scene::standard();
    scene.guess(HARVESTER, 10);
    scene.pass(Duration::from_secs(15 * 60 - 1));
    scene.tracker.expire(scene.now);
    assert_eq!(scene.events(), ["began 192.0.2.7/32 1"]);
    scene.pass(Duration::from_secs(1));
    scene.tracker.expire(scene.now);
    assert_eq!(scene.events(), ["ended 192.0.2.7/32 Over"]);
    // That there was one is forgotten a day later, and with it everything.
    assert_eq!(scene.tracker.entries(), 1);
    scene.pass(FORGOTTEN_AFTER);
    scene.tracker.expire(scene.now);
    assert_eq!(scene.tracker.entries(), 0);
}

#[track_caller]
fn check_release(network: Option<&str>, released: &[&str]) {
    let mut scene = Scene::standard();
    for client in [HARVESTER, "198.51.100.1", "2001:db8::1"] {
        scene.guess(client, 10);
    }
    for host in 1..=6 {
        scene.guess(&format!("203.0.113.{host}"), 9);
    }
    scene.events();
    let network = network.map(|network| network.parse().unwrap());
    let found = scene.tracker.release(network, scene.now);
    let found: Vec<String> = found.iter().map(|block| block.network.to_string()).collect();
    assert_eq!(found, released, "{network:?}");
    let rest = scene.tracker.list(scene.now);
    assert_eq!(rest.len(), 4 - released.len());
    assert!(rest.iter().all(|block| !found.contains(&block.network.to_string())));
    assert_eq!(scene.events().len(), released.len());
    // It begins anew, and with a first block.
    if found.contains(&"192.0.2.7/32".to_owned()) {
        scene.guess(HARVESTER, 9);
        assert_eq!(scene.standing(HARVESTER), "clear");
        scene.guess(HARVESTER, 1);
        assert_eq!(scene.standing(HARVESTER), "192.0.2.7/32 10 names 15m");
    }
}

#[test]
fn what_is_released() {
    check_release(Some("192.0.2.7/32"), &["192.0.2.7/32"]);
    check_release(Some("192.0.2.0/24"), &["192.0.2.7/32"]);
    check_release(Some("192.0.2.8/32"), &[]);
    check_release(Some("2001:db8::7/128"), &["2001:db8::/64"]);
    check_release(Some("203.0.113.99/32"), &["203.0.113.0/24"]);
    check_release(Some("0.0.0.0/0"), &["192.0.2.7/32", "198.51.100.1/32", "203.0.113.0/24"]);
    check_release(None, &["192.0.2.7/32", "198.51.100.1/32", "203.0.113.0/24", "2001:db8::/64"]);
}

#[test]
fn who_becomes_exempt_is_released() {
    let mut scene = Scene::standard();
    scene.guess(HARVESTER, 10);
    scene.guess("198.51.100.1", 10);
    let exempt = vec!["192.0.2.0/24".parse().unwrap()];
    scene.tracker.apply(Settings { exempt, ..Settings::default() }, scene.now);
    scene.guess(HARVESTER, 100);
    assert_eq!(scene.standing(HARVESTER), "clear");
    assert_eq!(scene.standing("198.51.100.1"), "198.51.100.1/32 10 names 15m");
    assert_eq!(
        scene.events(),
        ["began 192.0.2.7/32 1", "began 198.51.100.1/32 1", "ended 192.0.2.7/32 Exempt"]
    );
}

#[test]
fn what_was_only_spoken_of_is_not_enforced_later() {
    let watching = Settings { enforced: false, ..Settings::default() };
    let mut scene = Scene::new(watching.clone());
    scene.guess(HARVESTER, 10);
    scene.tracker.apply(Settings { block: minutes(1), ..watching }, scene.now);
    assert_eq!(scene.standing(HARVESTER), "192.0.2.7/32 10 names 15m");
    scene.tracker.apply(Settings::default(), scene.now);
    assert_eq!(scene.standing(HARVESTER), "clear");
    assert_eq!(scene.events(), ["began 192.0.2.7/32 1", "ended 192.0.2.7/32 Enforced"]);
}

#[test]
fn a_shorter_window_counts_at_once() {
    let mut scene = Scene::standard();
    scene.guess(HARVESTER, 9);
    scene.pass(minutes(2));
    scene.tracker.apply(Settings { window: minutes(1), ..Settings::default() }, scene.now);
    scene.guess(HARVESTER, 9);
    assert_eq!(scene.standing(HARVESTER), "clear");
}

#[test]
fn a_flood_of_addresses_does_not_end_blocks() {
    let mut scene = Scene::new(Settings { memory_entries: 100, ..Settings::default() });
    scene.guess(HARVESTER, 10);
    scene.guess("198.51.100.1", 9);
    for number in 0..1000_u32 {
        let client = IpAddr::V4((u32::from_be_bytes([10, 0, 0, 0]) + number * 256).into()).to_string();
        if number % 2 == 0 {
            scene.unknown(&client, "nobody");
        } else {
            scene.good(&client, "nobody");
        }
        assert!(scene.tracker.entries() <= 100);
    }
    assert_eq!(scene.standing(HARVESTER), "192.0.2.7/32 10 names 15m");
    // Neither does it hide who was at it.
    scene.guess("198.51.100.1", 1);
    assert_eq!(scene.standing("198.51.100.1"), "198.51.100.1/32 10 names 15m");
}

#[test]
fn a_memory_full_of_blocks_holds_no_more() {
    let block = Duration::from_hours(24);
    let mut scene = Scene::new(Settings { memory_entries: 40, threshold: 2, block, ..Settings::default() });
    for number in 0..100 {
        scene.guess(&format!("10.0.{number}.1"), 2);
        scene.pass(minutes(3));
    }
    assert!(scene.tracker.entries() <= 40);
    let blocked = scene.tracker.list(scene.now).len();
    assert!(blocked > 30, "{blocked}");
    assert!(scene.standing("10.0.0.1").starts_with("10.0.0.1/32"), "the first one stays");
    scene.tracker.apply(Settings { memory_entries: 10, ..Settings::default() }, scene.now);
    assert!(scene.tracker.entries() <= 10);
    let events = scene.events();
    assert_eq!(events.iter().filter(|event| event.ends_with("NoRoom")).count(), blocked - 10);
}

#[test]
fn a_clock_that_is_set_back_makes_no_block_longer() {
    let mut scene = Scene::standard();
    scene.guess(HARVESTER, 10);
    scene.pass(minutes(5));
    scene.guess("198.51.100.1", 9);
    scene.tracker.expire(scene.now);
    scene.now = "2020-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(scene.standing(HARVESTER), "192.0.2.7/32 10 names 10m");
    scene.pass(minutes(10));
    assert_eq!(scene.standing(HARVESTER), "clear");
    scene.guess("198.51.100.1", 1);
    assert_eq!(scene.standing("198.51.100.1"), "clear");
}

#[test]
fn bounces_are_counted_apart() {
    let mut scene = Scene::standard();
    scene.bounce(HARVESTER, 9);
    scene.guess(HARVESTER, 9);
    assert_eq!(scene.standing_of(HARVESTER, true), "clear");
    scene.bounce(HARVESTER, 1);
    assert_eq!(scene.standing_of(HARVESTER, true), "192.0.2.7/32 10 names 15m");
    assert_eq!(scene.standing(HARVESTER), "clear", "its users' own mail");
    scene.pass(minutes(1));
    scene.guess(HARVESTER, 1);
    assert_eq!(scene.standing(HARVESTER), "192.0.2.7/32 10 names 15m");
    assert_eq!(scene.standing_of(HARVESTER, true), "192.0.2.7/32 10 names 15m");
    assert_eq!(scene.tracker.list(scene.now).len(), 2);
    assert_eq!(scene.tracker.release(Some("192.0.2.7/32".parse().unwrap()), scene.now).len(), 2);
    assert_eq!(scene.standing_of(HARVESTER, true), "clear");
}

#[test]
fn who_is_blocked_sends_no_bounces_either() {
    let mut scene = Scene::standard();
    scene.guess(HARVESTER, 10);
    assert_eq!(scene.standing_of(HARVESTER, true), "192.0.2.7/32 10 names 15m");
}

#[test]
fn bounces_from_all_over_a_network_block_its_bounces() {
    let mut scene = Scene::standard();
    for host in 1..=6 {
        scene.bounce(&format!("192.0.2.{host}"), 9);
    }
    assert_eq!(scene.standing_of("192.0.2.200", true), "192.0.2.0/24 50 names 15m");
    assert_eq!(scene.standing("192.0.2.200"), "clear");
}

#[test]
fn forwarders_by_network_are_not_counted() {
    let forwarders = vec!["192.0.2.7/32".parse().unwrap(), "2001:db8::7/128".parse().unwrap()];
    let mut scene = Scene::standard();
    scene.guess(HARVESTER, 10);
    scene.tracker.apply(Settings { forwarders, network_threshold: 10, ..Settings::default() }, scene.now);
    assert_eq!(scene.events(), ["began 192.0.2.7/32 1", "ended 192.0.2.7/32 Exempt"]);
    scene.tracker.release(None, scene.now);
    scene.guess(HARVESTER, 100);
    scene.bounce(HARVESTER, 100);
    scene.guess("2001:db8::7", 100);
    assert_eq!(scene.events(), [""; 0]);
    // Not even where its network is blocked for others.
    for host in 1..=3 {
        scene.guess(&format!("192.0.2.{host}"), 4);
    }
    assert_eq!(scene.standing("192.0.2.200"), "192.0.2.0/24 10 names 15m");
    assert_eq!(scene.standing(HARVESTER), "clear");
    scene.guess("2001:db8::8", 10);
    assert_eq!(scene.standing("2001:db8::7"), "clear");
    assert_eq!(scene.standing("2001:db8::8"), "2001:db8::/64 10 names 15m");
}

#[test]
fn a_block_waits_for_the_news_who_is_a_forwarder() {
    let mut scene = Scene::standard();
    assert_eq!(scene.pass_on(HARVESTER, 9), [""; 0]);
    assert_eq!(scene.pass_on(HARVESTER, 1), [HARVESTER]);
    assert_eq!(scene.pass_on(HARVESTER, 20), [""; 0], "it is being asked");
    assert_eq!(scene.standing(HARVESTER), "clear");
    // Nothing came of it.
    scene.pass(minutes(1));
    assert_eq!(scene.pass_on(HARVESTER, 1), [HARVESTER]);
    // It is none.
    scene.unknown(HARVESTER, "passed31");
    assert_eq!(scene.standing(HARVESTER), "192.0.2.7/32 31 names 15m");
}

/// Seven messages with nine unknown names each, through seven hosts of a provider that our users write to.
#[test]
fn a_provider_is_not_blocked_for_one_of_its_customers() {
    let mut scene = Scene::standard();
    for host in 1..=5 {
        assert_eq!(scene.pass_on(&format!("192.0.2.{host}"), 9), [""; 0]);
    }
    let suspects = scene.pass_on("192.0.2.6", 5);
    assert_eq!(suspects, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"]);
    let vouch = |scene: &mut Scene, client: &str| {
        scene.tracker.vouch(client.parse().unwrap(), "webmail.example", scene.now)
    };
    for client in &suspects {
        assert!(vouch(&mut scene, client));
    }
    scene.guess("192.0.2.1", 500);
    scene.guess("192.0.2.2", 300);
    assert_eq!(scene.events(), [""; 0]);
    // Others of the network are counted, and blocked with it; those who were vouched for are not.
    for host in 11..=15 {
        scene.guess(&format!("192.0.2.{host}"), 9);
    }
    scene.guess("192.0.2.16", 5);
    assert_eq!(scene.standing("192.0.2.200"), "192.0.2.0/24 50 names 15m");
    assert_eq!(scene.standing("192.0.2.1"), "clear");
    // The domain answers for a thousand names in a window, and then every host for itself again.
    scene.guess("192.0.2.1", 150);
    assert_eq!(scene.standing("192.0.2.1"), "clear");
    scene.guess("192.0.2.1", 10);
    assert!(scene.standing("192.0.2.1").starts_with("192.0.2."), "it is counted again");
    scene.guess("198.51.100.2", 9);
    assert!(!vouch(&mut scene, "198.51.100.2"), "there is no room for more");
    scene.pass(minutes(10));
    assert!(vouch(&mut scene, "198.51.100.2"));
}

#[test]
fn a_host_that_is_vouched_for_is_released() {
    let mut scene = Scene::standard();
    scene.guess("2001:db8::7", 10);
    scene.guess(HARVESTER, 10);
    for client in ["2001:db8::7", HARVESTER] {
        assert!(scene.tracker.vouch(client.parse().unwrap(), "webmail.example", scene.now));
        assert_eq!(scene.standing(client), "clear");
    }
    assert_eq!(scene.events().iter().filter(|event| event.ends_with("Exempt")).count(), 2);
    // An hour later it has to be looked at again.
    scene.pass(minutes(60));
    assert_eq!(scene.pass_on(HARVESTER, 10), [HARVESTER]);
}

#[test]
fn so_many_domains_answer_for_their_hosts() {
    let mut scene = Scene::standard();
    for number in 0..MOST_PARTNERS {
        let client = format!("10.0.{number}.1");
        scene.guess(&client, 1);
        assert!(scene.tracker.vouch(client.parse().unwrap(), &format!("d{number}.example"), scene.now));
    }
    assert!(!scene.tracker.vouch(HARVESTER.parse().unwrap(), "another.example", scene.now));
    scene.pass(minutes(10));
    assert!(scene.tracker.vouch(HARVESTER.parse().unwrap(), "another.example", scene.now));
}

#[test]
fn a_forwarder_is_excused_for_an_hour() {
    let mut scene = Scene::standard();
    assert_eq!(scene.pass_on(HARVESTER, 10), [HARVESTER]);
    scene.tracker.excuse(HARVESTER.parse().unwrap(), scene.now);
    assert_eq!(scene.pass_on(HARVESTER, 1000), [""; 0]);
    scene.guess(HARVESTER, 1000);
    scene.bounce(HARVESTER, 1000);
    assert_eq!(scene.events(), [""; 0]);
    assert_eq!(scene.tracker.entries(), 1);
    scene.pass(minutes(60));
    scene.tracker.expire(scene.now);
    assert_eq!(scene.tracker.entries(), 0);
    assert_eq!(scene.pass_on(HARVESTER, 10), [HARVESTER]);
}

#[test]
fn what_forwarders_asked_for_does_not_count_for_their_network() {
    let mut scene = Scene::new(Settings { network_threshold: 20, ..Settings::default() });
    for host in 1..=5 {
        scene.pass_on(&format!("192.0.2.{host}"), 3);
    }
    let suspects = scene.pass_on("192.0.2.6", 5);
    assert_eq!(suspects, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"]);
    scene.tracker.excuse("192.0.2.1".parse().unwrap(), scene.now);
    scene.unknown("192.0.2.6", "passed20");
    assert_eq!(scene.standing("192.0.2.200"), "clear", "17 names by five");
    scene.guess("192.0.2.200", 3);
    assert_eq!(scene.standing("192.0.2.200"), "192.0.2.0/24 20 names 15m");
}

#[test]
fn a_forwarder_that_was_blocked_is_released() {
    let mut scene = Scene::standard();
    scene.guess(HARVESTER, 10);
    scene.bounce("2001:db8::7", 10);
    scene.tracker.excuse(HARVESTER.parse().unwrap(), scene.now);
    scene.tracker.excuse("2001:db8::7".parse().unwrap(), scene.now);
    assert_eq!(scene.standing(HARVESTER), "clear");
    assert_eq!(scene.events()[2..], ["ended 192.0.2.7/32 Exempt", "ended 2001:db8::/64 Exempt"]);
    // Its neighbours of the /64 begin anew, and are blocked.
    scene.guess("2001:db8::7", 10);
    scene.guess("2001:db8::8", 10);
    assert_eq!(scene.standing("2001:db8::8"), "2001:db8::/64 10 names 15m");
}

/// What may happen to a tracker.
#[derive(Clone, Debug)]
enum Step {
    Unknown(u8, u8, bool),
    Excuse(u8),
    Good(u8, u8),
    /// Seconds; negative: the clock is set back.
    Pass(i64),
    Release(u8),
    Apply(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0..6_u8, 0..30_u8, any::<bool>()).prop_map(|(client, name, null)| Step::Unknown(client, name, null)),
        1 => (0..6_u8).prop_map(Step::Excuse),
        3 => (0..6_u8, 0..30_u8).prop_map(|(client, name)| Step::Good(client, name)),
        2 => (-300..2000_i64).prop_map(Step::Pass),
        1 => (0..6_u8).prop_map(Step::Release),
        1 => any::<bool>().prop_map(Step::Apply),
    ]
}

fn client(number: u8) -> IpAddr {
    match number {
        0..4 => [192, 0, 2, number].into(),
        4 => [198, 51, 100, 1].into(),
        _ => "2001:db8::1".parse().unwrap(),
    }
}

proptest! {
    #[test]
    fn whatever_happens(steps in prop::collection::vec(step(), 1..400), memory_entries in 1..80_usize) {
        let settings = Settings {
            threshold: 4, network_threshold: 9, memory_entries, block: minutes(2), ..Settings::default()
        };
        let mut scene = Scene::new(settings.clone());
        // Every unknown name that a client has ever asked for since it was last blocked or released.
        let mut asked: HashMap<(IpNet, bool), HashSet<u8>> = HashMap::new();
        let mut open: HashSet<(IpNet, bool)> = HashSet::new();
        for step in steps {
            match step {
                Step::Unknown(number, name, null_sender) => {
                    let asker = Asker { client: client(number), null_sender, may_be_excused: false };
                    let suspects = scene.tracker.note_unknown(asker, &name.to_string(), scene.now);
                    prop_assert_eq!(suspects, Vec::<IpAddr>::new());
                    for network in [Whose::client(client(number), false), Whose::around(client(number), false)].map(|whose| whose.network()) {
                        asked.entry((network, null_sender)).or_default().insert(name);
                    }
                }
                Step::Excuse(number) => {
                    scene.tracker.excuse(client(number), scene.now);
                }
                Step::Good(number, name) => {
                    let asker = Asker { client: client(number), null_sender: false, may_be_excused: false };
                    scene.tracker.note_good(asker, &name.to_string(), scene.now);
                }
                Step::Pass(seconds) => {
                    scene.now += SignedDuration::from_secs(seconds);
                    scene.tracker.expire(scene.now);
                }
                Step::Release(number) => {
                    scene.tracker.release(Some(client(number).into()), scene.now);
                    prop_assert_eq!(scene.tracker.block_of(client(number), true, scene.now), None);
                }
                Step::Apply(exempt) => {
                    let exempt = if exempt { vec!["192.0.2.0/30".parse().unwrap()] } else { Vec::new() };
                    scene.tracker.apply(Settings { exempt, ..settings.clone() }, scene.now);
                }
            }
            prop_assert!(scene.tracker.entries() <= memory_entries, "the memory is bounded");
            for event in scene.tracker.take_events() {
                match event {
                    Event::Began(block) => {
                        let threshold = if block.network.prefix_len() == 24 { 9 } else { 4 };
                        prop_assert!(block.names >= threshold);
                        prop_assert!(asked.remove(&(block.network, block.null_sender)).unwrap_or_default().len() >= block.names);
                        prop_assert!(open.insert((block.network, block.null_sender)), "no block begins twice");
                        let longest = SignedDuration::try_from(settings.block_max).unwrap();
                        prop_assert!(block.until.duration_since(block.since) <= longest);
                    }
                    Event::Ended(block, _) => prop_assert!(open.remove(&(block.network, block.null_sender)), "it had begun"),
                }
            }
            let listed: HashSet<(IpNet, bool)> =
                scene.tracker.list(scene.now).into_iter().map(|block| (block.network, block.null_sender)).collect();
            prop_assert_eq!(&listed, &open, "what has begun and not ended is in force");
        }
    }
}
