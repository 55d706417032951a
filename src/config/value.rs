//! Values that more than one setting has: durations, networks, domains, names.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::diagnostic::quoted;
use super::problems::Problems;
use super::written::{At, TextOr};
use super::yaml::Id;
use crate::clients::{Endpoint, EndpointError};
use crate::mail::{Domain, Mailbox};
use crate::session::{LoginPattern, LoginPatternError};

/// The units of a duration, in milliseconds.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The longest duration that a setting may have: a hundred years, so that no deadline is out of a clock's reach.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// Reads `500ms`, `2s`, `10m`, `1h`, `14d`.
fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let (_, milliseconds) = UNITS.iter().find(|(unit, _)| *unit == &text[digits..])?;
    let duration = Duration::from_millis(number.checked_mul(*milliseconds)?);
    (duration <= LONGEST).then_some(duration)
}

/// A duration in the largest unit that holds it without a rest.
pub(super) struct Shown(pub(super) Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        let whole = |unit: &&(&str, u64)| milliseconds.is_multiple_of(u128::from(unit.1));
        let (unit, size) = match milliseconds {
            0 => ("s", 1000),
            _ => UNITS.iter().rev().find(whole).copied().unwrap_or(UNITS[0]),
        };
        write!(f, "{}{unit}", milliseconds / u128::from(size))
    }
}

/// A duration, or the default where none is set.
pub(super) fn duration(
    problems: &mut Problems<'_>,
    written: Option<&At<String>>,
    default: Duration,
) -> Duration {
    let Some(text) = written else { return default };
    parse_duration(&text.value).unwrap_or_else(|| {
        let problem = problems.error(text.node, format!("{} is not a duration", quoted(&text.value)));
        if text.value.parse::<u64>().is_ok() {
            problem.hint(format!("it needs a unit, such as {0}s or {0}ms", text.value));
        } else {
            problem.hint("write 500ms, 2s, 10m, 1h or 14d");
        }
        default
    })
}

/// A duration that must not be nothing.
pub(super) fn positive_duration(
    problems: &mut Problems<'_>,
    written: Option<&At<String>>,
    default: Duration,
) -> Duration {
    let duration = duration(problems, written, default);
    match written {
        Some(text) if duration.is_zero() => {
            problems
                .error(text.node, "no time at all is too little")
                .hint(format!("the default is {}", Shown(default)));
            default
        }
        _ => duration,
    }
}

/// A number within a range, or the default where none is set.
pub(super) fn number<T: TryFrom<u64> + Copy + fmt::Display>(
    problems: &mut Problems<'_>,
    written: Option<&At<u64>>,
    range: std::ops::RangeInclusive<u64>,
    default: T,
) -> T {
    let Some(number) = written else { return default };
    match T::try_from(number.value) {
        Ok(value) if range.contains(&number.value) => value,
        _ => {
            let hint = format!("from {} to {}; the default is {default}", range.start(), range.end());
            problems.error(number.node, format!("{} is out of range", number.value)).hint(hint);
            default
        }
    }
}

/// A network: `192.0.2.0/24`, or one address.
pub(super) fn network(problems: &mut Problems<'_>, text: &At<String>) -> Option<IpNet> {
    let value = text.value.as_str();
    if let Ok(address) = value.parse::<IpAddr>() {
        return Some(address.into());
    }
    match value.parse::<IpNet>() {
        Ok(network) if network.addr() == network.network() => Some(network),
        Ok(network) => {
            let message = format!("{} has bits set beyond its prefix", quoted(value));
            problems.error(text.node, message).hint(format!("did you mean `{}`?", network.trunc()));
            None
        }
        Err(_) => {
            let hint = match value.replace(['[', ']'], "") {
                bare if bare != value
                    && (bare.parse::<IpNet>().is_ok() || bare.parse::<IpAddr>().is_ok()) =>
                {
                    format!("write it without brackets: `{bare}`")
                }
                _ => "write 192.0.2.0/24, 2001:db8::/32, or one address".to_owned(),
            };
            problems.error(text.node, format!("{} is not a network", quoted(value))).hint(hint);
            None
        }
    }
}

/// A domain name.
pub(super) fn domain(problems: &mut Problems<'_>, text: &At<String>) -> Option<Domain> {
    let domain = text.value.parse().ok();
    if domain.is_none() {
        let problem = problems.error(text.node, format!("{} is not a domain name", quoted(&text.value)));
        if let Some((_, domain)) = text.value.rsplit_once('@') {
            problem.hint(format!("write the domain alone: {}", quoted(domain)));
        }
    }
    domain
}

/// A login, or all of a domain.
pub(super) fn login_pattern(problems: &mut Problems<'_>, text: &At<String>) -> Option<LoginPattern> {
    text.value
        .parse()
        .map_err(|error: LoginPatternError| {
            let hint = match error {
                LoginPatternError::Empty => "remove it",
                LoginPatternError::Wildcard | LoginPatternError::Domain(_) => {
                    "write a login, or @example.org for every login of a domain"
                }
            };
            problems.error(text.node, error.to_string()).hint(hint);
        })
        .ok()
}

/// The sources of a list that `build` makes sense of, none twice.
pub(super) fn distinct<W, S: PartialEq>(
    problems: &mut Problems<'_>,
    written: &[At<TextOr<W>>],
    mut build: impl FnMut(&mut Problems<'_>, &At<TextOr<W>>) -> Option<S>,
) -> Vec<S> {
    let mut sources: Vec<(Id, S)> = Vec::new();
    for item in written {
        let Some(source) = build(problems, item) else { continue };
        match sources.iter().find(|(_, other)| *other == source) {
            Some((first, _)) => {
                problems
                    .error(item.node, "this source is there already")
                    .hint("remove one of the two")
                    .related(*first, "the first one");
            }
            None => sources.push((item.node, source)),
        }
    }
    sources.into_iter().map(|(_, source)| source).collect()
}

/// A mailbox.
pub(super) fn mailbox(problems: &mut Problems<'_>, text: &At<String>) -> Option<Mailbox> {
    match text.value.parse() {
        Ok(mailbox) => Some(mailbox),
        Err(error) => {
            let problem = problems.error(text.node, error.to_string());
            if text.value.starts_with('@') {
                problem.hint("to accept every name of a domain, do not check its recipients: `mode: off`");
            }
            None
        }
    }
}

/// The path of a file or a folder; a relative one begins at `base`.
pub(super) fn path(problems: &mut Problems<'_>, base: &Path, text: &At<String>) -> Option<PathBuf> {
    if text.value.is_empty() || text.value.contains('\0') {
        problems.error(text.node, format!("{} is not a path", quoted(&text.value)));
        return None;
    }
    Some(base.join(&text.value))
}

/// The socket of a server, as `read` reads it; `forms` says how it is written.
pub(super) fn endpoint(
    problems: &mut Problems<'_>,
    text: &At<String>,
    forms: &str,
    read: impl Fn(&str) -> Result<Endpoint, EndpointError>,
) -> Option<Endpoint> {
    match read(&text.value) {
        Ok(endpoint) => Some(endpoint),
        Err(error) => {
            problems.error(text.node, error.to_string()).hint(forms);
            None
        }
    }
}

/// An authserv-id (RFC 8601, 2.2), which we take as a token (RFC 2045, 5.1), as domain names are.
pub(super) fn authserv_id(problems: &mut Problems<'_>, text: &At<String>) -> Option<String> {
    let token = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?=".contains(c);
    if !text.value.is_empty() && text.value.chars().all(token) {
        return Some(text.value.clone());
    }
    problems
        .error(text.node, format!("{} is not an authserv-id", quoted(&text.value)))
        .hint("use this host's full name, such as mx.example.org");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, shown) in [
            ("500ms", Some("500ms")),
            ("2s", Some("2s")),
            ("60s", Some("1m")),
            ("10m", Some("10m")),
            ("1h", Some("1h")),
            ("14d", Some("14d")),
            ("0s", Some("0s")),
            ("", None),
            ("2", None),
            ("s", None),
            ("2 s", None),
            ("-2s", None),
            ("1.5h", None),
            ("2S", None),
            ("2sec", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(
                parse_duration(text).map(|found| Shown(found).to_string()).as_deref(),
                shown,
                "{text}"
            );
        }
    }
}
