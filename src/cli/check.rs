//! `check`: every problem of the configuration, or what it will enforce.

use std::process::ExitCode;

use super::{CONFIGURATION, Source};
use crate::config::Report;

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
    let (config, report) = match arguments.source.load() {
        Ok((config, warnings)) => (Some(config), warnings),
        Err(problems) => (None, problems),
    };
    if arguments.json {
        print_json(config.is_some(), &report);
    } else {
        eprint!("{}", super::shown(&report));
        if let Some(config) = &config {
            println!("{} hosted domains", config.policy.hosted.len());
        }
    }
    if config.is_some() { ExitCode::SUCCESS } else { ExitCode::from(CONFIGURATION) }
}

fn print_json(good: bool, report: &Report) {
    println!("{:#}", serde_json::json!({ "good": good, "report": report }));
}
