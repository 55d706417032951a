//! `explain`: what would happen to a message, and why; or what happened to one, and whether it still would. The decision,
//! the sources and the texts are the daemon's.

mod assume;
mod message;
mod outcome;
mod received;
mod replay;
mod scene;
mod text;
mod words;
mod world;

use std::io::{self, IsTerminal as _};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use super::control::Control;
use super::layout::Layout;
use super::{FINDINGS, Source, USAGE, bracketed, said};
use crate::config::{Config, Report};
use crate::daemon::{self, RunError};
use crate::decide::Decision;
use crate::facts::Facts;
use crate::journal::judged::{About, Judged};
use crate::journal::render::{harmless, harmless_json};
use crate::mail::Field;
use crate::memory::harvest::{Counter, Uncounted};
use crate::session::{Point, Request, Role};
use crate::sources::Sources;
use crate::sources::recipients;
use assume::Assumption;
use outcome::Outcome;
use replay::{Logged, Replay};
use scene::Scene;
use world::World;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The client's address
    #[arg(long, value_name = "IP", required_unless_present_any = ["message", "reference"])]
    client: Option<IpAddr>,
    /// The client's verified host name [default: unknown]
    #[arg(long, value_name = "NAME", allow_hyphen_values = true, value_parser = said)]
    client_name: Option<String>,
    /// The name in HELO or EHLO
    #[arg(long, value_name = "NAME", allow_hyphen_values = true, value_parser = said)]
    helo: Option<String>,
    /// The reverse-path; `<>` or an empty one is the null reverse-path
    #[arg(long, value_name = "ADDRESS", required_unless_present_any = ["message", "reference"], allow_hyphen_values = true,
        value_parser = said)]
    mail_from: Option<String>,
    /// A recipient; may be repeated
    #[arg(long, value_name = "ADDRESS", required_unless_present_any = ["message", "reference"], allow_hyphen_values = true,
        value_parser = said)]
    rcpt_to: Vec<String>,
    /// The login, as the MTA names it
    #[arg(long, value_name = "LOGIN", allow_hyphen_values = true, value_parser = said)]
    login: Option<String>,
    /// A header field, `"Name: value"`; may be repeated
    #[arg(long, value_name = "FIELD")]
    header: Vec<Field>,
    /// A message as it was stored or sent (RFC 5322); `-` is standard input. What the options do not say is taken
    /// from its Return-Path, Delivered-To and first Received field
    #[arg(long, value_name = "FILE")]
    message: Option<PathBuf>,
    /// The role of the listener: auto, inbound, submission, local [default: auto]
    #[arg(long, value_name = "ROLE")]
    role: Option<NamedRole>,
    /// The MTA is Sendmail, not Postfix
    #[arg(long)]
    sendmail: bool,
    /// An answer to take instead of asking; may be repeated: `spf=fail`, `spf.mailfrom=none`, `spf.helo=pass`,
    /// `recipient=wildcard`, `grant=no`, `harvest=blocked`, `usage=real`, `cause=foreign/fail`
    #[arg(long, value_name = "FACT", conflicts_with = "reference")]
    assume: Vec<Assumption>,
    /// Repeat a decision of the log: the reference of a reply, or a queue id
    #[arg(long = "ref", value_name = "REF", requires = "log", conflicts_with_all = ["client", "client_name", "helo",
        "mail_from", "rcpt_to", "login", "header", "message", "role", "sendmail"])]
    reference: Option<String>,
    /// The log that `--ref` is in, as JSON (`log.format: json`); `-` is standard input; may be repeated
    #[arg(long, value_name = "FILE", requires = "reference")]
    log: Vec<PathBuf>,
    /// Ask no source: what the log or `--assume` does not say is unknown
    #[arg(long)]
    offline: bool,
    /// Show every finding, and the locks that were not needed
    #[arg(long)]
    all: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  lockdown-milter explain --client 192.0.2.1 --helo mail.example.com \\
      --mail-from a@example.com --rcpt-to info@example.org
  lockdown-milter explain --client 192.0.2.1 --mail-from '<>' --rcpt-to info@example.org --assume spf.helo=fail
  lockdown-milter explain --message complaint.eml --rcpt-to info@example.org --all
      What would become of this message today; who brought it is read from it.
  lockdown-milter explain --ref VS29GN8V --log /var/log/lockdown-milter.log
      Why was it refused, and would it still be? The answers of DNS and of all sources are those in the log, the
      configuration is the present one. What it asks beyond that is asked now, and marked so.
  journalctl -u lockdown-milter -o cat | lockdown-milter explain --ref VS29GN8V --log -

The log has answers only where the configuration says `log: { format: json }`.

Exit status: 0 every recipient and the message pass, or a logged decision would be the same; 1 something is refused, or
the decision would be another one or cannot be repeated; 64 wrong usage, 78 wrong configuration.";

impl FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once(':').ok_or("a header field is ‘Name: value’")?;
        Ok(Self::new(name, value.trim_start()))
    }
}

/// A role by its name.
#[derive(Clone, Copy, Debug)]
struct NamedRole(Role);

impl FromStr for NamedRole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Role::NAMES.into_iter().find(|(name, _)| *name == text);
        known.map(|(_, role)| Self(role)).ok_or_else(|| {
            let names: Vec<&str> = Role::NAMES.into_iter().map(|(name, _)| name).collect();
            format!("a role is one of: {}", names.join(", "))
        })
    }
}

/// Why there is nothing to explain.
enum Failure {
    Run(RunError),
    /// The options do not say enough.
    Usage(String),
    /// The log does not.
    Log(String),
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}

/// Runs the command.
pub(super) fn explain(arguments: &Arguments) -> ExitCode {
    let outcome = match foresee(arguments) {
        Ok(outcome) => outcome,
        Err(Failure::Run(error)) => return super::failed(&error),
        Err(Failure::Usage(why)) => return fail(&why, USAGE),
        Err(Failure::Log(why)) => return fail(&why, FINDINGS),
    };
    let output = if arguments.json {
        harmless_json(&format!("{:#}\n", outcome.json()))
    } else {
        let wraps = io::stdout().is_terminal() || std::env::var_os("COLUMNS").is_some();
        text::render(&outcome, arguments.all, Layout::of_output(), wraps)
    };
    let written = super::write(&output);
    if outcome.has_findings() { ExitCode::from(FINDINGS) } else { written }
}

fn fail(why: &str, status: u8) -> ExitCode {
    eprintln!("lockdown-milter: {why}");
    ExitCode::from(status)
}

fn foresee(arguments: &Arguments) -> Result<Outcome, Failure> {
    let (config, report) = arguments.source.load().map_err(RunError::from)?;
    let (scene, past) = match &arguments.reference {
        None => (Scene::of(arguments, &config.policy).map_err(Failure::Usage)?, None),
        Some(reference) => {
            let (logged, judged) = recall(reference, arguments, &config)?;
            (Scene::logged(&judged), Some((logged, judged)))
        }
    };
    let facts = past.as_ref().map(|(_, judged)| judged.facts.clone());
    let outcome = super::block_on(async {
        let sources = if arguments.offline { None } else { Some(open(&config, report).await?) };
        Ok(play(arguments, &config, sources.as_ref(), &scene, facts).await)
    });
    let mut outcome = outcome?;
    if let Some((logged, judged)) = past {
        outcome.replay = Some(compare(&outcome, logged, judged));
    }
    Ok(outcome)
}

/// A decision of the log, and what it was judged on.
fn recall(reference: &str, arguments: &Arguments, config: &Config) -> Result<(Logged, Judged), Failure> {
    let logged = Logged::find(reference, &arguments.log).map_err(Failure::Log)?;
    match logged.judged(config) {
        Ok(judged) => Ok((logged, judged)),
        Err(why) => Err(Failure::Log(format!(
            "the decision cannot be repeated: {why}\n  {}\nhint: `log: {{ format: json }}` in the configuration makes \
             the daemon log what it asks and hears",
            harmless(&logged.line)
        ))),
    }
}

async fn open(config: &Config, report: Report) -> Result<Arc<Sources>, RunError> {
    let harvest: Arc<dyn Counter> = match &config.control {
        Some(path) => Arc::new(Control::new(path.clone())),
        None => Arc::new(Uncounted("the configuration names no control socket to ask the daemon by")),
    };
    let (sources, _) = daemon::open(config, report, harvest).await?;
    Ok(sources)
}

/// Lets a message take its way.
async fn play(
    arguments: &Arguments,
    config: &Config,
    sources: Option<&Arc<Sources>>,
    scene: &Scene,
    facts: Option<Facts>,
) -> Outcome {
    let (policy, limit) = (&config.policy, config.limits.decision_time);
    let source_names = recipients::identities(&config.recipients);
    let mut world = World::new(policy, sources, limit, &arguments.assume);
    if let Some(facts) = facts {
        world.recall(facts);
    }
    let Scene { session, now, .. } = scene;
    let mut envelope = scene.envelope.clone();
    let origin = policy.origin(session, &envelope);
    let mut outcome = Outcome::new(scene, origin, source_names);
    for recipient in &scene.recipients {
        let point = Point::Recipient(&recipient.path);
        let request = Request { session, envelope: &envelope, origin, point, report: None, now: *now };
        let explained = world.explain(&request).await;
        let accepted = explained.decision.verdict.reply().is_none();
        outcome.recipients.push((recipient.path.clone(), explained));
        if accepted {
            envelope.recipients.push(recipient.clone());
        }
    }
    // A message can be logged without recipients, if the MTA did not tell of them.
    let is_sent = !envelope.recipients.is_empty() || scene.recipients.is_empty();
    if let Some(header) = scene.header.as_ref().filter(|_| is_sent) {
        let point = Point::Message(header);
        let report = scene.report.as_ref();
        let request = Request { session, envelope: &envelope, origin, point, report, now: *now };
        outcome.message = Some(world.explain(&request).await);
    }
    if scene.recipients.is_empty() && scene.header.is_none() {
        let point = Point::Transaction;
        let request = Request { session, envelope: &envelope, origin, point, report: None, now: *now };
        outcome.message = Some(world.explain(&request).await);
    }
    outcome
}

/// Compares a decision of the log with what was decided now.
fn compare(outcome: &Outcome, logged: Logged, judged: Judged) -> Replay {
    let first = || outcome.recipients.first().map(|(_, explained)| &explained.decision);
    let (now, refused): (Option<&Decision>, Vec<String>) = match judged.about {
        About::Recipient(_) => (first(), Vec::new()),
        About::Transaction | About::Message(_) => {
            let refused = outcome.recipients.iter();
            let refused = refused.filter(|(_, explained)| explained.decision.verdict.reply().is_some());
            (
                outcome.message.as_ref().map(|message| &message.decision),
                refused.map(|(path, _)| path.to_string()).collect(),
            )
        }
    };
    Replay::new(logged, judged, now, &refused)
}
