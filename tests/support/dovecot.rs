//! A private Dovecot: it tells Postfix whether a login and a password belong together, or it knows users, whom it tells
//! about at `auth-userdb` and takes mail for by LMTP.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::host;
use crate::mta::PASSWORD;

/// A running server, stopped when dropped.
pub(crate) struct Dovecot {
    dir: TempDir,
}

/// The users of a server.
#[derive(Clone, Copy)]
pub(crate) enum Users<'a> {
    /// These.
    Listed(&'a [&'a str]),
    /// Everybody whom anybody can name.
    Everybody,
}

impl Dovecot {
    /// Whether one can be started here; if not, the calling test is [skipped](host::is_possible).
    pub(crate) fn is_available() -> bool {
        host::is_possible(host::require_root().and_then(|()| host::program("dovecot").map(drop)))
    }

    /// Starts a SASL server (`auth` service) that knows these logins, without any mail protocol.
    ///
    /// # Panics
    ///
    /// When Dovecot does not start.
    pub(crate) fn start(logins: &[&str]) -> Self {
        let passwords: Vec<String> =
            logins.iter().map(|login| format!("{login}:{{PLAIN}}{PASSWORD}\n")).collect();
        Self::launch(
            &passwords.concat(),
            "",
            "driver = static\n  args = uid=65534 gid=65534 home=/nonexistent",
        )
    }

    /// Starts a server that has these users.
    ///
    /// # Panics
    ///
    /// When Dovecot does not start.
    pub(crate) fn with(users: Users<'_>) -> Self {
        let names = if let Users::Listed(names) = users { names } else { &[] };
        // Dovecot escapes quotes in what it looks for in such a file.
        let line = |name: &&str| format!("{}::65534:65534::/nonexistent\n", name.replace('\'', "\\'"));
        let lines: Vec<String> = names.iter().map(line).collect();
        let userdb = match users {
            Users::Listed(_) => "driver = passwd-file\n  args = username_format=%u DIR/passwd",
            Users::Everybody => {
                "driver = static\n  args = uid=65534 gid=65534 home=/nonexistent allow_all_users=yes"
            }
        };
        Self::launch(&lines.concat(), "lmtp", userdb)
    }

    /// Starts a server and returns when it listens.
    fn launch(passwd: &str, protocols: &str, userdb: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("lockdown-dovecot.").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(dir.path().join("passwd"), passwd).unwrap();
        let configuration = configuration(protocols, userdb).replace("DIR", dir.path().to_str().unwrap());
        fs::write(dir.path().join("dovecot.conf"), configuration).unwrap();
        let server = Self { dir };
        server.resume();
        server
    }

    /// Starts the server, at first or after it was stopped.
    ///
    /// # Panics
    ///
    /// When Dovecot does not start.
    pub(crate) fn resume(&self) {
        // The command ends when the server, which goes on in the background, has opened its sockets. A pipe would
        // not end with it: the server keeps what it was given.
        let errors = self.dir.path().join("errors");
        let status = host::command(&host::program("dovecot").unwrap())
            .arg("-c")
            .arg(self.dir.path().join("dovecot.conf"))
            .stderr(fs::File::create(&errors).unwrap())
            .status();
        let has_started = status.is_ok_and(|status| status.success());
        assert!(has_started, "Dovecot did not start: {}", fs::read_to_string(errors).unwrap_or_default());
    }

    /// Stops the server, and returns when nobody answers any more.
    pub(crate) fn stop(&self) {
        let pid_file = self.dir.path().join("run/master.pid");
        let Some(master) = fs::read_to_string(&pid_file).ok().and_then(|pid| pid.trim().parse().ok()) else {
            eprintln!("Dovecot may still be running");
            return;
        };
        // It has nothing to lose, and asked politely it takes two seconds. Its processes end with it, if not at once.
        let children =
            fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
        let pids: Vec<i32> = std::iter::once(master).chain(children).collect();
        for pid in &pids {
            kill(Pid::from_raw(*pid), Signal::SIGKILL).unwrap_or_default();
        }
        while pids.iter().any(|pid| is_alive(*pid)) {
            std::thread::yield_now();
        }
        fs::remove_file(pid_file).unwrap();
    }

    /// Where Postfix asks (`smtpd_sasl_path`).
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("run/auth-smtp")
    }

    /// Where it tells about its users.
    pub(crate) fn userdb(&self) -> PathBuf {
        self.dir.path().join("run/auth-userdb")
    }

    /// Where it takes mail for its users.
    pub(crate) fn lmtp(&self) -> PathBuf {
        self.dir.path().join("run/lmtp")
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // A test that failed may have stopped it already.
        if self.dir.path().join("run/master.pid").exists() {
            self.stop();
        }
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            eprintln!("--- Dovecot log\n{log}");
        }
    }
}

/// Whether a process still runs; who has ended may wait to be noticed.
fn is_alive(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

/// An address that gave a wrong password is not made to wait: without its listener, nobody counts such penalties.
fn configuration(protocols: &str, userdb: &str) -> String {
    format!(
        "base_dir = DIR/run
state_dir = DIR/state
log_path = DIR/log
protocols = {protocols}
ssl = no
auth_mechanisms = plain login
disable_plaintext_auth = no
auth_username_chars =
auth_failure_delay = 0
auth_verbose = yes
mail_location = maildir:DIR/mail/%u
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u DIR/passwd
}}
userdb {{
  {userdb}
}}
service auth {{
  unix_listener auth-smtp {{
    mode = 0666
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
"
    )
}
