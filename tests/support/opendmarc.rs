//! OpenDMARC, which reads what we write: as a milter behind ours, and as a judge of messages in files.
//!
//! What it would ask DNS stands in a file (`TestDNSData`), so that it asks nobody.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::host;

/// How often a milter that starts is looked for.
const TRIES: u32 = 500;

/// What it is to believe, and what it finds in DNS.
pub(crate) struct OpenDmarc {
    dir: TempDir,
}

/// A running milter, ended when dropped.
pub(crate) struct Milter {
    child: Child,
    port: u16,
    _settings: OpenDmarc,
}

impl OpenDmarc {
    /// Whether it is installed; if not, the calling test is [skipped](host::is_possible).
    pub(crate) fn is_available() -> bool {
        host::is_possible(host::program("opendmarc").map(drop))
    }

    /// One that believes this authserv-id, and for which these domains publish `p=reject`.
    pub(crate) fn new(authserv_id: &str, strict: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("lockdown-opendmarc.").tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let records: Vec<String> =
            strict.iter().map(|domain| format!("_dmarc.{domain} v=DMARC1; p=reject\n")).collect();
        fs::write(path("records"), records.concat()).unwrap();
        // By default it looks away from loopback, where the clients of tests are.
        fs::write(path("ignored"), "203.0.113.255\n").unwrap();
        let settings = format!(
            "AuthservID {authserv_id}\nTrustedAuthservIDs {authserv_id}\nTestDNSData {}\nIgnoreHosts {}\n\
             Background false\nSyslog false\nRejectFailures false\nSPFSelfValidate false\nSPFIgnoreResults false\n",
            path("records"),
            path("ignored"),
        );
        fs::write(path("opendmarc.conf"), settings).unwrap();
        Self { dir }
    }

    fn command(&self) -> Command {
        let mut command = host::command(&host::program("opendmarc").unwrap());
        command.arg("-c").arg(self.dir.path().join("opendmarc.conf"));
        command
    }

    /// Starts it as a milter on a port of its own.
    pub(crate) fn start(self) -> Milter {
        let port = host::free_port();
        let child = self.command().args(["-f", "-p", &format!("inet:{port}@127.0.0.1")]).spawn().unwrap();
        let milter = Milter { child, port, _settings: self };
        for _ in 0..TRIES {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return milter;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("opendmarc does not listen");
    }

    /// What it says of a message, which must have a From at a strict domain: `pass`, `fail`.
    pub(crate) fn judge(&self, mail_from: &str, message: &str) -> String {
        let file = self.dir.path().join("message");
        fs::write(&file, message).unwrap();
        let mut command = self.command();
        command.args(["-v", "-v", "-t"]).arg(file).env("OPENDMARC_TEST_ENVFROM", mail_from);
        let output = command.output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        result(&printed).unwrap_or_else(|| panic!("no result for\n{message}\n{output:?}")).to_owned()
    }
}

/// The result of DMARC in what it writes.
pub(crate) fn result(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(" dmarc=")?;
    rest.split(' ').next()
}

impl Milter {
    /// Where it listens on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Milter {
    fn drop(&mut self) {
        if let Err(trouble) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("opendmarc did not end: {trouble}");
        }
    }
}
