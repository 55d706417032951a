//! Whether the daemon is ready for mail.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use nix::sys::signal::Signal;

use crate::slapd::Slapd;
use crate::{Stage, metrics, rcpt};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_away_keeps_mail_waiting_and_the_daemon_unready() {
    if !Slapd::is_available() {
        return;
    }
    let mut slapd = Slapd::start(
        "dn: uid=info,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: info\ncn: I\nsn: I\nmail: info@local.test\n",
    );
    let stage = Stage::start(&format!(
        "mode: enforce\n\
         defaults:\n\
         \x20 spf: {{ mode: off }}\n\
         \x20 recipients: {{ sources: [ldap: {{ url: \"{}\", base: \"dc=example,dc=org\" }}] }}\n\
         domains: {{ local.test: }}\n",
        slapd.url()
    ));
    let mut mta = stage.session("192.0.2.10").await;
    let ready = || metrics::get(stage.metrics, "/readyz");
    let silent = || metrics::value(stage.metrics, "lockdown_milter_silent_sources{kind=\"recipient\"}");
    assert_eq!(rcpt(&mut mta, "a@pass.example", "info@local.test").await, "continue");
    assert_eq!((ready().status, silent()), (200, 0.0));

    slapd.stop();
    let answer = rcpt(&mut mta, "a@pass.example", "info@local.test").await;
    assert!(answer.contains("451 4.4.3"), "{answer}");
    let page = ready();
    let begins = "not ready\nrecipient source 1 (ldap): no answer since ";
    assert!(page.status == 503 && page.body.starts_with(begins), "{page:?}");
    assert_eq!(silent(), 1.0);
    assert_eq!(metrics::get(stage.metrics, "/healthz").status, 200);

    // Where nothing waits for it, it is of no interest.
    stage.daemon.reload(&stage.config.replace("recipients: {", "recipients: { on_error: accept,"));
    assert_eq!(rcpt(&mut mta, "a@pass.example", "info@local.test").await, "continue");
    assert_eq!((ready().status, silent()), (200, 0.0));
    stage.daemon.reload(&stage.config);

    slapd.run();
    assert_eq!(rcpt(&mut mta, "a@pass.example", "info@local.test").await, "continue");
    assert_eq!((ready().status, silent()), (200, 0.0));
}

/// A mail server that has no opinion about one mailbox, and is not away for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_tell_about_one_mailbox_is_there() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    thread::spawn(move || {
        for stream in server.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || undecided(&stream));
        }
    });
    let stage = Stage::start(&format!(
        "mode: enforce\n\
         defaults:\n\
         \x20 spf: {{ mode: off }}\n\
         \x20 recipients: {{ sources: [smtp: {{ server: \"{address}\" }}] }}\n\
         domains: {{ local.test: }}\n"
    ));
    let mut mta = stage.session("192.0.2.10").await;
    let answer = rcpt(&mut mta, "a@pass.example", "full@local.test").await;
    assert!(answer.contains("451 4.4.3"), "{answer}");
    assert_eq!(metrics::get(stage.metrics, "/readyz").body, "ready\n");
}

/// Speaks SMTP, takes nobody's mail and refuses nobody's.
fn undecided(stream: &TcpStream) {
    let mut writer = stream;
    let mut say = |line: &str| writer.write_all(line.as_bytes());
    say("220 undecided\r\n").unwrap();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let answer = if line.starts_with("RCPT") { "450 4.2.2 full\r\n" } else { "250 ok\r\n" };
        if say(answer).is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_daemon_is_alive_and_not_ready() {
    let stage = Stage::start("domains: { local.test: }\n");
    let mta = stage.session("192.0.2.10").await;
    stage.daemon.signal(Signal::SIGTERM);
    stage.daemon.wait_for(&["no new connections"]);
    let page = metrics::get(stage.metrics, "/readyz");
    assert_eq!(
        (page.status, page.body.as_str()),
        (503, "not ready\ndraining: open sessions are served to their end\n")
    );
    assert_eq!(metrics::get(stage.metrics, "/healthz").status, 200);
    assert_eq!(metrics::value(stage.metrics, "lockdown_milter_ready"), 0.0);
    drop(mta);
}

#[test]
fn pages_can_only_be_read() {
    let stage = Stage::start("domains: { local.test: }\n");
    for (line, status) in [
        ("GET /metrics HTTP/1.1", 200),
        ("HEAD /metrics HTTP/1.1", 200),
        ("GET /readyz?verbose HTTP/1.0", 200),
        ("POST /metrics HTTP/1.1", 405),
        ("DELETE /readyz HTTP/1.1", 405),
        ("GET / HTTP/1.1", 404),
        ("POST /metrics/ HTTP/1.1", 404),
        ("GET /../metrics HTTP/1.1", 404),
    ] {
        let page = metrics::request(stage.metrics, line);
        assert_eq!(page.status, status, "{line}: {page:?}");
        assert_eq!(page.body.is_empty(), line.starts_with("HEAD"), "{line}: {page:?}");
    }
}

/// Connections that say nothing keep nobody from asking.
#[test]
fn silent_connections_make_room() {
    let stage = Stage::start("domains: { local.test: }\n");
    let mut silent: Vec<TcpStream> = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(("127.0.0.1", stage.metrics)).unwrap());
        if silent.len().is_multiple_of(20) {
            assert_eq!(metrics::get(stage.metrics, "/healthz").status, 200);
        }
    }
    // The oldest was closed, long before its own time was over; the newest still has its turn.
    let mut octet = [0];
    assert_eq!(silent[0].read(&mut octet).unwrap_or(0), 0);
    let last = silent.last_mut().unwrap();
    last.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(last.read(&mut octet).unwrap(), 1);
}

#[test]
fn a_port_that_is_taken_is_an_error_with_a_hint() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.yaml");
    let address = taken.local_addr().unwrap();
    let text = format!(
        "listen: [\"inet:127.0.0.1:0\"]\nmetrics: {{ listen: \"{address}\" }}\ndomains: {{ local.test: }}\n\
         ledger: {{ path: {} }}\n",
        dir.path().join("ledger.redb").display()
    );
    std::fs::write(&file, text).unwrap();
    let ended = crate::daemon::run(&["run"], &file);
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success(), "{said}");
    assert!(said.contains(&format!("metrics.listen {address}: ")) && said.contains("another port"), "{said}");
}
