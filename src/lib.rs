//! placeholder
pub mod mail;
