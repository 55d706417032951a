//! A network, a host name and mounts of one's own (Linux namespaces), in which every documentation address is the host's.
//!
//! A client can so connect from any such address, without an MTA that would believe a test what client it speaks for.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::panic;
use std::path::Path;
use std::thread;

use nix::sched::{CloneFlags, unshare};

use crate::host;

/// Whether this can be had here: root may make namespaces, which not every container allows.
pub(crate) fn is_possible() -> Result<(), String> {
    host::require_root()?;
    host::program("ip")?;
    if !Path::new("/proc/net/if_inet6").exists() {
        return Err("this machine has no IPv6".to_owned());
    }
    // The thread dies with what it tried.
    let tried = thread::spawn(|| unshare(NAMESPACES)).join().expect("unshare does not panic");
    tried.map_err(|error| format!("no namespaces can be made here: {error}"))
}

/// Runs `test` where it, its threads and its programs have a network and a host name of their own.
///
/// What is mounted there is mounted nowhere else.
///
/// 192.0.2.0/24 (RFC 5737) and `2001:db8::/64` (RFC 3849) are local there, 127.0.0.1 and `::1` are private, and nothing
/// else can be reached.
///
/// # Panics
///
/// When the network cannot be made, and when `test` does.
pub(crate) fn isolated(host_name: &str, test: impl FnOnce() + Send) {
    let name = thread::current().name().unwrap_or("isolated").to_owned();
    let body = || {
        unshare(NAMESPACES).unwrap();
        nix::unistd::sethostname(host_name).unwrap();
        let mount = host::program("mount").unwrap();
        host::run(host::command(&mount).args(["--make-rprivate", "/"])).unwrap();
        for arguments in [
            "link set lo up",
            "route add local 192.0.2.0/24 dev lo",
            "-6 route add local 2001:db8::/64 dev lo",
        ] {
            let ip = host::program("ip").unwrap();
            host::run(host::command(&ip).args(arguments.split(' '))).unwrap();
        }
        test();
    };
    thread::scope(|scope| {
        // Namespaces belong to a thread; the one of the test harness goes on to other tests.
        let thread = thread::Builder::new().name(name).spawn_scoped(scope, body).unwrap();
        if let Err(panicked) = thread.join() {
            panic::resume_unwind(panicked);
        }
    });
}

const NAMESPACES: CloneFlags =
    CloneFlags::CLONE_NEWNET.union(CloneFlags::CLONE_NEWUTS).union(CloneFlags::CLONE_NEWNS);
