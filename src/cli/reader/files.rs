//! Every file and socket that the configuration names, by itself or through main.cf.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::access::{READ, WRITE};
use crate::clients::directory;
use crate::clients::{Endpoint, sql};
use crate::config::Config;
use crate::mta::postfix::everybodys::leaves;
use crate::mta::postfix::main_cf::MainCf;
use crate::sources::identities::SourceSettings as IdentitySource;
use crate::sources::recipients::{PARAMETERS_OF_POSTFIX, SourceSettings as RecipientSource};

/// The largest description of a table that is read, in octets.
const LONGEST: u64 = 1 << 20;

/// Kinds of tables that are read from a file of that name, or described by one.
const IN_FILES: [&str; 14] = [
    "btree", "cdb", "cidr", "dbm", "hash", "ldap", "lmdb", "mysql", "pcre", "pgsql", "regexp", "sdbm",
    "sqlite", "texthash",
];

/// Parameters that a source of grants by aliases reads.
const ALIASES: [&str; 2] = ["alias_maps", "virtual_alias_maps"];

/// Something that the daemon uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Used {
    /// Its absolute path.
    pub(super) path: PathBuf,
    /// What it is for: `virtual_alias_maps`.
    pub(super) what: String,
    /// What the daemon must be able to do.
    pub(super) needed: u32,
}

/// All of them, each path once.
pub(super) async fn used(config: &Config, config_file: Option<&Path>) -> Vec<Used> {
    let mut all = Vec::new();
    let mut add = |path: &Path, what: &str, needed| {
        let known = all.iter().any(|used: &Used| used.path == path && used.needed == needed);
        if path.is_absolute() && !known {
            all.push(Used { path: path.to_owned(), what: what.to_owned(), needed });
        }
    };
    if let Some(file) = config_file {
        add(file, "the configuration", READ);
    }
    for file in &config.files {
        add(file, "the configuration", READ);
    }
    for source in &config.recipients {
        recipients(source, &mut add).await;
    }
    for source in &config.identities {
        identities(source, &mut add).await;
    }
    all
}

async fn recipients(source: &RecipientSource, add: &mut impl FnMut(&Path, &str, u32)) {
    let name = source.name();
    match source {
        RecipientSource::List(_) => {}
        RecipientSource::File(path) => add(path, name, READ),
        RecipientSource::Postfix { config_dir } => {
            main_cf(config_dir.as_deref(), &PARAMETERS_OF_POSTFIX.concat(), add).await;
        }
        RecipientSource::PostfixMap(table) => tables(table, name, add),
        RecipientSource::Socketmap(settings) => endpoint(&settings.address, name, add),
        RecipientSource::Dovecot(settings) => add(&settings.socket, name, WRITE),
        RecipientSource::Smtp(settings) | RecipientSource::Lmtp(settings) => {
            endpoint(&settings.server, name, add);
        }
        RecipientSource::Ldap(settings) => of_directory(settings, add),
        RecipientSource::Sql(settings) => of_database(settings, add),
        RecipientSource::Passwd(settings) => {
            if let Some(file) = &settings.file {
                add(file, name, READ);
            }
        }
        RecipientSource::Aliases(settings) => add(&settings.file, name, READ),
    }
}

async fn identities(source: &IdentitySource, add: &mut impl FnMut(&Path, &str, u32)) {
    match source {
        IdentitySource::File(path) => add(path, source.name(), READ),
        IdentitySource::PostfixSenderLoginMaps { config_dir } => {
            main_cf(config_dir.as_deref(), &["smtpd_sender_login_maps"], add).await;
        }
        IdentitySource::PostfixAliases { config_dir } => {
            main_cf(config_dir.as_deref(), &ALIASES, add).await;
        }
        IdentitySource::Ldap { directory, .. } => of_directory(directory, add),
        IdentitySource::Sql(settings) => of_database(settings, add),
    }
}

fn endpoint(endpoint: &Endpoint, what: &str, add: &mut impl FnMut(&Path, &str, u32)) {
    if let Endpoint::Unix(path) = endpoint {
        add(path, what, WRITE);
    }
}

fn of_directory(settings: &directory::Settings, add: &mut impl FnMut(&Path, &str, u32)) {
    if let Some(bind) = &settings.bind {
        add(&bind.password_file, "the password of ldap", READ);
    }
    if let Some(file) = &settings.ca_file {
        add(file, "the authorities of ldap", READ);
    }
    for server in &settings.servers {
        if let directory::Place::Unix(path) = &server.place {
            add(path, "ldap", WRITE);
        }
    }
}

fn of_database(settings: &sql::Settings, add: &mut impl FnMut(&Path, &str, u32)) {
    if let Some(file) = &settings.password_file {
        add(file, "the password of sql", READ);
    }
    if let Some((path, is_socket)) = settings.url.path() {
        add(&path, "sql", if is_socket { WRITE } else { READ });
    }
}

/// The tables of parameters of main.cf.
async fn main_cf(config_dir: Option<&Path>, parameters: &[&str], add: &mut impl FnMut(&Path, &str, u32)) {
    // Where it cannot be read, opening the source has said so.
    let Ok(main_cf) = MainCf::read(config_dir, parameters).await else { return };
    add(main_cf.file(), "main.cf", READ);
    for parameter in parameters {
        tables(main_cf.value(parameter), parameter, add);
    }
}

/// The files of a list of tables, and what these name in turn.
fn tables(list: &str, what: &str, add: &mut impl FnMut(&Path, &str, u32)) {
    for table in leaves(list) {
        let Some((kind, name)) = table.split_once(':') else {
            // A list such as mydestination may name a file with names.
            add(Path::new(&table), what, READ);
            continue;
        };
        if IN_FILES.contains(&kind) {
            let path = Path::new(name);
            add(path, what, READ);
            for (path, needed) in described(kind, path) {
                add(&path, what, needed);
            }
        } else if kind == "socketmap"
            && let Some((socket, _map)) = name.strip_prefix("unix:").and_then(|rest| rest.rsplit_once(':'))
        {
            add(Path::new(socket), what, WRITE);
        }
    }
}

/// The database that the description of a table names: its file, or the socket of its server.
fn described(kind: &str, file: &Path) -> Vec<(PathBuf, u32)> {
    if !["sqlite", "mysql", "pgsql"].contains(&kind) || !fs::metadata(file).is_ok_and(|found| found.is_file())
    {
        return Vec::new();
    }
    let mut octets = Vec::new();
    if File::open(file).and_then(|file| file.take(LONGEST).read_to_end(&mut octets)).is_err() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&octets);
    let values = text.lines().filter_map(|line| line.split_once('='));
    let of = |wanted: &str| {
        let found = values.clone().filter(|(name, _)| name.trim() == wanted);
        found.flat_map(|(_, value)| value.split_whitespace().map(str::to_owned)).collect::<Vec<_>>()
    };
    if kind == "sqlite" {
        return of("dbpath").into_iter().map(|path| (PathBuf::from(path), READ)).collect();
    }
    let hosts = of("hosts").into_iter();
    hosts.filter_map(|host| Some((PathBuf::from(host.strip_prefix("unix:")?), WRITE))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_tables() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        fs::write(path("x.cf"), "dbpath = /home/user-data/mail/users.sqlite\nquery = x\n").unwrap();
        fs::write(path("y.cf"), "hosts = unix:/run/mysqld/mysqld.sock 192.0.2.7\n").unwrap();
        for (list, expected) in [
            ("", vec![]),
            ("example.org, example.net", vec![]),
            ("/etc/postfix/vhost", vec!["r /etc/postfix/vhost"]),
            ("proxy:unix:passwd.byname hash:/etc/aliases", vec!["r /etc/aliases"]),
            ("unionmap:{ inline:{ a=b }, proxy:texthash:/a } pcre:{ {/x/ y} }", vec!["r /a"]),
            ("socketmap:unix:/tmp/podop.socket:alias", vec!["w /tmp/podop.socket"]),
            ("sqlite:DIR/x.cf", vec!["r DIR/x.cf", "r /home/user-data/mail/users.sqlite"]),
            ("proxy:mysql:DIR/y.cf", vec!["r DIR/y.cf", "w /run/mysqld/mysqld.sock"]),
        ] {
            let mut found = Vec::new();
            let mut add = |path: &Path, _: &str, needed| {
                if path.is_absolute() {
                    let sign = if needed == WRITE { "w" } else { "r" };
                    found.push(format!("{sign} {}", path.display()));
                }
            };
            let list = list.replace("DIR", &dir.path().display().to_string());
            tables(&list, "x", &mut add);
            let expected: Vec<String> =
                expected.iter().map(|one| one.replace("DIR", &dir.path().display().to_string())).collect();
            assert_eq!(found, expected, "{list}");
        }
    }
}
