//! `report`: what a log adds up to.

mod json;
pub(super) mod lines;
mod progress;
mod since;
mod text;

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;

use super::FINDINGS;
use super::layout::Layout;
use crate::daemon;
use crate::journal::summary::Summary;
use lines::{Line, Lines};
use progress::Progress;
use since::Since;

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A log of the daemon, logfmt or JSON; `-`, or no file at all, is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Count from then on: `24h`, `7d`, `2026-11-24`, `2026-11-24T08:00:00Z`
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  journalctl -u lockdown-milter -o cat | lockdown-milter report
      Sums up all that the journal has.
  lockdown-milter report --since 7d /var/log/mail.log.1 /var/log/mail.log
      The last seven days. The lines of other programs in the same file are passed over.
  zcat /var/log/mail.log.*.gz | lockdown-milter report --json | jq -r '.mismatches[].login' | sort -u
      Everybody who would be hit if auth_match were enforced.

Before you enforce auth_match, run it with `mode: monitor` for some weeks. The last table then names each login that
sent as somebody else, with the addresses used: grant them in `identities`, or tell the people.

A message counts once in each place (MAIL FROM, From, Sender), however many recipients it has, and only by the finding
that decided. Dates without a time begin at midnight UTC; all times are UTC.

Exit status: 0 whatever the log says, 1 a file cannot be read, 64 wrong usage.";

/// Runs the command.
pub(super) fn report(arguments: &Arguments) -> ExitCode {
    let since = arguments.since.map(|since| since.before(daemon::now()));
    let summary = match read(&arguments.files, since) {
        Ok(summary) => summary,
        Err(Unreadable { name, error }) => {
            eprintln!("lockdown-milter: cannot read {name}: {error}");
            return ExitCode::from(FINDINGS);
        }
    };
    let output = if arguments.json {
        json::render(&summary, since)
    } else {
        text::render(&summary, &Layout::of_output())
    };
    super::write(&output)
}

/// A log that cannot be read.
struct Unreadable {
    name: String,
    error: io::Error,
}

/// Reads all files, one after the other.
fn read(files: &[PathBuf], since: Option<Timestamp>) -> Result<Summary, Unreadable> {
    let mut summary = Summary::new(since);
    let mut progress = Progress::new(io::stderr());
    let standard_input = [PathBuf::from("-")];
    for path in if files.is_empty() { &standard_input } else { files } {
        let read = if path == Path::new("-") {
            read_input(&mut summary, &mut progress)
        } else {
            File::open(path).and_then(|file| {
                let size = file.metadata().ok().map(|metadata| metadata.len());
                progress.begin(size);
                sum_up(file, &mut summary, &mut progress)
            })
        };
        progress.clear();
        read.map_err(|error| Unreadable { name: path.display().to_string(), error })?;
    }
    Ok(summary)
}

fn read_input(summary: &mut Summary, progress: &mut Progress<io::Stderr>) -> io::Result<()> {
    let input = io::stdin();
    if input.is_terminal() {
        eprintln!("lockdown-milter: reading a log from standard input; Control-D ends it, --help says more");
    }
    progress.begin(None);
    sum_up(input, summary, progress)
}

fn sum_up(log: impl io::Read, summary: &mut Summary, progress: &mut Progress<io::Stderr>) -> io::Result<()> {
    let mut lines = Lines::new(log);
    while let Some(line) = lines.next()? {
        match line {
            Line::Whole(octets) => {
                summary.add(octets);
                progress.advance(octets.len());
            }
            Line::TooLong(octets) => {
                summary.add_too_long();
                progress.advance(octets);
            }
        }
    }
    Ok(())
}
