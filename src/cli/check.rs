//! `check`: every problem of the configuration, or what it will enforce.

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;

use super::{CONFIGURATION, Source, style};
use crate::config::{self, Format};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn check(arguments: &Arguments) -> ExitCode {
    let format = if arguments.json { Format::Json } else { Format::Text(style(stdout().is_terminal())) };
    let checked = config::check(&arguments.source.config, &super::host(), format);
    print!("{}", checked.output);
    if checked.usable { ExitCode::SUCCESS } else { ExitCode::from(CONFIGURATION) }
}
