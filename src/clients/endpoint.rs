//! Where a server is.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::{Instant, timeout};

use super::wire::Stream;
use crate::clients::files::problem::quoted;
use crate::mail::Domain;

/// The socket of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A Unix socket at an absolute path.
    Unix(PathBuf),
    /// TCP.
    Inet {
        /// An address, or a name that the system can resolve.
        host: String,
        /// The port, not 0.
        port: u16,
    },
}

/// Why a text names no socket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EndpointError(pub(crate) String);

/// What `sun_path` holds on Linux, less its final NUL.
const LONGEST_PATH: usize = 107;

impl Endpoint {
    /// A Unix socket.
    ///
    /// # Errors
    ///
    /// When the path is not absolute, or longer than a socket's can be.
    pub fn unix(path: &Path) -> Result<Self, EndpointError> {
        let shown = || quoted(&path.to_string_lossy());
        if !path.is_absolute() {
            return Err(EndpointError(format!("{} is no absolute path", shown())));
        }
        let length = path.as_os_str().len();
        if length > LONGEST_PATH {
            return Err(EndpointError(format!(
                "the path of a socket has {LONGEST_PATH} octets at most, and this one {length}"
            )));
        }
        Ok(Self::Unix(path.to_owned()))
    }

    /// `host:port`; an IPv6 address stands in brackets.
    ///
    /// # Errors
    ///
    /// When it is not that.
    pub fn inet(text: &str) -> Result<Self, EndpointError> {
        let no_port = || EndpointError(format!("{} has no port", quoted(text)));
        let (host, port) = text.rsplit_once(':').ok_or_else(no_port)?;
        if host.contains(':') && !host.starts_with('[') {
            return Err(EndpointError("an IPv6 address must stand in brackets".to_owned()));
        }
        let Ok(port @ 1..) = port.parse() else {
            return Err(EndpointError(format!("{} is no port", quoted(port))));
        };
        Ok(Self::Inet { host: host_of(host)?, port })
    }

    /// Connects. Where a name has several addresses each gets its share of the time until `deadline`.
    pub(super) async fn connect(&self, deadline: Instant) -> io::Result<Stream> {
        match self {
            Self::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
            Self::Inet { host, port } => {
                let addresses: Vec<_> = lookup_host((host.as_str(), *port)).await?.collect();
                let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                for (at, address) in addresses.iter().enumerate() {
                    let left = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
                    let share = deadline.saturating_duration_since(Instant::now()) / left;
                    match timeout(share, TcpStream::connect(address)).await {
                        Ok(Ok(stream)) => {
                            // Questions are small, and nothing follows them until they are answered.
                            stream.set_nodelay(true)?;
                            return Ok(Stream::Inet(stream));
                        }
                        Ok(Err(error)) => failed = error,
                        Err(_) => failed = io::ErrorKind::TimedOut.into(),
                    }
                }
                Err(failed)
            }
        }
    }
}

/// A host as it can be resolved.
fn host_of(text: &str) -> Result<String, EndpointError> {
    let wrong = || EndpointError(format!("{} is no host", quoted(text)));
    if let Some(inside) = text.strip_prefix('[') {
        let address: Option<IpAddr> = inside.strip_suffix(']').and_then(|inside| inside.parse().ok());
        return address.map(|address| address.to_string()).ok_or_else(wrong);
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    let name: Domain = text.parse().map_err(|_| wrong())?;
    // The resolver takes `192.0.2` and `1` for addresses, which nobody means.
    if name.as_str().bytes().all(|octet| octet.is_ascii_digit() || octet == b'.') {
        return Err(wrong());
    }
    Ok(name.as_str().to_owned())
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Reads `unix:/path` or `inet:host:port`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("unix" | "local", path)) => Self::unix(Path::new(path)),
            Some(("inet", rest)) => Self::inet(rest),
            _ => Err(EndpointError(format!("{} is no socket", quoted(text)))),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inet { host, port } if host.contains(':') => write!(f, "inet:[{host}]:{port}"),
            Self::Inet { host, port } => write!(f, "inet:{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = text.parse::<Endpoint>();
        assert_eq!(
            found.map_or_else(|error| error.to_string(), |found| found.to_string()),
            expected,
            "{text}"
        );
    }

    #[test]
    fn sockets() {
        check("unix:/run/maps.sock", "unix:/run/maps.sock");
        check("local:/run/maps.sock", "unix:/run/maps.sock");
        check("inet:127.0.0.1:7777", "inet:127.0.0.1:7777");
        check("inet:[::1]:7777", "inet:[::1]:7777");
        check("inet:Maps.Example.org:7777", "inet:maps.example.org:7777");
    }

    #[test]
    fn what_is_no_socket() {
        check("unix:run/maps.sock", "‘run/maps.sock’ is no absolute path");
        check("/run/maps.sock", "‘/run/maps.sock’ is no socket");
        check("inet:localhost", "‘localhost’ has no port");
        check("inet:localhost:0", "‘0’ is no port");
        check("inet:localhost:smtp", "‘smtp’ is no port");
        check("inet:::1:7777", "an IPv6 address must stand in brackets");
        check("inet:[::1:7777", "‘[::1’ is no host");
        check("inet:a b:7777", "‘a b’ is no host");
        check("inet:127.1:7777", "‘127.1’ is no host");
        check(
            &format!("unix:/{}", "x".repeat(107)),
            "the path of a socket has 107 octets at most, and this one 108",
        );
    }
}
