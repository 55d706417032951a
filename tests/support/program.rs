//! The program under test, on a host whose Postfix is one of ours.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::path::Path;
use std::process::Command;

/// Where the program is.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_lockdown-milter");

/// A command that runs the program, on a host of ours.
pub(crate) fn lockdown_milter() -> Command {
    let mut command = Command::new(PROGRAM);
    on_our_host(&mut command);
    command
}

/// Makes the Postfix of `tests/shipped` the one that is meant where nothing else is said.
///
/// What a test shows must not depend on the main.cf of the machine that it runs on; a machine whose Postfix was never
/// configured has none.
pub(crate) fn on_our_host(command: &mut Command) -> &mut Command {
    command.env("MAIL_CONFIG", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shipped"))
}
