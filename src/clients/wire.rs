//! A connection: octets out, and answers in, none longer than its protocol allows.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::Trouble;
use crate::clients::files::problem::quoted;

/// What a connection is made of.
#[derive(Debug)]
pub(super) enum Stream {
    Unix(UnixStream),
    Inet(TcpStream),
}

/// How much is read at once.
const CHUNK: usize = 4096;

/// A connection with what has come and was not asked for yet.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    received: Vec<u8>,
    /// Whether anything has come since the last question was sent.
    is_answering: bool,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, received: Vec::new(), is_answering: false }
    }

    /// Sends a question, or a part of the conversation about it.
    pub(super) async fn send(&mut self, octets: &[u8]) -> Result<(), Trouble> {
        self.is_answering = false;
        let sent = match &mut self.stream {
            Stream::Unix(stream) => stream.write_all(octets).await,
            Stream::Inet(stream) => stream.write_all(octets).await,
        };
        sent.map_err(|error| self.broken(error))
    }

    /// The next line, without its line feed. More than `longest` octets are no line.
    pub(super) async fn line(&mut self, longest: usize) -> Result<Vec<u8>, Trouble> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.received[searched..].iter().position(|octet| *octet == b'\n') {
                let mut line: Vec<u8> = self.received.drain(..=searched + at).collect();
                line.pop();
                return if line.len() > longest { Err(too_long(longest)) } else { Ok(line) };
            }
            searched = self.received.len();
            if searched > longest {
                return Err(too_long(longest));
            }
            self.receive().await?;
        }
    }

    /// The next `length` octets.
    pub(super) async fn octets(&mut self, length: usize) -> Result<Vec<u8>, Trouble> {
        while self.received.len() < length {
            self.receive().await?;
        }
        Ok(self.received.drain(..length).collect())
    }

    /// Whether nothing has come that nobody asked for, and the server is still there, as far as that can be seen.
    pub(super) fn is_quiet(&self) -> bool {
        let mut octet = [0];
        let read = match &self.stream {
            Stream::Unix(stream) => stream.try_read(&mut octet),
            Stream::Inet(stream) => stream.try_read(&mut octet),
        };
        self.received.is_empty() && read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Says a last word to which no answer is waited for.
    pub(super) fn take_leave(&self, words: &[u8]) {
        // Whether they arrive makes no difference.
        let _ = match &self.stream {
            Stream::Unix(stream) => stream.try_write(words),
            Stream::Inet(stream) => stream.try_write(words),
        };
    }

    async fn receive(&mut self) -> Result<(), Trouble> {
        self.received.reserve(CHUNK);
        let read = match &mut self.stream {
            Stream::Unix(stream) => stream.read_buf(&mut self.received).await,
            Stream::Inet(stream) => stream.read_buf(&mut self.received).await,
        };
        match read {
            Ok(0) => Err(self.broken(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => {
                self.is_answering = true;
                Ok(())
            }
            Err(error) => Err(self.broken(error)),
        }
    }

    /// What an error means: the server may have closed the connection long before we asked.
    fn broken(&self, error: io::Error) -> Trouble {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
        match error.kind() {
            BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof => {
                if self.is_answering {
                    Trouble::Garbled("the answer ends in the middle".to_owned())
                } else {
                    Trouble::Closed
                }
            }
            _ => Trouble::Broken(error),
        }
    }
}

fn too_long(longest: usize) -> Trouble {
    Trouble::Garbled(format!("the answer has more than {longest} octets"))
}

/// An answer that is not what its protocol has.
pub(super) fn garbled(octets: &[u8]) -> Trouble {
    Trouble::Garbled(format!("the answer {} is none", quoted(&String::from_utf8_lossy(octets))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Wire, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Wire::new(Stream::Unix(ours)), theirs)
    }

    #[tokio::test]
    async fn lines_and_octets() {
        let (mut wire, mut server) = pair();
        server.write_all(b"one\ntwo\r\n\n12345678").await.unwrap();
        assert_eq!(wire.line(5).await.unwrap(), b"one");
        assert_eq!(wire.line(5).await.unwrap(), b"two\r");
        assert_eq!(wire.line(5).await.unwrap(), b"");
        assert!(!wire.is_quiet());
        assert_eq!(wire.octets(4).await.unwrap(), b"1234");
        assert_eq!(wire.line(3).await.unwrap_err().to_string(), "the answer has more than 3 octets");
    }

    #[tokio::test]
    async fn a_long_line_is_none_even_when_it_ends() {
        let (mut wire, mut server) = pair();
        server.write_all(b"123456\n").await.unwrap();
        assert!(matches!(wire.line(5).await, Err(Trouble::Garbled(_))));
    }

    #[tokio::test]
    async fn an_end_before_an_answer_differs_from_one_within() {
        let (mut wire, mut server) = pair();
        wire.send(b"?").await.unwrap();
        server.write_all(b"half").await.unwrap();
        drop(server);
        assert_eq!(wire.line(50).await.unwrap_err().to_string(), "the answer ends in the middle");
        let (mut wire, server) = pair();
        drop(server);
        assert!(matches!(wire.send(b"?").await, Err(Trouble::Closed)));
        assert!(matches!(wire.line(50).await, Err(Trouble::Closed)));
    }
}
