//! placeholder
pub mod mail;
pub mod milter;
