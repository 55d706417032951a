//! PostgreSQL, the only file that names its client.

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use bytes::BytesMut;
use futures_util::TryStreamExt as _;
use futures_util::future::{MapOk, TryFutureExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::frames::{Allowance, Bounded};
use super::pool::Server;
use super::{Answer, Failure, Host, Question, Row, Rows, Secret, ServerPlace, Tls, Value};
use crate::clients::files::problem::Problem;
use crate::clients::tls::{self, Trust};

/// A server.
#[derive(Debug)]
pub(super) struct Postgres {
    config: Config,
    host: Host,
    port: u16,
    secret: Secret,
    tls: Option<Arc<rustls::ClientConfig>>,
}

/// Makes ready to connect.
///
/// # Errors
///
/// Where this host trusts no authority.
pub(super) fn open(place: &ServerPlace, secret: Secret) -> Result<(Postgres, Vec<Problem>), Vec<Problem>> {
    let mut config = Config::new();
    config.dbname(&place.database).application_name("lockdown-milter");
    if let Some(user) = &place.user {
        config.user(user);
    }
    let trust = match &place.tls {
        Tls::Off => None,
        Tls::Unverified | Tls::IfOffered => Some(Trust::Anybody),
        Tls::Host(None) => Some(Trust::System),
        Tls::Host(Some(file)) => Some(Trust::File(file.clone())),
    };
    let (tls, warnings) = match trust.filter(|_| matches!(place.host, Host::Name(_))) {
        None => (None, Vec::new()),
        Some(trust) => {
            let (tls, warnings) = tls::client(&trust)?;
            (Some(tls), warnings)
        }
    };
    config.ssl_mode(match place.tls {
        _ if tls.is_none() => SslMode::Disable,
        Tls::IfOffered => SslMode::Prefer,
        _ => SslMode::Require,
    });
    Ok((Postgres { config, host: place.host.clone(), port: place.port, secret, tls }, warnings))
}

/// A connection, with the queries that it has prepared.
pub(super) struct Connection {
    client: Client,
    prepared: HashMap<String, Statement>,
    task: JoinHandle<()>,
    allowance: Allowance,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // It would wait for the answers that are still to come.
        self.task.abort();
    }
}

#[async_trait::async_trait]
impl Server for Postgres {
    type Connection = Connection;

    async fn connect(&self) -> Result<Connection, String> {
        let mut config = self.config.clone();
        if let Some(password) = self.secret.current() {
            config.password(&password.0);
        }
        let (client, task, allowance) = match &self.host {
            Host::Name(name) => {
                let stream = TcpStream::connect((name.as_str(), self.port)).await;
                let stream = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
                self.start(&config, name, stream.map_err(|error| unreachable(&error))?).await
            }
            Host::Socket(path) => {
                let path = path.join(format!(".s.PGSQL.{}", self.port));
                let stream = UnixStream::connect(path).await.map_err(|error| unreachable(&error))?;
                self.start(&config, "", stream).await
            }
        }
        .map_err(|error| shown(&error))?;
        Ok(Connection { client, prepared: HashMap::new(), task, allowance })
    }

    async fn is_usable(&self, connection: &mut Connection) -> bool {
        !connection.client.is_closed()
    }

    async fn ask(&self, connection: &mut Connection, question: &Question<'_>) -> Result<Answer, Failure> {
        connection.allowance.renew();
        let answer = match question {
            // No text of PostgreSQL holds a NUL, so none is equal to one that does.
            Question::Bound(_, values) if values.iter().any(|value| value.contains('\0')) => {
                return Ok(Some(Vec::new()));
            }
            Question::Bound(sql, values) => ask_bound(connection, sql, values).await,
            Question::Text(sql) => ask_text(&connection.client, sql).await,
        };
        answer.map_err(|error| match (connection.allowance.passed(), error) {
            (Some(why), _) => Failure::Broken(why.to_owned()),
            (None, Trouble::Client(error)) => failure(&error),
            (None, Trouble::Other(failure)) => failure,
        })
    }
}

impl Postgres {
    /// Begins a session on a stream to the server, by TLS where that is wanted.
    async fn start<S>(
        &self,
        config: &Config,
        host_name: &str,
        stream: S,
    ) -> Result<(Client, JoinHandle<()>, Allowance), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let allowance = Allowance::new();
        let (client, task) = match &self.tls {
            None => {
                let stream = Bounded::messages(stream, allowance.clone());
                let (client, connection) = config.connect_raw(stream, NoTls).await?;
                (client, tokio::spawn(async move { drop(connection.await) }))
            }
            Some(tls) => {
                let stream = Bounded::negotiated(stream, allowance.clone());
                let mut maker = MakeRustlsConnect::new((**tls).clone());
                let Ok(tls) = MakeTlsConnect::<Bounded<S>>::make_tls_connect(&mut maker, host_name);
                let (client, connection) =
                    config.connect_raw(stream, Within { tls, allowance: allowance.clone() }).await?;
                (client, tokio::spawn(async move { drop(connection.await) }))
            }
        };
        Ok((client, task, allowance))
    }
}

/// TLS within which messages are held to their bounds.
struct Within<T> {
    tls: T,
    allowance: Allowance,
}

impl<S, T: TlsConnect<S>> TlsConnect<S> for Within<T>
where
    T::Future: Send,
{
    type Stream = Bounded<T::Stream>;
    type Error = T::Error;
    type Future = MapOk<T::Future, Box<dyn FnOnce(T::Stream) -> Bounded<T::Stream> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let Self { tls, allowance } = self;
        tls.connect(stream).map_ok(Box::new(|stream| Bounded::messages(stream, allowance)))
    }
}

impl<S: TlsStream + Unpin> TlsStream for Bounded<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.inner().channel_binding()
    }
}

/// What goes wrong while rows come in.
enum Trouble {
    Client(Error),
    Other(Failure),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

async fn ask_bound(connection: &mut Connection, sql: &str, values: &[&str]) -> Result<Answer, Trouble> {
    let statement = if let Some(statement) = connection.prepared.get(sql) {
        statement.clone()
    } else {
        let statement = prepare(&connection.client, sql, values.len()).await?;
        connection.prepared.insert(sql.to_owned(), statement.clone());
        statement
    };
    let values: Vec<Bound<'_>> = values.iter().map(|value| Bound(value)).collect();
    let mut stream = pin!(connection.client.query_raw(&statement, &values).await?);
    let mut rows = Rows::default();
    while let Some(row) = stream.try_next().await? {
        let columns = (0..row.len()).map(|at| {
            let column = row.try_get::<_, Option<Column>>(at)?;
            Ok(column.map_or(Value::Null, |Column(value)| value))
        });
        rows.push(columns.collect::<Result<Row, Error>>()?)?;
    }
    Ok(Some(rows.rows))
}

/// Prepares a query. The server finds the types of its values, so that `address = $1` uses the index of the column
/// whatever kind of text that is; where it cannot, as in `concat($1, $2)`, they are texts.
async fn prepare(client: &Client, sql: &str, values: usize) -> Result<Statement, Error> {
    match client.prepare(sql).await {
        Err(error) if error.code() == Some(&SqlState::INDETERMINATE_DATATYPE) => {
            client.prepare_typed(sql, &vec![Type::TEXT; values]).await
        }
        prepared => prepared,
    }
}

async fn ask_text(client: &Client, sql: &str) -> Result<Answer, Trouble> {
    let mut stream = pin!(client.simple_query_raw(sql).await?);
    let (mut rows, mut has_columns) = (Rows::default(), false);
    while let Some(message) = stream.try_next().await? {
        match message {
            SimpleQueryMessage::Row(row) => {
                let columns = (0..row.len()).map(|at| {
                    let text = row.try_get(at)?;
                    Ok(text.map_or(Value::Null, |text| Value::Text(text.to_owned())))
                });
                rows.push(columns.collect::<Result<Row, Error>>()?)?;
            }
            SimpleQueryMessage::RowDescription(_) => has_columns = true,
            _ => {}
        }
    }
    Ok(has_columns.then_some(rows.rows))
}

/// A value as text, of whatever type the server takes it for.
#[derive(Debug)]
struct Bound<'a>(&'a str);

impl ToSql for Bound<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// A column of whatever type it is.
struct Column(Value);

impl<'a> FromSql<'a> for Column {
    fn from_sql(of: &Type, octets: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let number = |is_zero| Value::Number { is_zero };
        Ok(Self(match *of {
            Type::BOOL => Value::Truth(octets != [0]),
            Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => {
                number(octets.iter().all(|octet| *octet == 0))
            }
            Type::FLOAT4 => number(f32::from_sql(of, octets)? == 0.0),
            Type::FLOAT8 => number(f64::from_sql(of, octets)? == 0.0),
            // It begins with how many digits follow; 0 has none.
            Type::NUMERIC => number(octets.starts_with(&[0, 0])),
            _ => match of.kind() {
                Kind::Domain(of) => return Self::from_sql(of, octets),
                Kind::Enum(_) => text(octets)?,
                _ if <&str as FromSql>::accepts(of) => text(octets)?,
                _ => Value::Other(of.name().to_owned()),
            },
        }))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn text(octets: &[u8]) -> Result<Value, Box<dyn std::error::Error + Sync + Send>> {
    Ok(Value::Text(str::from_utf8(octets)?.to_owned()))
}

/// What an error means for the connection.
fn failure(error: &Error) -> Failure {
    let why = shown(error);
    let Some(code) = error.code() else { return Failure::Broken(why) };
    // The server goes down, has forgotten what was prepared, or has it for a table that has changed since.
    let is_broken = ["57P", "08"].iter().any(|class| code.code().starts_with(class))
        || [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::FEATURE_NOT_SUPPORTED].contains(code);
    if is_broken { Failure::Broken(why) } else { Failure::Refused(why) }
}

/// Why there is no connection.
fn unreachable(error: &io::Error) -> String {
    super::one_line(&format!("cannot connect: {error}"))
}

/// An error in one line.
fn shown(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        return super::one_line(error.message());
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    super::one_line(&text)
}
