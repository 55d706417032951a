//! Names of sources that outlive the configuration, so that what a source once said can be told from what another says.

use std::hash::{Hash as _, Hasher as _};
use std::path::Path;

use siphasher::sip::SipHasher13;

use super::SourceSettings;

/// The names of sources, by their number: what kind each is of and where it is. What is asked there, and names that the
/// configuration lists itself, show as a fingerprint: who asks something else asks another source.
pub fn identities(settings: &[SourceSettings]) -> Vec<String> {
    settings.iter().map(identity).collect()
}

fn identity(settings: &SourceSettings) -> String {
    let place = match settings {
        SourceSettings::List(_) => fingerprint(settings),
        SourceSettings::File(path) => shown(path),
        SourceSettings::Postfix { config_dir } => config_dir.as_deref().map_or_else(String::new, shown),
        SourceSettings::PostfixMap(table) => table.clone(),
        SourceSettings::Socketmap(settings) => format!("{} {}", settings.address, settings.map),
        SourceSettings::Dovecot(settings) => {
            let bare = if settings.without_domain { " without domain" } else { "" };
            format!("{}{bare}", settings.socket.display())
        }
        SourceSettings::Smtp(settings) | SourceSettings::Lmtp(settings) => settings.server.to_string(),
        SourceSettings::Ldap(directory) => format!("{} {}", directory.servers(), fingerprint(settings)),
        SourceSettings::Sql(database) => format!("{} {}", database.url, fingerprint(settings)),
        SourceSettings::Passwd(accounts) => {
            let file = accounts.file.as_deref().map_or_else(String::new, |file| shown(file) + " ");
            format!("{file}at {} from {}", accounts.domain, accounts.min_uid)
        }
        SourceSettings::Aliases(aliases) => format!("{} at {}", aliases.file.display(), aliases.domain),
    };
    format!("{} {place}", settings.name()).trim_end().to_owned()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Eight digits that differ where the settings do. Another version of this program may come to other digits: it then
/// takes the source for another one, and asks.
fn fingerprint(settings: &SourceSettings) -> String {
    let mut hasher = SipHasher13::new();
    format!("{settings:?}").hash(&mut hasher);
    format!("{:08x}", hasher.finish() & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_sources_apart() {
        let list =
            |names: &[&str]| SourceSettings::List(names.iter().map(|name| name.parse().unwrap()).collect());
        let postfix = |dir: Option<&str>| SourceSettings::Postfix { config_dir: dir.map(Into::into) };
        let names = identities(&[
            list(&["a@example.org"]),
            list(&["b@example.org"]),
            list(&["a@example.org"]),
            SourceSettings::File("/etc/names".into()),
            postfix(None),
            postfix(Some("/etc/postfix-out")),
            SourceSettings::PostfixMap("hash:/etc/virtual".to_owned()),
        ]);
        assert!(names[0].starts_with("list ") && names[0] != names[1] && names[0] == names[2], "{names:?}");
        let rest =
            ["file /etc/names", "postfix", "postfix /etc/postfix-out", "postfix_map hash:/etc/virtual"];
        assert_eq!(names[3..], rest);
    }
}
