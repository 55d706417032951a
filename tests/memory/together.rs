//! All at once: a table of a million recipients, answers of DNS as long as can be, a database that never stops talking,
//! and as many silent connections as there are places.

use std::io::{BufWriter, Write as _};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::hostile_dns::{A, Answers, HostileDns, TXT, text};
use super::*;

const RECIPIENTS: usize = 1_000_000;

/// MiB that the daemon may take beyond its rest, which is the daemon with its table, after some mail.
const MOST: usize = 300;

/// A PostgreSQL that announces a message of 2 GiB to one and sends notices to the next, both without end.
async fn hostile_postgres() -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        for number in 0.. {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 1024]).await;
                let notice = [&b"N\0\0\x27\x14"[..], &[b'x'; 10_000]].concat();
                let (head, more) = if number % 2 == 0 {
                    (&b"D\x7f\xff\xff\xff"[..], vec![0; 1 << 16])
                } else {
                    (&b""[..], notice)
                };
                let _ = stream.write_all(head).await;
                // Until the daemon has had enough.
                while stream.write_all(&more).await.is_ok() {}
            });
        }
    });
    (port, serving)
}

/// Connections that say as little as they can: nothing, half a negotiation, a whole one, half a frame after it.
async fn crowd(address: &Address, count: usize) -> Vec<Mta> {
    let half = [full_offer(), connect("a.example", '4', 25, "192.0.2.1")[..6].to_vec()].concat();
    let kinds = [Vec::new(), full_offer()[..7].to_vec(), full_offer(), half];
    let mut crowd = Vec::new();
    for number in 0..count {
        let mut peer = Mta::connect(address).await.unwrap();
        peer.send(&kinds[number % kinds.len()]).await.unwrap();
        crowd.push(peer);
    }
    crowd
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_together_stays_within_its_bounds() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(hard.min(4096)), hard).unwrap();
    let table = tempfile::NamedTempFile::new().unwrap();
    let mut lines = BufWriter::new(table.reopen().unwrap());
    for number in 0..RECIPIENTS {
        writeln!(lines, "user{number:07}@big.test").unwrap();
    }
    lines.flush().unwrap();
    let dns = HostileDns::start().await;
    let (port, postgres) = hostile_postgres().await;
    let url = format!("postgres://u@127.0.0.1:{port}/mail?sslmode=disable");
    let config = format!(
        "mode: enforce\nharvest: {{ mode: off }}\ndns: {{ servers: [\"{}\"] }}\n\
         domains:\n  ours.test: {{}}\n  \
         big.test: {{ recipients: {{ sources: [{{ file: '{}' }}] }} }}\n  \
         pg.test: {{ recipients: {{ sources: [{{ sql: {{ url: '{url}', query: 'SELECT 1 FROM u WHERE a = {{address}}' }} }}] }} }}\n\
         listen: [{{ unix: '{{dir}}/milter.sock' }}]\n",
        dns.address(),
        table.path().display(),
    );
    let daemon = tokio::task::block_in_place(|| Daemon::start(&config));
    let address = address(&daemon);
    let strangers = |kind: usize, to: &'static str, count: usize| {
        (0..count).map(move |number| Stranger {
            family: '4',
            client: format!("192.0.2.{number}"),
            mail: format!("a@{number}.{kind}.hostile.example"),
            to,
        })
    };
    let policy = |record: &str| Answers::default().with(TXT, &[text(record)], |_| Vec::new());
    dns.serve(policy("v=spf1 -all"));
    assert_eq!(envelopes(&address, 20, strangers(0, "<nobody@big.test>", 40)).await, ["550 5.1.1"]);
    envelopes(&address, 20, strangers(1, "<user0000007@big.test>", 40)).await;
    let rest = Memory::of(&daemon);

    let terms: Vec<String> = (0..10).map(|number| format!("a:{number}.%{{d}}")).collect();
    let addresses = |number: usize| [&[10, 1][..], &u16::try_from(number).unwrap().to_be_bytes()].concat();
    dns.serve(policy(&format!("v=spf1 {} -all", terms.join(" "))).with(A, &[], addresses));
    let silent = crowd(&address, 1000).await;
    // Postfix's own limit of processes, 100, and more of it than a machine answers in time.
    let (mail, lookups) = tokio::join!(
        envelopes(&address, 60, strangers(2, "<info@ours.test>", 60)),
        envelopes(&address, 20, strangers(3, "<info@pg.test>", 60)),
    );
    let memory = Memory::of(&daemon);
    eprintln!(
        "at rest {} KiB, then {} KiB, peak {} KiB: {} MiB more; {mail:?} {lookups:?}",
        rest.now,
        memory.now,
        memory.peak,
        memory.peak.saturating_sub(rest.now) >> 10
    );
    // Where SPF fails in time, that is reason enough.
    assert!(lookups.iter().any(|code| code == "451 4.4.3"), "{lookups:?}");
    let (answers, _) = dns.sent();
    assert!(answers > 100, "{answers} long answers");
    assert!(memory.peak < rest.now + MOST * 1024, "{memory:?}, at rest {rest:?}");
    // It is as well as before.
    dns.serve(policy("v=spf1 -all"));
    let after = envelopes(&address, 20, strangers(4, "<nobody@big.test>", 20));
    assert_eq!(tokio::time::timeout(Duration::from_secs(20), after).await.unwrap(), ["550 5.1.1"]);
    drop((silent, postgres));
}
