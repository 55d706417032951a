//! A DNS server of somebody who wants our memory: every answer is as long as an answer can be.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;

/// Octets of all records of an answer: what fits beside a header and a question.
const ROOM: usize = 65_535 - 12 - 260;

/// The types of records that are served (RFC 1035, 3.2.2; RFC 3596, 2.1).
pub(crate) const A: u16 = 1;
pub(crate) const PTR: u16 = 12;
pub(crate) const MX: u16 = 15;
pub(crate) const TXT: u16 = 16;
pub(crate) const AAAA: u16 = 28;

/// What is served, whatever the name: records by type, already in the form of the wire. A type without records is
/// never answered.
#[derive(Clone, Default)]
pub(crate) struct Answers(HashMap<u16, Vec<u8>>);

impl Answers {
    /// The same with records of a type: `first`, and as many others as there is room for.
    pub(crate) fn with(
        mut self,
        record_type: u16,
        first: &[Vec<u8>],
        other: impl Fn(usize) -> Vec<u8>,
    ) -> Self {
        let mut wire = Vec::new();
        let others = (0..).map(other).take_while(|data| !data.is_empty());
        for data in first.iter().cloned().chain(others) {
            let head =
                [&[0xc0, 12][..], &record_type.to_be_bytes(), &[0, 1], &300_u32.to_be_bytes()].concat();
            let length = u16::try_from(data.len()).unwrap().to_be_bytes();
            if wire.len() + head.len() + 2 + data.len() > ROOM {
                break;
            }
            wire.extend([head, length.to_vec(), data].concat());
        }
        self.0.insert(record_type, wire);
        self
    }

    /// How many records there are, at the end of the header's counts.
    fn count(wire: &[u8]) -> u16 {
        let (mut rest, mut count) = (wire, 0);
        while rest.len() > 12 {
            let length = usize::from(u16::from_be_bytes([rest[10], rest[11]]));
            rest = &rest[12 + length..];
            count += 1;
        }
        count
    }
}

/// A TXT record of one text.
pub(crate) fn text(text: &str) -> Vec<u8> {
    let string = |chunk: &[u8]| [&[u8::try_from(chunk.len()).unwrap()], chunk].concat();
    text.as_bytes().chunks(255).flat_map(string).collect()
}

/// A running server. It ends with this value.
pub(crate) struct HostileDns {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Default)]
struct Shared {
    answers: RwLock<Answers>,
    /// Long answers that were sent, and their octets.
    sent: (AtomicUsize, AtomicUsize),
}

impl HostileDns {
    /// Serves on a free port of 127.0.0.1.
    pub(crate) async fn start() -> Self {
        let (udp, tcp) = loop {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let (address, shared) = (tcp.local_addr().unwrap(), Arc::<Shared>::default());
        let tasks = [
            tokio::spawn(serve_udp(udp, Arc::clone(&shared))),
            tokio::spawn(serve_tcp(tcp, Arc::clone(&shared))),
        ];
        Self { address, shared, tasks }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves other answers from now on.
    pub(crate) fn serve(&self, answers: Answers) {
        *self.shared.answers.write().unwrap() = answers;
    }

    /// How many long answers were sent, and of how many octets, since it was asked last.
    pub(crate) fn sent(&self) -> (usize, usize) {
        let (answers, octets) = &self.shared.sent;
        (answers.swap(0, Ordering::Relaxed), octets.swap(0, Ordering::Relaxed))
    }
}

impl Drop for HostileDns {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Shared {
    /// The answer to a query; none where nobody gets one. `is_short`: over UDP, where it is said to be too long.
    fn answer(&self, query: &[u8], is_short: bool) -> Option<Vec<u8>> {
        let name = 12 + query[12..].iter().position(|octet| *octet == 0)?;
        let record_type = u16::from_be_bytes([*query.get(name + 1)?, *query.get(name + 2)?]);
        let answers = self.answers.read().unwrap();
        let wire = answers.0.get(&record_type)?;
        let fits = wire.len() < 1000;
        let (flags, wire) =
            if is_short && !fits { ([0x83, 0x80], &[][..]) } else { ([0x81, 0x80], &wire[..]) };
        let counts = [1, Answers::count(wire), 0, 0].map(u16::to_be_bytes).concat();
        if !is_short {
            self.sent.0.fetch_add(1, Ordering::Relaxed);
            self.sent.1.fetch_add(wire.len(), Ordering::Relaxed);
        }
        Some([&query[..2], &flags, &counts, query.get(12..name + 5)?, wire].concat())
    }
}

async fn serve_udp(socket: UdpSocket, shared: Arc<Shared>) {
    let mut buffer = [0; 4096];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        if let Some(answer) = shared.answer(&buffer[..length], true) {
            socket.send_to(&answer, peer).await.unwrap();
        }
    }
}

async fn serve_tcp(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut query = vec![0; stream.read_u16().await?.into()];
            stream.read_exact(&mut query).await?;
            if let Some(answer) = shared.answer(&query, false) {
                stream.write_u16(u16::try_from(answer.len()).unwrap()).await?;
                stream.write_all(&answer).await?;
            }
            std::io::Result::Ok(())
        });
    }
}
