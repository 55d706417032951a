//! Clients of servers: one file for each protocol, the only one that names its library, and what they share.
//!
//! Of protocols that are ours, `endpoint` is where a server is, `wire` sends and receives within limits, `pool` keeps
//! connections for the next question, and a protocol's file says how a connection begins and how one question is asked.
//! Files that are read like servers stand in [`files`]. What look-ups come to is counted in [`counts`]; a few answers are
//! remembered for a while, in `remembered`.
//!
//! Nothing here knows what an answer is for.

#[cfg(feature = "ldap")]
mod ber;
pub mod counts;
pub mod directory;
pub mod dns;
pub(crate) mod dovecot;
mod endpoint;
pub mod files;
#[cfg(test)]
mod hostile;
#[cfg(feature = "ldap")]
pub(super) mod ldap;
#[cfg_attr(
    not(any(feature = "ldap", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "nobody has a password")
)]
pub(super) mod password;
mod pool;
pub(crate) mod remembered;
pub(crate) mod smtp;
pub(crate) mod socketmap;
pub mod sql;
pub(crate) mod system;
pub(crate) mod tcp_table;
#[cfg(any(feature = "ldap", feature = "postgres"))]
pub(super) mod tls;
mod wire;

use std::io;
use std::time::Duration;

pub use endpoint::{Endpoint, EndpointError};
pub use remembered::{CACHES, Hits};

/// How long an answer may take, connecting included, of servers that look something up.
pub(crate) const NEAR: Duration = Duration::from_secs(2);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// There is no connection.
    #[error("cannot connect: {}", without_number(.0))]
    Connect(io::Error),
    /// The connection broke.
    #[error("{}", without_number(.0))]
    Broken(io::Error),
    /// The server closed the connection before it said anything to the question.
    #[error("the server closed the connection")]
    Closed,
    /// It took too long.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// What the server says is not what its protocol has.
    #[error("{0}")]
    Garbled(String),
    /// The server serves nobody, or not us.
    #[error("{0}")]
    Refused(String),
    /// The protocol has no way to ask this.
    #[error("{0}")]
    Unaskable(String),
}

/// The text of an error without the system's number of it.
pub(crate) fn without_number(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
