//! `check` on what a good configuration meets: SPF records of hosted domains, the networks that Postfix trusts, and the
//! recipients that it has no list of.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/dns.rs"]
mod dns;
#[path = "support/host.rs"]
mod host;
#[path = "support/program.rs"]
mod program;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use dns::{Server, Zone};
use hickory_proto::op::ResponseCode;
use tempfile::TempDir;

/// Runs `check` against the zone and a Postfix whose `mynetworks` are these; gives its status and its text.
async fn check(policy: &str, mynetworks: &str, arguments: &[&str]) -> (Option<i32>, String) {
    check_with(policy, &format!("mynetworks = {mynetworks}"), arguments).await
}

/// The same with these lines in main.cf.
async fn check_with(policy: &str, main_cf: &str, arguments: &[&str]) -> (Option<i32>, String) {
    check_sources("", policy, main_cf, arguments).await
}

/// The same with these sources of identities besides.
async fn check_sources(
    identities: &str,
    policy: &str,
    main_cf: &str,
    arguments: &[&str],
) -> (Option<i32>, String) {
    let zone = Zone::new()
        .txt("with.example", "v=spf1 mx -all")
        .txt("without.example", "something else")
        .fault("trouble.example", dns::Fault::Code(ResponseCode::ServFail));
    let server = Server::start(zone).await;
    let dir = TempDir::new().unwrap();
    let main_cf = format!("compatibility_level = 3.6\nmynetworks = 127.0.0.0/8\n{main_cf}\n");
    fs::write(dir.path().join("main.cf"), main_cf).unwrap();
    fs::write(dir.path().join("master.cf"), "").unwrap();
    let config = format!(
        "listen: ['inet:127.0.0.1:8891', {{ inet: 127.0.0.1:8892, role: local }}]\ndns: {{ servers: ['{}'], timeout: 1s }}\nidentities: {{ login_domain: \
         with.example, sources: [{identities}] }}\n{policy}\n",
        server.address()
    );
    let file = dir.path().join("config.yaml");
    fs::write(&file, config).unwrap();
    let mut command = program::lockdown_milter();
    command.args(["check", "--config"]).arg(&file).arg("--postfix-dir").arg(dir.path()).args(arguments);
    // For `trusted_networks: [postfix]`, which names no folder.
    command.env("MAIL_CONFIG", dir.path());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// Whether there is postconf(1); says so where there is none.
fn has_postconf() -> bool {
    let there = Command::new("postconf").arg("-d").output().is_ok();
    assert!(there || std::env::var_os("LOCKDOWN_REQUIRE_SERVERS").is_none(), "there is no postconf");
    if !there {
        eprintln!("SKIPPED: there is no postconf");
    }
    there
}

const DOMAINS: &str = "domains: { with.example: , without.example: , absent.example: , trouble.example: , \
                       free.example: { require_auth: { mail_from: off } } }";

#[tokio::test(flavor = "multi_thread")]
async fn domains_without_spf_are_listed() {
    let (status, text) = check(DOMAINS, "127.0.0.0/8", &[]).await;
    assert_eq!(status, Some(0), "{text}");
    let listed = "no SPF record, and a login is required to send as them: absent.example, without.example\n";
    assert!(text.contains(listed), "{text}");
    assert!(
        text.contains("whether trouble.example publishes an SPF record is not known: SERVFAIL"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_that_only_postfix_trusts_are_listed() {
    if !has_postconf() {
        return;
    }
    let policy = "trusted_networks: [127.0.0.0/8, 10.1.0.0/16]\ndomains: { with.example: }";
    let (status, text) = check(policy, "127.0.0.0/8, 10.1.2.0/24 [2001:db8::]/32 192.0.2.7", &[]).await;
    assert_eq!(status, Some(0), "{text}");
    let listed = "Postfix trusts networks that `trusted_networks` does not: 2001:db8::/32, 192.0.2.7/32\n";
    assert!(text.contains(listed), "{text}");
}

/// Answers leave unjudged where Postfix shows them to nobody, and are judged badly in other ways.
#[tokio::test(flavor = "multi_thread")]
async fn what_postfix_does_not_show_is_said() {
    if !has_postconf() {
        return;
    }
    let domain = |policy| format!("domains: {{ with.example: {{ bounces: {{ policy: {policy} }} }} }}");
    let both = "non_smtpd_milters = { inet:127.0.0.1:8892, default_action=accept } and \
                internal_mail_filter_classes = bounce";
    let local = "non_smtpd_milters = { inet:localhost:8892, default_action=accept }";
    let classes = "internal_mail_filter_classes = bounce, notify";
    for (policy, main_cf, expected) in [
        ("disabled", String::new(), vec!["Postfix shows no milter what programs of this host send", both]),
        (
            "allow",
            String::new(),
            vec!["write non_smtpd_milters = { inet:127.0.0.1:8892, default_action=accept }\n"],
        ),
        (
            "disabled",
            "smtpd_milters = unix:x\nnon_smtpd_milters = $smtpd_milters".to_owned(),
            vec!["non_smtpd_milters names none of our listeners", both],
        ),
        ("disabled", local.to_owned(), vec!["Postfix shows its own bounces to no milter"]),
        ("allow", local.to_owned(), vec![]),
        ("disabled", format!("{local}\n{classes}"), vec![]),
        (
            "disabled",
            format!("non_smtpd_milters = inet:127.0.0.1:8892\n{classes}"),
            vec![
                "while the daemon is away, Postfix would keep bounces, and what bounced",
                "default_action=tempfail",
            ],
        ),
        (
            "disabled",
            format!("non_smtpd_milters = inet:127.0.0.1:8892\n{classes}\nmilter_default_action = accept"),
            vec![],
        ),
        (
            "disabled",
            format!("non_smtpd_milters = {{ inet:127.0.0.1:8891, default_action=accept }}\n{classes}"),
            vec!["a listener with role `auto` ties bounces by their header alone"],
        ),
    ] {
        let (status, text) = check_with(&domain(policy), &main_cf, &[]).await;
        assert_eq!(status, Some(0), "{text}");
        for part in &expected {
            assert!(text.contains(part), "no {part:?} for {main_cf:?} in:\n{text}");
        }
        let is_silent = !text.contains("main.cf\n");
        assert_eq!(is_silent, expected.is_empty(), "{main_cf:?}:\n{text}");
    }
}

/// What the policy takes from the Postfix beside it.
const OF_POSTFIX: &str = "trusted_networks: [postfix]\ndomains_from: [{ postfix: { config_dir: . } }]\ndefaults: { \
                          recipients: { sources: [{ postfix: { config_dir: . } }] } }\ndomains: { other.example: }";

#[tokio::test(flavor = "multi_thread")]
async fn recipients_that_nothing_checks_are_listed() {
    if !host::is_possible(host::program("postconf").map(drop)) {
        return;
    }
    let main_cf = "127.0.0.0/8\nalias_maps = nis:mail.aliases\nmydestination = localhost, local.example\nrelay_domains = b.example, a.example\n\
                   relay_recipient_maps =\nvirtual_mailbox_domains = box.example\nvirtual_mailbox_maps = static:x";
    let (status, text) = check(OF_POSTFIX, main_cf, &["--offline"]).await;
    assert_eq!(status, Some(0), "{text}");
    for expected in [
        "warning: recipients of a.example, b.example are not checked: relay_recipient_maps is empty",
        "warning: recipients of other.example are not checked: Postfix has the domain in none of mydestination, ",
        "domains  5 hosted",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("box.example are") && !text.contains("local.example are"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_nobody_is_asked() {
    let (status, text) = check(DOMAINS, "192.0.2.0/24", &["--offline"]).await;
    assert_eq!(status, Some(0), "{text}");
    assert!(!text.contains("SPF record") && !text.contains("Postfix trusts"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_without_grants_are_refused() {
    let policy = "defaults: { auth_match: { mail_from: address } }\ndomains: { with.example: }";
    let (status, text) = check(policy, "127.0.0.0/8", &["--offline"]).await;
    assert_eq!(status, Some(78), "{text}");
    assert!(
        text.contains("`auth_match` by address: nobody could send as anything but the login itself"),
        "{text}"
    );
}

/// What `check` says of a store at this path, of a domain that learns.
#[track_caller]
fn check_store(path: &str, catch_all: &str, expected: Option<&str>) {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("config.yaml");
    let config = format!(
        "listen: ['inet:127.0.0.1:8891']\nidentities: {{ login_domain: example.org }}\nledger: {{ path: '{path}' }}\n\
         domains: {{ example.org: {{ recipients: {{ sources: [list: [a@example.org]], catch_all: {catch_all} }} }} }}\n"
    );
    fs::write(&file, config).unwrap();
    let mut command = program::lockdown_milter();
    let output = command.args(["check", "--offline", "--config"]).arg(&file).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let found = text.contains("what is learned about names behind a wildcard cannot be stored");
    assert_eq!(found, expected.is_some(), "{text}");
    assert!(text.contains(expected.unwrap_or_default()), "{text}");
}

#[test]
fn a_store_that_cannot_be_written() {
    check_store("ledger.redb", "learn", None);
    check_store("nowhere/ledger.redb", "soft", Some("there is no such folder"));
    check_store("nowhere/ledger.redb", "reject", None);
}

/// What `check` says of a table and a socket of a host on which the daemon is `nobody`, and whether that user could open
/// the table.
struct Seen {
    status: Option<i32>,
    text: String,
    can_open: bool,
}

/// Runs `check` where the unit has these lines, the folder of the table this mode, and the table this mode and owner.
fn look(unit: &str, folder: u32, table: u32, gid: u32, is_its_own: bool) -> (TempDir, Seen) {
    let dir = tempfile::Builder::new().prefix("lockdown-check.").tempdir().unwrap();
    let root = dir.path().display();
    let set = |name: &str, mode: u32| {
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::create_dir_all(dir.path().join("tables")).unwrap();
    fs::create_dir_all(dir.path().join("units")).unwrap();
    let file = dir.path().join("config.yaml");
    let config = format!(
        "listen: ['inet:127.0.0.1:8891']\nidentities: {{ login_domain: example.org }}\n\
         domains: {{ example.org: {{ recipients: {{ sources: [file: '{root}/tables/names'], catch_all: reject }} }} }}\n"
    );
    fs::write(&file, config).unwrap();
    let names = dir.path().join("tables/names");
    fs::write(&names, "a@example.org\n").unwrap();
    chown(&names, None, Some(gid)).unwrap();
    set("", 0o755);
    set("config.yaml", 0o644);
    set("tables/names", table);
    set("tables", folder);
    let option = if is_its_own { format!(" --config {}", file.display()) } else { String::new() };
    let text = format!("[Service]\nUser=nobody\nExecStart=/usr/sbin/lockdown-milter run{option}\n{unit}\n");
    fs::write(dir.path().join("units/lockdown-milter.service"), text.replace("DIR", &root.to_string()))
        .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockdown-milter"));
    command.args(["check", "--offline", "--config"]).arg(&file);
    let output = command.arg("--systemd-dir").arg(dir.path().join("units")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace(&root.to_string(), "DIR");
    // The kernel is asked as that user.
    let mut cat = Command::new("cat");
    let cat = cat.arg(&names).uid(NOBODY).gid(NOBODY).stdout(Stdio::null()).stderr(Stdio::null());
    let can_open = cat.status().unwrap().success();
    (dir, Seen { status: output.status.code(), text, can_open })
}

/// The user and the group that own nothing.
const NOBODY: u32 = 65_534;

#[test]
fn files_are_looked_at_as_the_daemon_would() {
    if !host::is_possible(host::require_root()) {
        return;
    }
    for (unit, folder, table, gid, is_its_own, expected) in [
        ("", 0o755, 0o644, 0, true, None),
        ("", 0o711, 0o640, NOBODY, true, None),
        (
            "",
            0o755,
            0o600,
            0,
            true,
            Some("error: readable by root, but not by nobody (0600 root:root): file\n"),
        ),
        (
            "",
            0o755,
            0o640,
            0,
            true,
            Some("warning: readable by root, but not by nobody (0640 root:root): file; an ACL"),
        ),
        (
            "",
            0o755,
            0o600,
            0,
            false,
            Some("warning: readable by root, but not by nobody (0600 root:root): file\n"),
        ),
        (
            "",
            0o700,
            0o644,
            0,
            true,
            Some("not by nobody, which may not enter DIR/tables (0700 root:root): file\n"),
        ),
        ("", 0o755, 0o604, NOBODY, true, Some("not by nobody (0604 root:nogroup): file")),
        ("SupplementaryGroups=root", 0o755, 0o640, 0, true, None),
    ] {
        let (_dir, seen) = look(unit, folder, table, gid, is_its_own);
        let text = &seen.text;
        assert!(text.contains("note: files were looked at as nobody would"), "{text}");
        match expected {
            Some(expected) => assert!(text.contains(expected), "{expected}: {text}"),
            None => assert!(!text.contains("readable by"), "{text}"),
        }
        let is_error = expected.is_some_and(|text| !text.starts_with("warning"));
        assert_eq!(seen.status, Some(if is_error { 78 } else { 0 }), "{text}");
        // Groups that the unit adds are not the kernel's business here.
        if unit.is_empty() {
            assert_eq!(seen.can_open, expected.is_none(), "{table:o}: {text}");
        }
    }
}

#[test]
fn files_that_the_unit_hides_are_named() {
    if !host::is_possible(host::require_root()) {
        return;
    }
    let hides = "readable by root, but PrivateTmp=yes of the unit hides it from nobody: file\n";
    for (unit, expected) in [
        (
            "InaccessiblePaths=-DIR/tables",
            Some("InaccessiblePaths=DIR/tables of the unit hides it from nobody: file"),
        ),
        ("InaccessiblePaths=/opt\nReadOnlyPaths=/\nProtectHome=yes", None),
        ("TemporaryFileSystem=DIR\nBindReadOnlyPaths=DIR/tables DIR/config.yaml", None),
        (
            "TemporaryFileSystem=DIR\nBindReadOnlyPaths=DIR/config.yaml",
            Some("TemporaryFileSystem=DIR of the unit hides it"),
        ),
    ] {
        let (_dir, seen) = look(unit, 0o755, 0o644, 0, true);
        match expected {
            Some(expected) => assert!(seen.text.contains(expected), "{expected}: {}", seen.text),
            None => assert!(!seen.text.contains("hides it"), "{unit}: {}", seen.text),
        }
        assert_eq!(seen.status, Some(if expected.is_some() { 78 } else { 0 }), "{}", seen.text);
    }
    let (dir, seen) = look("PrivateTmp=yes", 0o755, 0o644, 0, true);
    if dir.path().starts_with("/tmp") {
        assert!(seen.text.contains(hides), "{}", seen.text);
        assert!(seen.text.contains("BindReadOnlyPaths=DIR/tables/names"), "{}", seen.text);
    }
}

#[test]
fn without_a_unit_and_its_user_nothing_is_said() {
    if matches!(nix::unistd::User::from_name("lockdown-milter"), Ok(Some(_))) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("config.yaml");
    fs::write(
        &file,
        "listen: ['inet:127.0.0.1:8891']\nidentities: { login_domain: a.example }\ndomains: { a.example: }\n",
    )
    .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockdown-milter"));
    command.args(["check", "--offline", "--config"]).arg(&file).arg("--systemd-dir").arg(dir.path());
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(!text.contains("were looked at"), "{text}");
}

/// Who forwards with SRS hears of it where nothing tells its addresses from forged ones.
#[tokio::test(flavor = "multi_thread")]
async fn bounces_to_forwarded_mail_that_would_be_refused() {
    if !has_postconf() {
        return;
    }
    let socketmap = "recipient_canonical_maps = socketmap:unix:srs:reverse";
    let domain = |sources: &str| format!("domains: {{ with.example: {{ recipients: {{ {sources} }} }} }}");
    for (sources, main_cf, is_said) in [
        ("sources: [list: []]", socketmap, true),
        ("sources: [list: []]", "canonical_maps = static:x, tcp:localhost:10002", true),
        ("sources: [list: []]", "recipient_canonical_maps = static:x", false),
        ("sources: [list: [], postfix]", socketmap, false),
        ("sources: [list: []], accept_patterns: ['SRS[01][=+-]*']", socketmap, false),
        ("sources: [list: []], mode: off", socketmap, false),
    ] {
        let (status, text) = check_with(&domain(sources), main_cf, &[]).await;
        assert_eq!(status, Some(0), "{text}");
        let said = "no source of with.example asks it: bounces to forwarded mail are refused there";
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(text.contains(said), is_said, "{sources} {main_cf}: {text}");
    }
}

/// A table that parameters and locks name together has its problems once.
#[tokio::test(flavor = "multi_thread")]
async fn one_table_in_several_parameters_is_spoken_of_once() {
    if !has_postconf() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let table = dir.path().join("names");
    fs::write(&table, "a@with.example x\nonly-a-key\n").unwrap();
    let table = format!("hash:{}", table.display());
    let main_cf = format!(
        "virtual_alias_maps = {table}, proxy:{table}\nvirtual_mailbox_maps = {table}\n\
         smtpd_sender_login_maps = {table}\nvirtual_mailbox_domains = with.example\nalias_maps ="
    );
    let policy = "domains: { with.example: { recipients: { sources: [postfix] } } }";
    let (status, text) = check_sources("postfix_sender_login_maps", policy, &main_cf, &["--offline"]).await;
    assert_eq!(status, Some(0), "{text}");
    for said in ["its compiled form is missing", "there is no key with a value"] {
        assert_eq!(text.matches(said).count(), 1, "{text}");
    }
}

#[test]
fn tables_and_sockets_that_main_cf_and_sources_name_are_looked_at() {
    let root_and_postfix = host::require_root().and_then(|()| host::program("postconf").map(drop));
    if !host::is_possible(root_and_postfix) {
        return;
    }
    let dir = tempfile::Builder::new().prefix("lockdown-check.").tempdir().unwrap();
    let root = dir.path().display().to_string();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("DIR", &root)).unwrap();
    };
    write(
        "main.cf",
        "compatibility_level = 3.6\nmydestination =\nalias_maps =\nlocal_recipient_maps =\n\
         virtual_mailbox_domains = example.org\nvirtual_mailbox_maps = texthash:DIR/home/boxes\n\
         virtual_alias_maps = texthash:DIR/aliases\n",
    );
    write("master.cf", "");
    write("home/boxes", "a@example.org x\n");
    write("aliases", "b@example.org a@example.org\n");
    write("closed/x", "");
    let _socket = UnixListener::bind(dir.path().join("closed/auth")).unwrap();
    write(
        "config.yaml",
        "listen: ['inet:127.0.0.1:8891']\nidentities: { login_domain: example.org }\ndomains: { example.org: { recipients: \
         { sources: [postfix: { config_dir: DIR }, socketmap: { address: 'unix:DIR/closed/auth', map: x }], catch_all: allow } } }\n",
    );
    write(
        "units/lockdown-milter.service",
        "[Service]\nUser=nobody\nInaccessiblePaths=DIR/home\nExecStart=/usr/sbin/lockdown-milter run --config DIR/config.yaml\n",
    );
    let set = |name: &str, mode| {
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    for (name, mode) in [("", 0o755), ("closed", 0o700), ("closed/auth", 0o666), ("aliases", 0o600)] {
        set(name, mode);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockdown-milter"));
    command.args(["check", "--offline", "--config"]).arg(dir.path().join("config.yaml"));
    let output = command.arg("--systemd-dir").arg(dir.path().join("units")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace(&root, "DIR");
    for expected in [
        "InaccessiblePaths=DIR/home of the unit hides it from nobody: virtual_mailbox_maps\n",
        "readable by root, but not by nobody (0600 root:root): virtual_alias_maps\n",
        "reached by root, but not by nobody, which may not enter DIR/closed (0700 root:root): socketmap\n",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert_eq!(output.status.code(), Some(78), "{text}");
}
