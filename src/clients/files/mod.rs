//! Files that somebody else writes: read in lines or in pairs, watched for changes, and what is wrong with them.

pub(crate) mod lines;
pub(crate) mod pairs;
pub mod problem;
pub(crate) mod watched;

pub use problem::{Place, Problem};
