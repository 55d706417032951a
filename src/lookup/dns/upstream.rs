//! The DNS servers: which is asked when, and what their replies mean. The wire is hickory's.

use std::future::Future;
use std::io;
use std::iter::Peekable;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ProtocolConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::udp::UdpClientStream;
use hickory_resolver::net::xfer::DnsExchange;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{ConnectionProvider, PoolContext};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};

use super::{LATE, Question, Reply, Settings};
use crate::spf::NotFound;

/// How long an answer is remembered: by its TTL, but so that one message costs one query (TTL 0), and that a mistake
/// in a zone is not kept for a week.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(1);

/// Why there can be no resolver.
#[derive(Debug, thiserror::Error)]
#[error("the system's resolv.conf: {0}")]
pub struct SetupError(#[source] NetError);

/// The servers in the order of asking.
#[derive(Debug)]
pub(super) struct Upstream {
    tries: Vec<Try>,
    /// The time in which the answer to a try must come.
    timeout: Duration,
    /// The time after which the next try begins while the earlier ones still listen.
    step: Duration,
}

/// One query to one server.
#[derive(Clone)]
struct Try {
    server: SocketAddr,
    /// Each try has a resolver of its own, because hickory joins equal queries within one.
    resolver: hickory_resolver::Resolver<OneDatagram>,
}

impl std::fmt::Debug for Try {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.server.fmt(f)
    }
}

/// What came of a try.
struct Outcome {
    server: SocketAddr,
    took: Duration,
    result: Result<Reply, Failure>,
}

/// Why a try brought no answer.
enum Failure {
    /// The server replied that it does not know; it need not be asked again.
    Reply(String),
    /// There was no reply to read.
    NoReply(String),
}

impl Upstream {
    /// The servers of the settings, or of the system.
    pub(super) fn new(settings: &Settings) -> Result<Self, SetupError> {
        let servers = if settings.servers.is_empty() { system_servers()? } else { settings.servers.clone() };
        let rounds = std::iter::repeat_n(&servers, settings.attempts.max(1));
        let tries = rounds.flatten().map(|&server| Try::new(server, settings)).collect::<Result<_, _>>();
        let step = settings.timeout / u32::try_from(servers.len()).unwrap_or(u32::MAX);
        Ok(Self { tries: tries.map_err(SetupError)?, timeout: settings.timeout, step })
    }

    /// Begins to ask.
    pub(super) fn ask(&self, question: &Question) -> Asking<'_> {
        Asking {
            question: question.clone(),
            upstream: self,
            tries: self.tries.iter().peekable(),
            listening: JoinSet::new(),
            ignorant: Vec::new(),
            first_cause: None,
            late: None,
        }
    }
}

/// A question being asked. Servers are asked in turn, the next one when the last has failed or was not heard of for a
/// while; all asked are listened to until the end.
pub(super) struct Asking<'a> {
    question: Question,
    upstream: &'a Upstream,
    tries: Peekable<std::slice::Iter<'a, Try>>,
    listening: JoinSet<Outcome>,
    /// Servers that replied, but without an answer.
    ignorant: Vec<SocketAddr>,
    first_cause: Option<String>,
    late: Option<Reply>,
}

impl Asking<'_> {
    /// The first answer that comes within the time of its try; if all tries have failed, why the first did.
    pub(super) async fn in_time(&mut self) -> Result<Reply, String> {
        loop {
            if let Some(next) = self.tries.find(|next| !self.ignorant.contains(&next.server)) {
                self.listening.spawn(next.clone().ask(self.question.clone()));
            }
            tokio::select! {
                Some(joined) = self.listening.join_next() => {
                    if let Some(reply) = self.heard(joined) {
                        return Ok(reply);
                    }
                }
                () = sleep(self.upstream.step), if self.tries.peek().is_some() => {}
                else => return Err(self.first_cause.take().unwrap_or_else(|| "no server to ask".to_owned())),
            }
        }
    }

    /// The answer that came too late for [`Asking::in_time`], or still comes.
    pub(super) async fn late(&mut self) -> Option<Reply> {
        loop {
            if let Some(reply) = self.late.take() {
                return Some(reply);
            }
            let joined = self.listening.join_next().await?;
            if let Some(reply) = self.heard(joined) {
                return Some(reply);
            }
        }
    }

    /// The answer, if it came in time.
    fn heard(&mut self, joined: Result<Outcome, JoinError>) -> Option<Reply> {
        let cause = match joined {
            Ok(Outcome { result: Ok(reply), took, .. }) if took <= self.upstream.timeout => {
                return Some(reply);
            }
            Ok(Outcome { result: Ok(reply), took, .. }) => {
                self.late = Some(reply);
                format!("the answer took {took:.1?}")
            }
            Ok(Outcome { result: Err(Failure::Reply(cause)), server, .. }) => {
                self.ignorant.push(server);
                cause
            }
            Ok(Outcome { result: Err(Failure::NoReply(cause)), .. }) => cause,
            Err(broken) => broken.to_string(),
        };
        self.first_cause.get_or_insert(cause);
        None
    }
}

/// The servers of the system's resolv.conf.
fn system_servers() -> Result<Vec<SocketAddr>, SetupError> {
    let (configuration, _) = read_system_conf().map_err(SetupError)?;
    let servers: Vec<_> =
        configuration.name_servers().iter().map(|server| SocketAddr::new(server.ip, 53)).collect();
    if servers.is_empty() {
        return Err(SetupError(io::Error::other("it names no server").into()));
    }
    Ok(servers)
}

impl Try {
    fn new(server: SocketAddr, settings: &Settings) -> Result<Self, NetError> {
        let connections = [ProtocolConfig::Udp, ProtocolConfig::Tcp].map(|protocol| {
            let mut connection = ConnectionConfig::new(protocol);
            connection.port = server.port();
            connection
        });
        let server_config = NameServerConfig::new(server.ip(), true, connections.into());
        let configuration = ResolverConfig::from_name_servers(vec![server_config]);
        let mut builder =
            hickory_resolver::Resolver::builder_with_config(configuration, OneDatagram::default());
        let options = builder.options_mut();
        options.use_hosts_file = ResolveHosts::Never;
        options.cache_size = 0;
        // Tries are counted here. Each listens to the end, so that no late answer is missed.
        options.attempts = 0;
        options.timeout = settings.patience() + LATE;
        options.case_randomization = settings.case_randomization;
        Ok(Self { server, resolver: builder.build()? })
    }

    async fn ask(self, (mut name, record_type): Question) -> Outcome {
        // hickory would try the search list for anything else.
        name.set_fqdn(true);
        let asked = Instant::now();
        let found = self.resolver.lookup(name, record_type).await;
        let result =
            found.map_or_else(|error| without_records(&error), |found| with_records(&found, record_type));
        Outcome { server: self.server, took: asked.elapsed(), result }
    }
}

fn with_records(found: &Lookup, record_type: RecordType) -> Result<Reply, Failure> {
    let code = found.message().metadata.response_code;
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return Err(Failure::Reply(code_name(code)));
    }
    let answers = found.answers();
    let records: Vec<_> = answers
        .iter()
        .filter(|record| record.record_type() == record_type)
        .map(|record| record.data.clone())
        .collect();
    // The records of aliases on the way count: where they point to holds no longer than they do.
    let ttl = answers.iter().map(|record| record.ttl).min().unwrap_or(0);
    let answer = if records.is_empty() { Err(NotFound::NoRecords) } else { Ok(records.into()) };
    Ok(Reply { answer, lifetime: lifetime(ttl) })
}

/// Tells "there are none" from "nobody knows": only NXDOMAIN and NODATA say the former (RFC 7208, 4.4 and 5).
fn without_records(error: &NetError) -> Result<Reply, Failure> {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) if is_referral(none) => {
            Err(Failure::Reply("a referral, which no recursive server gives".to_owned()))
        }
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => {
                // RFC 2308, 5: the SOA record says how long; without it, nothing may be remembered.
                let lifetime = lifetime(none.negative_ttl.unwrap_or(0));
                Ok(Reply { answer: Err(NotFound::NoRecords), lifetime })
            }
            code => Err(Failure::Reply(code_name(code))),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => Err(Failure::Reply(code_name(*code))),
        NetError::Timeout => Err(Failure::NoReply("no answer".to_owned())),
        other => Err(Failure::NoReply(other.to_string())),
    }
}

/// RFC 2308, 2.2.1: NS records without an SOA record in an empty answer refer to other servers, and say nothing about
/// the name.
fn is_referral(none: &NoRecords) -> bool {
    none.response_code == ResponseCode::NoError && none.ns.is_some() && none.soa.is_none()
}

fn lifetime(ttl: u32) -> Duration {
    Duration::from_secs(ttl.into()).clamp(SHORTEST, LONGEST)
}

/// The mnemonic of a response code (RFC 1035, 4.1.1; RFC 6895, 2.3).
fn code_name(code: ResponseCode) -> String {
    match code {
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        other => format!("RCODE {}", u16::from(other)),
    }
}

/// hickory's connections, but that a UDP query is one datagram: hickory would send it again every third of a second,
/// while a recursive server may well need longer, and repeats itself to its own servers.
#[derive(Clone, Default)]
struct OneDatagram(TokioRuntimeProvider);

impl ConnectionProvider for OneDatagram {
    type Conn = DnsExchange<TokioRuntimeProvider>;
    type FutureConn = Pin<Box<dyn Future<Output = Result<Self::Conn, NetError>> + Send>>;
    type RuntimeProvider = TokioRuntimeProvider;

    fn new_connection(
        &self,
        ip: IpAddr,
        config: &ConnectionConfig,
        cx: &PoolContext,
    ) -> Result<Self::FutureConn, NetError> {
        if config.protocol != ProtocolConfig::Udp {
            return self.0.new_connection(ip, config, cx);
        }
        let stream = UdpClientStream::builder(SocketAddr::new(ip, config.port), self.0.clone())
            .with_timeout(Some(cx.options.timeout))
            .with_max_retries(1);
        Ok(Box::pin(async move { Ok(stream.exchange()) }))
    }

    fn runtime_provider(&self) -> &Self::RuntimeProvider {
        &self.0
    }
}
