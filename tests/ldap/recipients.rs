//! Recipients that a directory knows.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use lockdown_milter::clients::directory::{Bind, RECIPIENT_PLACES, Referrals, Scope, Settings, Template};
use lockdown_milter::facts::{Cost, Existence, RecipientQuestion, SourceId};
use lockdown_milter::sources::recipients::{Recipients, SourceSettings};
use tokio::time::Instant;

use crate::PEOPLE;
use crate::slapd::{READER, READER_PASSWORD, Slapd};

/// How long an answer may take while a server hangs: a search, and some time for a busy machine.
const HANGING: Duration = Duration::from_millis(4500);

pub(crate) fn settings(url: &str) -> Settings {
    crate::settings(url, "(mail={address})", &RECIPIENT_PLACES)
}

pub(crate) async fn open(settings: Settings) -> Recipients {
    try_open(settings).await.unwrap()
}

async fn try_open(settings: Settings) -> Result<Recipients, Vec<String>> {
    let opened = Recipients::open(&[SourceSettings::Ldap(Box::new(settings))]).await;
    opened.map_err(|problems| problems.into_iter().map(|problem| problem.to_string()).collect())
}

/// What is said of an address, in a word, and why.
pub(crate) async fn ask(recipients: &Recipients, address: &str) -> (&'static str, String) {
    let question = RecipientQuestion {
        source: SourceId { number: 0, cost: Cost::Near },
        forms: vec![address.parse().unwrap_or_else(|error| panic!("{address}: {error}"))],
        case_sensitive: false,
        by_name: true,
    };
    match recipients.find(&question).await {
        Existence::Exists(by) => ("exists", by.to_string()),
        Existence::Relocated { by, .. } => ("relocated", by.to_string()),
        Existence::Ambiguous(by) => ("ambiguous", by.to_string()),
        Existence::Wildcard(by) => ("wildcard", by.to_string()),
        Existence::Unknown(by) => ("unknown", by),
        Existence::NoList(why) => ("no list", why),
        Existence::Undetermined(why) => ("undetermined", why),
    }
}

/// Holds what is said of addresses.
pub(crate) async fn check(recipients: &Recipients, cases: &[(&str, &str)]) {
    for (address, expected) in cases {
        let (found, why) = ask(recipients, address).await;
        assert_eq!(found, *expected, "{address}: {why}");
    }
}

const KNOWN: [(&str, &str); 4] = [
    ("alice@example.org", "exists"),
    ("a.alice@example.org", "exists"),
    ("\"the boss\"@example.org", "exists"),
    ("nobody@example.org", "unknown"),
];

#[tokio::test]
async fn names_that_a_directory_knows() {
    if !Slapd::is_available() {
        return;
    }
    let slapd = Slapd::start(PEOPLE);
    for url in [slapd.url(), slapd.socket_url()] {
        let recipients = open(settings(&url)).await;
        check(&recipients, &KNOWN).await;
        let (_, by) = ask(&recipients, "alice@example.org").await;
        assert!(by.starts_with("alice@example.org (ldap ldap"), "{by}");
    }
}

/// What a hostile sender may put into RCPT TO. A name that the directory has is found as it is.
#[tokio::test]
async fn hostile_names_are_literal_or_refused() {
    if !Slapd::is_available() {
        return;
    }
    let slapd = Slapd::start(PEOPLE);
    let long = format!("{}@example.org", "a".repeat(4000));
    let cases = [
        ("\"' OR 1=1 --\"@example.org", "unknown"),
        ("\"*\"@example.org", "unknown"),
        ("*@example.org", "unknown"),
        ("a*@example.org", "unknown"),
        ("\"*)(uid=*\"@example.org", "exists"),
        ("\"*)(uid=alice\"@example.org", "unknown"),
        ("\"a\\\\b\"@example.org", "exists"),
        ("\"a\\\\2ab\"@example.org", "unknown"),
        ("'--@example.org", "exists"),
        ("..%2f@example.org", "unknown"),
        ("%s@example.org", "exists"),
        ("%u@example.org", "unknown"),
        ("{address}@example.org", "unknown"),
        ("\"ali\\\0ce\"@example.org", "unknown"),
        ("\"the\tboss\"@example.org", "unknown"),
        ("\"the\\\nboss\"@example.org", "unknown"),
        ("\"the  boss\"@example.org", "unknown"),
        ("\" the boss\"@example.org", "unknown"),
        ("alice\u{200b}@example.org", "unknown"),
        (&long, "unknown"),
    ];
    let usable: Vec<_> = cases
        .into_iter()
        .filter(|(address, _)| address.parse::<lockdown_milter::mail::Mailbox>().is_ok())
        .collect();
    assert!(usable.len() >= 14, "{usable:?}");
    check(&open(settings(&slapd.url())).await, &usable).await;
    // The same where the parts stand for themselves, in the filter and in the base.
    let parts = crate::settings(&slapd.url(), "(&(cn={local_part})(mail=*@{domain}))", &RECIPIENT_PLACES);
    let cases = [
        ("\"*)(uid=*\"@example.org", "exists"),
        ("\"*\"@example.org", "unknown"),
        ("alice@example.org", "exists"),
    ];
    check(&open(parts).await, &cases).await;
    let base = Settings {
        base: Template::parse("cn={local_part},ou=people,dc=example,dc=org", &RECIPIENT_PLACES).unwrap(),
        scope: Scope::Base,
        ..crate::settings(&slapd.url(), "(objectClass=*)", &RECIPIENT_PLACES)
    };
    let cases = [
        ("\"*)(uid=*\"@example.org", "exists"),
        ("\"x,ou=people\"@example.org", "unknown"),
        ("\"x+uid=alice\"@example.org", "unknown"),
        ("\"#x\"@example.org", "unknown"),
    ];
    check(&open(base).await, &cases).await;
}

#[tokio::test]
async fn a_filter_that_fits_every_name_tells_nobody_apart() {
    if !Slapd::is_available() {
        return;
    }
    let slapd = Slapd::start(PEOPLE);
    let all = crate::settings(&slapd.url(), "(|(mail={address})(uid=alice))", &RECIPIENT_PLACES);
    check(&open(all).await, &[("nobody@example.org", "ambiguous"), ("alice@example.org", "ambiguous")]).await;
    // One domain may have a wildcard and the next one none.
    let some = crate::settings(&slapd.url(), "(|(mail={address})(mail=@{domain}))", &RECIPIENT_PLACES);
    let cases = [
        ("nobody@sales.example", "ambiguous"),
        ("nobody@example.org", "unknown"),
        ("alice@example.org", "exists"),
    ];
    check(&open(some).await, &cases).await;
}

#[tokio::test]
async fn a_server_that_stops_hangs_and_comes_back() {
    if !Slapd::is_available() {
        return;
    }
    let mut slapd = Slapd::start(PEOPLE);
    let recipients = open(settings(&slapd.url())).await;
    check(&recipients, &KNOWN).await;

    slapd.stop();
    check(&recipients, &[("alice@example.org", "undetermined"), ("nobody@example.org", "undetermined")])
        .await;
    let (_, why) = ask(&recipients, "alice@example.org").await;
    assert_eq!(why, format!("{}: Connection refused", slapd.url()));
    slapd.run();
    check(&recipients, &KNOWN).await;

    // On the connection that is there, and on the one that is tried next.
    slapd.pause();
    for what in ["no answer within 2s", "no connection within 2s"] {
        let asked = Instant::now();
        let (found, why) = ask(&recipients, "alice@example.org").await;
        assert_eq!((found, why), ("undetermined", format!("{}: {what}", slapd.url())));
        assert!(asked.elapsed() < HANGING, "{:?}", asked.elapsed());
    }
    slapd.resume();
    check(&recipients, &KNOWN).await;

    // It ends and is there again before anybody asks: the question is asked once more.
    slapd.stop();
    slapd.run();
    check(&recipients, &KNOWN).await;
}

/// Nobody waits for as many attempts as there are questions before.
#[tokio::test(flavor = "multi_thread")]
async fn many_questions_share_one_attempt() {
    if !Slapd::is_available() {
        return;
    }
    let slapd = Slapd::start(PEOPLE);
    let recipients = std::sync::Arc::new(open(settings(&slapd.url())).await);
    slapd.pause();
    let asked = Instant::now();
    let ask_all = || {
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let recipients = std::sync::Arc::clone(&recipients);
                tokio::spawn(async move { ask(&recipients, "alice@example.org").await.0 })
            })
            .collect();
        tasks
    };
    for task in ask_all() {
        assert_eq!(task.await.unwrap(), "undetermined");
    }
    assert!(asked.elapsed() < HANGING, "{:?}", asked.elapsed());
    slapd.resume();
    for task in ask_all() {
        assert_eq!(task.await.unwrap(), "exists");
    }
}

#[tokio::test]
async fn servers_are_tried_in_order() {
    if !Slapd::is_available() {
        return;
    }
    let (mut first, second) = (Slapd::start(PEOPLE), Slapd::start(PEOPLE));
    let mut both = settings(&first.url());
    both.servers.push(second.url().parse().unwrap());
    let recipients = open(both).await;
    let searches = |server: &Slapd| server.log().matches(" SRCH base").count();
    check(&recipients, &KNOWN).await;
    assert!(searches(&first) > 0 && searches(&second) == 0);
    // A server that hangs costs one search, and another one answers the question.
    first.pause();
    check(&recipients, &[("bob@example.org", "exists"), ("nobody@example.org", "unknown")]).await;
    assert!(searches(&second) > 0);
    first.resume();
    first.stop();
    check(&open(Settings { ..settings_of(&[&first, &second]) }).await, &KNOWN).await;
}

fn settings_of(servers: &[&Slapd]) -> Settings {
    let mut all = settings(&servers[0].url());
    all.servers = servers.iter().map(|server| server.url().parse().unwrap()).collect();
    all
}

#[tokio::test]
async fn who_asks() {
    if !Slapd::is_available() {
        return;
    }
    // Nobody but the reader sees anything.
    let slapd = Slapd::start_with("access to * by anonymous auth by * none\n", PEOPLE);
    let file = slapd.file("password");
    let write = |text: &str| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    };
    write(&format!("{READER_PASSWORD}\n"));
    let bind = Some(Bind { dn: READER.to_owned(), password_file: file.clone() });
    let bound = Settings { bind, ..settings(&slapd.url()) };
    check(&open(bound.clone()).await, &KNOWN).await;
    // A base that we must not see is no sign that nobody exists.
    check(&open(settings(&slapd.url())).await, &[("nobody@example.org", "undetermined")]).await;

    write("wrong password\n");
    let (found, why) = ask(&open(bound.clone()).await, "alice@example.org").await;
    assert_eq!(found, "undetermined");
    assert_eq!(why, format!("{}: it does not let us in: rc=49 (invalidCredentials)", slapd.url()));
    write("\n");
    let problems = try_open(bound).await.unwrap_err();
    assert_eq!(
        problems,
        [format!("{}: ldap: its first line is empty; write the password there", file.display())]
    );
}

#[tokio::test]
async fn connections_with_tls() {
    if !Slapd::is_available() {
        return;
    }
    let slapd = Slapd::start_with("security ssf=128\n", PEOPLE);
    let trusting = Settings { ca_file: Some(slapd.ca_file()), ..settings(&slapd.tls_url()) };
    check(&open(trusting.clone()).await, &KNOWN).await;
    let start_tls = Settings { start_tls: true, ca_file: Some(slapd.ca_file()), ..settings(&slapd.url()) };
    check(&open(start_tls).await, &KNOWN).await;

    // Somebody else's certificate, another name, no TLS at all: no answer.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = crate::tls::Authority::new().certify(elsewhere.path(), "127.0.0.1");
    let strange = Settings { ca_file: Some(other.authority), ..trusting.clone() };
    let renamed = Settings {
        servers: vec![slapd.tls_url().replace("127.0.0.1", "localhost").parse().unwrap()],
        ..trusting.clone()
    };
    for (settings, expected) in [
        (strange, "certificate"),
        (renamed, "certificate"),
        (settings(&slapd.url()), "confidentialityRequired"),
    ] {
        let (found, why) = ask(&open(settings).await, "alice@example.org").await;
        assert_eq!(found, "undetermined");
        assert!(why.contains(expected), "{why}");
    }
    let missing = Settings { ca_file: Some(slapd.file("none")), ..trusting };
    assert!(try_open(missing).await.unwrap_err()[0].contains("cannot be read"));
}

/// The root of a directory parts of which are on other servers, as that of an Active Directory.
#[tokio::test]
async fn parts_of_a_directory_that_are_elsewhere() {
    if !Slapd::is_available() {
        return;
    }
    let zones = Slapd::start(&format!("{PEOPLE}{}", crate::APPLICATION_PARTITIONS));
    let forest = Slapd::start(&format!("{PEOPLE}{}{}", crate::APPLICATION_PARTITIONS, crate::CHILD_DOMAIN));
    let at = |slapd: &Slapd, base: &str, referrals| Settings {
        base: Template::parse(base, &RECIPIENT_PLACES).unwrap(),
        referrals,
        ..settings(&slapd.url())
    };
    let root = "dc=example,dc=org";
    for slapd in [&zones, &forest] {
        check(&open(at(slapd, root, Referrals::Ignore)).await, &KNOWN).await;
    }
    // It is told of, where that may matter.
    for (slapd, told) in [(&zones, 0), (&forest, 1)] {
        let directory = [SourceSettings::Ldap(Box::new(at(slapd, root, Referrals::Ignore)))];
        let recipients = Recipients::open(&directory).await.unwrap();
        let (domain, ids) = ("example.org".parse().unwrap(), [SourceId { number: 0, cost: Cost::Near }]);
        let doubts = recipients.doubts(&directory, &[(&domain, &ids)]).await;
        let doubts: Vec<String> = doubts.iter().map(ToString::to_string).collect();
        assert_eq!(doubts.len(), told, "{doubts:?}");
        assert!(
            doubts.iter().all(|one| one.contains("1 part of the directory is on other servers")),
            "{doubts:?}"
        );
    }
    // What no mailbox can be in is no reason to defer.
    check(&open(at(&zones, root, Referrals::Defer)).await, &KNOWN).await;
    let (found, why) = ask(&open(at(&forest, root, Referrals::Defer)).await, "nobody@example.org").await;
    assert_eq!(found, "undetermined");
    let part = "1 part of the directory is on other servers, which are not asked: \
                ‘ldap://sub.example.org/dc=sub,dc=example,dc=org";
    assert!(why.contains(part), "{why}");
    // A base that is elsewhere altogether is a mistake, whatever is set.
    for referrals in [Referrals::Ignore, Referrals::Defer] {
        let elsewhere = open(at(&forest, "dc=sub,dc=example,dc=org", referrals)).await;
        let (found, why) = ask(&elsewhere, "alice@example.org").await;
        assert_eq!(found, "undetermined");
        assert!(why.contains("referrals are not followed"), "{why}");
    }
}

/// Addresses as Exchange keeps them. The directory compares them, without regard to case.
#[tokio::test]
async fn addresses_behind_the_name_of_their_kind() {
    if !Slapd::is_available() {
        return;
    }
    let slapd = Slapd::start(PEOPLE);
    let recipients =
        open(crate::settings(&slapd.url(), "(proxyAddresses=smtp:{address})", &RECIPIENT_PLACES)).await;
    let cases = [
        ("ceo@exchange.example", "exists"),
        ("a.liddell@exchange.example", "exists"),
        ("chef@exchange.example", "unknown"),
        ("sip@exchange.example", "unknown"),
        ("anybody@wild.example", "unknown"),
        ("nobody@exchange.example", "unknown"),
    ];
    check(&recipients, &cases).await;
}

/// What was sent before the server gave up is true; what was not sent may be there.
#[tokio::test]
async fn a_server_with_a_limit() {
    if !Slapd::is_available() {
        return;
    }
    let slapd = Slapd::start_with("limits anonymous size.hard=1 size.soft=1\n", PEOPLE);
    let two =
        crate::settings(&slapd.url(), "(|(mail={address})(uid={local_part})(cn=Bob))", &RECIPIENT_PLACES);
    check(&open(two).await, &[("alice@example.org", "ambiguous")]).await;
}
