//! placeholder
pub mod check;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod decide;
pub mod facts;
pub mod journal;
pub mod lookup;
pub mod mail;
pub mod milter;
pub mod policy;
pub mod session;
pub mod spf;
