//! What is shipped works: the packaged configuration, as it is and with every commented setting in force.

use std::fs;
use std::path::Path;

use lockdown_milter::config::{self, Host, Style};
use lockdown_milter::lookup::postfix::main_cf::MainCf;

fn host() -> Host {
    Host {
        name: "mx.example.org".to_owned(),
        today: "2026-11-24".parse().expect("a date"),
        has_group: |_| true,
        main_cf: MainCf::absent,
    }
}

/// The text with the comment signs gone in front of settings. Prose stays: it begins with no key.
fn uncommented(text: &str) -> String {
    let is_setting = |rest: &str| {
        let rest = rest.trim_start();
        let item = rest.strip_prefix("- ");
        let rest = item.unwrap_or(rest);
        let key: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || "_.".contains(*c)).collect();
        let after = &rest[key.len()..];
        (!key.is_empty() && (after.starts_with(": ") || after.trim_end() == ":"))
            || (item.is_some() && rest.starts_with(['{', 'p']))
    };
    let lines = text.lines().map(|line| match line.split_once("# ") {
        Some((indent, rest)) if indent.trim().is_empty() && is_setting(rest) => format!("{indent}{rest}\n"),
        // An entry of `domains` or of a list within the commented part.
        _ if line.trim_start().starts_with("# example.") => line.replacen("# ", "", 1) + "\n",
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[track_caller]
fn check(text: &str) -> config::Config {
    match config::parse("packaging/config.yaml", text, &host(), Path::new("/")) {
        Ok((config, _)) => config,
        Err(report) => panic!("{}\n{text}", report.render(Style::Plain)),
    }
}

#[test]
fn the_packaged_configuration_is_good() {
    let text = fs::read_to_string("packaging/config.yaml").expect("the packaged configuration");
    let shipped = check(&text);
    assert_eq!(shipped.policy.mode, lockdown_milter::check::Mode::Monitor, "it refuses nothing by itself");
    // The sources of identities and domains are files of the host.
    let all = uncommented(&text).replace("- file: /etc/lockdown-milter/domains", "[]");
    let spelled_out = check(&all);
    assert!(!spelled_out.policy.hosted.is_empty(), "its examples are settings");
    // What it says holds anyway does: spelling it out changes no default.
    assert_eq!(spelled_out.policy.defaults, shipped.policy.defaults);
    assert_eq!(spelled_out.limits, shipped.limits);
    assert_eq!(spelled_out.dns, shipped.dns);
    assert_eq!(spelled_out.harvest, shipped.harvest);
    assert_eq!(spelled_out.log, shipped.log);
}
