//! One query to one server: over UDP, and over TCP where the answer does not fit a datagram. The form of messages is
//! hickory's.
//!
//! The UDP socket is connected. So the kernel keeps datagrams from elsewhere away, and it says at once when nothing
//! listens at the server (ICMP port unreachable) or no route leads there. What may pass in a moment, such as a router's
//! word that a host is unreachable, it keeps to itself (ip(7), `IP_RECVERR`), and the query goes on waiting.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_resolver::proto::op::{self, Edns, Message, MessageType, ResponseCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use super::Question;
use crate::clients::without_number;

/// The octets that a reply over UDP may have without being cut into fragments on its way.
const PAYLOAD: u16 = 1232;

/// The octets that are read of a datagram; servers may send more than they were told to.
const MOST: usize = 4096;

/// The octets of the header of a message (RFC 1035, 4.1.1).
const HEADER: usize = 12;

/// How a question is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// With an OPT record (RFC 6891).
    pub(super) edns: bool,
    /// With letters whose case is random and must come back as it was.
    pub(super) mixed_case: bool,
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The query did not arrive, by the word of the kernel.
    #[error("{}", without_number(.0))]
    Unreachable(#[source] io::Error),
    /// There is more of the reply than came over UDP, and it cannot be fetched.
    #[error("the answer is too long for UDP, and over TCP: {}", without_number(.0))]
    Cut(#[source] io::Error),
    /// What came is not a reply to the query.
    #[error("a reply that cannot be read: {0}")]
    Unreadable(String),
}

/// Sends one query and waits, without end, for its reply.
///
/// # Errors
///
/// There will be none, or none that could be read.
pub(super) async fn exchange(
    server: SocketAddr,
    question: &Question,
    manner: Manner,
) -> Result<Message, Trouble> {
    let query = Query::new(question, manner)?;
    let reply = query.over_udp(server).await?;
    if reply.metadata.truncation { query.over_tcp(server).await } else { Ok(reply) }
}

/// A query on its way.
struct Query {
    id: u16,
    question: op::Query,
    mixed_case: bool,
    wire: Vec<u8>,
}

impl Query {
    fn new((name, record_type): &Question, manner: Manner) -> Result<Self, Trouble> {
        let mut name = name.clone();
        name.set_fqdn(true);
        if manner.mixed_case {
            name.randomize_label_case();
        }
        let question = op::Query::query(name, *record_type);
        let mut message = Message::query();
        message.metadata.recursion_desired = true;
        message.add_query(question.clone());
        if manner.edns {
            let mut edns = Edns::new();
            edns.set_max_payload(PAYLOAD);
            message.set_edns(edns);
        }
        let wire = message.to_vec().map_err(|error| Trouble::Unreadable(error.to_string()))?;
        Ok(Self { id: message.metadata.id, question, mixed_case: manner.mixed_case, wire })
    }

    async fn over_udp(&self, server: SocketAddr) -> Result<Message, Trouble> {
        let socket = connected(server).await.map_err(Trouble::Unreachable)?;
        socket.send(&self.wire).await.map_err(Trouble::Unreachable)?;
        let mut buffer = vec![0; MOST];
        loop {
            let length = socket.recv(&mut buffer).await.map_err(Trouble::Unreachable)?;
            let datagram = &buffer[..length];
            // What carries another id is a guess of somebody's, and so is what answers another question (RFC 5452, 9.1).
            // Either is passed over, as the true reply may still come.
            if !self.carries_id(datagram) {
                continue;
            }
            let reply = read(datagram)?;
            if self.is_answered_by(&reply) {
                return Ok(reply);
            }
        }
    }

    async fn over_tcp(&self, server: SocketAddr) -> Result<Message, Trouble> {
        let octets = self.fetch(server).await.map_err(Trouble::Cut)?;
        let reply = read(&octets)?;
        if !self.carries_id(&octets) || !self.is_answered_by(&reply) {
            return Err(Trouble::Unreadable("it answers another question".to_owned()));
        }
        if reply.metadata.truncation {
            return Err(Trouble::Cut(io::Error::other("it is cut short as well")));
        }
        Ok(reply)
    }

    /// The reply with its length before it (RFC 1035, 4.2.2).
    async fn fetch(&self, server: SocketAddr) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(self.wire.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), self.wire.as_slice()].concat()).await?;
        let mut octets = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut octets).await?;
        Ok(octets)
    }

    fn carries_id(&self, octets: &[u8]) -> bool {
        octets.len() >= HEADER && octets[..2] == self.id.to_be_bytes()
    }

    fn is_answered_by(&self, reply: &Message) -> bool {
        if reply.metadata.message_type != MessageType::Response {
            return false;
        }
        let same_case = |asked: &op::Query| !self.mixed_case || asked.name().eq_case(self.question.name());
        match reply.queries.as_slice() {
            [asked] => *asked == self.question && same_case(asked),
            // Who cannot read a query cannot repeat its question, and sends the header alone.
            [] => !matches!(reply.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain),
            _ => false,
        }
    }
}

/// A socket on a port that the kernel draws (RFC 5452, 9.2), which hears this server only.
async fn connected(server: SocketAddr) -> io::Result<UdpSocket> {
    let any = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    Ok(socket)
}

fn read(octets: &[u8]) -> Result<Message, Trouble> {
    Message::from_vec(octets).map_err(|error| Trouble::Unreadable(error.to_string()))
}
