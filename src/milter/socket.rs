//! Sockets to listen on: TCP and Unix, with the permissions in place before anybody can connect.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll, ready};
use std::{fmt, fs, os};

use indymilter::EitherStream;
use ipnet::IpNet;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP address; port 0 lets the system choose.
    Inet(SocketAddr),
    /// A Unix socket.
    Unix {
        /// Its path; its directory exists.
        path: PathBuf,
        /// Its permissions, as `chmod` takes them.
        permissions: u32,
        /// Its group; None leaves the group of the process.
        group: Option<String>,
    },
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => write!(f, "inet:{address}"),
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody answers on the Unix socket.
    #[error("{0}: another program listens there")]
    InUse(PathBuf),
    /// A file that is no socket has the name of the Unix socket.
    #[error("{0}: there is a file of this name, and it is no socket")]
    NotASocket(PathBuf),
    /// The group of the Unix socket does not exist.
    #[error("{0}: there is no group of this name")]
    NoGroup(String),
    /// The system says no.
    #[error("{address}: {source}")]
    System {
        /// Where we wanted to listen.
        address: Address,
        /// What it says.
        source: io::Error,
    },
}

/// A socket that listens. A Unix socket is removed when this is dropped.
#[derive(Debug)]
pub struct Bound {
    /// Goes before the socket is closed, so that a successor never takes it for a stale one.
    _file: Option<SocketFile>,
    pub(super) socket: Socket,
    pub(super) allowed_peers: Vec<IpNet>,
    address: Address,
}

impl Bound {
    /// Begins to listen. `allowed_peers` says who may connect by TCP; nobody else is served. It means nothing for a Unix
    /// socket, which has permissions.
    ///
    /// A Unix socket of an earlier run, on which nobody answers any more, is replaced.
    pub async fn bind(address: Address, allowed_peers: Vec<IpNet>) -> Result<Self, BindError> {
        let system = |source| BindError::System { address: address.clone(), source };
        let (socket, file) = match &address {
            Address::Inet(inet) => (Socket::Tcp(TcpListener::bind(inet).await.map_err(system)?), None),
            Address::Unix { path, permissions, group } => {
                let group = group.as_deref().map(group_id).transpose()?;
                clear(path).await?;
                let (listener, file) = listen(path, *permissions, group).map_err(system)?;
                (Socket::Unix(listener), Some(file))
            }
        };
        Ok(Self { socket, allowed_peers, address, _file: file })
    }

    /// Takes a socket that listens already, and where whoever made it wants us to. It is theirs: clients that nobody
    /// accepts before our end wait in its queue for the next of us, and the file of a Unix socket stays.
    pub fn adopt(socket: Handed, address: Address, allowed_peers: Vec<IpNet>) -> io::Result<Self> {
        let socket = match socket {
            Handed::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                Socket::Tcp(TcpListener::from_std(listener)?)
            }
            Handed::Unix(listener) => {
                listener.set_nonblocking(true)?;
                Socket::Unix(UnixListener::from_std(listener)?)
            }
        };
        Ok(Self { socket, allowed_peers, address, _file: None })
    }

    /// Waits for somebody to connect to a Unix socket that no MTA is for.
    pub async fn accept_local(&self) -> io::Result<UnixStream> {
        match &self.socket {
            Socket::Unix(listener) => listener.accept().await.map(|(stream, _)| stream),
            Socket::Tcp(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Where it listens, with the port that the system chose.
    pub fn address(&self) -> Address {
        match &self.socket {
            Socket::Tcp(listener) => {
                listener.local_addr().map_or_else(|_| self.address.clone(), Address::Inet)
            }
            Socket::Unix(_) => self.address.clone(),
        }
    }
}

/// A listening socket that somebody else has made, for [`Bound::adopt`].
#[derive(Debug)]
pub enum Handed {
    /// TCP.
    Tcp(std::net::TcpListener),
    /// A Unix socket.
    Unix(std::os::unix::net::UnixListener),
}

impl Handed {
    /// Whether it is what listening on this address would give.
    pub fn is_at(&self, address: &Address) -> bool {
        match (self, address) {
            (Self::Tcp(listener), Address::Inet(wanted)) => {
                listener.local_addr().is_ok_and(|address| address == *wanted)
            }
            (Self::Unix(listener), Address::Unix { path: wanted, .. }) => {
                let address = listener.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                path.is_some_and(|path| path == wanted || is_same_file(path, wanted))
            }
            _ => false,
        }
    }
}

impl fmt::Display for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => write!(f, "inet:{address}"),
                Err(error) => write!(f, "a TCP socket without an address ({error})"),
            },
            Self::Unix(listener) => match listener.local_addr().ok().as_ref().and_then(|a| a.as_pathname()) {
                Some(path) => write!(f, "unix:{}", path.display()),
                None => f.write_str("a Unix socket without a path"),
            },
        }
    }
}

/// Whether two paths lead to one file: `/var/run` is often a link to `/run`.
fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// The two kinds of listening sockets.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// An accepted connection.
pub(super) type Stream = EitherStream<TcpStream, UnixStream>;

/// What a connection does besides reading and writing.
pub(super) trait Acknowledge {
    /// Acknowledges what has arrived, now, as no answer will do so soon.
    fn acknowledge(&self);
}

impl Acknowledge for Stream {
    fn acknowledge(&self) {
        // MTAs leave Nagle's algorithm on. Postfix sends the macros of DATA, which nobody answers, and the header fields
        // of the message wait for our acknowledgement; that would be the delayed one, after 40 ms, for each message.
        // The option does not last, so it is set whenever there is nothing more to read.
        #[cfg(target_os = "linux")]
        if let EitherStream::Tcp(stream) = self {
            // It only costs time if it fails.
            let _ = stream.set_quickack(true);
        }
    }
}

impl Socket {
    /// Waits for a connection; brings it, and the address of its other end.
    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Option<SocketAddr>)>> {
        Poll::Ready(Ok(match self {
            Self::Tcp(listener) => {
                let (stream, peer) = ready!(listener.poll_accept(cx))?;
                // Our answers are small and awaited: there is nothing to be gained by waiting for more. That the option
                // cannot be set means that the peer is gone.
                let _ = stream.set_nodelay(true);
                (EitherStream::Tcp(stream), Some(peer))
            }
            Self::Unix(listener) => (EitherStream::Unix(ready!(listener.poll_accept(cx))?.0), None),
        }))
    }
}

/// The file of a Unix socket of ours.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        let file = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), device: file.dev(), inode: file.ino() })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A successor may have put its own socket there.
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|file| (file.dev(), file.ino()) == (self.device, self.inode));
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the socket could not be removed");
        }
    }
}

/// Removes the socket that an earlier run left behind.
async fn clear(path: &Path) -> Result<(), BindError> {
    let Ok(file) = fs::symlink_metadata(path) else { return Ok(()) };
    if !file.file_type().is_socket() {
        return Err(BindError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            tracing::info!(path = %path.display(), "replacing the socket of an earlier run");
            // What goes wrong here goes wrong when listening, too, and is reported then.
            let _ = fs::remove_file(path);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A full queue, or a socket that we may not use, is somebody's.
        Ok(_) | Err(_) => Err(BindError::InUse(path.to_owned())),
    }
}

/// Binds, sets group and permissions, listens: in this order nobody can connect too early.
fn listen(path: &Path, permissions: u32, group: Option<u32>) -> io::Result<(UnixListener, SocketFile)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket: OwnedFd = nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    nix::sys::socket::bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    let file = SocketFile::new(path)?;
    os::unix::fs::chown(path, None, group)?;
    fs::set_permissions(path, fs::Permissions::from_mode(permissions))?;
    nix::sys::socket::listen(&socket, Backlog::MAXCONN)?;
    Ok((UnixListener::from_std(socket.into())?, file))
}

fn group_id(name: &str) -> Result<u32, BindError> {
    match nix::unistd::Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) | Err(_) => Err(BindError::NoGroup(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_are_sent_without_delay() {
        let loopback = Address::Inet("127.0.0.1:0".parse().unwrap());
        let bound = Bound::bind(loopback, Vec::new()).await.unwrap();
        let Address::Inet(address) = bound.address() else { unreachable!() };
        let peer = TcpStream::connect(address).await.unwrap();
        let (stream, address) = std::future::poll_fn(|cx| bound.socket.poll_accept(cx)).await.unwrap();
        assert_eq!(address, Some(peer.local_addr().unwrap()));
        let EitherStream::Tcp(stream) = stream else { unreachable!() };
        assert!(stream.nodelay().unwrap());
    }
}
