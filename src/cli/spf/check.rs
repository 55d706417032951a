//! `spf check`: one client and one identity, evaluated as the daemon does, with every step.

use std::net::IpAddr;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::tree;
use super::view::Which;
use crate::cli::layout::Layout;
use crate::cli::{FINDINGS, USAGE, bracketed, failed, said, write};
use crate::journal::render::harmless_json;
use crate::mail::ReversePath;
use crate::mail::spf::{SpfIdentity, SpfQuestion, SpfResult};
use crate::spf;
use crate::spf::trace::Traced;

/// Arguments of `spf check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// The client's address
    #[arg(long, value_name = "IP")]
    client: IpAddr,
    /// The reverse-path or its domain; `<>` is judged by HELO alone
    #[arg(long, value_name = "ADDRESS", required_unless_present = "helo", allow_hyphen_values = true, value_parser = said)]
    mail_from: Option<String>,
    /// The name in HELO or EHLO
    #[arg(long, value_name = "NAME", allow_hyphen_values = true, value_parser = said)]
    helo: Option<String>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  lockdown-milter spf check --client 192.0.2.25 --mail-from info@example.org
      Every term of the record and of what it includes: what was looked up, what matched, what counts.
  lockdown-milter spf check --client 2001:db8::25 --helo mail.example.org
      The same for the name in HELO, which judges bounces.
  lockdown-milter spf check --client 192.0.2.25 --mail-from example.org --helo mail.example.org --dns 192.0.2.53
      Both identities, by a name server that already has the new record.

A record is shown as it is published. Exit status: 0 pass (of both, where both are asked for), 1 any other result, 64
wrong usage.";

/// A question with its evaluation.
pub(super) struct Evaluation {
    pub(super) question: SpfQuestion,
    pub(super) traced: Traced,
}

/// Runs the command.
pub(super) fn check(arguments: &Arguments) -> ExitCode {
    let questions = questions(arguments);
    if questions.is_empty() {
        eprintln!(
            "lockdown-milter: the null reverse-path is judged by the name in HELO: give --helo as well"
        );
        return ExitCode::from(USAGE);
    }
    let evaluated = crate::cli::block_on(async {
        let view = arguments.which.open()?;
        let mut evaluations = Vec::new();
        for question in questions {
            let traced = spf::evaluate_traced(&view.dns, &question, &view.options).await;
            evaluations.push(Evaluation { question, traced });
        }
        Ok((evaluations, view.options))
    });
    let (evaluations, options) = match evaluated {
        Ok(evaluated) => evaluated,
        Err(error) => return failed(&error),
    };
    let output = if arguments.json {
        json(&evaluations, &options)
    } else {
        tree::render(&evaluations, &options, &Layout::of_output())
    };
    let passes = evaluations.iter().all(|evaluation| evaluation.traced.answer.result == SpfResult::Pass);
    let written = write(&output);
    if passes { written } else { ExitCode::from(FINDINGS) }
}

/// What is asked: each identity that is given (RFC 7208, 2.3 and 2.4).
fn questions(arguments: &Arguments) -> Vec<SpfQuestion> {
    let client = arguments.client.to_canonical();
    let helo = arguments.helo.as_deref().filter(|helo| !helo.is_empty());
    let reverse_path = arguments.mail_from.as_deref().map(|path| ReversePath::parse(&bracketed(path)));
    let said = helo.unwrap_or("unknown");
    let mail_from = reverse_path.and_then(|path| SpfQuestion::mail_from(client, said, &path));
    mail_from.into_iter().chain(helo.map(|helo| SpfQuestion::helo(client, helo))).collect()
}

/// The word for an identity.
pub(super) fn identity(identity: SpfIdentity) -> &'static str {
    match identity {
        SpfIdentity::Helo => "helo",
        SpfIdentity::MailFrom => "mail_from",
    }
}

/// The evaluations as JSON. The keys are a contract: others may come, none goes or changes its meaning.
fn json(evaluations: &[Evaluation], options: &spf::Options) -> String {
    let evaluations: Vec<Value> = evaluations
        .iter()
        .map(|Evaluation { question, traced }| {
            json!({
                "identity": identity(question.identity),
                "client": question.client.to_string(),
                "local_part": question.local_part,
                "domain": question.domain,
                "helo": question.helo,
                "result": traced.answer.result.as_str(),
                "cause": traced.answer.cause,
                "explanation": traced.answer.explanation,
                "lookups": traced.counts.lookups,
                "void_lookups": traced.counts.void_lookups,
                "policy": traced.policy.as_ref().map(tree::json),
                "unfinished": traced.unfinished.iter().map(tree::query_json).collect::<Vec<_>>(),
            })
        })
        .collect();
    let limits = json!({ "lookups": options.lookups, "void_lookups": options.void_lookups });
    harmless_json(&format!("{:#}\n", json!({ "limits": limits, "evaluations": evaluations })))
}
