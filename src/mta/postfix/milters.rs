//! The milters that main.cf names (`smtpd_milters`, `non_smtpd_milters`).

use super::words::{inside_braces, words};

/// A milter as Postfix knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Milter {
    /// Its address: `inet:host:port` or `unix:path`, where the path may begin at the queue directory.
    pub address: String,
    /// What is said of this one besides: `default_action`, `connect_timeout`, … with their values.
    pub settings: Vec<(String, String)>,
}

impl Milter {
    /// The value of a setting, where it is made for this milter.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The milters of a list.
pub fn milters(list: &str) -> Vec<Milter> {
    words(list).map(milter).collect()
}

/// `address`, or `{ address, name=value, … }`.
fn milter(word: &str) -> Milter {
    let mut parts = words(inside_braces(word).unwrap_or(word));
    let address = parts.next().unwrap_or_default().to_owned();
    // Where spaces surround the sign, braces surround the whole.
    let setting = |part: &str| {
        let (name, value) = inside_braces(part).unwrap_or(part).split_once('=')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    Milter { address, settings: parts.filter_map(setting).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, expected: &[(&str, Option<&str>)]) {
        let found = milters(list);
        let found: Vec<_> =
            found.iter().map(|one| (one.address.as_str(), one.setting("default_action"))).collect();
        assert_eq!(found, expected, "{list}");
    }

    #[test]
    fn lists() {
        check("", &[]);
        check("inet:localhost:8891, unix:a/b", &[("inet:localhost:8891", None), ("unix:a/b", None)]);
        check(
            "{ unix:/x.sock, default_action=accept }, inet:1:2",
            &[("unix:/x.sock", Some("accept")), ("inet:1:2", None)],
        );
        check(
            "{inet:1:2 connect_timeout=1s, { default_action = tempfail }}",
            &[("inet:1:2", Some("tempfail"))],
        );
        check("{}", &[("", None)]);
    }
}
