//! What is shipped works: the packaged configuration, as it is and with every commented setting in force.

use std::fs;
use std::path::Path;

use lockdown_milter::check::Mode;
use lockdown_milter::clients::files::Problem;
use lockdown_milter::config::{self, Host, Report, Style};
use lockdown_milter::mail::Domain;
use lockdown_milter::mta::postfix::main_cf::MainCf;
use lockdown_milter::sources::recipients::SourceSettings;

fn host() -> Host {
    Host {
        name: "mx.example.org".to_owned(),
        today: "2026-11-24".parse().expect("a date"),
        has_group: |_| true,
        main_cf,
    }
}

/// What Postfix says on a host that receives mail for two domains.
#[expect(clippy::unnecessary_wraps, reason = "a host is asked in this form")]
fn main_cf(config_dir: Option<&Path>, _: &[&str]) -> Result<MainCf, Problem> {
    let values = [
        ("myhostname", "mx.example.org"),
        ("mydestination", "mx.example.org, example.org, localhost"),
        ("virtual_mailbox_domains", "example.net"),
        ("mynetworks", "127.0.0.0/8 [::1]/128"),
    ];
    Ok(MainCf::of(config_dir.unwrap_or(Path::new("/etc/postfix")), &values))
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
    check_on(&host(), text).unwrap_or_else(|report| panic!("{}\n{text}", report.render(Style::Plain)))
}

fn check_on(host: &Host, text: &str) -> Result<config::Config, Report> {
    config::parse("packaging/config.yaml", text, host, Path::new("/")).map(|(config, _)| config)
}

fn packaged() -> String {
    fs::read_to_string("packaging/config.yaml").expect("the packaged configuration")
}

#[test]
fn the_packaged_configuration_is_good() {
    let text = packaged();
    let shipped = check(&text);
    assert_eq!(shipped.policy.mode, Mode::Monitor, "it refuses nothing by itself");
    let hosted: Vec<&str> = shipped.policy.hosted.keys().map(Domain::as_str).collect();
    assert_eq!(hosted, ["example.net", "example.org", "mx.example.org"], "those of Postfix");
    assert_eq!(shipped.recipients, [SourceSettings::Postfix { config_dir: None }]);
    let spelled_out = check(&uncommented(&text));
    assert!(spelled_out.policy.hosted.len() > hosted.len(), "its examples are settings");
    // What it says holds anyway does: spelling it out changes no default.
    assert_eq!(spelled_out.policy.defaults, shipped.policy.defaults);
    assert_eq!(spelled_out.limits, shipped.limits);
    assert_eq!(spelled_out.dns, shipped.dns);
    assert_eq!(spelled_out.harvest, shipped.harvest);
    assert_eq!(spelled_out.log, shipped.log);
}

#[test]
fn every_example_of_a_source_is_one() {
    // Examples are commented twice, below a list that is written as empty.
    let text = packaged().replace("sources: [] ", "sources: ").replace("exceptions: [] ", "exceptions: ");
    let example = |line: &str| {
        let setting = line.strip_prefix("# ").filter(|rest| {
            // Prose begins with a capital or stands further to the right, and the file of domains is not there.
            let item = rest.trim_start().strip_prefix("# ").filter(|_| rest.find('#') <= Some(6));
            item.is_some_and(|item| !item.starts_with(char::is_uppercase) && !item.contains("/domains"))
        });
        setting.map_or_else(|| format!("{line}\n"), |rest| rest.replacen("# ", "", 1) + "\n")
    };
    let config = check(&uncommented(&text.lines().map(example).collect::<String>()));
    assert_eq!(config.recipients.len(), 13, "{:?}", config.recipients);
    assert_eq!(config.identities.len(), 6, "{:?}", config.identities);
}

#[test]
fn a_host_without_postfix_is_told_what_to_do() {
    let host = Host { main_cf: MainCf::absent, ..host() };
    let report = check_on(&host, &packaged()).expect_err("there is no Postfix");
    let text = report.render(Style::Plain);
    for part in ["Postfix is not installed", "- postfix", "take this out", "`domains`", "`sources`"] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let without = packaged()
        .replace("      - postfix ", "      # - postfix ")
        .replace("  - postfix  ", "  # - postfix  ");
    check_on(&host, &without.replace("  # example.org:", "  example.org:")).expect("what it was told to do");
}
