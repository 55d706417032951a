//! Tables that are servers: `socketmap:`, `tcp:`.

use tracing::warn;

use super::{Request, Table, TableError, Usage};
use crate::clients::files::problem::Problem;
use crate::clients::files::watched::Reading;
use crate::clients::socketmap::{self, Socketmap};
use crate::clients::tcp_table::{self, TcpTable};
use crate::clients::{Endpoint, EndpointError};
use crate::mail::tagged::is_srs;
use crate::mta::postfix::stranger::stranger;

/// Opens a map of a socketmap server: `socketmap:inet:host:port:name` or `socketmap:unix:/path:name`.
pub(super) fn open_socketmap(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    let wrong = |message: String| {
        let hint = "write socketmap:inet:host:port:name or socketmap:unix:/path:name";
        vec![Problem::new(message).hint(hint)]
    };
    let (server, map) = request.name.rsplit_once(':').ok_or_else(|| wrong("it names no map".to_owned()))?;
    if !socketmap::is_map_name(map) {
        return Err(wrong("it names no map".to_owned()));
    }
    let is_unix = |(kind, path)| ["unix", "local"].contains(&kind).then_some(path);
    let (server, warnings) = match server.split_once(':').and_then(is_unix) {
        Some(path) => {
            let (path, warnings) = request.context.socket(path)?;
            (Endpoint::unix(&path), warnings)
        }
        None => (server.parse(), Vec::new()),
    };
    let server = server.map_err(|EndpointError(why)| wrong(why))?;
    let only_names = request.context.usage == Usage::Names;
    let table =
        SocketmapTable { map: Socketmap::new(server, map), only_names, title: request.name.to_owned() };
    Ok((Box::new(table), warnings))
}

/// Opens a server that speaks Postfix's own protocol: `tcp:host:port`.
pub(super) fn open_tcp(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    let server = Endpoint::inet(request.name)
        .map_err(|EndpointError(why)| vec![Problem::new(why).hint("write tcp:host:port")])?;
    Ok((Box::new(TcpTable::new(server)), Vec::new()))
}

#[derive(Debug)]
struct SocketmapTable {
    map: Socketmap,
    /// Whether it gives names and nothing else.
    only_names: bool,
    title: String,
}

impl SocketmapTable {
    /// Whether `PERM` is about this key alone: one that the Sender Rewriting Scheme makes, of a map that only reverses
    /// such, and that answers for another key. Programs that reverse them say `PERM` to those that are none of theirs
    /// (`PostSRSd` after 2.1.0); Postfix takes it for a mistake in its configuration, and defers for ever.
    async fn is_forged(&self, key: &str) -> bool {
        let Some((local_part, domain)) = key.rsplit_once('@').filter(|_| self.only_names) else {
            return false;
        };
        if !is_srs(local_part) {
            return false;
        }
        let other = self.map.find(&format!("{}@{domain}", stranger(""))).await;
        matches!(other, Ok(socketmap::Answer::Found(_) | socketmap::Answer::NotFound))
    }
}

#[async_trait::async_trait]
impl Table for SocketmapTable {
    async fn find(&self, key: &str) -> Result<Option<String>, TableError> {
        match self.map.find(key).await {
            Ok(socketmap::Answer::Found(value)) => Ok(Some(value)),
            Ok(socketmap::Answer::NotFound) => Ok(None),
            Ok(socketmap::Answer::FailedForGood(_)) if self.is_forged(key).await => {
                warn!(
                    "socketmap:{} says PERM to SRS addresses that it cannot reverse: they do not exist",
                    self.title
                );
                Ok(None)
            }
            Ok(socketmap::Answer::Failed(why) | socketmap::Answer::FailedForGood(why)) => {
                Err(TableError(why))
            }
            Err(trouble) => Err(TableError(trouble.to_string())),
        }
    }

    fn has_patterns(&self) -> bool {
        true
    }
}

#[async_trait::async_trait]
impl Table for TcpTable {
    async fn find(&self, key: &str) -> Result<Option<String>, TableError> {
        match TcpTable::find(self, key).await {
            Ok(tcp_table::Answer::Found(value)) => Ok(Some(value)),
            Ok(tcp_table::Answer::NotFound) => Ok(None),
            Ok(tcp_table::Answer::Failed(why)) => Err(TableError(why)),
            Err(trouble) => Err(TableError(trouble.to_string())),
        }
    }

    fn has_patterns(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Context, Usage, open};

    #[test]
    fn what_names_no_server() {
        let open = |table: &str| open(table, Context::alone(Usage::Maps), 0);
        let problem = |table: &str| open(table).unwrap_err()[0].message.clone();
        assert_eq!(problem("socketmap:inet:localhost:7777"), "‘localhost’ has no port");
        assert_eq!(problem("socketmap:unix:/run/x:"), "it names no map");
        assert_eq!(problem("socketmap:unix:x:map"), "‘x’ is not an absolute path");
        assert_eq!(problem("tcp:localhost:smtp"), "‘smtp’ is no port");
        assert!(open("socketmap:unix:/run/a:b/c:map").is_ok());
    }
}
