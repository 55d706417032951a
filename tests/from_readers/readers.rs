//! The programs that read From beside us: each is a process that answers one line after the other.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use data_encoding::BASE64;
use mail_parser::{Address, MessageParser};

use crate::host;
use crate::unpacked::unpack;

/// What a reader shows of one author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The display name.
    pub(crate) name: String,
    pub(crate) address: String,
}

/// What each reader shows, by its name.
pub(crate) type Answer = BTreeMap<String, Vec<Shown>>;

/// All readers that this machine has.
pub(crate) struct Readers {
    processes: Vec<Process>,
}

impl Readers {
    /// Starts them. Of each that is missing, a line says so, or a run that must show everything fails.
    pub(crate) fn start() -> Self {
        let commands = [python().map(Some), node(), roundcube().map(Some), perl().map(Some)];
        let is_there = |command: &Result<Option<Command>, String>| {
            host::is_possible(
                command.as_ref().map(drop).map_err(|obstacle| format!("a reader of From: {obstacle}")),
            )
        };
        let there = commands.into_iter().filter(is_there).flatten().flatten();
        Self { processes: there.map(Process::start).collect() }
    }

    /// What they show of these field bodies, in order.
    pub(crate) fn read(&mut self, bodies: &[Vec<u8>]) -> Vec<Answer> {
        // All work on some bodies at the same time; pipes hold that many.
        const AT_ONCE: usize = 8;
        let mut answers = Vec::new();
        for some in bodies.chunks(AT_ONCE) {
            for process in &mut self.processes {
                process.ask(some);
            }
            for body in some {
                let mut answer = Answer::from([("mail-parser".to_owned(), mail_parser(body))]);
                for process in &mut self.processes {
                    answer.extend(process.answer(body));
                }
                answers.push(answer);
            }
        }
        answers
    }
}

/// One process with one reader or several.
struct Process {
    child: Child,
    bodies: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (bodies, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, bodies, answers: BufReader::new(answers).lines() }
    }

    fn ask(&mut self, bodies: &[Vec<u8>]) {
        let lines: String = bodies.iter().map(|body| BASE64.encode(body) + "\n").collect();
        self.bodies.write_all(lines.as_bytes()).unwrap();
        self.bodies.flush().unwrap();
    }

    fn answer(&mut self, body: &[u8]) -> Answer {
        let line = self
            .answers
            .next()
            .unwrap_or_else(|| panic!("a reader died of {:?}", body.escape_ascii().to_string()));
        let shown: BTreeMap<String, Vec<[String; 2]>> = serde_json::from_str(&line.unwrap()).unwrap();
        let shown = shown.into_iter().map(|(reader, shown)| {
            (reader, shown.into_iter().map(|[name, address]| Shown { name, address }).collect())
        });
        shown.collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/from_readers").join(name)
}

fn python() -> Result<Command, String> {
    // Debian's own, whatever else is on the path.
    let python = Path::new("/usr/bin/python3");
    host::run(host::command(python).arg("--version"))?;
    let mut command = host::command(python);
    command.arg(script("python.py"));
    Ok(command)
}

fn perl() -> Result<Command, String> {
    let mut command = host::command(&host::program("perl")?);
    host::run(host::command(&host::program("perl")?).args(["-MEmail::Address::XS", "-e", "1"]))?;
    command.arg(script("perl.pl"));
    Ok(command)
}

/// Roundcube's library, which is never installed: its package wants a web server and a database.
fn roundcube() -> Result<Command, String> {
    let mut command = host::command(&host::program("php")?);
    let root = unpack("roundcube", &["roundcube-core"])?;
    command.arg(script("roundcube.php")).arg(root.join("usr/share/roundcube/program/lib/Roundcube"));
    Ok(command)
}

/// What runs on Node.js. Its packages are downloaded once, as they are pinned, and kept with cargo's other output. Debian
/// has none of them, so that a machine without npm's registry goes without these readers, and says so.
fn node() -> Result<Option<Command>, String> {
    let lists = ["package.json", "package-lock.json"];
    let mut pinned = DefaultHasher::new();
    fs::read(script(lists[1])).map_err(|error| error.to_string())?.hash(&mut pinned);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("from_readers");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let packages = folder.join(format!("{:016x}", pinned.finish()));
    let mut command = host::command(&host::program("node")?);
    // Another test may be at it.
    let lock = fs::File::create(folder.join("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    if !packages.is_dir() {
        let unpacked = tempfile::Builder::new().tempdir_in(&folder).map_err(|error| error.to_string())?;
        for list in lists {
            fs::copy(script(list), unpacked.path().join(list)).map_err(|error| error.to_string())?;
        }
        let mut npm = host::command(&host::program("npm")?);
        npm.current_dir(unpacked.path()).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        if let Err(obstacle) = host::run(&mut npm) {
            host::skip(&format!("the readers of From on Node.js: {obstacle}"));
            return Ok(None);
        }
        // Whole or not at all.
        fs::rename(unpacked.path(), &packages).map_err(|error| error.to_string())?;
    }
    command.args(["--experimental-vm-modules", "--no-warnings"]).arg(script("node.mjs")).arg(packages);
    Ok(Some(command))
}

/// Rust's mail-parser.
fn mail_parser(body: &[u8]) -> Vec<Shown> {
    let message = [b"From: ", body, b"\r\n\r\n"].concat();
    let Some(message) = MessageParser::default().parse(&message) else { return Vec::new() };
    let shown = |address: &mail_parser::Addr<'_>| Shown {
        name: address.name().unwrap_or_default().to_owned(),
        address: address.address().unwrap_or_default().to_owned(),
    };
    match message.from() {
        Some(Address::List(list)) => list.iter().map(shown).collect(),
        Some(Address::Group(groups)) => groups.iter().flat_map(|group| &group.addresses).map(shown).collect(),
        None => Vec::new(),
    }
}
