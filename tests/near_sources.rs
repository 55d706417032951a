//! Sources of recipients that are servers, each against a real one: what they say of names that exist and of names that
//! do not, what is made of them in trouble, and that nothing which an attacker can name is more than a name to them.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/dovecot.rs"]
mod dovecot;
#[path = "support/gate.rs"]
mod gate;
#[path = "support/host.rs"]
mod host;
#[path = "support/map_server.rs"]
mod map_server;
#[path = "support/mta.rs"]
mod mta;
#[path = "support/postfix.rs"]
mod postfix;
#[path = "support/sink.rs"]
mod sink;
#[path = "support/smtp.rs"]
mod smtp;
#[path = "support/tls.rs"]
mod tls;

use std::fs;
use std::time::Duration;

use daemon::Daemon;
use dovecot::{Dovecot, Users};
use gate::{Gate, Socket, State};
use lockdown_milter::facts::{Cost, Existence, RecipientQuestion, SourceId};
use lockdown_milter::mail::Mailbox;
use lockdown_milter::sources::recipients::{
    CallAheadSettings, DovecotSettings, Recipients, SocketmapSettings, SourceSettings,
};
use map_server::{Answer, MAP, MapServer, Protocol};
use postfix::Postfix;
use smtp::Client;
use tempfile::NamedTempFile;
use tokio::runtime::Runtime;

/// Names that exist at example.org; nobody else does.
const KNOWN: [&str; 7] = ["alice", "bob", "carol", "dora", "erik", "fay", "gus"];

/// Names that are made to be more than names. Those that a server can hold exist as well.
const HOSTILE: [&str; 4] = ["' OR 1=1 --", "*)(uid=*", "..%2f", "%s"];

/// What is not even sent, or if it is, as it is: the server does not know it.
const UNKNOWN: [&str; 12] = [
    "' OR 1=1 -",
    "*",
    "%",
    "%u",
    "{address}",
    "..",
    "a> SIZE=1",
    "a\"b",
    "a\\",
    "alice@example.org> <bob",
    "alice@example.org",
    "ali\u{1f}ce",
];

/// More octets than any answer may have, and none of them means anything.
static NOTHING: [u8; 200_000] = [0; 200_000];

/// A source with the gate before its server.
struct Case {
    runtime: Runtime,
    recipients: Recipients,
    gate: Gate,
}

/// What a source says, in short.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Exists,
    Ambiguous,
    Wildcard,
    Unknown,
    Undetermined(String),
    Moved(String),
    NoList,
}

impl Case {
    fn new(server: &Socket, settings: impl Fn(&Socket) -> SourceSettings) -> Self {
        let gate = Gate::before(server);
        let runtime = Runtime::new().unwrap();
        let recipients = runtime.block_on(Recipients::open(&[settings(gate.front())])).unwrap();
        Self { runtime, recipients, gate }
    }

    /// What is said of a local-part at example.org, which need not be one that anybody could write.
    fn find(&self, local_part: &str) -> Said {
        let mailbox = Mailbox::new(local_part, "example.org".parse().unwrap());
        let source = SourceId { number: 0, cost: Cost::Near };
        let question =
            RecipientQuestion { source, forms: vec![mailbox], case_sensitive: false, by_name: true };
        match self.runtime.block_on(self.recipients.find(&question)) {
            Existence::Exists(_) => Said::Exists,
            Existence::Ambiguous(_) => Said::Ambiguous,
            Existence::Wildcard(_) => Said::Wildcard,
            Existence::Unknown(_) => Said::Unknown,
            Existence::Undetermined(why) => Said::Undetermined(why),
            Existence::Relocated { to, .. } => Said::Moved(to),
            Existence::NoList(_) => Said::NoList,
        }
    }

    #[track_caller]
    fn check(&self, local_part: &str, expected: &Said) {
        assert_eq!(self.find(local_part), *expected, "{local_part}");
    }

    /// Holds that it cannot be told, for a reason that has this text in it.
    #[track_caller]
    fn check_undetermined(&self, local_part: &str, why: &str) {
        match self.find(local_part) {
            Said::Undetermined(said) if said.contains(why) => {}
            other => panic!("{local_part}: {why} was expected, and not {other:?}"),
        }
    }

    /// Holds that names are told apart over one connection.
    fn check_names(&self) {
        for name in &KNOWN[..2] {
            self.check(name, &Said::Exists);
        }
        for name in ["nobody", "no.body", "alice.", "alic"] {
            self.check(name, &Said::Unknown);
        }
        assert_eq!(self.gate.connections(), 1, "the connection is kept");
    }

    /// Holds that trouble is never taken for an answer, that it is over when it is over, and that nothing of it stays.
    /// `limit` is how long a server may take.
    fn check_troubles(&self, garbage: &'static [u8], limit: Duration) {
        let late = format!("no answer within {limit:?}");
        let troubles = [
            (State::Shut, "cannot connect: "),
            (State::Silent, late.as_str()),
            (State::Garbled(garbage), "the answer "),
            (State::Garbled(&NOTHING), "the answer "),
            (State::Closing, "the server closed the connection"),
        ];
        for (at, (state, why)) in troubles.into_iter().enumerate() {
            let (known, unknown) = (KNOWN[2 + at], format!("nobody{at}"));
            self.gate.set(state);
            self.check_undetermined(known, why);
            self.check_undetermined(&unknown, why);
            self.gate.set(State::Open);
            self.check(known, &Said::Exists);
            self.check(&unknown, &Said::Unknown);
        }
    }

    /// Holds that hostile names are names, and leave the connection as it was.
    fn check_hostile(&self) {
        let before = self.gate.connections();
        for name in HOSTILE {
            self.check(name, &Said::Exists);
        }
        for name in UNKNOWN {
            let said = self.find(name);
            let is_refused = matches!(&said, Said::Undetermined(why) if why.contains("cannot hold"));
            assert!(said == Said::Unknown || is_refused, "{name:?}: {said:?}");
        }
        for name in ["a\tb", "a\nb", "a\r\nQUIT\r\n", "a\0b", "alice@example.org\nUSER\t9\tbob"] {
            let said = self.find(name);
            assert!(matches!(said, Said::Unknown | Said::Undetermined(_)), "{name:?}: {said:?}");
        }
        let said = self.find(&"x".repeat(1 << 16));
        let is_refused = matches!(&said, Said::Undetermined(why) if why.contains("octets is too long"));
        assert!(said == Said::Unknown || is_refused, "{said:?}");
        self.check("alice", &Said::Exists);
        assert!(self.gate.connections() <= before + 3, "nothing of it broke a connection");
    }
}

/// The answers of a proper server, which has whole addresses with the quoting that they need.
fn known(key: &str) -> Answer {
    let Some(local_part) = key.strip_suffix("@example.org") else { return Answer::NotFound };
    match local_part {
        "temp" => Answer::Later("database gone"),
        "timeout" => Answer::Word("TIMEOUT", ""),
        "perm" => Answer::Word("PERM", "no such map"),
        _ if KNOWN.contains(&local_part) || HOSTILE.contains(&local_part) => Answer::Found("OK"),
        _ if HOSTILE.iter().any(|name| *local_part == format!("\"{name}\"")) => Answer::Found("OK"),
        _ => Answer::NotFound,
    }
}

fn socketmap(socket: &Socket) -> SourceSettings {
    let address = socket.written().parse().unwrap();
    SourceSettings::Socketmap(SocketmapSettings { address, map: MAP.to_owned() })
}

#[test]
fn socketmap_on_a_port() {
    let server = MapServer::on_port(Protocol::Socketmap, known);
    let case = Case::new(server.socket(), socketmap);
    case.check_names();
    case.check_hostile();
    case.check_troubles(b"HTTP/1.1 400 Bad Request\r\n\r\n", Duration::from_secs(2));
    case.check_undetermined("temp", "TEMP ‘database gone’");
    case.check_undetermined("timeout", "TIMEOUT");
    case.check_undetermined("perm", "PERM ‘no such map’");
}

#[test]
fn socketmap_on_a_unix_socket() {
    let dir = tempfile::tempdir().unwrap();
    let server = MapServer::on_path(&dir.path().join("maps"), Protocol::Socketmap, known);
    let case = Case::new(server.socket(), socketmap);
    case.check_names();
    case.check_troubles(b"5:OK ab;", Duration::from_secs(2));
}

#[test]
fn a_socketmap_that_knows_everybody() {
    let server = MapServer::on_port(Protocol::Socketmap, |_| Answer::Found("OK"));
    let case = Case::new(server.socket(), socketmap);
    case.check("alice", &Said::Ambiguous);
    case.check("bob", &Said::Ambiguous);
    assert_eq!(server.take_questions().len(), 3, "one question each, and one probe");
}

fn dovecot(socket: &Socket, without_domain: bool) -> SourceSettings {
    let socket = socket.path().to_owned();
    SourceSettings::Dovecot(DovecotSettings { socket, without_domain })
}

/// Local-parts as users of example.org, without quoting. Dovecot looks them up in lower case.
fn users() -> Vec<String> {
    KNOWN.iter().chain(&HOSTILE).map(|name| format!("{}@example.org", name.to_lowercase())).collect()
}

fn dovecot_with_users() -> Dovecot {
    let users = users();
    Dovecot::with(Users::Listed(&users.iter().map(String::as_str).collect::<Vec<_>>()))
}

#[test]
fn the_user_database_of_dovecot() {
    if !Dovecot::is_available() {
        return;
    }
    let server = dovecot_with_users();
    let case = Case::new(&Socket::Unix(server.userdb()), |socket| dovecot(socket, false));
    case.check_names();
    case.check_hostile();
    case.check_troubles(b"VERSION\t1\t1\nSPID\t1\nUSER\t999\talice\n", Duration::from_secs(2));
}

#[test]
fn users_of_dovecot_by_their_local_part() {
    if !Dovecot::is_available() {
        return;
    }
    let server = Dovecot::with(Users::Listed(&["alice", "bob"]));
    let case = Case::new(&Socket::Unix(server.userdb()), |socket| dovecot(socket, true));
    case.check("alice", &Said::Exists);
    case.check("nobody", &Said::Unknown);
}

#[test]
fn a_dovecot_that_knows_everybody() {
    if !Dovecot::is_available() {
        return;
    }
    let server = Dovecot::with(Users::Everybody);
    let case = Case::new(&Socket::Unix(server.userdb()), |socket| dovecot(socket, false));
    for name in ["alice", "nobody", "a\tb", "a\nUSER\t2\tb", "a\u{1}b"] {
        case.check(name, &Said::Ambiguous);
    }
    assert_eq!(case.gate.connections(), 1);
}

#[test]
fn a_socket_of_dovecot_that_is_for_logins() {
    if !Dovecot::is_available() {
        return;
    }
    let server = dovecot_with_users();
    let case = Case::new(&Socket::Unix(server.socket()), |socket| dovecot(socket, false));
    case.check_undetermined("alice", "this socket is for logins, not for `auth-userdb`");
}

/// A server that is called, with answers that are remembered for an hour.
fn call_ahead(socket: &Socket) -> CallAheadSettings {
    let hour = Duration::from_hours(1);
    CallAheadSettings {
        server: socket.written().parse().unwrap(),
        sender: None,
        host_name: "mx.local.test".to_owned(),
        exists: hour,
        unknown: hour,
    }
}

/// How long a call may take.
const CALL: Duration = Duration::from_secs(5);

#[test]
fn lmtp_of_dovecot() {
    if !Dovecot::is_available() {
        return;
    }
    let server = dovecot_with_users();
    let lmtp = |socket: &Socket| SourceSettings::Lmtp(call_ahead(socket));
    let case = Case::new(&Socket::Unix(server.lmtp()), lmtp);
    case.check_names();
    check_conversation(&case, "LHLO");
    case.check_hostile();
    case.check_troubles(b"250 nonsense\n25x\r\n", CALL);
    check_memory(&case);
    case.check_undetermined("élodie", "does not offer SMTPUTF8");
}

#[test]
fn an_lmtp_server_that_takes_mail_for_everybody() {
    if !Dovecot::is_available() {
        return;
    }
    let server = Dovecot::with(Users::Everybody);
    let lmtp = |socket: &Socket| SourceSettings::Lmtp(call_ahead(socket));
    let case = Case::new(&Socket::Unix(server.lmtp()), lmtp);
    case.check("alice", &Said::Ambiguous);
    case.check("bob", &Said::Ambiguous);
}

/// Holds what was said over the connection on which names were told apart.
fn check_conversation(case: &Case, hello: &str) {
    let asked = String::from_utf8(case.gate.take_asked()).unwrap();
    let asked: Vec<&str> = asked.split_terminator("\r\n").collect();
    assert_eq!(asked[0], format!("{hello} mx.local.test"));
    let mut recipients = Vec::new();
    for transaction in asked[1..].chunks(3) {
        assert_eq!((transaction[0], transaction[2]), ("MAIL FROM:<>", "RSET"));
        recipients
            .push(transaction[1].strip_prefix("RCPT TO:<").unwrap().strip_suffix("@example.org>").unwrap());
    }
    assert!(recipients[1].starts_with("probe"), "{recipients:?}");
    recipients.remove(1);
    assert_eq!(recipients, ["alice", "bob", "nobody", "no.body", "\"alice.\"", "alic"]);
}

/// Holds that what was said once is remembered, that a name is asked for once whoever wants to know, and that a server
/// has no more than four connections of ours.
fn check_memory(case: &Case) {
    let known = [("alice", Said::Exists), ("nobody", Said::Unknown), ("nobody0", Said::Unknown)];
    case.gate.set(State::Shut);
    case.gate.take_asked();
    for (name, said) in &known {
        case.check(name, said);
    }
    assert_eq!(case.gate.take_asked(), b"");
    case.gate.set(State::Open);
    let find = |name: String| async move {
        let mailbox = format!("{name}@example.org").parse().unwrap();
        let source = SourceId { number: 0, cost: Cost::Far };
        case.recipients
            .find(&RecipientQuestion { source, forms: vec![mailbox], case_sensitive: false, by_name: true })
            .await
    };
    let before = case.gate.connections();
    let names = (0..40).map(|number| format!("new{}", number % 8));
    let answers = case.runtime.block_on(futures(names.map(find)));
    assert!(answers.iter().all(|answer| matches!(answer, Existence::Unknown(_))), "{answers:?}");
    let asked = String::from_utf8(case.gate.take_asked()).unwrap();
    assert_eq!(asked.matches("RCPT TO:").count(), 8);
    let connections = case.gate.connections() - before;
    assert!((2..=4).contains(&connections), "{connections} connections");
}

/// All of them at once.
async fn futures<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut answers: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, answer) in futures.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                *answer = Some(output);
            }
        }
        if answers.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    answers.into_iter().flatten().collect()
}

/// A Postfix that knows the same names, which it has in a file beside it, and one who has moved.
fn postfix_with_users() -> (Postfix, NamedTempFile) {
    let line = |name: &&str| {
        let is_atom = name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'%');
        if is_atom { format!("{name}@example.org x\n") } else { format!("\"{name}\"@example.org x\n") }
    };
    let file = NamedTempFile::new().unwrap();
    let names: String = KNOWN.iter().chain(&HOSTILE).map(line).collect();
    fs::write(file.path(), names + "moved@example.org x\n").unwrap();
    let server = Postfix::builder(9)
        .relay_domain("example.org")
        .main_cf(&format!("relay_recipient_maps = texthash:{}", file.path().display()))
        // Names with `%` are no routes here.
        .main_cf("allow_untrusted_routing = yes")
        .main_cf("relocated_maps = inline:{ { moved@example.org = new@example.com } }")
        .start();
    (server, file)
}

#[test]
fn smtp_of_postfix() {
    if !Postfix::is_available() {
        return;
    }
    let (server, _file) = postfix_with_users();
    let case = Case::new(&Socket::Inet(server.port()), |socket| SourceSettings::Smtp(call_ahead(socket)));
    case.check_names();
    check_conversation(&case, "EHLO");
    case.check_hostile();
    case.check("élodie", &Said::Unknown);
    let asked = String::from_utf8(case.gate.take_asked()).unwrap();
    assert!(asked.contains("MAIL FROM:<> SMTPUTF8\r\nRCPT TO:<élodie@example.org>\r\n"), "{asked}");
    case.check("moved", &Said::Moved("new@example.com".to_owned()));
    case.check_troubles(b"250 nonsense\n25x\r\n", CALL);
    check_memory(&case);
}

#[test]
fn a_postfix_that_takes_mail_for_everybody() {
    if !Postfix::is_available() {
        return;
    }
    let server = Postfix::builder(9).relay_domain("example.org").start();
    let case = Case::new(&Socket::Inet(server.port()), |socket| SourceSettings::Smtp(call_ahead(socket)));
    case.check("alice", &Said::Ambiguous);
    case.check("bob", &Said::Ambiguous);
}

/// Holds that a refusal which is not about the mailbox tells nothing about it.
#[track_caller]
fn check_refused(main_cf: &str, why: &str) {
    if !Postfix::is_available() {
        return;
    }
    let server = Postfix::builder(9).main_cf(main_cf).start();
    let case = Case::new(&Socket::Inet(server.port()), |socket| SourceSettings::Smtp(call_ahead(socket)));
    case.check_undetermined("alice", why);
    case.check_undetermined("alice", why);
    let asked = String::from_utf8(case.gate.take_asked()).unwrap();
    assert_eq!(case.gate.connections().max(asked.matches("RCPT TO").count()), 2, "nothing is remembered");
}

#[test]
fn refusals_that_are_not_about_the_mailbox() {
    check_refused("", "RCPT is answered by ‘554 5.7.1");
    check_refused("smtpd_relay_restrictions = defer_unauth_destination", "RCPT is answered by ‘454 4.7.1");
    check_refused(
        "smtpd_sender_restrictions = reject\nsmtpd_delay_reject = no",
        "MAIL is answered by ‘554 5.7.1",
    );
    check_refused(
        "smtpd_helo_restrictions = reject\nsmtpd_delay_reject = no",
        "EHLO is answered by ‘554 5.7.1",
    );
    check_refused(
        "smtpd_client_restrictions = reject\nsmtpd_delay_reject = no",
        "the greeting is ‘554 5.7.1",
    );
    check_refused(
        "smtpd_sender_restrictions = reject_plaintext_session\nsmtpd_delay_reject = no",
        "MAIL is answered by ‘450 4.7.1 Session encryption is required",
    );
}

/// What the daemon does with recipients that a Dovecot knows, which is asked by `source`.
fn check_daemon(source: impl Fn(&Dovecot) -> String) {
    if !Dovecot::is_available() || !Postfix::is_available() {
        return;
    }
    let dovecot = dovecot_with_users();
    let port = host::free_port();
    let daemon = Daemon::start(&format!(
        "listen: [\"inet:127.0.0.1:{port}\"]
profile: relaxed
defaults: {{ spf: {{ mode: off }}, recipients: {{ catch_all: reject }} }}
identities: {{ login_domain: example.org }}
domains: {{ example.org: {{ recipients: {{ sources: [{}] }} }} }}
",
        source(&dovecot)
    ));
    let postfix =
        Postfix::builder(9).relay_domain("example.org").milter(&format!("inet:127.0.0.1:{port}")).start();
    let rcpt = |name: &str| {
        let mut client = Client::connect_as(postfix.port(), "ADDR=192.0.2.10 NAME=mail.example");
        client.ehlo("mail.example");
        assert_eq!(client.mail("a@sender.example").code(), 250);
        client.rcpt(&format!("{name}@example.org")).to_string()
    };
    let check = |name: &str, expected: &str| {
        let reply = rcpt(name);
        assert!(reply.starts_with(expected), "{name}: {expected} was expected, and not {reply}");
    };
    check("alice", "250 2.1.5 ");
    check("nobody", "550 5.1.1 No such recipient here (ref ");
    check("\"' OR 1=1 --\"", "250 2.1.5 ");
    check("\"' OR 1=1 -\"", "550 5.1.1 ");
    dovecot.stop();
    check("bob", "451 4.4.3 The recipient cannot be verified at the moment (ref ");
    check("no.body", "451 4.4.3 ");
    dovecot.resume();
    check("bob", "250 2.1.5 ");
    check("no.body", "550 5.1.1 ");
    drop(daemon);
}

#[test]
fn the_daemon_with_lmtp() {
    check_daemon(|dovecot| format!("{{ lmtp: {{ server: \"unix:{}\" }} }}", dovecot.lmtp().display()));
}

#[test]
fn the_daemon_with_the_user_database() {
    check_daemon(|dovecot| format!("{{ dovecot: {{ socket: {} }} }}", dovecot.userdb().display()));
}
