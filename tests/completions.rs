//! `completions/` is what the program writes, and each shell takes it.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/host.rs"]
mod host;
#[path = "support/program.rs"]
mod program;

use std::fs;

/// The shells with their files.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "completions/lockdown-milter.bash"),
    ("zsh", "completions/_lockdown-milter"),
    ("fish", "completions/lockdown-milter.fish"),
];

/// With `BLESS` in the environment the files are written instead.
#[test]
fn the_files_are_what_the_program_writes() {
    for (shell, file) in SHELLS {
        let output = program::lockdown_milter().args(["completions", shell]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let found = String::from_utf8(output.stdout).unwrap();
        if std::env::var_os("BLESS").is_some() {
            fs::write(file, &found).unwrap();
        }
        let expected = fs::read_to_string(file).unwrap_or_default();
        assert!(found == expected, "{file} is old: `lockdown-milter completions {shell} > {file}`");
    }
}

/// What a shell offers after `lockdown-milter WORDS`, which must have all these words in it.
#[track_caller]
fn check(shell: &str, script: &str, expected: &[&str]) {
    let program = match host::program(shell) {
        Ok(program) => program,
        Err(obstacle) => {
            host::is_possible(Err(obstacle));
            return;
        }
    };
    let home = tempfile::tempdir().unwrap();
    let mut command = host::command(&program);
    let folder = fs::canonicalize("completions").unwrap();
    command.args(["-c", script]).env("HOME", home.path()).env("FOLDER", folder);
    let output = command.output().unwrap();
    let offered = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
    for word in expected {
        assert!(
            offered.split_whitespace().any(|offer| offer == *word),
            "{shell} does not offer {word}: {offered}"
        );
    }
}

#[test]
fn bash_completes() {
    let script = |words: &str, begun: &str| {
        format!(
            r#"set -e; . "$FOLDER/lockdown-milter.bash"; complete -p lockdown-milter >/dev/null
               COMP_WORDS=(lockdown-milter {words} "{begun}"); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
               _lockdown__milter lockdown-milter "{begun}" "${{COMP_WORDS[COMP_CWORD - 1]}}"; printf '%s\n' "${{COMPREPLY[@]}}""#
        )
    };
    check("bash", &script("", ""), &["run", "check", "explain", "report", "catch-all", "harvest", "config"]);
    check("bash", &script("config show", "--"), &["--domain", "--diff-profile", "--json", "--config"]);
    check("bash", &script("harvest", ""), &["list", "release"]);
}

#[test]
fn fish_completes() {
    let script = |words: &str| {
        format!(
            r#"source "$FOLDER/lockdown-milter.fish"; and complete -C "lockdown-milter {words}" | string split -f1 \t"#
        )
    };
    check("fish", &script(""), &["run", "check", "explain", "report", "catch-all", "harvest", "config"]);
    check("fish", &script("config show --"), &["--domain", "--diff-profile", "--json", "--config"]);
    check("fish", &script("harvest "), &["list", "release"]);
}

#[test]
fn zsh_completes() {
    // There is no line to edit here; what would be offered on one goes through `_describe`.
    let script = |function: &str| {
        format!(
            r#"autoload -Uz compinit && compinit -D -u && source "$FOLDER/_lockdown-milter" || exit 1
               [[ $_comps[lockdown-milter] == _lockdown-milter ]] || exit 2
               _describe() {{ print -l -- "${{(@P)4%%:*}}" }}
               {function}"#
        )
    };
    check(
        "zsh",
        &script("_lockdown-milter_commands"),
        &["run", "check", "explain", "report", "catch-all", "config"],
    );
    check("zsh", &script("_lockdown-milter__subcmd__harvest_commands"), &["list", "release"]);
}
