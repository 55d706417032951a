//! `audit` on hosts that are wrong in many ways: each finding appears with the lines that mend it, and with these lines
//! written where they belong the row is good. Cases are in `tests/audit`.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/dns.rs"]
mod dns;
#[path = "support/host.rs"]
mod host;
#[path = "support/program.rs"]
mod program;
#[path = "support/schema.rs"]
mod schema;
#[path = "support/unpacked.rs"]
mod sendmail;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, UNIX_EPOCH};

use dns::{Server, Zone};
use hickory_proto::op::ResponseCode;
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

/// One host. `DIR` in its files stands for where they are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Lines of main.cf, instead of or beside those of the sound host.
    #[serde(default)]
    main_cf: String,
    /// master.cf, where it is another one.
    master_cf: Option<String>,
    /// What sendmail.mc says, where the host has a Sendmail.
    sendmail_mc: Option<String>,
    /// Settings of ours, instead of or beside those of the sound host.
    #[serde(default)]
    config: serde_yaml::Mapping,
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Files with their permissions.
    #[serde(default)]
    modes: BTreeMap<String, String>,
    /// What domains publish instead.
    #[serde(default)]
    txt: BTreeMap<String, Vec<String>>,
    /// The rows that are not good, with their states.
    expect: BTreeMap<String, String>,
    /// Texts of the evidence.
    #[serde(default)]
    says: Vec<String>,
    /// Lines among those to change.
    #[serde(default)]
    lines: Vec<String>,
    /// The rows that the lines do not make good, with what they are then: a row on the way, or what no line mends.
    #[serde(default)]
    left: BTreeMap<String, String>,
}

const MASTER_CF: &str = "\
smtp       inet n - n - - smtpd
submission inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_security_level=encrypt
  -o smtpd_milters=inet:127.0.0.1:8893
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
127.0.0.1:10025 inet n - n - - smtpd
  -o smtpd_milters=
  -o smtpd_relay_restrictions=permit_mynetworks,reject
";

const MAIN_CF: &str = "\
compatibility_level = 3.6
queue_directory = DIR/queue
data_directory = DIR/data
mail_owner = postfix
myhostname = mx.example.org
mydestination =
alias_maps =
local_recipient_maps =
mynetworks = 127.0.0.0/8 [::1]/128
virtual_mailbox_domains = example.org
virtual_mailbox_maps = texthash:DIR/mailboxes
virtual_mailbox_base = DIR/mail
virtual_alias_maps = texthash:DIR/virtual
disable_vrfy_command = yes
smtpd_forbid_bare_newline = normalize
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_milters = inet:127.0.0.1:8891
non_smtpd_milters = { inet:127.0.0.1:8892, default_action=accept }
internal_mail_filter_classes = bounce
";

const CONFIG: &str = "\
mode: enforce
listen:
  - inet:127.0.0.1:8891
  - { inet: 127.0.0.1:8892, role: local }
  - { inet: 127.0.0.1:8893, role: submission }
identities: { login_domain: example.org }
ledger: { path: DIR/ledger.redb }
defaults: { recipients: { sources: [postfix: { config_dir: DIR }] } }
domains: { example.org: ~ }
";

const SENDMAIL_MC: &str = "\
OSTYPE(`linux')dnl
define(`ALIAS_FILE',`DIR/aliases')dnl
FEATURE(`virtusertable',`hash DIR/virtusertable')dnl
VIRTUSER_DOMAIN(`example.org')dnl
MACROSMAILER(`local')dnl
MAILER(`smtp')dnl
";

const SENDMAIL_CONFIG: &str = "\
mode: enforce
listen: ['inet:127.0.0.1:8891']
identities: { login_domain: example.org }
ledger: { path: DIR/ledger.redb }
defaults: { recipients: { sources: [list: [alice@example.org]] } }
domains: { example.org: ~ }
";

/// The host of a case.
struct Host {
    dir: TempDir,
    published: BTreeMap<String, Vec<String>>,
    server: Server,
}

impl Host {
    async fn new(case: &Case) -> Self {
        let dir = tempfile::Builder::new().prefix("lockdown-audit.").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let name = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
        let own: Vec<String> = case.main_cf.lines().map(name).collect();
        let kept: Vec<&str> = MAIN_CF.lines().filter(|line| !own.contains(&name(line))).collect();
        let mut published = BTreeMap::from([("example.org".to_owned(), vec!["v=spf1 mx -all".to_owned()])]);
        published.extend(case.txt.clone());
        let server = serve(&published).await;
        let host = Self { dir, published, server };
        if case.sendmail_mc.is_none() {
            host.write("main.cf", &format!("{}\n{}", kept.join("\n"), case.main_cf));
            host.write("master.cf", case.master_cf.as_deref().unwrap_or(MASTER_CF));
        }
        host.write("mailboxes", "alice@example.org\texample.org/alice/\n");
        host.write(
            "virtual",
            "postmaster@example.org\talice@example.org\nabuse@example.org\talice@example.org\n",
        );
        for (name, text) in &case.files {
            host.write(name, text);
        }
        if let Some(macros) = &case.sendmail_mc {
            host.write("aliases", "postmaster: root\nabuse: root\n");
            host.write("sendmail.mc", &SENDMAIL_MC.replace("MACROS", macros));
            expand(&host);
        }
        let ours = if case.sendmail_mc.is_some() { SENDMAIL_CONFIG } else { CONFIG };
        let mut config: serde_yaml::Value = serde_yaml::from_str(ours).unwrap();
        merge(&mut config, &serde_yaml::Value::Mapping(case.config.clone()));
        host.write("config.yaml", &serde_yaml::to_string(&config).unwrap());
        for (name, mode) in &case.modes {
            let bits = u32::from_str_radix(mode, 8).unwrap();
            fs::set_permissions(host.path(name), fs::Permissions::from_mode(bits)).unwrap();
        }
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn fill(&self, text: &str) -> String {
        text.replace("DIR", self.dir.path().to_str().unwrap())
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, self.fill(text)).unwrap();
    }

    /// Makes the files old: Postfix waits until one that has just been written is two seconds old.
    fn settle(&self) {
        for name in ["main.cf", "master.cf"] {
            if let Ok(file) = fs::File::options().write(true).open(self.path(name)) {
                file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
            }
        }
    }

    async fn audit(&self, arguments: &[&str]) -> Output {
        self.settle();
        // The name server has another port each time, and the configuration is the administrator's.
        let config: serde_yaml::Value =
            serde_yaml::from_str(&fs::read_to_string(self.path("config.yaml")).unwrap()).unwrap();
        let mut config = config;
        let dns = format!("dns: {{ servers: ['{}'], timeout: 500ms, attempts: 1 }}", self.server.address());
        merge(&mut config, &serde_yaml::from_str(&dns).unwrap());
        fs::write(self.path("config.yaml"), serde_yaml::to_string(&config).unwrap()).unwrap();
        let mut command = host::command(Path::new(program::PROGRAM));
        program::on_our_host(&mut command);
        command.arg("audit").arg("--config").arg(self.path("config.yaml"));
        if self.path("main.cf").exists() {
            command.arg("--postfix-dir").arg(self.dir.path());
        } else {
            command.arg("--sendmail-cf").arg(self.path("sendmail.cf"));
        }
        command.args(arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// The rows by their names, and whether the host is good.
    async fn rows(&self) -> (BTreeMap<String, Value>, bool) {
        let output = self.audit(&["--json"]).await;
        let audit = schema::check("audit", &output.stdout);
        let good = audit["good"].as_bool().unwrap();
        assert_eq!(output.status.code(), Some(i32::from(!good)));
        let rows = audit["rows"].as_array().unwrap().iter();
        (rows.map(|row| (row["row"].as_str().unwrap().to_owned(), row.clone())).collect(), good)
    }

    /// Writes lines where they belong.
    async fn apply(&mut self, change: &Value) {
        let lines: Vec<&str> =
            change["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        let file = change["file"].as_str().map(Path::new);
        let text = || fs::read_to_string(file.unwrap()).unwrap_or_default();
        match change["action"].as_str().unwrap() {
            "merge" => {
                let mut config: serde_yaml::Value = serde_yaml::from_str(&text()).unwrap();
                merge(&mut config, &serde_yaml::from_str(&lines.join("\n")).unwrap());
                fs::write(file.unwrap(), serde_yaml::to_string(&config).unwrap()).unwrap();
            }
            // Of what is written twice the last counts.
            "set" if file.unwrap().ends_with("sendmail.mc") => {
                let text = lines.iter().fold(text(), |text, line| set_macro(&text, line));
                fs::write(file.unwrap(), text).unwrap();
            }
            "set" => self.postconf(&["-e", lines[0]]),
            "service" => {
                let text = set_override(&text(), change["service"].as_str().unwrap(), lines[0]);
                fs::write(file.unwrap(), text).unwrap();
            }
            "add" => fs::write(file.unwrap(), format!("{}{}\n", text(), lines.join("\n"))).unwrap(),
            "remove" => {
                let (before, wanted) = (text(), |line: &&str| !lines.contains(line));
                let after: Vec<&str> = before.lines().filter(wanted).collect();
                assert!(after.len() < before.lines().count(), "{lines:?} is not in {before}");
                fs::write(file.unwrap(), after.join("\n") + "\n").unwrap();
            }
            // The tables are read from their texts, and this Sendmail is nowhere installed.
            "run" if lines[0].starts_with("makemap") => {}
            "run" => {
                let command = if lines[0].starts_with("post") {
                    lines[0].replacen(' ', &format!(" -c {} ", self.dir.path().display()), 1)
                } else {
                    lines[0].to_owned()
                };
                host::run(host::command(&host::program("sh").unwrap()).arg("-c").arg(command)).unwrap();
            }
            "publish" => {
                let (name, record) = lines[0].split_once(". IN TXT ").unwrap();
                self.published.insert(name.to_owned(), vec![record.trim_matches('"').to_owned()]);
                self.server = serve(&self.published).await;
            }
            other => panic!("{other}"),
        }
    }

    /// Holds that Postfix has nothing to say against its files.
    fn accepts(&self) {
        self.settle();
        for argument in ["-M", "-P", "-n"] {
            let mut command = host::command(&host::program("postconf").unwrap());
            let output = command.arg("-c").arg(self.dir.path()).arg(argument).output().unwrap();
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && complaint.is_empty(), "{argument}: {complaint}");
        }
    }

    fn postconf(&self, arguments: &[&str]) {
        self.settle();
        let mut command = host::command(&host::program("postconf").unwrap());
        host::run(command.arg("-c").arg(self.dir.path()).args(arguments)).unwrap();
    }
}

/// A name server with these records.
async fn serve(published: &BTreeMap<String, Vec<String>>) -> Server {
    let mut zone = Zone::new();
    for (name, records) in published {
        for record in records {
            zone = match record.as_str() {
                "SERVFAIL" => zone.fault(name, dns::Fault::Code(ResponseCode::ServFail)),
                record => zone.txt(name, record),
            };
        }
    }
    Server::start(zone).await
}

/// Settings over settings: maps by their keys, all else instead of what was there.
fn merge(below: &mut serde_yaml::Value, above: &serde_yaml::Value) {
    match (below, above) {
        (serde_yaml::Value::Mapping(below), serde_yaml::Value::Mapping(above)) => {
            for (key, value) in above {
                merge(below.entry(key.clone()).or_insert(serde_yaml::Value::Null), value);
            }
        }
        (below, above) => *below = above.clone(),
    }
}

/// A line of master.cf below that of its service, instead of the one for the same parameter.
fn set_override(text: &str, service: &str, line: &str) -> String {
    let name = |line: &str| {
        let line = line.trim().strip_prefix("-o ")?.trim_start_matches('{');
        line.split('=').next().map(|name| name.trim().to_owned())
    };
    let (mut lines, mut is_here) = (Vec::new(), false);
    for other in text.lines() {
        if !other.starts_with(' ') {
            let fields: Vec<&str> = other.split_whitespace().take(2).collect();
            is_here = fields.join("/") == service;
            lines.push(other);
            lines.extend(is_here.then_some(line));
        } else if !(is_here && name(other) == name(line)) {
            lines.push(other);
        }
    }
    lines.join("\n") + "\n"
}

/// A line of sendmail.mc instead of that of the same macro and name, or before the mailers.
fn set_macro(text: &str, line: &str) -> String {
    let name = |line: &str| line.split(['\'', ',']).next().unwrap_or_default().to_owned();
    let mut lines: Vec<&str> = text.lines().filter(|other| name(other) != name(line)).collect();
    let at = lines.iter().position(|line| line.starts_with("MAILER(")).unwrap_or(lines.len());
    lines.insert(at, line);
    lines.join("\n") + "\n"
}

fn state(rows: &BTreeMap<String, Value>, name: &str) -> String {
    rows.get(name).unwrap_or_else(|| panic!("no row {name}"))["state"].as_str().unwrap().to_owned()
}

/// Holds the states of a host against what is expected; all rows that are not named are good or do not apply.
fn check_states(name: &str, rows: &BTreeMap<String, Value>, expected: &BTreeMap<String, String>) {
    let found: BTreeMap<String, String> = rows
        .keys()
        .map(|row| (row.clone(), state(rows, row)))
        .filter(|(_, state)| !["good", "not applicable"].contains(&state.as_str()))
        .collect();
    let expected: BTreeMap<String, String> = expected
        .iter()
        .filter(|(_, state)| !["good", "not applicable"].contains(&state.as_str()))
        .map(|(a, b)| (a.clone(), b.clone()))
        .collect();
    let evidence: Vec<&Value> = found.keys().map(|row| &rows[row]).collect();
    assert_eq!(found, expected, "{name}: {evidence:#?}");
}

/// Holds that what was found is said in whole sentences, however many domains, files or networks there are.
fn check_sentences(name: &str, row: &Value) {
    let evidence = row["evidence"].as_array().unwrap();
    assert!(!evidence.is_empty(), "{name}: {row}");
    let mut seen = Vec::new();
    for found in evidence {
        let text = found["text"].as_str().unwrap();
        let last = text.rsplit(' ').next().unwrap();
        let is_open = text.is_empty()
            || text.ends_with([' ', ',', ':', ';', '('])
            || ["for", "of", "and"].contains(&last);
        let is_broken = ["  ", ", ,", ": ;", "for ;", "()"].iter().any(|gap| text.contains(gap));
        assert!(!is_open && !is_broken, "{name}: {text:?} in {row}");
        assert!(!seen.contains(&text), "{name}: {text:?} is said twice in {row}");
        seen.push(text);
    }
}

async fn check(case: &Case) {
    let mut host = Host::new(case).await;
    let (rows, good) = host.rows().await;
    check_states(&case.name, &rows, &case.expect);
    for (row, expected) in &case.expect {
        assert_eq!(state(&rows, row), *expected, "{}: {row}", case.name);
    }
    assert_eq!(good, !case.expect.values().any(|state| state == "open"), "{}", case.name);
    let all = serde_json::to_string(&rows.values().collect::<Vec<_>>()).unwrap();
    for text in &case.says {
        let text = serde_json::to_string(&host.fill(text)).unwrap();
        assert!(all.contains(text.trim_matches('"')), "{}: no {text} in {all}", case.name);
    }
    for row in rows.values() {
        check_sentences(&case.name, row);
    }
    let changes: Vec<Value> =
        rows.values().flat_map(|row| row["changes"].as_array().unwrap().clone()).collect();
    let lines: Vec<&str> = changes
        .iter()
        .flat_map(|change| change["lines"].as_array().unwrap())
        .map(|line| line.as_str().unwrap())
        .collect();
    for line in &case.lines {
        let line = host.fill(line);
        assert!(lines.contains(&line.as_str()), "{}: no {line:?} in {lines:#?}", case.name);
    }
    // What people see has each line as it must be written, however narrow the terminal.
    let text = String::from_utf8(host.audit(&[]).await.stdout).unwrap();
    for line in &lines {
        assert!(text.lines().any(|shown| shown == *line), "{}: {line:?} is not a line of\n{text}", case.name);
    }
    let mut applied = Vec::new();
    for change in &changes {
        if !applied.contains(&change) {
            host.apply(change).await;
            applied.push(change);
        }
    }
    if host.path("main.cf").exists() {
        host.accepts();
    } else {
        expand(&host);
    }
    let (rows, _) = host.rows().await;
    check_states(&format!("{}, mended", case.name), &rows, &case.left);
}

fn cases(file: &str) -> Vec<Case> {
    let text = fs::read_to_string(Path::new("tests/audit").join(file)).unwrap();
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

async fn check_file(file: &str) {
    if !host::is_possible(host::program("postconf").map(drop)) {
        return;
    }
    let only = std::env::var("AUDIT_CASE").unwrap_or_default();
    for case in cases(file).iter().filter(|case| case.name.contains(&only)) {
        check(case).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_postfix_lets_in() {
    check_file("postfix.yaml").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_nobody_has() {
    check_file("names.yaml").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_panels_make() {
    check_file("panels.yaml").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_our_own_configuration_leaves_open() {
    check_file("ours.yaml").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sendmail_lets_in() {
    if host::is_possible(sendmail::unpacked().map(drop)) {
        check_file("sendmail.yaml").await;
    }
}

/// sendmail.cf from sendmail.mc, by Sendmail's own macros.
fn expand(host: &Host) {
    let root = sendmail::unpacked().unwrap();
    let macros = root.join("usr/share/sendmail/cf");
    let mut m4 = host::command(&root.join("usr/bin/m4"));
    m4.arg(format!("-D_CF_DIR_={}/", macros.display())).arg(macros.join("m4/cf.m4")).arg("-");
    let text = host::feed(&mut m4, &fs::read_to_string(host.path("sendmail.mc")).unwrap());
    fs::write(host.path("sendmail.cf"), text).unwrap();
}
