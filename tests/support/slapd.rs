//! A private directory (OpenLDAP's slapd): its own database and certificates in a temporary directory, on loopback.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::host::{self, free_port};
use crate::tls::Authority;

/// What every directory of a test holds things below.
pub(crate) const SUFFIX: &str = "dc=example,dc=org";

/// Who may read everything, and the password.
pub(crate) const READER: &str = "cn=reader,dc=example,dc=org";
pub(crate) const READER_PASSWORD: &str = "s3cret reader";

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server, stopped when dropped. If the test is failing by then, its log is printed.
pub(crate) struct Slapd {
    dir: TempDir,
    port: u16,
    tls_port: u16,
    authority: Authority,
    child: Option<Child>,
    log: Arc<Mutex<String>>,
}

impl Slapd {
    /// Whether one can be started here; if not, the calling test is [skipped](host::is_possible).
    pub(crate) fn is_available() -> bool {
        host::is_possible(host::program("slapd").and_then(|_| host::program("slapadd")).map(drop))
    }

    /// A server with these entries (LDIF) below [`SUFFIX`], which is there already.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub(crate) fn start(entries: &str) -> Self {
        Self::start_with("", entries)
    }

    /// The same with more lines for the database in its configuration.
    pub(crate) fn start_with(configuration: &str, entries: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("lockdown-slapd.").tempdir().unwrap();
        let authority = Authority::new();
        let mut server = Self {
            dir,
            port: free_port(),
            tls_port: free_port(),
            authority,
            child: None,
            log: Arc::default(),
        };
        server.write(configuration, entries);
        server.run();
        server
    }

    fn write(&self, configuration: &str, entries: &str) {
        let dir = self.dir.path();
        fs::create_dir(dir.join("db")).unwrap();
        let tls = self.authority.certify(dir, "127.0.0.1");
        let conf = format!(
            "include /etc/ldap/schema/core.schema\n\
             include /etc/ldap/schema/cosine.schema\n\
             include /etc/ldap/schema/nis.schema\n\
             include /etc/ldap/schema/inetorgperson.schema\n\
             attributetype ( 1.2.840.113556.1.2.210 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch \
             SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )\n\
             modulepath /usr/lib/ldap\n\
             moduleload back_mdb\n\
             pidfile {dir}/pid\n\
             TLSCertificateFile {certificate}\n\
             TLSCertificateKeyFile {key}\n\
             TLSCACertificateFile {ca}\n\
             database mdb\n\
             maxsize 16777216\n\
             suffix {SUFFIX}\n\
             rootdn {READER}\n\
             rootpw \"{READER_PASSWORD}\"\n\
             directory {dir}/db\n\
             index objectClass,mail,uid eq\n\
             {configuration}\n",
            dir = dir.display(),
            certificate = tls.certificate.display(),
            key = tls.key.display(),
            ca = tls.authority.display(),
        );
        fs::write(self.conf(), conf).unwrap();
        let ldif = format!(
            "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: x\ndc: example\n\n{entries}"
        );
        fs::write(dir.join("entries.ldif"), ldif).unwrap();
        let mut command = host::command(&host::program("slapadd").unwrap());
        host::run(command.arg("-f").arg(self.conf()).arg("-l").arg(dir.join("entries.ldif"))).unwrap();
    }

    /// Starts it, on the same ports and with the same contents as before.
    pub(crate) fn run(&mut self) {
        let urls = format!(
            "ldap://127.0.0.1:{}/ ldaps://127.0.0.1:{}/ {}/",
            self.port,
            self.tls_port,
            self.socket_url()
        );
        let mut child = host::command(&host::program("slapd").unwrap())
            .arg("-f")
            .arg(self.conf())
            // It stays in the foreground and says what it is asked.
            .args(["-d", "stats", "-h", &urls])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (sender, has_started) = mpsc::channel();
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                log.lock().unwrap().extend([line.as_str(), "\n"]);
                if line.ends_with("slapd starting") {
                    let _ = sender.send(());
                }
            }
        });
        self.child = Some(child);
        self.wait(&has_started);
    }

    fn wait(&self, has_started: &Receiver<()>) {
        let started = Instant::now();
        let is_started = has_started.recv_timeout(PATIENCE).is_ok();
        // It says so shortly before it listens, and tells nobody when it does.
        let listens = || {
            [self.port, self.tls_port].iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
                && UnixStream::connect(self.dir.path().join("socket")).is_ok()
        };
        while !is_started || !listens() {
            assert!(is_started && started.elapsed() < PATIENCE, "slapd did not start:\n{}", self.log());
            std::thread::yield_now();
        }
    }

    fn conf(&self) -> PathBuf {
        self.dir.path().join("slapd.conf")
    }

    /// Where it listens without TLS at first.
    pub(crate) fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// Where it listens with TLS. The certificate has the address: OpenLDAP's library takes `localhost` for another name.
    pub(crate) fn tls_url(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.tls_port)
    }

    /// Where its Unix socket is.
    pub(crate) fn socket_url(&self) -> String {
        format!("ldapi://{}", self.dir.path().join("socket").display().to_string().replace('/', "%2F"))
    }

    /// The certificate of the authority that certified it.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.dir.path().join("authority.pem")
    }

    /// A file for tests beside its own.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Its directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// All that it was asked, and more, so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Ends it at once.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Lets it hang: connections are accepted by the system, and nobody answers.
    pub(crate) fn pause(&self) {
        self.signal(Signal::SIGSTOP);
        // The signal is sent when kill(2) returns, and takes effect a moment later, thread by thread.
        let begun = Instant::now();
        while !self.is_paused() {
            assert!(begun.elapsed() < PATIENCE, "slapd does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn is_paused(&self) -> bool {
        let process = self.child.as_ref().expect("it runs").id();
        let stopped = |status: &str| status.lines().any(|line| line.starts_with("State:\tT"));
        let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("its threads");
        tasks
            .flatten()
            .all(|task| fs::read_to_string(task.path().join("status")).is_ok_and(|status| stopped(&status)))
    }

    /// Ends a pause.
    pub(crate) fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.as_ref().expect("it runs").id()).expect("a process id");
        kill(Pid::from_raw(pid), signal).unwrap();
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("--- slapd log\n{}", self.log());
        }
    }
}
