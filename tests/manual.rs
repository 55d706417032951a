//! The manual is held to the program: what there is has an entry, what has an entry is there, and the pages format
//! without a complaint.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/host.rs"]
mod host;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use lockdown_milter::check::{CheckId, REGISTRY};
use lockdown_milter::config::show::Shown;
use lockdown_milter::config::{self, Host};
use lockdown_milter::daemon::metrics::FAMILIES;
use lockdown_milter::journal::parse::Field;
use lockdown_milter::mta::postfix::main_cf::MainCf;

const COMMANDS: &str = "man/lockdown-milter.8";
const CONFIGURATION: &str = "man/lockdown-milter.conf.5";

fn page(file: &str) -> String {
    fs::read_to_string(file).unwrap()
}

/// The lines of a section, or of one of its subsections.
fn section<'p>(page: &'p str, macro_name: &str, title: &str) -> Vec<&'p str> {
    let ends: &[&str] = if macro_name == ".Sh" { &[".Sh "] } else { &[".Sh ", ".Ss "] };
    let head = format!("{macro_name} {title}");
    let mut lines = page.lines().skip_while(|line| *line != head);
    assert!(lines.next().is_some(), "there is no {head}");
    lines.take_while(|line| !ends.iter().any(|end| line.starts_with(end))).collect()
}

/// What the items of lists begin with: `.It Ic NAME` for the macro `Ic`.
fn items<'p>(lines: &[&'p str], macro_name: &str) -> BTreeSet<&'p str> {
    let head = format!(".It {macro_name} ");
    lines.iter().filter_map(|line| line.strip_prefix(&head)).collect()
}

fn check_same<'a>(what: &str, page: &BTreeSet<&'a str>, program: impl IntoIterator<Item = &'a str>) {
    let program: BTreeSet<&str> = program.into_iter().collect();
    let missing: Vec<_> = program.difference(page).collect();
    let strange: Vec<_> = page.difference(&program).collect();
    assert!(
        missing.is_empty() && strange.is_empty(),
        "{what}: without an entry {missing:?}; not there {strange:?}"
    );
}

#[test]
fn the_pages_format_without_a_complaint() {
    let (man, mandoc) = (host::program("man"), host::program("mandoc"));
    if !host::is_possible(man.clone().and(mandoc.clone()).map(|_| ())) {
        return;
    }
    for page in [COMMANDS, CONFIGURATION] {
        for width in ["80", "200"] {
            let mut command = host::command(man.as_ref().unwrap());
            command.args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page]).env("MANWIDTH", width);
            let output = command.stdout(Stdio::null()).env("LC_ALL", "C.UTF-8").output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.is_empty(), "{page}: {said}");
        }
        let output = host::command(mandoc.as_ref().unwrap()).args(["-Tlint", page]).output().unwrap();
        // Which other pages are installed is a matter of the machine.
        let lint = String::from_utf8(output.stdout).unwrap();
        let complaints: Vec<&str> =
            lint.lines().filter(|line| !line.contains("referenced manual not found")).collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}

/// The commands that do something, by their words.
fn commands(command: &clap::Command, above: &[&str], found: &mut BTreeMap<String, BTreeSet<String>>) {
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        let path = [above, &[command.get_name()]].concat();
        if command.has_subcommands() {
            commands(command, &path, found);
        } else {
            let options = command.get_arguments().filter_map(clap::Arg::get_long);
            let options = options.filter(|name| !["help", "version"].contains(name)).map(str::to_owned);
            found.insert(path.join(" "), options.collect());
        }
    }
}

#[test]
fn every_command_and_option_has_an_entry() {
    let page = page(COMMANDS);
    let mut program = BTreeMap::new();
    commands(&lockdown_milter::cli::command(), &[], &mut program);
    let part = section(&page, ".Sh", "COMMANDS");
    let titles = part.iter().filter_map(|line| line.strip_prefix(".Ss ")).collect::<BTreeSet<_>>();
    check_same("commands", &titles, program.keys().map(String::as_str));
    for (command, options) in &program {
        let lines = section(&page, ".Ss", command);
        let named = items(&lines, "Fl").into_iter();
        let named = named
            .map(|item| item.split(' ').next().unwrap().trim_start_matches('-'))
            .collect::<BTreeSet<_>>();
        check_same(command, &named, options.iter().map(String::as_str));
    }
}

#[test]
fn log_metrics_and_replies_are_explained() {
    let page = page(COMMANDS);
    check_same("fields", &items(&section(&page, ".Ss", "Fields"), "Cm"), Field::NAMES.map(|(name, _)| name));
    let reasons = reasons();
    check_same(
        "reasons",
        &items(&section(&page, ".Ss", "Reasons"), "Cm"),
        reasons.iter().map(String::as_str),
    );
    let metrics = items(&section(&page, ".Sh", "METRICS"), "Cm");
    check_same("metrics", &metrics, FAMILIES.iter().map(|family| family.name));
    let replies = replies();
    check_same(
        "replies",
        &items(&section(&page, ".Sh", "REPLIES"), "Cm"),
        replies.iter().map(String::as_str),
    );
}

/// The sources of the locks and of the decision, without their tests.
fn lock_sources() -> Vec<String> {
    let mut files = vec![PathBuf::from("src/decide.rs")];
    let mut folders = vec![PathBuf::from("src/check")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let code = |path: PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
    };
    files.into_iter().map(code).collect()
}

/// The reasons that locks give: words with hyphens in the code of the locks, and whatever a remark is made of.
fn reasons() -> BTreeSet<String> {
    /// Words with hyphens that are something else.
    const OTHERS: [&str; 3] = ["authentication-results", "received-spf", "not-examined"];
    let is_word = |text: &str| {
        text.contains('-')
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let mut reasons = BTreeSet::new();
    for code in lock_sources() {
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let texts = line.split('"').skip(1).step_by(2);
            reasons.extend(texts.filter(|text| is_word(text)).map(str::to_owned));
        }
        for (at, made) in code.match_indices("Remark::new(") {
            let rest = code[at + made.len()..].trim_start();
            let word = rest.strip_prefix('"').and_then(|rest| rest.split('"').next());
            reasons.extend(word.map(str::to_owned));
        }
    }
    assert!(reasons.len() > 50, "{reasons:?}");
    reasons.into_iter().filter(|reason| !OTHERS.contains(&reason.as_str())).collect()
}

/// The codes of replies: `550 5.7.1`. Where the enhanced one depends on something, both are in the same call.
fn replies() -> BTreeSet<String> {
    let mut replies = BTreeSet::new();
    for code in lock_sources() {
        for (at, made) in code.match_indices("Reply::new(") {
            let call: String = code[at + made.len()..].split(')').next().unwrap_or_default().to_owned();
            let number: String = call.trim_start().chars().take_while(char::is_ascii_digit).collect();
            let is_enhanced = |text: &&str| {
                text.split('.').count() == 3 && text.chars().all(|c| c.is_ascii_digit() || c == '.')
            };
            let enhanced = call.split('"').skip(1).step_by(2).filter(is_enhanced);
            let before = replies.len();
            replies.extend(enhanced.map(|enhanced| format!("{number} {enhanced}")));
            assert!(replies.len() > before || !number.is_empty(), "{call}");
        }
    }
    assert!(replies.len() > 8, "{replies:?}");
    replies
}

fn host_of_tests() -> Host {
    Host {
        name: "mx.example.org".to_owned(),
        today: jiff::civil::date(2026, 6, 1),
        has_group: |_| true,
        main_cf: MainCf::absent,
    }
}

fn shown(text: &str) -> Shown {
    let text = format!("listen: ['inet:127.0.0.1:8891']\n{text}");
    Shown::parse("config.yaml", &text, &host_of_tests(), Path::new("")).unwrap()
}

#[test]
fn every_setting_has_an_entry() {
    let page = page(CONFIGURATION);
    let names: Vec<String> = shown("").settings().into_iter().map(|setting| setting.name).collect();
    let of_domains = names.iter().filter_map(|name| name.strip_prefix("defaults."));
    let of_host = names.iter().map(String::as_str).filter(|name| !name.starts_with("defaults."));
    let lines = section(&page, ".Sh", "SETTINGS OF DOMAINS");
    check_same("settings of domains", &items(&lines, "Ic"), of_domains);
    let lines = section(&page, ".Sh", "SETTINGS OF THE HOST");
    // Maps of maps, and what a listener is made of.
    let listener = known("listen: [{ zzzzzz: 1 }]", 0);
    let others = listener.iter().map(String::as_str).chain(["defaults", "domains"]);
    check_same("settings of the host", &items(&lines, "Ic"), of_host.chain(others));
}

/// What a configuration could have instead of the `at`th thing in it that is not known.
fn known(text: &str, at: usize) -> BTreeSet<String> {
    let listening = "listen: ['inet:127.0.0.1:1'], ";
    let text = match text.strip_prefix('{') {
        Some(rest) => format!("{{ {listening}{rest}"),
        None => text.to_owned(),
    };
    let report = config::parse("config.yaml", &text, &host_of_tests(), Path::new("")).unwrap_err();
    let hints = report.problems.into_iter().filter_map(|problem| problem.hint);
    let mut lists = hints.filter_map(|hint| hint.strip_prefix("known here: ").map(str::to_owned));
    let list = lists.nth(at).unwrap_or_else(|| panic!("{text}: no hint names what there is"));
    list.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_source_and_every_key_of_one_has_an_entry() {
    let page = page(CONFIGURATION);
    for (title, path) in [
        ("SOURCES OF RECIPIENTS", ["defaults", "recipients", "sources"].as_slice()),
        ("SOURCES OF IDENTITIES", &["identities", "sources"]),
    ] {
        let lines = section(&page, ".Sh", title);
        let setting = |value: &str| {
            path.iter().rev().fold(value.to_owned(), |inner, key| format!("{{ {key}: {inner} }}"))
        };
        let kinds = known(&setting("[{ zzzzzz: 1 }]"), 0);
        check_same(title, &items(&lines, "Ic"), kinds.iter().map(String::as_str));
        let named: BTreeSet<&str> =
            lines.iter().flat_map(|line| line.strip_prefix(".Ic ").unwrap_or_default().split(' ')).collect();
        for kind in [
            "aliases",
            "dovecot",
            "ldap",
            "lmtp",
            "passwd",
            "postfix",
            "postfix_aliases",
            "smtp",
            "socketmap",
            "sql",
        ] {
            if !kinds.contains(kind) {
                continue;
            }
            for key in known(&setting(&format!("[{{ {kind}: {{ zzzzzz: 1 }} }}]")), 0) {
                // A directory has `attribute` for identities only, and identities have the rest by reference.
                let is_elsewhere = title == "SOURCES OF IDENTITIES" && ["ldap", "sql"].contains(&kind);
                let is_refused = title == "SOURCES OF RECIPIENTS" && key == "attribute";
                assert!(
                    is_elsewhere || is_refused || named.contains(key.as_str()),
                    "{title}: {kind} has `{key}`"
                );
            }
        }
        assert!(title == "SOURCES OF RECIPIENTS" || named.contains("attribute"));
    }
}

#[test]
fn every_lock_has_a_name() {
    let page = page(CONFIGURATION);
    let named: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix(".Cm harvest "))
        .flat_map(|line| line.split([',', ' ']).filter(|word| !word.is_empty()))
        .chain(["harvest"])
        .collect();
    check_same("locks", &named, CheckId::LOCKS.map(|(name, _)| name));
    check_same("registry", &named, REGISTRY.iter().map(|check| check.id().as_str()));
}

#[test]
fn the_profiles_are_those_of_the_program() {
    let page = page(CONFIGURATION);
    let lines = section(&page, ".Sh", "PROFILES");
    let rows: BTreeSet<(String, Vec<String>)> = lines
        .windows(2)
        .filter_map(|pair| {
            let setting = pair[0].strip_prefix(".It Ic ")?;
            let values = pair[1].strip_prefix(".Cm ")?.split(" , ").map(str::to_owned).collect();
            Some((setting.to_owned(), values))
        })
        .collect();
    let profiles = ["relaxed", "standard", "lockdown"].map(|profile| {
        // Recipients need no source to have a profile's setting; identities do.
        shown(&format!("profile: {profile}\nidentities: {{ exempt_logins: [relay] }}")).settings()
    });
    let differing = profiles[0].iter().enumerate().filter_map(|(at, setting)| {
        let values =
            profiles.each_ref().map(|settings| settings[at].value.as_str().unwrap_or_default().to_owned());
        let name = setting.name.strip_prefix("defaults.").unwrap_or(&setting.name);
        let differs = name != "profile" && values.iter().any(|value| *value != values[0]);
        differs.then(|| (name.to_owned(), values.to_vec()))
    });
    assert_eq!(rows, differing.collect());
}

/// The bounds of the manual: the constant of each, and the test that reaches it.
#[rustfmt::skip]
const BOUNDS: [(&str, &str, &str, &str, &str); 24] = [
    ("a frame of the milter protocol", "src/milter/frame.rs", "LONGEST", "src/milter/frame.rs", "lengths_are_judged_before_the_rest_arrives"),
    ("answers that wait for a milter client", "src/milter/outbound.rs", "HELD", "src/milter/outbound.rs", "too_many_changes_leave_early"),
    ("the time until a client is named", "src/milter/patience.rs", "INTRODUCTION", "src/milter/stream.rs", "macros_do_not_put_off_the_end_of_the_introduction"),
    ("a silence among crowds", "src/milter/occupants.rs", "LONG_SILENCE", "src/milter/occupants.rs", "those_that_say_least_leave_first"),
    ("the header fields that locks look at", "src/mail/header.rs", "LIMIT", "src/mail/header.rs", "a_header_is_kept_up_to_its_limit"),
    ("forged results in a message", "src/check/spf/record.rs", "MOST_DELETIONS", "tests/postfix.rs", "more_forged_fields_than_an_mta_can_bear_are_refused"),
    ("a field of addresses", "src/mail/address_list/mod.rs", "MAX_OCTETS", "src/mail/address_list/mod.rs", "a_field_is_read_up_to_its_bound"),
    ("a result field", "src/mail/own_name.rs", "MAX_OCTETS", "src/mail/own_name.rs", "a_text_is_read_up_to_its_bound"),
    ("labels of a visible name", "src/mail/visible.rs", "MAX_PIECES", "src/mail/visible.rs", "a_name_is_read_up_to_its_bound"),
    ("the body of an answer", "src/mail/report/mod.rs", "LIMIT", "src/mail/report/mod.rs", "no_body_is_too_long"),
    ("caches", "src/clients/remembered.rs", "CACHES", "src/clients/remembered.rs", "large_answers_push_out_others"),
    ("the SPF records of one evaluation", "src/spf/check_host.rs", "MOST_OCTETS", "src/spf/tests.rs", "records_are_long_but_not_without_end"),
    ("the answer of a database", "src/clients/sql/mod.rs", "MOST_OCTETS", "tests/sql.rs", "a_hostile_postgres_is_held_to_bounds"),
    ("correspondents of a name behind a catch-all", "src/memory/catch_all/name.rs", "MOST_CORRESPONDENTS", "src/memory/catch_all/tests.rs", "a_name_has_so_many_correspondents_networks_and_deferrals"),
    ("senders as our domains", "src/memory/senders/mod.rs", "MOST", "src/memory/senders/tests.rs", "all_domains_together_are_bounded"),
    ("domains that our users write to", "src/memory/partners.rs", "MOST", "src/memory/partners.rs", "those_written_to_least_go_first"),
    ("domains that answer for their hosts", "src/memory/harvest/tracker.rs", "MOST_PARTNERS", "src/memory/harvest/tests.rs", "so_many_domains_answer_for_their_hosts"),
    ("a value in a line of the log", "src/journal/render.rs", "MAX_VALUE", "src/journal/render.rs", "long_values_are_cut"),
    ("a line of the JSON log", "src/journal/render.rs", "MAX_JSON", "src/journal/judged/tests.rs", "no_line_is_too_long"),
    ("connections to the metrics", "src/daemon/metrics/http.rs", "CONNECTIONS", "tests/observability/health.rs", "silent_connections_make_room"),
    ("the header of a request for metrics", "src/daemon/metrics/http.rs", "LONGEST", "tests/observability/attacks.rs", "a_slow_reader_is_shown_out_and_a_huge_header_refused"),
    ("a command to the control socket", "src/daemon/control.rs", "LONGEST", "tests/harvest.rs", "whatever_the_control_socket_is_told_it_goes_on_answering"),
    ("the configuration file", "src/config/mod.rs", "MAX_FILE", "tests/config.rs", "files_that_are_no_configuration"),
    ("a regular expression", "src/mta/postfix/tables/ere/mod.rs", "LARGEST", "src/mta/postfix/tables/hostile.rs", "expressions_that_are_too_large"),
];

#[test]
fn every_bound_is_the_programs_and_is_reached_by_a_test() {
    let page = page(COMMANDS);
    let shown: Vec<(&str, &str)> = section(&page, ".Sh", "BOUNDS")
        .iter()
        .filter_map(|line| line.strip_prefix(".It ")?.split_once(": "))
        .collect();
    let expected: Vec<(&str, String)> =
        BOUNDS.iter().map(|(name, file, constant, ..)| (*name, bound(file, constant))).collect();
    assert_eq!(shown, expected.iter().map(|(name, bound)| (*name, bound.as_str())).collect::<Vec<_>>());
    for (name, _, _, file, test) in BOUNDS {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.contains(&format!("fn {test}()")), "{name}: {file} has no test {test}");
    }
}

/// The value of a constant in the source, as the manual writes it.
fn bound(file: &str, constant: &str) -> String {
    let text = fs::read_to_string(file).unwrap();
    let (_, rest) = text.split_once(&format!("const {constant}: ")).expect(constant);
    let value = rest.split_once(" = ").unwrap().1.split_once(';').unwrap().0;
    if let Some(minutes) = value.strip_prefix("Duration::from_mins(") {
        return format!("{} min", minutes.trim_end_matches(')'));
    }
    let number = |text: &str| text.replace('_', "").parse::<u64>().unwrap();
    let value = match value.split_once(" << ") {
        Some((base, shift)) => number(base) << number(shift),
        None => value.split(" * ").map(number).product(),
    };
    match value {
        octets if octets % (1 << 20) == 0 => format!("{} MiB", octets >> 20),
        octets if octets % 1024 == 0 => format!("{} KiB", octets >> 10),
        count => count.to_string(),
    }
}
