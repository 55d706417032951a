//! placeholder
pub mod lookup;
pub mod mail;
pub mod spf;
