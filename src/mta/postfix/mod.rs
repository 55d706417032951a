//! Postfix's configuration and tables, read and asked as Postfix does it.
//!
//! Nothing here talks to a running Postfix: parameters come from postconf(1), tables from their files.

pub mod address;
pub mod aliases;
pub mod classes;
pub mod everybodys;
pub mod main_cf;
pub mod maps;
pub mod master_cf;
pub mod match_list;
pub mod milters;
pub mod networks;
pub mod restrictions;
pub mod stranger;
pub mod tables;
mod targets;
mod words;

pub(crate) use tables::{alias_key, read_aliases};
pub(crate) use targets::includes;
pub(crate) use words::words;
