//! `run`: the daemon.

use std::process::ExitCode;

use super::Source;
use crate::daemon;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
}

/// Runs the command, until a signal ends it.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match super::block_on(daemon::run(|| arguments.source.load())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::failed(&error),
    }
}
