//! Searches in directories (LDAP, RFC 4511) over one connection that all questions share.
//!
//! Referrals are not followed. Whatever goes wrong with a connection, or takes too long on it, ends it, and the next
//! question makes a new one; a question whose connection broke is asked once more.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ldap3::asn1::StructureTag;
use ldap3::{
    DerefAliases, Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope as Ldap3Scope,
    SearchOptions, StdStream,
};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::ber::{self, Duplex};
use super::password::PasswordFile;
use crate::lookup::directory::{Place, Scope, Server};
use crate::lookup::problem::quoted;

/// For a server: to connect, to begin TLS, to bind.
pub(crate) const CONNECT_TIME: Duration = Duration::from_secs(2);

/// For a search.
pub(crate) const SEARCH_TIME: Duration = Duration::from_secs(2);

/// For a question, with all the connections that are tried for it.
const QUESTION_TIME: Duration = Duration::from_secs(6);

/// How many searches there are at once; others wait.
const MOST_SEARCHES: usize = 32;

/// How much of the entries of one search is taken, in octets.
const MOST_OCTETS: usize = 4 << 20;

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
    Fixed(String, super::password::Password),
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
    /// How many parts of the directory are on other servers, which were not asked.
    pub(crate) references: usize,
    /// Whether the server had more entries than were wanted.
    pub(crate) is_cut: bool,
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

/// A connection, which ends when it is dropped.
struct Connection {
    ldap: Ldap,
    /// Which server it leads to.
    server: usize,
    /// What moves octets between the server, ourselves and the library.
    _drivers: JoinSet<()>,
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
        // Answers that are no LDAP make the library panic.
        let connected = timeout(time, caught(async move { Connection::open(&settings, server).await })).await;
        connected.unwrap_or_else(|_| Err(format!("no connection within {time:?}")))
    }

    fn usable(&self) -> Option<Arc<Connection>> {
        let mut current = self.current();
        current.take_if(|connection| connection.ldap.clone().is_closed());
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

impl Connection {
    async fn open(settings: &Settings, number: usize) -> Result<Self, String> {
        let server = &settings.servers[number];
        let stream = stream(settings, server).await.map_err(|error| shown_io(&error))?;
        let (ours, theirs) = UnixStream::pair().map_err(|error| shown_io(&error))?;
        let mut drivers = JoinSet::new();
        drivers.spawn(ber::connect(stream, ours));
        let theirs = theirs.into_std().map_err(|error| shown_io(&error))?;
        let library = LdapConnSettings::new().set_std_stream(StdStream::Unix(theirs));
        let (connection, mut ldap) =
            LdapConnAsync::with_settings(library, "ldapi:///").await.map_err(|error| shown(&error))?;
        drivers.spawn(async move {
            // Whoever waits for an answer learns of it by the end of the connection.
            let _ = connection.drive().await;
        });
        let bound = match &settings.bind {
            Bind::None => None,
            Bind::Anonymous => Some(ldap.simple_bind("", "").await),
            Bind::File(name, file) => Some(ldap.simple_bind(name, &file.current().0).await),
            Bind::Fixed(name, password) => Some(ldap.simple_bind(name, &password.0).await),
        };
        if let Some(bound) = bound {
            let result = bound.map_err(|error| shown(&error))?;
            if result.rc != 0 {
                return Err(format!("it does not let us in: {}", shown_result(&result)));
            }
        }
        Ok(Self { ldap, server: number, _drivers: drivers })
    }

    async fn search(&self, search: &Search<'_>, time: Duration) -> Result<Found, Trouble> {
        let seconds = i32::try_from(time.as_secs().max(1)).unwrap_or(i32::MAX);
        let options = SearchOptions::new()
            .sizelimit(i32::try_from(search.most).unwrap_or(i32::MAX))
            .timelimit(seconds)
            .deref(search.dereference.into());
        // RFC 4511, 4.5.1.8: this is how none at all is asked for.
        let none = ["1.1".to_owned()];
        let attributes = if search.attributes.is_empty() { &none[..] } else { search.attributes };
        let lost = |error: LdapError| match error {
            LdapError::FilterParsing => Trouble::Refused(format!("{} is no filter", quoted(search.filter))),
            error => Trouble::Lost(shown(&error)),
        };
        let mut ldap = self.ldap.clone();
        let mut stream = ldap
            .with_search_options(options)
            .streaming_search(search.base, search.scope.into(), search.filter, attributes)
            .await
            .map_err(lost)?;
        let (mut found, mut octets) = (Found::default(), 0);
        while let Some(item) = stream.next().await.map_err(lost)? {
            if item.is_ref() {
                found.references += 1;
                continue;
            }
            if item.is_intermediate() {
                continue;
            }
            let (entry, size) =
                entry(item.0).ok_or_else(|| Trouble::Lost("it sent an entry that is none".to_owned()))?;
            octets += size;
            if (search.most > 0 && found.entries.len() >= search.most) || octets > MOST_OCTETS {
                return Err(Trouble::Refused("it sent more than was asked for".to_owned()));
            }
            found.entries.push(entry);
        }
        let result = stream.finish().await;
        match result.rc {
            0 => Ok(found),
            RC_SIZE_LIMIT => Ok(Found { is_cut: true, ..found }),
            RC_NO_SUCH_OBJECT => Err(Trouble::NoBase(format!("there is no {}", quoted(search.base)))),
            RC_REFERRAL => Err(Trouble::Refused(
                "it refers to another server, and referrals are not followed".to_owned(),
            )),
            RC_TIME_LIMIT | RC_BUSY | RC_UNAVAILABLE => Err(Trouble::Late(shown_result(&result))),
            _ => Err(Trouble::Refused(shown_result(&result))),
        }
    }
}

/// Result codes (RFC 4511, A.1).
const RC_TIME_LIMIT: u32 = 3;
const RC_SIZE_LIMIT: u32 = 4;
const RC_REFERRAL: u32 = 10;
const RC_NO_SUCH_OBJECT: u32 = 32;
const RC_BUSY: u32 = 51;
const RC_UNAVAILABLE: u32 = 52;

/// Connects, and begins TLS where that is wanted.
async fn stream(settings: &Settings, server: &Server) -> io::Result<Box<dyn Duplex>> {
    let (host, port) = match &server.place {
        Place::Inet(host, port) => (host.as_str(), *port),
        Place::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
    };
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    if settings.start_tls && !server.is_tls {
        ber::start_tls(&mut stream).await?;
    } else if !server.is_tls {
        return Ok(Box::new(stream));
    }
    let config = settings.tls.clone().ok_or_else(|| io::Error::other("nobody is trusted"))?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(config).connect(name, stream).await?))
}

/// Drives a future; a panic inside it is an error.
async fn caught<T: Send + 'static>(
    future: impl Future<Output = Result<T, String>> + Send + 'static,
) -> Result<T, String> {
    // Whatever is left in it ends with the set.
    let mut one = JoinSet::new();
    one.spawn(future);
    let ended = one.join_next().await.and_then(Result::ok);
    ended.unwrap_or_else(|| Err("what it says is not LDAP".to_owned()))
}

/// An entry (RFC 4511, 4.5.2), and how large it is.
fn entry(tag: StructureTag) -> Option<(Entry, usize)> {
    let mut parts = tag.expect_constructed()?.into_iter();
    let mut size = parts.next()?.expect_primitive()?.len();
    let mut attributes = Vec::new();
    for attribute in parts.next()?.expect_constructed()? {
        let mut parts = attribute.expect_constructed()?.into_iter();
        let name = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
        let values = parts.next()?.expect_constructed()?.into_iter().map(StructureTag::expect_primitive);
        let values = values.collect::<Option<Vec<Vec<u8>>>>()?;
        size += name.len() + values.iter().map(Vec::len).sum::<usize>();
        attributes.push((name, values));
    }
    Some((Entry(attributes), size))
}

/// Whether a filter is one, whatever its values.
pub(crate) fn is_filter(filter: &str) -> bool {
    ldap3::parse_filter(filter).is_ok()
}

/// A value as it stands in a filter (RFC 4515, 3).
pub(crate) fn in_filter(value: &str) -> String {
    ldap3::ldap_escape(value).into_owned()
}

/// A value as it stands in a distinguished name (RFC 4514, 2.4).
pub(crate) fn in_name(value: &str) -> String {
    ldap3::dn_escape(value).into_owned()
}

/// What is said of an error; nothing that we sent is in it.
fn shown(error: &LdapError) -> String {
    match error {
        LdapError::Io { source } => shown_io(source),
        LdapError::LdapResult { result } => shown_result(result),
        LdapError::EndOfStream | LdapError::ResultRecv { .. } | LdapError::OpSend { .. } => {
            "the connection ended before the answer, or what it says is not LDAP".to_owned()
        }
        error => error.to_string(),
    }
}

fn shown_io(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn shown_result(result: &LdapResult) -> String {
    let whole = result.to_string();
    let code = whole.split_once(", dn:").map_or(whole.as_str(), |(code, _)| code);
    if result.text.is_empty() { code.to_owned() } else { format!("{code}, {}", quoted(&result.text)) }
}

impl From<Scope> for Ldap3Scope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Sub => Self::Subtree,
            Scope::One => Self::OneLevel,
            Scope::Base => Self::Base,
        }
    }
}

impl From<Dereference> for DerefAliases {
    fn from(dereference: Dereference) -> Self {
        match dereference {
            Dereference::Never => Self::Never,
            Dereference::Searching => Self::Searching,
            Dereference::Finding => Self::Finding,
            Dereference::Always => Self::Always,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.settings.servers).finish()
    }
}
