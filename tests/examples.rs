//! What documents and help texts show can be typed: commands parse, configurations have no errors, lines of main.cf are
//! understood by Postfix.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/host.rs"]
mod host;

use std::fs;
use std::path::Path;

use lockdown_milter::clients::files::Problem;
use lockdown_milter::config::{self, Host, Style};
use lockdown_milter::mta::postfix::main_cf::MainCf;

/// The documents with blocks of examples, and what ends an indented block there.
const DOCUMENTS: [&str; 4] =
    ["README.md", "packaging/debian/README.Debian", "man/lockdown-milter.8", "man/lockdown-milter.conf.5"];

/// The blocks of examples in a document: what is indented by four blanks, or between `.Bd -literal` and `.Ed`.
fn blocks(file: &str) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let mut blocks = Vec::new();
    let mut block = String::new();
    let is_manual = file.starts_with("man/");
    let mut inside = false;
    for line in text.lines().chain([""]) {
        let shown = if is_manual {
            inside = (inside || line.starts_with(".Bd -literal")) && line != ".Ed";
            (inside && !line.starts_with(".Bd")).then(|| line.replace("\\e", "\\"))
        } else {
            line.strip_prefix("    ").map(str::to_owned)
        };
        match shown {
            Some(line) => block.extend([&line, "\n"]),
            None if !block.is_empty() => blocks.push(unindented(&std::mem::take(&mut block))),
            None => {}
        }
    }
    blocks
}

/// The block without the blanks that all its lines begin with, as in an item of a list.
fn unindented(block: &str) -> String {
    let blanks = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let least = block.lines().map(blanks).min().unwrap_or_default();
    block.lines().flat_map(|line| [&line[least..], "\n"]).collect()
}

/// The words of a command, as a shell divides it; ends where another command begins.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut is_word) = (Vec::new(), String::new(), None, false);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => (quote, is_word) = (Some(c), true),
            (None, '|' | '>' | '&' | ';' | '#') => break,
            (None, ' ') if is_word => {
                words.push(std::mem::take(&mut word));
                is_word = false;
            }
            (None, ' ') => {}
            (_, c) => {
                word.push(c);
                is_word = true;
            }
        }
    }
    words.extend(is_word.then_some(word));
    words
}

/// The commands of ours in a text, which begin a line or stand behind `$`, `|` or `&&`.
fn commands(text: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ");
    let mut found = Vec::new();
    for line in text.lines() {
        for part in line.split("| ").flat_map(|part| part.split("&& ")) {
            let part = part.trim_start().trim_start_matches("$ ").trim_start_matches("sudo ");
            if part.starts_with("lockdown-milter ") {
                found.push(words(part));
            }
        }
    }
    found
}

/// Complains about a command that is wrong usage.
fn check_command(place: &str, words: &[String]) {
    let parsed = lockdown_milter::cli::command().try_get_matches_from(words);
    let error = parsed.err().filter(clap::Error::use_stderr);
    assert!(error.is_none(), "{place}: {words:?}: {}", error.unwrap());
}

#[test]
fn commands_in_documents_parse() {
    let mut checked = 0;
    for file in DOCUMENTS {
        for block in blocks(file) {
            for words in commands(&block) {
                check_command(file, &words);
                checked += 1;
            }
        }
    }
    println!("{checked} commands");
    assert!(checked >= 12, "only {checked} commands were found");
}

/// Every command with its words.
fn walk<'c>(command: &'c clap::Command, above: &[&'c str], visit: &mut impl FnMut(&[&str], &clap::Command)) {
    visit(above, command);
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        walk(inner, &[above, &[inner.get_name()]].concat(), visit);
    }
}

#[test]
fn examples_in_help_texts_parse() {
    let mut root = lockdown_milter::cli::command();
    root.build();
    walk(&root, &[], &mut |path, command| {
        let name = path.join(" ");
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples = commands(&help);
        for words in &examples {
            check_command(&format!("{name} --help"), words);
        }
        // What only holds other commands is explained by them, and who sends a command needs to know of its status.
        if command.get_subcommands().next().is_none() {
            let own = |words: &Vec<String>| words[1..].iter().take(path.len()).eq(path.iter());
            assert!(examples.iter().any(own), "{name} --help has no example of itself");
            assert!(help.contains("Exit status:"), "{name} --help does not say with what status it exits");
        }
        for argument in command.get_arguments() {
            let explained =
                argument.get_help().is_some() || ["help", "version"].contains(&argument.get_id().as_str());
            assert!(explained, "{name}: {} is not explained", argument.get_id());
        }
        assert!(command.get_about().is_some(), "{name} is not explained");
    });
}

#[expect(clippy::unnecessary_wraps, reason = "others may fail")]
fn main_cf(_: Option<&Path>, _: &[&str]) -> Result<MainCf, Problem> {
    let values = [("mydestination", "example.org"), ("mynetworks", "127.0.0.0/8")];
    Ok(MainCf::of(Path::new("/etc/postfix"), &values))
}

/// Reads a configuration, which may lack what every configuration must have.
#[track_caller]
fn check_configuration(place: &str, text: &str) {
    let host = Host {
        name: "mx.example.org".to_owned(),
        today: jiff::civil::date(2026, 6, 1),
        has_group: |_| true,
        main_cf,
    };
    let listening = if text.starts_with("listen:") || text.contains("\nlisten:") {
        ""
    } else {
        "listen: ['inet:127.0.0.1:8891']\n"
    };
    if let Err(report) =
        config::parse(place, &format!("{listening}{text}"), &host, Path::new("/etc/lockdown-milter"))
    {
        panic!("{}\n{text}", report.render(Style::Plain));
    }
}

#[test]
fn configurations_in_documents_have_no_errors() {
    let settings = [
        "mode:",
        "listen:",
        "defaults:",
        "domains:",
        "domains_from:",
        "identities:",
        "harvest:",
        "ledger:",
        "log:",
        "metrics:",
    ];
    let mut checked = 0;
    for file in DOCUMENTS {
        for block in blocks(file) {
            let lines: Vec<&str> = block.lines().filter(|line| !line.starts_with([' ', '#'])).collect();
            if !lines.is_empty()
                && lines.iter().all(|line| settings.iter().any(|name| line.starts_with(name)))
            {
                check_configuration(file, &block);
                checked += 1;
            }
        }
    }
    assert!(checked >= 5, "only {checked} configurations were found");
}

#[test]
fn each_profile_is_good() {
    let packaged = fs::read_to_string("packaging/config.yaml").unwrap();
    check_configuration("packaging/config.yaml", &packaged);
    for profile in ["relaxed", "standard", "lockdown"] {
        // By address it takes to be said what logins may send as.
        let granted = "identities: { login_domain: example.org, sources: [postfix_sender_login_maps] }";
        check_configuration(
            profile,
            &format!("profile: {profile}\ndomains: {{ example.org: }}\n{granted}\n"),
        );
        check_configuration(
            profile,
            &packaged.replace("# profile: standard", &format!("profile: {profile}\n{granted}")),
        );
    }
}

/// The lines of main.cf in a block: those whose names Postfix has.
fn parameters(block: &str) -> Option<String> {
    let is_setting = |line: &str| {
        let name = line.split(" =").next().unwrap_or_default();
        line.contains(" = ") && name.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !name.is_empty()
    };
    let lines: Vec<&str> = block.lines().collect();
    let all = lines.iter().all(|line| is_setting(line) || line.starts_with([' ', '\t']));
    (all && lines.first().is_some_and(|line| is_setting(line))).then(|| block.to_owned())
}

#[test]
fn postfix_understands_the_lines_of_main_cf() {
    let postconf = host::program("postconf");
    if !host::is_possible(postconf.clone().map(|_| ())) {
        return;
    }
    let mut checked = 0;
    for file in DOCUMENTS {
        for lines in blocks(file).iter().filter_map(|block| parameters(block)) {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("main.cf"), format!("compatibility_level = 3.6\n{lines}")).unwrap();
            fs::write(dir.path().join("master.cf"), "").unwrap();
            let mut command = host::command(postconf.as_ref().unwrap());
            let output = command.arg("-c").arg(dir.path()).arg("-n").output().unwrap();
            // It warns of parameters that it does not know.
            assert!(output.status.success() && output.stderr.is_empty(), "{file}: {lines}{output:?}");
            checked += 1;
        }
    }
    assert!(checked >= 5, "only {checked} blocks were found");
}
