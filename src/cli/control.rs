//! Asking the running daemon through its control socket.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{CONFIGURATION, FINDINGS, Source};
use crate::daemon::RunError;
use crate::daemon::control::{Answer, Request};
use crate::facts::{HarvestQuestion, Standing};
use crate::memory::harvest::Counter;

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which daemon.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    #[command(flatten)]
    source: Source,
    /// The control socket [default: what the configuration says]
    #[arg(long, value_name = "SOCKET")]
    control: Option<PathBuf>,
}

/// The control socket of a daemon.
#[derive(Debug)]
pub(super) struct Control(PathBuf);

/// Why the daemon was not asked, or what was wrong with its answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ControlError {
    #[error(
        "the configuration names no control socket; add `control: /run/lockdown-milter/control.sock` and restart"
    )]
    NotConfigured,
    #[error("{0}: there is no such socket: the daemon does not run, or not since `control` was set")]
    NotThere(PathBuf),
    #[error("{0}: nobody answers: the daemon does not run")]
    NotRunning(PathBuf),
    #[error("{0}: permission denied: it is for root and the daemon's own user")]
    Denied(PathBuf),
    #[error("{0}: no answer within {PATIENCE:?}")]
    Silent(PathBuf),
    #[error("{path}: {source}")]
    System { path: PathBuf, source: io::Error },
    #[error("{0}: the daemon says: {1}")]
    Refused(PathBuf, String),
    #[error("{0}: this is no answer of this version's: is the daemon an older one?")]
    Strange(PathBuf),
}

impl ControlError {
    /// Says so, and gives the exit status.
    pub(super) fn fail(&self) -> ExitCode {
        eprintln!("lockdown-milter: {self}");
        match self {
            Self::NotConfigured => ExitCode::from(CONFIGURATION),
            _ => ExitCode::from(FINDINGS),
        }
    }
}

impl Which {
    /// What the daemon answers. The configuration is only read where the command line does not name the socket.
    pub(super) fn ask(&self, request: &Request) -> Result<Result<Answer, ControlError>, RunError> {
        let path = match &self.control {
            Some(path) => Some(path.clone()),
            None => self.source.load()?.0.control,
        };
        let Some(path) = path else { return Ok(Err(ControlError::NotConfigured)) };
        super::block_on(async { Ok(Control::new(path).ask(request).await) })
    }
}

impl Control {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The daemon's answer.
    pub(super) async fn ask(&self, request: &Request) -> Result<Answer, ControlError> {
        let path = || self.0.clone();
        let answer = timeout(PATIENCE, self.exchange(request)).await;
        let line =
            answer.map_err(|_| ControlError::Silent(path()))?.map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => ControlError::NotThere(path()),
                io::ErrorKind::ConnectionRefused => ControlError::NotRunning(path()),
                io::ErrorKind::PermissionDenied => ControlError::Denied(path()),
                _ => ControlError::System { path: path(), source },
            })?;
        match serde_json::from_str(&line) {
            Ok(Answer::Error(why)) => Err(ControlError::Refused(path(), why)),
            Ok(answer) => Ok(answer),
            Err(_) => Err(ControlError::Strange(path())),
        }
    }

    async fn exchange(&self, request: &Request) -> io::Result<String> {
        let mut stream = UnixStream::connect(&self.0).await?;
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        stream.write_all(line.as_bytes()).await?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await?;
        Ok(answer)
    }
}

#[async_trait::async_trait]
impl Counter for Control {
    async fn standing(&self, question: HarvestQuestion) -> Standing {
        let HarvestQuestion { client, null_sender } = question;
        match self.ask(&Request::HarvestStanding { client, null_sender }).await {
            Ok(Answer::Standing(block)) => block.into(),
            Ok(_) => Standing::NotCounted(ControlError::Strange(self.0.clone()).to_string()),
            Err(error) => Standing::NotCounted(error.to_string()),
        }
    }
}
