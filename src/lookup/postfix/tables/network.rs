//! Tables that are servers: `socketmap:`, `tcp:`.

use super::{Request, Table, TableError};
use crate::lookup::clients::socketmap::{self, Socketmap};
use crate::lookup::clients::tcp_table::{self, TcpTable};
use crate::lookup::clients::{Endpoint, EndpointError};
use crate::lookup::problem::Problem;
use crate::lookup::watched::Reading;

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
    let server = server.parse().map_err(|EndpointError(why)| wrong(why))?;
    Ok((Box::new(SocketmapTable(Socketmap::new(server, map))), Vec::new()))
}

/// Opens a server that speaks Postfix's own protocol: `tcp:host:port`.
pub(super) fn open_tcp(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    let server = Endpoint::inet(request.name)
        .map_err(|EndpointError(why)| vec![Problem::new(why).hint("write tcp:host:port")])?;
    Ok((Box::new(TcpTable::new(server)), Vec::new()))
}

#[derive(Debug)]
struct SocketmapTable(Socketmap);

#[async_trait::async_trait]
impl Table for SocketmapTable {
    async fn find(&self, key: &str) -> Result<Option<String>, TableError> {
        match self.0.find(key).await {
            Ok(socketmap::Answer::Found(value)) => Ok(Some(value)),
            Ok(socketmap::Answer::NotFound) => Ok(None),
            Ok(socketmap::Answer::Failed(why)) => Err(TableError(why)),
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
    use super::super::{Usage, open};

    #[test]
    fn what_names_no_server() {
        let problem = |table: &str| open(table, Usage::Maps, 0).unwrap_err()[0].message.clone();
        assert_eq!(problem("socketmap:inet:localhost:7777"), "‘localhost’ has no port");
        assert_eq!(problem("socketmap:unix:/run/x:"), "it names no map");
        assert_eq!(problem("socketmap:unix:x:map"), "‘x’ is no absolute path");
        assert_eq!(problem("tcp:localhost:smtp"), "‘smtp’ is no port");
        assert!(open("socketmap:unix:/run/a:b/c:map", Usage::Maps, 0).is_ok());
    }
}
