//! `spf suggest`: a record for a domain of ours, from what is known of who sends for it.

mod compose;
mod evidence;
mod text;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use super::outgoing;
use super::view::Which;
use crate::cli::layout::Layout;
use crate::cli::{FINDINGS, block_on, failed, write};
use crate::mail::Domain;
use compose::Allowed;

/// Arguments of `spf suggest`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// The domain
    #[arg(value_name = "DOMAIN")]
    domain: Domain,
    /// An address from which mail leaves; may be repeated. Else what Postfix says, or this host's public addresses
    #[arg(long, value_name = "IP")]
    outgoing: Vec<IpAddr>,
    /// Somebody else who may send: a network, or the record of a service; may be repeated
    #[arg(long, value_name = "NETWORK|include:DOMAIN")]
    allow: Vec<Allowed>,
    /// Where main.cf is, if not in Postfix's default
    #[arg(long, value_name = "DIR")]
    postfix_dir: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  lockdown-milter spf suggest example.org
      A record for what the MX, Postfix and the ledger know of; who else sends and is not covered.
  lockdown-milter spf suggest example.org --allow include:_spf.news.example --allow 198.51.100.0/28
      The same with two of them authorised.
  lockdown-milter spf suggest example.org --outgoing 192.0.2.25 --outgoing 2001:db8::25
      For a host behind NAT, or mail that leaves from another one.

The record is tried before it is shown: each of its senders must pass, strangers must not, within the look-ups that
receivers grant. Exit status: 0 it is good, 1 it is not, or somebody unknown sends, 64 wrong usage.";

/// Runs the command.
pub(super) fn suggest(arguments: &Arguments) -> ExitCode {
    let suggested = block_on(async {
        let view = arguments.which.open()?;
        let host = outgoing::find(&arguments.outgoing, &view, arguments.postfix_dir.as_deref()).await;
        let evidence = evidence::Evidence::gather(&view, &arguments.domain, host).await;
        Ok(compose::compose(&view, evidence, &arguments.allow).await)
    });
    let suggestion = match suggested {
        Ok(suggestion) => suggestion,
        Err(error) => return failed(&error),
    };
    let output = if arguments.json {
        text::json(&suggestion)
    } else {
        text::render(&suggestion, &Layout::of_output())
    };
    let written = write(&output);
    if suggestion.is_good() { written } else { ExitCode::from(FINDINGS) }
}
