//! The settings for people: a configuration that says everything, with the origin of each setting behind it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use super::yaml::flow;
use super::{Content, name};
use crate::cli::layout::{Layout, counted};
use crate::cli::table::{Cell, Column, Table, Tone};
use crate::config::show::{Difference, Holder, Origin, Setting, Shown};
use crate::config::{Profile, Style};
use crate::journal::render::{harmless, harmless_json};

/// The column in which origins begin, where what stands before is no longer.
const MARGIN: usize = 44;

/// Domains that are named in one headline.
const MOST_DOMAINS: usize = 6;

/// Columns of a value in a table.
const WIDEST_VALUE: usize = 30;

/// The text.
pub(super) fn render(file: &str, shown: &Shown, content: &Content, layout: &Layout) -> String {
    match content {
        Content::Settings { domain: Some(domain), followed: Some(followed), settings } => {
            let mut text = comment(&format!("{domain}, by {}", harmless(file)), layout);
            if followed != domain {
                text.push_str(&comment(&format!("{domain} follows {followed} (alias_of)"), layout));
            }
            let above = format!("domains/{followed}/");
            let named =
                settings.iter().map(|setting| (above.clone() + &setting.name.replace('.', "/"), setting));
            text + &document(named, layout)
        }
        Content::Settings { settings, .. } => {
            let hosted = shown.config().policy.hosted.len();
            let domains = counted(hosted as u64, "domain is", "domains are");
            let text = comment(&format!("{}; {domains} hosted (--domain shows one)", harmless(file)), layout);
            let named = settings.iter().map(|setting| (setting.name.replace('.', "/"), setting));
            text + &document(named, layout)
        }
        Content::Differences { profile, differences } => compare(*profile, differences, layout),
    }
}

fn comment(text: &str, layout: &Layout) -> String {
    Tone::Faint.paint(&format!("# {text}"), layout.style) + "\n"
}

/// The settings as YAML. The keys on the way to each are divided by `/`, which is in no key.
fn document<'s>(settings: impl Iterator<Item = (String, &'s Setting)>, layout: &Layout) -> String {
    let mut text = String::new();
    let mut above: Vec<String> = Vec::new();
    for (path, setting) in settings {
        let mut keys: Vec<String> = path.split('/').map(str::to_owned).collect();
        let key = keys.pop().unwrap_or_default();
        let known = above.iter().zip(&keys).take_while(|(one, other)| one == other).count();
        for (depth, key) in keys.iter().enumerate().skip(known) {
            let _ = writeln!(
                text,
                "{}{}",
                "  ".repeat(depth),
                Tone::Strong.paint(&format!("{key}:"), layout.style)
            );
        }
        text.push_str(&entry(&"  ".repeat(keys.len()), &key, setting, layout));
        above = keys;
    }
    text
}

/// One setting; a long list takes a line for each item.
fn entry(indent: &str, key: &str, setting: &Setting, layout: &Layout) -> String {
    let value = flow(&setting.value);
    let origin = origin(setting);
    let fits = indent.width() + key.width() + 2 + value.width() < MARGIN;
    match &setting.value {
        Value::Array(items) if !fits && !items.is_empty() => {
            let mut text = line(indent, key, "", &origin, layout.style);
            for item in items {
                let _ = writeln!(text, "{indent}  - {}", harmless_json(&flow(item)));
            }
            text
        }
        _ => line(indent, key, &harmless_json(&value), &origin, layout.style),
    }
}

fn line(indent: &str, key: &str, value: &str, origin: &str, style: Style) -> String {
    let blank = if value.is_empty() { "" } else { " " };
    let taken = indent.width() + key.width() + 1 + blank.len() + value.width();
    let gap = " ".repeat(MARGIN.saturating_sub(taken).max(2));
    let key = Tone::Strong.paint(&format!("{key}:"), style);
    let origin = Tone::Faint.paint(&format!("# {origin}"), style);
    format!("{indent}{key}{blank}{value}{gap}{origin}\n")
}

/// Where a setting comes from, in a few words.
fn origin(setting: &Setting) -> String {
    let mut text = match (&setting.origin, setting.line) {
        (Origin::File, Some(line)) => format!("line {line}"),
        (origin, Some(line)) => format!("{origin}, line {line}"),
        (origin, None) => origin.to_string(),
    };
    if let Some((mode, origin)) = &setting.otherwise {
        let _ = write!(text, "; else {} ({origin})", mode.as_str());
    }
    if setting.is_locked {
        text.push_str("; locked");
    }
    text
}

/// What differs from a profile, in a table for each set of domains.
fn compare(profile: Profile, differences: &[Difference], layout: &Layout) -> String {
    let profile = name(profile);
    if differences.is_empty() {
        return format!("nothing differs from the profile {profile}\n");
    }
    let sets: BTreeSet<&[Holder]> = differences.iter().map(|difference| &*difference.holders).collect();
    let mut sets: Vec<&[Holder]> = sets.into_iter().collect();
    // The host, then what concerns most domains.
    sets.sort_by_key(|holders| (holders[0] != Holder::Host, std::cmp::Reverse(holders.len())));
    let tables = sets.into_iter().map(|holders| {
        let mut table = Table::new([
            Column::Left("SETTING"),
            Column::Left("IS"),
            Column::Left(match profile {
                "relaxed" => "RELAXED",
                "standard" => "STANDARD",
                _ => "LOCKDOWN",
            }),
            Column::Left("FROM"),
        ]);
        for difference in differences.iter().filter(|difference| difference.holders == holders) {
            let setting = &difference.setting;
            let from = match &setting.origin {
                Origin::Domain(_) if holders.len() > 1 => "domains".to_owned(),
                other => other.to_string(),
            };
            table.row([
                Cell::new(setting.name.clone()),
                Cell::new(short(&setting.value)).toned(Tone::Strong),
                Cell::new(short(&difference.would_be)),
                Cell::new(from),
            ]);
        }
        let title = Tone::Strong.paint(&title(holders), layout.style);
        format!("{title}\n{}", table.render(layout.width, layout.style))
    });
    tables.collect::<Vec<_>>().join("\n")
}

/// Who has the settings of a table.
fn title(holders: &[Holder]) -> String {
    let names = holders.iter().take(MOST_DOMAINS).map(|holder| match holder {
        Holder::Host => "the host".to_owned(),
        Holder::Defaults => "defaults".to_owned(),
        Holder::Domain(domain) => domain.to_string(),
    });
    let mut title = names.collect::<Vec<_>>().join(", ");
    if holders.len() > MOST_DOMAINS {
        let _ = write!(title, " and {} more", holders.len() - MOST_DOMAINS);
    }
    title
}

/// A value, or its beginning.
fn short(value: &Value) -> String {
    let text = harmless_json(&flow(value));
    if text.width() <= WIDEST_VALUE {
        return text;
    }
    text.chars().take(WIDEST_VALUE - 1).chain(['…']).collect()
}
