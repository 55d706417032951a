//! `check`: every problem of the configuration and its sources, or what it will enforce.

mod dns;
mod postfix;
mod store;

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::{CONFIGURATION, Source, failed, reader, style};
use crate::config::{Checked, Config, Format, Report, Severity};
use crate::daemon;
use crate::memory::harvest::Uncounted;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Where Postfix's main.cf is [default: Postfix's own place, if there is one]
    #[arg(long, value_name = "DIR")]
    postfix_dir: Option<PathBuf>,
    /// Where systemd's units are, to look at files as the daemon would; may be repeated [default: its own places]
    #[arg(long, value_name = "DIR")]
    systemd_dir: Vec<PathBuf>,
    /// Do not look at what the configuration meets: DNS, Postfix
    #[arg(long)]
    offline: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  lockdown-milter check
      Every problem with its place, or what will be enforced; then whether the daemon's user may read every file, under
      the restrictions of its unit, and whether DNS and Postfix agree.
  lockdown-milter check --offline --config ./config.yaml && systemctl reload lockdown-milter

Exit status: 0 the daemon can run with it, 78 it cannot.";

/// Runs the command.
pub(super) fn check(arguments: &Arguments) -> ExitCode {
    let format = if arguments.json { Format::Json } else { Format::Text(style(stdout().is_terminal())) };
    let examined = super::block_on(async { Ok(examine(arguments).await) });
    let checked = match examined {
        Ok(examined) => Checked::new(examined, format),
        Err(error) => return failed(&error),
    };
    print!("{}", checked.output);
    if checked.usable { ExitCode::SUCCESS } else { ExitCode::from(CONFIGURATION) }
}

/// The configuration, its sources opened, and what is to be said about both.
async fn examine(arguments: &Arguments) -> Result<(Config, Report), Report> {
    let (config, report) = arguments.source.load()?;
    let harvest = Arc::new(Uncounted("a check has no clients"));
    let (sources, mut report) = daemon::open(&config, report, harvest).await?;
    report.add(store::unusable_store(&config));
    let (file, dirs) = (&arguments.source.config, &arguments.systemd_dir);
    report.add(reader::unreadable(&config, file, dirs).await);
    // What root could open, the daemon cannot.
    if report.count(Severity::Error) > 0 {
        return Err(report);
    }
    if !arguments.offline {
        report.add(dns::without_spf(&config, &sources).await);
        let postfix_dir = arguments.postfix_dir.as_deref();
        report.add(postfix::disagreements(&config, postfix_dir).await);
    }
    Ok((config, report))
}
