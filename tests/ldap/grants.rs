//! Grants that a directory holds.

use lockdown_milter::facts::{Grant, GrantQuestion};
use lockdown_milter::lookup::directory::GRANT_PLACES;
use lockdown_milter::lookup::identities::{Identities, SourceSettings};
use lockdown_milter::session::Login;

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
