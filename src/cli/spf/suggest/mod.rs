//! `spf suggest`: a record for a domain of ours, from what is known of who sends for it.

mod evidence;
mod text;
mod zone;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use super::outgoing;
use super::view::Which;
use crate::cli::layout::Layout;
use crate::cli::{FINDINGS, block_on, failed, write};
use crate::mail::Domain;
use crate::spf::suggest::{Allowed, Suggestion};
use evidence::Evidence;

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
receivers grant. Mistakes of the present record are mended where it is plain what was meant; where it is not, there is no
suggestion. Exit status: 0 it is good, 1 it is not, or somebody unknown sends, 64 wrong usage.";

/// Runs the command.
pub(super) fn suggest(arguments: &Arguments) -> ExitCode {
    let suggested = block_on(async {
        let view = arguments.which.open()?;
        let host = outgoing::find(&arguments.outgoing, &view, arguments.postfix_dir.as_deref()).await;
        let evidence = Evidence::gather(&view, &arguments.domain, host).await;
        let suggestion =
            crate::spf::suggest::suggest(&view.dns, &evidence.known(), &arguments.allow, &view.options).await;
        Ok(Advice { evidence, suggestion })
    });
    let advice = match suggested {
        Ok(advice) => advice,
        Err(error) => return failed(&error),
    };
    let output =
        if arguments.json { text::json(&advice) } else { text::render(&advice, &Layout::of_output()) };
    let written = write(&output);
    if advice.is_good() { written } else { ExitCode::from(FINDINGS) }
}

/// A suggestion with what it is based on.
struct Advice {
    evidence: Evidence,
    suggestion: Suggestion,
}

impl Advice {
    /// Clients of which nobody has said whether they may send.
    fn unknown(&self) -> impl Iterator<Item = &evidence::Client> {
        self.evidence.clients.iter().filter(|client| !self.suggestion.passes(client.address))
    }

    /// Whether nothing is left to be decided.
    fn is_good(&self) -> bool {
        self.suggestion.keeps() && self.unknown().next().is_none()
    }
}
