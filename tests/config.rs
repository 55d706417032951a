//! The configuration: golden cases, the reference, and what must hold for any file.

#![expect(clippy::unwrap_used, reason = "all of this is a test; clippy only sees the functions marked so")]

#[path = "support/schema.rs"]
mod schema;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use lockdown_milter::check::auth_match::Axis;
use lockdown_milter::check::require_auth::Lists;
use lockdown_milter::check::spf::Action;
use lockdown_milter::check::{CheckId, Locks, Mode};
use lockdown_milter::clients::files::Problem;
use lockdown_milter::config::{self, Config, Format, Host, Report, Severity, Style};
use lockdown_milter::mta::postfix::main_cf::MainCf;
use lockdown_milter::sources::identities::SourceSettings;
use proptest::prelude::*;

/// The Postfix instances of that host.
fn main_cf(config_dir: Option<&Path>, _: &[&str]) -> Result<MainCf, Problem> {
    let Some(dir) = config_dir else {
        let values = [
            (
                "mydestination",
                "mx.example.org, localhost.example.org, localhost, mx, [192.0.2.1], example.org",
            ),
            ("virtual_alias_domains", "inline:{ {alias.example = x} {info@alias.example = y} }"),
            ("virtual_mailbox_domains", "boxes.example"),
            ("mynetworks", "127.0.0.0/8 [::ffff:127.0.0.0]/104 192.0.2.0/24 cidr:/etc/postfix/networks"),
        ];
        return Ok(MainCf::of(Path::new("/etc/postfix"), &values));
    };
    let values: &[(&str, &str)] = match dir.to_str() {
        Some("/etc/postfix-in") => &[
            ("relay_domains", "relay.example, boxes.example, regexp:{ {/example/ x} }"),
            ("virtual_mailbox_domains", "boxes.example"),
            ("parent_domain_matches_subdomains", "relay_domains"),
        ],
        Some("/etc/postfix-broken") => &[("mydestination", "hash:/nowhere/domains")],
        _ => return MainCf::absent(config_dir, &[]),
    };
    Ok(MainCf::of(dir, values))
}

/// A host on which nothing changes.
fn host() -> Host {
    Host {
        name: "mx.example.org".to_owned(),
        today: jiff::civil::date(2026, 6, 1),
        has_group: |group| group == "postfix",
        main_cf,
    }
}

/// Compares what `check` prints about `tests/config/NAME.yaml` with `NAME.expected` beside it. With `BLESS` in the
/// environment the expectation is written instead; the difference is then for a person to judge.
fn check(path: &Path) {
    let found = config::check(path, &host(), Format::Text(Style::Plain)).output;
    schema::check("check", config::check(path, &host(), Format::Json).output);
    let expectation = path.with_extension("expected");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&expectation, &found).unwrap();
    }
    let expected = fs::read_to_string(&expectation).unwrap_or_default();
    assert!(found == expected, "{}: expected\n{expected}\nfound\n{found}", path.display());
}

#[test]
fn golden_cases() {
    let mut cases = 0;
    for entry in fs::read_dir("tests/config").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            check(&path);
            cases += 1;
        }
    }
    assert!(cases > 25, "only {cases} cases were found");
}

/// What every configuration of a test begins with that is about something else.
const PREAMBLE: &str = "listen: [\"inet:127.0.0.1:8891\"]\nidentities: { login_domain: example.org, sources: [postfix_aliases] }\n";

/// The locks of example.org in a configuration about which there is nothing to say.
#[track_caller]
fn locks(text: &str) -> Arc<Locks> {
    let (config, report) = config::parse("x", &format!("{PREAMBLE}{text}"), &host(), Path::new("")).unwrap();
    assert!(report.is_empty(), "{report:?}");
    Arc::clone(&config.policy.hosted[&"example.org".parse().unwrap()])
}

/// Each lock with a setting of its own.
const LOCKS: [(CheckId, &str); 3] = [
    (CheckId::Spf, "explanation: false"),
    (CheckId::RequireAuth, "lists: reject"),
    (CheckId::AuthMatch, "sender: domain"),
];

/// The mode of each lock in example.org: the top-level `mode`, then the settings below it in flow style. `LOCK` stands
/// for the lock and `SETTING` for a setting of it.
#[track_caller]
fn check_mode(top: &str, defaults: &str, domain: &str, expected: &str) {
    for (lock, setting) in LOCKS {
        let text =
            format!("mode: {top}\ndefaults: {{ {defaults} }}\ndomains: {{ example.org: {{ {domain} }} }}\n");
        let text = text.replace("LOCK", lock.as_str()).replace("SETTING", setting);
        assert_eq!(locks(&text).mode(lock).as_str(), expected, "{text}");
    }
}

#[test]
fn the_most_specific_mode_wins_and_the_top_level_caps_it() {
    check_mode("enforce", "", "", "enforce");
    check_mode("enforce", "mode: monitor", "", "monitor");
    check_mode("enforce", "mode: monitor, LOCK: { mode: enforce }", "", "enforce");
    check_mode("enforce", "LOCK: { mode: enforce }", "mode: off", "off");
    check_mode("enforce", "LOCK: { mode: off }", "mode: enforce", "enforce");
    check_mode("enforce", "mode: off", "mode: monitor, LOCK: { mode: enforce }", "enforce");
    check_mode("enforce", "mode: off, LOCK: { mode: monitor }", "LOCK: { SETTING }", "monitor");
    check_mode("monitor", "mode: enforce", "LOCK: { mode: enforce }", "monitor");
    check_mode("monitor", "", "mode: off", "off");
    check_mode("off", "", "LOCK: { mode: enforce }", "off");
}

#[test]
fn the_mode_of_one_lock_is_not_that_of_another() {
    let locks = locks(
        "defaults: { mode: monitor, require_auth: { mode: off } }\ndomains: { example.org: { auth_match: { mode: enforce } } }\n",
    );
    let modes = LOCKS.map(|(lock, _)| format!("{lock} {}", locks.mode(lock).as_str()));
    assert_eq!(modes.join(", "), "spf monitor, require_auth off, auth_match enforce");
}

/// Whether relay.example, for which a Postfix only relays, takes a login in MAIL FROM and in From.
#[track_caller]
fn check_relayed(text: &str, expected: (bool, bool)) {
    let text = format!("{PREAMBLE}domains_from: [{{ postfix: {{ config_dir: /etc/postfix-in }} }}]\n{text}");
    let (config, _) = config::parse("x", &text, &host(), Path::new("")).unwrap();
    let settings = &config.policy.hosted[&"relay.example".parse().unwrap()].require_auth.settings;
    assert_eq!((settings.mail_from, settings.header_from), expected, "{text}");
    // Those behind it may send for it; nobody else sends for the others.
    let boxes = &config.policy.hosted[&"boxes.example".parse().unwrap()].require_auth.settings;
    assert!(boxes.mail_from, "{text}");
}

#[test]
fn relayed_domains_take_no_login_unless_the_configuration_says_so() {
    check_relayed("", (false, false));
    check_relayed("profile: lockdown", (false, false));
    check_relayed("domains: { relay.example: { spf: { explanation: false } } }", (false, false));
    check_relayed("defaults: { require_auth: { mail_from: reject } }", (true, false));
    check_relayed("profile: lockdown\ndefaults: { require_auth: { header_from: reject } }", (false, true));
    check_relayed("domains: { relay.example: { require_auth: { mail_from: reject } } }", (true, false));
    check_relayed(
        "defaults: { require_auth: { mail_from: reject } }\ndomains: { relay.example: { require_auth: { \
                   mail_from: off } } }",
        (false, false),
    );
}

/// The mode of `relay` in example.org, which is that of every domain.
#[track_caller]
fn check_relay(text: &str, expected: &str) {
    let text = format!("{text}\ndomains: {{ example.org: {{ mode: off }} }}\n");
    assert_eq!(locks(&text).relay.as_str(), expected, "{text}");
}

#[test]
fn relay_has_the_mode_of_the_defaults() {
    check_relay("", "off");
    check_relay("relay: off", "off");
    check_relay("relay: deny", "enforce");
    check_relay("profile: lockdown", "enforce");
    check_relay("profile: lockdown\nrelay: off", "off");
    check_relay("relay: deny\nmode: monitor", "monitor");
    check_relay("relay: deny\ndefaults: { mode: monitor }", "monitor");
    check_relay("relay: deny\nmode: off\ndefaults: { mode: enforce }", "off");
    check_relay("relay: deny\ndefaults: { mode: off }", "off");
}

/// The mode of harvesting, which is that of every domain and of all others.
#[track_caller]
fn check_harvest(text: &str, expected: &str) {
    let text = format!("{PREAMBLE}{text}\ndomains: {{ example.org: {{ mode: off }} }}\n");
    let (config, report) = config::parse("x", &text, &host(), Path::new("")).unwrap();
    assert!(report.is_empty(), "{report:?}");
    let of_domain = config.policy.hosted[&"example.org".parse().unwrap()].harvest;
    assert_eq!([of_domain, config.policy.defaults.harvest].map(Mode::as_str), [expected; 2], "{text}");
    assert_eq!(config.harvest.enforced, expected == "enforce", "{text}");
}

#[test]
fn harvest_has_a_mode_of_its_own_or_that_of_the_profile() {
    check_harvest("", "enforce");
    check_harvest("profile: relaxed", "monitor");
    check_harvest("profile: lockdown", "enforce");
    check_harvest("mode: monitor", "monitor");
    check_harvest("defaults: { mode: monitor }", "monitor");
    check_harvest("defaults: { mode: off }", "off");
    check_harvest("harvest: { mode: off }", "off");
    check_harvest("profile: relaxed\nharvest: { mode: enforce }", "enforce");
    check_harvest("defaults: { mode: monitor }\nharvest: { mode: enforce }", "enforce");
    check_harvest("mode: monitor\nharvest: { mode: enforce }", "monitor");
    check_harvest("mode: off\nharvest: { mode: enforce }", "off");
}

/// The actions of `mail_from` and `helo` for a profile and settings of example.org.
#[track_caller]
fn check_actions(profile: &str, defaults: &str, domain: &str, expected: &str) {
    let text = format!(
        "profile: {profile}\ndefaults: {{ spf: {{ {defaults} }} }}\ndomains: {{ example.org: {{ spf: {{ {domain} }} }} }}\n"
    );
    let spf = &locks(&text).spf.settings;
    let word = |action| Action::NAMES.iter().find(|(_, known)| *known == action).unwrap().0;
    let found =
        [spf.mail_from.fail, spf.mail_from.permerror, spf.mail_from.temperror, spf.helo.fail].map(word);
    assert_eq!(found.join(" "), expected, "{text}");
}

#[test]
fn settings_are_inherited_one_by_one() {
    check_actions("relaxed", "", "", "accept accept accept accept");
    check_actions("standard", "", "", "reject accept accept accept");
    check_actions("lockdown", "", "", "reject reject accept accept");
    check_actions("lockdown", "mail_from: { fail: defer }", "", "defer reject accept accept");
    check_actions(
        "lockdown",
        "mail_from: { fail: defer }",
        "mail_from: { permerror: accept }",
        "defer accept accept accept",
    );
    check_actions(
        "relaxed",
        "helo: { fail: reject }",
        "mail_from: { temperror: defer }",
        "accept accept defer reject",
    );
    check_actions(
        "relaxed",
        "helo: { fail: reject }",
        "helo: { fail: accept }",
        "accept accept accept accept",
    );
}

/// The settings of the authentication locks for a profile and settings of example.org.
#[track_caller]
fn check_auth(profile: &str, defaults: &str, domain: &str, expected: &str) {
    let text = format!(
        "profile: {profile}\ndefaults: {{ {defaults} }}\ndomains: {{ example.org: {{ {domain} }} }}\n"
    );
    let locks = locks(&text);
    let (auth, own) = (&locks.require_auth.settings, &locks.auth_match.settings);
    let auth = [auth.mail_from, auth.header_from, auth.unless_spf_pass, auth.lists == Lists::Posted];
    let word = |axis| Axis::NAMES.iter().find(|(_, known)| *known == axis).unwrap().0;
    let axes = [own.mail_from, own.header_from, own.sender].map(word).join(" ");
    let switches = [own.subdomains, own.reject_malformed_from, own.check_resent];
    let shown =
        |switches: &[bool]| -> String { switches.iter().map(|on| if *on { '1' } else { '0' }).collect() };
    let addresses = &locks.addresses;
    let found = format!(
        "{} | {axes} {} | {:?} {}",
        shown(&auth),
        shown(&switches),
        addresses.subaddress_delimiters,
        addresses.case_sensitive
    );
    assert_eq!(found, expected, "{text}");
}

#[test]
fn the_authentication_locks_are_inherited_like_spf() {
    check_auth("relaxed", "", "", "0011 | domain none none 010 | \"+\" false");
    check_auth("standard", "", "", "1011 | domain domain none 010 | \"+\" false");
    check_auth("lockdown", "", "", "1110 | address address address 010 | \"+\" false");
    check_auth(
        "standard",
        "require_auth: { header_from: reject, unless_spf_pass: false }, auth_match: { sender: address, resent: check }",
        "require_auth: { mail_from: off, lists: reject }, auth_match: { header_from: none, malformed_from: accept }",
        "0100 | domain none address 001 | \"+\" false",
    );
    check_auth(
        "standard",
        "addresses: { subaddress_delimiters: +-, case_sensitive: true }, auth_match: { subdomains: true }",
        "addresses: { subaddress_delimiters: \"\" }, auth_match: { subdomains: false }",
        "1011 | domain domain none 010 | \"\" true",
    );
    check_auth(
        "lockdown",
        "auth_match: { malformed_from: accept, resent: check }",
        "require_auth: { lists: accept }, addresses: { case_sensitive: true }, auth_match: { malformed_from: reject, resent: ignore }",
        "1111 | address address address 010 | \"+\" true",
    );
}

#[test]
fn lists_are_named_one_by_one_or_as_a_kind() {
    let named = |domains: &[&str]| Lists::Named(domains.iter().map(|name| name.parse().unwrap()).collect());
    for (written, expected) in [
        ("accept", Lists::Posted),
        ("reject", Lists::Reject),
        ("lists.example.net", named(&["lists.example.net"])),
        ("[lists.example.net, Bücher.example]", named(&["lists.example.net", "xn--bcher-kva.example"])),
        ("[]", named(&[])),
    ] {
        let text =
            format!("defaults: {{ require_auth: {{ lists: {written} }} }}\ndomains: {{ example.org: }}\n");
        assert_eq!(locks(&text).require_auth.settings.lists, expected, "{text}");
    }
}

/// The sources in a configuration file in `/etc/lockdown-milter`.
#[track_caller]
fn check_sources(written: &str, expected: &[SourceSettings]) {
    let text = format!(
        "listen: [\"inet:127.0.0.1:8891\"]\ndomains: {{ example.org: }}\nidentities: {{ sources: {written} }}\n"
    );
    let (config, _) = config::parse("x", &text, &host(), Path::new("/etc/lockdown-milter")).unwrap();
    assert_eq!(config.identities, expected, "{text}");
}

#[test]
fn identity_sources_in_all_their_forms() {
    use SourceSettings::{File, PostfixAliases, PostfixSenderLoginMaps};
    check_sources("[]", &[]);
    check_sources("~", &[]);
    check_sources("[{ file: identities }]", &[File("/etc/lockdown-milter/identities".into())]);
    check_sources(
        "[postfix_aliases, { file: /srv/a }, { file: /srv/b }, postfix_sender_login_maps]",
        &[
            PostfixAliases { config_dir: None },
            File("/srv/a".into()),
            File("/srv/b".into()),
            PostfixSenderLoginMaps { config_dir: None },
        ],
    );
    check_sources(
        "[{ postfix_aliases: }, { postfix_aliases: { config_dir: /etc/postfix-out } }, { postfix_sender_login_maps: { config_dir: ../postfix } }]",
        &[
            PostfixAliases { config_dir: None },
            PostfixAliases { config_dir: Some("/etc/postfix-out".into()) },
            PostfixSenderLoginMaps { config_dir: Some("/etc/lockdown-milter/../postfix".into()) },
        ],
    );
}

#[test]
fn an_alias_shares_the_locks_of_the_domain_it_follows() {
    let (config, _) = config::load(Path::new("tests/config/good.yaml"), &host()).unwrap();
    let locks = |name: &str| &config.policy.hosted[&name.parse().unwrap()];
    assert!(Arc::ptr_eq(locks("alias.example"), locks("stricter.example")));
    // Listed in a file, and an alias by the configuration.
    assert!(Arc::ptr_eq(locks("example.net"), locks("inherits.example")));
    assert_eq!(config.files, [Path::new("tests/config/lists/good")]);
    let follows: Vec<String> =
        config.policy.site.aliases.iter().map(|(alias, domain)| format!("{alias} {domain}")).collect();
    assert_eq!(follows, ["alias.example stricter.example", "example.net inherits.example"]);
}

/// What a file of these octets leads to.
fn loaded(octets: &[u8]) -> Result<(Config, Report), Report> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    fs::write(&path, octets).unwrap();
    config::load(&path, &host())
}

/// Reads a file of these octets; every place that is reported must be in it.
#[track_caller]
fn check_places(octets: &[u8]) {
    let report = match loaded(octets) {
        Ok((_, report)) => report,
        Err(report) => {
            assert!(report.count(Severity::Error) > 0, "refused without an error: {report:?}");
            report
        }
    };
    assert!(report.problems.len() <= 100);
    let text = String::from_utf8_lossy(octets);
    let lines: Vec<&str> = text.split('\n').collect();
    let related = report.problems.iter().filter_map(|problem| problem.related.as_ref());
    let places =
        report.problems.iter().map(|problem| &problem.place).chain(related.map(|related| &related.place));
    for spot in places.filter_map(|place| place.spot.as_ref()) {
        let line = lines.get(spot.line - 1).expect("the line is in the file");
        // A byte order mark is no column.
        let width = line.trim_start_matches('\u{feff}').chars().count();
        assert!(spot.column - 1 + spot.length <= width, "{spot:?} in {text:?}");
    }
    // Whatever is in the file, it can be shown.
    assert_eq!(report.render(Style::Plain).is_empty(), report.is_empty());
}

#[track_caller]
fn check_refused(octets: &[u8], expected: &str) {
    check_places(octets);
    let report = loaded(octets).unwrap_err().render(Style::Plain);
    assert!(report.contains(expected), "expected {expected} in\n{report}");
}

#[test]
fn files_that_are_no_configuration() {
    check_refused(b"", "nothing listens");
    check_refused(b"mode: \xff\n", "not UTF-8, as octet 0xff shows");
    check_refused(b"\xff\xfem\0o\0d\0e\0", "not UTF-8, as octet 0xff shows");
    check_refused(b"mode: a\0b", "control character U+0000");
    check_refused(&vec![b'#'; (1 << 20) + 1], "larger than 1024 KiB");
    check_refused("é".repeat(5000).as_bytes(), "expected a map");
    let missing = config::load(Path::new("/nowhere/config.yaml"), &host()).unwrap_err().render(Style::Plain);
    assert!(missing.contains("No such file or directory"), "{missing}");
    let directory = config::load(Path::new("/"), &host()).unwrap_err().render(Style::Plain);
    assert!(directory.contains("is a directory"), "{directory}");
}

#[test]
fn a_byte_order_mark_is_no_obstacle() {
    let text = format!("\u{feff}{PREAMBLE}domains: {{ example.org: }}\r\n").replace("]\n", "]\r\n");
    assert!(loaded(text.as_bytes()).unwrap().1.is_empty());
    check_refused("\u{feff}mode: enforced\r\n".as_bytes(), "config.yaml:1:7");
}

/// Every level of a list of lists names the one before ten times.
fn billion_laughs() -> String {
    let level = |n: u32| format!("l{n}: &l{n} [{}]\n", vec![format!("*l{}", n - 1); 10].join(", "));
    "l0: &l0 [laugh]\n".to_owned() + &(1..10).map(level).collect::<Vec<_>>().concat()
}

#[test]
fn hostile_files_end_early() {
    check_refused(billion_laughs().as_bytes(), "aliases make the document too large");
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(500_000), "*a, ".repeat(100_000));
    check_refused(long.as_bytes(), "aliases make the document too large");
    check_refused("[".repeat(10_000).as_bytes(), "");
    check_refused("{a: ".repeat(10_000).as_bytes(), "");
    check_refused("- ".repeat(10_000).as_bytes(), "nested too deeply");
}

#[test]
fn many_problems_are_counted_and_some_are_shown() {
    let lines = |line: fn(u32) -> String| (0..1000).map(line).collect::<Vec<_>>().concat();
    let keys = lines(|n| format!("k{n}: 1\n"));
    let report = loaded(keys.as_bytes()).unwrap_err();
    assert_eq!((report.problems.len(), report.omitted), (100, 1));
    let words = lines(|n| format!("  d{n}.example: {{ mode: x }}\n"));
    let report = loaded(format!("domains:\n{words}").as_bytes()).unwrap_err();
    // One more is that nothing listens.
    assert_eq!((report.problems.len(), report.omitted), (100, 901));
    assert!(report.render(Style::Plain).ends_with("… and at least 901 more\n"));
}

#[test]
fn errors_are_not_crowded_out_by_warnings() {
    let expired = "{ login: a, until: 2020-01-01 }, ".repeat(200);
    let text = format!(
        "defaults: {{ exceptions: [{expired}] }}\nlisten: [\"inet:127.0.0.1:8891\"]\nmode: x\nlocked: [x]\n"
    );
    let report = loaded(text.as_bytes()).unwrap_err();
    assert_eq!((report.count(Severity::Error), report.problems.len()), (2, 100));
}

#[test]
fn programs_read_the_same() {
    let path = Path::new("tests/config/must_show.yaml");
    let checked = config::check(path, &host(), Format::Json);
    let outcome = schema::check("check", checked.output);
    assert_eq!(outcome["usable"], false);
    let repeated =
        outcome["problems"].as_array().unwrap().iter().find(|problem| problem["line"] == 8).unwrap();
    assert_eq!(repeated["severity"], "error");
    assert_eq!(repeated["file"], "tests/config/must_show.yaml");
    assert_eq!(repeated["column"], 3);
    assert_eq!(repeated["source"], "  timeout: 3s");
    assert_eq!(repeated["message"], "the key `timeout` is there already");
    assert_eq!(repeated["related"]["line"], 6);
}

/// Pieces from which configurations, and nearly configurations, are put together.
fn fragment() -> impl Strategy<Value = String> {
    let words = [
        "mode",
        "listen",
        "defaults",
        "spf",
        "auth_match",
        "identities",
        "sources",
        "domains",
        "exceptions",
        "enforce",
        "example.org",
        ": ",
        ":\n",
        "\n",
        "  ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "\"",
        "'",
        "*a",
        "&a ",
        "!t ",
        "<<",
        "~",
        "#",
        "\t",
        "é",
        "\u{85}",
        "\u{2028}",
        "|\n",
        "true",
        "1",
        "1.5",
        "---\n",
        "...\n",
        "%",
        "@",
        "\\",
        "alias_of",
        "mail_from",
        "fail",
        "reject",
        "\u{0}",
        "\r\n",
    ];
    prop_oneof![8 => prop::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,5}"]
}

proptest! {
    #[test]
    fn any_octets_are_survived(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        check_places(&octets);
    }

    #[test]
    fn any_text_is_survived(fragments in prop::collection::vec(fragment(), 0..60)) {
        check_places(fragments.concat().as_bytes());
    }

    #[test]
    fn any_slip_in_a_good_file_is_survived(at in 0.0..1.0, cut in 0_usize..40, insert in fragment()) {
        let good = fs::read_to_string("tests/config/good.yaml").unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let start = good.floor_char_boundary((good.len() as f64 * at) as usize);
        let end = good.floor_char_boundary((start + cut).min(good.len()));
        check_places([&good[..start], &insert, &good[end..]].concat().as_bytes());
    }
}
