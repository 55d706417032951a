//! `catch-all`: who uses the names behind a wildcard, and which aliases replace it. Both are read from what the daemon
//! has learned, while it goes on to learn.

mod plan;
mod plan_text;
mod report;
mod survey;

use std::process::ExitCode;
use std::sync::Arc;

use super::layout::Layout;
use super::{FINDINGS, Source};
use crate::config::Config;
use crate::daemon;
use crate::mail::{Domain, Mailbox};
use crate::memory::catch_all::State;
use crate::memory::harvest::Uncounted;
use crate::memory::store::OpenError;
use survey::Survey;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Show the names that are reached only through a wildcard, and who uses them
    Report(ReportArguments),
    /// Show the aliases that replace a wildcard, and what is lost with it
    Plan(PlanArguments),
}

/// Arguments of `catch-all report`.
#[derive(Debug, clap::Args)]
#[command(after_help = REPORT_EXAMPLES)]
pub(super) struct ReportArguments {
    #[command(flatten)]
    source: Source,
    /// This domain only
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<Domain>,
    /// Show every name, not only some of those that nobody uses
    #[arg(long)]
    all: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const REPORT_EXAMPLES: &str = "\
Examples:
  lockdown-milter catch-all report
      All domains with `catch_all: learn` or `soft`.
  lockdown-milter catch-all report --domain example.org --json | jq -r '.domains[].names[] | select(.verdict == \"real\").address'
      The names that real people use.

Verdicts:
  real              our own people use it, or a sender that SPF said pass of and that does not guess names,
                    or one that came back after it was deferred
  typo of NAME      one correspondent, who also writes to NAME, which is one character away and busier
  null sender only  bounces and the like
  harvest-like      only senders, networks or organisations reached it that try many names in a day
  nobody returned   all senders were deferred (`catch_all: soft`), and none has come back
  no SPF pass       SPF said pass of no sender, and none of them wrote again on another day
  unknown           nobody can tell: senders were not examined, or wrote again though they were not authorised

Exit status: 0 good, 1 nothing was learned or it cannot be read, 64 wrong usage, 78 wrong configuration.";

/// Arguments of `catch-all plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = PLAN_EXAMPLES)]
pub(super) struct PlanArguments {
    #[command(flatten)]
    source: Source,
    /// The domain whose wildcard is to go
    #[arg(long, value_name = "DOMAIN")]
    domain: Domain,
    /// Count what the last N days would have lost [default: all days on record]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    days: Option<u32>,
    /// What the aliases lead to: the mailbox that the wildcard delivers to now
    #[arg(long, value_name = "ADDRESS")]
    target: Option<Mailbox>,
    /// Show every name, not only some of those that nobody uses
    #[arg(long)]
    all: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const PLAN_EXAMPLES: &str = "\
Examples:
  lockdown-milter catch-all plan --domain example.org --target office@example.org >> /etc/postfix/virtual
      Everything but the aliases is a comment. Remove the line that begins with @example.org, and run postmap.
  lockdown-milter catch-all plan --domain example.org --days 7
      What the last seven days on record would have lost.

Exit status: 0 good, 1 nothing was learned or it cannot be read, 64 wrong usage, 78 wrong configuration.";

/// Runs the command.
pub(super) fn run(command: &Command) -> ExitCode {
    match command {
        Command::Report(arguments) => with_surveys(&arguments.source, arguments.domain.as_ref(), |surveys| {
            if arguments.json {
                report::json(surveys)
            } else {
                report::text(surveys, &Layout::of_output(), arguments.all)
            }
        }),
        Command::Plan(arguments) => with_surveys(&arguments.source, Some(&arguments.domain), |surveys| {
            let target = arguments.target.as_ref();
            let plans = surveys.iter().map(|survey| plan::Plan::of(survey, arguments.days));
            plans
                .map(|plan| {
                    if arguments.json {
                        plan.json(target)
                    } else {
                        plan_text::render(&plan, target, &Layout::of_output(), arguments.all)
                    }
                })
                .collect()
        }),
    }
}

/// Reads what was learned and writes what `render` makes of it.
fn with_surveys(
    source: &Source,
    domain: Option<&Domain>,
    render: impl FnOnce(&[Survey]) -> String,
) -> ExitCode {
    let opened = super::block_on(async {
        let (config, report) = source.load()?;
        let counter = Arc::new(Uncounted("a report has no clients"));
        let (sources, _) = daemon::open(&config, report, counter).await?;
        let state = match choose(&config, domain).and_then(|domains| Ok((domains, read(&config)?))) {
            Ok(chosen) => chosen,
            Err(why) => return Ok(Err(why)),
        };
        let (domains, state) = state;
        let mut surveys = Vec::new();
        for domain in domains {
            surveys.push(Survey::of(&state, &config, &sources, domain).await);
        }
        Ok(Ok(surveys))
    });
    let surveys = match opened {
        Ok(Ok(surveys)) => surveys,
        Ok(Err(why)) => return refused(&why),
        Err(error) => return super::failed(&error),
    };
    if surveys.iter().all(Survey::is_empty) {
        return refused(
            "no name was reached through a wildcard yet\n\
             The daemon learns from each message that it accepts; come back in some days.",
        );
    }
    super::write(&render(&surveys))
}

fn refused(why: &str) -> ExitCode {
    eprintln!("lockdown-milter: {why}");
    ExitCode::from(FINDINGS)
}

/// The domains that are meant.
fn choose(config: &Config, domain: Option<&Domain>) -> Result<Vec<Domain>, String> {
    let policy = &config.policy;
    let Some(domain) = domain else {
        let learning = policy.hosted.iter().filter(|(_, locks)| locks.learns());
        let domains: Vec<Domain> = learning
            .map(|(domain, _)| domain)
            .filter(|domain| policy.site.followed(domain) == *domain)
            .cloned()
            .collect();
        return if domains.is_empty() { Err(no_learner("no hosted domain")) } else { Ok(domains) };
    };
    let followed = policy.site.followed(domain);
    match policy.locks(followed) {
        None => Err(format!("{domain} is not a hosted domain")),
        // What was learned earlier is of use when the domain has gone on to another mode.
        Some(_) => Ok(vec![followed.clone()]),
    }
}

fn no_learner(who: &str) -> String {
    format!(
        "{who} learns who uses the names behind its wildcard\n\
         Set `recipients: {{ catch_all: learn }}` for the domain, with `sources` that know its names."
    )
}

/// What the daemon has learned.
fn read(config: &Config) -> Result<State, String> {
    let path = &config.ledger.path;
    State::of_file(path).map_err(|error| match error {
        error if error.is_absent() && !config.policy.learns() => no_learner("no hosted domain"),
        error if error.is_absent() => format!(
            "{} is not there, so nothing was learned yet\n\
             The daemon begins it when it runs with this configuration.",
            path.display()
        ),
        OpenError::Damaged(..) => {
            format!("{error}\nThe daemon moves it aside and begins a new one when it starts.")
        }
        error => error.to_string(),
    })
}
