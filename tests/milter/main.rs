//! The milter shell over real sockets: the protocol frame by frame, hostile peers, and the sockets themselves.

#![allow(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

#[path = "../support/frames.rs"]
mod frames;
mod shell;

mod crowds;
mod descriptors;
mod order;
mod peers;
mod protocol;
mod sockets;
