//! Where the MTA connects to: listeners as written, and what they mean.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

use super::diagnostic::quoted;
use super::problems::{Problems, Spot};
use super::written::{At, TextOr};
use super::yaml::Id;
use super::{Host, value, words};
use crate::session::Role;

/// A place where MTAs connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The socket.
    pub address: Address,
    /// Who may connect; all for a Unix socket, whose permissions say it.
    pub allowed_peers: Vec<IpNet>,
    /// Whom it serves.
    pub role: Role,
}

/// The address of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP.
    Inet(SocketAddr),
    /// A Unix socket.
    Unix {
        /// Its absolute path.
        path: PathBuf,
        /// Its permission bits.
        permissions: u32,
        /// Its group; none leaves the group of the process.
        group: Option<String>,
    },
}

/// A listener as written, in its long form.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    unix: Option<At<String>>,
    inet: Option<At<String>>,
    permissions: Option<At<String>>,
    group: Option<At<String>>,
    allowed_peers: Option<At<Vec<At<String>>>>,
    role: Option<At<String>>,
}

/// Read and write for the owner and the group: the MTA is to be in the group.
const PERMISSIONS: u32 = 0o660;

/// What `sun_path` holds on Linux, less its final NUL.
const LONGEST_PATH: usize = 107;

/// The listeners that make sense.
pub(super) fn build(
    problems: &mut Problems<'_>,
    host: &Host,
    written: Option<&[At<TextOr<Written>>]>,
) -> Vec<Listener> {
    let items = written.unwrap_or_default();
    if items.is_empty() && !problems.has_gap_in(&["listen"]) {
        let key = problems.tree().find(0, &["listen"]);
        problems
            .error(
                key.map_or(Spot::Whole, |(key, _)| key.into()),
                "nothing listens: `listen` names no socket",
            )
            .hint("for example: `listen: [\"inet:127.0.0.1:8891\"]`");
    }
    let mut listeners: Vec<(Id, Listener)> = Vec::new();
    for item in items {
        let listener = match &item.value {
            TextOr::Text(text) => short_form(problems, item.node, text),
            TextOr::Map(written) => written.build(problems, host, item.node),
        };
        let Some(listener) = listener else { continue };
        match listeners.iter().find(|(_, other)| other.address.is_same_socket(&listener.address)) {
            Some((first, _)) => {
                problems
                    .error(item.node, "this socket is listened on already")
                    .related(*first, "the first listener");
            }
            None => listeners.push((item.node, listener)),
        }
    }
    listeners.into_iter().map(|(_, listener)| listener).collect()
}

impl fmt::Display for Address {
    /// As the MTA's configuration names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => write!(f, "inet:{address}"),
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Address {
    /// Whether an MTA means this socket by what it calls it: `inet:host:port` and `unix:path` in Postfix,
    /// `inet:port@host` and `local:path` in Sendmail. In a chroot, paths begin at the queue directory.
    pub fn is_named(&self, name: &str) -> bool {
        match (self, name.split_once(':')) {
            (Self::Inet(ours), Some(("inet" | "inet6", rest))) => {
                let host_and_port = rest.split_once('@').map(|(port, host)| (host, port));
                let Some((host, port)) = host_and_port.or_else(|| rest.rsplit_once(':')) else {
                    return false;
                };
                let host = host.trim_matches(['[', ']']);
                let is_host =
                    host.parse() == Ok(ours.ip()) || (host == "localhost" && ours.ip().is_loopback());
                is_host && port.parse() == Ok(ours.port())
            }
            (Self::Unix { path, .. }, Some(("unix" | "local", rest))) => path.ends_with(rest),
            _ => false,
        }
    }

    fn is_same_socket(&self, other: &Self) -> bool {
        match (self, other) {
            // Port 0 is a fresh port each time.
            (Self::Inet(a), Self::Inet(b)) => a == b && a.port() != 0,
            (Self::Unix { path: a, .. }, Self::Unix { path: b, .. }) => a == b,
            _ => false,
        }
    }
}

/// One string, as Postfix and Sendmail write it.
fn short_form(problems: &mut Problems<'_>, node: Id, text: &str) -> Option<Listener> {
    let (kind, rest) = text.split_once(':').unwrap_or_default();
    let written = match kind {
        "unix" | "local" => {
            let unix = Some(At { node, value: rest.to_owned() });
            Written { unix, ..Written::default() }
        }
        "inet" | "inet6" => {
            let inet = Some(At { node, value: rest.to_owned() });
            Written { inet, ..Written::default() }
        }
        _ => {
            problems.error(node, format!("{} is not a socket", quoted(text))).hint(FORMS);
            return None;
        }
    };
    written.address(problems, node).map(|address| {
        let allowed_peers = written.peers(problems, node, &address);
        Listener { address, allowed_peers, role: Role::Auto }
    })
}

const INET_FORMS: &str = "write 127.0.0.1:8891, [::1]:8891 or 8891@localhost";

const FORMS: &str = "write inet:127.0.0.1:8891, inet:8891@localhost or unix:/run/lockdown-milter/milter.sock";

impl Written {
    fn build(&self, problems: &mut Problems<'_>, host: &Host, node: Id) -> Option<Listener> {
        let role = self.role.as_ref().map(|word| words::meaning(problems, word, "a role", &Role::NAMES));
        if let Some(group) = self.group.as_ref().filter(|group| !(host.has_group)(&group.value)) {
            problems.warning(group.node, format!("this host has no group {}", quoted(&group.value)));
        }
        let address = self.address(problems, node)?;
        let allowed_peers = self.peers(problems, node, &address);
        Some(Listener { address, allowed_peers, role: role.map_or(Some(Role::Auto), |role| role)? })
    }

    /// The socket, with complaints about settings that do not go with its kind.
    fn address(&self, problems: &mut Problems<'_>, node: Id) -> Option<Address> {
        match (&self.unix, &self.inet) {
            (Some(unix), Some(inet)) => {
                problems
                    .error(inet.node, "a listener is either `unix` or `inet`")
                    .hint("make it two items of the list")
                    .related(unix.node, "the other one");
                None
            }
            (None, None) => {
                if !problems.has_gap(node) {
                    problems.error(node, "this listener has no socket").hint("add `unix:` or `inet:`");
                }
                None
            }
            (Some(unix), None) => {
                if let Some(peers) = &self.allowed_peers {
                    problems
                        .error(peers.node, "`allowed_peers` is for `inet` listeners")
                        .hint("`permissions` and `group` say who may use a Unix socket");
                }
                let permissions =
                    self.permissions.as_ref().map_or(Some(PERMISSIONS), |text| permissions(problems, text));
                let path = unix_path(problems, unix)?;
                let group = self.group.as_ref().map(|group| group.value.clone());
                Some(Address::Unix { path, permissions: permissions?, group })
            }
            (None, Some(inet)) => {
                for setting in [&self.permissions, &self.group].into_iter().flatten() {
                    problems
                        .error(setting.node, "`permissions` and `group` are for `unix` listeners")
                        .hint("`allowed_peers` says who may use an `inet` socket");
                }
                inet_address(problems, inet, INET_FORMS).map(Address::Inet)
            }
        }
    }

    fn peers(&self, problems: &mut Problems<'_>, node: Id, address: &Address) -> Vec<IpNet> {
        let (Address::Inet(address), Some(inet)) = (address, &self.inet) else { return Vec::new() };
        let Some(peers) = &self.allowed_peers else {
            if !address.ip().is_loopback() && !problems.has_gap(node) {
                problems
                    .error(
                        inet.node,
                        "other hosts can reach this socket: `allowed_peers` must say which may use it",
                    )
                    .hint("add `allowed_peers: [ADDRESS OF THE MTA]`");
            }
            return loopback();
        };
        if peers.value.is_empty() && !problems.has_gap(node) {
            problems.error(peers.node, "nobody could use this socket").hint("name the MTA's address");
        }
        peers.value.iter().filter_map(|text| value::network(problems, text)).collect()
    }
}

/// The path of the control socket, which no listener may have.
pub(super) fn control(
    problems: &mut Problems<'_>,
    listeners: &[Listener],
    text: &At<String>,
) -> Option<PathBuf> {
    let path = unix_path(problems, text)?;
    let is_taken = |listener: &Listener| matches!(&listener.address, Address::Unix { path: other, .. } if *other == path);
    if listeners.iter().any(is_taken) {
        problems
            .error(text.node, "MTAs connect to this socket")
            .hint("give the control socket a name of its own");
        return None;
    }
    Some(path)
}

/// Both loopback networks.
pub(super) fn loopback() -> Vec<IpNet> {
    vec![
        IpNet::new_assert(Ipv4Addr::new(127, 0, 0, 0).into(), 8),
        IpNet::from(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)),
    ]
}

/// Permission bits as chmod(1) writes them. The leading zero is asked for, as YAML reads `0o660` as 432.
fn permissions(problems: &mut Problems<'_>, text: &At<String>) -> Option<u32> {
    let octal = text.value.strip_prefix('0').filter(|digits| digits.len() == 3);
    let bits = octal.and_then(|digits| u32::from_str_radix(digits, 8).ok());
    if bits.is_none() {
        problems
            .error(text.node, format!("{} does not name permissions", quoted(&text.value)))
            .hint("write four octal digits in quotes: \"0660\"");
    }
    bits
}

fn unix_path(problems: &mut Problems<'_>, text: &At<String>) -> Option<PathBuf> {
    let shown = quoted(&text.value);
    if !text.value.starts_with('/') {
        problems.error(text.node, format!("the path {shown} is not absolute")).hint("begin it with `/`");
        return None;
    }
    if text.value.len() > LONGEST_PATH || text.value.contains('\0') {
        let message = format!("no socket can be named {shown}: its path has more than {LONGEST_PATH} octets");
        problems.error(text.node, message);
        return None;
    }
    Some(text.value.clone().into())
}

/// `127.0.0.1:8891` or `8891@127.0.0.1`. No DNS is asked: it may not be there yet when the host starts. `forms` says how it
/// is written.
pub(super) fn inet_address(
    problems: &mut Problems<'_>,
    text: &At<String>,
    forms: &str,
) -> Option<SocketAddr> {
    let (host, port) = match text.value.split_once('@') {
        Some((port, host)) => (host, port),
        None => text.value.rsplit_once(':').unwrap_or_default(),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let address = match bare {
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        bare => bare.parse::<IpAddr>().ok(),
    };
    match (address, port.parse()) {
        (Some(address), Ok(port)) => Some(SocketAddr::new(address, port)),
        (None, Ok(_)) if !host.is_empty() => {
            problems
                .error(text.node, format!("{} is not an address", quoted(host)))
                .hint("host names are not looked up; write an address, or localhost");
            None
        }
        _ => {
            problems
                .error(text.node, format!("{} is not an address with a port", quoted(&text.value)))
                .hint(forms);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mtas_have_for_listeners() {
        let inet = Address::Inet("127.0.0.1:8892".parse().unwrap());
        for (name, expected) in [
            ("inet:127.0.0.1:8892", true),
            ("inet:localhost:8892", true),
            ("inet:[127.0.0.1]:8892", true),
            ("inet:8892@127.0.0.1", true),
            ("inet:8892@10.0.0.1", false),
            ("inet:localhost:8891", false),
            ("inet:10.0.0.1:8892", false),
            ("inet:8892", false),
            ("unix:127.0.0.1:8892", false),
        ] {
            assert_eq!(inet.is_named(name), expected, "{name}");
        }
        let path = "/var/spool/postfix/lockdown-milter/local.sock".into();
        let unix = Address::Unix { path, permissions: 0o660, group: None };
        for (name, expected) in [
            ("unix:/var/spool/postfix/lockdown-milter/local.sock", true),
            ("local:/var/spool/postfix/lockdown-milter/local.sock", true),
            ("unix:lockdown-milter/local.sock", true),
            ("unix:other/local.sock", false),
            ("inet:localhost:8892", false),
        ] {
            assert_eq!(unix.is_named(name), expected, "{name}");
        }
    }
}
