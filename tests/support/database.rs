//! Databases of every kind, each with what makes it go wrong.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::host;
use crate::mariadb::MariaDb;
use crate::postgres::Postgres;
use crate::valve::{Flow, Valve};

/// What every database holds.
const SCHEMA: [&str; 4] = [
    "create table mailbox (address varchar(255) primary key, domain varchar(255), active integer)",
    "insert into mailbox values ('alice@example.org', 'example.org', 1), ('retired@example.org', 'example.org', 0), \
     ('\"the boss\"@example.org', 'example.org', 1), ('o''neil@example.org', 'example.org', 1), \
     ('0@example.org', 'example.org', 1), ('anna@example.net', 'example.net', 1)",
    "create table grants (login varchar(255), what varchar(255))",
    "insert into grants values ('alice', 'sales@example.org'), ('alice', '@example.net'), ('bob', '*'), \
     ('carol', 'nonsense'), ('carol', 'a@example.org'), ('dave', null)",
];

/// A database under test.
pub(crate) trait Database {
    /// Where it is, by way of whatever makes it go wrong.
    fn url(&self) -> String;
    fn password_file(&self) -> Option<PathBuf>;
    fn run(&self, sql: &str);
    fn stop(&mut self);
    fn resume(&mut self);
    /// Makes every answer late, and ends that.
    fn hang(&mut self, on: bool);
    /// Makes every answer nonsense, and ends that.
    fn babble(&mut self, on: bool);
    /// Ends all connections.
    fn cut(&mut self);
    /// How many connections are open.
    fn connections(&self) -> usize;
}

struct AtServer<S> {
    server: S,
    valve: Valve,
}

/// What the two servers have in common.
trait Server {
    const SCHEME: &str;
    fn password_file(&self) -> PathBuf;
    fn run(&self, sql: &str);
    fn stop(&mut self);
    fn resume(&mut self);
}

macro_rules! server {
    ($type:ty, $scheme:literal) => {
        impl Server for $type {
            const SCHEME: &str = $scheme;

            fn password_file(&self) -> PathBuf {
                <$type>::password_file(self)
            }

            fn run(&self, sql: &str) {
                <$type>::run(self, sql);
            }

            fn stop(&mut self) {
                <$type>::stop(self);
            }

            fn resume(&mut self) {
                <$type>::resume(self);
            }
        }
    };
}

server!(Postgres, "postgres");
server!(MariaDb, "mysql");

impl<S: Server> Database for AtServer<S> {
    fn url(&self) -> String {
        format!("{}://milter@127.0.0.1:{}/mail", S::SCHEME, self.valve.port())
    }

    fn password_file(&self) -> Option<PathBuf> {
        Some(self.server.password_file())
    }

    fn run(&self, sql: &str) {
        self.server.run(sql);
    }

    fn stop(&mut self) {
        self.server.stop();
    }

    fn resume(&mut self) {
        self.server.resume();
    }

    fn hang(&mut self, on: bool) {
        self.valve.turn(if on { Flow::Shut } else { Flow::Open });
    }

    fn babble(&mut self, on: bool) {
        self.valve.turn(if on { Flow::Garbage } else { Flow::Open });
    }

    fn cut(&mut self) {
        self.valve.cut();
    }

    fn connections(&self) -> usize {
        self.valve.connections()
    }
}

/// A file: it can be gone, locked by a writer, no database, or another one of the same name.
struct InFile {
    dir: TempDir,
    writer: Option<Connection>,
}

impl InFile {
    fn path(&self) -> PathBuf {
        self.dir.path().join("mail.sqlite")
    }

    fn aside(&self) -> PathBuf {
        self.dir.path().join("aside")
    }
}

impl Database for InFile {
    fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }

    fn password_file(&self) -> Option<PathBuf> {
        None
    }

    fn run(&self, sql: &str) {
        Connection::open(self.path()).unwrap().execute_batch(sql).unwrap();
    }

    fn stop(&mut self) {
        fs::rename(self.path(), self.aside()).unwrap();
    }

    fn resume(&mut self) {
        fs::rename(self.aside(), self.path()).unwrap();
    }

    fn hang(&mut self, on: bool) {
        self.writer = on.then(|| {
            let writer = Connection::open(self.path()).unwrap();
            writer.execute_batch("begin exclusive").unwrap();
            writer
        });
    }

    fn babble(&mut self, on: bool) {
        if on {
            self.stop();
            fs::write(self.path(), [0xa5; 4096]).unwrap();
        } else {
            self.resume();
        }
    }

    fn cut(&mut self) {
        let copy = self.dir.path().join("copy");
        fs::copy(self.path(), &copy).unwrap();
        fs::rename(copy, self.path()).unwrap();
    }

    fn connections(&self) -> usize {
        let descriptors = fs::read_dir("/proc/self/fd").unwrap();
        let open = descriptors.filter_map(|descriptor| fs::read_link(descriptor.ok()?.path()).ok());
        open.filter(|path| *path == self.path()).count()
    }
}

/// The databases that can be had here, each filled.
pub(crate) fn databases() -> Vec<Box<dyn Database>> {
    let mut all: Vec<Box<dyn Database>> =
        vec![Box::new(InFile { dir: tempfile::tempdir().unwrap(), writer: None })];
    if host::is_possible(Postgres::obstacle()) {
        let server = Postgres::start();
        all.push(Box::new(AtServer { valve: Valve::start(server.port()), server }));
    }
    if host::is_possible(MariaDb::obstacle()) {
        let server = MariaDb::start();
        all.push(Box::new(AtServer { valve: Valve::start(server.port()), server }));
    }
    for database in &all {
        for sql in SCHEMA {
            database.run(sql);
        }
    }
    all
}
