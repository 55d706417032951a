//! `config`: what the configuration amounts to.

mod json;
mod text;
mod yaml;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use super::layout::Layout;
use super::{CONFIGURATION, FINDINGS, Source};
use crate::config::Profile;
use crate::config::show::{Difference, Setting, Shown};
use crate::mail::Domain;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Show every setting in force, and where it comes from
    Show(ShowArguments),
}

/// Arguments of `config show`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ShowArguments {
    #[command(flatten)]
    source: Source,
    /// Show what holds for this hosted domain, not the host and `defaults`
    #[arg(long, value_name = "DOMAIN", conflicts_with = "diff_profile")]
    domain: Option<Domain>,
    /// Show only what differs from this profile, and in which domains: relaxed, standard, lockdown
    #[arg(long, value_name = "PROFILE", value_parser = profile)]
    diff_profile: Option<Profile>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  lockdown-milter config show
      The whole configuration, with all that it leaves out; it can be used as one.
  lockdown-milter config show --domain example.net
      What holds for one domain. A mode is shown as it is in force: no stronger than the `mode` at the top of the file.
  lockdown-milter config show --diff-profile lockdown
      How far it is to the strictest profile.
  lockdown-milter config show --domain example.net --json | jq -r '.settings[] | select(.from == \"domain\").setting'
      The settings that a domain has of its own.

Exit status: 0 good, 1 no such domain is hosted, 64 wrong usage, 78 wrong configuration.";

fn profile(name: &str) -> Result<Profile, String> {
    let named = Profile::NAMES.iter().find(|(known, _)| *known == name).map(|(_, profile)| *profile);
    named.ok_or_else(|| format!("profiles: {}", Profile::NAMES.map(|(name, _)| name).join(", ")))
}

/// What is shown.
enum Content {
    Settings { domain: Option<Domain>, followed: Option<Domain>, settings: Vec<Setting> },
    Differences { profile: Profile, differences: Vec<Difference> },
}

/// Runs the command.
pub(super) fn run(command: &Command) -> ExitCode {
    let Command::Show(arguments) = command;
    let shown = match Shown::load(&arguments.source.config, &super::host()) {
        Ok(shown) => shown,
        Err(report) => {
            eprint!("{}", report.render(super::style(io::stderr().is_terminal())));
            return ExitCode::from(CONFIGURATION);
        }
    };
    let Some(content) = content(arguments, &shown) else {
        let domain = arguments.domain.as_ref().map(ToString::to_string).unwrap_or_default();
        eprintln!(
            "lockdown-milter: {domain} is not a hosted domain; `config show` shows what `defaults` gives"
        );
        return ExitCode::from(FINDINGS);
    };
    let file = arguments.source.config.display().to_string();
    let output = match (&content, arguments.json) {
        (content, true) => json::render(&file, content),
        (content, false) => text::render(&file, &shown, content, &Layout::of_output()),
    };
    super::write(&output)
}

/// What the arguments ask for; nothing where the domain is not hosted.
fn content(arguments: &ShowArguments, shown: &Shown) -> Option<Content> {
    if let Some(profile) = arguments.diff_profile {
        return Some(Content::Differences { profile, differences: shown.differences(profile) });
    }
    let Some(domain) = &arguments.domain else {
        return Some(Content::Settings { domain: None, followed: None, settings: shown.settings() });
    };
    let followed = shown.followed(domain)?;
    let settings = shown.settings_of(domain)?;
    Some(Content::Settings { domain: Some(domain.clone()), followed: Some(followed), settings })
}

/// The name of a profile.
fn name(profile: Profile) -> &'static str {
    Profile::NAMES.iter().find(|(_, known)| *known == profile).map_or("", |(name, _)| name)
}
