//! What this machine has: programs, free ports, and what keeps a test from running here.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

/// Whether a test can run here: whether nothing stands in its way.
///
/// Where something does, a line on the terminal says that the calling test was skipped, and why.
///
/// # Panics
///
/// Where something does and `LOCKDOWN_REQUIRE_SERVERS=1`: a run that must show everything fails instead of skipping.
pub(crate) fn is_possible(obstacle: Result<(), String>) -> bool {
    let Err(obstacle) = obstacle else { return true };
    assert!(std::env::var("LOCKDOWN_REQUIRE_SERVERS").as_deref() != Ok("1"), "{obstacle}");
    skip(&obstacle);
    false
}

/// Says on the terminal that the calling test was skipped, or a part of it, and why.
pub(crate) fn skip(obstacle: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("this test");
    // Past the capture of the test harness, which swallows what a passing test prints.
    writeln!(std::io::stderr(), "SKIPPED {test}: {obstacle}").expect("standard error is open");
}

/// Whether we are root, without whom no mail server can be started.
pub(crate) fn require_root() -> Result<(), String> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err("mail servers can only be started by root".to_owned())
}

/// Where a program is installed.
pub(crate) fn program(name: &str) -> Result<PathBuf, String> {
    search_path()
        .into_iter()
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
        .ok_or_else(|| format!("{name} is not installed (packaging/setup installs it)"))
}

/// A command that finds its own programs where [`program`] does.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", std::env::join_paths(search_path()).expect("a path made of paths"));
    command
}

/// Runs a command to its end; what it prints is the error if it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let Output { status, stdout, stderr } =
        command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() {
        return Ok(());
    }
    let printed = [stdout, stderr].concat();
    Err(format!("{command:?}: {status}: {}", String::from_utf8_lossy(&printed)))
}

/// Runs a program with this input and returns what it prints.
///
/// # Panics
///
/// When it fails.
pub(crate) fn feed(command: &mut Command, input: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // Dropping the pipe ends the input.
    child.stdin.take().expect("standard input is a pipe").write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A loopback port that nobody uses, and that no caller in this process was given before.
///
/// It lies below the range from which the system takes ports for outgoing connections.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 20_000;
    static DRAWN: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % u32::from(COUNT)).expect("less than COUNT");
    // Processes that run side by side have neighbouring ids; the stride spreads their ranges.
    let start = u32::from(own) * 101;
    for _ in 0..COUNT {
        let step = start + u32::from(DRAWN.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from(step % u32::from(COUNT)).expect("less than COUNT");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port on 127.0.0.1");
}

/// An ordinary login has no sbin on its path, but servers live there.
fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from))
        .collect()
}
