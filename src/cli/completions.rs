//! `completions`: what a shell completes after our name.

use std::process::ExitCode;

use clap_complete::Shell;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  lockdown-milter completions bash > /usr/share/bash-completion/completions/lockdown-milter
  lockdown-milter completions zsh > /usr/share/zsh/vendor-completions/_lockdown-milter
  lockdown-milter completions fish > /usr/share/fish/vendor_completions.d/lockdown-milter.fish

The Debian package brings them along.

Exit status: 0 good, 1 cannot write, 64 wrong usage.";

/// Runs the command.
pub(super) fn completions(arguments: &Arguments) -> ExitCode {
    let mut output = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(), "lockdown-milter", &mut output);
    // For bash, clap_complete 4.6 calls a command with a hyphen by two names, so that nothing below it is found.
    let script = String::from_utf8_lossy(&output).replace("lockdown__subcmd__milter", "lockdown__milter");
    super::write(&script)
}
