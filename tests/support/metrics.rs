//! What the daemon tells by HTTP, as anybody with a TCP connection would ask for it.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// What comes back for a request line and perhaps more of a header.
pub(crate) fn request(port: u16, head: &str) -> Page {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("{head}\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("an empty line ends the header");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status line");
    Page { status, head: head.to_owned(), body: body.to_owned() }
}

/// A page.
pub(crate) fn get(port: u16, path: &str) -> Page {
    request(port, &format!("GET {path} HTTP/1.1"))
}

/// All series with their values.
pub(crate) fn series(port: u16) -> BTreeMap<String, f64> {
    let page = get(port, "/metrics");
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.ends_with("# EOF\n"), "{page:?}");
    let samples = page.body.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            (series.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

/// The value of a series, by the text before the value.
pub(crate) fn value(port: u16, name: &str) -> f64 {
    *series(port).get(name).unwrap_or_else(|| panic!("there is no {name}"))
}
