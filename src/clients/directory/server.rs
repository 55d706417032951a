//! URLs of directories (RFC 4516, of which only the server counts here).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use crate::clients::files::problem::quoted;

/// A server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Server {
    /// Where it is.
    pub place: Place,
    /// Whether the connection begins with TLS (`ldaps`).
    pub is_tls: bool,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A host, by its name or address, and a port.
    Inet(String, u16),
    /// A Unix socket (`ldapi`).
    Unix(PathBuf),
}

/// Why a text is no URL of a directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlError(String);

impl Server {
    /// Whether others on the way can read what is said: neither TLS nor on this host.
    pub fn is_readable_by_others(&self) -> bool {
        let Place::Inet(host, _) = &self.place else { return false };
        let is_here =
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        !self.is_tls && !is_here
    }

    /// Whether TLS can begin on a connection that begins without it.
    pub fn can_start_tls(&self) -> bool {
        !self.is_tls && matches!(self.place, Place::Inet(..))
    }
}

impl FromStr for Server {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let wrong = |why: &str| UrlError(format!("{} {why}", quoted(text)));
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("is no URL"))?;
        let scheme = scheme.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "ldap" => 389,
            "ldaps" => 636,
            "ldapi" => 0,
            _ => return Err(wrong("is no URL of a directory")),
        };
        let (authority, rest) = rest.split_once(['/', '?']).unwrap_or((rest, ""));
        if scheme == "ldapi" {
            let path = percent_decoded(authority).ok_or_else(|| wrong("is no URL"))?;
            if path.starts_with('/') && rest.is_empty() {
                return Ok(Self { place: Place::Unix(PathBuf::from(path)), is_tls: false });
            }
            let socket = if rest.is_empty() { "run/slapd/ldapi" } else { rest };
            let written = format!("/{}", socket.trim_matches('/')).replace('/', "%2F");
            return Err(wrong(&format!("names no socket; write ldapi://{written}")));
        }
        if !rest.is_empty() {
            return Err(wrong("has more than a server; base, scope and filter are settings of their own"));
        }
        if authority.contains('@') {
            return Err(wrong("has a user; write `bind_dn` and `password_file`"));
        }
        let (host, port) = host_and_port(authority).ok_or_else(|| wrong("names no host"))?;
        let port = match port {
            Some(port) => {
                port.parse().ok().filter(|port| *port > 0).ok_or_else(|| wrong("has no usable port"))?
            }
            None => default_port,
        };
        Ok(Self { place: Place::Inet(host, port), is_tls: scheme == "ldaps" })
    }
}

/// Splits `host:port`; an IPv6 address comes in brackets. An empty host is this one.
fn host_and_port(authority: &str) -> Option<(String, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let port = if port.is_empty() { None } else { Some(port.strip_prefix(':')?) };
        return Some((address.to_string(), port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_fit = host.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._".contains(&octet));
    let host = if host.is_empty() { "localhost" } else { host };
    is_fit.then(|| (host.to_owned(), port))
}

/// The text with `%xx` decoded.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = str::from_utf8(after.get(..2)?).ok()?;
            octets.push(u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?);
            rest = &after[2..];
        } else {
            octets.push(*first);
            rest = after;
        }
    }
    String::from_utf8(octets).ok()
}

impl fmt::Display for Server {
    /// The URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "ldaps" } else { "ldap" };
        match &self.place {
            Place::Inet(host, port) if host.contains(':') => write!(f, "{scheme}://[{host}]:{port}"),
            Place::Inet(host, port) => write!(f, "{scheme}://{host}:{port}"),
            Place::Unix(path) => write!(f, "ldapi://{}", path.display().to_string().replace('/', "%2F")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Result<&str, &str>) {
        let found = url.parse::<Server>().map(|server| server.to_string()).map_err(|error| error.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{url}");
    }

    #[test]
    fn urls() {
        check("ldap://ldap.example.org", Ok("ldap://ldap.example.org:389"));
        check("LDAPS://ldap.example.org/", Ok("ldaps://ldap.example.org:636"));
        check("ldap://127.0.0.1:3890", Ok("ldap://127.0.0.1:3890"));
        check("ldap://[::1]:3890", Ok("ldap://[::1]:3890"));
        check("ldap://", Ok("ldap://localhost:389"));
        check("ldapi://%2Frun%2Fslapd%2fldapi", Ok("ldapi://%2Frun%2Fslapd%2Fldapi"));
        check("ldapi:///run/x", Err("‘ldapi:///run/x’ names no socket; write ldapi://%2Frun%2Fx"));
        check("ldapi:///", Err("‘ldapi:///’ names no socket; write ldapi://%2Frun%2Fslapd%2Fldapi"));
        check("ldap.example.org", Err("‘ldap.example.org’ is no URL"));
        check("http://x", Err("‘http://x’ is no URL of a directory"));
        check("ldap://x y", Err("‘ldap://x y’ names no host"));
        check("ldap://x:0", Err("‘ldap://x:0’ has no usable port"));
        check("ldap://a@x", Err("‘ldap://a@x’ has a user; write `bind_dn` and `password_file`"));
        check(
            "ldap://x/dc=example",
            Err(
                "‘ldap://x/dc=example’ has more than a server; base, scope and filter are settings of their own",
            ),
        );
    }

    #[test]
    fn who_can_read_along() {
        for (url, expected) in [
            ("ldap://ldap.example.org", true),
            ("ldaps://ldap.example.org", false),
            ("ldap://127.0.0.1", false),
            ("ldap://[::1]", false),
            ("ldapi://%2Fx", false),
        ] {
            assert_eq!(url.parse::<Server>().unwrap().is_readable_by_others(), expected, "{url}");
        }
    }
}
