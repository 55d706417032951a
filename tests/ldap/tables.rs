//! `ldap:` tables of Postfix, against postmap(1) of the installed Postfix: one answer for every key.

use lockdown_milter::clients::files::problem::Problem;
use lockdown_milter::mta::postfix::main_cf::MainCf;
use lockdown_milter::mta::postfix::maps::{Key, Maps};
use lockdown_milter::mta::postfix::tables::{TableError, Usage};

use crate::host;
use crate::postfix_dir::PostfixDir;
use crate::slapd::{READER, READER_PASSWORD, Slapd};

/// Where the tables under test are.
const PARAMETER: &str = "virtual_alias_maps";

/// Entries with everything that the parameters of a table are about.
const ENTRIES: &str = r#"dn: ou=mail,dc=example,dc=org
objectClass: organizationalUnit
ou: mail

dn: cn=alice,ou=mail,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: extensibleObject
cn: alice
sn: A
mail: alice@example.org
mail: alice.a@example.org
uid: alice@inner.example.org
uid: alice2@inner.example.org
description: first, second
departmentNumber: 7

dn: cn=bob,ou=mail,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: extensibleObject
cn: bob
sn: B
mail: bob@example.org
proxyAddresses: SMTP:Bob@Example.org
proxyAddresses: smtp:more@example.org
proxyAddresses: sip:alice@example.org
uid: bob
description: @nobody
street;lang-de: Weg 1
street: Way 1

dn: cn=everybody,ou=mail,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: extensibleObject
cn: everybody
sn: E
mail: everybody@example.org
uid: external@example.net
seeAlso: cn=alice,ou=mail,dc=example,dc=org
seeAlso: cn=gone,ou=mail,dc=example,dc=org
seeAlso: cn=more,ou=mail,dc=example,dc=org

dn: cn=more,ou=mail,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: extensibleObject
cn: more
sn: M
mail: more@example.org
uid: more@example.net
labeledURI: ldap:///ou=mail,dc=example,dc=org??one?(departmentNumber=*)
labeledURI: ldap:///cn=bob,ou=mail,dc=example,dc=org?uid,street;lang-de

dn: cn=hosted,ou=mail,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: extensibleObject
cn: hosted
sn: H
mail: hosted@example.org
mail: everybody@example.org
uid: not-shown@example.net
seeAlso: cn=alice,ou=mail,dc=example,dc=org
l: lists.example.org

dn: cn=circle,ou=mail,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: extensibleObject
cn: circle
sn: C
mail: circle@example.org
seeAlso: cn=circle,ou=mail,dc=example,dc=org

dn: cn=star,ou=mail,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: extensibleObject
cn: star
sn: *
mail: "*)(uid=*"@example.org
mail: *
mail: 'quote@example.org
mail: a\b@example.org
mail: %s@example.org
uid: star

dn: cn=the boss,ou=mail,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: extensibleObject
cn: the boss
cn: a,b+c
sn: T
mail: "the boss"@example.org
uid: boss

dn: dc=net,ou=mail,dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: net
o: net

dn: dc=example,dc=net,ou=mail,dc=example,dc=org
objectClass: dcObject
objectClass: organization
objectClass: extensibleObject
dc: example
o: example
mail: carol@example.net
uid: carol

"#;

/// Names and domains of which keys are made.
const NAMES: [&str; 22] = [
    "alice",
    "Alice",
    "alice.a",
    "bob",
    "everybody",
    "more",
    "hosted",
    "circle",
    "carol",
    "star",
    "\"the boss\"",
    "the boss",
    "\"*)(uid=*\"",
    "*",
    "*)(uid=*",
    "a*",
    "'quote",
    "a\\b",
    "a\\5cb",
    "%s",
    "a,b+c",
    "nobody",
];
const DOMAINS: [&str; 10] = [
    "@example.org",
    "@Example.ORG",
    "@example.net",
    "@sub.example.net",
    "@org",
    "",
    "@",
    "@example..net",
    "@x@example.org",
    "@alice.example.org",
];

fn keys() -> Vec<String> {
    let made = NAMES.iter().flat_map(|name| DOMAINS.iter().map(move |domain| format!("{name}{domain}")));
    let hostile = [
        "\"' OR 1=1 --\"@example.org",
        "..%2f@example.org",
        "{address}@example.org",
        "é@example.org",
        "#x@example.org",
        "x\t y@example.org",
        "(",
        ")",
        "\\",
        "=",
        "cn=alice",
        "alice@example.org)(mail=*",
        "\\2a@example.org",
    ];
    let mut keys: Vec<String> =
        made.chain(DOMAINS.map(str::to_owned)).chain(hostile.map(str::to_owned)).collect();
    keys.push(format!("{}@example.org", "x".repeat(2000)));
    // postmap(1) reads one key a line, and does not look up an empty one.
    keys.retain(|key| !key.trim().is_empty());
    keys
}

/// A table in which `URL` stands for the server; what is the same in all is there already.
fn cf(slapd: &Slapd, text: &str) -> String {
    let base = if text.contains("search_base") { "" } else { "search_base = ou=mail,dc=example,dc=org\n" };
    let host = if text.contains("server_host") { "" } else { "server_host = URL\n" };
    format!("{host}version = 3\n{base}{text}\n")
        .replace("SOCKET", &slapd.socket_url())
        .replace("TLS", &slapd.tls_url())
        .replace("CA", slapd.ca_file().to_str().unwrap())
        .replace("URL", &slapd.url())
}

fn maps(dir: &PostfixDir) -> Result<(Maps, Vec<Problem>), Vec<Problem>> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let main_cf = runtime.block_on(MainCf::read(Some(dir.path()), &[PARAMETER])).unwrap();
    Maps::open(&main_cf, PARAMETER, Usage::Maps)
}

fn dir(slapd: &Slapd, text: &str) -> PostfixDir {
    PostfixDir::new(&format!("{PARAMETER} = ldap:DIR/table.cf\n"), &[("table.cf", &cf(slapd, text))])
}

fn is_possible() -> bool {
    let obstacle = PostfixDir::obstacle().and_then(|()| PostfixDir::has_type("ldap"));
    host::is_possible(obstacle) && Slapd::is_available()
}

/// Holds that we answer as postmap(1) does.
#[track_caller]
fn check(slapd: &Slapd, text: &str) {
    check_keys(slapd, text, &keys());
}

/// The same for tables that cannot tell for some keys, each of which takes a postmap(1) of its own.
#[track_caller]
fn check_few(slapd: &Slapd, text: &str) {
    const KEYS: [&str; 9] = [
        "alice@example.org",
        "Bob@example.org",
        "everybody@example.org",
        "more@example.org",
        "hosted@example.org",
        "circle@example.org",
        "nobody@example.org",
        "alice",
        "*",
    ];
    check_keys(slapd, text, &KEYS.map(str::to_owned));
}

#[track_caller]
fn check_keys(slapd: &Slapd, text: &str, keys: &[String]) {
    let dir = dir(slapd, text);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (maps, _) = maps(&dir).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
    let mut hits = 0;
    for (key, expected) in keys.iter().zip(dir.ask_each("ldap:DIR/table.cf", keys)) {
        let found: Result<_, TableError> = runtime.block_on(maps.find(key, Key::Whole));
        hits += usize::from(found != Ok(None));
        match expected {
            Ok(expected) => assert_eq!(found, Ok(expected), "{text}\n{key}"),
            Err(complaint) => assert!(found.is_err(), "{text}\n{key}: {complaint}, but we find {found:?}"),
        }
    }
    assert!(hits > 0, "{text}\nno key is found, which shows nothing");
}

#[test]
fn questions_and_results() {
    if !is_possible() {
        return;
    }
    let slapd = Slapd::start(ENTRIES);
    for text in [
        "query_filter = mail=%s\nresult_attribute = uid",
        "query_filter = (mail=%s)\nresult_attribute = uid, description\nscope = one",
        "query_filter = (&(mail=%s)(objectClass=inetOrgPerson))\nresult_attribute = description,uid,cn",
        "query_filter = (|(mail=%s)(cn=%u))\nresult_attribute = uid",
        "query_filter = (cn=%u)\nresult_attribute = uid\nresult_format = %u at %d",
        "query_filter = (mail=%u@%d)\nresult_attribute = uid\nresult_format = <%s> for %S, %U of %D; %1%2 %%",
        "query_filter = (mail=%s)\nresult_attribute = uid\nresult_filter = smtp:[%d]",
        "query_filter = (mail=%s)\nresult_attribute = uid description\nresult_format = %u",
        "query_filter = (mail=%s)\nsearch_base = dc=%2,dc=%1,ou=mail,dc=example,dc=org\nresult_attribute = uid",
        "query_filter = (objectClass=*)\nsearch_base = cn=%u,ou=mail,dc=example,dc=org\nscope = base\n\
         result_attribute = mail",
        "query_filter = (cn=%3)\nresult_attribute = uid",
        "query_filter = (uid=*)\nresult_attribute = mail",
        "query_filter = (mail=%s)\nresult_attribute = street",
        "query_filter = (mail=%s)\nresult_attribute = street;lang-de, nosuch",
        "query_filter = (mail=%s)\nresult_attribute = street, street;lang-de",
        "query_filter = (mail=%S)\nresult_attribute = UID",
        "query_filter = (!(mail=%s))\nresult_attribute = departmentNumber",
    ] {
        check(&slapd, text);
    }
}

#[test]
fn keys_of_some_domains() {
    if !is_possible() {
        return;
    }
    let slapd = Slapd::start(ENTRIES);
    for text in [
        "query_filter = (mail=%s)\nresult_attribute = uid\ndomain = example.net, nowhere.example",
        "query_filter = (mail=%s)\nresult_attribute = uid\ndomain = !example.net, inline:{ example.net=x, example.org=y }",
        "query_filter = (|(mail=%s)(cn=%u))\nresult_attribute = mail\ndomain = org",
    ] {
        check(&slapd, text);
    }
}

#[test]
fn attributes_that_lead_on() {
    if !is_possible() {
        return;
    }
    let slapd = Slapd::start(ENTRIES);
    let filter = "query_filter = (|(mail=%s)(cn=%u))\nrecursion_limit = 9\n";
    for text in [
        "result_attribute = uid\nspecial_result_attribute = seeAlso",
        "result_attribute = uid\nspecial_result_attribute = seeAlso, labeledURI",
        "result_attribute = uid, street\nspecial_result_attribute = seeAlso, labeledURI\nrecursion_limit = 20",
        "result_attribute =\nleaf_result_attribute = uid\nspecial_result_attribute = seeAlso",
        "result_attribute = cn\nleaf_result_attribute = uid, mail\nspecial_result_attribute = seeAlso, labeledURI\n\
         recursion_limit = 5",
        "result_attribute = uid\nterminal_result_attribute = l\nspecial_result_attribute = seeAlso",
        "result_attribute = cn\nterminal_result_attribute = departmentNumber, l\nleaf_result_attribute = uid\n\
         special_result_attribute = seeAlso, labeledURI\nrecursion_limit = 3",
        "result_attribute = uid\nspecial_result_attribute = seeAlso\nrecursion_limit = 1",
        "result_attribute = uid\nspecial_result_attribute = seeAlso\nexpansion_limit = 3",
        "result_attribute = description\nspecial_result_attribute = cn",
    ] {
        check_few(&slapd, &format!("{filter}{text}"));
    }
}

#[test]
fn limits() {
    if !is_possible() {
        return;
    }
    let slapd = Slapd::start(ENTRIES);
    for text in [
        "expansion_limit = 1",
        "expansion_limit = 2",
        "size_limit = 1",
        "size_limit = 2\nexpansion_limit = 9",
    ] {
        check_few(&slapd, &format!("query_filter = (|(mail=%s)(cn=%u))\nresult_attribute = uid\n{text}"));
    }
}

#[test]
fn servers_and_who_asks() {
    if !is_possible() {
        return;
    }
    let base = "query_filter = (mail=%s)\nresult_attribute = uid\n";
    let slapd = Slapd::start(ENTRIES);
    let port = slapd.url().rsplit_once(':').unwrap().1.to_owned();
    for text in [
        format!("server_host = 127.0.0.1\nserver_port = {port}"),
        format!("server_host = 127.0.0.1:{port}"),
        "server_host = SOCKET/".to_owned(),
        "server_host = ldap://127.0.0.1:1 URL".to_owned(),
        "bind = no".to_owned(),
        format!("bind_dn = {READER}\nbind_pw = {READER_PASSWORD}"),
        "timeout = 5\ndebuglevel = 0\nodd = ignored".to_owned(),
        "server_host = TLS\ntls_require_cert = yes\ntls_ca_cert_file = CA".to_owned(),
        "server_host = TLS".to_owned(),
        "start_tls = yes\ntls_require_cert = yes\ntls_ca_cert_file = CA".to_owned(),
        "start_tls = yes".to_owned(),
        "dereference = 3".to_owned(),
    ] {
        check(&slapd, &format!("{base}{text}"));
    }
    // Nobody sees anything: an error for every key, ours as well.
    let slapd = Slapd::start_with("access to * by anonymous auth by * none\n", ENTRIES);
    check_few(&slapd, base);
    check(&slapd, &format!("{base}bind_dn = {READER}\nbind_pw = {READER_PASSWORD}"));
    check_few(&slapd, &format!("{base}bind_dn = {READER}\nbind_pw = wrong"));
}

#[test]
fn what_cannot_be_honoured_is_an_error() {
    if !is_possible() {
        return;
    }
    let slapd = Slapd::start(ENTRIES);
    for (text, expected) in [
        ("bind = sasl", "bind: SASL is not in this version"),
        ("chase_referrals = perhaps", "chase_referrals: ‘perhaps’ is neither `yes` nor `no`"),
        ("tls_cert = /x", "tls_cert: it cannot be honoured"),
        ("tls_cipher_suite = x", "tls_cipher_suite: it cannot be honoured"),
        ("version = 2", "version: Postfix speaks LDAPv2 here"),
        ("scope = children", "scope: ‘children’ is none"),
        ("query_filter = (mail=%x)", "‘%x’ stands for nothing"),
        ("query_filter = (& (mail=%s) (uid=x) )", "is no filter that we can read"),
        ("query_filter = (mail=%s", "is no filter that we can read"),
        ("dereference = 4", "dereference: it is none of 0, 1, 2, 3"),
        ("server_host = ldap://x start_tls = yes", "server_host"),
        ("server_host = TLS\nstart_tls = yes", "start_tls: it is only possible with ldap://HOST"),
        ("server_host = ldapi:///", "server_host: ‘ldapi:///’ names no socket"),
        ("timeout = 0", "timeout: ‘0’ is no number from 1 on"),
        ("start_tls = maybe", "start_tls: ‘maybe’ is neither `yes` nor `no`"),
        ("domain = hash:nowhere", "domain: "),
    ] {
        let dir = dir(&slapd, text);
        let problems = maps(&dir).err().unwrap_or_else(|| panic!("{text} is taken"));
        assert!(problems[0].to_string().contains(expected), "{text}: {}", problems[0]);
        assert!(problems[0].to_string().contains("table.cf"), "{text}: {}", problems[0]);
    }
    let dir = dir(&slapd, "server_host = TLS\nodd = x\nbind_pw = secret pass");
    let (maps, warnings) = maps(&dir).unwrap();
    let shown: Vec<String> = warnings.iter().map(Problem::to_string).collect();
    assert!(shown.iter().any(|one| one.contains("there is no parameter `odd`")), "{shown:?}");
    assert!(shown.iter().any(|one| one.contains("nobody verifies")), "{shown:?}");
    assert!(!format!("{maps:?} {shown:?}").contains("secret pass"));
}

/// The root of a directory parts of which are on other servers, as that of an Active Directory.
#[test]
fn parts_that_are_elsewhere() {
    if !is_possible() {
        return;
    }
    let slapd = Slapd::start(&format!("{ENTRIES}{}{}", crate::APPLICATION_PARTITIONS, crate::CHILD_DOMAIN));
    let root = "search_base = dc=example,dc=org\nresult_attribute = uid\n";
    for text in [
        "query_filter = (mail=%s)",
        "query_filter = (mail=%s)\nchase_referrals = no",
        "query_filter = (proxyAddresses=smtp:%s)",
        "query_filter = (|(mail=%s)(proxyAddresses=SMTP:%s))\nscope = one\nsearch_base = ou=mail,dc=example,dc=org",
    ] {
        check_few(&slapd, &format!("{root}{text}"));
    }
    // Nothing but references; and a base that is elsewhere.
    let below =
        "search_base = ou=none,dc=example,dc=org\nquery_filter = (|(mail=%s)(cn=%u))\nresult_attribute = uid";
    check_errors(&slapd, &below.replace("ou=none", "dc=sub"));
    let chasing = format!("{root}query_filter = (mail=%s)\nchase_referrals = yes");
    let dir = dir(&slapd, &chasing);
    let (maps, warnings) = maps(&dir).unwrap();
    let warning = warnings.iter().map(Problem::to_string).collect::<String>();
    assert!(warning.contains("chase_referrals: referrals are not followed here"), "{warning}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let found = runtime.block_on(maps.find("bob@example.org", Key::Whole));
    assert_eq!(found, Ok(Some("bob".to_owned())));
    let why = runtime.block_on(maps.find("nobody@example.org", Key::Whole)).unwrap_err().to_string();
    assert!(
        why.contains("1 part of the directory is on other servers, which are not asked: ‘ldap://"),
        "{why}"
    );
}

/// Holds that neither we nor postmap(1) can tell.
#[track_caller]
fn check_errors(slapd: &Slapd, text: &str) {
    let dir = dir(slapd, text);
    let (maps, _) = maps(&dir).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let key = "bob@example.org".to_owned();
    let found = runtime.block_on(maps.find(&key, Key::Whole));
    let expected = dir.ask_each("ldap:DIR/table.cf", &[key]).remove(0);
    assert!(found.is_err() && expected.is_err(), "{text}: {found:?}, {expected:?}");
}

#[test]
fn a_server_that_is_gone_for_a_while() {
    if !is_possible() {
        return;
    }
    let mut slapd = Slapd::start(ENTRIES);
    let dir = dir(&slapd, "query_filter = (mail=%s)\nresult_attribute = uid\ntimeout = 2");
    let (maps, _) = maps(&dir).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let find =
        || runtime.block_on(maps.find("bob@example.org", Key::Whole)).map_err(|error| error.to_string());
    assert_eq!(find(), Ok(Some("bob".to_owned())));
    slapd.pause();
    assert!(find().unwrap_err().contains(&format!("{}: no answer within 2s", slapd.url())));
    slapd.resume();
    assert_eq!(find(), Ok(Some("bob".to_owned())));
    slapd.stop();
    assert!(find().unwrap_err().contains("Connection refused"));
    slapd.run();
    assert_eq!(find(), Ok(Some("bob".to_owned())));
}
