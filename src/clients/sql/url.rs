//! Where a database is: `postgres://milter@db/mail`, `mysql://milter@db/mail`, `sqlite:/var/lib/mail.sqlite`.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{Dialect, QueryError, code};

/// How URLs look.
const HINT: &str = "write postgres://USER@HOST/DATABASE, mysql://USER@HOST/DATABASE or sqlite:/PATH";

/// A database. It holds no password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    pub(crate) place: Place,
    shown: String,
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At a server.
    Server(ServerPlace),
    /// In a file.
    File(PathBuf),
}

/// Where a server is, and as whom and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerPlace {
    pub(crate) dialect: Dialect,
    pub(crate) user: Option<String>,
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) tls: Tls,
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// By TCP.
    Name(String),
    /// By a Unix socket: its path, or for PostgreSQL the directory that it is in.
    Socket(PathBuf),
}

/// Whether a connection by TCP is encrypted, and whom with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// It is not.
    Off,
    /// If the server offers that, with whoever answers: the default of PostgreSQL's own clients.
    IfOffered,
    /// With whoever answers.
    Unverified,
    /// With a server whose certificate is for the name of the host, and of an authority that this host trusts or of one in
    /// the file.
    Host(Option<PathBuf>),
}

impl DatabaseUrl {
    /// The file that it is in, or the socket of its server on this host; and whether it is a socket.
    pub(crate) fn path(&self) -> Option<(PathBuf, bool)> {
        match &self.place {
            Place::File(path) => Some((path.clone(), false)),
            Place::Server(server) => match &server.host {
                Host::Name(_) => None,
                // PostgreSQL's clients are told the folder.
                Host::Socket(folder) if server.dialect == Dialect::Postgres => {
                    Some((folder.join(format!(".s.PGSQL.{}", server.port)), true))
                }
                Host::Socket(path) => Some((path.clone(), true)),
            },
        }
    }

    /// Reads a URL. The path of a file may be relative to `base`.
    ///
    /// # Errors
    ///
    /// When it is none, is of another kind of database, or has a password in it, which belongs into a file.
    pub fn parse(text: &str, base: &Path) -> Result<Self, QueryError> {
        let error = |message: String| QueryError { message, hint: HINT.to_owned() };
        let (scheme, rest) = text
            .split_once(':')
            .ok_or_else(|| error(format!("{} is not the URL of a database", code(text))))?;
        let dialect = match scheme {
            "postgres" | "postgresql" => Dialect::Postgres,
            "mysql" | "mariadb" => Dialect::Mysql,
            "sqlite" => Dialect::Sqlite,
            _ => return Err(error(format!("{} is no kind of database", code(scheme)))),
        };
        if !dialect.is_built_in() {
            let message = format!("this program was built without `{}`", dialect.feature());
            return Err(QueryError { message, hint: "use a build that has it".to_owned() });
        }
        if dialect == Dialect::Sqlite {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() || path.contains('\0') {
                return Err(error("the URL names no file".to_owned()));
            }
            return Ok(Self::file(&base.join(path)));
        }
        let rest = rest.strip_prefix("//").ok_or_else(|| error("the URL names no host".to_owned()))?;
        server(dialect, rest).map(Self::server).map_err(|(message, own_hint)| QueryError {
            message,
            hint: own_hint.unwrap_or_else(|| HINT.to_owned()),
        })
    }

    /// Reads a URL of PostgreSQL that may have a password in it, as its own clients do. Encryption is up to the server
    /// where the URL says nothing of it.
    ///
    /// # Errors
    ///
    /// As above.
    pub(crate) fn parse_with_password(text: &str) -> Result<(ServerPlace, Option<String>), QueryError> {
        let wrong =
            |(message, hint): Wrong| QueryError { message, hint: hint.unwrap_or_else(|| HINT.to_owned()) };
        let rest = text.split_once("://").map(|(_, rest)| rest);
        let rest = rest.ok_or_else(|| wrong(("the URL names no host".to_owned(), None)))?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (without, password) = match authority.rsplit_once('@') {
            Some((user, host)) => match user.split_once(':') {
                Some((user, password)) => (format!("{user}@{host}"), Some(decoded(password).map_err(wrong)?)),
                None => (authority.to_owned(), None),
            },
            None => (authority.to_owned(), None),
        };
        let mut place = server(Dialect::Postgres, &format!("{without}{path}")).map_err(wrong)?;
        if !path.contains("sslmode=") {
            place.tls = Tls::IfOffered;
        }
        Ok((place, password))
    }

    /// A database in a file.
    pub(crate) fn file(path: &Path) -> Self {
        Self { shown: format!("sqlite:{}", path.display()), place: Place::File(path.to_owned()) }
    }

    /// A database at a server.
    pub(crate) fn server(place: ServerPlace) -> Self {
        let scheme = if place.dialect == Dialect::Mysql { "mysql" } else { "postgres" };
        let user = place.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let (host, socket) = match &place.host {
            Host::Name(name) if name.contains(':') => (format!("[{name}]"), String::new()),
            Host::Name(name) => (name.clone(), String::new()),
            Host::Socket(path) => (String::new(), format!(" at {}", path.display())),
        };
        let port = if place.port == default_port(place.dialect) {
            String::new()
        } else {
            format!(":{}", place.port)
        };
        let shown = format!("{scheme}://{user}{host}{port}/{}{socket}", place.database);
        Self { place: Place::Server(place), shown: shown.replace(char::is_control, "?") }
    }

    /// The kind of database.
    pub fn dialect(&self) -> Dialect {
        match &self.place {
            Place::Server(place) => place.dialect,
            Place::File(_) => Dialect::Sqlite,
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.shown)
    }
}

pub(crate) fn default_port(dialect: Dialect) -> u16 {
    if dialect == Dialect::Mysql { 3306 } else { 5432 }
}

/// What is wrong with a URL, and the hint if there is a better one than how URLs look.
type Wrong = (String, Option<String>);

/// Reads `[user@][host][:port]/database[?option=value&…]`.
fn server(dialect: Dialect, text: &str) -> Result<ServerPlace, Wrong> {
    let (text, options) = text.split_once('?').unwrap_or((text, ""));
    let (authority, database) =
        text.split_once('/').ok_or_else(|| ("the URL names no database".to_owned(), None))?;
    let (user, host) = match authority.rsplit_once('@') {
        None => (None, authority),
        Some((user, _)) if user.contains(':') => {
            let hint = "write it into a file of its own and name that in `password_file`";
            return Err(("there is a password in the URL".to_owned(), Some(hint.to_owned())));
        }
        Some((user, host)) => (Some(decoded(user)?), host),
    };
    let (host, port) = host_and_port(host)?;
    let database = decoded(database)?;
    if database.is_empty() || database.contains('/') {
        return Err(("the URL names no database".to_owned(), None));
    }
    let mut place = ServerPlace {
        dialect,
        user: user.filter(|user| !user.is_empty()),
        host: Host::Name(decoded(host)?),
        port: port.unwrap_or(default_port(dialect)),
        database,
        tls: Tls::Off,
    };
    for option in options.split('&').filter(|option| !option.is_empty()) {
        add_option(&mut place, option)?;
    }
    if place.host == Host::Name(String::new()) {
        return Err(("the URL names no host".to_owned(), None));
    }
    Ok(place)
}

fn host_and_port(text: &str) -> Result<(&str, Option<u16>), Wrong> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    if port.is_empty() {
        return Ok((host, None));
    }
    let number = port.strip_prefix(':').and_then(|port| port.parse().ok()).filter(|port| *port > 0);
    match number {
        Some(number) => Ok((host, Some(number))),
        None => Err((format!("{} is no port", code(port.trim_start_matches(':'))), None)),
    }
}

fn add_option(place: &mut ServerPlace, option: &str) -> Result<(), Wrong> {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    let value = decoded(value)?;
    let wrong = |values: &str| {
        (format!("{} is no value of `{name}`", code(&value)), Some(format!("one of: {values}")))
    };
    let yes = || match value.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong("true, false")),
    };
    match (place.dialect, name) {
        (Dialect::Postgres, "sslmode") => {
            place.tls = match value.as_str() {
                "disable" => Tls::Off,
                "require" => Tls::Unverified,
                "verify-full" => Tls::Host(None),
                _ => return Err(wrong("disable, require, verify-full")),
            };
        }
        (Dialect::Postgres, "host") | (Dialect::Mysql, "socket") if value.starts_with('/') => {
            place.host = Host::Socket(PathBuf::from(value));
        }
        (Dialect::Mysql, "require_ssl") => {
            place.tls = if yes()? { Tls::Host(None) } else { Tls::Off };
        }
        (Dialect::Mysql, "verify_ca") if place.tls != Tls::Off => {
            if !yes()? {
                place.tls = Tls::Unverified;
            }
        }
        _ => {
            let known = match place.dialect {
                Dialect::Mysql => "require_ssl=true, then verify_ca=false; socket=/PATH",
                _ => "sslmode=require, sslmode=verify-full; host=/DIRECTORY-OF-THE-SOCKET",
            };
            return Err((format!("{} means nothing here", code(option)), Some(format!("known: {known}"))));
        }
    }
    Ok(())
}

/// The text with `%41` for `A` (RFC 3986, 2.1).
fn decoded(text: &str) -> Result<String, Wrong> {
    let wrong = || (format!("{} is not encoded as URLs are", code(text)), Some("write %25 for %".to_owned()));
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((octet, after)) = rest.split_first() {
        if *octet != b'%' {
            octets.push(*octet);
            rest = after;
            continue;
        }
        let digits = after.get(..2).and_then(|digits| str::from_utf8(digits).ok()).ok_or_else(wrong)?;
        octets.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = &after[2..];
    }
    String::from_utf8(octets).ok().filter(|text| !text.contains('\0')).ok_or_else(wrong)
}

#[cfg(all(test, feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = match DatabaseUrl::parse(text, Path::new("/etc")) {
            Ok(url) => match &url.place {
                Place::Server(place) => format!("{url} {:?}", place.tls),
                Place::File(_) => url.to_string(),
            },
            Err(error) => error.message,
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn databases_of_every_kind() {
        check("postgres://milter@db/mail", "postgres://milter@db/mail Off");
        check("postgresql://db:6432/mail?sslmode=require", "postgres://db:6432/mail Unverified");
        check("postgres://a%40b@[::1]/m%2fn", "the URL names no database");
        check("postgres://a%40b@[::1]:5432/m", "postgres://a@b@[::1]/m Off");
        check("postgres:///mail?host=/run/postgresql", "postgres:///mail at /run/postgresql Off");
        check("postgres://db/mail?sslmode=verify-full", "postgres://db/mail Host(None)");
        check("mysql://milter@db/mail", "mysql://milter@db/mail Off");
        check("mariadb://db/mail?require_ssl=true", "mysql://db/mail Host(None)");
        check("mysql://db/mail?require_ssl=true&verify_ca=false", "mysql://db/mail Unverified");
        check("mysql://u@localhost/m?socket=/run/s", "mysql://u@/m at /run/s Off");
        check("sqlite:/var/mail.sqlite", "sqlite:/var/mail.sqlite");
        check("sqlite:///var/mail.sqlite", "sqlite:/var/mail.sqlite");
        check("sqlite:mail.sqlite", "sqlite:/etc/mail.sqlite");
    }

    #[test]
    fn what_is_no_database() {
        check("db", "`db` is not the URL of a database");
        check("oracle://db/mail", "`oracle` is no kind of database");
        check("postgres:db", "the URL names no host");
        check("postgres://db", "the URL names no database");
        check("postgres://db/", "the URL names no database");
        check("postgres:///mail", "the URL names no host");
        check("postgres://u:secret@db/mail", "there is a password in the URL");
        check("postgres://db:x/mail", "`x` is no port");
        check("postgres://db/mail?sslmode=prefer", "`prefer` is no value of `sslmode`");
        check("postgres://db/mail?x", "`x` means nothing here");
        check("mysql://db/mail?verify_ca=false", "`verify_ca=false` means nothing here");
        check("mysql://db/mail?require_ssl=1", "`1` is no value of `require_ssl`");
        check("postgres://%zz@db/mail", "`%zz` is not encoded as URLs are");
        check("sqlite:", "the URL names no file");
    }
}
