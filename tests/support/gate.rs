//! A gate before a server: it lets through, and on demand does what servers in trouble do.
//!
//! What is asked through it is recorded, and the connections are counted.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::host::free_port;

/// A socket.
#[derive(Clone, Debug)]
pub(crate) enum Socket {
    Unix(PathBuf),
    /// A port on 127.0.0.1.
    Inet(u16),
}

/// What happens at the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Client and server speak with each other.
    Open,
    /// Nobody listens, and connections are closed.
    Shut,
    /// Clients are let in and hear nothing.
    Silent,
    /// Clients hear this instead of the server.
    Garbled(&'static [u8]),
    /// Clients are let in, and out again at once.
    Closing,
}

/// A gate; it starts open.
pub(crate) struct Gate {
    front: Socket,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
    serving: Mutex<Option<tokio::task::JoinHandle<()>>>,
    _dir: TempDir,
}

struct Shared {
    server: Socket,
    state: Mutex<State>,
    connections: AtomicUsize,
    asked: Mutex<Vec<u8>>,
}

impl Gate {
    /// A gate before this server, of the same kind of socket.
    pub(crate) fn before(server: &Socket) -> Self {
        let dir = tempfile::Builder::new().prefix("lockdown-gate.").tempdir().unwrap();
        let front = match server {
            Socket::Unix(_) => Socket::Unix(dir.path().join("gate")),
            Socket::Inet(_) => Socket::Inet(free_port()),
        };
        let shared = Arc::new(Shared {
            server: server.clone(),
            state: Mutex::new(State::Open),
            connections: AtomicUsize::new(0),
            asked: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let serving = Mutex::default();
        let gate = Self { front, shared, runtime: Some(runtime.unwrap()), serving, _dir: dir };
        gate.serve();
        gate
    }

    /// Where to connect.
    pub(crate) fn front(&self) -> &Socket {
        &self.front
    }

    /// What happens from now on. Connections stay, unless the gate is shut.
    pub(crate) fn set(&self, state: State) {
        let before = std::mem::replace(&mut *self.shared.state.lock().unwrap(), state);
        if state == State::Shut {
            let serving = self.serving.lock().unwrap().take();
            if let (Some(serving), Some(runtime)) = (serving, &self.runtime) {
                serving.abort();
                // The sockets are closed when the task has ended.
                let (ended, wait) = std::sync::mpsc::channel();
                runtime.spawn(async move {
                    let _ = serving.await;
                    ended.send(()).unwrap();
                });
                wait.recv().unwrap();
            }
            if let Socket::Unix(path) = &self.front {
                fs::remove_file(path).unwrap();
            }
        } else if before == State::Shut {
            self.serve();
        }
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// What clients have said since the last time.
    pub(crate) fn take_asked(&self) -> Vec<u8> {
        std::mem::take(&mut self.shared.asked.lock().unwrap())
    }

    fn serve(&self) {
        let runtime = self.runtime.as_ref().expect("the gate is there");
        let _inside = runtime.enter();
        let shared = Arc::clone(&self.shared);
        let serving = match &self.front {
            Socket::Unix(path) => {
                let listener = UnixListener::bind(path).unwrap();
                runtime.spawn(accept(shared, async move || listener.accept().await.map(|(stream, _)| stream)))
            }
            Socket::Inet(port) => {
                let listener = std::net::TcpListener::bind(("127.0.0.1", *port)).unwrap();
                listener.set_nonblocking(true).unwrap();
                let listener = TcpListener::from_std(listener).unwrap();
                runtime.spawn(accept(shared, async move || listener.accept().await.map(|(stream, _)| stream)))
            }
        };
        *self.serving.lock().unwrap() = Some(serving);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Lets clients in until the task is ended, and with it what it has begun.
async fn accept<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    shared: Arc<Shared>,
    next: impl AsyncFn() -> io::Result<S>,
) {
    let mut clients = JoinSet::new();
    while let Ok(client) = next().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        clients.spawn(serve(Arc::clone(&shared), client));
        while clients.try_join_next().is_some() {}
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(shared: Arc<Shared>, client: S) -> io::Result<()> {
    match &shared.server {
        Socket::Unix(path) => pass(&shared, client, UnixStream::connect(path).await?).await,
        Socket::Inet(port) => pass(&shared, client, TcpStream::connect(("127.0.0.1", *port)).await?).await,
    }
}

/// Passes on what both say, as the state has it.
async fn pass<C, S>(shared: &Shared, mut client: C, mut server: S) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut asked, mut answered) = (vec![0; 1 << 17], vec![0; 1 << 17]);
    let state = || *shared.state.lock().unwrap();
    match state() {
        State::Closing => return Ok(()),
        State::Garbled(octets) => client.write_all(octets).await?,
        _ => {}
    }
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let length = read?;
                if length == 0 {
                    return Ok(());
                }
                shared.asked.lock().unwrap().extend_from_slice(&asked[..length]);
                match state() {
                    State::Closing => return Ok(()),
                    State::Garbled(octets) => client.write_all(octets).await?,
                    State::Open => server.write_all(&asked[..length]).await?,
                    State::Shut | State::Silent => {}
                }
            }
            read = server.read(&mut answered) => {
                let length = read?;
                if length == 0 {
                    return Ok(());
                }
                if state() == State::Open {
                    client.write_all(&answered[..length]).await?;
                }
            }
        }
    }
}

impl Socket {
    /// As configurations name it.
    pub(crate) fn written(&self) -> String {
        match self {
            Self::Unix(path) => format!("unix:{}", path.display()),
            Self::Inet(port) => format!("inet:127.0.0.1:{port}"),
        }
    }

    /// The path of a Unix socket.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Unix(path) => path,
            Self::Inet(port) => panic!("port {port} is no Unix socket"),
        }
    }
}
