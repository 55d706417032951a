//! The milter protocol: listeners, connections and the events of an MTA, without any policy.
//!
//! The daemon hands over [services](Service), each with a closure that begins a [`Conversation`] when a client has
//! connected to the MTA, and [`serve`] does the rest. The protocol itself is indymilter's, which this module alone names. What
//! lies around it is ours, each in its file:
//!
//! - `socket`: what we listen on; `listener`: accepting; `gate`: how many; `trouble`: a quiet log; `traffic`: what it adds up to;
//! - `stream`: one connection, with its time limits (`patience`) and the two directions of frames (`inbound`,
//!   `outbound`); `frame`: their form;
//! - `negotiation`: what we ask of the MTA; `callbacks`: glue; `conversation`: what the daemon implements.
//!
//! Invariants: no event is answered that the MTA does not expect an answer to, and none is left unanswered that it
//! does. A message with one recipient costs two awaited replies on an MTA that grants our wishes, and three while somebody
//! must be turned away at MAIL. No peer holds a connection longer than the limits say, and none ends the service for the others.

mod callbacks;
mod conversation;
mod frame;
mod gate;
mod inbound;
mod listener;
mod negotiation;
mod occupants;
mod outbound;
mod patience;
mod socket;
mod stream;
mod traffic;
mod trouble;

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use conversation::{Answer, Connect, Conversation, Mail, Rcpt};
pub use gate::Limits;
pub use socket::{Address, BindError, Bound, Handed};
pub use traffic::Traffic;

use gate::Gate;
use listener::Accepted;

/// How far we are from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Serving,
    /// Nobody is let in; the open connections go on, as an MTA takes a closed one for a failure of the next message.
    Draining,
    /// The open connections are closed.
    Closing,
}

/// A listener, and what it is for.
#[derive(Debug)]
pub struct Service<F, W> {
    /// The listener.
    pub bound: Bound,
    /// Begins its conversations.
    pub begin: F,
    /// Says what a connection that opens now should be told of.
    pub wishes: W,
}

/// What an MTA tells and allows only those who ask for it.
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Recipients that the MTA itself refuses.
    pub refused: bool,
    /// The bodies of messages, each until nobody wants more of it.
    pub body: bool,
    /// To have a say at MAIL, which costs each message one more reply that the MTA waits for.
    pub mail: bool,
    /// To change recipients, which takes a right that some would rather not give.
    pub recipients: bool,
}

/// Serves the MTAs until `shutdown`, and then the open connections for at most `limits.drain_time` longer.
///
/// The listeners are closed as soon as `shutdown` is there, and the files of Unix sockets removed, unless both belong to
/// whoever handed them over; this function returns when the last connection is closed. Connections are counted in
/// `traffic`.
pub async fn serve<C, F, W>(
    services: Vec<Service<F, W>>,
    limits: Limits,
    traffic: Arc<Traffic>,
    shutdown: impl Future<Output = ()>,
) where
    C: Conversation,
    F: Fn(Connect) -> C + Send + Sync + 'static,
    W: Fn() -> Wishes + Send + Sync + 'static,
{
    let gate = Gate::new(limits, traffic);
    let (stage, _) = watch::channel(Stage::Serving);
    let mut sessions = JoinSet::new();
    let mut sockets = Vec::new();
    for Service { bound, begin, wishes } in services {
        let (sender, receiver) = mpsc::channel(1);
        sockets.push((bound, sender));
        let closing = reached(&stage, Stage::Closing);
        sessions.spawn(indymilter::run(
            Accepted(receiver),
            callbacks::callbacks(begin, wishes),
            config(limits),
            closing,
        ));
    }
    tokio::select! {
        () = shutdown => {}
        () = listener::accept(sockets, Arc::clone(&gate), || Box::pin(reached(&stage, Stage::Closing))) => {}
    }
    stage.send_replace(Stage::Draining);
    if timeout(limits.drain_time, gate.empty()).await.is_err() {
        tracing::warn!(
            open = gate.open(),
            "closing connections that were open at the end of limits.drain_time"
        );
    }
    stage.send_replace(Stage::Closing);
    // A session in the middle of a decision ends after it. Decisions have a time limit; this is for those that do not.
    let ended = async { while sessions.join_next().await.is_some() {} };
    if timeout(limits.frame_time, ended).await.is_err() {
        tracing::error!(open = gate.open(), "connections are still open; leaving them");
    }
}

/// Waits for a stage.
fn reached(stage: &watch::Sender<Stage>, wanted: Stage) -> impl Future<Output = ()> + Send + 'static {
    let mut stage = stage.subscribe();
    async move {
        // The sender is gone when `serve` was dropped, which is no reason to break off a session.
        if stage.wait_for(|&stage| stage >= wanted).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The library's limits, out of the way of ours.
fn config(limits: Limits) -> indymilter::Config {
    indymilter::Config {
        max_connections: Semaphore::MAX_PERMITS,
        connection_timeout: limits.idle_time.saturating_add(limits.frame_time).saturating_mul(2),
        ..indymilter::Config::default()
    }
}
