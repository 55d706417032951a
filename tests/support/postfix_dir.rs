//! A Postfix configuration of its own, which is only read: by postconf(1), postmap(1), and by us.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

use crate::host;

/// The directory. What belongs into its files says `DIR` where the directory's name is meant.
pub(crate) struct PostfixDir(TempDir);

impl PostfixDir {
    /// What stands in the way of tests that ask Postfix's own programs.
    pub(crate) fn obstacle() -> Result<(), String> {
        Self::has_type("pcre")
    }

    /// Whether the Postfix of this machine has a type of table, which is a package of its own.
    pub(crate) fn has_type(kind: &str) -> Result<(), String> {
        let postconf = host::program("postconf")?;
        // Where Postfix was installed and never configured there is no main.cf, and nothing says a word without one.
        let dir = Self::new("", &[]);
        let types = host::command(&postconf).arg("-c").arg(dir.path()).arg("-m").output();
        let types = types.map_err(|error| error.to_string())?;
        let types = String::from_utf8_lossy(&types.stdout);
        if types.lines().any(|one| one == kind) {
            Ok(())
        } else {
            Err(format!("postfix-{kind} is not installed"))
        }
    }

    /// A directory with this main.cf and these files.
    pub(crate) fn new(main_cf: &str, files: &[(&str, &str)]) -> Self {
        let dir = Self(tempfile::Builder::new().prefix("lockdown-postfix.").tempdir().unwrap());
        let base = "compatibility_level = 3.6\nmyhostname = mx.example.org\nmyorigin = example.org\n\
                    mydestination =\nalias_maps =\nmail_owner = postfix\n";
        dir.write("main.cf", format!("{base}{main_cf}").as_bytes());
        dir.write("master.cf", b"");
        for (name, text) in files {
            dir.write(name, text.as_bytes());
        }
        dir
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where a file is.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The text with the directory's name in it.
    pub(crate) fn fill(&self, text: &str) -> String {
        text.replace("DIR", self.path().to_str().unwrap())
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, octets: &[u8]) {
        match str::from_utf8(octets) {
            Ok(text) => fs::write(self.file(name), self.fill(text)).unwrap(),
            Err(_) => fs::write(self.file(name), octets).unwrap(),
        }
        // Postfix waits until a file that has just been written is two seconds old.
        let file = fs::File::options().write(true).open(self.file(name)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    }

    /// Makes the compiled form of a table: `postmap hash:DIR/virtual`.
    pub(crate) fn compile(&self, program: &str, table: &str) {
        let program = host::program(program).unwrap();
        let mut command = host::command(&program);
        host::run(command.arg("-c").arg(self.path()).arg(self.fill(table))).unwrap();
    }

    /// What Postfix itself answers for each key: `postmap -q - type:name`.
    pub(crate) fn ask(&self, table: &str, keys: &[String]) -> Vec<Option<String>> {
        self.ask_all(table, keys).unwrap_or_else(|complaint| panic!("{table}: {complaint}"))
    }

    /// The same where the table cannot tell for some keys: it ends at the first one, and is run for each.
    pub(crate) fn ask_each(&self, table: &str, keys: &[String]) -> Vec<Result<Option<String>, String>> {
        let ask = |key| self.ask_all(table, std::slice::from_ref(key)).map(|mut answers| answers.remove(0));
        match self.ask_all(table, keys) {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(_) => keys.iter().map(ask).collect(),
        }
    }

    /// The answers, or what postmap(1) complains about.
    fn ask_all(&self, table: &str, keys: &[String]) -> Result<Vec<Option<String>>, String> {
        let mut child = host::command(&host::program("postmap").unwrap())
            .arg("-c")
            .arg(self.path())
            .args(["-q", "-", &self.fill(table)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let lines = keys.join("\n") + "\n";

        let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
        let output = child.wait_with_output().unwrap();
        let written = writer.join().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        if let Some(fatal) = complaints.lines().find(|line| line.contains("fatal:")) {
            return Err(fatal.to_owned());
        }
        written.unwrap();
        let answers = String::from_utf8(output.stdout).unwrap();
        // It prints the keys that it found, in the order of the questions.
        let mut answers = answers.lines().peekable();
        let found = keys.iter().map(|key| {
            let value = answers.peek()?.strip_prefix(key.as_str())?.strip_prefix('\t')?.to_owned();
            answers.next();
            Some(value)
        });
        Ok(found.collect())
    }
}
