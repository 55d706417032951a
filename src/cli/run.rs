//! `run`: the daemon.

use std::process::ExitCode;

use super::Source;
use crate::daemon::{self, Activation};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
}

const EXAMPLES: &str = "\
Examples:
  lockdown-milter run
      As the service does. SIGHUP reloads; SIGTERM ends after the open messages, a second one at once.
  lockdown-milter check --config ./config.yaml && lockdown-milter run --config ./config.yaml
      Another configuration, in a terminal.

Exit status: 0 ended by a signal, 1 it cannot run, 64 wrong usage, 78 wrong configuration.";

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
