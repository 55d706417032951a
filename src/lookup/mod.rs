//! Finding out what decisions depend on: DNS.

pub mod dns;
