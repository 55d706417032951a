//! The DNS servers: which is asked when.
//!
//! A question is asked in rounds (`dns.attempts`). In each, every server is asked once: the next one when the last has
//! failed, or when it was not heard from for its share of `dns.timeout`. All that were asked are listened to until the
//! end.
//!
//! - A try ends at once where nothing listens at the server or no route leads there, and the next begins. A round in which
//!   that happened is followed by a *pause*, an eighth of `dns.timeout`, so that a server that is being restarted
//!   costs no answer.
//! - Servers that are down (see `server`) are asked after all others.
//! - Where all are down, no question waits for longer than a pause a round. It is asked all the same: a server that is
//!   back answers it, and a late answer still serves the next message.
//! - That no server answers says nothing about the name, so it is forgotten after two seconds ([`OUTAGE`]).

use std::io;
use std::iter::Peekable;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::vec::IntoIter;

use hickory_resolver::net::NetError;
use hickory_resolver::system_conf::read_system_conf;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::server::Server;
use super::wire::Trouble;
use super::{LATE, Question, Reply, Settings, reply};

/// How long it is remembered that a question has no answer when no server is known to answer any.
const OUTAGE: Duration = Duration::from_secs(2);

/// Which part of the time of a try a pause is.
const PAUSE: u32 = 8;

/// Why there can be no resolver.
#[derive(Debug, thiserror::Error)]
#[error("the system's resolv.conf: {0}")]
pub struct SetupError(#[source] NetError);

/// The servers in the order of asking.
#[derive(Debug)]
pub(super) struct Upstream {
    servers: Vec<Arc<Server>>,
    rounds: u32,
    /// The time in which the answer to a try must come.
    timeout: Duration,
    failure_ttl: Duration,
}

/// One query to one server.
#[derive(Clone, Debug)]
struct Try {
    server: Arc<Server>,
    round: u32,
    /// Whether it follows others and none follows it.
    is_last: bool,
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
    /// The query did not arrive.
    Unreachable(String),
}

/// Why a question has no answer.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) cause: String,
    /// How long that is remembered.
    pub(super) lifetime: Duration,
}

impl Upstream {
    /// The servers of the settings, or of the system.
    pub(super) fn new(settings: &Settings) -> Result<Self, SetupError> {
        let addresses =
            if settings.servers.is_empty() { system_servers()? } else { settings.servers.clone() };
        let doubtful = share(settings.timeout, addresses.len()) / 2;
        let server = |address| Server::new(address, settings.case_randomization, settings.timeout, doubtful);
        Ok(Self {
            servers: addresses.into_iter().map(|address| Arc::new(server(address))).collect(),
            rounds: u32::try_from(settings.attempts).unwrap_or(u32::MAX).max(1),
            timeout: settings.timeout,
            failure_ttl: settings.failure_ttl,
        })
    }

    /// Begins to ask.
    pub(super) fn ask(&self, question: &Question) -> Asking<'_> {
        let (down, up): (Vec<_>, Vec<_>) = self.servers.iter().cloned().partition(|server| server.is_down());
        let is_outage = up.is_empty();
        let (first, after) = if is_outage { (down, Vec::new()) } else { (up, down) };
        let pause = self.timeout / PAUSE;
        let of_round = if is_outage { pause } else { self.timeout };
        let patience = of_round.saturating_mul(self.rounds);
        let step = share(of_round, first.len());
        let last = self.rounds - 1;
        let mut tries = Vec::new();
        for round in 0..self.rounds {
            let is_last = round > 0 && round == last;
            tries.extend(first.iter().cloned().map(|server| Try { server, round, is_last }));
        }
        tries.extend(after.into_iter().map(|server| Try { server, round: last, is_last: false }));
        Asking {
            question: question.clone(),
            upstream: self,
            tries: tries.into_iter().peekable(),
            round: 0,
            next: Instant::now(),
            // The administrator's word on how long a try may take; in an outage, whatever comes in time is welcome.
            timely: if is_outage { patience } else { self.timeout },
            patience,
            step,
            pause,
            listening: JoinSet::new(),
            replied: Vec::new(),
            first_cause: None,
            late: None,
        }
    }

    /// How long it is remembered that a question has no answer, whether a server replied to it or not.
    fn failure_lifetime(&self, replied: bool) -> Duration {
        // A server that is not down answers a probe before a question is given up.
        let is_outage = !replied && self.servers.iter().all(|server| server.is_doubtful());
        if is_outage { self.failure_ttl.min(OUTAGE) } else { self.failure_ttl }
    }
}

/// The part of a time that one of so many servers has.
fn share(time: Duration, servers: usize) -> Duration {
    time / u32::try_from(servers).unwrap_or(u32::MAX).max(1)
}

/// A question being asked.
pub(super) struct Asking<'a> {
    question: Question,
    upstream: &'a Upstream,
    tries: Peekable<IntoIter<Try>>,
    /// The round of the latest try.
    round: u32,
    /// When the next try begins.
    next: Instant,
    /// What takes longer is late.
    timely: Duration,
    patience: Duration,
    step: Duration,
    pause: Duration,
    listening: JoinSet<Outcome>,
    /// Servers that replied, but without an answer.
    replied: Vec<SocketAddr>,
    first_cause: Option<String>,
    late: Option<Reply>,
}

impl Asking<'_> {
    /// The first answer that comes within the time of its try; if all tries have failed, why the first did.
    pub(super) async fn in_time(&mut self) -> Result<Reply, Unanswered> {
        let patience = self.patience;
        let cause = match timeout(patience, self.first_answer()).await {
            Ok(Ok(reply)) => return Ok(reply),
            Ok(Err(cause)) => cause,
            // Where no server was heard, what the kernel says of one is worth more than how long the wait was.
            Err(_) => {
                let cause = self.first_cause.take().filter(|_| self.replied.is_empty());
                cause.unwrap_or_else(|| format!("no answer within {patience:?}"))
            }
        };
        Err(Unanswered { cause, lifetime: self.upstream.failure_lifetime(!self.replied.is_empty()) })
    }

    async fn first_answer(&mut self) -> Result<Reply, String> {
        loop {
            while self.tries.next_if(|next| self.replied.contains(&next.server.address)).is_some() {}
            // A timer would add up to a millisecond to each question.
            if self.next <= Instant::now() {
                self.begin();
            }
            tokio::select! {
                Some(joined) = self.listening.join_next() => {
                    if let Some(reply) = self.heard(joined) {
                        return Ok(reply);
                    }
                }
                () = sleep_until(self.next), if self.tries.peek().is_some() => self.begin(),
                else => return Err(self.first_cause.take().unwrap_or_else(|| "no server to ask".to_owned())),
            }
        }
    }

    /// Begins the next try.
    fn begin(&mut self) {
        if let Some(next) = self.tries.next() {
            self.round = next.round;
            self.next = Instant::now() + self.step;
            let longest = self.upstream.timeout.saturating_mul(self.upstream.rounds) + LATE;
            self.listening.spawn(next.ask(self.question.clone(), longest));
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

    /// The answer, if it came in time; what takes longer is for those who ask next. After a failure the next try begins at
    /// once, but a round after one in which a server was unreachable.
    fn heard(&mut self, joined: Result<Outcome, JoinError>) -> Option<Reply> {
        let mut next = Instant::now();
        let cause = match joined {
            Ok(Outcome { result: Ok(reply), took, .. }) if took <= self.timely => return Some(reply),
            Ok(Outcome { result: Ok(reply), took, server }) => {
                self.replied.push(server);
                self.late = Some(reply);
                format!("the answer took {took:.1?}")
            }
            Ok(Outcome { result: Err(Failure::Reply(cause)), server, .. }) => {
                self.replied.push(server);
                cause
            }
            Ok(Outcome { result: Err(Failure::NoReply(cause)), .. }) => cause,
            Ok(Outcome { result: Err(Failure::Unreachable(cause)), .. }) => {
                if self.tries.peek().is_some_and(|following| following.round > self.round) {
                    next += self.pause;
                }
                cause
            }
            Err(broken) => broken.to_string(),
        };
        self.next = self.next.min(next);
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
    /// Asks, and listens for so long: none that is late is missed.
    async fn ask(self, question: Question, longest: Duration) -> Outcome {
        let asked = Instant::now();
        let server = self.server.address;
        let result = match timeout(longest, self.server.ask(&question, self.is_last)).await {
            Ok(Ok(message)) => reply::answer(&message, &question).map_err(Failure::Reply),
            Ok(Err(why @ Trouble::Unreachable(_))) => Err(Failure::Unreachable(format!("{server}: {why}"))),
            Ok(Err(other)) => Err(Failure::NoReply(other.to_string())),
            Err(_) => Err(Failure::NoReply("no answer".to_owned())),
        };
        Outcome { server, took: asked.elapsed(), result }
    }
}
