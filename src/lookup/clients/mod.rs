//! Clients of servers: one file for each protocol, the only one that names its library, and what they share.

#[cfg(feature = "ldap")]
mod ber;
#[cfg(feature = "ldap")]
pub(super) mod ldap;
#[cfg_attr(
    not(any(feature = "ldap", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "nobody has a password")
)]
pub(super) mod password;
pub mod sql;
#[cfg(any(feature = "ldap", feature = "postgres"))]
pub(super) mod tls;
