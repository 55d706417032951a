//! A private Postfix: its own configuration, queue and log in a temporary directory, listening on loopback ports.
//!
//! The machine's own instance is neither read nor touched. Clients on loopback may use XCLIENT, so a test can speak as
//! any client address; a message is relayed to the [`Sink`](crate::sink::Sink) of the test.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::host::{self, free_port};
use crate::mta::{HOST_NAME, Mta, Service};
use crate::smtp::Client;
use crate::tls::Authority;

/// Services that receive, queue and relay; nothing is chrooted, so absolute socket paths work.
const MASTER_CF: &str = "\
pickup   unix      n - n 60  1 pickup
cleanup  unix      n - n -   0 cleanup
qmgr     unix      n - n 300 1 qmgr
tlsmgr   unix      - - n 1000? 1 tlsmgr
rewrite  unix      - - n -   - trivial-rewrite
showq    unix      n - n -   - showq
proxymap unix      - - n -   - proxymap
bounce   unix      - - n -   0 bounce
defer    unix      - - n -   0 bounce
trace    unix      - - n -   0 bounce
smtp     unix      - - n -   - smtp
relay    unix      - - n -   - smtp
lmtp     unix      - - n -   - lmtp
error    unix      - - n -   - error
retry    unix      - - n -   - error
anvil    unix      - - n -   1 anvil
postlog  unix-dgram n - n -   1 postlogd
";

/// How often the queue is looked at before mail is said to stay in it.
const TRIES: u32 = 500;

/// A running instance, stopped when dropped. If the test is failing by then, its log is printed.
pub(crate) struct Postfix {
    dir: TempDir,
    port: u16,
    submission_port: u16,
    authority: Authority,
}

/// What an instance is to be.
pub(crate) struct Builder {
    dir: TempDir,
    sink: u16,
    relay_domains: Vec<String>,
    milters: Vec<String>,
    submission_milters: Vec<String>,
    virtual_aliases: String,
    main_cf: String,
    services: String,
    files: Vec<(String, String)>,
}

impl Postfix {
    /// Whether a private instance can be started here; if not, the calling test is [skipped](host::is_possible).
    pub(crate) fn is_available() -> bool {
        host::is_possible(host::require_root().and_then(|()| host::program("postfix").map(drop)))
    }

    /// An instance that relays mail for `local.test` to the SMTP server on loopback port `sink`.
    pub(crate) fn builder(sink: u16) -> Builder {
        Builder {
            dir: tempfile::Builder::new().prefix("lockdown-postfix.").tempdir().unwrap(),
            sink,
            relay_domains: vec!["local.test".to_owned()],
            milters: Vec::new(),
            submission_milters: Vec::new(),
            virtual_aliases: String::new(),
            main_cf: String::new(),
            services: String::new(),
            files: Vec::new(),
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

    /// One of its programs that takes `-c`.
    fn command(&self, program: &str) -> Result<Command, String> {
        let mut command = host::command(&host::program(program)?);
        command.arg("-c").arg(self.config_dir());
        Ok(command)
    }

    /// All that it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("maillog")).unwrap_or_default()
    }
}

impl Mta for Postfix {
    fn connect(&self, service: Service, attributes: &str) -> Client {
        let port = match service {
            Service::Exchange => self.port,
            Service::Submission => self.submission_port,
        };
        Client::connect_as(port, attributes)
    }

    fn authority(&self) -> &Authority {
        &self.authority
    }

    fn submit(&self, arguments: &str, message: &str) {
        let mut sendmail = host::command(&host::program("sendmail").unwrap());
        sendmail.arg("-C").arg(self.config_dir()).arg("-i").args(arguments.split(' '));
        host::feed(&mut sendmail, message);
    }

    /// Looks at the queue until it is empty twice: one look is not one moment, and mail moves.
    fn wait_until_idle(&self) {
        let (mut queue, mut empty) = (String::new(), 0);
        for _ in 0..TRIES {
            let look = self.command("postqueue").unwrap().arg("-j").output().unwrap();
            queue = String::from_utf8_lossy(&look.stdout).into_owned();
            empty = if queue.is_empty() { empty + 1 } else { 0 };
            if empty == 2 {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("mail stays in the queue: {queue}");
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

    /// Adds a milter to the submission service.
    pub(crate) fn submission_milter(mut self, address: &str) -> Self {
        self.submission_milters.push(format!("{{ {address}, default_action=tempfail }}"));
        self
    }

    /// Adds a milter for what does not come by SMTP: sendmail(1) and, with it, bounces. A milter that fails changes
    /// nothing there, as [the manual](https://www.postfix.org/MILTER_README.html) wants it.
    pub(crate) fn local_milter(self, address: &str) -> Self {
        self.main_cf(&format!(
            "non_smtpd_milters = {{ {address}, default_action=accept }}\ninternal_mail_filter_classes = bounce"
        ))
    }

    /// Adds an SMTP server on this loopback port for programs of the host, with a milter of its own.
    pub(crate) fn own_programs(mut self, port: u16, milter: &str) -> Self {
        writeln!(
            self.services,
            "127.0.0.1:{port} inet n - n - - smtpd\n  -o smtpd_relay_restrictions=permit_mynetworks,reject\n  \
             -o {{ smtpd_milters = {{ {milter}, default_action=accept }} }}"
        )
        .expect("writing to a string");
        self
    }

    /// Adds an SMTP server on this loopback port for mail that comes back from a content filter.
    pub(crate) fn behind_a_filter(mut self, port: u16) -> Self {
        writeln!(
            self.services,
            "127.0.0.1:{port} inet n - n - - smtpd\n  -o content_filter=\n  -o smtpd_milters=\n  \
             -o smtpd_relay_restrictions=permit_mynetworks,reject\n  -o receive_override_options=no_milters"
        )
        .expect("writing to a string");
        self
    }

    /// Adds an SMTP server on this loopback port that is like that of mail exchange, and asks no milter.
    pub(crate) fn unguarded(mut self, port: u16) -> Self {
        writeln!(self.services, "127.0.0.1:{port} inet n - n - - smtpd\n  -o smtpd_milters=")
            .expect("writing to a string");
        self
    }

    /// Asks the next hop itself whether a recipient exists before it takes mail for one, and waits for that.
    pub(crate) fn verifies_recipients(mut self) -> Self {
        self.services += "verify unix - - n - 1 verify\n";
        self.main_cf(
            "smtpd_recipient_restrictions = reject_unverified_recipient\naddress_verify_poll_delay = 1s\n\
             address_verify_map =",
        )
    }

    /// Delivers what comes for these domains by LMTP to this Unix socket.
    pub(crate) fn mailboxes(self, domains: &[&str], lmtp: &Path) -> Self {
        self.main_cf(&format!(
            "virtual_mailbox_domains = {}\nvirtual_mailbox_maps = static:ok\nvirtual_transport = lmtp:unix:{}",
            domains.join(", "),
            lmtp.display()
        ))
    }

    /// Where its main.cf will be, for `sendmail -C` and `postqueue -c`.
    pub(crate) fn config_dir(&self) -> PathBuf {
        self.dir.path().join("etc")
    }

    /// Relays one more domain to the sink.
    pub(crate) fn relay_domain(mut self, domain: &str) -> Self {
        self.relay_domains.push(domain.to_owned());
        self
    }

    /// Delivers what comes for `address` to `target`.
    pub(crate) fn virtual_alias(mut self, address: &str, target: &str) -> Self {
        writeln!(self.virtual_aliases, "{address} {target}").expect("writing to a string");
        self
    }

    /// Lets clients log in, by a Dovecot SASL server on this Unix socket.
    pub(crate) fn sasl(self, socket: &Path) -> Self {
        self.main_cf(&format!(
            "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = {}",
            socket.display()
        ))
    }

    /// Puts a file beside main.cf. `DIR` in both stands for where that is.
    pub(crate) fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
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
        let (port, submission_port) = (free_port(), free_port());
        let authority = Authority::new();
        self.write(self.dir.path(), port, submission_port, &authority);
        let instance = Postfix { dir: self.dir, port, submission_port, authority };
        if let Err(trouble) = control(&instance.config_dir(), "start") {
            panic!("Postfix did not start: {trouble}");
        }
        instance
    }

    fn write(&self, dir: &Path, port: u16, submission_port: u16, authority: &Authority) {
        // Postfix serves as its own user and must be able to come this way.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        let etc = dir.join("etc");
        for directory in [&etc, &dir.join("queue"), &dir.join("data")] {
            fs::create_dir(directory).unwrap();
        }
        let owner =
            nix::unistd::User::from_name("postfix").unwrap().expect("Postfix has a user of this name");
        std::os::unix::fs::chown(dir.join("data"), Some(owner.uid.as_raw()), None).unwrap();
        fs::write(etc.join("virtual"), &self.virtual_aliases).unwrap();
        let fill = |text: &str| text.replace("DIR", etc.to_str().unwrap());
        for (name, text) in &self.files {
            fs::write(etc.join(name), fill(text)).unwrap();
        }
        let tls = authority.certify_server(&etc);
        let main = format!(
            "{}smtpd_tls_security_level = may\nsmtpd_tls_ask_ccert = yes\n\
             smtpd_tls_cert_file = {}\nsmtpd_tls_key_file = {}\nsmtpd_tls_CAfile = {}\n",
            self.main(dir),
            tls.certificate.display(),
            tls.key.display(),
            tls.authority.display(),
        );
        fs::write(etc.join("main.cf"), fill(&main)).unwrap();
        let services = format!(
            "127.0.0.1:{port} inet n - n - - smtpd\n\
             127.0.0.1:{submission_port} inet n - n - - smtpd\n\
             \x20 -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n\
             \x20 -o {{ smtpd_milters = {milters} }}\n",
            milters = self.submission_milters.join(", "),
        );
        fs::write(etc.join("master.cf"), services + &self.services + MASTER_CF).unwrap();
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
             virtual_alias_maps = texthash:{dir}/etc/virtual\n\
             local_recipient_maps =\n\
             smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination\n\
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
        // Every process warns of a parameter that is set twice, postlogd(8) too, which waits for itself when these are many.
        let name = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
        let own: Vec<String> = self.main_cf.lines().map(name).collect();
        let kept: Vec<&str> = main.lines().filter(|line| !own.contains(&name(line))).collect();
        format!("{}\n{}\n", kept.join("\n"), self.main_cf)
    }
}

/// Runs a command of postfix(1) on the instance that `config_dir` describes.
fn control(config_dir: &Path, action: &str) -> Result<(), String> {
    host::run(host::command(&host::program("postfix")?).arg("-c").arg(config_dir).arg(action))
}
