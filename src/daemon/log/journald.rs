//! The native protocol of systemd-journald: one datagram a line, with its fields apart
//! ([description](https://systemd.io/JOURNAL_NATIVE_PROTOCOL/)).
//!
//! The crate tracing-journald is made for the fields of `tracing`, which are fixed where an event is written; those of a
//! decision are not, and a datagram that waits for journald would be waited for by whoever decides. So this is ours.

use std::io;
use std::io::{IoSlice, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use serde_json::Value;

use super::output::{Line, Output};
use crate::journal::{Record, render};

/// Where journald listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// How the system says that a datagram has no room: by its own limit, or by that of the socket's memory.
const TOO_LONG: [Errno; 2] = [Errno::EMSGSIZE, Errno::ENOBUFS];

/// What our fields begin with, so that none is taken for one of journald's.
const PREFIX: &str = "LOCKDOWN_";

/// The journal of this host.
pub(super) struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Journal {
    /// # Errors
    ///
    /// Nobody listens there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // Connecting shows whether somebody is there. The datagrams go by the path, which leads to the next journald, too,
        // when this one is restarted.
        UnixDatagram::unbound()?.connect(path)?;
        Ok(Self { socket: UnixDatagram::unbound()?, path: path.to_owned() })
    }

    /// A datagram that is too long goes in memory that both sides see, sealed so that neither can change it.
    fn send_in_memory(&self, datagram: &[u8]) -> io::Result<()> {
        let memory = memfd_create(c"lockdown-milter", MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_CLOEXEC)?;
        let mut file = std::fs::File::from(memory);
        file.write_all(datagram)?;
        fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::all()))?;
        let descriptors = [file.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let address = UnixAddr::new(&self.path)?;
        let empty = [IoSlice::new(&[])];
        sendmsg(self.socket.as_raw_fd(), &empty, &rights, MsgFlags::empty(), Some(&address))?;
        Ok(())
    }
}

impl Output for Journal {
    fn put(&mut self, line: &Line) -> io::Result<()> {
        let datagram = datagram(line);
        match self.socket.send_to(&datagram, &self.path) {
            Err(error) if TOO_LONG.map(|errno| Some(errno as i32)).contains(&error.raw_os_error()) => {
                self.send_in_memory(&datagram)
            }
            result => result.map(drop),
        }
    }
}

/// The fields of a decision under the names of the journal. Each recipient is a field of its own.
pub(super) fn fields(record: &Record) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for (name, value) in render::fields(record) {
        let name = format!("{PREFIX}{}", name.to_ascii_uppercase());
        match render::shortened(value) {
            Value::Array(items) => {
                let texts = items.iter().filter_map(Value::as_str);
                fields.extend(texts.map(|text| (name.clone(), text.to_owned())));
            }
            Value::String(text) => fields.push((name, text)),
            other => fields.push((name, other.to_string())),
        }
    }
    fields
}

fn datagram(line: &Line) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(1024);
    push(&mut datagram, "MESSAGE", &line.text);
    push(&mut datagram, "PRIORITY", &line.priority.0.to_string());
    push(&mut datagram, "SYSLOG_IDENTIFIER", "lockdown-milter");
    for (name, value) in &line.fields {
        push(&mut datagram, name, value);
    }
    datagram
}

/// `NAME=value`, or, where a line end in the value would end the field, with the length before it.
fn push(datagram: &mut Vec<u8>, name: &str, value: &str) {
    datagram.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        datagram.push(b'\n');
        datagram.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend_from_slice(value.as_bytes());
    datagram.push(b'\n');
}

#[cfg(test)]
mod tests {
    use std::io::{IoSliceMut, Read as _, Seek as _};
    use std::os::unix::net::UnixDatagram;

    use super::super::output::Priority;
    use super::*;

    fn line(text: &str, fields: &[(&str, &str)]) -> Line {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Line { text: text.to_owned(), priority: Priority(5), fields: fields.collect() }
    }

    fn journal() -> (Journal, UnixDatagram, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let daemon = UnixDatagram::bind(&path).unwrap();
        (Journal::open(&path).unwrap(), daemon, dir)
    }

    #[test]
    fn a_line_is_a_datagram() {
        let (mut journal, daemon, _dir) = journal();
        let fields = [("LOCKDOWN_HELO", "mx.example"), ("LOCKDOWN_MAIL_FROM", "a\nPRIORITY=0")];
        journal.put(&line("verdict=reject", &fields)).unwrap();
        let mut datagram = [0; 4096];
        let length = daemon.recv(&mut datagram).unwrap();
        let expected = b"MESSAGE=verdict=reject\nPRIORITY=5\nSYSLOG_IDENTIFIER=lockdown-milter\n\
            LOCKDOWN_HELO=mx.example\nLOCKDOWN_MAIL_FROM\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\n";
        assert_eq!(datagram[..length].escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn a_long_line_goes_in_memory() {
        use nix::cmsg_space;
        use nix::sys::socket::{ControlMessageOwned, recvmsg};

        let (mut journal, daemon, _dir) = journal();
        let long = "x".repeat(1 << 20);
        journal.put(&line(&long, &[])).unwrap();
        let mut space = cmsg_space!(std::os::fd::RawFd);
        let mut octets = [0; 16];
        let mut parts = [IoSliceMut::new(&mut octets)];
        let message =
            recvmsg::<UnixAddr>(daemon.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::empty()).unwrap();
        let Some(ControlMessageOwned::ScmRights(descriptors)) = message.cmsgs().unwrap().next() else {
            panic!("no descriptor came");
        };
        let mut file = std::fs::File::open(format!("/proc/self/fd/{}", descriptors[0])).unwrap();
        file.rewind().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("MESSAGE=xxx") && text.len() > long.len());
    }

    #[test]
    fn the_next_journald_is_found() {
        let (mut journal, daemon, dir) = journal();
        let path = dir.path().join("socket");
        drop(daemon);
        std::fs::remove_file(&path).unwrap();
        journal.put(&line("lost", &[])).unwrap_err();
        let daemon = UnixDatagram::bind(&path).unwrap();
        journal.put(&line("found", &[])).unwrap();
        let mut datagram = [0; 4096];
        let length = daemon.recv(&mut datagram).unwrap();
        assert!(datagram[..length].starts_with(b"MESSAGE=found\n"));
    }

    #[test]
    fn nobody_there_is_said_at_once() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Journal::open(&dir.path().join("socket")).is_err());
    }
}
