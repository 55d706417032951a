//! The daemon under test: the real program as a child process, with its configuration in a directory of its own.
//!
//! It is ready when it says so as it would to systemd (`READY=1`), and it is stopped by SIGTERM.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

#[path = "program.rs"]
pub(crate) mod program;

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Gives a program a time of day of its own.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// How long the daemon may take to start, and a line of its log to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the daemon is started, where that is not the usual way.
#[derive(Default)]
pub(crate) struct Launch {
    /// With a time of day that [`Daemon::shift_clock`] moves.
    pub(crate) clock: bool,
    /// Commands in front of it, which end by executing it; `{dir}` is its directory.
    pub(crate) wrapper: Vec<String>,
    /// Unix sockets in its directory that are made for it as systemd would, and outlive it.
    pub(crate) sockets: Vec<&'static str>,
    /// Loopback ports that are listened on for it likewise.
    pub(crate) ports: Vec<u16>,
    /// Its standard error; none: the lines that the test reads.
    pub(crate) stderr: Option<OwnedFd>,
}

/// A running daemon. If the test is failing when it is dropped, everything that it wrote is printed.
pub(crate) struct Daemon {
    child: Child,
    dir: TempDir,
    launch: Launch,
    /// What it was started with as systemd would.
    handed: Vec<OwnedFd>,
    notify: UnixDatagram,
    /// Lines as they come, without those that were taken.
    lines: Receiver<String>,
    /// Every line since the start, for the reader of a failing test.
    written: Arc<Mutex<String>>,
}

impl Daemon {
    /// Starts the daemon with this configuration, in which `{dir}` stands for a directory for its sockets and files.
    ///
    /// # Panics
    ///
    /// When it does not become ready.
    pub(crate) fn start(config: &str) -> Self {
        Self::launch(config, Launch::default())
    }

    /// The same with a time of day that [`Self::shift_clock`] moves.
    pub(crate) fn start_with_clock(config: &str) -> Self {
        Self::launch(config, Launch { clock: true, ..Launch::default() })
    }

    /// Whether there can be a clock that moves; says so where there is none.
    pub(crate) fn has_clock() -> bool {
        let there = Path::new(FAKETIME).exists();
        if !there {
            eprintln!("SKIPPED: there is no libfaketime (package libfaketime)");
        }
        there
    }

    /// Moves the daemon's time of day, and nothing else of its time, by this much from the true one: `+11m`, `+3d`.
    pub(crate) fn shift_clock(&self, by: &str) {
        // In one step, as the daemon reads the file at any time.
        fs::write(self.path("clock.new"), by).unwrap();
        fs::rename(self.path("clock.new"), self.path("clock")).unwrap();
    }

    /// The same in another way.
    pub(crate) fn launch(config: &str, launch: Launch) -> Self {
        let dir = tempfile::Builder::new().prefix("lockdown-daemon.").tempdir().unwrap();
        // The MTA connects to a socket in here as a user of its own.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let notify = UnixDatagram::bind(dir.path().join("notify.sock")).unwrap();
        notify.set_read_timeout(Some(PATIENCE)).unwrap();
        // What one daemon learns is none of another one's business.
        let ledger = "ledger: { path: '{dir}/ledger.redb' }\n";
        let config =
            if config.contains("ledger:") { config.to_owned() } else { format!("{config}\n{ledger}") };
        let config = config.replace("{dir}", &dir.path().display().to_string());
        fs::write(dir.path().join("config.yaml"), config).unwrap();
        if launch.clock {
            fs::write(dir.path().join("clock"), "+0").unwrap();
        }
        let mut handed = Vec::new();
        for name in &launch.sockets {
            let path = dir.path().join(name);
            handed.push(OwnedFd::from(UnixListener::bind(&path).unwrap()));
            fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
        }
        for port in &launch.ports {
            handed.push(OwnedFd::from(TcpListener::bind(("127.0.0.1", *port)).unwrap()));
        }
        let written = Arc::new(Mutex::new(String::new()));
        let (child, lines) = spawn(dir.path(), &launch, &handed, &written);
        let daemon = Self { child, dir, launch, handed, notify, lines, written };
        daemon.wait_until_ready();
        daemon
    }

    /// Ends the daemon as systemd would, and starts the next one with the same configuration and sockets.
    pub(crate) fn restart(&mut self) {
        self.end();
        self.begin();
    }

    /// The first half of a restart.
    pub(crate) fn end(&mut self) {
        self.signal(Signal::SIGTERM);
        self.child.wait().unwrap();
        // The notices of the old one are not those of the new one.
        while self.next_notice() != "ENDED" {}
    }

    /// The second half of a restart.
    pub(crate) fn begin(&mut self) {
        (self.child, self.lines) = spawn(self.dir.path(), &self.launch, &self.handed, &self.written);
        self.wait_until_ready();
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that all of them have written so far.
    pub(crate) fn written(&self) -> String {
        self.written.lock().unwrap().clone()
    }

    /// The path of a file in the daemon's directory, `{dir}` in its configuration.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The configuration file.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.path("config.yaml")
    }

    /// Sends a signal to the daemon.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("process ids are positive"));
        kill(pid, signal).unwrap();
    }

    /// The next line of the decision log.
    ///
    /// # Panics
    ///
    /// When none comes in time.
    pub(crate) fn next_decision(&self) -> LogLine {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("the daemon logs a decision");
            if let Some(line) = LogLine::parse(&line) {
                return line;
            }
        }
    }

    /// Waits for a line that holds all these texts. Returns the lines up to it.
    ///
    /// # Panics
    ///
    /// When none comes in time.
    pub(crate) fn wait_for(&self, texts: &[&str]) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("a line with {texts:?}"));
            let is_it = texts.iter().all(|text| line.contains(text));
            lines.push(line);
            if is_it {
                return lines;
            }
        }
    }

    /// Puts another configuration into force, and waits until it is. Returns what was logged until then.
    ///
    /// # Panics
    ///
    /// When it has errors.
    pub(crate) fn reload(&self, config: &str) -> Vec<String> {
        let text = config.replace("{dir}", &self.dir.path().display().to_string());
        fs::write(self.config_file(), text).unwrap();
        self.signal(Signal::SIGHUP);
        self.wait_for(&["the new configuration is in force"])
    }

    /// All decisions that were logged since the start, or since they were last passed over.
    pub(crate) fn decisions(&self) -> Vec<LogLine> {
        self.written.lock().unwrap().lines().filter_map(LogLine::parse).collect()
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Passes over everything that it has said so far.
    pub(crate) fn forget(&self) {
        while self.lines.try_recv().is_ok() {}
        if let Ok(mut written) = self.written.lock() {
            written.clear();
        }
    }

    /// Stops the daemon and returns the lines of the decision log that were not taken.
    pub(crate) fn stop(mut self) -> Vec<LogLine> {
        self.terminate();
        // The channel ends with the daemon's standard error, so nothing written before its end is missed.
        self.lines.iter().filter_map(|line| LogLine::parse(&line)).collect()
    }

    fn terminate(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::SIGTERM);
            self.child.wait().unwrap();
        }
    }

    /// Waits until it tells systemd that it is ready: after the start, and after each reload, in force or not.
    pub(crate) fn wait_until_ready(&self) {
        loop {
            let state = self.next_notice();
            assert_ne!(state, "ENDED", "the daemon ends before it is ready");
            if state.lines().any(|line| line == "READY=1") {
                return;
            }
        }
    }

    fn next_notice(&self) -> String {
        let mut state = [0; 4096];
        let length = self.notify.recv(&mut state).expect("the daemon reports what it is doing");
        String::from_utf8_lossy(&state[..length]).into_owned()
    }
}

/// Starts the program; what it writes comes line by line, and into `written`.
fn spawn(
    dir: &Path,
    launch: &Launch,
    handed: &[OwnedFd],
    written: &Arc<Mutex<String>>,
) -> (Child, Receiver<String>) {
    let place = dir.display().to_string();
    let mut words: Vec<String> = launch.wrapper.iter().map(|word| word.replace("{dir}", &place)).collect();
    if !handed.is_empty() {
        // Descriptors are passed as standard streams, and put where systemd has them: from 3 on.
        assert!(handed.len() <= 2, "standard input and output are two");
        let place = format!(
            "exec 3<&0 {} </dev/null >/dev/null; LISTEN_PID=$$ LISTEN_FDS={} exec \"$@\"",
            if handed.len() == 2 { "4<&1" } else { "" },
            handed.len()
        );
        words.extend(["sh", "-c", &place, "sh"].map(str::to_owned));
    }
    words.push(program::PROGRAM.to_owned());
    let mut command = Command::new(&words[0]);
    program::on_our_host(&mut command);
    if launch.clock {
        command
            .env("LD_PRELOAD", FAKETIME)
            .env("FAKETIME_TIMESTAMP_FILE", dir.join("clock"))
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
    let stream = |index: usize| {
        handed.get(index).map_or_else(Stdio::null, |socket| socket.try_clone().unwrap().into())
    };
    let socket_of_notices = dir.join("notify.sock");
    let mut child = command
        .args(&words[1..])
        .args(["run", "--config"])
        .arg(dir.join("config.yaml"))
        .env("NOTIFY_SOCKET", &socket_of_notices)
        .stdin(stream(0))
        .stdout(stream(1))
        .stderr(launch.stderr.as_ref().map_or_else(Stdio::piped, |stream| stream.try_clone().unwrap().into()))
        .spawn()
        .unwrap();
    let (sender, lines) = mpsc::channel();
    let Some(stderr) = child.stderr.take().map(BufReader::new) else { return (child, lines) };
    let all = Arc::clone(written);
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            let mut all = all.lock().unwrap();
            all.push_str(&line);
            all.push('\n');
            // A test that has ended reads no more lines, but the daemon must not meet a full pipe.
            drop(sender.send(line));
        }
        // The daemon has ended. If it never became ready, nobody should go on waiting for that.
        drop(UnixDatagram::unbound().and_then(|socket| socket.send_to(b"ENDED", socket_of_notices)));
    });
    (child, lines)
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.terminate();
        if std::thread::panicking() {
            let written = self.written.lock().map(|written| written.clone()).unwrap_or_default();
            eprintln!("--- the daemon's standard error\n{written}");
        }
    }
}

/// Runs a command of the program to its end: `check`, `explain` and the like.
pub(crate) fn run(arguments: &[&str], config_file: &Path) -> Output {
    program::lockdown_milter().args(arguments).arg("--config").arg(config_file).output().unwrap()
}

/// A line of the decision log (logfmt).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    text: String,
    fields: Vec<(String, String)>,
}

impl LogLine {
    /// Reads a line; `None` for what is not a decision: it has no field `event`.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut fields = Vec::new();
        let mut rest = line.trim();
        while !rest.is_empty() {
            let (key, value) = rest.split_once('=').filter(|(key, _)| !key.contains([' ', '"']))?;
            let (value, after) = if let Some(quoted) = value.strip_prefix('"') {
                unquote(quoted)?
            } else {
                let end = value.find(' ').unwrap_or(value.len());
                (value[..end].to_owned(), &value[end..])
            };
            fields.push((key.to_owned(), value));
            rest = after.trim_start();
        }
        let line = Self { text: line.to_owned(), fields };
        line.field("event").is_some().then_some(line)
    }

    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The value up to the closing quotation mark, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}
