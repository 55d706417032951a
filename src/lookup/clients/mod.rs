//! Clients of servers: one file for each protocol, the only one that names its library, and what they share.

pub(super) mod password;
pub mod sql;
#[cfg(feature = "postgres")]
pub(super) mod tls;
