//! A server of tables, as `socketmap_table(5)` and `tcp_table(5)` describe them. It keeps each question as it came.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::gate::Socket;

/// The name of the only map.
pub(crate) const MAP: &str = "recipients";

/// What is said of a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Found(&'static str),
    NotFound,
    /// `TEMP`, or 400.
    Later(&'static str),
    /// A socketmap server can say more: a word, and a reason.
    Word(&'static str, &'static str),
    /// Octets that are no answer.
    Raw(&'static [u8]),
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Socketmap,
    TcpTable,
}

/// A running server; its threads end with the test.
pub(crate) struct MapServer {
    socket: Socket,
    questions: Arc<Mutex<Vec<Vec<u8>>>>,
}

type Find = fn(&str) -> Answer;

impl MapServer {
    /// A server on 127.0.0.1.
    pub(crate) fn on_port(protocol: Protocol, find: Find) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Socket::Inet(listener.local_addr().unwrap().port());
        Self::start(socket, protocol, find, move || {
            let stream = listener.accept()?.0;
            stream.set_nodelay(true)?;
            Ok((stream.try_clone()?, stream))
        })
    }

    /// A server on a Unix socket.
    pub(crate) fn on_path(path: &Path, protocol: Protocol, find: Find) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        Self::start(Socket::Unix(path.to_owned()), protocol, find, move || {
            let stream = listener.accept()?.0;
            Ok((stream.try_clone()?, stream))
        })
    }

    fn start<S: Read + Write + Send + 'static>(
        socket: Socket,
        protocol: Protocol,
        find: Find,
        accept: impl Fn() -> io::Result<(S, S)> + Send + 'static,
    ) -> Self {
        let questions = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&questions);
        std::thread::spawn(move || {
            while let Ok((input, mut output)) = accept() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || {
                    let mut input = BufReader::new(input);
                    loop {
                        let served = match protocol {
                            Protocol::Socketmap => serve_netstring(&mut input, &mut output, find, &kept),
                            Protocol::TcpTable => serve_line(&mut input, &mut output, find, &kept),
                        };
                        if served.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { socket, questions }
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The questions since the last time, each with all that frames it.
    pub(crate) fn take_questions(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.questions.lock().unwrap())
    }
}

fn serve_netstring(
    input: &mut impl BufRead,
    output: &mut impl Write,
    find: Find,
    kept: &Mutex<Vec<Vec<u8>>>,
) -> io::Result<()> {
    let mut frame = Vec::new();
    input.read_until(b':', &mut frame)?;
    let length = frame.strip_suffix(b":").and_then(|digits| str::from_utf8(digits).ok());
    let length: usize = length.and_then(|digits| digits.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let mut body = vec![0; length + 1];
    input.read_exact(&mut body)?;
    kept.lock().unwrap().push([frame, body.clone()].concat());
    if body.pop() != Some(b',') {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let question = String::from_utf8(body).map_err(|_| io::ErrorKind::InvalidData)?;
    let answer = match question.split_once(' ') {
        Some((MAP, key)) => find(key),
        _ => Answer::Word("PERM", "there is no such map"),
    };
    let text = match answer {
        Answer::Found(value) => format!("OK {value}"),
        Answer::NotFound => "NOTFOUND ".to_owned(),
        Answer::Later(why) => format!("TEMP {why}"),
        Answer::Word(word, why) => format!("{word} {why}"),
        Answer::Raw(octets) => return output.write_all(octets),
    };
    output.write_all(format!("{}:{text},", text.len()).as_bytes())
}

fn serve_line(
    input: &mut impl BufRead,
    output: &mut impl Write,
    find: Find,
    kept: &Mutex<Vec<Vec<u8>>>,
) -> io::Result<()> {
    let mut line = Vec::new();
    if input.read_until(b'\n', &mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    kept.lock().unwrap().push(line.clone());
    let text = String::from_utf8(line).map_err(|_| io::ErrorKind::InvalidData)?;
    let key = text.strip_prefix("get ").and_then(|rest| rest.strip_suffix('\n'));
    let answer = match key.and_then(decode) {
        Some(key) => find(&key),
        None => Answer::Later("that is no question"),
    };
    let text = match answer {
        Answer::Found(value) => format!("200 {}", encode(value)),
        Answer::NotFound => "500 none".to_owned(),
        Answer::Later(why) | Answer::Word(_, why) => format!("400 {}", encode(why)),
        Answer::Raw(octets) => return output.write_all(octets),
    };
    output.write_all(format!("{text}\n").as_bytes())
}

fn encode(text: &str) -> String {
    let plain = |octet: &u8| octet.is_ascii_graphic() && *octet != b'%';
    let encode =
        |octet: u8| if plain(&octet) { char::from(octet).to_string() } else { format!("%{octet:02x}") };
    text.bytes().map(encode).collect()
}

fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut octets = parts.next()?.as_bytes().to_vec();
    for part in parts {
        octets.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        octets.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(octets).ok()
}
