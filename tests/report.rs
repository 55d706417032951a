//! `report`: golden logs, and what must hold for any log. See `tests/report`.

#![expect(clippy::unwrap_used, reason = "all of this is a test; clippy only sees the functions marked so")]

#[path = "support/program.rs"]
mod program;
#[path = "support/schema.rs"]
mod schema;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Output, Stdio};

use lockdown_milter::config::{self, Host};
use lockdown_milter::decide::decide;
use lockdown_milter::facts::{Answer, Facts, Grant, Question};
use lockdown_milter::journal::summary::Summary;
use lockdown_milter::journal::{Record, render};
use lockdown_milter::mail::{Field, ForwardPath, Header, ReversePath};
use lockdown_milter::mta::postfix::main_cf::MainCf;
use lockdown_milter::session::{Client, Envelope, Login, Point, Recipient, Request, Role, Session};

/// Runs `report`, as for a pipe of so many columns, with a log on standard input.
fn run(arguments: &[&str], columns: u32, log: &[u8]) -> Output {
    let mut child = program::lockdown_milter()
        .arg("report")
        .args(arguments)
        .env("COLUMNS", columns.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let log = log.to_owned();
    // The reader may end first.
    let writer = std::thread::spawn(move || input.write_all(&log));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    output
}

/// Compares what `report` says about `tests/report/NAME.log` with the files beside it: `NAME.80`, `NAME.120` for the
/// columns, and `NAME.json`. With `BLESS` in the environment the expectations are written instead; the difference is
/// then for a person to judge.
fn check(log: &Path) {
    for (extension, columns, arguments) in [("80", 80, &[][..]), ("120", 120, &[]), ("json", 80, &["--json"])]
    {
        let path = log.to_str().unwrap();
        let output =
            run(&[arguments, &["--config", "tests/report/config.yaml", path]].concat(), columns, b"");
        assert!(output.status.success() && output.stderr.is_empty(), "{path}: {output:?}");
        if extension == "json" {
            schema::check("report", &output.stdout);
        }
        let found = String::from_utf8(output.stdout).unwrap();
        let strange =
            |c: char| c != '\n' && c != '…' && !c.is_ascii_graphic() && c != ' ' && !c.is_alphanumeric();
        assert!(!found.contains(strange), "{path}: {found:?}");
        let expectation = log.with_extension(extension);
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expectation, &found).unwrap();
        }
        let expected = fs::read_to_string(&expectation).unwrap_or_default();
        assert!(found == expected, "{}: expected\n{expected}\nfound\n{found}", expectation.display());
    }
}

#[test]
fn golden_logs() {
    let mut logs = 0;
    for entry in fs::read_dir("tests/report").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "log") {
            check(&path);
            logs += 1;
        }
    }
    assert!(logs >= 5, "only {logs} logs were found");
}

/// The number of decisions that count.
#[track_caller]
fn check_decisions(arguments: &[&str], log: &[u8], expected: u64) {
    let output = run(&[&["--json"], arguments].concat(), 80, log);
    assert!(output.status.success(), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["lines"]["decisions"], expected, "{report}");
}

#[test]
fn where_the_log_comes_from() {
    let log = fs::read("tests/report/rollout.log").unwrap();
    check_decisions(&[], &log, 38);
    check_decisions(&["-"], &log, 38);
    check_decisions(&["tests/report/rollout.log", "-", "tests/report/json.log"], &log, 3 * 38);
    check_decisions(&["--since", "2026-11-24"], &log, 13);
    check_decisions(&["--since", "2026-11-24T05:20:00Z"], &log, 11);
    check_decisions(&["--since", "1h"], &log, 0);
    check_decisions(&["--since", "300y"], &log, 38);
}

/// What `report` reads where nothing comes through a pipe: a stand-in for journalctl says how it was called.
#[test]
fn without_a_file_the_journal_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("journalctl");
    fs::write(
        &program,
        "#!/bin/sh\necho \"$@\" > \"${0%/*}/called\"\ncat tests/report/rollout.log\nexit ${FAILS:-0}\n",
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let run = |arguments: &[&str], fails: &str, input: Stdio| {
        let mut command = program::lockdown_milter();
        command.args(["report", "--json"]).args(arguments).env("PATH", &path).env("FAILS", fails);
        command.stdin(input).output().unwrap()
    };
    let output = run(&["--since", "2026-11-24"], "0", Stdio::null());
    let report = schema::check("report", &output.stdout);
    assert_eq!(report["lines"]["decisions"], 13);
    let called = fs::read_to_string(dir.path().join("called")).unwrap();
    assert_eq!(called.trim(), "-u lockdown-milter -o cat --no-pager -q --since=@1795478400");
    // The journal whatever comes through the pipe, and a failure is told.
    let output = run(&["--journal"], "1", Stdio::piped());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot read the journal of systemd (journalctl): exit status: 1"), "{said}");
}

#[test]
fn a_line_of_any_length_is_one_broken_line() {
    let line: &[u8] = b"time=2026-11-24T06:00:00Z event=message verdict=pass ms=1\n";
    let (long, octets, braces) = (vec![b'x'; 5_000_000], vec![0xff; 300_000], vec![b'{'; 200_000]);
    let lines = [line, &long, b"\n", line, &octets, b"\n", &braces].concat();
    check_decisions(&[], &lines, 2);
}

/// The exit status and the complaint.
#[track_caller]
fn check_error(arguments: &[&str], status: i32, complaint: &str) {
    let output = run(arguments, 80, b"");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.contains(complaint) && output.stdout.is_empty(), "{said}");
}

#[test]
fn errors() {
    check_error(&["tests/none.log"], 1, "lockdown-milter: cannot read tests/none.log: No such file");
    check_error(&["tests/report/rollout.log", "tests"], 1, "cannot read tests: Is a directory");
    check_error(&["--since", "yesterday"], 64, "a time ago is ‘24h’, ‘7d’ or ‘2w’");
    check_error(&["--until", "now"], 64, "unexpected argument");
}

/// The lines that a message of alice's leaves in the log where auth match is only monitored and grants nothing.
fn lines(mail_from: &str, header: &[(&str, &str)]) -> Vec<String> {
    let host = Host {
        name: "mx".to_owned(),
        today: jiff::civil::date(2026, 11, 24),
        has_group: |_| true,
        main_cf: MainCf::absent,
    };
    let text = "listen: ['inet:127.0.0.1:8891']\nmode: monitor\ndefaults: { auth_match: { sender: domain } }\ndomains: { example.org: }\n";
    let policy = config::parse("x", text, &host, Path::new("")).unwrap().0.policy;
    let client = Client { address: "192.0.2.1".parse().ok(), name: "unknown".to_owned(), port: 1024 };
    let session =
        Session { role: Role::Auto, client, helo: "laptop".to_owned(), mta_name: None, is_postfix: true };
    let recipient = ForwardPath::parse("<bob@example.com>");
    let envelope = Envelope {
        reverse_path: ReversePath::parse(mail_from),
        bracketed: true,
        login: Some(Login("alice@example.org".to_owned())),
        recipients: vec![Recipient::bare(recipient.clone())],
        queue_id: None,
    };
    let header: Header = header.iter().map(|(name, value)| Field::new(*name, *value)).collect();
    let origin = policy.origin(&session, &envelope);
    let now = "2026-11-24T12:00:00Z".parse().unwrap();
    let mut facts = Facts::default();
    let mut lines = Vec::new();
    for point in [Point::Recipient(&recipient), Point::Message(&header)] {
        let request = Request { session: &session, envelope: &envelope, origin, point, report: None, now };
        let decision = loop {
            match decide(&policy, &request, &facts) {
                Ok(decision) => break decision,
                Err(open) => {
                    for question in open.questions() {
                        assert!(matches!(question, Question::Grant(_)), "{question:?}");
                        facts.learn(question.clone(), Answer::Grant(Grant::NotGranted(Vec::new())));
                    }
                }
            }
        };
        let record = Record::of(&request, &decision);
        lines.extend([render::logfmt(&record), render::json(&record)]);
    }
    lines
}

/// Where and as whom alice is reported to have sent.
#[track_caller]
fn check_mismatch(mail_from: &str, header: &[(&str, &str)], expected: &[&str]) {
    let lines = lines(mail_from, header);
    // Logfmt and JSON say the same.
    for half in [0, 1] {
        let mut summary = Summary::new(None);
        lines.iter().skip(half).step_by(2).for_each(|line| summary.add(line.as_bytes()));
        let found: Vec<String> = summary
            .mismatches
            .sorted()
            .into_iter()
            .map(|(login, place, mismatch)| format!("{login} {} {:?}", place.as_str(), mismatch.addresses()))
            .collect();
        assert_eq!(found, expected, "{lines:#?}");
    }
}

#[test]
fn what_the_locks_log_is_what_is_reported() {
    let own = ("From", "Alice <alice@example.org>");
    check_mismatch("<alice@example.org>", &[own], &[]);
    check_mismatch("<>", &[own], &[]);
    check_mismatch("<CEO@Example.NET>", &[own], &[r#"alice@example.org mail_from [("ceo@example.net", 1)]"#]);
    check_mismatch(
        "<alice@example.org>",
        &[("From", "Alice <alice@example.org>, \"The boss\" <ceo@example.net>")],
        &[r#"alice@example.org header_from [("ceo@example.net", 1)]"#],
    );
    check_mismatch(
        "<alice@example.org>",
        &[own, ("Sender", "ceo@example.net")],
        &[r#"alice@example.org sender [("ceo@example.net", 1)]"#],
    );
    check_mismatch(
        "<alice@example.org>",
        &[("From", "<alice@example.org> <ceo@example.net>")],
        &[r#"alice@example.org malformed_from [("<alice@example.org> <ceo@example.net>", 1)]"#],
    );
}
