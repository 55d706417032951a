//! What is known of one server: whether it can do with EDNS, and whether it answers at all.
//!
//! # EDNS
//!
//! Queries carry an OPT record (RFC 6891). A server that answers one with FORMERR, NOTIMP or BADVERS is asked the same
//! again without (RFC 6891, 7), and so is one that answers SERVFAIL, which RFC 2671, 5.3 allowed, unless it is known to
//! do EDNS. Where the plain query does better, the server is asked plainly for a quarter of an hour. A server that was
//! not heard to do EDNS for as long may drop such queries in silence: the last of several tries is a plain one.
//!
//! # Servers that are down
//!
//! That a question goes unanswered says little about the server, since the domain may be dead, or one packet lost.
//! So a server that lets a try wait is *probed* with a question that every recursive server answers by itself: for the
//! servers of the root. It is *down* when the probe goes unanswered for as long as a try may take, or finds nothing
//! listening; then it is probed every second. Whatever it replies, to a probe or to a question, in time or late, it is
//! up again at once.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::time::{Instant, sleep, timeout};

use super::Question;
use super::reply::BADVERS;
use super::wire::{Manner, Trouble, exchange};

/// How long it is remembered whether a server does EDNS.
const MEMORY: Duration = Duration::from_mins(15);

/// The time between probes of a server that is down.
const REST: Duration = Duration::from_secs(1);

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    mixed_case: bool,
    /// The time in which a probe must be answered.
    timeout: Duration,
    /// The time after which a try without a reply casts doubt on it.
    doubtful: Duration,
    /// Whether it does EDNS, and until when that is remembered.
    edns: Mutex<Option<(bool, Instant)>>,
    is_down: AtomicBool,
    is_probed: AtomicBool,
}

impl Server {
    pub(super) fn new(address: SocketAddr, mixed_case: bool, timeout: Duration, doubtful: Duration) -> Self {
        Self {
            address,
            mixed_case,
            timeout,
            doubtful,
            edns: Mutex::default(),
            is_down: AtomicBool::new(false),
            is_probed: AtomicBool::new(false),
        }
    }

    /// Whether it does not answer at the moment.
    pub(super) fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }

    /// Whether it is not certain that it answers.
    pub(super) fn is_doubtful(&self) -> bool {
        self.is_probed.load(Ordering::Relaxed)
    }

    /// The reply to a question; `is_last` says that an earlier try was not answered and there will be no other.
    pub(super) async fn ask(
        self: &Arc<Self>,
        question: &Question,
        is_last: bool,
    ) -> Result<Message, Trouble> {
        let mut asking = pin!(self.ask_as_it_can(question, is_last));
        let found = if let Ok(found) = timeout(self.doubtful, &mut asking).await {
            found
        } else {
            self.doubt();
            asking.await
        };
        if matches!(found, Err(Trouble::Unreachable(_))) {
            self.doubt();
        }
        found
    }

    /// The same, with EDNS or without.
    async fn ask_as_it_can(&self, question: &Question, is_last: bool) -> Result<Message, Trouble> {
        let known = self.does_edns();
        if known == Some(false) || (known.is_none() && is_last) {
            let plain = self.exchange(question, false).await?;
            if self.does_edns().is_none() {
                self.learn(false);
            }
            return Ok(plain);
        }
        let reply = self.exchange(question, true).await?;
        let is_refusal = is_refusal_of_edns(&reply);
        if reply.edns.is_some() && !is_refusal {
            self.learn(true);
        }
        let failed = reply.metadata.response_code == ResponseCode::ServFail;
        if !is_refusal && (!failed || self.does_edns() == Some(true)) {
            return Ok(reply);
        }
        let plain = self.exchange(question, false).await?;
        if plain.metadata.response_code != reply.metadata.response_code {
            self.learn(false);
        }
        Ok(plain)
    }

    async fn exchange(&self, question: &Question, edns: bool) -> Result<Message, Trouble> {
        let found = exchange(self.address, question, Manner { edns, mixed_case: self.mixed_case }).await;
        if !matches!(found, Err(Trouble::Unreachable(_))) {
            self.is_down.store(false, Ordering::Relaxed);
        }
        found
    }

    fn does_edns(&self) -> Option<bool> {
        let known = *self.edns.lock().unwrap_or_else(PoisonError::into_inner);
        known.filter(|(_, until)| *until > Instant::now()).map(|(does, _)| does)
    }

    fn learn(&self, does: bool) {
        let known = Some((does, Instant::now() + MEMORY));
        *self.edns.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// Finds out, in a task of its own, whether it is down.
    fn doubt(self: &Arc<Self>) {
        if !self.is_probed.swap(true, Ordering::Relaxed) {
            tokio::spawn(probe(Arc::downgrade(self)));
        }
    }
}

/// Probes a server until it answers, or nobody has a use for it any more.
async fn probe(server: Weak<Server>) {
    while let Some(server) = server.upgrade() {
        let question = (Name::root(), RecordType::NS);
        let found = timeout(server.timeout, server.exchange(&question, false)).await;
        let is_down = matches!(found, Err(_) | Ok(Err(Trouble::Unreachable(_))));
        server.is_down.store(is_down, Ordering::Relaxed);
        if !is_down {
            return server.is_probed.store(false, Ordering::Relaxed);
        }
        drop(server);
        sleep(REST).await;
    }
}

/// Whether a reply may mean that the server does not know what an OPT record is (RFC 6891, 7), or which version.
fn is_refusal_of_edns(reply: &Message) -> bool {
    let code = reply.metadata.response_code;
    matches!(code, ResponseCode::FormErr | ResponseCode::NotImp) || u16::from(code) == BADVERS
}
