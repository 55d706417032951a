//! `config show`: its golden texts, and that what it shows is what holds.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/program.rs"]
mod program;
#[path = "support/schema.rs"]
mod schema;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use lockdown_milter::check::CheckId;
use lockdown_milter::config::show::{Origin, Setting, Shown};
use lockdown_milter::config::{Config, Host};
use lockdown_milter::mail::Domain;
use lockdown_milter::mta::postfix::main_cf::MainCf;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// The Postfix of that host; it passes on the mail of relay.example.
#[expect(clippy::unnecessary_wraps, reason = "others may fail")]
fn main_cf(_: Option<&Path>, _: &[&str]) -> Result<MainCf, lockdown_milter::clients::files::Problem> {
    Ok(MainCf::of(
        Path::new("/etc/postfix"),
        &[("mydestination", "example.org"), ("relay_domains", "relay.example")],
    ))
}

fn host() -> Host {
    Host {
        name: "mx.example.org".to_owned(),
        today: jiff::civil::date(2026, 6, 1),
        has_group: |group| group == "postfix",
        main_cf,
    }
}

fn shown(text: &str) -> Shown {
    Shown::parse("config.yaml", text, &host(), Path::new("/etc/lockdown-milter"))
        .unwrap_or_else(|report| panic!("{}\n{text}", report.render(lockdown_milter::config::Style::Plain)))
}

/// Runs `config show`, as for a pipe of so many columns.
fn run(arguments: &[&str], columns: u32, config: &Path) -> Output {
    program::lockdown_milter()
        .args(["config", "show", "--config"])
        .arg(config)
        .args(arguments)
        .env("COLUMNS", columns.to_string())
        .output()
        .unwrap()
}

/// Compares what `config show` says about `tests/config_show/host.yaml` with a file beside it. With `BLESS` in the
/// environment the expectation is written instead; the difference is then for a person to judge.
fn check_golden(name: &str, arguments: &[&str], columns: u32) {
    let folder = Path::new("tests/config_show");
    let output = run(arguments, columns, &folder.join("host.yaml"));
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let found = String::from_utf8(output.stdout).unwrap();
    if std::env::var_os("BLESS").is_some() {
        fs::write(folder.join(name), &found).unwrap();
    }
    let expected = fs::read_to_string(folder.join(name)).unwrap_or_default();
    assert!(found == expected, "{name}: expected\n{expected}\nfound\n{found}");
    assert!(!found.contains('\x1b'), "{name} is no terminal");
}

#[test]
fn golden_texts() {
    check_golden("host.txt", &[], 80);
    check_golden("domain.txt", &["--domain", "example.net"], 80);
    check_golden("alias.txt", &["--domain", "EXAMPLE.com"], 80);
    check_golden("lockdown.80", &["--diff-profile", "lockdown"], 80);
    check_golden("lockdown.200", &["--diff-profile", "lockdown"], 200);
}

#[test]
fn json_keeps_to_its_schema() {
    let config = Path::new("tests/config_show/host.yaml");
    for arguments in
        [&["--json"][..], &["--json", "--domain", "example.com"], &["--json", "--diff-profile", "relaxed"]]
    {
        let output = run(arguments, 80, config);
        assert!(output.status.success(), "{output:?}");
        schema::check("config-show", &output.stdout);
    }
}

#[test]
fn errors() {
    let config = Path::new("tests/config_show/host.yaml");
    for (arguments, status, complaint) in [
        (&["--domain", "nowhere.example"][..], 1, "nowhere.example is not a hosted domain"),
        (&["--diff-profile", "strict"], 64, "profiles: relaxed, standard, lockdown"),
        (&["--domain", "example.org", "--diff-profile", "lockdown"], 64, "cannot be used with"),
    ] {
        let output = run(arguments, 80, config);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains(complaint) && output.stdout.is_empty(), "{said}");
    }
    let output = run(&[], 80, Path::new("tests/config/must_show.yaml"));
    assert_eq!(output.status.code(), Some(78), "{output:?}");
}

/// The text is a configuration that shows the same.
#[test]
fn the_text_can_be_used_as_a_configuration() {
    let values = |output: &Output| {
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let settings = document["settings"].as_array().unwrap().clone();
        settings
            .into_iter()
            .map(|setting| (setting["setting"].clone(), setting["value"].clone()))
            .collect::<Vec<_>>()
    };
    let dir = TempDir::new().unwrap();
    let copy = dir.path().join("copy.yaml");
    for original in ["tests/config_show/host.yaml", "packaging/config.yaml"].map(Path::new) {
        fs::write(&copy, run(&[], 80, original).stdout).unwrap();
        assert_eq!(
            values(&run(&["--json"], 80, original)),
            values(&run(&["--json"], 80, &copy)),
            "{original:?}"
        );
    }
}

/// Puts a setting into a document.
fn set(document: &mut Value, name: &str, value: Value) {
    let mut at = document;
    for key in name.split('.') {
        at = at.as_object_mut().unwrap().entry(key).or_insert_with(|| Value::Object(Map::new()));
    }
    *at = value;
}

/// All that is shown, as a configuration.
fn written_back(shown: &Shown) -> String {
    let mut document = json!({});
    for setting in shown.settings() {
        set(&mut document, &setting.name, setting.value);
    }
    let mut domains = Map::new();
    for domain in shown.config().policy.hosted.keys() {
        let mut own = json!({});
        match shown.followed(domain).unwrap() {
            followed if followed != *domain => set(&mut own, "alias_of", followed.to_string().into()),
            _ => {
                for setting in shown.settings_of(domain).unwrap() {
                    set(&mut own, &setting.name, setting.value);
                }
            }
        }
        domains.insert(domain.to_string(), own);
    }
    document["domains"] = Value::Object(domains);
    // What is shown of a domain is what it inherits and has, which `locked` lets it do only once.
    document["locked"] = json!([]);
    document.to_string()
}

/// What a configuration means, with sources instead of their numbers, which depend on the order in the file.
fn meaning(config: &Config) -> Vec<String> {
    let policy = &config.policy;
    let all = policy.hosted.iter().map(|(domain, locks)| (domain.to_string(), locks));
    let mut meaning: Vec<String> = all
        .chain([("defaults".to_owned(), &policy.defaults)])
        .map(|(name, locks)| {
            let mut locks = (**locks).clone();
            let sources: Vec<_> = locks
                .recipients
                .settings
                .sources
                .drain(..)
                .map(|source| &config.recipients[source.number])
                .collect();
            format!("{name} {sources:?} {locks:?}")
        })
        .collect();
    let rest =
        (&config.listeners, &config.control, &config.harvest, &config.dns, &config.limits, &config.log);
    meaning.push(format!("{rest:?} {:?} {:?} {:?}", config.ledger, config.identities, config.profile));
    meaning.push(format!("{:?} {:?} {:?}", policy.mode, policy.site, policy.grants));
    meaning
}

#[test]
fn what_is_shown_means_the_same_when_it_is_written_back() {
    let goldens = fs::read_dir("tests/config").unwrap().map(|entry| entry.unwrap().path());
    let yaml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml");
    let files = goldens
        .filter(yaml)
        .chain(["packaging/config.yaml", "tests/config_show/host.yaml"].map(PathBuf::from));
    let mut checked = 0;
    for path in files {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let base = path.parent().unwrap();
        let Ok(original) = Shown::parse("config.yaml", &text, &host(), base) else { continue };
        let copy = written_back(&original);
        let copy = Shown::parse("copy.yaml", &copy, &host(), base).unwrap_or_else(|report| {
            panic!("{}: {}\n{copy}", path.display(), report.render(lockdown_milter::config::Style::Plain))
        });
        for (one, other) in meaning(original.config()).iter().zip(meaning(copy.config())) {
            assert_eq!(*one, other, "{}", path.display());
        }
        checked += 1;
    }
    println!("{checked} configurations");
    assert!(checked >= 15, "only {checked} configurations are good");
}

fn find(settings: &[Setting], name: &str) -> Setting {
    settings.iter().find(|setting| setting.name == name).unwrap_or_else(|| panic!("{name}")).clone()
}

/// Whatever modes are written where: the mode that is shown is the one in force.
#[test]
fn modes_are_those_in_force() {
    let words = [None, Some("off"), Some("monitor"), Some("enforce")];
    let domain: Domain = "example.org".parse().unwrap();
    let locks = [CheckId::RequireAuth, CheckId::Recipients, CheckId::Spf, CheckId::Bounces];
    for case in 0..4_usize.pow(5) {
        let word = |place: u32| words[case / 4_usize.pow(place) % 4];
        // The lock of the case is another one each time; the sources come and go.
        let lock = locks[case % 5 % locks.len()];
        let mut document = json!({ "listen": ["inet:127.0.0.1:1"], "domains": { "example.org": {} } });
        let places = [
            "mode".to_owned(),
            "defaults.mode".to_owned(),
            format!("defaults.{lock}.mode"),
            "harvest.mode".to_owned(),
        ];
        for (place, name) in (0..).zip(&places) {
            if let Some(word) = word(place) {
                set(&mut document, name, word.into());
            }
        }
        if let Some(word) = word(4) {
            let name = if case % 3 == 0 { "mode".to_owned() } else { format!("{lock}.mode") };
            let mut own = json!({});
            set(&mut own, &name, word.into());
            document["domains"]["example.org"] = own;
        }
        if case % 2 == 0 {
            set(&mut document, "defaults.recipients.sources", json!([{ "list": ["a@example.org"] }]));
        }
        let shown = shown(&document.to_string());
        let policy = &shown.config().policy;
        let (host, own) = (shown.settings(), shown.settings_of(&domain).unwrap());
        for lock in locks {
            let name = format!("{lock}.mode");
            let expected = |mode: lockdown_milter::check::Mode| Value::from(mode.as_str());
            assert_eq!(
                find(&own, &name).value,
                expected(policy.locks(&domain).unwrap().mode(lock)),
                "{document}"
            );
            assert_eq!(
                find(&host, &format!("defaults.{name}")).value,
                expected(policy.defaults.mode(lock)),
                "{document}"
            );
        }
        assert_eq!(find(&host, "harvest.mode").value, policy.defaults.harvest.as_str(), "{document}");
    }
}

/// Each setting, when it is written somewhere, comes from there, and no other does.
#[test]
fn each_setting_comes_from_where_it_is_written() {
    let head = "listen: ['inet:127.0.0.1:1']\ntrusted_networks: [127.0.0.1]\n";
    let plain = shown(&format!("{head}domains: {{ example.org: }}\n"));
    let domain: Domain = "example.org".parse().unwrap();
    for setting in plain.settings_of(&domain).unwrap() {
        let value = match setting.name.as_str() {
            "recipients.soft_until" => json!("2027-01-01"),
            _ => setting.value,
        };
        let mut own = json!({});
        set(&mut own, &setting.name, value);
        for (level, origin, line) in [
            (format!("domains: {{ example.org: {own} }}\n"), Origin::Domain(domain.clone()), 3),
            (format!("domains: {{ example.org: }}\ndefaults: {own}\n"), Origin::Defaults, 4),
        ] {
            let shown = shown(&format!("{head}{level}"));
            let own = shown.settings_of(&domain).unwrap();
            let there: Vec<&str> = own
                .iter()
                .filter(|setting| setting.origin == origin && setting.line == Some(line))
                .map(|setting| setting.name.as_str())
                .collect();
            if setting.name == "mode" {
                // It is that of each lock.
                assert_eq!(there.len(), 6, "{there:?}");
            } else if setting.name == "recipients.mode" {
                assert_eq!(there, Vec::<&str>::new(), "there is no source");
            } else {
                assert_eq!(there, [setting.name.as_str()]);
            }
        }
    }
}

#[test]
fn a_relay_domain_says_why_it_needs_no_login() {
    let text = "listen: ['inet:127.0.0.1:1']\ndomains_from: [postfix]\ndomains: { example.com: }\n";
    let domain = "relay.example".parse().unwrap();
    let setting = find(&shown(text).settings_of(&domain).unwrap(), "require_auth.mail_from");
    assert_eq!((setting.value, setting.origin), (json!("off"), Origin::RelayDomain));
    let asked = format!("{text}defaults: {{ require_auth: {{ mail_from: reject }} }}\n");
    let setting = find(&shown(&asked).settings_of(&domain).unwrap(), "require_auth.mail_from");
    assert_eq!((setting.value, setting.origin), (json!("reject"), Origin::Defaults));
}
