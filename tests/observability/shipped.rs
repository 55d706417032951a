//! What is shipped to look at the daemon: alerts that promtool takes, and a dashboard, both of nothing but metrics that
//! there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use lockdown_milter::daemon::metrics::{FAMILIES, Kind};
use serde_json::Value;

use crate::{Stage, host, metrics};

fn shipped(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packaging").join(file)
}

/// The names of metrics in an expression, without what a series of a histogram ends with.
fn named(expression: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c| !is_part(c));
    let ours = words.filter(|word| word.starts_with("lockdown_milter_") || word.starts_with("process_"));
    ours.map(|word| word.strip_suffix("_bucket").unwrap_or(word).to_owned()).collect()
}

fn families() -> BTreeSet<String> {
    FAMILIES.iter().map(|family| family.name.to_owned()).collect()
}

/// Every `expr` below this value.
fn expressions<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "expr") {
                    Some(expression) => found.push(expression),
                    None => expressions(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let text = fs::read_to_string(shipped("grafana/lockdown-milter.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    let shown: BTreeSet<String> = found.into_iter().flat_map(named).collect();
    assert_eq!(shown, families());
    for panel in dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row") {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        assert!(panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()), "{}", panel["title"]);
    }
    let ids: BTreeSet<_> =
        dashboard["panels"].as_array().unwrap().iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), dashboard["panels"].as_array().unwrap().len());
}

#[test]
fn alerts_are_about_metrics_that_there_are() {
    for file in ["prometheus/alerts.yml", "prometheus/alerts_test.yml"] {
        let named = named(&fs::read_to_string(shipped(file)).unwrap());
        let families = families();
        let unknown: Vec<_> = named.difference(&families).collect();
        assert!(named.len() > 10 && unknown.is_empty(), "{file}: {unknown:?}");
    }
}

#[test]
fn promtool_takes_the_alerts_and_they_fire_when_they_should() {
    if !host::is_possible(host::program("promtool").map(drop)) {
        return;
    }
    for arguments in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]] {
        let folder = shipped("prometheus");
        let output = Command::new("promtool").args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    // Each rule has a case in which it fires.
    let rules = fs::read_to_string(shipped("prometheus/alerts.yml")).unwrap();
    let cases = fs::read_to_string(shipped("prometheus/alerts_test.yml")).unwrap();
    for name in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(cases.contains(&format!("{{alertname=\"{name}\"}}")), "{name}");
    }
}

#[test]
fn the_list_of_metrics_is_what_is_served() {
    let stage =
        Stage::start("domains: { local.test: { recipients: { sources: [list: [info@local.test]] } } }\n");
    let text = metrics::get(stage.metrics, "/metrics").body;
    let mut types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for family in &FAMILIES {
        let (name, kind) = types.next().and_then(|line| line.split_once(' ')).unwrap();
        assert_eq!((name, kind), (family.name.trim_end_matches("_total"), family.kind.as_str()));
        assert_eq!(family.name.ends_with("_total"), family.kind == Kind::Counter, "{}", family.name);
        assert!(!family.help.is_empty() && !family.help.contains(['\n', '\\', '"']), "{}", family.name);
        let unit = if family.kind == Kind::Histogram { "_seconds" } else { "" };
        assert!(family.name.ends_with(unit), "{}", family.name);
    }
    assert_eq!(types.next(), None);
}
