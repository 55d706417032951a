//! The next hop: a small SMTP server that hands every message it receives to the test, whole.
//!
//! It refuses recipients whose name begins with `nobody`, in upper or lower case, and those that begin with `busy` twice
//! for the moment.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long [`Sink::next`] waits for a message.
const PATIENCE: Duration = Duration::from_secs(20);

/// A message as the next hop got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// The reverse-path without angle brackets; empty for the null reverse-path.
    pub(crate) mail_from: String,
    /// The forward-paths without angle brackets, in order.
    pub(crate) rcpt_to: Vec<String>,
    /// The parameters of MAIL and of each RCPT, in order (`BODY=8BITMIME`, `NOTIFY=NEVER`).
    pub(crate) parameters: Vec<String>,
    /// Header and body, lines ended by CRLF, dot-stuffing undone.
    pub(crate) data: Vec<u8>,
}

/// A server on a loopback port of its own.
pub(crate) struct Sink {
    port: u16,
    messages: Receiver<Delivered>,
}

impl Sink {
    /// Starts the server; its threads end with the test.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, messages) = mpsc::channel();
        let busy = Arc::new(Mutex::new(HashMap::new()));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (sender, busy) = (sender.clone(), Arc::clone(&busy));
                // The client may vanish at any moment; the messages that it has completed are what counts.
                std::thread::spawn(move || drop(serve(stream, &sender, &busy)));
            }
        });
        Self { port, messages }
    }

    /// Where it listens on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The next message.
    ///
    /// # Panics
    ///
    /// When none arrives in time.
    pub(crate) fn next(&self) -> Delivered {
        self.messages.recv_timeout(PATIENCE).expect("a message arrives at the next hop")
    }

    /// The next message, if it arrives within this time.
    pub(crate) fn next_within(&self, patience: Duration) -> Option<Delivered> {
        self.messages.recv_timeout(patience).ok()
    }

    /// A message that has already arrived and was not taken yet.
    pub(crate) fn surplus(&self) -> Option<Delivered> {
        self.messages.try_recv().ok()
    }
}

impl Delivered {
    /// Its [fields].
    pub(crate) fn fields(&self) -> Vec<String> {
        fields(&self.data)
    }

    /// Its [body].
    pub(crate) fn body(&self) -> String {
        body(&self.data)
    }
}

/// The header fields of a message in order, each unfolded to one line, without line ends.
pub(crate) fn fields(message: &[u8]) -> Vec<String> {
    let text = text(message);
    let header = text.split("\n\n").next().unwrap_or_default();
    let mut fields: Vec<String> = Vec::new();
    for line in header.lines() {
        match (line.starts_with([' ', '\t']), fields.last_mut()) {
            (true, Some(field)) => {
                field.push(' ');
                field.push_str(line.trim_start());
            }
            _ => fields.push(line.to_owned()),
        }
    }
    fields
}

/// What follows the header of a message.
pub(crate) fn body(message: &[u8]) -> String {
    text(message).split_once("\n\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

fn text(message: &[u8]) -> String {
    String::from_utf8_lossy(message).replace("\r\n", "\n")
}

/// How often each recipient was put off.
type Busy = Mutex<HashMap<String, u32>>;

/// Why a recipient is refused, if it is.
fn refusal(recipient: &str, busy: &Busy) -> Option<&'static str> {
    if recipient.to_ascii_lowercase().starts_with("nobody") {
        return Some("550 5.1.1 No such user\r\n");
    }
    if !recipient.starts_with("busy") {
        return None;
    }
    let mut busy = busy.lock().unwrap();
    let times = busy.entry(recipient.to_owned()).or_default();
    *times += 1;
    (*times <= 2).then_some("450 4.2.0 Not now\r\n")
}

fn serve(stream: TcpStream, messages: &Sender<Delivered>, busy: &Busy) -> std::io::Result<()> {
    let mut output = stream.try_clone()?;
    let mut input = BufReader::new(stream);
    let mut open = Delivered { mail_from: String::new(), rcpt_to: vec![], parameters: vec![], data: vec![] };
    output.write_all(b"220 sink.test ESMTP\r\n")?;
    let mut line = String::new();
    while {
        line.clear();
        input.read_line(&mut line)? > 0
    } {
        let line = line.trim_end();
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let reply = match verb.as_str() {
            "EHLO" => {
                "250-sink.test\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n"
            }
            "MAIL" => {
                let (path, parameters) = argument(line);
                open = Delivered { mail_from: path, rcpt_to: vec![], parameters, data: vec![] };
                "250 2.1.0 Ok\r\n"
            }
            "RCPT" => {
                let (path, parameters) = argument(line);
                refusal(&path, busy).unwrap_or_else(|| {
                    open.rcpt_to.push(path);
                    open.parameters.extend(parameters);
                    "250 2.1.5 Ok\r\n"
                })
            }
            "DATA" if open.rcpt_to.is_empty() => "503 5.5.1 No recipients\r\n",
            "DATA" => {
                output.write_all(b"354 Go ahead\r\n")?;
                open.data = receive(&mut input)?;
                // The test may have ended; then nobody waits for the message.
                drop(messages.send(open.clone()));
                "250 2.0.0 Ok\r\n"
            }
            "QUIT" => return output.write_all(b"221 2.0.0 Bye\r\n"),
            _ => "250 2.0.0 Ok\r\n",
        };
        output.write_all(reply.as_bytes())?;
    }
    Ok(())
}

/// The path and the parameters of `MAIL FROM:<…> …` or `RCPT TO:<…> …`.
fn argument(line: &str) -> (String, Vec<String>) {
    // Parameters may hold brackets, too.
    let rest = line.split_once('<').map_or("", |(_, rest)| rest);
    let (path, parameters) = rest.split_once("> ").unwrap_or((rest.trim_end_matches('>'), ""));
    (path.to_owned(), parameters.split_whitespace().map(str::to_owned).collect())
}

fn receive(input: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.as_slice() {
            b".\r\n" => return Ok(data),
            [b'.', rest @ ..] => data.extend_from_slice(rest),
            line => data.extend_from_slice(line),
        }
    }
}
