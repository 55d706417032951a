//! The control socket: what an administrator asks of the running daemon, one JSON object a line, one request and one
//! answer a connection.
//!
//! Only root and the daemon's own user may connect. Whoever may is trusted, but not to be quick, or to be brief.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::Daemon;
use crate::memory::harvest::Block;
use crate::milter::Bound;

/// Who may connect: the owner, and root, whom no permissions stop.
pub(super) const PERMISSIONS: u32 = 0o600;

/// The longest request, in octets.
const LONGEST: u64 = 4096;

/// The time for one connection.
const TIME: Duration = Duration::from_secs(5);

/// Connections at once; others wait.
const CONNECTIONS: usize = 8;

/// What can be asked of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Request {
    /// What is blocked.
    HarvestList,
    /// Release a network, or everything.
    HarvestRelease {
        /// What is blocked within it or around it; none: everything.
        network: Option<IpNet>,
    },
    /// How a client stands.
    HarvestStanding {
        /// Its address.
        client: IpAddr,
        /// Whether its mail has the null reverse-path.
        #[serde(default)]
        null_sender: bool,
    },
}

/// What the daemon answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// To [`Request::HarvestList`].
    Blocked {
        /// Whether a block refuses anything.
        enforced: bool,
        /// What is blocked, in the order of addresses.
        networks: Vec<Block>,
    },
    /// To [`Request::HarvestRelease`]: what was released.
    Released(Vec<Block>),
    /// To [`Request::HarvestStanding`]: the block that the client is under.
    Standing(Option<Block>),
    /// It is no request.
    Error(String),
}

/// Answers for ever.
pub(super) async fn serve(bound: Bound, daemon: Arc<Daemon>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match bound.accept_local().await {
            // A socket that systemd made may have let in others than us and root.
            Ok(stream) if !is_ours(&stream) => {
                warn!("the control socket: refused somebody who is neither root nor us");
            }
            Ok(stream) => {
                let daemon = Arc::clone(&daemon);
                tokio::spawn(async move {
                    // Who is gone or too slow has lost interest.
                    let _ = timeout(TIME, converse(stream, &daemon)).await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "the control socket");
                sleep(TIME).await;
            }
        }
    }
}

/// Whether the other end is root or the daemon's own user.
fn is_ours(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == geteuid().as_raw())
}

async fn converse(stream: UnixStream, daemon: &Daemon) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reader.take(LONGEST)).read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(request) => daemon.answer(&request),
        Err(error) => Answer::Error(format!("this is no request: {error}")),
    };
    let mut line = serde_json::to_string(&answer)?;
    line.push('\n');
    writer.write_all(line.as_bytes()).await
}

impl Daemon {
    fn answer(&self, request: &Request) -> Answer {
        match request {
            Request::HarvestList => {
                let (networks, enforced) = self.harvest.list();
                Answer::Blocked { enforced, networks }
            }
            Request::HarvestRelease { network } => Answer::Released(self.harvest.release(*network)),
            Request::HarvestStanding { client, null_sender } => {
                Answer::Standing(self.harvest.block_of(client.to_canonical(), *null_sender))
            }
        }
    }
}
