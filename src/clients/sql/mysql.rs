//! MySQL and MariaDB, the only file that names their client.

use std::time::Duration;

use mysql_async::consts::ColumnType;
use mysql_async::prelude::{Protocol, Queryable as _};
use mysql_async::{Column, Conn, Error, Opts, OptsBuilder, Params, QueryResult, SslOpts};
use tokio::time::timeout;

use super::pool::Server;
use super::{Answer, Failure, Host, Question, Row, Rows, Secret, ServerPlace, Tls, Value};
use crate::clients::files::problem::Problem;

/// How long saying good-bye to a server may take.
const FAREWELL: Duration = Duration::from_millis(200);

/// The largest packet that a server may send; it splits what is larger.
const LARGEST_PACKET: usize = 16 << 20;

/// A server.
#[derive(Debug)]
pub(super) struct Mysql {
    options: Opts,
    secret: Secret,
}

/// Makes ready to connect.
///
/// # Errors
///
/// Where this host trusts no authority.
pub(super) fn open(place: &ServerPlace, secret: Secret) -> Result<(Mysql, Vec<Problem>), Vec<Problem>> {
    let mut options = OptsBuilder::default()
        .user(place.user.clone())
        .db_name(Some(place.database.clone()))
        .tcp_port(place.port)
        // It would leave a TCP connection for a socket that the server names, if that is on this host.
        .prefer_socket(false)
        // Who does not say these asks the server for them with every connection.
        .max_allowed_packet(Some(LARGEST_PACKET))
        .wait_timeout(Some(28_800));
    options = match &place.host {
        Host::Name(name) => options.ip_or_hostname(name.clone()),
        Host::Socket(path) => options.socket(Some(path.display().to_string())),
    };
    if matches!(place.host, Host::Name(_)) {
        options = options.ssl_opts(ssl(&place.tls)?);
    }
    Ok((Mysql { options: options.into(), secret }, Vec::new()))
}

/// What of TLS is asked for.
fn ssl(tls: &Tls) -> Result<Option<SslOpts>, Vec<Problem>> {
    let options = SslOpts::default();
    let file = match tls {
        Tls::Off | Tls::IfOffered => return Ok(None),
        Tls::Unverified => {
            let options = options.with_danger_accept_invalid_certs(true);
            return Ok(Some(options.with_danger_skip_domain_validation(true)));
        }
        Tls::Host(file) => file,
    };
    let roots = if let Some(file) = file {
        vec![file.clone().into()]
    } else {
        let found = rustls_native_certs::load_native_certs().certs;
        if found.is_empty() {
            let problem = Problem::new("this host trusts no certificate authority");
            return Err(vec![problem.hint("install ca-certificates")]);
        }
        found.into_iter().map(|certificate| certificate.to_vec().into()).collect()
    };
    Ok(Some(options.with_disable_built_in_roots(true).with_root_certs(roots)))
}

/// A connection.
pub(super) struct Connection(Option<Conn>);

impl Drop for Connection {
    fn drop(&mut self) {
        // Left to itself it would wait for the rest of an answer before it says good-bye.
        if let (Some(connection), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { drop(timeout(FAREWELL, connection.disconnect()).await) });
        }
    }
}

#[async_trait::async_trait]
impl Server for Mysql {
    type Connection = Connection;

    async fn connect(&self) -> Result<Connection, String> {
        let password = self.secret.current().map(|password| password.0.clone());
        let options = OptsBuilder::from_opts(self.options.clone()).pass(password);
        let connection = Conn::new(options).await.map_err(|error| shown(&error))?;
        Ok(Connection(Some(connection)))
    }

    async fn is_usable(&self, connection: &mut Connection) -> bool {
        connection.0.as_ref().is_some_and(|connection| !connection.is_disconnected())
    }

    async fn ask(&self, connection: &mut Connection, question: &Question<'_>) -> Result<Answer, Failure> {
        let Some(connection) = &mut connection.0 else {
            return Err(Failure::Broken("the connection is gone".to_owned()));
        };
        let answer = match question {
            Question::Bound(sql, values) => {
                let values = values.iter().map(|value| (*value).into()).collect();
                match connection.exec_iter(*sql, Params::Positional(values)).await {
                    Ok(result) => rows(result, convert).await,
                    Err(error) => Err(error.into()),
                }
            }
            Question::Text(sql) => match connection.query_iter(*sql).await {
                Ok(result) => rows(result, |value, _| as_text(value)).await,
                Err(error) => Err(error.into()),
            },
        };
        answer.map_err(|trouble| match trouble {
            Trouble::Client(error) => failure(&error),
            Trouble::Other(failure) => failure,
        })
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

/// The rows of the one result that may have some. A stored procedure gives another one at its end, which is empty.
async fn rows<P: Protocol + Unpin>(
    mut result: QueryResult<'_, '_, P>,
    convert: fn(mysql_async::Value, &Column) -> Result<Value, Failure>,
) -> Result<Answer, Trouble> {
    let mut answer: Option<Rows> = None;
    while !result.is_empty() {
        let columns = result.columns();
        let mut rows = Rows::default();
        while let Some(row) = result.next().await? {
            let columns = columns.as_deref().unwrap_or_default();
            let values = row.unwrap().into_iter().zip(columns).map(|(value, column)| convert(value, column));
            rows.push(values.collect::<Result<Row, Failure>>()?)?;
        }
        if columns.is_some_and(|columns| !columns.is_empty()) && answer.replace(rows).is_some() {
            return Err(Failure::Broken("there is more than one set of rows".to_owned()).into());
        }
    }
    Ok(answer.map(|rows| rows.rows))
}

fn convert(value: mysql_async::Value, column: &Column) -> Result<Value, Failure> {
    use mysql_async::Value as Raw;
    let number = |is_zero| Ok(Value::Number { is_zero });
    match value {
        Raw::NULL => Ok(Value::Null),
        Raw::Int(value) => number(value == 0),
        Raw::UInt(value) => number(value == 0),
        Raw::Float(value) => number(value == 0.0),
        Raw::Double(value) => number(value == 0.0),
        Raw::Bytes(octets) => match column.column_type() {
            ColumnType::MYSQL_TYPE_BIT => number(octets.iter().all(|octet| *octet == 0)),
            ColumnType::MYSQL_TYPE_DECIMAL | ColumnType::MYSQL_TYPE_NEWDECIMAL => {
                number(!octets.iter().any(|octet| (b'1'..=b'9').contains(octet)))
            }
            _ => text(octets),
        },
        Raw::Date(..) | Raw::Time(..) => Ok(Value::Other("date or time".to_owned())),
    }
}

/// The value as the server writes it, which it does with all values where nothing is bound.
fn as_text(value: mysql_async::Value) -> Result<Value, Failure> {
    match value {
        mysql_async::Value::NULL => Ok(Value::Null),
        mysql_async::Value::Bytes(octets) => text(octets),
        _ => Err(Failure::Broken("a value is no text".to_owned())),
    }
}

fn text(octets: Vec<u8>) -> Result<Value, Failure> {
    let text = String::from_utf8(octets).map_err(|_| Failure::Refused("a value is not UTF-8".to_owned()))?;
    Ok(Value::Text(text))
}

/// What an error means for the connection.
fn failure(error: &Error) -> Failure {
    // ER_SERVER_SHUTDOWN, ER_NORMAL_SHUTDOWN, ER_UNKNOWN_STMT_HANDLER, ER_NEED_REPREPARE, ER_CONNECTION_KILLED
    const GONE: [u16; 5] = [1053, 1077, 1243, 1615, 1927];
    match error {
        Error::Server(server) if !GONE.contains(&server.code) => Failure::Refused(shown(error)),
        _ => Failure::Broken(shown(error)),
    }
}

/// An error in one line.
fn shown(error: &Error) -> String {
    match error {
        Error::Server(server) => super::one_line(&server.message),
        Error::Io(mysql_async::IoError::Io(error)) => super::one_line(&error.to_string()),
        error => super::one_line(&error.to_string()),
    }
}
