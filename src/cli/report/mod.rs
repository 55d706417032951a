//! `report`: what a log adds up to.

mod json;
pub(super) mod lines;
mod progress;
mod since;
mod text;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use jiff::Timestamp;
use nix::sys::stat::{SFlag, fstat};

use super::FINDINGS;
use super::layout::Layout;
use crate::config::{self, Report};
use crate::daemon::{self, RunError};
use crate::journal::summary::Summary;
use crate::mail::Domain;
use lines::{Line, Lines};
use progress::Progress;
use since::Since;

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A log of the daemon, logfmt or JSON; `-` is standard input. Without a file it is what comes through a pipe, else
    /// the journal of systemd
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Read the journal of systemd, whatever standard input is
    #[arg(long, conflicts_with = "files")]
    journal: bool,
    /// The configuration, which says which domains are ours [default: the installed one, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Count from then on: `24h`, `7d`, `2026-11-24`, `2026-11-24T08:00:00Z`
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  lockdown-milter report --since 24h
      The last day, from the journal of systemd.
  lockdown-milter report --since 7d /var/log/mail.log.1 /var/log/mail.log
      The last seven days. The lines of other programs in the same file are passed over.
  zcat /var/log/mail.log.*.gz | lockdown-milter report --json | jq -r '.mismatches[].login' | sort -u
      Everybody who would be hit if auth_match were enforced.

Before you enforce auth_match, run it with `mode: monitor` for some weeks. The last table then names each login that
sent as somebody else, with the addresses used: grant them in `identities`, or tell the people.

Who sends as our own domains, and what SPF says of it, is shown where the configuration can be read.

A message counts once in each place (MAIL FROM, From, Sender), however many recipients it has, and only by the finding
that decided. Dates without a time begin at midnight UTC; all times are UTC.

Exit status: 0 whatever the log says, 1 a file cannot be read, 64 wrong usage.";

/// Runs the command.
pub(super) fn report(arguments: &Arguments) -> ExitCode {
    let since = arguments.since.map(|since| since.before(daemon::now()));
    let mut summary = Summary::new(since);
    match hosted(arguments.config.as_deref()) {
        Ok(Some(hosted)) => summary = summary.with_hosted(hosted),
        Ok(None) => {}
        Err(report) => return super::failed(&RunError::Configuration(report)),
    }
    let read = if arguments.journal || (arguments.files.is_empty() && !is_given()) {
        read_journal(since, &mut summary)
    } else {
        read(&arguments.files, &mut summary)
    };
    if let Err(Unreadable { name, error }) = read {
        eprintln!("lockdown-milter: cannot read {name}: {error}");
        return ExitCode::from(FINDINGS);
    }
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

/// The hosted domains. Nobody needs a configuration to read a log, so only one that was named must be good.
fn hosted(named: Option<&Path>) -> Result<Option<BTreeSet<Domain>>, Report> {
    match config::load(named.unwrap_or(Path::new(super::DEFAULT_CONFIG)), &super::host()) {
        Ok((config, _)) => Ok(Some(config.policy.site.hosted)),
        Err(report) if named.is_some() => Err(report),
        Err(_) => Ok(None),
    }
}

/// Whether standard input brings something: a pipe, a file, a socket. Terminals and `/dev/null` do not.
fn is_given() -> bool {
    fstat(io::stdin()).is_ok_and(|stat| {
        let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
        [SFlag::S_IFIFO, SFlag::S_IFREG, SFlag::S_IFSOCK].contains(&kind)
    })
}

/// Reads what the journal of systemd has of us.
fn read_journal(since: Option<Timestamp>, summary: &mut Summary) -> Result<(), Unreadable> {
    let cannot = |error| Unreadable { name: "the journal of systemd (journalctl)".to_owned(), error };
    let mut command = Command::new("journalctl");
    command.args(["-u", "lockdown-milter", "-o", "cat", "--no-pager", "-q"]);
    if let Some(since) = since {
        command.arg(format!("--since=@{}", since.as_second().max(0)));
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(cannot)?;
    let mut progress = Progress::new(io::stderr());
    progress.begin(None);
    let read = child.stdout.take().map_or(Ok(()), |output| sum_up(output, summary, &mut progress));
    progress.clear();
    let status = child.wait().map_err(cannot)?;
    read.map_err(cannot)?;
    if status.success() { Ok(()) } else { Err(cannot(io::Error::other(status.to_string()))) }
}

/// Reads all files, one after the other.
fn read(files: &[PathBuf], summary: &mut Summary) -> Result<(), Unreadable> {
    let mut progress = Progress::new(io::stderr());
    let standard_input = [PathBuf::from("-")];
    for path in if files.is_empty() { &standard_input } else { files } {
        let read = if path == Path::new("-") {
            read_input(summary, &mut progress)
        } else {
            File::open(path).and_then(|file| {
                let size = file.metadata().ok().map(|metadata| metadata.len());
                progress.begin(size);
                sum_up(file, summary, &mut progress)
            })
        };
        progress.clear();
        read.map_err(|error| Unreadable { name: path.display().to_string(), error })?;
    }
    Ok(())
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
