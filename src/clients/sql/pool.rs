//! A few connections to one server.
//!
//! A connection is kept only after an answer that came to its end: one that was late, broke off or was given up is
//! closed, as what is still to come on it would answer the next question. So no pool of a library is used here: those
//! take connections back first and wait for the rest of their answers then, which a server that hangs never sends.

use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::{Answer, Ask, CONNECT_TIME, CONNECTIONS, Failure, QUERY_TIME, Question};

/// How long a connection without work is kept. A firewall between us and the server may forget it some time later.
const IDLE_TIME: Duration = Duration::from_mins(1);

/// How one kind of server is connected to and asked.
#[async_trait::async_trait]
pub(super) trait Server: Debug + Send + Sync + 'static {
    /// A connection. It is closed when it is dropped, at whatever moment.
    type Connection: Send + 'static;

    /// Connects.
    async fn connect(&self) -> Result<Self::Connection, String>;

    /// Whether a connection that has waited can still be used, as far as that is known.
    async fn is_usable(&self, connection: &mut Self::Connection) -> bool;

    /// Asks.
    async fn ask(
        &self,
        connection: &mut Self::Connection,
        question: &Question<'_>,
    ) -> Result<Answer, Failure>;
}

/// The connections of one server.
pub(super) struct Pool<S: Server> {
    server: S,
    permits: Semaphore,
    idle: Mutex<Vec<Idle<S::Connection>>>,
}

struct Idle<C> {
    connection: C,
    since: Instant,
}

impl<S: Server> Pool<S> {
    pub(super) fn new(server: S) -> Self {
        Self { server, permits: Semaphore::new(CONNECTIONS), idle: Mutex::default() }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle<S::Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that was used last.
    fn take(&self) -> Option<S::Connection> {
        let mut idle = self.idle();
        idle.retain(|idle| idle.since.elapsed() < IDLE_TIME);
        idle.pop().map(|idle| idle.connection)
    }

    /// Asks on a connection, and keeps it if it is good.
    async fn ask_on(
        &self,
        mut connection: S::Connection,
        question: &Question<'_>,
    ) -> Result<Result<Answer, Failure>, String> {
        let answer = timeout(QUERY_TIME, self.server.ask(&mut connection, question)).await;
        let answer = answer.map_err(|_| {
            // Where one answer does not come, none of those would that are waiting for their turn.
            self.idle().clear();
            format!("no answer within {QUERY_TIME:?}")
        })?;
        if !matches!(answer, Err(Failure::Broken(_))) {
            self.idle().push(Idle { connection, since: Instant::now() });
        }
        Ok(answer)
    }
}

#[async_trait::async_trait]
impl<S: Server> Ask for Pool<S> {
    async fn ask(&self, question: &Question<'_>) -> Result<Answer, String> {
        let permit = timeout(CONNECT_TIME, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else {
            return Err(format!("all {CONNECTIONS} connections are busy"));
        };
        if let Some(mut connection) = self.take()
            && self.server.is_usable(&mut connection).await
        {
            match self.ask_on(connection, question).await? {
                Ok(answer) => return Ok(answer),
                Err(Failure::Refused(why)) => return Err(why),
                // The server may have been started anew since: all that have waited are gone with it, and a new one
                // tells how things are.
                Err(Failure::Broken(_)) => self.idle().clear(),
            }
        }
        let connection = timeout(CONNECT_TIME, self.server.connect())
            .await
            .map_err(|_| format!("no connection within {CONNECT_TIME:?}"))??;
        match self.ask_on(connection, question).await? {
            Ok(answer) => Ok(answer),
            Err(Failure::Refused(why) | Failure::Broken(why)) => Err(why),
        }
    }
}
