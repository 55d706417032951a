//! Out of descriptors: the milter stays up, serves whom it can, and serves the others when some have left.
//!
//! The limit is one of the process, so the milter runs in a process of its own: this test program again.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lockdown_milter::milter::{Address, Limits};
use tokio::time::timeout;

use crate::frames::*;
use crate::shell::Shell;

/// Set in the process that is the milter.
const CHILD: &str = "LOCKDOWN_MILTER_TEST_DESCRIPTORS";

#[test]
fn out_of_descriptors_is_survived() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if std::env::var_os(CHILD).is_some() {
        runtime.block_on(serve_until_the_input_ends());
    } else {
        let (mut child, address) = spawn("descriptors::out_of_descriptors_is_survived", 32);
        runtime.block_on(come_and_go(&address));
        let log = end(&mut child);
        assert_eq!(log.matches("no connection could be accepted").count(), 1, "{log}");
    }
}

async fn serve_until_the_input_ends() {
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    let shell = Shell::start(Limits { drain_time: Duration::ZERO, ..Limits::default() }).await;
    let Address::Inet(address) = &shell.addresses[0] else { unreachable!() };
    println!("\nlistening on {address}");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    shell.stopped().await;
}

/// Starts the milter with so many descriptors.
fn spawn(test: &str, descriptors: u32) -> (Child, Address) {
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -n {descriptors} && exec \"$@\""), "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let address = lines.find_map(|line| Some(line.strip_prefix("listening on ")?.to_owned())).unwrap();
    // Whatever else it says has somewhere to go.
    std::thread::spawn(move || lines.for_each(drop));
    (child, Address::Inet(address.parse().unwrap()))
}

async fn come_and_go(address: &Address) {
    let mut served = Vec::new();
    let mut waiting = Vec::new();
    for _ in 0..38 {
        let mut mta = Mta::connect(address).await.unwrap();
        mta.send(&full_offer()).await.unwrap();
        let patience = if waiting.is_empty() { Duration::from_secs(2) } else { Duration::ZERO };
        match timeout(patience, mta.frame()).await {
            Ok(frame) => {
                assert_eq!(in_words(&frame.unwrap()), "negotiated");
                served.push(mta);
            }
            Err(_) => waiting.push(mta),
        }
    }
    assert!(served.len() >= 10, "{} of 38 served", served.len());
    assert!(waiting.len() >= 6, "{} of 38 waiting: the limit was not reached", waiting.len());

    // The others are served still.
    for mta in &mut served {
        let session =
            [connect("c", '4', 25, "192.0.2.1"), mail(&["<a@example.com>"]), rcpt("<b@example.org>")];
        assert_eq!(mta.ask(&session).await, "continue");
    }
    let leaving = served.len().min(waiting.len());
    served.drain(..leaving);
    for mta in &mut waiting[..leaving] {
        assert_eq!(mta.answer().await, "negotiated");
    }
    drop((served, waiting));
    let mut mta = Mta::connect(address).await.unwrap();
    assert_eq!(mta.ask(&[full_offer()]).await, "negotiated");
}

/// Lets the milter end, and brings its log.
fn end(child: &mut Child) -> String {
    drop(child.stdin.take());
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(child.wait().unwrap().success(), "{log}");
    log
}
