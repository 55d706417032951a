//! Connections, each for one question at a time, kept for the next one.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::wire::Wire;
use super::{Endpoint, Trouble};

/// What goes over a connection.
pub(super) trait Protocol: Send + Sync + 'static {
    /// What is known of a connection.
    type Session: Send + 'static;
    /// What is asked.
    type Question: Send + Sync;
    /// What is answered.
    type Answer: Send;

    /// What is said before a connection is closed, if anything.
    const FAREWELL: &'static [u8] = b"";

    /// Begins a connection.
    fn open(&self, wire: &mut Wire) -> impl Future<Output = Result<Self::Session, Trouble>> + Send;

    /// Asks. After an error the connection is not used any more.
    fn ask(
        &self,
        wire: &mut Wire,
        session: &mut Self::Session,
        question: &Self::Question,
    ) -> impl Future<Output = Result<Self::Answer, Trouble>> + Send;

    /// Whether a connection has served long enough.
    fn is_spent(&self, _: &Self::Session) -> bool {
        false
    }
}

/// Bounds of a pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at once.
    pub(super) connections: usize,
    /// For an answer, with the waiting for a connection and the making of it.
    pub(super) answer: Duration,
    /// For a connection on which nothing is asked.
    pub(super) idle: Duration,
}

/// Connections to a server.
pub(super) struct Pool<P: Protocol>(Arc<Shared<P>>);

struct Shared<P: Protocol> {
    protocol: P,
    endpoint: Endpoint,
    limits: Limits,
    /// One permit for each connection that is in use or may be made.
    slots: Semaphore,
    kept: Mutex<Kept<P::Session>>,
}

/// The connections that are not in use, the one used last at the end.
struct Kept<S> {
    connections: Vec<(Connection<S>, Instant)>,
    /// Whether a task sees to it that they are closed in time.
    is_swept: bool,
}

struct Connection<S> {
    wire: Wire,
    session: S,
}

impl<P: Protocol> Pool<P> {
    /// A pool without connections: they are made when they are needed.
    pub(super) fn new(protocol: P, endpoint: Endpoint, limits: Limits) -> Self {
        let kept = Mutex::new(Kept { connections: Vec::new(), is_swept: false });
        let slots = Semaphore::new(limits.connections);
        Self(Arc::new(Shared { protocol, endpoint, limits, slots, kept }))
    }

    /// Where the server is.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// Asks the server.
    ///
    /// Where a kept connection turns out to be closed the question is asked once more on a fresh one, as a server that
    /// was restarted has not seen it. After every other failure it is not, least of all after the time is over.
    pub(super) async fn ask(&self, question: &P::Question) -> Result<P::Answer, Trouble> {
        let limit = self.0.limits.answer;
        let deadline = Instant::now() + limit;
        let asked = timeout_at(deadline, self.ask_before(deadline, question)).await;
        asked.unwrap_or(Err(Trouble::Late(limit)))
    }

    async fn ask_before(&self, deadline: Instant, question: &P::Question) -> Result<P::Answer, Trouble> {
        let Shared { protocol, endpoint, slots, .. } = &*self.0;
        let Ok(_slot) = slots.acquire().await else { return Err(Trouble::Closed) };
        if let Some(mut kept) = self.take() {
            match protocol.ask(&mut kept.wire, &mut kept.session, question).await {
                Err(Trouble::Closed) => {}
                Err(trouble) => return Err(trouble),
                Ok(answer) => {
                    self.keep(kept);
                    return Ok(answer);
                }
            }
        }
        let mut wire = Wire::new(endpoint.connect(deadline).await.map_err(Trouble::Connect)?);
        let mut session = protocol.open(&mut wire).await?;
        let answer = protocol.ask(&mut wire, &mut session, question).await?;
        self.keep(Connection { wire, session });
        Ok(answer)
    }

    /// The kept connection that was used last, so that those which are not needed grow old.
    fn take(&self) -> Option<Connection<P::Session>> {
        let mut kept = self.0.kept();
        while let Some((connection, _)) = kept.connections.pop() {
            if connection.wire.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    fn keep(&self, connection: Connection<P::Session>) {
        if self.0.protocol.is_spent(&connection.session) {
            connection.wire.take_leave(P::FAREWELL);
            return;
        }
        let mut kept = self.0.kept();
        kept.connections.push((connection, Instant::now() + self.0.limits.idle));
        if !kept.is_swept {
            kept.is_swept = true;
            tokio::spawn(sweep(Arc::downgrade(&self.0)));
        }
    }
}

impl<P: Protocol> Shared<P> {
    fn kept(&self) -> MutexGuard<'_, Kept<P::Session>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the connections that are idle for too long; when to look again, if any is left.
    fn close_idle(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut kept = self.kept();
        kept.connections.retain(|(connection, until)| {
            let is_fresh = now < *until;
            if !is_fresh {
                connection.wire.take_leave(P::FAREWELL);
            }
            is_fresh
        });
        let next = kept.connections.iter().map(|(_, until)| *until).min();
        kept.is_swept = next.is_some();
        next
    }
}

impl<P: Protocol> Drop for Shared<P> {
    fn drop(&mut self) {
        for (connection, _) in &self.kept().connections {
            connection.wire.take_leave(P::FAREWELL);
        }
    }
}

impl<P: Protocol> std::fmt::Debug for Pool<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pool").field(&self.0.endpoint).finish()
    }
}

/// Closes idle connections until none is left, or the pool is gone.
async fn sweep<P: Protocol>(pool: Weak<Shared<P>>) {
    while let Some(next) = pool.upgrade().and_then(|pool| pool.close_idle()) {
        sleep_until(next).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::{UnixListener, UnixStream};
    use tokio::sync::mpsc;

    use super::*;

    /// Lines: `ok` is an answer, anything else is none.
    struct Lines;

    impl Protocol for Lines {
        type Session = usize;
        type Question = String;
        type Answer = String;

        const FAREWELL: &'static [u8] = b"bye\n";

        async fn open(&self, _: &mut Wire) -> Result<usize, Trouble> {
            Ok(0)
        }

        async fn ask(
            &self,
            wire: &mut Wire,
            asked: &mut usize,
            question: &String,
        ) -> Result<String, Trouble> {
            *asked += 1;
            wire.send(format!("{question}\n").as_bytes()).await?;
            let line = wire.line(20).await?;
            String::from_utf8(line).map_err(|_| Trouble::Garbled("no text".to_owned()))
        }

        fn is_spent(&self, asked: &usize) -> bool {
            *asked == 3
        }
    }

    const LIMITS: Limits =
        Limits { connections: 2, answer: Duration::from_secs(2), idle: Duration::from_secs(10) };

    /// A server that the test plays itself: each connection comes to it with the lines read from it.
    struct Case {
        pool: Arc<Pool<Lines>>,
        connections: mpsc::UnboundedReceiver<BufReader<UnixStream>>,
        _dir: tempfile::TempDir,
    }

    impl Case {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("s");
            let listener = UnixListener::bind(&path).unwrap();
            let (sender, connections) = mpsc::unbounded_channel();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    if sender.send(BufReader::new(stream)).is_err() {
                        return;
                    }
                }
            });
            let pool = Arc::new(Pool::new(Lines, Endpoint::Unix(path), LIMITS));
            Self { pool, connections, _dir: dir }
        }

        fn ask(&self, question: &str) -> tokio::task::JoinHandle<Result<String, Trouble>> {
            let (pool, question) = (Arc::clone(&self.pool), question.to_owned());
            tokio::spawn(async move { pool.ask(&question).await })
        }

        async fn accept(&mut self) -> BufReader<UnixStream> {
            self.connections.recv().await.unwrap()
        }
    }

    async fn read(connection: &mut BufReader<UnixStream>) -> String {
        let mut line = String::new();
        connection.read_line(&mut line).await.unwrap();
        line
    }

    async fn write(connection: &mut BufReader<UnixStream>, text: &str) {
        connection.get_mut().write_all(text.as_bytes()).await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_is_kept_until_it_has_served() {
        let mut case = Case::new();
        let mut served = Vec::new();
        for _ in 0..2 {
            let mut connection: Option<BufReader<UnixStream>> = None;
            for question in ["a", "b", "c"] {
                let answer = case.ask(question);
                let mut used = match connection.take() {
                    Some(kept) => kept,
                    None => case.accept().await,
                };
                let question = read(&mut used).await;
                write(&mut used, &question).await;
                served.push(answer.await.unwrap().unwrap());
                connection = Some(used);
            }
            let mut connection = connection.unwrap();
            assert_eq!(read(&mut connection).await, "bye\n");
        }
        assert_eq!(served, ["a", "b", "c", "a", "b", "c"]);
    }

    #[tokio::test]
    async fn a_kept_connection_that_is_closed_costs_nothing() {
        let mut case = Case::new();
        let answer = case.ask("a");
        let mut connection = case.accept().await;
        read(&mut connection).await;
        write(&mut connection, "1\n").await;
        assert_eq!(answer.await.unwrap().unwrap(), "1");
        // It is closed only when the question is under way.
        let answer = case.ask("b");
        assert_eq!(read(&mut connection).await, "b\n");
        drop(connection);
        let mut connection = case.accept().await;
        assert_eq!(read(&mut connection).await, "b\n");
        // A fresh one that is closed as well is not followed by a third.
        drop(connection);
        assert!(matches!(answer.await.unwrap(), Err(Trouble::Closed)));
        assert!(case.connections.try_recv().is_err());
    }

    #[tokio::test]
    async fn what_nobody_asked_for_ends_a_connection() {
        let mut case = Case::new();
        let answer = case.ask("a");
        let mut connection = case.accept().await;
        read(&mut connection).await;
        write(&mut connection, "1\nsurplus\n").await;
        assert_eq!(answer.await.unwrap().unwrap(), "1");
        let answer = case.ask("b");
        let mut fresh = case.accept().await;
        assert_eq!(read(&mut fresh).await, "b\n");
        write(&mut fresh, "2\n").await;
        assert_eq!(answer.await.unwrap().unwrap(), "2");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_asked_twice_when_the_time_is_over() {
        let mut case = Case::new();
        let answer = case.ask("a");
        let mut connection = case.accept().await;
        read(&mut connection).await;
        let started = Instant::now();
        let answer = answer.await.unwrap();
        assert!(matches!(answer, Err(Trouble::Late(_))));
        assert!(started.elapsed() <= LIMITS.answer);
        assert_eq!(read(&mut connection).await, "", "the connection is closed");
        assert!(case.connections.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn more_questions_than_connections_wait() {
        let mut case = Case::new();
        let questions = [case.ask("a"), case.ask("b"), case.ask("c")];
        let (mut one, _other) = (case.accept().await, case.accept().await);
        read(&mut one).await;
        assert!(case.connections.try_recv().is_err());
        write(&mut one, "1\n").await;
        read(&mut one).await;
        write(&mut one, "2\n").await;
        let mut answers = Vec::new();
        for question in questions {
            answers.push(question.await.unwrap().is_ok());
        }
        answers.sort_unstable();
        assert_eq!(answers, [false, true, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_connections_are_closed_with_a_word() {
        let mut case = Case::new();
        let answer = case.ask("a");
        let mut connection = case.accept().await;
        read(&mut connection).await;
        write(&mut connection, "1\n").await;
        answer.await.unwrap().unwrap();
        let started = Instant::now();
        assert_eq!(read(&mut connection).await, "bye\n");
        assert!(started.elapsed() <= LIMITS.idle);
        assert_eq!(read(&mut connection).await, "");
    }
}
