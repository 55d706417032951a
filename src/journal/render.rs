//! Records as text: logfmt and JSON, one line each.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{Record, judged};
use crate::check::Mode;
use crate::mail::text::clip;

/// Octets of one value, at most; whoever sends more has it cut, with `…` at its end.
const MAX_VALUE: usize = 1024;

/// Octets of a line with what it was judged on, at most: journald takes 48 KiB from a stream before it breaks a line,
/// whose second half would be a stranger's.
const MAX_JSON: usize = 47 * 1024;

/// Recipients named in one line, at most.
const MAX_RECIPIENTS: usize = 20;

/// The fields that have a value, in the order of the contract.
pub fn fields(record: &Record) -> Vec<(&'static str, Value)> {
    let some = |text: &str| Some(Value::from(text));
    let text = |text: &Option<String>| text.as_ref().map(|text| Value::from(text.as_str()));
    let mut rcpt_to: Vec<Value> =
        record.rcpt_to.iter().take(MAX_RECIPIENTS).map(|r| r.as_str().into()).collect();
    if let more @ 1.. = record.rcpt_to.len().saturating_sub(MAX_RECIPIENTS) {
        rcpt_to.push(format!("and {more} more").into());
    }
    let all = [
        ("time", some(&format!("{:.3}", record.time))),
        ("event", some(record.event.as_str())),
        ("verdict", some(record.verdict)),
        ("would", record.would.map(Value::from)),
        ("mode", record.mode.map(Mode::as_str).map(Value::from)),
        ("check", record.check.map(Value::from)),
        ("reason", record.reason.map(Value::from)),
        ("detail", text(&record.detail)),
        ("reply", text(&record.reply)),
        ("client", some(&record.client)),
        ("helo", some(&record.helo)),
        ("mail_from", some(&record.mail_from)),
        ("rcpt_to", Some(Value::Array(rcpt_to))),
        ("login", text(&record.login)),
        ("header_from", text(&record.header_from)),
        ("claimed", text(&record.claimed)),
        ("origin", some(record.origin)),
        ("spf", text(&record.spf)),
        ("queue_id", text(&record.queue_id)),
        ("ref", text(&record.reference)),
        ("ms", Some(record.ms.into())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The record as one line of logfmt, without the line's end.
pub fn logfmt(record: &Record) -> String {
    let mut line = String::with_capacity(512);
    for (name, value) in fields(record) {
        let text = match value {
            Value::String(text) => text,
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
            other => other.to_string(),
        };
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(name);
        line.push('=');
        push_value(&mut line, &text);
    }
    line
}

/// The record as one JSON object on one line, without the line's end.
pub fn json(record: &Record) -> String {
    let object: Map<String, Value> =
        fields(record).into_iter().map(|(name, value)| (name.to_owned(), shortened(value))).collect();
    let mut line = harmless_json(&Value::Object(object).to_string());
    if let Some(judged) = &record.judged {
        // Behind all that is short, so that readers who want only that can stop there.
        line.pop();
        let has_room = line.len() + judged.len() <= MAX_JSON;
        let judged = if has_room { judged.clone() } else { judged::omitted(judged.len()) };
        line.extend([",\"judged\":", &judged, "}"]);
    }
    line
}

/// JSON text with the characters escaped that show otherwise than they are: JSON leaves those beyond ASCII alone. Lines
/// stay lines.
pub fn harmless_json(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for c in text.chars() {
        if is_plain(c) || c == '\n' { harmless.push(c) } else { push_escaped(&mut harmless, c) }
    }
    harmless
}

/// Text for a terminal, on one line: what does not show as itself is escaped as in a quoted value.
pub fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => harmless.push_str("\\\\"),
            c if is_plain(c) => harmless.push(c),
            c => push_escaped(&mut harmless, c),
        }
    }
    harmless
}

/// A value that is no longer than values may be.
pub(crate) fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > MAX_VALUE => {
            Value::String(format!("{}…", clip(&text, MAX_VALUE)))
        }
        Value::Array(items) => Value::Array(items.into_iter().map(shortened).collect()),
        other => other,
    }
}

/// A logfmt value: bare where nothing in it could be misread, else in double quotes with the escapes of JSON.
pub fn push_value(line: &mut String, text: &str) {
    let cut = text.len() > MAX_VALUE;
    let text = clip(text, MAX_VALUE);
    let bare =
        !text.is_empty() && !cut && text.chars().all(|c| is_plain(c) && c != ' ' && !"\"=\\".contains(c));
    if bare {
        line.push_str(text);
        return;
    }
    line.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if is_plain(c) => line.push(c),
            c => push_escaped(line, c),
        }
    }
    line.push_str(if cut { "…\"" } else { "\"" });
}

/// Whether a character shows as itself: no control, nothing invisible, nothing that turns the direction of text. Our own
/// messages quote values as ‘value’.
fn is_plain(c: char) -> bool {
    c == ' ' || c.is_ascii_graphic() || "…‘’".contains(c) || (!c.is_ascii() && c.is_alphanumeric())
}

/// `c` as `\uXXXX`, in UTF-16 as JSON has it.
fn push_escaped(line: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a String cannot fail.
        let _ = write!(line, "\\u{unit:04x}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_value(text: &str, expected: &str) {
        let mut line = String::new();
        push_value(&mut line, text);
        assert_eq!(line, expected);
    }

    #[test]
    fn values() {
        check_value("a@example.org", "a@example.org");
        check_value("", "\"\"");
        check_value("a b", "\"a b\"");
        check_value("a=b", "\"a=b\"");
        check_value("a\"b\\", "\"a\\\"b\\\\\"");
        check_value("a\r\nevent=message", "\"a\\u000d\\u000aevent=message\"");
        check_value("müller@example.org", "müller@example.org");
        check_value("a\u{202e}b", "\"a\\u202eb\"");
        check_value("there is no ‘foo’", "\"there is no ‘foo’\"");
        check_value("\u{1f600}", "\"\\ud83d\\ude00\"");
    }

    #[test]
    fn long_values_are_cut() {
        let mut line = String::new();
        push_value(&mut line, &"x".repeat(100_000));
        assert_eq!(line.len(), MAX_VALUE + 2 + '…'.len_utf8());
        assert!(line.ends_with("…\""));
    }

    proptest! {
        /// A quoted value is a JSON string, so any JSON reader gets back what was written.
        #[test]
        fn values_read_back(text in ".{1,40}|[\\x00-\\x7f]{1,40}") {
            let mut line = String::new();
            push_value(&mut line, &text);
            prop_assert!(!line.contains(['\n', '\r']));
            let back = if line.starts_with('"') { serde_json::from_str(&line).unwrap() } else { line };
            prop_assert_eq!(back, text);
        }
    }
}
