//! Servers that are no directories, or no good ones.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use tokio::time::Instant;

use crate::recipients::{ask, open, settings};

/// A server of this behaviour, and where it is. It is over with the test.
fn serve(behaviour: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ldap://{}", listener.local_addr().unwrap());
    let behaviour = std::sync::Arc::new(behaviour);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let behaviour = std::sync::Arc::clone(&behaviour);
            std::thread::spawn(move || behaviour(stream));
        }
    });
    url
}

/// Takes a request and answers with these octets, again and again.
fn answer(mut stream: TcpStream, octets: &[u8]) {
    let mut request = [0; 4096];
    while stream.read(&mut request).is_ok_and(|length| length > 0) {
        if stream.write_all(octets).is_err() {
            return;
        }
    }
}

/// A message with the id of the request in its place: the first one on a connection, or the second one.
fn message(id: u8, operation: &[u8]) -> Vec<u8> {
    let length = u8::try_from(operation.len() + 3).unwrap();
    [&[0x30, length, 0x02, 0x01, id], operation].concat()
}

/// `bindResponse`, success.
const BOUND: [u8; 9] = [0x61, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00];

async fn check(what: &str, url: &str) {
    let asked = Instant::now();
    let (found, why) = ask(&open(settings(url)).await, "alice@example.org").await;
    assert_eq!(found, "undetermined", "{what}: {why}");
    assert!(why.starts_with(url), "{what}: {why}");
    assert!(asked.elapsed() < Duration::from_secs(7), "{what}: {:?}", asked.elapsed());
}

#[tokio::test]
async fn garbage_instead_of_answers() {
    let mut random = fastrand::Rng::with_seed(0x1da9);
    let noise: Vec<u8> = (0..500).map(|_| random.u8(..)).collect();
    let answers: [(&str, Vec<u8>); 10] = [
        ("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("noise", noise),
        ("zeros", vec![0; 100]),
        ("an empty sequence", vec![0x30, 0x00]),
        ("a sequence of nothing known", vec![0x30, 0x03, 0x02, 0x01, 0x01]),
        ("an answer without a result", message(1, &[0x61, 0x00])),
        ("an answer that is no sequence", message(1, &[0x41, 0x01, 0x00])),
        ("a search result for a bind", message(1, &[0x64, 0x04, 0x04, 0x00, 0x30, 0x00])),
        ("a length beyond everything", vec![0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("half an answer", message(1, &BOUND)[..6].to_vec()),
    ];
    for (what, octets) in answers {
        check(what, &serve(move |stream| answer(stream, &octets))).await;
    }
}

/// Let in, and then garbage for the search.
#[tokio::test]
async fn garbage_instead_of_entries() {
    let operations: [(&str, &[u8]); 6] = [
        ("an entry of nothing", &[0x64, 0x00]),
        ("an entry with attributes that are none", &[0x64, 0x06, 0x04, 0x00, 0x30, 0x02, 0x30, 0x00]),
        ("an entry with a primitive for its attributes", &[0x64, 0x04, 0x04, 0x00, 0x04, 0x00]),
        ("an answer to something else", &[0x61, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00]),
        ("an end without a result", &[0x65, 0x00]),
        ("a result code of no octets", &[0x65, 0x06, 0x0a, 0x00, 0x04, 0x00, 0x04, 0x00]),
    ];
    for (what, operation) in operations {
        let url = serve(move |mut stream| {
            let mut request = [0; 4096];
            for answer in [message(1, &BOUND), message(2, operation)] {
                if stream.read(&mut request).is_ok_and(|length| length > 0) {
                    let _ = stream.write_all(&answer);
                }
            }
            answer(stream, &message(3, operation));
        });
        check(what, &url).await;
    }
}

/// An element whose length takes four octets.
fn long(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84], &length[..], content].concat()
}

/// Nested deeper than anybody's stack, in what is an entry otherwise.
#[tokio::test]
async fn answers_within_answers() {
    let mut heads = Vec::new();
    for depth in 0..100_000_u32 {
        // Built from the inside, backwards.
        heads.extend((depth * 6).to_be_bytes().iter().rev().chain(&[0x84, 0x30]));
    }
    heads.reverse();
    let entry = long(0x64, &[&[0x04, 0x00], &heads[..]].concat());
    let nested = long(0x30, &[&[0x02, 0x01, 0x01], &entry[..]].concat());
    check("answers within answers", &serve(move |stream| answer(stream, &nested))).await;
}

/// As many octets as there is time for.
#[tokio::test]
async fn an_answer_without_an_end() {
    let url = serve(|mut stream| {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request);
        let _ = stream.write_all(&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]);
        while stream.write_all(&[0; 8192]).is_ok() {}
    });
    check("an answer without an end", &url).await;
}

#[tokio::test]
async fn connections_that_end_or_say_nothing() {
    check("closed at once", &serve(drop)).await;
    check(
        "closed at the question",
        &serve(|stream| {
            let mut request = [0; 4096];
            let _ = (&stream).read(&mut request);
        }),
    )
    .await;
    check(
        "closed after the bind",
        &serve(|mut stream| {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(&message(1, &BOUND));
            let _ = stream.read(&mut request);
        }),
    )
    .await;
    check(
        "silence",
        &serve(|stream| {
            let mut request = [0; 4096];
            while (&stream).read(&mut request).is_ok_and(|length| length > 0) {}
        }),
    )
    .await;
}

/// The id of a request (RFC 4511, 4.1.1), which comes first in it.
fn id_of(request: &[u8]) -> u8 {
    let head = if request[1] < 0x80 { 2 } else { 2 + usize::from(request[1] & 0x7f) };
    request[head + 2]
}

/// `searchResDone` with this code, and what follows it.
fn done(code: u8, more: &[u8]) -> Vec<u8> {
    let length = u8::try_from(7 + more.len()).unwrap();
    [&[0x65, length, 0x0a, 0x01, code, 0x04, 0x00, 0x04, 0x00], more].concat()
}

/// What was found before the end, and how the end was.
#[tokio::test]
async fn ends_of_a_search() {
    const ENTRY: [u8; 6] = [0x64, 0x04, 0x04, 0x00, 0x30, 0x00];
    let reference = [&[0x73, 0x0c, 0x04, 0x0a][..], b"ldap://x/y"].concat();
    let referral = [&[0xa3, 0x0c, 0x04, 0x0a][..], b"ldap://x/y"].concat();
    let no_text = vec![0x65, 0x08, 0x0a, 0x01, 0x00, 0x04, 0x01, 0xff, 0x04, 0x00];
    let cases: [(&str, Vec<Vec<u8>>, &str); 16] = [
        ("nothing", vec![done(0, &[])], "unknown"),
        ("references only", vec![reference.clone(), reference.clone(), done(0, &[])], "unknown"),
        ("a reference that is none", vec![vec![0x73, 0x00], done(0, &[])], "unknown"),
        ("a reference of something else", vec![vec![0x73, 0x02, 0x30, 0x00], done(0, &[])], "unknown"),
        // The random name that is asked for next is found as well.
        ("an entry", vec![ENTRY.to_vec(), done(0, &[])], "ambiguous"),
        ("an entry among references", vec![reference.clone(), ENTRY.to_vec(), done(0, &[])], "ambiguous"),
        ("timeLimitExceeded after it", vec![ENTRY.to_vec(), done(3, &[])], "ambiguous"),
        ("sizeLimitExceeded after it", vec![ENTRY.to_vec(), done(4, &[])], "ambiguous"),
        ("partialResults after it", vec![ENTRY.to_vec(), reference, done(9, &[])], "ambiguous"),
        ("adminLimitExceeded after it", vec![ENTRY.to_vec(), done(11, &[])], "ambiguous"),
        ("sizeLimitExceeded and nothing", vec![done(4, &[])], "undetermined"),
        ("partialResults and nothing", vec![done(9, &[])], "undetermined"),
        ("adminLimitExceeded and nothing", vec![done(11, &[])], "undetermined"),
        ("a referral", vec![done(10, &referral)], "undetermined"),
        ("a referral that is none", vec![done(10, &[0xa3, 0x03, 0x04, 0x01, 0xff])], "undetermined"),
        ("an end that is no text", vec![no_text], "undetermined"),
    ];
    for (what, operations, expected) in cases {
        let url = serve(move |mut stream| {
            let mut request = [0; 4096];
            let mut is_bound = false;
            while stream.read(&mut request).is_ok_and(|length| length > 6) {
                let id = id_of(&request);
                let answer = if std::mem::replace(&mut is_bound, true) {
                    operations.iter().flat_map(|operation| message(id, operation)).collect()
                } else {
                    message(id, &BOUND)
                };
                if stream.write_all(&answer).is_err() {
                    return;
                }
            }
        });
        let (found, why) = ask(&open(settings(&url)).await, "alice@example.org").await;
        assert_eq!(found, expected, "{what}: {why}");
    }
}
