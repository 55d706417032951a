//! What must be known tomorrow: the store with what was learned, which messages were accepted, who sends as our domains,
//! and whom our users write to; and who guesses names, which is known today.

pub mod catch_all;
mod days;
pub mod harvest;
pub mod ledger;
pub mod partners;
pub mod senders;
pub mod store;

pub use days::{Day, Days};
