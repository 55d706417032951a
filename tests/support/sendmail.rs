//! A private Sendmail: its own configuration, tables, queue and logins in a temporary directory, in an
//! [isolated](crate::network::isolated) network.
//!
//! Debian's packages of Sendmail and of Postfix exclude each other, so they are unpacked beside the test's other output
//! and never installed. Clients connect from the address that they are to have; every message that leaves goes to the
//! [`Sink`](crate::sink::Sink) of the test.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

#[path = "unpacked.rs"]
mod unpacked;

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::host;
use crate::mta::{HOST_NAME, Mta, PASSWORD, Service};
use crate::network;
use crate::smtp::Client;
use crate::tls::{Authority, ServerFiles};

/// The ports of mail exchange and submission, on 127.0.0.1 and `::1` of the isolated network.
const PORT: u16 = 25;
const SUBMISSION_PORT: u16 = 587;

/// Where programs find sendmail(1).
const SENDMAIL: &str = "/usr/sbin/sendmail";

/// Whom Sendmail runs programs as.
const NOBODY: u32 = 65534;

/// How often a test looks whether the server listens, and whether its queues are empty: for 20 s in all. Both take a
/// moment, but machines that run many tests at once are slow.
const TRIES: u32 = 1000;
const PAUSE: Duration = Duration::from_millis(20);

/// A running instance, stopped when dropped. If the test is failing by then, its sessions are printed.
pub(crate) struct Sendmail {
    dir: TempDir,
    child: Option<Child>,
    authority: Authority,
}

/// What an instance is to be.
pub(crate) struct Builder {
    sink: u16,
    milter: u16,
    submission_milter: u16,
    logins: Vec<String>,
    relay_domains: Vec<String>,
    local_domains: Vec<String>,
    virtual_users: String,
    aliases: String,
    away: Vec<String>,
    submission_modifiers: &'static str,
}

impl Sendmail {
    /// Whether one can be started here; if not, the calling test is [skipped](host::is_possible).
    ///
    /// To be asked outside the isolated network, as the packages may have to be downloaded.
    pub(crate) fn is_available() -> bool {
        host::is_possible(network::is_possible().and_then(|()| unpacked::unpacked().map(drop)))
    }

    /// An instance whose services ask the milters on these loopback ports (mail exchange, submission), and whose next
    /// hop is the SMTP server on loopback port `sink`.
    pub(crate) fn builder(sink: u16, milter: u16, submission_milter: u16) -> Builder {
        Builder {
            sink,
            milter,
            submission_milter,
            logins: Vec::new(),
            relay_domains: Vec::new(),
            local_domains: Vec::new(),
            virtual_users: String::new(),
            aliases: String::new(),
            away: Vec::new(),
            submission_modifiers: "a",
        }
    }

    /// Whether its programs can send mail; if not, the calling test is [skipped](host::is_possible).
    pub(crate) fn is_available_with_programs() -> bool {
        let missing = format!("{SENDMAIL} is not there to be replaced");
        host::is_possible(Path::new(SENDMAIL).exists().then_some(()).ok_or(missing)) && Self::is_available()
    }

    /// What was said in every session so far.
    pub(crate) fn transcript(&self) -> String {
        fs::read(self.path("transcript"))
            .map(|octets| String::from_utf8_lossy(&octets).into_owned())
            .unwrap_or_default()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Mta for Sendmail {
    /// The attribute `ADDR` is the address from which the connection comes; the others cannot be had here.
    fn connect(&self, service: Service, attributes: &str) -> Client {
        let address = attributes.split_whitespace().find_map(|attribute| attribute.strip_prefix("ADDR="));
        let source: IpAddr = address.expect("a client has an address").parse().unwrap();
        let server =
            if source.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { IpAddr::from(Ipv6Addr::LOCALHOST) };
        let port = match service {
            Service::Exchange => PORT,
            Service::Submission => SUBMISSION_PORT,
        };
        Client::connect_from(source, (server, port).into())
    }

    fn authority(&self) -> &Authority {
        &self.authority
    }

    fn submit(&self, arguments: &str, message: &str) {
        let mut sendmail = host::command(Path::new(SENDMAIL));
        host::feed(sendmail.arg("-i").args(arguments.split(' ')), message);
    }

    /// Looks at the queues until they are empty twice: one look is not one moment, and mail moves.
    fn wait_until_idle(&self) {
        let (mut queued, mut empty) = (Vec::new(), 0);
        for _ in 0..TRIES {
            queued = ["client", "queue"].iter().flat_map(|queue| files_in(&self.path(queue))).collect();
            empty = if queued.is_empty() { empty + 1 } else { 0 };
            if empty == 2 {
                return;
            }
            thread::sleep(PAUSE);
        }
        panic!("mail stays in the queue: {queued:?}");
    }
}

impl Drop for Sendmail {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It has no more to lose than the temporary directory, and its sessions end with their clients.
            if let Err(trouble) = child.kill().and_then(|()| child.wait()) {
                eprintln!("Sendmail did not stop: {trouble}");
            }
        }
        if thread::panicking() {
            let errors = fs::read_to_string(self.path("errors")).unwrap_or_default();
            eprintln!("--- Sendmail's standard error\n{errors}--- Sendmail sessions\n{}", self.transcript());
        }
    }
}

impl Builder {
    /// Lets these clients log in; a login has a domain.
    pub(crate) fn logins(mut self, logins: &[&str]) -> Self {
        self.logins.extend(logins.iter().map(|&login| login.to_owned()));
        self
    }

    /// Takes mail for submission from those who have not logged in, too.
    pub(crate) fn exempt_submission(self) -> Self {
        Self { submission_modifiers: "", ..self }
    }

    /// Relays a domain to the sink.
    pub(crate) fn relay_domain(mut self, domain: &str) -> Self {
        self.relay_domains.push(domain.to_owned());
        self
    }

    /// Makes a domain one of the host's own names: its recipients are [aliases](Self::alias).
    pub(crate) fn local_domain(mut self, domain: &str) -> Self {
        self.local_domains.push(domain.to_owned());
        self
    }

    /// Delivers what comes for `address`, in a domain that is relayed, to `target` (virtusertable).
    pub(crate) fn virtual_user(mut self, address: &str, target: &str) -> Self {
        writeln!(self.virtual_users, "{address}\t{target}").expect("writing to a string");
        self
    }

    /// Delivers what comes for `name`, in a domain that is local, to `target` (aliases).
    pub(crate) fn alias(mut self, name: &str, target: &str) -> Self {
        writeln!(self.aliases, "{name}: {target}").expect("writing to a string");
        self
    }

    /// Lets vacation(1) answer what comes for `name`, in a domain that is local, from `address`.
    ///
    /// It sends by sendmail(1), which is the mail submission program of this instance then, for the test and its
    /// programs: they are in an isolated network.
    pub(crate) fn away(mut self, name: &str, address: &str) -> Self {
        self.away.push(address.to_owned());
        let vacation = root().join("usr/libexec/sendmail/vacation.sendmail");
        let program =
            format!("{} -U -z -f DIR/away/{address} -m DIR/away/{address}.msg {name}", vacation.display());
        self.alias(name, &format!("\"|{program}\""))
    }

    /// Starts the instance and returns when it listens.
    ///
    /// # Panics
    ///
    /// When Sendmail does not start.
    pub(crate) fn start(self) -> Sendmail {
        let dir = tempfile::Builder::new().prefix("lockdown-sendmail.").tempdir().unwrap();
        let mut server = Sendmail { dir, child: None, authority: Authority::new() };
        self.write(&server);
        let child = program("usr/libexec/sendmail/sendmail")
            .args(["-bD", "-C"])
            .arg(server.path("sendmail.cf"))
            .arg("-X")
            .arg(server.path("transcript"))
            .stdin(Stdio::null())
            // It warns that others may write to the folder of all temporary files.
            .stderr(fs::File::create(server.path("errors")).unwrap())
            .spawn()
            .unwrap();
        server.child = Some(child);
        for port in [PORT, SUBMISSION_PORT] {
            wait_for((Ipv4Addr::LOCALHOST.into(), port));
            wait_for((Ipv6Addr::LOCALHOST.into(), port));
        }
        server
    }

    fn write(&self, server: &Sendmail) {
        for directory in ["queue", "client", "sasl", "tls", "away"] {
            fs::create_dir(server.path(directory)).unwrap();
        }
        let tls = server.authority.certify_server(&server.path("tls"));
        let macros = self.macros(server.dir.path(), &tls);
        fs::write(server.path("sendmail.cf"), expand(&macros)).unwrap();
        fs::write(server.path("service.switch"), "hosts files\naliases files\n").unwrap();

        let password_file = server.path("sasldb2");
        let sasl = format!(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\nsasldb_path: {}\n",
            password_file.display()
        );
        fs::write(server.path("sasl/Sendmail.conf"), sasl).unwrap();
        for login in &self.logins {
            let (name, realm) = login.split_once('@').expect("a login has a domain");
            let mut command = program("usr/sbin/saslpasswd2");
            command.args(["-p", "-c", "-u", realm, "-f"]).arg(&password_file).arg(name);
            host::feed(&mut command, PASSWORD);
        }

        let configuration = server.path("sendmail.cf");
        let mut makemap = program("usr/libexec/sendmail/makemap");
        makemap.arg("-C").arg(&configuration).arg("hash").arg(server.path("virtusertable"));
        host::feed(&mut makemap, &self.virtual_users);
        let dir = server.dir.path().to_str().unwrap();
        fs::write(server.path("aliases"), self.aliases.replace("DIR", dir)).unwrap();
        let mut new_aliases = program("usr/libexec/sendmail/sendmail");
        host::run(new_aliases.arg("-C").arg(&configuration).arg("-bi")).unwrap();
        if !self.away.is_empty() {
            self.write_programs(server);
        }
    }

    /// What vacation(1) needs, and sendmail(1) as it finds it.
    fn write_programs(&self, server: &Sendmail) {
        let own = |path: &Path| std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        fs::set_permissions(server.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        own(&server.path("client"));
        fs::set_permissions(server.path("client"), fs::Permissions::from_mode(0o770)).unwrap();
        for address in &self.away {
            let message = format!("From: <{address}>\nSubject: away\n\nI am away.\n");
            fs::write(server.path(&format!("away/{address}.msg")), message).unwrap();
            let database = server.path(&format!("away/{address}"));
            let mut vacation = program("usr/libexec/sendmail/vacation.sendmail");
            host::run(vacation.args(["-U", "-i", "-f"]).arg(&database).arg("-m").arg("/dev/null").arg("x"))
                .unwrap();
        }
        for file in fs::read_dir(server.path("away")).unwrap() {
            own(&file.unwrap().path());
        }
        own(&server.path("away"));
        let submission = server.path("submit.cf");
        fs::write(&submission, expand(&submission_macros(server.dir.path()))).unwrap();
        let wrapper = server.path("sendmail");
        let sendmail = root().join("usr/libexec/sendmail/sendmail");
        fs::write(
            &wrapper,
            format!("#!/bin/sh\nexec {} -C {} \"$@\"\n", sendmail.display(), submission.display()),
        )
        .unwrap();
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
        let mount = host::program("mount").unwrap();
        host::run(host::command(&mount).arg("--bind").arg(wrapper).arg(SENDMAIL)).unwrap();
    }

    /// The configuration as an administrator writes it, for m4(1).
    fn macros(&self, dir: &Path, tls: &ServerFiles) -> String {
        let (dir, sink) = (dir.display(), self.sink);
        let mut macros = format!(
            "OSTYPE(`linux')dnl
define(`confDOMAIN_NAME',`{HOST_NAME}')dnl
define(`confPID_FILE',`{dir}/pid')dnl
define(`STATUS_FILE',`{dir}/statistics')dnl
define(`HELP_FILE',`{dir}/helpfile')dnl
define(`QUEUE_DIR',`{dir}/queue')dnl
define(`ALIAS_FILE',`{dir}/aliases')dnl
define(`confSERVICE_SWITCH_FILE',`{dir}/service.switch')dnl
define(`confTRUSTED_USER',`root')dnl
define(`confDEF_USER_ID',`65534:65534')dnl
define(`confDONT_BLAME_SENDMAIL',`TrustStickyBit')dnl
define(`confTO_IDENT',`0')dnl
define(`confAUTH_MECHANISMS',`PLAIN LOGIN')dnl
TRUST_AUTH_MECH(`PLAIN LOGIN')dnl
define(`confCACERT_PATH',`{dir}/tls')dnl
define(`confCACERT',`{authority}')dnl
define(`confSERVER_CERT',`{certificate}')dnl
define(`confSERVER_KEY',`{key}')dnl
define(`SMART_HOST',`relay:[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS',`TCP $h {sink}')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`nocanonify')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`virtusertable',`hash {dir}/virtusertable')dnl
",
            authority = tls.authority.display(),
            certificate = tls.certificate.display(),
            key = tls.key.display(),
        );
        macros += &load_limits();
        for domain in &self.relay_domains {
            writeln!(macros, "RELAY_DOMAIN(`{domain}')dnl\nVIRTUSER_DOMAIN(`{domain}')dnl")
                .expect("writing to a string");
        }
        let services = [
            ("exchange", self.milter, PORT, ""),
            ("submission", self.submission_milter, SUBMISSION_PORT, self.submission_modifiers),
        ];
        for (name, milter, port, modifiers) in services {
            writeln!(
                macros,
                "MAIL_FILTER(`{name}',`S=inet:{milter}@127.0.0.1, F=T, T=S:10s;R:30s;E:1m')dnl
DAEMON_OPTIONS(`Name={name}, Port={port}, Addr=127.0.0.1, InputMailFilters={name}, M=E{modifiers}')dnl
DAEMON_OPTIONS(`Name={name}6, Port={port}, Addr=::1, Family=inet6, InputMailFilters={name}, M=E{modifiers}')dnl"
            )
            .expect("writing to a string");
        }
        // Dj answers what the resolver cannot in an isolated network; E sets a variable of the environment.
        let own_names = self.local_domains.join(" ");
        macros
            + &format!(
                "MAILER(`local')dnl\nMAILER(`smtp')dnl\nLOCAL_CONFIG\n\
                 Dj{HOST_NAME}\nCw{HOST_NAME} {own_names}\nESASL_CONF_PATH={dir}/sasl\n"
            )
    }
}

/// The mail submission program: it gives what it gets to the server on this host, by SMTP.
fn submission_macros(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "define(`confCF_VERSION',`Submit')dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME',`{HOST_NAME}')dnl
define(`confPID_FILE',`{dir}/client.pid')dnl
define(`confRUN_AS_USER',`nobody:nogroup')dnl
define(`MSP_QUEUE_DIR',`{dir}/client')dnl
define(`STATUS_FILE',`')dnl
define(`confSERVICE_SWITCH_FILE',`{dir}/service.switch')dnl
define(`confTRUSTED_USER',`root')dnl
define(`confDONT_BLAME_SENDMAIL',`TrustStickyBit')dnl
{limits}FEATURE(`msp',`[127.0.0.1]')dnl
LOCAL_CONFIG
Dj{HOST_NAME}
",
        limits = load_limits()
    )
}

/// A busy test machine is no reason to refuse a connection, nor to leave a message in a queue that nobody runs.
fn load_limits() -> String {
    let limits = ["confQUEUE_LA", "confREFUSE_LA", "confDELAY_LA"];
    limits.map(|limit| format!("define(`{limit}',`1000')dnl\n")).concat()
}

/// The names of the files in a folder.
fn files_in(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
    files.map(|name| name.to_string_lossy().into_owned()).collect()
}

/// sendmail.cf for these macros.
fn expand(macros: &str) -> String {
    let macro_files = root().join("usr/share/sendmail/cf");
    let mut m4 = program("usr/bin/m4");
    m4.arg(format!("-D_CF_DIR_={}/", macro_files.display())).arg(macro_files.join("m4/cf.m4")).arg("-");
    host::feed(&mut m4, macros)
}

/// Sendmail has no way to say that it listens, so it is asked.
fn wait_for(server: (IpAddr, u16)) {
    for _ in 0..TRIES {
        if TcpStream::connect(server).is_ok() {
            return;
        }
        thread::sleep(PAUSE);
    }
    panic!("Sendmail does not listen on {server:?}");
}

/// A program of the unpacked packages.
fn program(path: &str) -> Command {
    host::command(&root().join(path))
}

/// Where the packages were unpacked.
fn root() -> &'static Path {
    unpacked::unpacked().expect("a test asks first whether Sendmail is available")
}
