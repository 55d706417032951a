//! Files that keep secrets, and sockets: who may do what with them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::audit::host::{Access, Mta, Secret, Socket};
use crate::config::{Address, Config};
use crate::mta::postfix::everybodys::leaves;
use crate::sources::identities::SourceSettings as IdentitySource;
use crate::sources::recipients::SourceSettings as RecipientSource;

/// The largest description of a table that is read, in octets.
const LONGEST: u64 = 1 << 20;

/// Kinds of tables whose descriptions may have a password in them.
const DESCRIBED: [&str; 4] = ["ldap", "mysql", "pgsql", "mongodb"];

/// The sticky bit: of a folder, that nobody moves other people's files away.
const STICKY: u32 = 0o1000;

/// The files of this host that keep a secret, or that say who decides.
pub(super) fn secrets(config_file: &Path, config: Option<&Config>, mta: &Mta) -> Vec<Secret> {
    let mut all = Vec::new();
    if config_file.exists() {
        all.push(secret(config_file, "our configuration", false));
    }
    for (file, what) in config.map(password_files).unwrap_or_default() {
        all.push(secret(&file, &what, true));
    }
    match mta {
        Mta::Postfix(postfix) => {
            let main_cf = &postfix.main_cf;
            all.push(secret(main_cf.file(), "Postfix", false));
            all.push(secret(&postfix.master_cf.file, "Postfix", false));
            let mut seen = BTreeSet::new();
            // Parameters of the proxy repeat the tables of the others.
            let mut values: Vec<_> =
                main_cf.values().filter(|(name, _)| !name.starts_with("proxy_")).collect();
            values.sort_unstable();
            for (name, value) in values {
                for table in leaves(value).iter().filter(|_| value.contains(":/")) {
                    let Some((kind, file)) = table.split_once(':') else { continue };
                    let (file, is_password) = (Path::new(file), name == "smtp_sasl_password_maps");
                    if !file.is_absolute()
                        || !(is_password || DESCRIBED.contains(&kind))
                        || !seen.insert(file.to_owned())
                    {
                        continue;
                    }
                    if is_password || has_password(file) {
                        all.push(secret(file, name, true));
                    }
                }
            }
            for name in ["smtpd_tls_key_file", "smtp_tls_key_file"] {
                let file = Path::new(main_cf.value(name));
                if file.is_absolute() && file.exists() && seen.insert(file.to_owned()) {
                    all.push(secret(file, name, true));
                }
            }
        }
        Mta::Sendmail(sendmail) => {
            all.push(secret(&sendmail.file, "Sendmail", false));
            let key = Path::new(sendmail.cf.option("ServerKeyFile"));
            if key.is_absolute() && key.exists() {
                all.push(secret(key, "ServerKeyFile", true));
            }
        }
        Mta::Unknown(_) => {}
    }
    all
}

/// The password files that our configuration names.
fn password_files(config: &Config) -> Vec<(PathBuf, String)> {
    let recipients = config.recipients.iter().filter_map(|source| match source {
        RecipientSource::Sql(settings) => Some((settings.password_file.clone()?, "the password of sql")),
        RecipientSource::Ldap(settings) => {
            Some((settings.bind.as_ref()?.password_file.clone(), "the password of ldap"))
        }
        _ => None,
    });
    let identities = config.identities.iter().filter_map(|source| match source {
        IdentitySource::Sql(settings) => Some((settings.password_file.clone()?, "the password of sql")),
        IdentitySource::Ldap { directory, .. } => {
            Some((directory.bind.as_ref()?.password_file.clone(), "the password of ldap"))
        }
        _ => None,
    });
    let mut all: Vec<(PathBuf, String)> =
        recipients.chain(identities).map(|(file, what)| (file, what.to_owned())).collect();
    all.sort();
    all.dedup();
    all
}

/// Whether the description of a table has a password in it. What cannot be read is taken to have one.
fn has_password(file: &Path) -> bool {
    if !fs::metadata(file).is_ok_and(|found| found.is_file()) {
        return false;
    }
    let mut octets = Vec::new();
    let read = File::open(file).and_then(|file| file.take(LONGEST).read_to_end(&mut octets));
    if read.is_err() {
        return true;
    }
    let text = String::from_utf8_lossy(&octets);
    text.lines().any(|line| {
        let name = line.split_once('=').map_or("", |(name, _)| name.trim());
        ["password", "bind_pw", "dbpassword"].contains(&name) || line.contains("://") && line.contains('@')
    })
}

fn secret(file: &Path, what: &str, is_secret: bool) -> Secret {
    Secret { file: file.to_owned(), what: what.to_owned(), is_secret, access: access(file) }
}

/// What everybody may do with a file: by its own bits, where everybody comes to it.
fn access(file: &Path) -> Result<Access, String> {
    let bits = |path: &Path| fs::metadata(path).map(|found| found.permissions().mode());
    let own = bits(file).map_err(|error| error.to_string())?;
    let path = file.canonicalize().map_err(|error| error.to_string())?;
    let mut reachable = true;
    for folder in path.ancestors().skip(1) {
        reachable &= bits(folder).map_err(|error| error.to_string())? & 0o001 != 0;
    }
    let folder = path.parent().map_or(Ok(0), bits).map_err(|error| error.to_string())?;
    let replaceable = folder & 0o002 != 0 && folder & STICKY == 0;
    Ok(Access { read: reachable && own & 0o004 != 0, write: reachable && (own & 0o002 != 0 || replaceable) })
}

/// Our sockets.
pub(super) fn sockets(config: &Config) -> Vec<Socket> {
    let listeners = config.listeners.iter().map(|listener| match &listener.address {
        Address::Inet(address) => Socket {
            name: listener.address.to_string(),
            permissions: None,
            is_there: false,
            open_folder: None,
            open_to_all: !address.ip().is_loopback()
                && listener.allowed_peers.iter().any(|network| network.prefix_len() == 0),
        },
        Address::Unix { path, permissions, .. } => Socket {
            name: listener.address.to_string(),
            permissions: Some(permissions | there(path)),
            is_there: path.exists(),
            open_folder: open_folder(path),
            open_to_all: false,
        },
    });
    let control = config.control.iter().map(|path| Socket {
        name: format!("unix:{}", path.display()),
        permissions: Some(there(path)),
        is_there: path.exists(),
        open_folder: open_folder(path),
        open_to_all: false,
    });
    listeners.chain(control).collect()
}

/// The permission bits of a socket that is there.
fn there(path: &Path) -> u32 {
    fs::symlink_metadata(path).map_or(0, |found| found.permissions().mode() & 0o777)
}

/// The folder of a socket, where everybody may write to it; and whether nobody may remove what others have there, as in
/// /tmp.
fn open_folder(path: &Path) -> Option<(PathBuf, bool)> {
    let folder = path.parent()?;
    let bits = fs::metadata(folder).ok()?.permissions().mode();
    (bits & 0o002 != 0).then(|| (folder.to_owned(), bits & 0o1000 != 0))
}
