//! `run`: the daemon.

use std::process::ExitCode;

use super::{CONFIGURATION, FINDINGS, Source};
use crate::daemon::{self, RunError};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
}

/// Runs the command, until a signal ends it.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let load = || arguments.source.load();
    match super::block_on(daemon::run(load)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(RunError::Configuration(report)) => {
            eprint!("{}", super::shown(&report));
            ExitCode::from(CONFIGURATION)
        }
        Err(error) => {
            eprintln!("lockdown-milter: {error}");
            ExitCode::from(FINDINGS)
        }
    }
}
