//! Postfix's `pgsql:`, `mysql:` and `sqlite:` tables as we ask them, against postmap(1) of the installed Postfix: one
//! answer for every key, from the same file about the same real server.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/host.rs"]
mod host;
#[path = "support/mariadb.rs"]
mod mariadb;
#[path = "support/mta.rs"]
mod mta;
#[path = "support/postfix_dir.rs"]
mod postfix_dir;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/smtp.rs"]
mod smtp;
#[path = "support/tls.rs"]
mod tls;

use std::fmt::Write as _;

use lockdown_milter::mta::postfix::main_cf::MainCf;
use lockdown_milter::mta::postfix::maps::{Key, Maps};
use lockdown_milter::mta::postfix::tables::Usage;
use mariadb::MariaDb;
use postfix_dir::PostfixDir;
use postgres::Postgres;
use rusqlite::Connection;
use tempfile::TempDir;

/// Where the table under test is.
const PARAMETER: &str = "virtual_alias_maps";

/// What the database holds: address and targets.
const ALIASES: [(&str, Option<&str>); 20] = [
    ("alice@example.org", Some("alice@host.example.org")),
    ("alice@example.org", Some("other@host.example.org")),
    ("bob@example.org", Some("bob")),
    ("bob@example.org", None),
    ("bob@example.org", Some("")),
    ("bob@example.org", Some("@nobody")),
    ("carol@mail.example.net", Some("carol@x.example")),
    ("@example.com", Some("everybody@example.org")),
    ("example.org", Some("a domain")),
    ("alice", Some("local")),
    ("o'neil@example.org", Some("o'neil")),
    ("back\\slash@example.org", Some("back\\slash")),
    ("end\\@example.org", Some("end")),
    ("quote\"d@example.org", Some("quote\"d")),
    ("%s@example.org", Some("%s %u")),
    ("$1@example.org", Some("$1")),
    ("' or 1=1 -- @example.org", Some("odd")),
    ("\\' or 1=1 -- @example.org", Some("odder")),
    ("élodie@example.org", Some("élodie")),
    ("the boss@example.org", Some("boss")),
];

fn keys() -> Vec<String> {
    let mut keys: Vec<String> = ALIASES.iter().map(|(address, _)| (*address).to_owned()).collect();
    for key in [
        "ALICE@EXAMPLE.ORG",
        "nobody@example.org",
        "carol@example.net",
        "@example.org",
        "a@",
        "@",
        "alice@example.org@example.org",
        "carol@mail..example.net",
        "carol@.mail.example.net",
        "carol@mail.example.net.",
        "carol@net",
        "carol@a.b.c.d.e.f.g.h.i.j",
        "x' union select 'y",
        "x\\' union select 'y",
        "x\\\\' or '1'='1",
        "x' or 'x'='x",
        "\" or \"\"=\"",
        "x\"; drop table alias; --",
        "%",
        "%%",
        "%u@%d",
        "_lice@example.org",
        "al%@example.org",
        "\\",
        "\\\\",
        "'",
        "''",
        "\"",
        "`",
        "é",
        "straße@example.org",
        "*)(uid=*",
        "..%2f",
        ";",
        "--",
        "/*",
        "#",
    ] {
        keys.push(key.to_owned());
    }
    let mut random = fastrand::Rng::with_seed(0x5a1);
    let letters: Vec<char> = "ab@.'\"\\%-;#$ ".chars().collect();
    for _ in 0..150 {
        let length = random.usize(1..10);
        keys.push((0..length).map(|_| random.choice(&letters).unwrap()).collect());
    }
    // postmap(1) reads one key a line, and does not look up an empty one.
    keys.retain(|key| !key.trim().is_empty() && !key.starts_with(char::is_whitespace));
    keys
}

/// A filled database.
enum Server {
    Postgres(Postgres),
    MariaDb(MariaDb),
    Sqlite(TempDir),
}

impl Server {
    fn postgres() -> Option<Self> {
        let is_possible = host::is_possible(PostfixDir::obstacle().and_then(|()| Postgres::obstacle()));
        is_possible.then(|| Self::Postgres(Postgres::start()).filled())
    }

    fn mariadb(options: &[&str]) -> Option<Self> {
        let is_possible = host::is_possible(PostfixDir::obstacle().and_then(|()| MariaDb::obstacle()));
        is_possible.then(|| Self::MariaDb(MariaDb::start_with(options)).filled())
    }

    fn sqlite() -> Option<Self> {
        let is_possible = host::is_possible(PostfixDir::obstacle());
        is_possible.then(|| Self::Sqlite(tempfile::tempdir().unwrap()).filled())
    }

    fn filled(self) -> Self {
        self.run("create table alias (address varchar(100), target varchar(100), n serial)");
        for (address, target) in ALIASES {
            let target = target.map_or("null".to_owned(), |target| self.literal(target));
            self.run(&format!(
                "insert into alias (address, target) values ({}, {target})",
                self.literal(address)
            ));
        }
        self
    }

    /// A text in SQL, in a way of its own.
    fn literal(&self, text: &str) -> String {
        let mut hex = String::new();
        text.bytes().for_each(|octet| write!(hex, "{octet:02x}").unwrap());
        match self {
            Self::Postgres(_) => format!("convert_from(decode('{hex}', 'hex'), 'UTF8')"),
            Self::MariaDb(_) => format!("convert(x'{hex}' using utf8mb4)"),
            Self::Sqlite(_) => format!("cast(x'{hex}' as text)"),
        }
    }

    fn run(&self, sql: &str) {
        match self {
            Self::Postgres(server) => server.run(sql),
            Self::MariaDb(server) => server.run(sql),
            Self::Sqlite(dir) => {
                Connection::open(dir.path().join("db")).unwrap().execute_batch(sql).unwrap();
            }
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "pgsql",
            Self::MariaDb(_) => "mysql",
            Self::Sqlite(_) => "sqlite",
        }
    }

    /// The parameters that say where it is.
    fn place(&self) -> String {
        match self {
            Self::Postgres(server) => format!(
                "hosts = 127.0.0.1:{}\nuser = milter\npassword = {}\ndbname = mail\nencoding = LATIN1\n",
                server.port(),
                postgres::PASSWORD
            ),
            Self::MariaDb(server) => format!(
                "hosts = inet:127.0.0.1:{}\nuser = milter\npassword = {}\ndbname = mail\n",
                server.port(),
                mariadb::PASSWORD
            ),
            Self::Sqlite(dir) => format!("dbpath = {}\n", dir.path().join("db").display()),
        }
    }

    /// Holds that we answer as postmap(1) does.
    #[track_caller]
    fn check(&self, parameters: &str) {
        self.check_placed(&self.place(), parameters);
    }

    #[track_caller]
    fn check_placed(&self, place: &str, parameters: &str) {
        let cf = format!("{place}{parameters}\n");
        let table = format!("{}:DIR/table.cf", self.kind());
        let dir = PostfixDir::new(&format!("{PARAMETER} = {table}\n"), &[("table.cf", &cf)]);
        let keys = keys();
        let expected = dir.ask(&table, &keys);
        let found = tokio::runtime::Runtime::new().unwrap().block_on(ask(&dir, &keys));
        for ((key, expected), found) in keys.iter().zip(&expected).zip(&found) {
            assert_eq!(found, expected, "{cf}{key:?}");
        }
        assert!(expected.iter().flatten().count() > 0, "{cf}no key is found, which shows nothing");
    }
}

/// Our answers.
async fn ask(dir: &PostfixDir, keys: &[String]) -> Vec<Option<String>> {
    let main_cf = MainCf::read(Some(dir.path()), &[PARAMETER]).await.unwrap();
    let (maps, _) = Maps::open(&main_cf, PARAMETER, Usage::Maps).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<String>())
    });
    let mut answers = Vec::new();
    for key in keys {
        answers.push(maps.find(key, Key::Whole).await.unwrap_or_else(|error| panic!("{key}: {error}")));
    }
    answers
}

/// What any of the three can be told.
const PARAMETERS: [&str; 14] = [
    "query = select target from alias where address = '%s' order by n",
    "query = select target from alias where address = '%S' order by n;",
    "query = select target from alias where address like '%%@%d' and address = '%s' order by n",
    "query = select '%u', target from alias where address = '%s' order by n",
    "query = select target from alias where address = '%u' or address = '%U' order by n",
    "query = select target from alias where address = '%d' or address = '%D' order by n",
    "query = select '%1 %2', target from alias where address = '%s' order by n",
    "query = select '%3-%1' from alias where address = '%s' order by n",
    "query = select target from alias where address = '%s' order by n\nresult_format = [%s] %%",
    "query = select target from alias where address = '%s' order by n\nresult_format = %u at %d of %U at %D, %S",
    "query = select target from alias where address = '%s' order by n\nresult_format = %2.%1 %s",
    "query = select target from alias where address = '%s' order by n\n\
     domain = example.org, !example.com, inline:{ mail.example.net=x }",
    "query = select target from alias where address = '%s' order by n limit 1\nexpansion_limit = 1",
    "table = alias\nselect_field = target\nwhere_field = address\nadditional_conditions = order by n",
];

#[test]
fn postgresql() {
    let Some(server) = Server::postgres() else { return };
    for parameters in PARAMETERS {
        server.check(parameters);
    }
    server.check("query = select 1.50, true, n from alias where address = '%s' order by n");
    server.check(
        "query = select current_date, target from alias where target like'%s%%' and n < 19 order by n",
    );
    server.run("create function find(varchar) returns varchar language sql as 'select target from alias where address = $1 limit 1'");
    server.check("select_function = find");
    // A text with a backslash means something else there.
    server.run("alter role milter set standard_conforming_strings = off");
    server.check(PARAMETERS[0]);
    server.check(PARAMETERS[2]);
    let Server::Postgres(postgres) = &server else { unreachable!() };
    let (port, dir) = (postgres.port(), postgres.socket_dir().display());
    let rest =
        format!("user = milter\npassword = {}\ndbname = mail\nencoding = LATIN1\n", postgres::PASSWORD);
    std::os::unix::fs::symlink(format!(".s.PGSQL.{port}"), format!("{dir}/.s.PGSQL.5432")).unwrap();
    server.check_placed(&format!("hosts = unix:{dir}\n{rest}"), PARAMETERS[0]);
    server.check_placed(
        &format!("hosts = 127.0.0.1:1 inet:127.0.0.1:{port}, 127.0.0.1:2\n{rest}"),
        PARAMETERS[0],
    );
    let uri = format!(
        "hosts = postgresql://milter:open%20sesame@127.0.0.1:{port}/mail\ndbname = other\nencoding = LATIN1\n"
    );
    server.check_placed(&uri, PARAMETERS[0]);
}

#[test]
fn mysql() {
    for options in [&[][..], &["--sql-mode=NO_BACKSLASH_ESCAPES"]] {
        let Some(server) = Server::mariadb(options) else { return };
        for parameters in PARAMETERS {
            server.check(parameters);
        }
        if options.is_empty() {
            // Where a backslash is none of SQL's, the client that Postfix has lets keys break out of these quotes.
            server.check("query = select target from alias where address = \"%s\" order by n");
        }
        server.check("query = select 1.50, true, n, target from alias where address = '%s' order by n");
        server.run("create procedure find(in what varchar(100)) select target from alias where address = what order by n");
        server.check("query = call find('%s')");
        server.run(
            "create procedure perhaps(in what varchar(100)) if what like 'a%' then select target from alias where \
             address = what order by n; end if",
        );
        server.check("query = call perhaps('%s')\nrequire_result_set = no");
        let Server::MariaDb(mariadb) = &server else { unreachable!() };
        let (port, socket) = (mariadb.port(), mariadb.socket());
        let rest = format!("user = milter\npassword = {}\ndbname = mail\n", mariadb::PASSWORD);
        server.check_placed(&format!("hosts = unix:{}\n{rest}", socket.display()), PARAMETERS[0]);
        server.check_placed(
            &format!("hosts = 127.0.0.1:1 inet:127.0.0.1:{port}, 127.0.0.1:2\n{rest}"),
            PARAMETERS[0],
        );
    }
}

#[test]
fn sqlite() {
    let Some(server) = Server::sqlite() else { return };
    server.run("update alias set n = rowid");
    for parameters in PARAMETERS {
        server.check(parameters);
    }
    server.check("query = select 1.0 / 8, 1e100 from alias where address = '%s'");
    server.check("query = select 1e100 from alias where address = '%s'");
    server.check("query = select n from alias where address = '%s' order by n");
    server.check("query = select x'616263' from alias where address = '%s'");
}

/// What a table says of a key that it cannot answer.
#[track_caller]
fn check_error(server: &Server, parameters: &str, key: &str, expected: &str) {
    let cf = format!("{}{parameters}\n", server.place());
    let table = format!("{}:DIR/table.cf", server.kind());
    let dir = PostfixDir::new(&format!("{PARAMETER} = {table}\n"), &[("table.cf", &cf)]);
    let error = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let main_cf = MainCf::read(Some(dir.path()), &[PARAMETER]).await.unwrap();
        let (maps, _) = Maps::open(&main_cf, PARAMETER, Usage::Maps).unwrap();
        maps.find(key, Key::Whole).await.unwrap_err().to_string()
    });
    assert!(error.contains(expected), "{error}");
    assert!(!error.contains("sesame"), "{error}");
    let theirs = &dir.ask_each(&table, &[key.to_owned()])[0];
    assert!(theirs.is_err(), "Postfix answers {theirs:?}");
}

#[test]
fn what_a_table_cannot_answer() {
    let limit = "query = select target from alias where address = '%s'\nexpansion_limit = 1";
    let missing = "query = select x from nothing where address = '%s'";
    for server in [Server::postgres(), Server::sqlite(), Server::mariadb(&[])].into_iter().flatten() {
        check_error(&server, limit, "alice@example.org", "more values than expansion_limit allows");
        check_error(&server, missing, "alice@example.org", "nothing");
        if server.kind() == "mysql" {
            server.run("create procedure two(in a varchar(100)) begin select 1; select 2; end");
            server.run("create procedure none(in a varchar(100)) begin do 0; end");
            let several = "query = call two('%s')\nrequire_result_set = no";
            check_error(&server, several, "alice@example.org", "more than one set of rows");
            check_error(&server, "query = call none('%s')", "alice@example.org", "require_result_set");
        }
    }
}

/// The first thing that is wrong with a table.
#[track_caller]
fn check_problem(kind: &str, cf: &str, expected: &str) {
    let table = format!("{kind}:DIR/table.cf");
    let dir = PostfixDir::new(&format!("{PARAMETER} = {table}\n"), &[("table.cf", cf)]);
    let problem = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let main_cf = MainCf::read(Some(dir.path()), &[PARAMETER]).await.unwrap();
        match Maps::open(&main_cf, PARAMETER, Usage::Maps) {
            Ok((_, warnings)) => format!("{warnings:?}"),
            Err(problems) => problems[0].to_string(),
        }
    });
    assert!(problem.contains(expected), "{cf}: {problem}");
}

#[test]
fn what_cannot_be_honoured_is_said_at_once() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let pg = |query: &str| format!("dbname = mail\nuser = a\nquery = {query}\n");
    for kind in ["pgsql", "mysql"] {
        check_problem(kind, &pg("select 1 where a = %s"), "outside of quotes");
        check_problem(kind, &pg("select 1 where a = '\\%s'"), "beside a backslash");
        check_problem(kind, &pg("select 1; select '%s'"), "more than one statement");
        check_problem(kind, &pg("select '%x'"), "‘%x’ stands for nothing");
        check_problem(kind, &pg("select '%s"), "does not end");
        check_problem(kind, &pg("select 1 /* %s */"), "in a comment");
        check_problem(kind, &pg("select n'%s'"), "in no ordinary text");
        check_problem(kind, "user = a\nquery = select '%s'\n", "dbname: it is not set");
        check_problem(kind, "dbname = a\nuser = b\n", "there is no query");
        check_problem(
            kind,
            "dbname = a\nuser = b\ntable = c\nselect_field = d\n",
            "where_field: it is not set",
        );
        check_problem(kind, &format!("{}hosts = a:b\n", pg("select '%s'")), "no number for a port");
        check_problem(kind, &format!("{}expansion_limit = -1\n", pg("select '%s'")), "expansion_limit");
        check_problem(kind, &format!("{}odd = 1\n", pg("select '%s'")), "there is no parameter `odd`");
        check_problem(kind, &pg("select 1"), "the same for every key");
    }
    check_problem("pgsql", &pg("select \"%s\""), "in no ordinary text");
    check_problem("pgsql", &pg("select E'%s'"), "in no ordinary text");
    check_problem("pgsql", &pg("select $$%s$$"), "in no ordinary text");
    check_problem("pgsql", &format!("{}encoding = KOI8R\n", pg("select '%s'")), "‘KOI8R’ cannot be honoured");
    let uri = "hosts = postgresql://a:secret@/x\nquery = select '%s'\n";
    check_problem("pgsql", uri, "the URL names no host");
    check_problem("mysql", &pg("select `%s`"), "in no ordinary text");
    check_problem(
        "mysql",
        &format!("{}option_file = /x\n", pg("select '%s'")),
        "option_file: it cannot be honoured",
    );
    check_problem("mysql", &format!("{}tls_cert_file = /x\n", pg("select '%s'")), "tls_cert_file: it cannot");
    check_problem(
        "mysql",
        &format!("{}tls_CAfile = /x\n", pg("select '%s'")),
        "without the name that it is for",
    );
    check_problem("mysql", "dbname = mail\nquery = select '%s'\n", "user: it is not set");
    check_problem("sqlite", "query = select '%s'\n", "dbpath: it is not set");
    check_problem("sqlite", "dbpath = /mail.db\nquery = select \"%s\"\n", "in no ordinary text");
}
