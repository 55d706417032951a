//! A broken configuration changes nothing but a line in the log, and everybody says the same of it.

use std::fs;

use nix::sys::signal::Signal;

use crate::{Stage, daemon, metrics, rcpt};

const GOOD: &str = "
mode: enforce
defaults: { spf: { mode: off }, recipients: { sources: [list: [info@local.test]] } }
domains: { local.test: }
";

/// Ten ways to break it: what is put in, in the place of what. Nothing to replace: the whole file.
const BROKEN: [(&str, &str, &str); 10] = [
    ("nothing", "", ""),
    ("no text", "", "\u{0}\u{1}"),
    ("a tab", "mode: enforce", "\tmode: enforce"),
    ("an open bracket", "domains: {", "domains: {{"),
    ("a word that is none", "enforce", "enforced"),
    ("a setting that is none", "mode: enforce", "moode: enforce"),
    ("a key twice", "mode: enforce", "mode: enforce\nmode: monitor"),
    ("a number where a duration belongs", "mode: enforce", "mode: enforce\nlimits: { decision_time: 8 }"),
    ("a file that is not there", "list: [info@local.test]", "file: /nowhere/recipients"),
    ("an alias of nobody", "local.test:", "local.test: { alias_of: nowhere.test }"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_configuration_changes_nothing_but_a_line_in_the_log() {
    let stage = Stage::start(GOOD);
    let good = fs::read_to_string(stage.daemon.config_file()).unwrap();
    let mut mta = stage.session("192.0.2.10").await;
    let value = |name: &str| metrics::value(stage.metrics, name);
    let loaded = value("lockdown_milter_config_loaded_timestamp_seconds");
    for (number, (what, old, new)) in BROKEN.into_iter().enumerate() {
        let broken = if old.is_empty() { new.to_owned() } else { good.replace(old, new) };
        assert_ne!(broken, good, "{what}");
        fs::write(stage.daemon.config_file(), broken).unwrap();
        let checked = daemon::run(&["check"], &stage.daemon.config_file());
        assert_eq!(checked.status.code(), Some(78), "{what}: {}", String::from_utf8_lossy(&checked.stdout));

        stage.daemon.signal(Signal::SIGHUP);
        let lines = stage.daemon.wait_for(&["level=error", "the old one stays in force"]);
        let named = lines.iter().filter(|line| line.contains("level=error")).count();
        assert!(named > 1, "{what}: the log does not say what is wrong: {lines:#?}");

        let failed = value("lockdown_milter_reloads_total{outcome=\"failed\"}");
        assert_eq!(failed.to_string(), (number + 1).to_string(), "{what}");
        assert_eq!(value("lockdown_milter_config_good"), 0.0, "{what}");
        let page = metrics::get(stage.metrics, "/readyz");
        let said = "ready\nconfiguration: the last reload failed, the old one is in force\n";
        assert_eq!((page.status, page.body.as_str()), (200, said), "{what}");

        let answers = [
            rcpt(&mut mta, "a@pass.example", "info@local.test").await,
            rcpt(&mut mta, "a@pass.example", "nobody@local.test").await,
        ];
        assert_eq!(answers[0], "continue", "{what}");
        assert!(answers[1].contains("550 5.1.1"), "{what}: {}", answers[1]);
    }
    assert_eq!(value("lockdown_milter_reloads_total{outcome=\"good\"}"), 0.0);
    assert_eq!(value("lockdown_milter_config_loaded_timestamp_seconds"), loaded);

    stage.daemon.reload(&good.replace("info@local.test", "office@local.test"));
    assert!(daemon::run(&["check"], &stage.daemon.config_file()).status.success());
    assert_eq!(value("lockdown_milter_reloads_total{outcome=\"good\"}"), 1.0);
    assert_eq!(value("lockdown_milter_config_good"), 1.0);
    assert_eq!(metrics::get(stage.metrics, "/readyz").body, "ready\n");
    assert!(rcpt(&mut mta, "a@pass.example", "info@local.test").await.contains("550 5.1.1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_metrics_are_served_changes_with_a_restart() {
    let stage = Stage::start(GOOD);
    let other = crate::host::free_port();
    let moved = stage.config.replace(&stage.metrics.to_string(), &other.to_string());
    let lines = stage.daemon.reload(&moved);
    assert!(
        lines.iter().any(|line| line.contains("`metrics`") && line.contains("a restart is needed")),
        "{lines:#?}"
    );
    assert_eq!(metrics::get(stage.metrics, "/healthz").status, 200);
}
