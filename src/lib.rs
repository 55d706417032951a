//! placeholder
pub mod check;
pub mod config;
pub mod decide;
pub mod facts;
pub mod journal;
pub mod mail;
pub mod milter;
pub mod policy;
pub mod session;
