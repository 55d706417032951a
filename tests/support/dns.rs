//! A scripted DNS server on loopback, UDP and TCP on one port: a zone given as data, and faults on demand.
//!
//! It answers as a recursive server would: aliases are followed, what is not in the zone does not exist.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "a module of every test binary, each of which uses its own part of it"
)]

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, NS, PTR, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::{self, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What goes wrong with the answers for a name.
#[derive(Clone, Debug)]
pub enum Fault {
    /// They come this much later.
    Delay(Duration),
    /// They never come.
    Drop,
    /// They are an error.
    Code(ResponseCode),
    /// They name other servers instead, as no recursive server does.
    Referral,
    /// They are truncated over UDP, whole over TCP.
    Truncate,
    /// They carry the id of another query, and no other comes.
    WrongId,
    /// Before each comes a spoofed one with another id, and one to another question; both hold other records.
    SpoofedFirst,
    /// To a query with an OPT record they are this error, without such a record unless the error needs one.
    NoEdns(ResponseCode),
    /// To a query with an OPT record they are the header with this error, and not even the question.
    NoEdnsHeaderAlone(ResponseCode),
    /// Queries with an OPT record are lost.
    NoEdnsDrop,
    /// They are truncated over UDP, and TCP connections close without them.
    TruncateAndClose,
}

/// Records by name and type, and faults by name.
#[derive(Clone, Debug)]
pub struct Zone {
    records: HashMap<(Name, RecordType), Vec<RData>>,
    faults: HashMap<Name, Fault>,
    /// What goes wrong with every name that has no fault of its own.
    fault_everywhere: Option<Fault>,
    /// Names that are silent for the types they have no records of, as the suite's `TIMEOUT` wants it.
    silent: Vec<Name>,
    ttl: u32,
    negative_ttl: u32,
}

impl Default for Zone {
    fn default() -> Self {
        Self {
            records: HashMap::new(),
            faults: HashMap::new(),
            fault_everywhere: None,
            silent: Vec::new(),
            ttl: 300,
            negative_ttl: 300,
        }
    }
}

impl Zone {
    /// An empty zone: no name exists.
    pub fn new() -> Self {
        Self::default()
    }

    /// The time to live of all records, and of the news that there are none, in seconds.
    #[must_use]
    pub fn ttl(mut self, ttl: u32, negative_ttl: u32) -> Self {
        (self.ttl, self.negative_ttl) = (ttl, negative_ttl);
        self
    }

    /// Adds a record of any type.
    #[must_use]
    pub fn record(mut self, name: &str, data: RData) -> Self {
        self.records.entry((name_of(name), data.record_type())).or_default().push(data);
        self
    }

    /// Adds a TXT record of one string, cut into character-strings of the greatest length.
    #[must_use]
    pub fn txt(self, name: &str, text: &str) -> Self {
        let strings: Vec<&[u8]> = text.as_bytes().chunks(255).collect();
        self.txt_strings(name, strings)
    }

    /// Adds a TXT record of several character-strings.
    #[must_use]
    pub fn txt_strings(self, name: &str, strings: Vec<&[u8]>) -> Self {
        self.record(name, RData::TXT(TXT::from_bytes(strings)))
    }

    /// Adds an A or AAAA record.
    #[must_use]
    pub fn address(self, name: &str, address: &str) -> Self {
        match address.parse().unwrap() {
            IpAddr::V4(address) => self.a(name, address),
            IpAddr::V6(address) => self.aaaa(name, address),
        }
    }

    fn a(self, name: &str, address: Ipv4Addr) -> Self {
        self.record(name, RData::A(A(address)))
    }

    fn aaaa(self, name: &str, address: Ipv6Addr) -> Self {
        self.record(name, RData::AAAA(AAAA(address)))
    }

    /// Adds an MX record; the root as `exchange` is written as the empty name.
    #[must_use]
    pub fn mx(self, name: &str, preference: u16, exchange: &str) -> Self {
        self.record(name, RData::MX(MX::new(preference, name_of(exchange))))
    }

    /// Adds an alias.
    #[must_use]
    pub fn cname(self, name: &str, target: &str) -> Self {
        self.record(name, RData::CNAME(CNAME(name_of(target))))
    }

    /// Adds a PTR record at a name of the reverse zones.
    #[must_use]
    pub fn ptr(self, name: &str, target: &str) -> Self {
        self.record(name, RData::PTR(PTR(name_of(target))))
    }

    /// Lets every answer for a name go wrong.
    #[must_use]
    pub fn fault(mut self, name: &str, fault: Fault) -> Self {
        self.faults.insert(name_of(name), fault);
        self
    }

    /// Lets every answer go wrong.
    #[must_use]
    pub fn fault_everywhere(mut self, fault: Fault) -> Self {
        self.fault_everywhere = Some(fault);
        self
    }

    /// Lets a name be silent for the types it has no records of.
    #[must_use]
    pub fn silent(mut self, name: &str) -> Self {
        self.silent.push(name_of(name));
        self
    }

    fn exists(&self, name: &Name) -> bool {
        self.records.keys().any(|(owner, _)| name.zone_of(owner))
    }

    /// The answer without faults; nothing where the name is silent.
    fn answer(&self, request: &Message, query: &Query) -> Option<Message> {
        let mut response = Message::response(request.metadata.id, OpCode::Query);
        response.metadata.recursion_desired = request.metadata.recursion_desired;
        response.metadata.recursion_available = true;
        response.add_query(query.clone());
        let mut name = query.name().clone();
        // A loop of aliases is served once around.
        for _ in 0..=self.records.len() {
            if let Some(records) = self.records.get(&(name.clone(), query.query_type())) {
                let record = |data: &RData| Record::from_rdata(name.clone(), self.ttl, data.clone());
                response.add_answers(records.iter().map(record));
                return Some(response);
            }
            let Some([RData::CNAME(target)]) =
                self.records.get(&(name.clone(), RecordType::CNAME)).map(Vec::as_slice)
            else {
                break;
            };
            if response.answers.iter().any(|record| record.name == name) {
                return Some(response);
            }
            response.add_answer(Record::from_rdata(name.clone(), self.ttl, RData::CNAME(target.clone())));
            name = target.0.clone();
        }
        if self.silent.contains(&name) {
            return None;
        }
        if !self.exists(&name) {
            response.metadata.response_code = ResponseCode::NXDomain;
        }
        let soa = SOA::new(Name::root(), Name::root(), 1, 3600, 600, 86_400, self.negative_ttl);
        response.add_authority(Record::from_rdata(Name::root(), self.negative_ttl, RData::SOA(soa)));
        Some(response)
    }
}

/// A name from labels separated by dots, raw; a trailing dot is allowed, the empty text is the root.
pub fn name_of(text: &str) -> Name {
    let text = text.strip_suffix('.').unwrap_or(text);
    let labels = text.split('.').filter(|label| !label.is_empty());
    Name::from_labels(labels.map(str::as_bytes)).unwrap()
}

/// A running server. It ends with this value.
pub struct Server {
    address: SocketAddr,
    script: Arc<Script>,
    tasks: Vec<JoinHandle<()>>,
}

struct Script {
    zone: Mutex<Zone>,
    /// How many queries came for each name and type, over UDP and TCP together.
    counts: watch::Sender<HashMap<(Name, RecordType), usize>>,
}

impl Server {
    /// Serves the zone on a free port of 127.0.0.1.
    pub async fn start(zone: Zone) -> Self {
        Self::serve(sockets().await, zone)
    }

    /// Serves the zone where a server was that has ended.
    pub async fn start_at(address: SocketAddr, zone: Zone) -> Self {
        let tcp = TcpListener::bind(address).await.unwrap();
        Self::serve((UdpSocket::bind(address).await.unwrap(), tcp), zone)
    }

    fn serve((udp, tcp): (UdpSocket, TcpListener), zone: Zone) -> Self {
        let address = udp.local_addr().unwrap();
        let script = Arc::new(Script { zone: Mutex::new(zone), counts: watch::Sender::default() });
        let tasks = vec![
            tokio::spawn(serve_udp(Arc::new(udp), Arc::clone(&script))),
            tokio::spawn(serve_tcp(tcp, Arc::clone(&script))),
        ];
        Self { address, script, tasks }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many queries came for a name and type.
    pub fn count(&self, name: &str, record_type: RecordType) -> usize {
        self.script.counts.borrow().get(&(name_of(name), record_type)).copied().unwrap_or(0)
    }

    /// How many queries came in all.
    pub fn total(&self) -> usize {
        self.script.counts.borrow().values().sum()
    }

    /// Waits until that many queries came for a name and type.
    pub async fn asked(&self, name: &str, record_type: RecordType, count: usize) {
        let key = (name_of(name), record_type);
        let enough = |counts: &HashMap<_, usize>| counts.get(&key).copied().unwrap_or(0) >= count;
        self.script.counts.subscribe().wait_for(enough).await.unwrap();
    }

    /// Serves another zone from now on.
    pub fn replace(&self, zone: Zone) {
        *self.script.zone.lock().unwrap() = zone;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// An address at which nothing listens.
pub async fn nowhere() -> SocketAddr {
    sockets().await.0.local_addr().unwrap()
}

/// A UDP and a TCP socket on the same port.
async fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        // The port may be taken for UDP; then another is tried.
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

async fn serve_udp(socket: Arc<UdpSocket>, script: Arc<Script>) {
    let mut buffer = [0; 4096];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        let Ok(request) = Message::from_vec(&buffer[..length]) else { continue };
        let (socket, script) = (Arc::clone(&socket), Arc::clone(&script));
        tokio::spawn(async move {
            for response in script.play(&request, Transport::Udp).await {
                socket.send_to(&response, peer).await.unwrap();
            }
        });
    }
}

async fn serve_tcp(listener: TcpListener, script: Arc<Script>) {
    while let Ok((stream, _)) = listener.accept().await {
        let script = Arc::clone(&script);
        tokio::spawn(async move {
            // A client that goes away is no concern of the server's.
            let _ = serve_connection(stream, &script).await;
        });
    }
}

async fn serve_connection(mut stream: TcpStream, script: &Script) -> std::io::Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut buffer = vec![0; length.into()];
        stream.read_exact(&mut buffer).await?;
        let Ok(request) = Message::from_vec(&buffer) else { return Ok(()) };
        let responses = script.play(&request, Transport::Tcp).await;
        if responses.is_empty() {
            return Ok(());
        }
        for response in responses {
            stream.write_u16(u16::try_from(response.len()).unwrap()).await?;
            stream.write_all(&response).await?;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

impl Script {
    /// The messages that answer a request, when it is time to send them.
    async fn play(&self, request: &Message, transport: Transport) -> Vec<Vec<u8>> {
        let [query] = request.queries.as_slice() else { return Vec::new() };
        let key = (query.name().to_lowercase(), query.query_type());
        self.counts.send_modify(|counts| *counts.entry(key.clone()).or_default() += 1);
        let (fault, answer) = {
            let zone = self.zone.lock().unwrap();
            let fault = zone.faults.get(&key.0).or(zone.fault_everywhere.as_ref());
            (fault.cloned(), zone.answer(request, query))
        };
        let Some(answer) = answer else { return Vec::new() };
        let has_edns = request.edns.is_some();
        let messages = match fault {
            Some(Fault::Truncate | Fault::TruncateAndClose) if transport == Transport::Udp => {
                vec![answer.truncate()]
            }
            Some(Fault::NoEdns(code)) if has_edns => {
                let mut message = bare(request, query, code);
                // RFC 6891, 6.1.3: the upper eight bits of an extended RCODE are in the OPT record.
                if let Ok(high @ 1..) = u8::try_from(u16::from(code) >> 4) {
                    let mut edns = Edns::new();
                    edns.set_rcode_high(high);
                    message.set_edns(edns);
                }
                return vec![message.to_vec().unwrap()];
            }
            Some(Fault::NoEdnsHeaderAlone(code)) if has_edns => {
                let message = Message::error_msg(request.metadata.id, OpCode::Query, code);
                return vec![message.to_vec().unwrap()];
            }
            Some(Fault::NoEdnsDrop) if has_edns => vec![],
            None
            | Some(Fault::Truncate | Fault::NoEdns(_) | Fault::NoEdnsHeaderAlone(_) | Fault::NoEdnsDrop) => {
                vec![answer]
            }
            Some(Fault::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                vec![answer]
            }
            Some(Fault::Drop | Fault::TruncateAndClose) => vec![],
            Some(Fault::Code(code)) => vec![bare(request, query, code)],
            Some(Fault::Referral) => vec![referral(request, query)],
            Some(Fault::WrongId) => vec![with_other_id(&answer)],
            Some(Fault::SpoofedFirst) => {
                let spoofed = spoof(&answer);
                vec![with_other_id(&spoofed), to_other_question(&spoofed), answer]
            }
        };
        let room = match (transport, &request.edns) {
            (Transport::Udp, Some(edns)) => usize::from(edns.max_payload()),
            (Transport::Udp, None) => 512,
            (Transport::Tcp, _) => usize::MAX,
        };
        messages.into_iter().map(|message| fit(message, request, room)).collect()
    }
}

/// A server beside a test that blocks.
pub struct Dns {
    server: Server,
    _runtime: Runtime,
}

impl Dns {
    /// Serves this zone.
    pub fn start(zone: Zone) -> Self {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { server: runtime.block_on(Server::start(zone)), _runtime: runtime }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// How many queries came in all.
    pub fn total(&self) -> usize {
        self.server.total()
    }
}

/// The message on the wire, truncated if it is larger than the client can take.
fn fit(mut message: Message, request: &Message, room: usize) -> Vec<u8> {
    if request.edns.is_some() {
        message.set_edns(Edns::new());
    }
    let wire = message.to_vec().unwrap();
    if wire.len() > room { message.truncate().to_vec().unwrap() } else { wire }
}

fn bare(request: &Message, query: &Query, code: ResponseCode) -> Message {
    let mut message = Message::new(request.metadata.id, MessageType::Response, OpCode::Query);
    message.metadata.response_code = code;
    message.add_query(query.clone());
    message
}

fn referral(request: &Message, query: &Query) -> Message {
    let mut message = bare(request, query, ResponseCode::NoError);
    let server = NS(name_of("ns.example"));
    message.add_authority(Record::from_rdata(query.name().base_name(), 300, RData::NS(server)));
    message
}

fn with_other_id(message: &Message) -> Message {
    let mut message = message.clone();
    message.metadata.id = message.metadata.id.wrapping_add(1);
    message
}

fn to_other_question(message: &Message) -> Message {
    let mut message = message.clone();
    message.queries = vec![Query::query(name_of("spoofed.example"), RecordType::TXT)];
    message
}

/// The same message with records that authorise everybody.
fn spoof(message: &Message) -> Message {
    let mut message = message.clone();
    for record in &mut message.answers {
        record.data = RData::TXT(TXT::new(vec!["v=spf1 +all".to_owned()]));
    }
    message
}
