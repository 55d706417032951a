//! The command line: one file a command, and what they share.

mod audit;
mod catch_all;
mod check;
mod completions;
mod config;
mod control;
mod explain;
mod harvest;
mod layout;
mod reader;
mod report;
mod run;
mod spf;
mod table;

use std::io::{self, IsTerminal, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use jiff::tz::TimeZone;
use nix::unistd::{Group, gethostname};

use crate::config::{Config, Host, Report, Style};
use crate::daemon::{self, RunError};
use crate::mta::postfix::main_cf::MainCf;

/// Findings, or refused.
const FINDINGS: u8 = 1;
/// The command line is wrong (`EX_USAGE` of sysexits).
const USAGE: u8 = 64;
/// The configuration is wrong (`EX_CONFIG` of sysexits).
const CONFIGURATION: u8 = 78;

/// A milter that locks down Postfix and Sendmail.
///
/// Recipients must exist, strangers must not send as your domains, a login sends only as itself, senders are verified by
/// SPF, and only what passed is answered: by one configuration file with a policy for each hosted domain.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  lockdown-milter check
      Says what the configuration will enforce, or every problem in it.
  lockdown-milter audit
      Says what of the hardening guide is open on this host, and which lines mend it.
  lockdown-milter run --config ./config.yaml
      Serves the MTA in the foreground. SIGHUP reloads, SIGTERM ends after the open messages.
  lockdown-milter explain --client 192.0.2.1 --mail-from a@example.com --rcpt-to info@example.org
      Says what would happen to such a message, and why.
  lockdown-milter report --since 7d /var/log/lockdown-milter.log
      Says what was refused or would be, and which logins sent as somebody else.
  lockdown-milter config show --domain example.org
      Says what holds for a domain, and where in the configuration each setting comes from.
  lockdown-milter harvest release 192.0.2.7
      Lets a client in again that was blocked for guessing names.
  lockdown-milter catch-all plan --domain example.org --target office@example.org
      Says which aliases replace a catch-all, and what is lost with it.
  lockdown-milter spf check --client 192.0.2.25 --mail-from info@example.org
      Says what SPF makes of a client, term by term.

Exit status: 0 good, 1 findings or refused, 64 wrong usage, 78 wrong configuration.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the MTA, in the foreground
    Run(run::Arguments),
    /// Check the configuration and say what it will enforce
    Check(check::Arguments),
    /// Look at this host by the hardening guide: a checklist, with the lines that mend what is open
    Audit(audit::Arguments),
    /// Say what would happen to a message, and why
    Explain(Box<explain::Arguments>),
    /// Sum up a log: what was refused or would be, and which logins sent as somebody else
    Report(report::Arguments),
    /// Retire a catch-all: who uses the names behind it, and which aliases replace it
    #[command(subcommand)]
    CatchAll(catch_all::Command),
    /// Show the configuration as it is in force
    #[command(subcommand)]
    Config(config::Command),
    /// Write completions for a shell
    Completions(completions::Arguments),
    /// Show or release what is blocked for guessing names
    Harvest(harvest::Arguments),
    /// Look at SPF records: evaluate, lint, suggest, report
    #[command(subcommand)]
    Spf(spf::Command),
}

/// The installed configuration.
const DEFAULT_CONFIG: &str = "/etc/lockdown-milter/config.yaml";

/// Which configuration.
#[derive(Debug, clap::Args)]
struct Source {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
}

impl Source {
    /// Reads the configuration.
    fn load(&self) -> Result<(Config, Report), Report> {
        crate::config::load(&self.config, &host())
    }
}

/// What no configuration says: the name of this host, the date, its groups.
fn host() -> Host {
    Host {
        name: host_name(),
        today: TimeZone::UTC.to_datetime(daemon::now()).date(),
        has_group: |name| matches!(Group::from_name(name), Ok(Some(_))),
        main_cf: MainCf::read_now,
    }
}

/// What a client says, as the value of an option: hyphens may begin it. What looks like an option is taken for one whose value
/// was forgotten before it.
fn said(text: &str) -> Result<String, String> {
    let is_option = text.starts_with("--") && !text.contains('@');
    if is_option {
        Err("that is another option; is a value missing?".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// A path as clients write it (RFC 5321, 4.1.2): in angle brackets, without which a blank would end it.
fn bracketed(path: &str) -> String {
    if path.is_empty() || path.starts_with('<') { path.to_owned() } else { format!("<{path}>") }
}

/// The command line with all its commands and options, from which manuals and completions are made and checked.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // The status of `--help` and `--version` is 0. If nobody reads the text there is nobody to tell.
            let status = if error.use_stderr() { USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(status);
        }
    };
    match arguments.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Audit(arguments) => audit::audit(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Report(arguments) => report::report(&arguments),
        Command::Harvest(arguments) => harvest::harvest(&arguments),
        Command::Completions(arguments) => completions::completions(&arguments),
        Command::Config(command) => config::run(&command),
        Command::CatchAll(command) => catch_all::run(&command),
        Command::Spf(command) => spf::run(&command),
    }
}

/// The name of this host, as the kernel has it.
fn host_name() -> String {
    let name = gethostname().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned())
}

/// Says why a command failed, and gives its exit status.
fn failed(error: &RunError) -> ExitCode {
    match error {
        RunError::Configuration(report) => {
            eprint!("{}", report.render(style(std::io::stderr().is_terminal())));
            ExitCode::from(CONFIGURATION)
        }
        other => {
            eprintln!("lockdown-milter: {other}");
            ExitCode::from(FINDINGS)
        }
    }
}

/// Writes what a command has to say to standard output, and gives the exit status.
fn write(output: &str) -> ExitCode {
    match io::stdout().write_all(output.as_bytes()) {
        // Whoever has seen enough closes the pipe.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("lockdown-milter: cannot write: {error}");
            ExitCode::from(FINDINGS)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Colours are for terminals, and for those who want them (`NO_COLOR`).
fn style(terminal: bool) -> Style {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if terminal && wanted { Style::Coloured } else { Style::Plain }
}

/// Runs a future to its end on a runtime of its own.
fn block_on<T>(future: impl Future<Output = Result<T, RunError>>) -> Result<T, RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(future);
    // What somebody still waits for in a thread of its own (a database file, postconf) keeps nobody from leaving.
    runtime.shutdown_background();
    result
}
