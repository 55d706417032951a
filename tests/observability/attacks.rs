//! Whoever reaches the metrics can do no harm: no verdict waits for it, no memory grows, and no series is added.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use tokio::time::Instant;

use crate::{Stage, metrics, rcpt};

const CONFIG: &str = "
mode: enforce
defaults: { spf: { mode: off }, recipients: { sources: [list: [info@local.test]] } }
harvest: { mode: off }
domains: { local.test: }
";

/// The slowest of some decisions.
async fn slowest(stage: &Stage, decisions: usize) -> Duration {
    let mut mta = stage.session("192.0.2.10").await;
    let mut slowest = Duration::ZERO;
    for _ in 0..decisions {
        let begun = Instant::now();
        let answer = rcpt(&mut mta, "a@pass.example", "info@local.test").await;
        assert_eq!(answer, "continue");
        slowest = slowest.max(begun.elapsed());
    }
    slowest
}

/// Memory in use, in KiB, and open descriptors.
fn resources(stage: &Stage) -> (u64, usize) {
    let process = format!("/proc/{}", stage.daemon.id());
    let status = fs::read_to_string(format!("{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let memory = line.split_whitespace().next().unwrap().parse().unwrap();
    (memory, fs::read_dir(format!("{process}/fd")).unwrap().count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_and_many_readers_delay_no_verdict() {
    let stage = Stage::start(CONFIG);
    let before = slowest(&stage, 200).await;
    let calm = resources(&stage);
    let mut crowd: Vec<TcpStream> = Vec::new();
    // As many as the system's queue holds; further ones would wait to connect, and the test with them.
    for number in 0..120 {
        let mut stream = TcpStream::connect(("127.0.0.1", stage.metrics)).unwrap();
        // Some say nothing, some begin a request, some never end their header.
        match number % 3 {
            0 => {}
            1 => stream.write_all(b"GET /metrics HT").unwrap(),
            _ => stream.write_all(b"GET /metrics HTTP/1.1\r\nX-A: b\r\n").unwrap(),
        }
        crowd.push(stream);
    }
    let during = slowest(&stage, 200).await;
    let crowded = resources(&stage);
    println!("the slowest verdict: {before:?} before, {during:?} with 120 slow readers");
    println!("memory and descriptors: {calm:?} before, {crowded:?} with them");
    assert!(during < Duration::from_secs(1), "{during:?}");
    assert!(crowded.1 <= calm.1 + 20, "{crowded:?}");
    assert!(crowded.0 < calm.0 + 8 * 1024, "{crowded:?}");
    drop(crowd);
    assert_eq!(metrics::get(stage.metrics, "/healthz").status, 200);
}

#[test]
fn a_slow_reader_is_shown_out_and_a_huge_header_refused() {
    let stage = Stage::start(CONFIG);
    let ended = |begin: &[u8]| {
        let mut stream = TcpStream::connect(("127.0.0.1", stage.metrics)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // The daemon may have closed it before the end.
        let _ = stream.write_all(begin);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let begun = Instant::now();
    assert!(!ended(b"GET /metrics HTTP/1.1\r\n").contains(" 200 "));
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let huge = format!("GET /metrics HTTP/1.1\r\nX-A: {}\r\n\r\n", "a".repeat(1 << 20));
    assert!(!ended(huge.as_bytes()).contains(" 200 "));
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "X-A: b\r\n".repeat(500));
    assert!(!ended(many.as_bytes()).contains(" 200 "));
    assert!(!ended(b"\x16\x03\x01\x02\x00 this is TLS\r\n\r\n").contains(" 200 "));
    assert_eq!(metrics::get(stage.metrics, "/metrics").status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_make_no_series() {
    let stage = Stage::start(CONFIG);
    let names = || metrics::series(stage.metrics).into_keys().collect::<Vec<_>>();
    let mut mta = stage.session("192.0.2.10").await;
    for recipient in ["info@local.test", "nobody@local.test", "no\\n@local.test"] {
        rcpt(&mut mta, "a@pass.example", recipient).await;
    }
    // The MTA makes a name of its own host of what has no domain that can be read.
    rcpt(&mut mta, "s\"{}=\u{1}@x.example", "info@local.test").await;
    let before = names();
    for number in 0..5000 {
        let client = format!("198.51.{}.{}", number / 250, number % 250);
        if number % 50 == 0 {
            mta = stage.session(&client).await;
        }
        let sender = format!("s{number}\"{{}}=\u{1}@x{number}.example");
        let recipient = if number % 2 == 0 {
            format!("r{number}@local.test")
        } else {
            format!("r{number}\\n@local.test")
        };
        rcpt(&mut mta, &sender, &recipient).await;
    }
    assert_eq!(names(), before);
}
