//! Clients of servers: one file for each protocol, the only one that names its library, and what they share.

#[cfg(feature = "ldap")]
pub(super) mod ldap;
pub(super) mod password;
pub mod sql;
#[cfg(any(feature = "ldap", feature = "postgres"))]
pub(super) mod tls;
