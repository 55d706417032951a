//! `harvest`: what is blocked for guessing names, and its release.

use std::net::IpAddr;
use std::process::ExitCode;
use std::str::FromStr;

use clap::Subcommand;
use ipnet::IpNet;
use jiff::Timestamp;

use super::FINDINGS;
use super::control::{ControlError, Which};
use crate::daemon::control::{Answer, Request};
use crate::memory::harvest::Block;

/// Arguments of `harvest`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what is blocked for guessing names
    #[command(after_help = LIST_EXAMPLES)]
    List {
        #[command(flatten)]
        which: Which,
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
    /// Release what is blocked for guessing names, at once
    #[command(after_help = RELEASE_EXAMPLES)]
    Release {
        #[command(flatten)]
        which: Which,
        /// An address or a network: what is blocked within it or around it
        #[arg(value_name = "NETWORK", required_unless_present = "all", conflicts_with = "all")]
        network: Option<Network>,
        /// Everything that is blocked
        #[arg(long)]
        all: bool,
    },
}

const LIST_EXAMPLES: &str = "\
Examples:
  lockdown-milter harvest list
      Networks, since when and until when they are blocked, for how many unknown names, and how often by now;
      `<>` where only bounces are, mail with the null reverse-path.
  lockdown-milter harvest list --json | jq -r '.blocked.networks[].network'

Exit status: 0 good, 1 the daemon does not answer, 64 wrong usage, 78 wrong configuration.";

const RELEASE_EXAMPLES: &str = "\
Examples:
  lockdown-milter harvest release 192.0.2.7
      Also if its whole /24 is blocked, or the /64 of an IPv6 address.
  lockdown-milter harvest release 198.51.100.0/22
  lockdown-milter harvest release --all

What was counted is forgotten as well. A network that should never be blocked belongs in `harvest.exempt_networks`.

Exit status: 0 released, 1 nothing of it was blocked or the daemon does not answer, 64 wrong usage, 78 wrong
configuration.";

/// A network, or one address.
#[derive(Clone, Copy, Debug)]
struct Network(IpNet);

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = text.parse().map(|address: IpAddr| IpNet::from(address.to_canonical()));
        let network = address.or_else(|_| text.parse().map(|network: IpNet| network.trunc()));
        network.map(Self).map_err(|_| "this is neither an address nor a network (192.0.2.0/24)".to_owned())
    }
}

/// Runs the command.
pub(super) fn harvest(arguments: &Arguments) -> ExitCode {
    let (which, request) = match &arguments.command {
        Command::List { which, .. } => (which, Request::HarvestList),
        Command::Release { which, network, .. } => {
            (which, Request::HarvestRelease { network: network.map(|network| network.0) })
        }
    };
    let answer = match which.ask(&request) {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return error.fail(),
        Err(error) => return super::failed(&error),
    };
    match (&arguments.command, &answer) {
        (Command::List { json: true, .. }, answer) => {
            println!("{:#}", serde_json::json!(answer));
            ExitCode::SUCCESS
        }
        (Command::List { .. }, Answer::Blocked { enforced, networks }) => {
            print!("{}", list(networks, *enforced));
            ExitCode::SUCCESS
        }
        (Command::Release { network, .. }, Answer::Released(networks)) => {
            for block in networks {
                println!("released {}, which was blocked until {}", blocked(block), time(block.until));
            }
            match network {
                Some(Network(network)) if networks.is_empty() => {
                    println!("nothing is blocked in {0} or around it", shown(network));
                    ExitCode::from(FINDINGS)
                }
                None if networks.is_empty() => {
                    println!("nothing is blocked");
                    ExitCode::SUCCESS
                }
                _ => ExitCode::SUCCESS,
            }
        }
        _ => ControlError::Strange("control socket".into()).fail(),
    }
}

/// A table of what is blocked.
fn list(blocks: &[Block], enforced: bool) -> String {
    let mode = if enforced { "" } else { "`harvest.mode` is monitor: nothing of this is refused\n" };
    if blocks.is_empty() {
        return "nothing is blocked\n".to_owned();
    }
    let networks: Vec<String> = blocks.iter().map(blocked).collect();
    let width = networks.iter().map(String::len).max().unwrap_or_default().max("network".len());
    let head =
        format!("{:width$}  {:20}  {:20}  {:>5}  {:>5}\n", "network", "since", "until", "names", "times");
    let rows = networks.iter().zip(blocks).map(|(network, block)| {
        let (since, until) = (time(block.since), time(block.until));
        format!("{network:width$}  {since:20}  {until:20}  {:>5}  {:>5}\n", block.names, block.times)
    });
    mode.to_owned() + &head + &rows.collect::<String>()
}

/// What is blocked: a network, with `<>` where only its mail with the null reverse-path is.
fn blocked(block: &Block) -> String {
    shown(&block.network) + if block.null_sender { " <>" } else { "" }
}

/// A network, or the address where it is a single one.
fn shown(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(network: &str, names: usize, times: u32) -> Block {
        let at = |text: &str| text.parse().unwrap();
        Block {
            network: network.parse().unwrap(),
            since: at("2026-11-24T12:00:00.25Z"),
            until: at("2026-11-24T12:30:00.25Z"),
            names,
            times,
            null_sender: false,
        }
    }

    #[test]
    fn the_table_is_aligned() {
        let bounces = Block { null_sender: true, ..block("192.0.2.7/32", 11, 1) };
        let blocks = [block("192.0.2.7/32", 10, 1), bounces, block("2001:db8:0:1::/64", 120, 12)];
        let expected = "\
network            since                 until                 names  times
192.0.2.7          2026-11-24 12:00:00Z  2026-11-24 12:30:00Z     10      1
192.0.2.7 <>       2026-11-24 12:00:00Z  2026-11-24 12:30:00Z     11      1
2001:db8:0:1::/64  2026-11-24 12:00:00Z  2026-11-24 12:30:00Z    120     12
";
        assert_eq!(list(&blocks, true), expected);
        assert!(list(&blocks, false).ends_with(expected));
        assert_eq!(list(&[], true), "nothing is blocked\n");
    }

    #[test]
    fn networks_are_read_as_people_write_them() {
        let read = |text: &str| text.parse().map(|Network(network)| shown(&network)).unwrap_or_default();
        assert_eq!(read("192.0.2.7"), "192.0.2.7");
        assert_eq!(read("192.0.2.7/24"), "192.0.2.0/24");
        assert_eq!(read("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(read("2001:db8::7"), "2001:db8::7");
        assert_eq!(read("mail.example"), "");
    }
}
