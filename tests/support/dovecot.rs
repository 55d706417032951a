//! A private Dovecot that does one thing: it tells Postfix whether a login and a password belong together.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::host;
use crate::mta::PASSWORD;

/// A running SASL server (`auth` service) without any mail protocol, stopped when dropped.
pub(crate) struct Dovecot {
    dir: TempDir,
}

impl Dovecot {
    /// Whether one can be started here; if not, the calling test is [skipped](host::is_possible).
    pub(crate) fn is_available() -> bool {
        host::is_possible(host::require_root().and_then(|()| host::program("dovecot").map(drop)))
    }

    /// Starts a server that knows these logins and returns when it listens.
    ///
    /// # Panics
    ///
    /// When Dovecot does not start.
    pub(crate) fn start(logins: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("lockdown-dovecot.").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let passwords: Vec<String> =
            logins.iter().map(|login| format!("{login}:{{PLAIN}}{PASSWORD}\n")).collect();
        let passwords = passwords.concat();
        fs::write(dir.path().join("passwd"), passwords).unwrap();
        fs::write(dir.path().join("dovecot.conf"), configuration(dir.path())).unwrap();
        let server = Self { dir };
        // The command ends when the server, which goes on in the background, has opened its sockets. A pipe would
        // not end with it: the server keeps what it was given.
        let errors = server.dir.path().join("errors");
        let status = host::command(&host::program("dovecot").unwrap())
            .arg("-c")
            .arg(server.dir.path().join("dovecot.conf"))
            .stderr(fs::File::create(&errors).unwrap())
            .status();
        let has_started = status.is_ok_and(|status| status.success());
        assert!(has_started, "Dovecot did not start: {}", fs::read_to_string(errors).unwrap_or_default());
        server
    }

    /// Where Postfix asks (`smtpd_sasl_path`).
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("run/auth-smtp")
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // It has nothing to lose, its processes end with their master, and asked politely it takes two seconds.
        let pid = fs::read_to_string(self.dir.path().join("run/master.pid"));
        match pid.ok().and_then(|pid| pid.trim().parse().ok()) {
            Some(pid) => kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap_or_default(),
            None => eprintln!("Dovecot may still be running"),
        }
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            eprintln!("--- Dovecot log\n{log}");
        }
    }
}

/// An address that gave a wrong password is not made to wait: without its listener, nobody counts such penalties.
fn configuration(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
protocols =
ssl = no
auth_mechanisms = plain login
disable_plaintext_auth = no
auth_username_chars =
auth_failure_delay = 0
auth_verbose = yes
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {dir}/passwd
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
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
