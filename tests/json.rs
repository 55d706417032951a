//! `--json`: every command that has it has a schema, schemas leave nothing open, and `explain` keeps to its own.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/program.rs"]
mod program;
#[path = "support/schema.rs"]
mod schema;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tempfile::TempDir;

/// The commands that have `--json`, as their schemas are named.
fn with_json(command: &clap::Command, above: &[&str], found: &mut BTreeSet<String>) {
    for command in command.get_subcommands() {
        let path = [above, &[command.get_name()]].concat();
        if command.get_arguments().any(|argument| argument.get_long() == Some("json")) {
            found.insert(path.join("-"));
        }
        with_json(command, &path, found);
    }
}

#[test]
fn every_command_that_writes_json_has_a_schema() {
    let mut commands = BTreeSet::new();
    with_json(&lockdown_milter::cli::command(), &[], &mut commands);
    let schemas: BTreeSet<String> = schema::all().into_iter().map(|(name, _)| name).collect();
    assert!(commands.contains("check") && commands.contains("harvest-list"), "{commands:?}");
    assert_eq!(commands, schemas);
}

/// Complains about every object of a schema that lets in what it does not name.
fn check_closed(name: &str, schema: &Value) {
    match schema {
        Value::Object(keys) => {
            if schema["type"] == "object" {
                assert_eq!(schema["additionalProperties"], false, "{name}: {schema:#}");
            }
            keys.values().for_each(|inner| check_closed(name, inner));
        }
        Value::Array(items) => items.iter().for_each(|inner| check_closed(name, inner)),
        _ => {}
    }
}

#[test]
fn schemas_are_sound_and_closed() {
    for (name, document) in schema::all() {
        check_closed(&name, &document);
        // Every one of them can be used, and none takes just anything.
        assert!(schema::complain(&name, &json!({ "strange": 1 })).unwrap_err().contains("strange"), "{name}");
    }
}

const CONFIG: &str = "\
listen: ['inet:127.0.0.1:8891']
authserv_id: mx.example.org
dns: { servers: ['127.0.0.1:1'], timeout: 1s, attempts: 1 }
domains:
  example.org: { recipients: { sources: [list: [info@example.org]] }, spf: { headers: [authentication-results, received-spf] } }
";

/// What `explain` says about a message from this client to `info`.
fn explain(arguments: &[&str]) -> Value {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("config.yaml");
    std::fs::write(&file, CONFIG).unwrap();
    let output = program::lockdown_milter()
        .args([
            "explain",
            "--json",
            "--client",
            "192.0.2.1",
            "--helo",
            "mail.example.com",
            "--assume",
            "spf.helo=none",
        ])
        .args(arguments)
        .arg("--config")
        .arg(file)
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    schema::check("explain", &output.stdout)
}

#[test]
fn explain_keeps_to_its_schema() {
    let passing = explain(&[
        "--mail-from",
        "a@example.com",
        "--rcpt-to",
        "info@example.org",
        "--assume",
        "spf=pass",
        "--header",
        "Authentication-Results: mx.example.org; spf=pass",
    ]);
    let edits = passing["message"]["edits"].as_array().unwrap();
    assert!(edits.iter().any(|edit| edit["delete"] == "Authentication-Results"), "{passing}");
    assert!(edits.iter().any(|edit| edit["insert"] == "Received-SPF"), "{passing}");
    let failing =
        explain(&["--mail-from", "a@example.com", "--rcpt-to", "info@example.org", "--assume", "spf=fail"]);
    assert_eq!(failing["recipients"][0]["verdict"], "reject", "{failing}");
    assert_eq!(failing["message"], Value::Null);
    let unknown =
        explain(&["--mail-from", "a@example.com", "--rcpt-to", "x@example.org", "--assume", "spf=pass"]);
    assert_eq!(unknown["recipients"][0]["check"], "recipients", "{unknown}");
}
