//! Searches in directories (LDAP, RFC 4511) over one connection that all questions share.
//!
//! Referrals are not followed: whoever holds the directory would send us, with our password, to any host. Whatever goes wrong with a connection, or takes too long on it, ends it, and the next
//! question makes a new one; a question whose connection broke is asked once more.

mod connection;
mod references;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::password::{Password, PasswordFile};
use crate::clients::directory::{Scope, Server};
use connection::Connection;
pub(crate) use connection::{in_filter, in_name, is_filter};
pub(crate) use references::References;

/// For a server: to connect, to begin TLS, to bind.
pub(crate) const CONNECT_TIME: Duration = Duration::from_secs(2);

/// For a search.
pub(crate) const SEARCH_TIME: Duration = Duration::from_secs(2);

/// For a question, with all the connections that are tried for it.
const QUESTION_TIME: Duration = Duration::from_secs(6);

/// How many searches there are at once; others wait.
const MOST_SEARCHES: usize = 32;

/// How servers are asked.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The servers, in the order in which they are tried; at least one.
    pub(crate) servers: Vec<Server>,
    /// Whether TLS begins after the connection is there (RFC 4511, 4.14).
    pub(crate) start_tls: bool,
    /// TLS; needed where it is spoken.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// Who we say that we are.
    pub(crate) bind: Bind,
    /// For a server: to connect, to begin TLS, to bind.
    pub(crate) connect_time: Duration,
    /// For a search.
    pub(crate) search_time: Duration,
}

/// Who we say that we are.
#[derive(Debug)]
pub(crate) enum Bind {
    /// Nothing is said at all.
    None,
    /// Nobody.
    Anonymous,
    /// A name, with a password from a file.
    File(String, PasswordFile),
    /// A name, with this password.
    Fixed(String, Password),
}

/// What is searched for.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    pub(crate) base: &'a str,
    pub(crate) scope: Scope,
    /// The filter (RFC 4515), values in it escaped.
    pub(crate) filter: &'a str,
    /// The attributes that are wanted; none for none.
    pub(crate) attributes: &'a [String],
    /// How many entries are wanted at most; 0 for no limit but that of their size.
    pub(crate) most: usize,
    /// Which aliases of the directory are followed.
    pub(crate) dereference: Dereference,
}

/// Which aliases of the directory are followed (RFC 4511, 4.5.1.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dereference {
    #[default]
    Never,
    Searching,
    Finding,
    Always,
}

/// What a search found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) entries: Vec<Entry>,
    /// The parts of the directory that are on other servers, which were not asked.
    pub(crate) references: References,
    /// Why the server did not send every entry that it has, where it did not.
    pub(crate) cut: Option<String>,
}

/// An entry: its attributes with their values, in the order of the server.
#[derive(Debug)]
pub(crate) struct Entry(pub(crate) Vec<(String, Vec<Vec<u8>>)>);

/// Why a search found nothing out. The text names the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SearchError {
    /// The base is not there, or we must not see it.
    #[error("{0}")]
    NoBase(String),
    /// Anything else.
    #[error("{0}")]
    Trouble(String),
}

/// A client of one or more servers with the same contents.
pub(crate) struct Client {
    settings: Arc<Settings>,
    current: Mutex<Option<Arc<Connection>>>,
    /// Whoever connects holds it, so that the others wait for that connection; how the last attempt failed.
    connecting: tokio::sync::Mutex<Option<Failure>>,
    permits: Semaphore,
}

/// An attempt that failed.
struct Failure {
    at: Instant,
    why: String,
}

/// What went wrong with one attempt.
enum Trouble {
    /// There is no server to ask.
    NoServer(String),
    /// The base is not there.
    NoBase(String),
    /// The server refuses.
    Refused(String),
    /// The connection broke.
    Lost(String),
    /// The server does not answer in time, or says that it cannot answer now.
    Late(String),
}

impl Client {
    /// A client that connects when it is asked for the first time.
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            current: Mutex::new(None),
            connecting: tokio::sync::Mutex::new(None),
            permits: Semaphore::new(MOST_SEARCHES),
        }
    }

    /// Asks, for 6 seconds at most.
    ///
    /// # Errors
    ///
    /// Where no server answers in time, or the one that does refuses.
    pub(crate) async fn search(&self, search: &Search<'_>) -> Result<Found, SearchError> {
        let asked = timeout(QUESTION_TIME, async {
            let _permit = self.permits.acquire().await;
            let avoid = match self.attempt(search, None).await {
                Err((Trouble::Lost(_), _)) => None,
                // To wait for the same server once more would be a waste of time.
                Err((Trouble::Late(_), server)) if self.settings.servers.len() > 1 => server,
                answer => return answer,
            };
            self.attempt(search, avoid).await
        });
        let late = format!("{}: no answer within {QUESTION_TIME:?}", self.settings.servers[0]);
        let answer = asked.await.unwrap_or(Err((Trouble::Late(late), None)));
        answer.map_err(|(trouble, _)| match trouble {
            Trouble::NoBase(why) => SearchError::NoBase(why),
            Trouble::NoServer(why) | Trouble::Refused(why) | Trouble::Lost(why) | Trouble::Late(why) => {
                SearchError::Trouble(why)
            }
        })
    }

    /// Asks once; the error says which server was asked, if one was. The server that is avoided comes last.
    async fn attempt(
        &self,
        search: &Search<'_>,
        avoid: Option<usize>,
    ) -> Result<Found, (Trouble, Option<usize>)> {
        let connection = self.connection(avoid).await.map_err(|why| (Trouble::NoServer(why), None))?;
        // Whoever gives up before the answer is there, by whatever deadline, leaves a connection behind of which
        // nobody knows whether it is of any use.
        let mut in_doubt = InDoubt { client: self, connection: Some(&connection) };
        let time = self.settings.search_time;
        let answer = timeout(time, connection.search(search, time)).await;
        let answer = answer.unwrap_or_else(|_| Err(Trouble::Late(format!("no answer within {time:?}"))));
        if matches!(answer, Ok(_) | Err(Trouble::NoBase(_))) {
            in_doubt.connection = None;
        }
        let server = &self.settings.servers[connection.server];
        let named = |why| format!("{server}: {why}");
        let answer = answer.map_err(|trouble| match trouble {
            Trouble::NoServer(why) => Trouble::NoServer(named(why)),
            Trouble::NoBase(why) => Trouble::NoBase(named(why)),
            Trouble::Refused(why) => Trouble::Refused(named(why)),
            Trouble::Lost(why) => Trouble::Lost(named(why)),
            Trouble::Late(why) => Trouble::Late(named(why)),
        });
        answer.map_err(|trouble| (trouble, Some(connection.server)))
    }

    /// The connection that is there, or a new one, which only one of those who want it makes.
    async fn connection(&self, avoid: Option<usize>) -> Result<Arc<Connection>, String> {
        let asked = Instant::now();
        if let Some(connection) = self.usable() {
            return Ok(connection);
        }
        let mut failure = self.connecting.lock().await;
        if let Some(connection) = self.usable() {
            return Ok(connection);
        }
        if let Some(failure) = failure.as_ref().filter(|failure| failure.at >= asked) {
            return Err(failure.why.clone());
        }
        let count = self.settings.servers.len();
        let first = avoid.map_or(0, |avoided| avoided + 1);
        let mut reasons = Vec::new();
        for server in (0..count).map(|step| (first + step) % count) {
            match self.connect(server).await {
                Ok(connection) => {
                    let connection = Arc::new(connection);
                    *self.current() = Some(Arc::clone(&connection));
                    return Ok(connection);
                }
                Err(why) => reasons.push(format!("{}: {why}", self.settings.servers[server])),
            }
        }
        let why = reasons.join("; ");
        *failure = Some(Failure { at: Instant::now(), why: why.clone() });
        Err(why)
    }

    /// Connects to a server and binds.
    async fn connect(&self, server: usize) -> Result<Connection, String> {
        let settings = Arc::clone(&self.settings);
        let time = settings.connect_time;
        let connected = timeout(time, Connection::open(settings, server)).await;
        connected.unwrap_or_else(|_| Err(format!("no connection within {time:?}")))
    }

    fn usable(&self) -> Option<Arc<Connection>> {
        let mut current = self.current();
        current.take_if(|connection| connection.is_closed());
        current.clone()
    }

    fn drop_connection(&self, connection: &Arc<Connection>) {
        self.current().take_if(|current| Arc::ptr_eq(current, connection));
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<Arc<Connection>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is dropped unless it turns out to be of use.
struct InDoubt<'a> {
    client: &'a Client,
    connection: Option<&'a Arc<Connection>>,
}

impl Drop for InDoubt<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection {
            self.client.drop_connection(connection);
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.settings.servers).finish()
    }
}
