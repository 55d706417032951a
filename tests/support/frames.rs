//! An MTA made by hand: frames as octets, so that a test can send what no MTA would.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use lockdown_milter::milter::Address;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// Longer than anything that succeeds takes, so that a test that hangs fails.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) const ALL_ACTIONS: u32 = 0x1ff;
pub(crate) const ALL_OPTIONS: u32 = 0x1f_ffff;

/// A frame.
pub(crate) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 1).unwrap();
    [&length.to_be_bytes()[..], &[kind], payload].concat()
}

/// A frame of strings.
pub(crate) fn strings(kind: u8, strings: &[&str]) -> Vec<u8> {
    let payload: Vec<u8> = strings.iter().flat_map(|text| text.bytes().chain([0])).collect();
    frame(kind, &payload)
}

pub(crate) fn offer(version: u32, actions: u32, options: u32) -> Vec<u8> {
    frame(b'O', &[version, actions, options].map(u32::to_be_bytes).concat())
}

/// The offer of Postfix 3.7 and Sendmail 8.17.
pub(crate) fn full_offer() -> Vec<u8> {
    offer(6, ALL_ACTIONS, ALL_OPTIONS)
}

pub(crate) fn macros(stage: char, pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut payload = vec![u8::try_from(stage).unwrap()];
    for (name, value) in pairs {
        payload.extend([name.as_bytes(), &[0], value.as_bytes(), &[0]].concat());
    }
    frame(b'D', &payload)
}

pub(crate) fn connect(name: &str, family: char, port: u16, address: &str) -> Vec<u8> {
    let family = [u8::try_from(family).unwrap()];
    frame(b'C', &[name.as_bytes(), &[0], &family, &port.to_be_bytes(), address.as_bytes(), &[0]].concat())
}

pub(crate) fn helo(name: &str) -> Vec<u8> {
    strings(b'H', &[name])
}

pub(crate) fn mail(arguments: &[&str]) -> Vec<u8> {
    strings(b'M', arguments)
}

pub(crate) fn rcpt(argument: &str) -> Vec<u8> {
    strings(b'R', &[argument])
}

pub(crate) fn header(name: &str, value: &str) -> Vec<u8> {
    strings(b'L', &[name, value])
}

pub(crate) fn body(piece: &str) -> Vec<u8> {
    frame(b'B', piece.as_bytes())
}

pub(crate) fn end_of_message() -> Vec<u8> {
    frame(b'E', b"")
}

pub(crate) fn abort() -> Vec<u8> {
    frame(b'A', b"")
}

pub(crate) fn quit() -> Vec<u8> {
    frame(b'Q', b"")
}

/// An answer, in words.
pub(crate) fn in_words(frame: &[u8]) -> String {
    let (kind, payload) = (frame[4], &frame[5..]);
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).trim_end_matches('\0').replace('\0', ": ");
    let (index, rest) =
        payload.split_first_chunk().map_or((0, payload), |(i, r)| (u32::from_be_bytes(*i), r));
    match kind {
        b'O' => "negotiated".into(),
        b'c' => "continue".into(),
        b'd' => "discard".into(),
        b's' => "skip".into(),
        b'r' => "reject".into(),
        b't' => "tempfail".into(),
        b'y' => text(payload),
        b'i' => format!("insert {index} {}", text(rest)),
        b'm' => format!("change {index} {}", text(rest)),
        other => format!("{} {}", other.escape_ascii(), payload.escape_ascii()),
    }
}

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

/// One connection of an MTA to the milter.
pub(crate) struct Mta(Box<dyn Socket>);

impl Mta {
    pub(crate) async fn connect(address: &Address) -> io::Result<Self> {
        Ok(Self(match address {
            Address::Inet(address) => Box::new(TcpStream::connect(address).await?),
            Address::Unix { path, .. } => Box::new(UnixStream::connect(path).await?),
        }))
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.0.write_all(octets).await
    }

    /// The next frame; None when the milter has closed the connection.
    pub(crate) async fn frame(&mut self) -> Option<Vec<u8>> {
        let mut head = [0; 4];
        self.0.read_exact(&mut head).await.ok()?;
        let mut frame = vec![0; 4 + usize::try_from(u32::from_be_bytes(head)).unwrap()];
        frame[..4].copy_from_slice(&head);
        self.0.read_exact(&mut frame[4..]).await.ok()?;
        Some(frame)
    }

    /// The next answer, in words. It must come.
    pub(crate) async fn answer(&mut self) -> String {
        let frame = timeout(LONG, self.frame()).await.expect("an answer in time");
        frame.map_or("closed".into(), |frame| in_words(&frame))
    }

    /// Sends frames and waits for one answer.
    pub(crate) async fn ask(&mut self, frames: &[Vec<u8>]) -> String {
        self.send(&frames.concat()).await.unwrap();
        self.answer().await
    }

    /// Everything up to the end of the connection, in words.
    pub(crate) async fn until_closed(&mut self) -> Vec<String> {
        let mut answers = Vec::new();
        while let Some(frame) = timeout(LONG, self.frame()).await.expect("closed in time") {
            answers.push(in_words(&frame));
        }
        answers
    }

    /// What one read brings.
    pub(crate) async fn read(&mut self) -> Vec<u8> {
        let mut octets = vec![0; 1 << 16];
        let count = timeout(LONG, self.0.read(&mut octets)).await.expect("in time").unwrap();
        octets.truncate(count);
        octets
    }
}

/// What a milter asks for in its negotiation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wishes {
    pub(crate) version: u32,
    pub(crate) actions: u32,
    pub(crate) options: u32,
    pub(crate) macros: BTreeMap<u32, String>,
}

impl Wishes {
    pub(crate) fn read(frame: &[u8]) -> Self {
        assert_eq!(frame[4], b'O');
        let mut words = frame[5..17].chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap()));
        let mut rest = &frame[17..];
        let mut macros = BTreeMap::new();
        while let Some((stage, names)) = rest.split_first_chunk() {
            let end = names.iter().position(|&octet| octet == 0).unwrap();
            macros.insert(u32::from_be_bytes(*stage), String::from_utf8(names[..end].to_vec()).unwrap());
            rest = &names[end + 1..];
        }
        let mut word = || words.next().unwrap();
        Self { version: word(), actions: word(), options: word(), macros }
    }
}
