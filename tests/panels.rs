//! End to end: hosts as panels and providers set them up, each under every `catch_all`. A name that exists passes, and one
//! that does not is refused, or `check` says in one sentence why the two cannot be told apart.
//!
//! The tables are real: MariaDB and SQLite behind a real Postfix, with schemas of our own of the shape that the panels'
//! have, and queries that ask what theirs ask. What they answer is compared with what the daemon makes of it in front of
//! that Postfix.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/gate.rs"]
mod gate;
#[path = "support/host.rs"]
mod host;
#[path = "support/map_server.rs"]
mod map_server;
#[path = "support/mariadb.rs"]
mod mariadb;
#[path = "support/mta.rs"]
mod mta;
#[path = "support/postfix.rs"]
mod postfix;
#[path = "support/smtp.rs"]
mod smtp;
#[path = "support/tls.rs"]
mod tls;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use daemon::Daemon;
use map_server::{Answer, MAP, MapServer, Protocol};
use mariadb::MariaDb;
use postfix::Postfix;
use rusqlite::Connection;
use smtp::Client;

/// Every mode, each in domains of its own: `caught.MODE.test` has a catch-all where the host has any, and
/// `plain.MODE.test` has none.
const MODES: [&str; 4] = ["allow", "learn", "soft", "reject"];

/// What is expected of a kind of names, by mode.
type Row<'a> = (&'a str, [&'a str; 4]);

/// Taken in every mode, and refused in every mode.
const TAKEN: [&str; 4] = ["250"; 4];
const REFUSED: [&str; 4] = ["550"; 4];

/// A host with the daemon in front.
struct Host {
    postfix: Postfix,
    daemon: Daemon,
}

impl Host {
    /// Starts Postfix as it is built, and the daemon with these sources, where `CONFIG_DIR` stands for that of Postfix.
    fn start(postfix: postfix::Builder, domains: &[&str], sources: &str) -> Self {
        let port = host::free_port();
        let postfix = postfix.milter(&format!("inet:127.0.0.1:{port}")).start();
        let mut config = format!(
            "mode: enforce\nlisten: [\"inet:127.0.0.1:{port}\"]\nharvest: {{ mode: 'off' }}\n\
             ledger: {{ path: \"{{dir}}/ledger.redb\" }}\nidentities: {{ login_domain: caught.allow.test }}\n\
             defaults: {{ spf: {{ mode: 'off' }}, require_auth: {{ mode: 'off' }}, recipients: {{ sources: [{}] }} }}\n\
             domains:\n",
            sources.replace("CONFIG_DIR", postfix.config_dir().to_str().unwrap())
        );
        for (domain, mode) in domains.iter().flat_map(|domain| MODES.map(|mode| (domain, mode))) {
            writeln!(config, "  {domain}.{mode}.test: {{ recipients: {{ catch_all: {mode} }} }}").unwrap();
        }
        Self { daemon: Daemon::start(&config), postfix }
    }

    /// The reply to RCPT, as far as its code.
    fn rcpt(&self, recipient: &str) -> String {
        let mut client = Client::connect_as(self.postfix.port(), "ADDR=192.0.2.10 NAME=mail.example");
        client.ehlo("mail.example");
        assert_eq!(client.mail("a@sender.example").code(), 250);
        let reply = client.rcpt(recipient).to_string();
        client.command("QUIT");
        reply
    }

    /// Holds what becomes of names under every mode, and prints it.
    #[track_caller]
    fn check(&self, host: &str, rows: &[Row<'_>]) {
        let mut wrong = String::new();
        for (address, expected) in rows {
            let (name, domain) = address.split_once('@').unwrap();
            let mut found = Vec::new();
            for (mode, expected) in MODES.iter().zip(expected) {
                let reply = self.rcpt(&format!("{name}@{domain}.{mode}.test"));
                found.push(reply[..3].to_owned());
                if !reply.starts_with(expected) {
                    writeln!(wrong, "{host} {address} {mode}: {expected}, not {reply}").unwrap();
                }
            }
            eprintln!("{host:28} {address:20} {}", found.join(" "));
        }
        assert!(wrong.is_empty(), "{wrong}{}", self.daemon.written());
    }

    /// Holds that `check` and the log of the daemon say this, of every domain of a kind.
    #[track_caller]
    fn check_says(&self, domain: &str, expected: &[&str]) {
        let output = daemon::run(&["check", "--offline"], &self.daemon.config_file());
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let domains = MODES.map(|mode| format!("{domain}.{mode}.test"));
        for said in [text, self.daemon.written()] {
            for expected in expected.iter().copied().chain(domains.iter().map(String::as_str)) {
                assert!(said.contains(expected), "{expected}: {said}");
            }
        }
    }

    /// Holds that neither says anything of that kind.
    #[track_caller]
    fn check_is_silent(&self) {
        let output = daemon::run(&["check", "--offline"], &self.daemon.config_file());
        let text = String::from_utf8(output.stdout).unwrap();
        for said in [text, self.daemon.written()] {
            assert!(!said.contains("by itself") && !said.contains("not checked"), "{said}");
        }
    }
}

fn domains<'a>(kinds: &[&'a str]) -> impl Iterator<Item = (&'a str, String)> {
    let all: Vec<_> =
        kinds.iter().flat_map(|kind| MODES.map(|mode| (*kind, format!("{kind}.{mode}.test")))).collect();
    all.into_iter()
}

/// A database with the tables of a panel, and how Postfix and we get to it.
enum Panel {
    MariaDb(MariaDb),
    Sqlite(tempfile::TempDir),
}

impl Panel {
    /// Each kind that can be had here.
    fn all() -> Vec<Self> {
        let sqlite = tempfile::tempdir().unwrap();
        // Postfix reads it as a user of its own.
        std::fs::set_permissions(sqlite.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut all = vec![Self::Sqlite(sqlite)];
        if host::is_possible(MariaDb::obstacle()) {
            all.push(Self::MariaDb(MariaDb::start()));
        }
        all
    }

    fn run(&self, sql: &str) {
        match self {
            Self::MariaDb(server) => server.run(sql),
            Self::Sqlite(dir) => {
                Connection::open(dir.path().join("db")).unwrap().execute_batch(sql).unwrap();
            }
        }
    }

    /// The text of a table.
    fn cf(&self, query: &str) -> String {
        match self {
            Self::MariaDb(server) => format!(
                "hosts = inet:127.0.0.1:{}\nuser = milter\npassword = {}\ndbname = mail\nquery = {query}\n",
                server.port(),
                mariadb::PASSWORD
            ),
            Self::Sqlite(dir) => format!("dbpath = {}\nquery = {query}\n", dir.path().join("db").display()),
        }
    }

    /// A table beside main.cf.
    fn table(&self, name: &str) -> String {
        match self {
            Self::MariaDb(_) => format!("mysql:DIR/{name}.cf"),
            Self::Sqlite(_) => format!("sqlite:DIR/{name}.cf"),
        }
    }

    /// The rows themselves as a source of ours.
    fn source(&self, query: &str) -> String {
        match self {
            Self::MariaDb(server) => format!(
                "{{ sql: {{ url: \"mysql://milter@127.0.0.1:{}/mail\", password_file: {}, query: \"{query}\" }} }}",
                server.port(),
                server.password_file().display()
            ),
            Self::Sqlite(dir) => {
                format!(
                    "{{ sql: {{ url: \"sqlite:{}\", query: \"{query}\" }} }}",
                    dir.path().join("db").display()
                )
            }
        }
    }
}

/// Mailboxes, aliases and catch-alls in tables of the shape of `ISPConfig`'s: the query for aliases has the catch-all of
/// the domain inside, so that it answers for every name and nobody asks for `@domain`.
fn ispconfig(panel: &Panel) -> postfix::Builder {
    panel.run("create table domains (name varchar(99))");
    panel.run("create table users (email varchar(99))");
    panel.run("create table forwarding (source varchar(99), destination varchar(99), kind varchar(9))");
    for (kind, domain) in domains(&["caught", "plain"]) {
        panel.run(&format!("insert into domains values ('{domain}')"));
        panel.run(&format!("insert into users values ('office@{domain}'), ('boss@{domain}')"));
        panel.run(&format!(
            "insert into forwarding values ('sales@{domain}', 'office@{domain}', 'alias'), \
             ('info@{domain}', 'boss@{domain}', 'alias')"
        ));
        if kind == "caught" {
            panel.run(&format!("insert into forwarding values ('@{domain}', 'office@{domain}', 'catchall')"));
        }
    }
    let forwardings = "select destination from forwarding where source = '%s' and kind = 'alias' \
                       union select destination from forwarding where source = '@%d' and kind = 'catchall'";
    Postfix::builder(9)
        .file("domains.cf", &panel.cf("select name from domains where name = '%s'"))
        .file("own.cf", &panel.cf("select email from users where email = '%s'"))
        .file("forwardings.cf", &panel.cf(forwardings))
        .file("boxes.cf", &panel.cf("select email from users where email = '%s'"))
        .main_cf(&format!(
            "recipient_delimiter = +\nvirtual_mailbox_domains = {}\nvirtual_mailbox_maps = {}\n\
             virtual_alias_maps = {}, {}\nvirtual_transport = lmtp:unix:/run/nowhere",
            panel.table("domains"),
            panel.table("boxes"),
            panel.table("own"),
            panel.table("forwardings"),
        ))
}

#[test]
fn a_catch_all_inside_of_the_query() {
    if !Postfix::is_available() {
        return;
    }
    for panel in Panel::all() {
        let host =
            Host::start(ispconfig(&panel), &["caught", "plain"], "{ postfix: { config_dir: CONFIG_DIR } }");
        host.check(
            "ISPConfig",
            &[
                ("office@caught", TAKEN),
                ("office+x@caught", TAKEN),
                ("sales@caught", TAKEN),
                ("sales+x@caught", TAKEN),
                ("info@caught", TAKEN),
                // This is what cannot be told.
                ("nobody@caught", TAKEN),
                ("sales@plain", TAKEN),
                ("office@plain", TAKEN),
                ("nobody@plain", REFUSED),
            ],
        );
        let said = ["(virtual_alias_maps) answers for every name of", "by itself", "`sql`"];
        host.check_says("caught", &said);
        let asked = ["explain", "--client", "192.0.2.10", "--mail-from", "a@sender.example", "--rcpt-to"];
        let asked = [&asked[..], &["sales@caught.reject.test"]].concat();
        let output = daemon::run(&asked, &host.daemon.config_file());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("recipient-ambiguous"), "{text}");
        let dir = host.postfix.config_dir();
        let output =
            daemon::run(&["audit", "--postfix-dir", dir.to_str().unwrap()], &host.daemon.config_file());
        let text = String::from_utf8(output.stdout).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("as for any name; take the catch-all away in the panel"), "{text}");
        check_what_is_learned(&host);
        // The real rows as the source: all is told apart, as `check` has it.
        let rows = "select 1 from users where email = {address} union select 1 from forwarding where source = {address}";
        drop(host);
        let again = Host::start(rebuilt(&panel), &["caught", "plain"], &panel.source(rows));
        again.check(
            "ISPConfig, rows by sql",
            &[
                ("office@caught", TAKEN),
                ("sales@caught", TAKEN),
                ("sales+x@caught", TAKEN),
                ("info@caught", TAKEN),
                ("nobody@caught", REFUSED),
                ("nobody@plain", REFUSED),
            ],
        );
        again.check_is_silent();
    }
}

/// Holds that who uses a name is learned under `learn` though nothing tells whether it has a row of its own.
fn check_what_is_learned(host: &Host) {
    let mut client = Client::connect_as(host.postfix.port(), "ADDR=192.0.2.10 NAME=mail.example");
    client.ehlo("mail.example");
    client.mail("a@sender.example");
    assert_eq!(client.rcpt("sales@caught.learn.test").code(), 250);
    assert_eq!(client.data("From: a@sender.example\n\nhello\n").code(), 250);
    let report = || {
        let output = daemon::run(
            &["catch-all", "report", "--domain", "caught.learn.test"],
            &host.daemon.config_file(),
        );
        String::from_utf8(output.stdout).unwrap()
    };
    // It is on disk a moment later.
    let found = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        report().contains("sales")
    });
    assert!(found, "{}", report());
}

/// The same host once more.
fn rebuilt(panel: &Panel) -> postfix::Builder {
    for table in ["domains", "users", "forwarding"] {
        panel.run(&format!("drop table {table}"));
    }
    ispconfig(panel)
}

/// Tables of the shape of mailcow's: aliases by address, `@domain` rows among them, a row for each mailbox, and a query
/// for recipients of relayed domains that gives the address back where the domain takes all.
fn mailcow(panel: &Panel) -> postfix::Builder {
    panel.run("create table domain (name varchar(99), backupmx integer, takes_all integer)");
    panel.run("create table alias (address varchar(99), goto_ varchar(99))");
    for (kind, domain) in domains(&["caught", "plain", "relayed", "listed"]) {
        let (backupmx, takes_all) =
            (i32::from(kind != "caught" && kind != "plain"), i32::from(kind == "relayed"));
        panel.run(&format!("insert into domain values ('{domain}', {backupmx}, {takes_all})"));
        panel.run(&format!(
            "insert into alias values ('office@{domain}', 'office@{domain}'), ('sales@{domain}', 'office@{domain}')"
        ));
        if kind == "caught" {
            panel.run(&format!("insert into alias values ('@{domain}', 'office@{domain}')"));
        }
    }
    let relayed = "select distinct case when '%d' in (select name from domain where takes_all = 1 and name = '%d' \
                   and backupmx = 1) then '%s' else (select goto_ from alias where address = '%s') end as result";
    Postfix::builder(9)
        .file("domains.cf", &panel.cf("select name from domain where name = '%s' and backupmx = 0"))
        .file("relays.cf", &panel.cf("select name from domain where name = '%s' and backupmx = 1"))
        .file("aliases.cf", &panel.cf("select goto_ from alias where address = '%s'"))
        .file("boxes.cf", &panel.cf("select goto_ from alias where address = '%s' and address like 'office@%%'"))
        .file("relayed.cf", &panel.cf(relayed))
        .main_cf(&format!(
            "recipient_delimiter = +\nvirtual_mailbox_domains = {}\nrelay_domains = {}\nvirtual_alias_maps = {}\n\
             virtual_mailbox_maps = {}\nrelay_recipient_maps = {}\nvirtual_transport = lmtp:unix:/run/nowhere",
            panel.table("domains"),
            panel.table("relays"),
            panel.table("aliases"),
            panel.table("boxes"),
            panel.table("relayed"),
        ))
}

#[test]
fn a_backup_mx_that_takes_all() {
    if !Postfix::is_available() {
        return;
    }
    for panel in Panel::all() {
        let kinds = ["caught", "plain", "relayed", "listed"];
        let host = Host::start(mailcow(&panel), &kinds, "{ postfix: { config_dir: CONFIG_DIR } }");
        host.check(
            "mailcow",
            &[
                ("office@caught", TAKEN),
                ("sales@caught", TAKEN),
                ("sales+x@caught", TAKEN),
                // An entry says so: `@domain`.
                ("nobody@caught", ["250", "250", "450", "550"]),
                ("office@plain", TAKEN),
                ("nobody@plain", REFUSED),
                ("office@relayed", TAKEN),
                ("anybody@relayed", TAKEN),
                ("office@listed", TAKEN),
                ("nobody@listed", REFUSED),
            ],
        );
        host.check_says("relayed", &["recipients of", "are not checked", "lets every name pass"]);
    }
}

/// Mailu's maps: the one of aliases has mailboxes, aliases, and what a pattern `%` of the domain leads to.
fn mailu_alias(key: &str) -> Answer {
    let Some((name, domain)) = key.split_once('@') else { return Answer::NotFound };
    let bare = name.split('+').next().unwrap_or(name);
    let known =
        ["allow", "learn", "soft", "reject"].iter().any(|mode| domain.ends_with(&format!("{mode}.test")));
    match (known, bare) {
        (true, "office" | "sales") => leads_to(domain, "office"),
        (true, "info" | "boss") => leads_to(domain, "boss"),
        (true, _) if domain.starts_with("caught.") => leads_to(domain, "office"),
        _ => Answer::NotFound,
    }
}

fn mailu_box(key: &str) -> Answer {
    match key.split_once('@') {
        Some(("office", domain)) => leads_to(domain, "office"),
        Some(("boss", domain)) => leads_to(domain, "boss"),
        _ => Answer::NotFound,
    }
}

fn mailu_domain(key: &str) -> Answer {
    if !key.contains('@') && key.starts_with(['c', 'p']) { Answer::Found("x") } else { Answer::NotFound }
}

/// An address as an answer, which is one of few.
fn leads_to(domain: &str, name: &str) -> Answer {
    Answer::Found(Box::leak(format!("{name}@{domain}").into_boxed_str()))
}

#[test]
fn a_map_that_answers_for_every_name() {
    if !Postfix::is_available() {
        return;
    }
    let [aliases, boxes, all] =
        [mailu_alias, mailu_box, mailu_domain].map(|find| MapServer::on_port(Protocol::Socketmap, find));
    let map = |server: &MapServer| {
        format!("socketmap:inet:{}:{MAP}", server.socket().written().trim_start_matches("inet:"))
    };
    let postfix = || {
        Postfix::builder(9).main_cf(&format!(
            "recipient_delimiter = +\nvirtual_mailbox_domains = {}\nvirtual_alias_maps = {}\nvirtual_mailbox_maps = {}\n\
             virtual_transport = lmtp:inet:127.0.0.1:9",
            map(&all),
            map(&aliases),
            map(&boxes)
        ))
    };
    let rows = [
        ("office@caught", TAKEN),
        ("sales@caught", TAKEN),
        ("sales+x@caught", TAKEN),
        ("info@caught", TAKEN),
        ("nobody@caught", TAKEN),
        ("sales@plain", TAKEN),
        ("nobody@plain", REFUSED),
    ];
    let host = Host::start(postfix(), &["caught", "plain"], "{ postfix: { config_dir: CONFIG_DIR } }");
    host.check("Mailu", &rows);
    host.check_says("caught", &["(virtual_alias_maps) answers for every name of", "by itself"]);
    // A name that nobody has is asked for once for each domain and shape, not with every recipient.
    aliases.take_questions();
    for _ in 0..5 {
        assert!(host.rcpt("sales@caught.reject.test").starts_with("250"));
    }
    let asked = aliases.take_questions();
    // Postfix asks about senders, too.
    let of_others = asked.iter().map(|key| String::from_utf8_lossy(key));
    let of_others: Vec<_> =
        of_others.filter(|key| key.ends_with("caught.reject.test") && !key.contains("sales@")).collect();
    assert!(of_others.is_empty(), "{of_others:?}");
    // Under `allow` nobody is asked for at all, not even at a domain that nothing is known of yet.
    drop(host);
    let host = Host::start(
        postfix(),
        &["caught"],
        &format!("{{ socketmap: {{ address: \"{}\", map: {MAP} }} }}", aliases.socket().written()),
    );
    host.check("Mailu, its aliases alone", &rows[..5]);
    host.check_says("caught", &["answers for every name of", "by itself"]);
}

#[test]
fn under_allow_one_question_is_enough() {
    if !Postfix::is_available() {
        return;
    }
    let server = MapServer::on_port(Protocol::Socketmap, mailu_alias);
    let port = host::free_port();
    let daemon = Daemon::start(&format!(
        "listen: [\"inet:127.0.0.1:{port}\"]\nprofile: relaxed\nidentities: {{ login_domain: x.allow.test }}\n\
         defaults: {{ spf: {{ mode: 'off' }}, recipients: {{ catch_all: allow, sources: [{{ postfix_map: \"socketmap:inet:{}:{MAP}\" }}] }} }}\n\
         domains: {{ plain.allow.test: }}\n",
        server.socket().written().trim_start_matches("inet:")
    ));
    let postfix = Postfix::builder(9)
        .relay_domain("plain.allow.test")
        .milter(&format!("inet:127.0.0.1:{port}"))
        .start();
    server.take_questions();
    let host = Host { postfix, daemon };
    assert!(host.rcpt("info@plain.allow.test").starts_with("250"));
    assert_eq!(server.take_questions().len(), 1);
    assert!(host.rcpt("nobody@plain.allow.test").starts_with("550 5.1.1"));
}

/// A relay for every kind of domain, whose daemon calls the next hop ahead.
fn relay(kinds: &[&str], server: u16) -> Host {
    let postfix =
        domains(kinds).fold(Postfix::builder(server), |postfix, (_, domain)| postfix.relay_domain(&domain));
    Host::start(postfix, kinds, &format!("{{ smtp: {{ server: \"127.0.0.1:{server}\" }} }}"))
}

#[test]
fn a_next_hop_that_verifies_and_says_450() {
    if !Postfix::is_available() {
        return;
    }
    let users: Vec<String> = domains(&["plain"]).map(|(_, domain)| format!("alice@{domain}=x")).collect();
    let users = users.join(" ");
    let postfix = |sink| {
        domains(&["plain"]).fold(Postfix::builder(sink), |postfix, (_, domain)| postfix.relay_domain(&domain))
    };
    let inner = postfix(9).main_cf(&format!("relay_recipient_maps = inline:{{ {users} }}")).start();
    let next = postfix(inner.port()).verifies_recipients().start();
    // It finds out about a name once, which takes longer than a client waits.
    for (name, domain) in
        domains(&["plain"]).flat_map(|(_, domain)| [("alice", domain.clone()), ("nobody", domain)])
    {
        let mut client = Client::connect_as(next.port(), "ADDR=192.0.2.10 NAME=mail.example");
        client.ehlo("mail.example");
        client.mail("a@sender.example");
        client.rcpt(&format!("{name}@{domain}"));
    }
    let host = relay(&["plain"], next.port());
    let unknown = ["451"; 4];
    host.check(
        "next hop: 250 or 450",
        &[("alice@plain", TAKEN), ("nobody@plain", unknown), ("alice@plain", TAKEN)],
    );
}

/// A server on a loopback port that takes what comes for some names and answers this for all others.
fn next_hop(knows: fn(&str) -> bool, otherwise: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || drop(serve(stream, knows, otherwise)));
        }
    });
    port
}

fn serve(mut stream: TcpStream, knows: fn(&str) -> bool, otherwise: &str) -> std::io::Result<()> {
    stream.write_all(b"220 mx.next.example ready\r\n")?;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        let reply = match line.split([' ', ':']).next().unwrap_or_default().to_uppercase().as_str() {
            "QUIT" => return stream.write_all(b"221 2.0.0 bye\r\n"),
            "RCPT" if !knows(line.trim_start_matches("RCPT TO:<")) => otherwise,
            _ => "250 2.1.5 OK",
        };
        stream.write_all(format!("{reply}\r\n").as_bytes())?;
    }
    Ok(())
}

/// Who exists there.
fn is_alice(address: &str) -> bool {
    address.to_lowercase().starts_with("alice@")
}

#[test]
fn next_hops_of_providers() {
    if !Postfix::is_available() {
        return;
    }
    for (host, otherwise, unknown) in [
        ("Exchange Online", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", REFUSED),
        ("Exchange", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found", REFUSED),
        ("outlook.com", "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", REFUSED),
        ("closed mailboxes", "550 5.2.1 The email account that you tried to reach is disabled", REFUSED),
        ("qmail with chkuser", "511 sorry, no mailbox here by that name (#5.1.1 - chkuser)", REFUSED),
        ("Exim", "550 Unrouteable address", REFUSED),
        ("refuses for other reasons", "550 5.7.1 Service unavailable, Client host blocked", ["451"; 4]),
        ("greylists", "450 4.7.1 try again later", ["451"; 4]),
    ] {
        let relay = relay(&["plain"], next_hop(is_alice, otherwise));
        relay.check(host, &[("alice@plain", TAKEN), ("nobody@plain", unknown)]);
        relay.check_is_silent();
    }
}

#[test]
fn a_next_hop_that_takes_everybody() {
    if !Postfix::is_available() {
        return;
    }
    let relay = relay(&["caught"], next_hop(|_| true, ""));
    relay.check("next hop that takes all", &[("alice@caught", TAKEN), ("nobody@caught", TAKEN)]);
    relay.check_says("caught", &["answers for every name of", "by itself"]);
}
