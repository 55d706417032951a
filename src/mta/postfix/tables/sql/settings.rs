//! The file of a table. What it asks for and we cannot do is an error here.

use std::path::PathBuf;

use super::query::Query;
use super::servers::Servers;
use super::{Encoding, Sql};
use crate::clients::files::problem::{Problem, quoted};
use crate::clients::files::watched::Reading;
use crate::clients::password::Password;
use crate::clients::sql::{Database, DatabaseUrl, Dialect, Host, Secret, ServerPlace, Tls};
use crate::mta::postfix::match_list::{Below, MatchList};
use crate::mta::postfix::tables::cf::Cf;
use crate::mta::postfix::tables::expansion::{Kind, Needs, Template};
use crate::mta::postfix::tables::{Context, Request};
use crate::mta::postfix::words::words;

/// Where clients of MySQL look for a server on this host.
const MYSQL_SOCKET: &str = "/run/mysqld/mysqld.sock";

/// Parameters of `mysql:` of which only the default can be honoured.
const DEFAULT_ONLY: [(&str, &str); 6] = [
    ("option_file", "write what it says into this file"),
    ("option_group", "files of options are not read; write what they say into this file"),
    ("tls_CApath", "name the authorities in one file, by tls_CAfile"),
    ("tls_cert_file", "certificates of clients are not in this version"),
    ("tls_ciphers", "what may be negotiated cannot be chosen"),
    ("tls_key_file", "certificates of clients are not in this version"),
];

/// Reads the file.
pub(super) fn read(dialect: Dialect, request: &Request<'_>) -> Reading<Sql> {
    let (cf, mut warnings) = Cf::open(request)?;
    let path = &request.file()?;
    let in_file =
        |problems: Vec<Problem>| problems.into_iter().map(|one| one.in_file(path)).collect::<Vec<_>>();
    let (table, more) = table(dialect, &cf, request.context).map_err(in_file)?;
    warnings.extend(in_file(more));
    warnings.extend(in_file(cf.unknown()));
    Ok((table, warnings))
}

fn table(dialect: Dialect, cf: &Cf, context: Context<'_>) -> Reading<Sql> {
    let one = |problem: Problem| vec![problem];
    let mut needs = Needs::default();
    let text = query(dialect, cf).map_err(one)?;
    let query = Query::parse(dialect, &text, &mut needs)
        .map_err(|error| one(Problem { hint: error.hint.clone(), ..cf.problem("query", &error.message) }))?;
    let format = cf.value("result_format").unwrap_or("%s");
    if format.is_empty() {
        return Err(one(cf.problem("result_format", "it is empty")));
    }
    let result_format = Template::parse(format, Kind::Result, &mut needs).map_err(one)?;
    let (servers, mut warnings) = match dialect {
        Dialect::Sqlite => file(cf, context)?,
        Dialect::Postgres | Dialect::Mysql => servers(dialect, cf, context)?,
    };
    if query.is_fixed() {
        warnings.push(cf.problem("query", "the answer is the same for every key"));
    }
    let domains = match cf.value("domain").filter(|list| !list.is_empty()) {
        Some(list) => {
            let (list, more) = MatchList::parse("domain", list, Below::Out, context)?;
            warnings.extend(more);
            Some(list)
        }
        None => None,
    };
    let requires_rows = dialect == Dialect::Mysql
        && (cf.value("require_result_set").is_none() || cf.is_yes("require_result_set").map_err(one)?);
    let table = Sql {
        servers,
        query,
        result_format,
        needs,
        domains,
        expansion_limit: cf.number("expansion_limit", 0, 0).map_err(one)?,
        requires_rows,
        first_column_only: dialect == Dialect::Sqlite,
        encoding: encoding(dialect, cf).map_err(one)?,
    };
    Ok((table, warnings))
}

/// The query, or what older parameters amount to.
fn query(dialect: Dialect, cf: &Cf) -> Result<String, Problem> {
    let set = |name| cf.value(name).filter(|value: &&str| !value.is_empty());
    let function = if dialect == Dialect::Postgres { set("select_function") } else { None };
    let parts = ["table", "select_field", "where_field"].map(|name| (name, set(name)));
    let more = cf.value("additional_conditions").unwrap_or_default();
    match (set("query"), function) {
        (Some(query), _) => return Ok(query.to_owned()),
        (None, Some(function)) => return Ok(format!("SELECT {function}('%s')")),
        (None, None) => {}
    }
    match parts.map(|(_, value)| value) {
        [Some(table), Some(field), Some(key)] => {
            Ok(format!("SELECT {field} FROM {table} WHERE {key} = '%s' {more}"))
        }
        [None, None, None] => {
            Err(Problem::new("there is no query").hint("write `query = SELECT … WHERE … = '%s'`"))
        }
        _ => {
            let missing = parts.iter().find(|(_, value)| value.is_none()).map_or("", |(name, _)| name);
            Err(cf.problem(missing, "it is not set"))
        }
    }
}

/// What keys and values are encoded in. Before version 3.8 Postfix told PostgreSQL LATIN1, whatever they were in.
fn encoding(dialect: Dialect, cf: &Cf) -> Result<Encoding, Problem> {
    let (name, known): (_, &[_]) = match dialect {
        Dialect::Postgres => {
            ("encoding", &[("UTF8", Encoding::Utf8), ("UTF-8", Encoding::Utf8), ("LATIN1", Encoding::Latin1)])
        }
        Dialect::Mysql => ("charset", &[("utf8mb4", Encoding::Utf8)]),
        Dialect::Sqlite => return Ok(Encoding::Utf8),
    };
    let Some(value) = cf.value(name).filter(|value| !value.is_empty()) else { return Ok(Encoding::Utf8) };
    let found = known.iter().find(|(known, _)| known.eq_ignore_ascii_case(value));
    found.map(|(_, encoding)| *encoding).ok_or_else(|| {
        let known: Vec<&str> = known.iter().map(|(known, _)| *known).collect();
        cf.problem(name, &format!("{} cannot be honoured", quoted(value)))
            .hint(format!("one of: {}", known.join(", ")))
    })
}

fn file(cf: &Cf, context: Context<'_>) -> Reading<Servers> {
    let Some(path) = cf.value("dbpath").filter(|path| !path.is_empty()) else {
        return Err(vec![cf.problem("dbpath", "it is not set")]);
    };
    let path = context
        .file(path)
        .map_err(|problem| vec![Problem { hint: problem.hint, ..cf.problem("dbpath", &problem.message) }])?;
    let (database, warnings) = Database::open(&DatabaseUrl::file(&path), Secret::None)?;
    Ok((Servers::new([(database, true)]), warnings))
}

fn servers(dialect: Dialect, cf: &Cf, context: Context<'_>) -> Reading<Servers> {
    let one = |problem: Problem| vec![problem];
    let user = cf.value("user").filter(|user| !user.is_empty());
    let password = cf.value("password").filter(|password| !password.is_empty());
    let database = cf.value("dbname").unwrap_or_default();
    let tls = match dialect {
        Dialect::Mysql => mysql_tls(cf).map_err(one)?,
        _ => Tls::IfOffered,
    };
    let hosts: Vec<&str> = words(cf.value("hosts").unwrap_or_default()).collect();
    let hosts = if hosts.is_empty() { vec!["localhost"] } else { hosts };
    let (mut databases, mut warnings) = (Vec::new(), Vec::new());
    for host in hosts {
        let (place, password) = if host.starts_with("postgresql:") && dialect == Dialect::Postgres {
            connection_uri(cf, host).map_err(one)?
        } else {
            if database.is_empty() {
                return Err(one(cf.problem("dbname", "it is not set")));
            }
            if user.is_none() && dialect == Dialect::Mysql {
                return Err(one(cf
                    .problem("user", "it is not set")
                    .hint("name the user that the server knows")));
            }
            let ((host, port), more) = place(dialect, cf, host, context)?;
            warnings.extend(more);
            let place = ServerPlace {
                dialect,
                user: user.map(str::to_owned),
                host,
                port,
                database: database.to_owned(),
                tls: tls.clone(),
            };
            (place, password.map(str::to_owned))
        };
        let is_near = matches!(place.host, Host::Socket(_));
        let secret = password.map_or(Secret::None, |password| Secret::Known(Password(password)));
        let (database, more) = Database::open(&DatabaseUrl::server(place), secret)?;
        databases.push((database, is_near));
        warnings.extend(more);
    }
    Ok((Servers::new(databases), warnings))
}

/// `unix:/path`, `inet:host:port`, `host:port`, `host`.
fn place(dialect: Dialect, cf: &Cf, text: &str, context: Context<'_>) -> Reading<(Host, u16)> {
    let is_unix = text.starts_with("unix:");
    let name = text.strip_prefix("unix:").or_else(|| text.strip_prefix("inet:")).unwrap_or(text);
    // The directory of a socket of PostgreSQL may have a colon in it.
    let is_directory = dialect == Dialect::Postgres && name.starts_with('/');
    let (name, port) = name.rsplit_once(':').filter(|_| !is_directory).unwrap_or((name, ""));
    let default = if dialect == Dialect::Mysql { 3306 } else { 5432 };
    let port = if port.is_empty() { Some(default) } else { port.parse().ok().filter(|port| *port > 0) };
    let wrong = |why: &str| vec![cf.problem("hosts", &format!("{} {why}", quoted(text)))];
    let port = port.ok_or_else(|| wrong("has no number for a port"))?;
    let socket = match dialect {
        _ if name.is_empty() => return Err(wrong("names no host and no socket")),
        Dialect::Mysql if is_unix => name,
        Dialect::Mysql if name.eq_ignore_ascii_case("localhost") => MYSQL_SOCKET,
        _ if is_directory => name,
        _ => return Ok(((Host::Name(name.to_owned()), port), Vec::new())),
    };
    let of_hosts = |one: Problem| Problem { hint: one.hint, ..cf.problem("hosts", &one.message) };
    match context.socket(socket) {
        Ok((path, warnings)) => {
            Ok(((Host::Socket(path), port), warnings.into_iter().map(of_hosts).collect()))
        }
        Err(problems) => Err(problems.into_iter().map(of_hosts).collect()),
    }
}

/// `postgresql://user:password@host/database`, beside which the other parameters do not count.
fn connection_uri(cf: &Cf, text: &str) -> Result<(ServerPlace, Option<String>), Problem> {
    let (url, password) = DatabaseUrl::parse_with_password(text)
        .map_err(|error| cf.problem("hosts", &error.message).hint(error.hint))?;
    Ok((url, password))
}

/// TLS to MySQL: where an authority is named.
fn mysql_tls(cf: &Cf) -> Result<Tls, Problem> {
    for (name, hint) in DEFAULT_ONLY {
        if cf.value(name).is_some_and(|value| !value.is_empty()) {
            return Err(cf.problem(name, "it cannot be honoured").hint(hint));
        }
    }
    let file = cf.value("tls_CAfile").filter(|file| !file.is_empty()).map(PathBuf::from);
    let is_verified = cf.is_yes("tls_verify_cert")?;
    match (file, is_verified) {
        (None, false) => Ok(Tls::Off),
        (file, true) => Ok(Tls::Host(file)),
        (Some(_), false) => {
            let problem =
                cf.problem("tls_CAfile", "a certificate cannot be verified without the name that it is for");
            Err(problem.hint("set `tls_verify_cert = yes`"))
        }
    }
}
