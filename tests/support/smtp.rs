//! An SMTP client for tests: one command at a time, every reply returned whole, and nothing corrected on the way.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use data_encoding::BASE64;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use socket2::{Domain, Socket, Type};

use crate::tls::Stream;

/// How long a reply may take: above the daemon's own limit for a decision.
const PATIENCE: Duration = Duration::from_secs(30);

/// A reply (RFC 5321, 4.2) as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The lines without their line ends.
    pub(crate) lines: Vec<String>,
}

impl Reply {
    /// The reply code; 0 for a line that has none.
    pub(crate) fn code(&self) -> u16 {
        self.lines.last().and_then(|line| line.get(..3)).and_then(|code| code.parse().ok()).unwrap_or(0)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

/// How a password is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mechanism {
    /// RFC 4616.
    Plain,
    /// Never a standard, and what many clients use.
    Login,
}

/// A connection to an SMTP server on loopback.
pub(crate) struct Client {
    stream: BufReader<Stream>,
}

impl Client {
    /// Connects and takes the greeting.
    pub(crate) fn connect(port: u16) -> Self {
        Self::greeted(TcpStream::connect(("127.0.0.1", port)).unwrap())
    }

    /// Connects from this address, which must be one of the host, and takes the greeting.
    pub(crate) fn connect_from(source: IpAddr, server: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).unwrap();
        if source.is_ipv6() {
            // A route makes a whole network local, which is enough to bind to an address of it in IPv4 only.
            socket.set_freebind_v6(true).unwrap();
        }
        socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
        socket.connect(&server.into()).unwrap();
        Self::greeted(TcpStream::from(socket))
    }

    fn greeted(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Self { stream: BufReader::new(Stream::Plain(stream)) };
        client.expect_reply("220", "greeting");
        client
    }

    /// Connects and goes on as the client with these XCLIENT attributes (`ADDR=192.0.2.1 NAME=mail.example PORT=4567`).
    ///
    /// Postfix opens a new milter connection for it. The session begins anew: EHLO is the caller's.
    pub(crate) fn connect_as(port: u16, attributes: &str) -> Self {
        let mut client = Self::connect(port);
        client.send(b"EHLO localhost\r\n");
        client.expect_reply("250", "EHLO");
        client.send(format!("XCLIENT {attributes}\r\n").as_bytes());
        client.expect_reply("220", "XCLIENT");
        client
    }

    /// Sends one command line and returns the reply.
    pub(crate) fn command(&mut self, line: &str) -> Reply {
        self.send(format!("{line}\r\n").as_bytes());
        self.reply()
    }

    /// `EHLO name`.
    pub(crate) fn ehlo(&mut self, name: &str) -> Reply {
        self.command(&format!("EHLO {name}"))
    }

    /// Sends STARTTLS and goes on in TLS. The session begins anew: EHLO is the caller's.
    pub(crate) fn start_tls(&mut self, config: &Arc<ClientConfig>) {
        self.send(b"STARTTLS\r\n");
        self.expect_reply("220", "STARTTLS");
        self.stream = BufReader::new(self.stream.get_ref().secure(config));
    }

    /// Logs in (RFC 4954) and returns the last reply.
    pub(crate) fn log_in(&mut self, mechanism: Mechanism, login: &str, password: &str) -> Reply {
        match mechanism {
            Mechanism::Plain => self.command(&format!(
                "AUTH PLAIN {}",
                BASE64.encode(format!("\0{login}\0{password}").as_bytes())
            )),
            Mechanism::Login => {
                self.send(b"AUTH LOGIN\r\n");
                self.expect_reply("334", "AUTH LOGIN");
                self.send(format!("{}\r\n", BASE64.encode(login.as_bytes())).as_bytes());
                self.expect_reply("334", "the login");
                self.command(&BASE64.encode(password.as_bytes()))
            }
        }
    }

    /// `MAIL FROM:<address>`; the null reverse-path is the empty string.
    pub(crate) fn mail(&mut self, address: &str) -> Reply {
        self.command(&format!("MAIL FROM:<{address}>"))
    }

    /// `RCPT TO:<address>`.
    pub(crate) fn rcpt(&mut self, address: &str) -> Reply {
        self.command(&format!("RCPT TO:<{address}>"))
    }

    /// Sends DATA and, if the server wants it, the message (lines ended by LF or CRLF), and returns the last reply.
    pub(crate) fn data(&mut self, message: &str) -> Reply {
        let reply = self.command("DATA");
        if reply.code() != 354 {
            return reply;
        }
        let mut wire = Vec::new();
        for line in message.lines() {
            if line.starts_with('.') {
                wire.push(b'.');
            }
            wire.extend_from_slice(line.as_bytes());
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b".\r\n");
        self.send(&wire);
        self.reply()
    }

    /// Sends octets as they are.
    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.stream.get_mut().write_all(octets).unwrap();
    }

    /// Takes the next reply. A closed connection is a reply without lines.
    pub(crate) fn reply(&mut self) -> Reply {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).expect("the server answers in time") == 0 {
                return Reply { lines };
            }
            let is_last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line.trim_end_matches(['\r', '\n']).to_owned());
            if is_last {
                return Reply { lines };
            }
        }
    }

    fn expect_reply(&mut self, code: &str, to: &str) {
        let reply = self.reply();
        assert!(reply.to_string().starts_with(code), "reply to {to}: {reply}");
    }
}
