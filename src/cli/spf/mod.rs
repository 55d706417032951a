//! `spf`: the SPF records of our own domains and of others, looked at with the eyes of the daemon.
//!
//! | file | what it does |
//! |---|---|
//! | `check` | one evaluation with all its steps; `tree` writes them |
//! | `view` | the configuration as far as it can be read, the DNS, the bounds |

mod check;
mod tree;
mod view;

use std::process::ExitCode;

use clap::Subcommand;

/// Commands of `spf`.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Evaluate a client as the daemon does, and show every step
    Check(Box<check::Arguments>),
}

/// Runs the command.
pub(super) fn run(command: &Command) -> ExitCode {
    match command {
        Command::Check(arguments) => check::check(arguments),
    }
}
