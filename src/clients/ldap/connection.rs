//! One connection to a directory: the only place that names the library.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ldap3::asn1::StructureTag;
use ldap3::{
    DerefAliases, Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope as Ldap3Scope,
    SearchOptions, StdStream,
};
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::super::ber::{self, Duplex};
use super::{Bind, Dereference, Entry, Found, Search, Settings, Trouble};
use crate::clients::directory::{Place, Scope, Server};
use crate::clients::files::problem::quoted;

/// How much of the entries of one search is taken, in octets.
const MOST_OCTETS: usize = 4 << 20;

/// A connection, which ends when it is dropped.
pub(super) struct Connection {
    ldap: Ldap,
    /// Which server it leads to.
    pub(super) server: usize,
    /// What moves octets between the server, ourselves and the library.
    _drivers: JoinSet<()>,
}

impl Connection {
    /// Connects to a server and binds.
    pub(super) async fn open(settings: Arc<Settings>, number: usize) -> Result<Self, String> {
        // Answers that are no LDAP may make the library panic.
        caught(async move { Self::bound(&settings, number).await }).await
    }

    async fn bound(settings: &Settings, number: usize) -> Result<Self, String> {
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

    /// Whether the other side has ended it.
    pub(super) fn is_closed(&self) -> bool {
        self.ldap.clone().is_closed()
    }

    /// Searches, in the server's own time.
    pub(super) async fn search(&self, search: &Search<'_>, time: Duration) -> Result<Found, Trouble> {
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
                let urls = item.0.expect_constructed().unwrap_or_default().into_iter();
                let urls: Vec<Vec<u8>> = urls.filter_map(StructureTag::expect_primitive).collect();
                octets += urls.iter().map(Vec::len).sum::<usize>();
                found.references.take(&urls);
                if octets > MOST_OCTETS {
                    return Err(too_much());
                }
                continue;
            }
            if item.is_intermediate() {
                continue;
            }
            let (entry, size) =
                entry(item.0).ok_or_else(|| Trouble::Lost("it sent an entry that is none".to_owned()))?;
            octets += size;
            if (search.most > 0 && found.entries.len() >= search.most) || octets > MOST_OCTETS {
                return Err(too_much());
            }
            found.entries.push(entry);
        }
        let result = stream.finish().await;
        match result.rc {
            0 => Ok(found),
            RC_SIZE_LIMIT => Ok(Found { cut: Some(shown_result(&result)), ..found }),
            // What was sent before is true.
            RC_TIME_LIMIT | RC_PARTIAL_RESULTS | RC_ADMIN_LIMIT if !found.entries.is_empty() => {
                Ok(Found { cut: Some(shown_result(&result)), ..found })
            }
            RC_NO_SUCH_OBJECT => Err(Trouble::NoBase(format!("there is no {}", quoted(search.base)))),
            RC_REFERRAL => Err(Trouble::Refused(
                "it refers to another server, and referrals are not followed".to_owned(),
            )),
            RC_TIME_LIMIT | RC_BUSY | RC_UNAVAILABLE => Err(Trouble::Late(shown_result(&result))),
            _ => Err(Trouble::Refused(shown_result(&result))),
        }
    }
}

fn too_much() -> Trouble {
    Trouble::Refused("it sent more than was asked for".to_owned())
}

/// Result codes (RFC 4511, A.1). `partialResults` is of `LDAPv2` (RFC 1777), and an Active Directory still knows it.
const RC_TIME_LIMIT: u32 = 3;
const RC_SIZE_LIMIT: u32 = 4;
const RC_PARTIAL_RESULTS: u32 = 9;
const RC_REFERRAL: u32 = 10;
const RC_ADMIN_LIMIT: u32 = 11;
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
