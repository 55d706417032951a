//! Where a table is named, which says what the names in it mean.
//!
//! Postfix's servers work in `queue_directory`: they open files there before they enter a chroot, and connect to sockets
//! when they have a question, in the chroot (`multi_server.c`, `auto_clnt.c`).

use std::path::{Path, PathBuf};

use super::Usage;
use crate::clients::files::problem::{Problem, quoted};
use crate::clients::files::watched::Reading;
use crate::mta::postfix::main_cf::MainCf;
use crate::mta::postfix::words::{inside_braces, words};

/// Where a table is named, and what for.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// What it is used for.
    pub(super) usage: Usage,
    /// The configuration that names it; none where something else does.
    main_cf: Option<&'a MainCf>,
    /// The program that asks it.
    asker: &'static str,
}

impl<'a> Context<'a> {
    /// A table that a parameter names; smtpd(8) asks it.
    pub fn of(main_cf: &'a MainCf, usage: Usage) -> Self {
        Self { usage, main_cf: Some(main_cf), asker: "smtpd" }
    }

    /// A table that no configuration of Postfix names.
    pub fn alone(usage: Usage) -> Self {
        Self { usage, main_cf: None, asker: "smtpd" }
    }

    /// The same table behind proxymap(8).
    pub(super) fn proxied(self) -> Self {
        Self { asker: "proxymap", ..self }
    }

    /// The file of this name.
    ///
    /// # Errors
    ///
    /// Where it is relative to a directory that is not known.
    pub(in super::super) fn file(self, name: &str) -> Result<PathBuf, Problem> {
        let path = Path::new(name);
        if path.is_absolute() {
            return Ok(path.to_owned());
        }
        let directory = self.main_cf.and_then(MainCf::queue_directory);
        directory.map(|directory| directory.join(path)).ok_or_else(|| {
            Problem::new(format!("{} is not an absolute path", quoted(name)))
                .hint("only main.cf names files of Postfix's queue directory; write the whole path")
        })
    }

    /// The Unix socket of this name, with a warning where Postfix cannot reach it.
    ///
    /// # Errors
    ///
    /// Where it is relative to a directory that is not known.
    pub(super) fn socket(self, name: &str) -> Reading<PathBuf> {
        let path = self.file(name).map_err(|problem| vec![problem])?;
        let jail = self.main_cf.filter(|main_cf| main_cf.is_in_chroot(self.asker));
        let (Some(root), true) = (jail.and_then(MainCf::queue_directory), Path::new(name).is_absolute())
        else {
            return Ok((path, Vec::new()));
        };
        let inside = root.join(path.strip_prefix("/").unwrap_or(&path));
        // A server that is not there yet will be where Postfix looks for it.
        if inside.exists() || !path.exists() {
            return Ok((inside, Vec::new()));
        }
        let (asker, inside) = (self.asker, inside.display());
        let warning = Problem::new(format!(
            "{asker} runs in a chroot and looks for this socket at {inside}, where there is nothing"
        ));
        let hint = format!("put the socket below {}, or write proxy: before the table", root.display());
        Ok((path, vec![warning.hint(hint)]))
    }

    /// Whether newaliases(1), or local(8), knows a table as one for postalias(1).
    pub(super) fn is_for_aliases(self, table: &str) -> bool {
        let named = ["alias_maps", "alias_database"].map(|name| self.main_cf.map_or("", |it| it.value(name)));
        self.usage == Usage::Aliases || named.into_iter().any(|list| names(list, table))
    }
}

/// Whether a list of tables has this one, within others perhaps.
fn names(list: &str, table: &str) -> bool {
    words(list).any(|word| {
        let bare = word.trim_start_matches("proxy:");
        let inside = bare.split_once(':').and_then(|(_, name)| inside_braces(name.trim()));
        bare == table || inside.is_some_and(|inside| names(inside, table))
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::master_cf::parse;
    use super::*;

    /// A host with a queue directory that has these sockets, and this master.cf. What is found says DIR for the host.
    #[track_caller]
    fn check(master_cf: &str, sockets: &[&str], asked: (&str, bool), expected: (&str, bool)) {
        let dir = tempfile::tempdir().unwrap();
        let host = dir.path().to_str().unwrap();
        for socket in sockets {
            let socket = dir.path().join(socket);
            std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
            std::fs::write(socket, "").unwrap();
        }
        let queue = format!("{host}/queue");
        let main_cf = MainCf::of(Path::new("/etc/postfix"), &[("queue_directory", &queue)])
            .with_services(parse(master_cf, ""));
        let context = Context::of(&main_cf, Usage::Maps);
        let (name, is_proxied) = asked;
        let context = if is_proxied { context.proxied() } else { context };
        let (found, warnings) = context.socket(&name.replace("DIR", host)).unwrap();
        let found = found.display().to_string().replace(host, "DIR");
        // What stands for a path of the host is the whole path within a chroot.
        let found = found.replace(host.trim_start_matches('/'), "HOST");
        assert_eq!((found.as_str(), !warnings.is_empty()), expected, "{name} {sockets:?}");
    }

    const JAILED: &str = "smtp inet n - y - - smtpd\nproxymap unix - - n - - proxymap\n";
    const FREE: &str = "smtp inet n - n - - smtpd\nproxymap unix - - n - - proxymap\n";

    #[test]
    fn sockets_are_where_the_server_that_asks_finds_them() {
        for master_cf in [JAILED, FREE, ""] {
            check(master_cf, &[], ("srs", false), ("DIR/queue/srs", false));
            check(master_cf, &["queue/srs"], ("srs", true), ("DIR/queue/srs", false));
            check(master_cf, &["run/srs"], ("DIR/run/srs", true), ("DIR/run/srs", false));
        }
        check(FREE, &[], ("/srs", false), ("/srs", false));
        check(FREE, &["queue/srs"], ("/srs", false), ("/srs", false));
        check(JAILED, &["queue/srs"], ("/srs", false), ("DIR/queue/srs", false));
        check(JAILED, &[], ("/srs", false), ("DIR/queue/srs", false));
        check(JAILED, &["run/srs"], ("DIR/run/srs", false), ("DIR/run/srs", true));
        check(JAILED, &["srs"], ("DIR/queue/../srs", true), ("DIR/queue/../srs", false));
    }

    #[test]
    fn files_are_opened_before_the_chroot() {
        let main_cf = MainCf::of(Path::new("/etc/postfix"), &[("queue_directory", "/var/spool/postfix")])
            .with_services(parse(JAILED, ""));
        let context = Context::of(&main_cf, Usage::Maps);
        for (name, expected) in [
            ("/etc/postfix/virtual", "/etc/postfix/virtual"),
            ("virtual", "/var/spool/postfix/virtual"),
            ("./maps/virtual", "/var/spool/postfix/./maps/virtual"),
        ] {
            assert_eq!(context.file(name).unwrap(), Path::new(expected));
        }
        let alone = Context::alone(Usage::Maps).file("virtual").unwrap_err().to_string();
        assert!(alone.starts_with("‘virtual’ is not an absolute path"), "{alone}");
    }

    #[test]
    fn tables_that_are_named_for_aliases() {
        let main_cf = MainCf::of(
            Path::new("/etc/postfix"),
            &[
                ("alias_maps", "hash:/etc/aliases, unionmap:{ proxy:hash:/etc/more, static:x }"),
                ("alias_database", "cdb:/etc/lists"),
            ],
        );
        let context = Context::of(&main_cf, Usage::Maps);
        for (table, expected) in [
            ("hash:/etc/aliases", true),
            ("hash:/etc/more", true),
            ("cdb:/etc/lists", true),
            ("cdb:/etc/aliases", false),
            ("hash:/etc/postfix/virtual", false),
        ] {
            assert_eq!(context.is_for_aliases(table), expected, "{table}");
        }
        assert!(Context::of(&main_cf, Usage::Aliases).is_for_aliases("hash:/x"));
    }
}
