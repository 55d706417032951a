//! A private Postfix: its own configuration, queue and log in a temporary directory, listening on one loopback port.
//!
//! The machine's own instance is neither read nor touched. Clients on loopback may use XCLIENT, so a test can speak as
//! any client address; a message is relayed to the [`Sink`](crate::sink::Sink) of the test.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

/// The name that the instance gives itself, and the authserv-id of the daemon beside it.
pub(crate) const HOST_NAME: &str = "mx.local.test";

/// Services that receive, queue and relay; nothing is chrooted, so absolute socket paths work.
const MASTER_CF: &str = "\
pickup   unix      n - n 60  1 pickup
cleanup  unix      n - n -   0 cleanup
qmgr     unix      n - n 300 1 qmgr
rewrite  unix      - - n -   - trivial-rewrite
proxymap unix      - - n -   - proxymap
bounce   unix      - - n -   0 bounce
defer    unix      - - n -   0 bounce
trace    unix      - - n -   0 bounce
smtp     unix      - - n -   - smtp
relay    unix      - - n -   - smtp
error    unix      - - n -   - error
retry    unix      - - n -   - error
anvil    unix      - - n -   1 anvil
postlog  unix-dgram n - n -   1 postlogd
";

/// A running instance, stopped when dropped. If the test is failing by then, its log is printed.
pub(crate) struct Postfix {
    dir: TempDir,
    port: u16,
}

/// What an instance is to be.
pub(crate) struct Builder {
    sink: u16,
    relay_domains: Vec<String>,
    milters: Vec<String>,
    main_cf: String,
}

impl Postfix {
    /// Whether a private instance can be started here: Postfix is installed and we are root.
    ///
    /// Where it cannot, a line on the terminal says that the calling test was skipped, and why.
    ///
    /// # Panics
    ///
    /// Where it cannot and `LOCKDOWN_REQUIRE_SERVERS=1`: a run that must show everything fails instead of skipping.
    pub(crate) fn is_available() -> bool {
        let obstacle = if !nix::unistd::geteuid().is_root() {
            "Postfix can only be started by root"
        } else if program().is_none() {
            "Postfix is not installed (packaging/setup installs it)"
        } else {
            return true;
        };
        assert!(std::env::var("LOCKDOWN_REQUIRE_SERVERS").as_deref() != Ok("1"), "{obstacle}");
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("this test");
        // Past the capture of the test harness, which swallows what a passing test prints.
        writeln!(std::io::stderr(), "SKIPPED {test}: {obstacle}").expect("standard error is open");
        false
    }

    /// An instance that relays mail for `local.test` to the SMTP server on loopback port `sink`.
    pub(crate) fn builder(sink: u16) -> Builder {
        Builder {
            sink,
            relay_domains: vec!["local.test".to_owned()],
            milters: Vec::new(),
            main_cf: String::new(),
        }
    }

    /// The loopback port of its SMTP server.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where its main.cf is, for `sendmail -C` and `postqueue -c`.
    pub(crate) fn config_dir(&self) -> PathBuf {
        self.dir.path().join("etc")
    }

    /// All that it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("maillog")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- Postfix log\n{}", self.log());
        }
        // `stop` does the same and then sleeps for a second.
        if let Err(trouble) = control(&self.config_dir(), "abort") {
            eprintln!("Postfix did not stop: {trouble}");
            return;
        }
        // master(8) holds a lock on this file for as long as it lives.
        let ended = fs::File::open(self.dir.path().join("queue/pid/master.pid")).and_then(|file| file.lock());
        if let Err(trouble) = ended {
            eprintln!("Postfix may still be running: {trouble}");
        }
    }
}

impl Builder {
    /// Adds a milter: `inet:127.0.0.1:PORT` or `unix:/absolute/path`. A milter that fails defers the mail.
    pub(crate) fn milter(mut self, address: &str) -> Self {
        self.milters.push(format!("{{ {address}, default_action=tempfail }}"));
        self
    }

    /// Relays one more domain to the sink.
    pub(crate) fn relay_domain(mut self, domain: &str) -> Self {
        self.relay_domains.push(domain.to_owned());
        self
    }

    /// Adds lines to main.cf; the last setting of a parameter wins.
    pub(crate) fn main_cf(mut self, lines: &str) -> Self {
        self.main_cf += lines;
        self.main_cf.push('\n');
        self
    }

    /// Starts the instance and returns when it listens.
    ///
    /// # Panics
    ///
    /// When Postfix does not start.
    pub(crate) fn start(self) -> Postfix {
        let dir = tempfile::Builder::new().prefix("lockdown-postfix.").tempdir().unwrap();
        let port = free_port();
        self.write(dir.path(), port);
        let instance = Postfix { dir, port };
        if let Err(trouble) = control(&instance.config_dir(), "start") {
            panic!("Postfix did not start: {trouble}");
        }
        instance
    }

    fn write(&self, dir: &Path, port: u16) {
        // Postfix serves as its own user and must be able to come this way.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["etc", "queue", "data"] {
            fs::create_dir(dir.join(name)).unwrap();
        }
        let owner =
            nix::unistd::User::from_name("postfix").unwrap().expect("Postfix has a user of this name");
        std::os::unix::fs::chown(dir.join("data"), Some(owner.uid.as_raw()), None).unwrap();
        fs::write(dir.join("etc/main.cf"), self.main(dir)).unwrap();
        fs::write(dir.join("etc/master.cf"), format!("127.0.0.1:{port} inet n - n - - smtpd\n{MASTER_CF}"))
            .unwrap();
    }

    fn main(&self, dir: &Path) -> String {
        let (dir, sink) = (dir.display(), self.sink);
        let mut main = format!(
            "compatibility_level = 3.6\n\
             queue_directory = {dir}/queue\n\
             data_directory = {dir}/data\n\
             maillog_file = {dir}/maillog\n\
             maillog_file_prefixes = {dir}\n\
             multi_instance_wrapper =\n\
             myhostname = {HOST_NAME}\n\
             mydestination =\n\
             inet_interfaces = 127.0.0.1\n\
             inet_protocols = ipv4\n\
             mynetworks = 127.0.0.0/8\n\
             relay_domains = {domains}\n\
             relay_recipient_maps = static:ok\n\
             relay_transport = smtp:[127.0.0.1]:{sink}\n\
             default_transport = smtp:[127.0.0.1]:{sink}\n\
             alias_maps =\n\
             local_recipient_maps =\n\
             smtpd_relay_restrictions = reject_unauth_destination\n\
             smtpd_authorized_xclient_hosts = 127.0.0.0/8\n\
             smtpd_milters = {milters}\n\
             milter_protocol = 6\n",
            domains = self.relay_domains.join(", "),
            milters = self.milters.join(", "),
        );
        // Headers as a foreign client's message has them: XCLIENT comes too late for Postfix to see that it is one.
        main += "local_header_rewrite_clients =\n";
        // Nothing asks the machine's DNS, and nothing slows down or throttles a test.
        main += "smtpd_peername_lookup = no\nsmtp_dns_support_level = disabled\nsmtp_host_lookup = native\n\
                 smtpd_error_sleep_time = 0\nsmtpd_soft_error_limit = 1000\nsmtpd_hard_error_limit = 1000\n\
                 smtpd_client_connection_count_limit = 0\nin_flow_delay = 0\n";
        writeln!(main, "{}", self.main_cf).expect("writing to a string");
        main
    }
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

/// Where programs are looked for. An ordinary login has no sbin on its path, but postfix(1) lives there.
fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from))
        .collect()
}

/// postfix(1), if it is installed.
fn program() -> Option<PathBuf> {
    search_path().into_iter().map(|directory| directory.join("postfix")).find(|program| program.is_file())
}

/// Runs a command of postfix(1) on the instance that `config_dir` describes.
fn control(config_dir: &Path, command: &str) -> Result<(), String> {
    let Output { status, stdout, stderr } = Command::new(program().ok_or("there is no postfix(1)")?)
        .arg("-c")
        .arg(config_dir)
        .arg(command)
        .env("PATH", std::env::join_paths(search_path()).expect("a path made of paths"))
        .output()
        .map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{status}: {}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}
