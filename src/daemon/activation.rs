//! Socket activation: listening sockets that systemd has made for us and keeps when we end, so that clients wait in their
//! queues for the next of us instead of failing (`sd_listen_fds(3)`).

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use ipnet::IpNet;
use listenfd::ListenFd;
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Gid, Group};
use tracing::{info, warn};

use crate::milter::{Address, BindError, Bound, Handed};

/// The sockets that were handed to this process and are not in use yet.
#[derive(Debug, Default)]
pub struct Activation {
    sockets: Vec<Handed>,
    /// What was handed over besides, and what is wrong with it; told as soon as there is a log.
    useless: Vec<String>,
}

impl Activation {
    /// Takes what was handed to this process. Only the first call finds anything, and it comes before there are threads,
    /// as the environment is changed.
    pub fn take() -> Self {
        let mut activation = Self::default();
        // This one looks whether they are for us, and sees to it that no child inherits them; it gives numbers only.
        let names: Vec<String> = match sd_notify::listen_fds_with_names() {
            Ok(descriptors) => descriptors.map(|(_, name)| name).collect(),
            Err(error) => {
                activation.useless.push(format!("the descriptors of systemd cannot be used: {error}"));
                return activation;
            }
        };
        if names.is_empty() {
            return activation;
        }
        let mut descriptors = ListenFd::from_env();
        for (index, name) in names.iter().enumerate() {
            match socket(&mut descriptors, index) {
                Ok(socket) => activation.sockets.push(socket),
                Err(trouble) => {
                    activation.useless.push(format!("the descriptor {name:?} of systemd {trouble}"));
                }
            }
        }
        activation
    }

    /// Listens where an address says: on the socket that was handed over for it, or else on one of our own.
    ///
    /// # Errors
    ///
    /// See [`Bound::bind`].
    pub(super) async fn listen(
        &mut self,
        address: Address,
        allowed_peers: Vec<IpNet>,
    ) -> Result<Bound, BindError> {
        let Some(socket) = self.socket_for(&address) else {
            return Bound::bind(address, allowed_peers).await;
        };
        info!(address = %address, "systemd has made this socket, and keeps it when we end");
        tell_differences(&address);
        let failed = |source| BindError::System { address: address.clone(), source };
        Bound::adopt(socket, address.clone(), allowed_peers).map_err(failed)
    }

    /// The socket that was handed over for an address.
    pub(super) fn socket_for(&mut self, address: &Address) -> Option<Handed> {
        let index = self.sockets.iter().position(|socket| socket.is_at(address))?;
        Some(self.sockets.swap_remove(index))
    }

    /// Complains about what nobody wanted, and closes it.
    pub(super) fn finish(self) {
        for trouble in self.useless {
            warn!("{trouble}");
        }
        for socket in self.sockets {
            warn!(%socket, "systemd has made a socket where nothing in the configuration listens; it is closed");
        }
    }
}

/// The listening socket at an index, or what it is instead.
fn socket(descriptors: &mut ListenFd, index: usize) -> Result<Handed, &'static str> {
    let tcp = descriptors.take_tcp_listener(index).ok().flatten().map(Handed::Tcp);
    let socket = tcp.or_else(|| descriptors.take_unix_listener(index).ok().flatten().map(Handed::Unix));
    let Some(socket) = socket else { return Err("is neither a TCP socket nor a Unix socket for streams") };
    let listens = match &socket {
        Handed::Tcp(listener) => getsockopt(listener, sockopt::AcceptConn),
        Handed::Unix(listener) => getsockopt(listener, sockopt::AcceptConn),
    };
    if listens == Ok(true) { Ok(socket) } else { Err("does not listen (Accept=no in the socket unit)") }
}

/// Says where a Unix socket is not as the configuration has it: who made it has decided that.
fn tell_differences(address: &Address) {
    let Address::Unix { path, permissions, group } = address else { return };
    let file = match fs::metadata(path) {
        Ok(file) => file,
        Err(error) => {
            warn!(%address, %error, "the permissions of this socket cannot be read");
            return;
        }
    };
    let tell = |setting: &str, is: &str, configured: &str, unit: &str| {
        if is != configured {
            warn!(%address, is, configured, "`{setting}` of this socket is for its socket unit to say ({unit}=)");
        }
    };
    let mode = file.permissions().mode() & 0o777;
    tell("permissions", &format!("{mode:04o}"), &format!("{permissions:04o}"), "SocketMode");
    if let Some(wanted) = group {
        let gid = Gid::from_raw(file.gid());
        let name = Group::from_gid(gid).ok().flatten().map_or_else(|| gid.to_string(), |group| group.name);
        tell("group", &name, wanted, "SocketGroup");
    }
}
