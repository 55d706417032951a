//! Clients of servers: one file for each protocol, the only one that names its library, and what they share.

#[cfg(feature = "ldap")]
mod ber;
#[cfg(feature = "ldap")]
pub(super) mod ldap;
#[cfg(feature = "ldap")]
pub(super) mod password;
#[cfg(feature = "ldap")]
pub(super) mod tls;
