//! pyspf, which answers one question after the other.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::zones::Question;

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) result: String,
    /// That of the domain, of a fail.
    pub(crate) explanation: Option<String>,
    /// Why.
    pub(crate) says: String,
}

/// A process.
pub(crate) struct Pyspf {
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Pyspf {
    /// Starts it, with the name server on this port.
    pub(crate) fn start(port: u16) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spf_oracle/pyspf.py");
        // Debian's own Python is the one that has Debian's pyspf.
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).arg(port.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("packaging/setup installs python3-spf");
        let (questions, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, questions, answers: BufReader::new(answers).lines() }
    }

    /// Asks with these faults mended.
    pub(crate) fn ask(&mut self, question: &Question, receiver: &str, mended: &[&str]) -> Told {
        let sender = question
            .sender
            .as_ref()
            .map_or(String::new(), |(local_part, domain)| format!("{local_part}@{domain}"));
        let asked = json!({
            "client": question.client.to_string(),
            "helo": question.helo,
            "sender": sender,
            "receiver": receiver,
            "mended": mended,
        });
        writeln!(self.questions, "{asked}").unwrap();
        let line = self.answers.next().expect("pyspf lives (packaging/setup installs python3-spf)").unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        Told {
            result: text("result").unwrap(),
            explanation: text("explanation").filter(|text| !text.is_empty()),
            says: text("says").unwrap_or_default(),
        }
    }
}

impl Drop for Pyspf {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
