//! `run`: the daemon.

use std::process::ExitCode;

use super::Source;
use crate::daemon::{self, Activation};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
}

/// Runs the command, until a signal ends it.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    // It changes the environment, which is for a process with one thread.
    let activation = Activation::take();
    let Arguments { source } = arguments;
    match super::block_on(daemon::run(move || source.load(), activation)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::failed(&error),
    }
}
