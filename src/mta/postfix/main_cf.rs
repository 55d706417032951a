//! The parameters of a Postfix instance, as its own postconf(1) says them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use super::master_cf::{MasterCf, Service};
use crate::clients::files::problem::{Problem, quoted};

/// How long postconf(1) may take. It reads two files.
const TIME: Duration = Duration::from_secs(10);

/// Parameters with their values, `$name` expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MainCf {
    values: HashMap<String, String>,
    file: PathBuf,
    /// Where main.cf is; none for Postfix's own default.
    config_dir: Option<PathBuf>,
    /// The services of master.cf, once they were asked for.
    services: OnceLock<Vec<Service>>,
}

/// Parameters that say what the names of tables mean, and are always asked for.
const ALWAYS: [&str; 3] = ["alias_database", "alias_maps", "queue_directory"];

impl MainCf {
    /// Asks for the parameters of these names; of the instance in `config_dir`, or of the machine's default.
    ///
    /// # Errors
    ///
    /// Where postconf(1) cannot be run, fails, takes longer than 10 s, or does not know a name.
    pub async fn read(config_dir: Option<&Path>, names: &[&str]) -> Result<Self, Problem> {
        let config_dir = config_dir.map(Path::to_owned);
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let read = tokio::task::spawn_blocking(move || {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            Self::read_now(config_dir.as_deref(), &names)
        });
        read.await.unwrap_or_else(|error| Err(Problem::new(format!("postconf cannot be run: {error}"))))
    }

    /// The same for those who have nothing to do meanwhile.
    ///
    /// # Errors
    ///
    /// Where postconf(1) cannot be run, fails, takes longer than 10 s, or does not know a name.
    pub fn read_now(config_dir: Option<&Path>, names: &[&str]) -> Result<Self, Problem> {
        let names = [names, &ALWAYS].concat();
        let read = Self::parsed(config_dir, &postconf(config_dir, &[&["-x"], names.as_slice()].concat())?);
        match names.iter().find(|name| !read.has(name)) {
            Some(name) => {
                let problem = Problem::new(format!("this Postfix has no parameter {}", quoted(name)));
                Err(problem.in_file(&read.file))
            }
            None => Ok(read),
        }
    }

    /// Every parameter that the instance has, those that are set nowhere included.
    ///
    /// # Errors
    ///
    /// Where postconf(1) cannot be run, fails, or takes longer than 10 s.
    pub fn read_all(config_dir: Option<&Path>) -> Result<Self, Problem> {
        Ok(Self::parsed(config_dir, &postconf(config_dir, &["-x"])?))
    }

    /// What a host says that has no Postfix.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn absent(_: Option<&Path>, _: &[&str]) -> Result<Self, Problem> {
        Err(no_postconf())
    }

    fn parsed(config_dir: Option<&Path>, answer: &str) -> Self {
        Self {
            values: parse(answer),
            file: file(config_dir),
            config_dir: config_dir.map(Path::to_owned),
            services: OnceLock::new(),
        }
    }

    /// Parameters with values that are known already, as main.cf in `config_dir` would give them, and no services.
    pub fn of(config_dir: &Path, values: &[(&str, &str)]) -> Self {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config_dir = Some(config_dir);
        let known = Self {
            values: values.collect(),
            file: file(config_dir),
            config_dir: config_dir.map(Path::to_owned),
            services: OnceLock::new(),
        };
        known.with_services(Vec::new())
    }

    /// The same with services that are known already.
    #[must_use]
    pub fn with_services(self, services: Vec<Service>) -> Self {
        Self { services: services.into(), ..self }
    }

    /// The value of a parameter; empty for one that was not asked for.
    pub fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// Every parameter that was asked for, with its value.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the instance has a parameter of this name; older ones lack some.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Whether a parameter is `yes`.
    pub fn is_yes(&self, name: &str) -> bool {
        self.value(name).eq_ignore_ascii_case("yes")
    }

    /// The value of a parameter that is a number.
    ///
    /// # Errors
    ///
    /// Where it is none.
    pub fn number(&self, name: &str) -> Result<usize, Problem> {
        let value = self.value(name);
        value.parse().map_err(|_| self.problem(name, &format!("{} is no number", quoted(value))))
    }

    /// Where Postfix's servers work, and what they see of the host in a chroot; none where it was not asked for.
    pub fn queue_directory(&self) -> Option<&Path> {
        Some(Path::new(self.value("queue_directory"))).filter(|path| path.is_absolute())
    }

    /// Whether a service with this program is in a chroot, by master.cf. Where that cannot be read, none is.
    pub fn is_in_chroot(&self, program: &str) -> bool {
        let read =
            || MasterCf::read(self.config_dir.as_deref()).map_or_else(|_| Vec::new(), |it| it.services);
        self.services.get_or_init(read).iter().any(|one| one.chroot && one.program() == program)
    }

    /// The file that the parameters are from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// A problem with a parameter.
    pub(super) fn problem(&self, name: &str, message: &str) -> Problem {
        Problem::new(format!("{name}: {message}")).in_file(&self.file)
    }
}

/// What postconf(1) says to these arguments.
///
/// # Errors
///
/// Where it cannot be run, fails, takes longer than 10 s, or says what is no text.
pub(super) fn postconf(config_dir: Option<&Path>, arguments: &[&str]) -> Result<String, Problem> {
    let mut command = Command::new("postconf");
    command.env("PATH", search_path()).env("LC_ALL", "C");
    // What systemd tells the daemon is not for its children.
    for name in ["NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
        command.env_remove(name);
    }
    if let Some(dir) = config_dir {
        command.arg("-c").arg(dir);
    }
    command.args(arguments);
    let file = file(config_dir);
    let problem = |message: String| Problem::new(message).in_file(&file);
    let output = output(command).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => no_postconf(),
        io::ErrorKind::TimedOut => problem(format!("postconf gave no answer within {TIME:?}")),
        _ => problem(format!("postconf cannot be run: {error}")),
    })?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let why = complaint.lines().rfind(|line| line.contains("fatal:")).unwrap_or(&complaint);
        return Err(problem(format!("postconf failed: {}", quoted(why.trim()))));
    }
    String::from_utf8(output.stdout).map_err(|_| problem("what postconf says is not UTF-8".to_owned()))
}

/// The main.cf of an instance.
fn file(config_dir: Option<&Path>) -> PathBuf {
    config_dir.unwrap_or(Path::new("/etc/postfix")).join("main.cf")
}

fn no_postconf() -> Problem {
    Problem::new("there is no postconf: Postfix is not installed on this host")
        .hint("without Postfix, take this out: name your domains in `domains`, and where recipients are in `sources`")
}

/// What a program says, if it ends in time; else it is ended.
fn output(mut command: Command) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (gathered(child.stdout.take()), gathered(child.stderr.take()));
    let said = stdout.recv_timeout(TIME).and_then(|stdout| Ok((stdout, stderr.recv_timeout(TIME)?)));
    let Ok((stdout, stderr)) = said else {
        child.kill()?;
        child.wait()?;
        return Err(io::ErrorKind::TimedOut.into());
    };
    Ok(Output { status: child.wait()?, stdout: stdout?, stderr: stderr? })
}

/// All octets of a stream, once it has ended.
fn gathered(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (ended, all) = mpsc::channel();
    thread::spawn(move || {
        let mut octets = Vec::new();
        let read = stream.map_or(Ok(0), |mut stream| stream.read_to_end(&mut octets));
        // Nobody listens any more where this took too long.
        let _ = ended.send(read.map(|_| octets));
    });
    all
}

/// Reads `name = value` lines.
fn parse(answer: &str) -> HashMap<String, String> {
    let pairs = answer.lines().filter_map(|line| line.split_once(" ="));
    pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

/// Where programs are looked for. The path of a service need not have the directories of Postfix's programs.
fn search_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    std::env::join_paths(std::env::split_paths(&path).chain(more)).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_postconf() {
        let values = parse("alias_maps =\nmyorigin = /etc/mailname\nx = inline:{ {a = b} }\n");
        assert_eq!(values["alias_maps"], "");
        assert_eq!(values["myorigin"], "/etc/mailname");
        assert_eq!(values["x"], "inline:{ {a = b} }");
    }
}
