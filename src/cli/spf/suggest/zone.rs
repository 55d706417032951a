//! A record as a line of a zone file.

use crate::mail::Domain;

/// The record as it stands in a zone file: character-strings of at most 255 octets (RFC 7208, 3.3), cut at blanks, which
/// stay, as strings are joined without any.
pub(super) fn zone_line(domain: &Domain, record: &str) -> String {
    const STRING: usize = 255;
    let mut strings = vec![String::new()];
    // In zone files, both of these mean something else (RFC 1035, 5.1).
    let record = record.replace('\\', "\\\\").replace('"', "\\\"");
    for word in record.split_inclusive(' ') {
        let last = strings.last_mut().expect("the list begins with one");
        if last.len() + word.len() > STRING {
            strings.push(word.to_owned());
        } else {
            last.push_str(word);
        }
    }
    let quoted: Vec<String> = strings.iter().map(|string| format!("\"{string}\"")).collect();
    match quoted.as_slice() {
        [one] => format!("{domain}. IN TXT {one}\n"),
        many => format!("{domain}. IN TXT (\n    {}\n)\n", many.join("\n    ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_records_are_split_at_blanks() {
        let domain = "example.org".parse().unwrap();
        assert_eq!(zone_line(&domain, "v=spf1 -all"), "example.org. IN TXT \"v=spf1 -all\"\n");
        assert_eq!(
            zone_line(&domain, r#"v=spf1 exp=a"\.example"#),
            "example.org. IN TXT \"v=spf1 exp=a\\\"\\\\.example\"\n"
        );
        let record = format!("v=spf1 {}-all", "ip4:192.0.2.128/28 ".repeat(40));
        let line = zone_line(&domain, &record);
        let strings: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        assert!(strings.len() > 2 && strings.iter().all(|string| string.len() <= 255));
        assert_eq!(strings.concat(), record);
    }
}
