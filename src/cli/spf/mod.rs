//! `spf`: the SPF records of our own domains and of others, looked at with the eyes of the daemon.
//!
//! | file | what it does |
//! |---|---|
//! | `check` | one evaluation with all its steps; `tree` writes them |
//! | `lint` | what is wrong with a record |
//! | `suggest` | a record for a domain of ours |
//! | `report` | how all hosted domains stand |
//! | `outgoing` | where mail leaves this host from |
//! | `view` | the configuration as far as it can be read, the DNS, the bounds |

mod check;
mod lint;
mod outgoing;
mod report;
mod suggest;
mod tree;
mod view;

use std::process::ExitCode;

use clap::Subcommand;

/// Commands of `spf`.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Evaluate a client as the daemon does, and show every step
    Check(Box<check::Arguments>),
    /// Say what is wrong with a record, published or not
    Lint(Box<lint::Arguments>),
    /// Write a record for a domain of ours, from what is known of who sends for it
    Suggest(Box<suggest::Arguments>),
    /// Say how all hosted domains stand, and which are ready for -all
    Report(Box<report::Arguments>),
}

/// Runs the command.
pub(super) fn run(command: &Command) -> ExitCode {
    match command {
        Command::Check(arguments) => check::check(arguments),
        Command::Lint(arguments) => lint::lint(arguments),
        Command::Suggest(arguments) => suggest::suggest(arguments),
        Command::Report(arguments) => report::report(arguments),
    }
}
