//! A recording TCP proxy between the MTA and the daemon: which milter frames went each way, in which reads.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tokio::time::Instant;

/// How long [`Proxy::trace`] waits for a connection to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which way a frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    ToDaemon,
    ToMta,
}

/// One milter frame. Frames with the same `read` left their sender's socket together.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) direction: Direction,
    /// The first octet of the payload: `H` for HELO, `c` for "continue".
    pub(crate) command: char,
    /// The number of the read that brought the end of the frame, counted per direction.
    pub(crate) read: usize,
    /// When that read returned.
    pub(crate) at: Instant,
}

/// One connection, frame by frame in the order of arrival.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace {
    pub(crate) frames: Vec<Frame>,
    ends: u8,
}

impl Trace {
    /// The frames from the first `command` of the MTA on, itself included.
    pub(crate) fn since(&self, command: char) -> &[Frame] {
        let first = self
            .frames
            .iter()
            .position(|frame| frame.direction == Direction::ToDaemon && frame.command == command)
            .unwrap_or(self.frames.len());
        &self.frames[first..]
    }

    /// What the daemon sent from the first `command` of the MTA on.
    pub(crate) fn answers_since(&self, command: char) -> Vec<&Frame> {
        self.since(command).iter().filter(|frame| frame.direction == Direction::ToMta).collect()
    }

    /// Those of them that the MTA waited for: all final replies, but no changes to the message and no "still working".
    pub(crate) fn replies_since(&self, command: char) -> Vec<&Frame> {
        let mut answers = self.answers_since(command);
        answers.retain(|frame| !"+-2behimpq".contains(frame.command));
        answers
    }
}

/// The proxy, with everything that went through it.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    traces: Mutex<Vec<Trace>>,
    changed: Condvar,
}

impl Proxy {
    /// Listens on a loopback port of its own and connects every client to the daemon on loopback port `daemon`.
    pub(crate) fn start(daemon: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let record = Arc::clone(&shared);
        std::thread::spawn(move || {
            for (number, mta) in listener.incoming().map_while(Result::ok).enumerate() {
                let daemon = TcpStream::connect(("127.0.0.1", daemon)).unwrap();
                record.traces.lock().unwrap().push(Trace::default());
                for (from, to, direction) in
                    [(&mta, &daemon, Direction::ToDaemon), (&daemon, &mta, Direction::ToMta)]
                {
                    // The proxy must not add a delay of its own.
                    to.set_nodelay(true).unwrap();
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let record = Arc::clone(&record);
                    std::thread::spawn(move || forward(from, to, direction, number, &record));
                }
            }
        });
        Self { port, shared }
    }

    /// Where it listens on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The first connection that is over and on which the MTA sent `command`.
    ///
    /// # Panics
    ///
    /// When there is none in time.
    pub(crate) fn trace(&self, command: char) -> Trace {
        let find = |traces: &[Trace]| {
            traces.iter().find(|trace| trace.ends == 2 && !trace.since(command).is_empty()).cloned()
        };
        let traces = self.shared.traces.lock().unwrap();
        let (traces, _) = self
            .shared
            .changed
            .wait_timeout_while(traces, PATIENCE, |traces| find(traces).is_none())
            .unwrap();
        find(&traces).unwrap_or_else(|| panic!("no such connection: {traces:?}"))
    }
}

/// Passes on what comes, as it comes, and records the frames in it.
fn forward(mut from: TcpStream, mut to: TcpStream, direction: Direction, number: usize, shared: &Shared) {
    let mut chunk = vec![0; 1 << 17];
    let mut pending = Vec::new();
    for read in 0.. {
        let Ok(length @ 1..) = from.read(&mut chunk) else { break };
        let at = Instant::now();
        pending.extend_from_slice(&chunk[..length]);
        let mut traces = shared.traces.lock().unwrap();
        while let Some(command) = take_frame(&mut pending) {
            traces[number].frames.push(Frame { direction, command, read, at });
        }
        drop(traces);
        if to.write_all(&chunk[..length]).is_err() {
            break;
        }
    }
    // One side has gone; the other shall learn of it. It may be gone too.
    drop(to.shutdown(Shutdown::Both));
    shared.traces.lock().unwrap()[number].ends += 1;
    shared.changed.notify_all();
}

/// Takes a whole frame (length in four octets, then that many) from the front and returns its first octet.
fn take_frame(pending: &mut Vec<u8>) -> Option<char> {
    let (length, payload) = pending.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let command = char::from(*payload.get(..length)?.first()?);
    pending.drain(..4 + length);
    Some(command)
}
