//! Values as YAML in one line, the way people write it: no more quotation marks than it takes.

use serde_json::Value;

/// A value in flow style.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Null => "~".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => scalar(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(pairs) if pairs.is_empty() => "{}".to_owned(),
        Value::Object(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| format!("{}: {}", scalar(key), flow(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A text, in quotation marks where it could be taken for something else.
fn scalar(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@+".contains(c);
    let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
    let is_word = text.chars().all(is_plain) && begins_well && !text.ends_with(':');
    let is_other = ["null", "true", "false", "~", ""].contains(&text.to_ascii_lowercase().as_str())
        || text.parse::<f64>().is_ok()
        || text.starts_with("0x")
        || text.starts_with("0o")
        || text.starts_with("0b");
    // What YAML reads in double quotes is more than what JSON writes there (YAML 1.2, 7.3.1).
    if is_word && !is_other { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quotation_marks_are_where_they_are_needed() {
        for (value, expected) in [
            (json!("reject"), "reject"),
            (json!("inet:127.0.0.1:8891"), "inet:127.0.0.1:8891"),
            (json!("::1"), "\"::1\""),
            (json!("0660"), "\"0660\""),
            (json!("1e3"), "\"1e3\""),
            (json!("a: b"), "\"a: b\""),
            (json!("SRS0[=+-]*"), "\"SRS0[=+-]*\""),
            (json!("é\"\n"), "\"é\\\"\\n\""),
            (json!("true"), "\"true\""),
            (json!(""), "\"\""),
            (json!(null), "~"),
            (json!(["a", 1, false]), "[a, 1, false]"),
            (
                json!({ "ldap": { "url": "ldaps://x", "base": "ou=a,dc=b" } }),
                "{ ldap: { url: ldaps://x, base: \"ou=a,dc=b\" } }",
            ),
        ] {
            assert_eq!(flow(&value), expected);
        }
    }
}
