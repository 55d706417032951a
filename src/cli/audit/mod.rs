//! `audit`: what of the hardening guide is open on this host, and which lines mend it.

mod gather;
mod json;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use super::layout::Layout;
use super::{FINDINGS, Source, USAGE};
use crate::audit::{Audit, Chapter, REGISTRY, Row};
use crate::daemon::RunError;

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Where main.cf and master.cf of Postfix are [default: Postfix's own place, if there is one]
    #[arg(long, value_name = "DIR", conflicts_with = "sendmail_cf")]
    postfix_dir: Option<PathBuf>,
    /// The sendmail.cf of Sendmail [default: /etc/mail/sendmail.cf, if there is no Postfix]
    #[arg(long, value_name = "FILE")]
    sendmail_cf: Option<PathBuf>,
    /// This chapter only
    #[arg(long, value_name = "CHAPTER", value_parser = chapters())]
    chapter: Option<String>,
    /// Live with this row: if it is open or doubtful, it is accepted; may be repeated
    #[arg(long, value_name = "ROW")]
    accept: Vec<String>,
    /// Show what is to be done only, not what is good
    #[arg(long)]
    open: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  lockdown-milter audit
      The checklist for this host. Run it as root: what cannot be read is `unknown`.
  lockdown-milter audit --open --chapter authentication
      What is to be done about logins, with the lines to change.
  lockdown-milter audit --postfix-dir /etc/postfix-in --config ./config.yaml --accept vrfy
      Another instance of Postfix; VRFY is left on knowingly.
  lockdown-milter audit --json | jq -r '.rows[] | select(.state == \"open\") | .row'
      The names of the rows that are open.

States: good, open (does harm), doubtful (may do harm), unknown (could not be seen), accepted (--accept), not applicable.
Lines to change begin in the first column, so that they can be copied. After them: `postfix reload`, or make sendmail.cf
anew and restart Sendmail; `systemctl reload lockdown-milter`.

Exit status: 0 nothing is open, 1 something is open or nothing at all could be seen, 64 wrong usage.";

fn chapters() -> clap::builder::PossibleValuesParser {
    Chapter::ALL.map(|(_, name, _)| name).into()
}

/// Runs the command.
pub(super) fn audit(arguments: &Arguments) -> ExitCode {
    let known = |name: &String| REGISTRY.iter().any(|row| row.name == name);
    if let Some(name) = arguments.accept.iter().find(|name| !known(name)) {
        let names: Vec<&str> = REGISTRY.iter().map(|row| row.name).collect();
        eprintln!(
            "lockdown-milter: there is no row ‘{}’; one of: {}",
            name.escape_default(),
            names.join(", ")
        );
        return ExitCode::from(USAGE);
    }
    let host = match run(gather::gather(arguments)) {
        Ok(host) => host,
        Err(error) => return super::failed(&error),
    };
    let wanted = |row: &Row| arguments.chapter.as_ref().is_none_or(|chapter| row.chapter.name() == chapter);
    let audit = Audit::of(&host, wanted);
    let output = if arguments.json {
        json::render(&audit)
    } else {
        text::render(&audit, arguments.open, &Layout::of_output())
    };
    let written = super::write(&output);
    if audit.is_good() { written } else { ExitCode::from(FINDINGS) }
}

/// Runs a future to its end. What still waits for a table that does not answer is left behind.
fn run<T>(future: impl Future<Output = T>) -> Result<T, RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(future);
    runtime.shutdown_background();
    Ok(outcome)
}
