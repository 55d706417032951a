//! A TCP proxy in front of a server, which can be made to go wrong in the ways that networks and servers do.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What becomes of what clients and the server say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It is passed on.
    Open,
    /// It is lost: connections are taken, and nothing ever comes back.
    Shut,
    /// Clients get this instead of every answer.
    Garbage,
}

/// The proxy.
pub(crate) struct Valve {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    flow: Mutex<Flow>,
    streams: Mutex<Vec<TcpStream>>,
}

impl Valve {
    /// Listens on a loopback port of its own and connects every client to loopback port `server`.
    pub(crate) fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { flow: Mutex::new(Flow::Open), streams: Mutex::default() });
        let state = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Where there is no server, clients learn it by an end.
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let mut streams = state.streams.lock().unwrap();
                streams.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                for (from, to, is_answer) in [(&client, &server, false), (&server, &client, true)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let state = Arc::clone(&state);
                    std::thread::spawn(move || forward(from, to, is_answer, &state));
                }
            }
        });
        Self { port, shared }
    }

    /// Where it listens on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Turns it.
    pub(crate) fn turn(&self, flow: Flow) {
        *self.shared.flow.lock().unwrap() = flow;
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        let mut streams = self.shared.streams.lock().unwrap();
        streams.retain(|stream| stream.peer_addr().is_ok());
        streams.len() / 2
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, is_answer: bool, shared: &Shared) {
    let mut chunk = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        let flow = *shared.flow.lock().unwrap();
        let passed = match flow {
            Flow::Open => to.write_all(&chunk[..length]),
            Flow::Garbage if is_answer => to.write_all(&[0xa5; 64]),
            Flow::Shut | Flow::Garbage => {
                // The server would answer nothing to silence.
                if flow == Flow::Garbage { to.write_all(&chunk[..length]) } else { Ok(()) }
            }
        };
        if passed.is_err() {
            break;
        }
    }
    drop((to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both)));
}
