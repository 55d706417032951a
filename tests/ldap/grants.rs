//! Grants that a directory holds.

use lockdown_milter::clients::directory::{GRANT_PLACES, Referrals, Settings, Template};
use lockdown_milter::facts::{Grant, GrantQuestion};
use lockdown_milter::session::Login;
use lockdown_milter::sources::identities::{Identities, SourceSettings};

use crate::PEOPLE;
use crate::slapd::Slapd;

async fn open(url: &str, filter: &str, attributes: &[&str]) -> Identities {
    let source = SourceSettings::Ldap {
        directory: Box::new(crate::settings(url, filter, &GRANT_PLACES)),
        attributes: attributes.iter().map(|name| (*name).to_owned()).collect(),
    };
    Identities::open(&[source], None).await.unwrap()
}

async fn ask(identities: &Identities, login: &str, mailbox: &str) -> (&'static str, String) {
    let question = GrantQuestion {
        login: Login(login.to_owned()),
        mailbox: mailbox.parse().unwrap_or_else(|error| panic!("{mailbox}: {error}")),
        subdomains: false,
    };
    match identities.find(&question, tokio::time::Instant::now() + std::time::Duration::from_mins(1)).await {
        Grant::Granted(by) => ("granted", by),
        Grant::NotGranted(asked) => ("not granted", asked.join(", ")),
        Grant::Undetermined(why) => ("undetermined", why),
    }
}

async fn check(identities: &Identities, cases: &[(&str, &str, &str)]) {
    for (login, mailbox, expected) in cases {
        let (found, why) = ask(identities, login, mailbox).await;
        assert_eq!(found, *expected, "{login} as {mailbox}: {why}");
    }
}

#[tokio::test]
async fn an_entry_is_a_grant() {
    if !Slapd::is_available() {
        return;
    }
    let slapd = Slapd::start(PEOPLE);
    let identities = open(&slapd.url(), "(&(uid={login})(mail={address}))", &[]).await;
    check(
        &identities,
        &[
            ("alice", "alice@example.org", "granted"),
            ("alice", "a.alice@example.org", "granted"),
            ("boss", "\"the boss\"@example.org", "granted"),
            ("alice", "bob@example.org", "not granted"),
            ("alice", "anybody@sales.example", "not granted"),
            ("bob", "anybody@sales.example", "not granted"),
            ("nobody", "alice@example.org", "not granted"),
            ("*", "alice@example.org", "not granted"),
            ("", "alice@example.org", "not granted"),
            ("alice)(mail=*", "bob@example.org", "not granted"),
            ("*)(uid=*", "\"*)(uid=*\"@example.org", "not granted"),
            ("star", "\"*)(uid=*\"@example.org", "granted"),
            ("alice", "\"*\"@example.org", "not granted"),
            ("alice ", "alice@example.org", "not granted"),
            ("ali\0ce", "alice@example.org", "not granted"),
            ("{address}", "alice@example.org", "not granted"),
            ("' OR 1=1 --", "alice@example.org", "not granted"),
        ],
    )
    .await;
    let (_, by) = ask(&identities, "alice", "alice@example.org").await;
    assert_eq!(by, format!("alice@example.org (ldap {})", slapd.url()));
}

#[tokio::test]
async fn values_are_grants() {
    if !Slapd::is_available() {
        return;
    }
    let slapd = Slapd::start(PEOPLE);
    check(
        &open(&slapd.url(), "(uid={login})", &["mail"]).await,
        &[
            ("alice", "alice@example.org", "granted"),
            ("bob", "anybody@sales.example", "granted"),
            ("bob", "ceo@example.org", "not granted"),
            ("*", "alice@example.org", "not granted"),
            ("nobody", "alice@example.org", "not granted"),
        ],
    )
    .await;
    // Several in one value, and some that are none.
    check(
        &open(&slapd.url(), "(uid={login})", &["mail", "description"]).await,
        &[
            ("bob", "bob@example.org", "granted"),
            ("bob", "cfo@example.org", "granted"),
            ("bob", "odd@example.org", "not granted"),
        ],
    )
    .await;
}

/// As Exchange keeps them in `proxyAddresses`: other kinds than addresses of mail grant nothing, whatever is in them.
#[tokio::test]
async fn addresses_behind_the_name_of_their_kind() {
    if !Slapd::is_available() {
        return;
    }
    let slapd = Slapd::start(PEOPLE);
    let cases = [
        ("bob", "ceo@exchange.example", "granted"),
        ("bob", "a.liddell@exchange.example", "granted"),
        ("bob", "blank@exchange.example", "granted"),
        ("bob", "mailto@exchange.example", "granted"),
        ("bob", "chef@exchange.example", "not granted"),
        ("bob", "sip@exchange.example", "not granted"),
        ("bob", "anybody@wild.example", "not granted"),
        ("bob", "alice@example.org", "not granted"),
        ("alice", "ceo@exchange.example", "not granted"),
    ];
    check(&open(&slapd.url(), "(uid={login})", &["proxyAddresses"]).await, &cases).await;
    let by_address = open(&slapd.url(), "(&(uid={login})(proxyAddresses=smtp:{address}))", &[]).await;
    check(&by_address, &cases[..2]).await;
    check(&by_address, &cases[4..]).await;
}

/// From the root of a directory parts of which are on other servers.
#[tokio::test]
async fn parts_that_are_elsewhere() {
    if !Slapd::is_available() {
        return;
    }
    let slapd = Slapd::start(&format!("{PEOPLE}{}{}", crate::APPLICATION_PARTITIONS, crate::CHILD_DOMAIN));
    for (referrals, other) in [(Referrals::Ignore, "not granted"), (Referrals::Defer, "undetermined")] {
        let directory = Settings {
            base: Template::parse("dc=example,dc=org", &GRANT_PLACES).unwrap(),
            referrals,
            ..crate::settings(&slapd.url(), "(uid={login})", &GRANT_PLACES)
        };
        let source =
            SourceSettings::Ldap { directory: Box::new(directory), attributes: vec!["mail".to_owned()] };
        let identities = Identities::open(&[source], None).await.unwrap();
        let cases = [("alice", "alice@example.org", "granted"), ("alice", "bob@example.org", other)];
        check(&identities, &cases).await;
    }
}

#[tokio::test]
async fn a_server_that_does_not_tell() {
    if !Slapd::is_available() {
        return;
    }
    let mut slapd = Slapd::start_with("sizelimit 2\n", PEOPLE);
    // Of all entries only two are told.
    let cut = open(&slapd.url(), "(|(uid={login})(objectClass=*))", &["mail"]).await;
    check(&cut, &[("nobody", "star@example.org", "undetermined")]).await;
    let identities = open(&slapd.url(), "(uid={login})", &["mail"]).await;
    slapd.pause();
    check(&identities, &[("alice", "alice@example.org", "undetermined")]).await;
    slapd.resume();
    check(&identities, &[("alice", "alice@example.org", "granted")]).await;
    slapd.stop();
    check(&identities, &[("alice", "alice@example.org", "undetermined")]).await;
    slapd.run();
    check(&identities, &[("alice", "bob@example.org", "not granted"), ("bob", "bob@example.org", "granted")])
        .await;
}
