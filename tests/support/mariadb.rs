//! A private MariaDB: its files in a temporary directory, on a loopback port, with one user and one database.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::host;

/// The password of the user `milter`.
pub(crate) const PASSWORD: &str = "open sesame";

/// The server, stopped when dropped.
pub(crate) struct MariaDb {
    dir: TempDir,
    port: u16,
    options: Vec<String>,
    server: Option<Child>,
}

impl MariaDb {
    /// What stands in the way of starting one.
    pub(crate) fn obstacle() -> Result<(), String> {
        host::require_root()?;
        for program in ["mariadbd", "mariadb-install-db", "mariadb"] {
            host::program(program)?;
        }
        Ok(())
    }

    /// Makes a database `mail` of which the user `milter` may do everything, and starts the server.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with options of the server.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("lockdown-mariadb.").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(dir.path().join("password"), PASSWORD).unwrap();
        let mut install = host::command(&host::program("mariadb-install-db").unwrap());
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        // Servers that are made side by side have temporary tables of the same names.
        install.args(["--user=root", "--skip-name-resolve"]).env("TMPDIR", dir.path());
        install.arg(format!("--datadir={}", dir.path().join("data").display()));
        host::run(&mut install).unwrap();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self { dir, port: host::free_port(), options, server: None };
        server.resume();
        for sql in [
            "create database mail character set utf8mb4",
            &format!("create user milter@'%' identified by '{PASSWORD}'"),
            "grant all on mail.* to milter@'%'",
        ] {
            host::run(&mut server.client("mysql", sql)).unwrap();
        }
        server
    }

    /// Where it listens on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    /// A file with the password.
    pub(crate) fn password_file(&self) -> PathBuf {
        self.dir.path().join("password")
    }

    /// Runs a statement in the database `mail`.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub(crate) fn run(&self, sql: &str) {
        host::run(&mut self.client("mail", sql)).unwrap();
    }

    fn client(&self, database: &str, sql: &str) -> Command {
        let mut client = host::command(&host::program("mariadb").unwrap());
        client.args(["--no-defaults", "--user=root", "--default-character-set=utf8mb4"]);
        client.arg(format!("--socket={}", self.socket().display())).args(["--database", database]);
        // A procedure is one statement with others in it.
        client.args(["--delimiter=//", "--execute", sql]);
        client
    }

    /// Stops the server, and with it all connections.
    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // It has nothing to lose, and asked politely it takes seconds.
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Starts it again, where it was, and returns when it answers.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub(crate) fn resume(&mut self) {
        let dir = self.dir.path();
        let mut command = host::command(&host::program("mariadbd").unwrap());
        command.env("TMPDIR", dir);
        command.args(["--no-defaults", "--user=root", "--bind-address=127.0.0.1", "--skip-name-resolve"]);
        command.args([
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=8M",
        ]);
        command.arg(format!("--datadir={}", dir.join("data").display()));
        command.arg(format!("--socket={}", self.socket().display()));
        command.arg(format!("--port={}", self.port)).args(&self.options);
        let log = fs::File::options().create(true).append(true).open(dir.join("log")).unwrap();
        self.server = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        while host::run(&mut self.client("mysql", "select 1")).is_err() {
            let ended = self.server.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "MariaDB did not start: {}", self.log());
            std::thread::yield_now();
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("--- MariaDB log\n{}", self.log());
        }
    }
}
