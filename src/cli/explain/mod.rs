//! `explain`: what would happen to a message, and why. The decision, the sources and the texts are the daemon's.

mod outcome;
mod text;

use std::net::IpAddr;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use super::control::Control;
use super::{FINDINGS, Source};
use crate::daemon;
use crate::facts::Facts;
use crate::lookup::harvest::{Counter, Uncounted};
use crate::lookup::{Sources, resolve};
use crate::mail::spf::{SpfAnswer, SpfQuestion, SpfResult};
use crate::mail::{Field, ForwardPath, Header, ReversePath};
use crate::policy::Policy;
use crate::session::{Client, Envelope, Login, Point, Request, Role, Session};
use outcome::Outcome;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The client's address
    #[arg(long, value_name = "IP")]
    client: IpAddr,
    /// The client's verified host name
    #[arg(long, value_name = "NAME", default_value = "unknown")]
    client_name: String,
    /// The name in HELO or EHLO
    #[arg(long, value_name = "NAME", default_value = "")]
    helo: String,
    /// The reverse-path; `<>` or an empty one is the null reverse-path
    #[arg(long, value_name = "ADDRESS")]
    mail_from: String,
    /// A recipient; may be repeated
    #[arg(long, value_name = "ADDRESS", required = true)]
    rcpt_to: Vec<String>,
    /// The login, as the MTA names it
    #[arg(long, value_name = "LOGIN")]
    login: Option<String>,
    /// A header field, `"Name: value"`; may be repeated
    #[arg(long, value_name = "FIELD")]
    header: Vec<Field>,
    /// An answer to take instead of asking: `spf=fail`, `spf.mailfrom=none`, `spf.helo=pass`; may be repeated
    #[arg(long, value_name = "FACT")]
    assume: Vec<Assumption>,
    /// Show every finding, not only the decisive ones
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

Exit status: 0 every recipient and the message pass, 1 something is refused, 64 wrong usage, 78 wrong configuration.";

impl FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once(':').ok_or("a header field is ‘Name: value’")?;
        Ok(Self::new(name, value.trim_start()))
    }
}

/// An SPF result that is given, not looked up.
#[derive(Clone, Copy, Debug)]
struct Assumption {
    /// `None`: of the sender, whichever identity stands for it.
    helo: Option<bool>,
    result: SpfResult,
}

impl FromStr for Assumption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (what, result) = text.split_once('=').ok_or("an assumption is ‘spf=RESULT’")?;
        let helo = match what {
            "spf" => None,
            "spf.helo" => Some(true),
            "spf.mailfrom" => Some(false),
            _ => return Err(format!("‘{what}’ cannot be assumed; what can: spf, spf.helo, spf.mailfrom")),
        };
        let results: Vec<&str> = SpfResult::ALL.into_iter().map(SpfResult::as_str).collect();
        let result = result.parse().map_err(|error| format!("{error}; results: {}", results.join(", ")))?;
        Ok(Self { helo, result })
    }
}

/// Runs the command.
pub(super) fn explain(arguments: &Arguments) -> ExitCode {
    let outcome = super::block_on(async {
        let (config, report) = arguments.source.load()?;
        let harvest: Arc<dyn Counter> = match &config.control {
            Some(path) => Arc::new(Control::new(path.clone())),
            None => Arc::new(Uncounted("the configuration names no control socket to ask the daemon by")),
        };
        let (sources, _) = daemon::open(&config, report, harvest).await?;
        Ok(foresee(arguments, &config.policy, &sources, config.limits.decision_time).await)
    });
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return super::failed(&error),
    };
    if arguments.json {
        println!("{:#}", outcome.json());
    } else {
        print!("{}", text::render(&outcome, arguments.all));
    }
    if outcome.is_refused() { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS }
}

/// Lets the message that the arguments describe take its way.
async fn foresee(
    arguments: &Arguments,
    policy: &Policy,
    sources: &Arc<Sources>,
    limit: std::time::Duration,
) -> Outcome {
    let client = Client {
        address: Some(arguments.client.to_canonical()),
        name: arguments.client_name.clone(),
        port: 1024,
    };
    let session = Session { role: Role::Auto, client, helo: arguments.helo.clone(), mta_name: None };
    let mut envelope = Envelope {
        reverse_path: ReversePath::parse(&arguments.mail_from),
        bracketed: true,
        login: arguments.login.clone().filter(|login| !login.is_empty()).map(Login),
        forward_paths: Vec::new(),
        queue_id: None,
    };
    let origin = policy.origin(&session, &envelope);
    let mut facts = assumed(&arguments.assume, &session, &envelope);
    let now = daemon::now();
    let mut outcome = Outcome::new(&session, &envelope, origin);
    for path in arguments.rcpt_to.iter().map(|argument| ForwardPath::parse(argument)) {
        let point = Point::Recipient(&path);
        let request = Request { session: &session, envelope: &envelope, origin, point, now };
        let decision = resolve(policy, &request, &mut facts, sources, limit).await;
        let accepted = decision.verdict.reply().is_none();
        outcome.recipients.push((path.clone(), decision));
        if accepted {
            envelope.forward_paths.push(path);
        }
    }
    if !envelope.forward_paths.is_empty() {
        let header: Header = arguments.header.iter().cloned().collect();
        let point = Point::Message(&header);
        let request = Request { session: &session, envelope: &envelope, origin, point, now };
        outcome.message = Some(resolve(policy, &request, &mut facts, sources, limit).await);
    }
    outcome
}

/// The facts that the arguments give. An assumption about the sender is one about HELO if there is no reverse-path.
fn assumed(assumptions: &[Assumption], session: &Session, envelope: &Envelope) -> Facts {
    let mut facts = Facts::default();
    let Some(client) = session.client.address else { return facts };
    for Assumption { helo, result } in assumptions {
        let of_helo = SpfQuestion::helo(client, &session.helo);
        let of_mail_from = SpfQuestion::mail_from(client, &session.helo, &envelope.reverse_path);
        let question = match helo {
            Some(true) => Some(of_helo),
            Some(false) => of_mail_from,
            None => Some(of_mail_from.unwrap_or(of_helo)),
        };
        if let Some(question) = question {
            facts.learn_spf(question, SpfAnswer::new(*result, "assumed"));
        }
    }
    facts
}
