//! A private PostgreSQL: its files in a temporary directory, on a loopback port, with one user and one database.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::host;
use crate::tls::ServerFiles;

/// The password of the user `milter`.
pub(crate) const PASSWORD: &str = "open sesame";

/// Whom it runs as; it refuses to be root.
const NOBODY: u32 = 65534;

/// The server, stopped when dropped.
pub(crate) struct Postgres {
    dir: TempDir,
    port: u16,
    has_tls: bool,
    server: Option<Child>,
}

impl Postgres {
    /// What stands in the way of starting one.
    pub(crate) fn obstacle() -> Result<(), String> {
        host::require_root()?;
        host::program("psql")?;
        programs().map(drop)
    }

    /// Makes a database `mail` that belongs to the user `milter`, and starts the server.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub(crate) fn start() -> Self {
        Self::make(None)
    }

    /// The same for a server that also speaks TLS.
    pub(crate) fn start_with_tls(files: &ServerFiles) -> Self {
        Self::make(Some(files))
    }

    fn make(files: Option<&ServerFiles>) -> Self {
        let dir = tempfile::Builder::new().prefix("lockdown-postgres.").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        fs::write(dir.path().join("password"), PASSWORD).unwrap();
        let mut initdb = as_nobody(&programs().unwrap().join("initdb"), dir.path());
        initdb.args([
            "--no-sync",
            "--username=milter",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        initdb.arg("--pwfile").arg(dir.path().join("password")).arg("--pgdata").arg(dir.path().join("data"));
        host::run(&mut initdb).unwrap();
        if let Some(files) = files {
            // It looks for them there, and wants them for itself.
            for (from, name) in [(&files.certificate, "server.crt"), (&files.key, "server.key")] {
                let to = dir.path().join("data").join(name);
                fs::copy(from, &to).unwrap();
                chown(&to, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let mut server = Self { dir, port: host::free_port(), has_tls: files.is_some(), server: None };
        server.resume();
        server.run_in("postgres", "create database mail");
        server
    }

    /// Where it listens on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The directory that its socket is in.
    pub(crate) fn socket_dir(&self) -> &Path {
        self.dir.path()
    }

    /// A file with the password.
    pub(crate) fn password_file(&self) -> PathBuf {
        self.dir.path().join("password")
    }

    /// Runs statements in the database `mail`.
    ///
    /// # Panics
    ///
    /// When one fails.
    pub(crate) fn run(&self, sql: &str) {
        self.run_in("mail", sql);
    }

    fn run_in(&self, database: &str, sql: &str) {
        host::run(&mut self.psql(database, sql)).unwrap();
    }

    fn psql(&self, database: &str, sql: &str) -> Command {
        let mut psql = host::command(&host::program("psql").unwrap());
        psql.env("PGPASSWORD", PASSWORD).env("PGCLIENTENCODING", "UTF8");
        psql.args([
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--username=milter",
            "--host=127.0.0.1",
        ]);
        psql.arg(format!("--port={}", self.port)).args(["--dbname", database, "--command", sql]);
        psql
    }

    /// Stops the server, and with it all connections.
    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let pid = Pid::from_raw(i32::try_from(server.id()).unwrap());
            // Immediate shutdown: nobody waits for clients.
            kill(pid, Signal::SIGQUIT).unwrap();
            server.wait().unwrap();
        }
    }

    /// Starts it again, where it was, and returns when it answers.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub(crate) fn resume(&mut self) {
        let mut command = as_nobody(&programs().unwrap().join("postgres"), self.dir.path());
        command.arg("-D").arg(self.dir.path().join("data")).arg("-p").arg(self.port.to_string());
        command.arg("-k").arg(self.dir.path());
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", "max_connections=20", "shared_buffers=4MB"]
        {
            command.args(["-c", setting]);
        }
        if self.has_tls {
            command.args(["-c", "ssl=on"]);
        }
        let log = fs::File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        self.server = Some(command.stderr(log).spawn().unwrap());
        while host::run(&mut self.psql("postgres", "select 1")).is_err() {
            let ended = self.server.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "PostgreSQL did not start: {}", self.log());
            std::thread::yield_now();
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("--- PostgreSQL log\n{}", self.log());
        }
    }
}

/// Where its programs are, which belong on nobody's path.
fn programs() -> Result<PathBuf, String> {
    let versions =
        fs::read_dir("/usr/lib/postgresql").map_err(|_| "PostgreSQL is not installed".to_owned())?;
    versions
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .find(|programs| programs.join("initdb").is_file())
        .ok_or_else(|| "PostgreSQL is not installed (packaging/setup installs it)".to_owned())
}

fn as_nobody(program: &Path, dir: &Path) -> Command {
    let mut command = host::command(program);
    command.uid(NOBODY).gid(NOBODY).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null());
    command
}
