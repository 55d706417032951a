//! Recipients that have an account on this host: asked by name, or from a file of the form of passwd(5).

use std::path::{Path, PathBuf};

use nix::unistd::User;

use super::names::Names;
use super::probed::{Lifetimes, Probed};
use super::{Opening, Source};
use crate::clients::files::lines::MOST_PROBLEMS;
use crate::clients::files::problem::{Problem, quoted};
use crate::clients::files::watched::{Reading, Watched};
use crate::clients::system;
use crate::facts::{Existence, RecipientQuestion};
use crate::mail::{Domain, Mailbox};

/// Whose accounts are recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The file; none for the accounts of the system, whose names may come from a server.
    pub file: Option<PathBuf>,
    /// Where the recipients are.
    pub domain: Domain,
    /// The lowest user id of a recipient. That of `nobody`, 65534, never is one.
    pub min_uid: u32,
}

/// The user id that stands for nobody.
const NOBODY: u32 = 65_534;

/// Opens the accounts.
pub(super) fn open(settings: &Settings, cache: u64) -> Opening {
    if let Some(path) = &settings.file {
        return open_file(path, settings);
    }
    let system = System { name: format!("passwd at {}", settings.domain), settings: settings.clone() };
    // Where accounts come from a server, nobody can tell whether it would know any name.
    Ok((Box::new(Probed::new(system, Lifetimes::NEAR, cache)), Vec::new()))
}

impl Settings {
    fn is_recipient(&self, uid: u32) -> bool {
        uid >= self.min_uid && uid != NOBODY
    }
}

/// Accounts of the system (getpwnam(3)).
#[derive(Debug)]
struct System {
    name: String,
    settings: Settings,
}

impl System {
    async fn knows(&self, name: &str) -> Result<bool, String> {
        if !is_account_name(name) {
            return Ok(false);
        }
        let name = name.to_owned();
        let found = system::ask(move || User::from_name(&name)).await;
        match found {
            Ok(Ok(user)) => Ok(user.is_some_and(|user| self.settings.is_recipient(user.uid.as_raw()))),
            Ok(Err(error)) => Err(format!("{}: {}", self.name, error.desc())),
            Err(_) => Err(format!("{}: the look-up failed", self.name)),
        }
    }
}

/// Whether a text can be the name of an account, and cannot mean something else to whoever looks it up: names of
/// domains before or after it do to some.
fn is_account_name(name: &str) -> bool {
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || ":/@\\,\"".contains(c);
    !name.is_empty() && !name.contains(is_odd)
}

#[async_trait::async_trait]
impl Source for System {
    fn name(&self) -> &str {
        &self.name
    }

    async fn find(&self, question: &RecipientQuestion) -> Existence {
        for form in question.forms.iter().filter(|form| *form.domain() == self.settings.domain) {
            match self.knows(form.local_part()).await {
                Ok(true) => {
                    return Existence::Exists(format!("account {} (passwd)", form.local_part()).into());
                }
                Ok(false) => {}
                Err(why) => return Existence::Undetermined(why),
            }
        }
        Existence::Unknown(String::new())
    }
}

/// Accounts in a file.
#[derive(Debug)]
struct File {
    name: String,
    names: Watched<Names>,
}

fn open_file(path: &Path, settings: &Settings) -> Opening {
    let wanted = settings.clone();
    let (names, warnings) = Watched::open(path, move |octets| parse(octets, &wanted))?;
    Ok((Box::new(File { name: format!("passwd {}", path.display()), names }), warnings))
}

fn parse(octets: &[u8], settings: &Settings) -> Reading<Names> {
    let (mut accounts, mut warnings) = (Vec::new(), Vec::new());
    for (number, line) in octets.split(|octet| *octet == b'\n').enumerate() {
        let number = number + 1;
        // Lines of NIS begin with a sign; they name accounts that are elsewhere.
        if line.iter().all(u8::is_ascii_whitespace) || b"#+-".contains(&line[0]) {
            continue;
        }
        match str::from_utf8(line).ok().and_then(account) {
            Some((name, uid)) if settings.is_recipient(uid) => {
                accounts.push((Mailbox::new(name, settings.domain.clone()), number));
            }
            None if warnings.len() < MOST_PROBLEMS => {
                let line = String::from_utf8_lossy(line);
                let name = line.split(':').next().unwrap_or_default();
                let warning = Problem::new(format!("the line of {} is no account", quoted(name)));
                warnings.push(warning.at(number, None));
            }
            Some(_) | None => {}
        }
    }
    let names = Names::at_lines(&accounts).map_err(|problem| vec![problem])?;
    if names.len() == 0 {
        let warning = Problem::new(format!("nobody in it has a user id from {} on", settings.min_uid));
        warnings.push(warning.hint("no recipient exists by it; see `min_uid`"));
    }
    Ok((names, warnings))
}

/// Name and user id of an account: `name:password:uid:…`.
fn account(line: &str) -> Option<(&str, u32)> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| is_account_name(name))?;
    let uid = fields.nth(1)?.parse().ok()?;
    Some((name, uid))
}

#[async_trait::async_trait]
impl Source for File {
    fn name(&self) -> &str {
        &self.name
    }

    async fn find(&self, question: &RecipientQuestion) -> Existence {
        let names = self.names.current();
        names.find(question, |name, line| format!("{name} ({}:{line})", self.names.path().display()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, open_source};
    use super::*;

    const FILE: &str = "\
root:x:0:0:root:/root:/bin/sh
# comment

alice:x:1000:1000:Alice,,,:/home/alice:/bin/sh
Bob:x:1001:1000::/home/bob:/bin/sh
daemon:*:1:1::/:/bin/false
nobody:x:65534:65534::/:/bin/false
+nis::::::
broken:x:y
odd name:x:1002:1::/:
";

    fn settings(file: Option<PathBuf>) -> Settings {
        Settings { file, domain: "example.org".parse().unwrap(), min_uid: 1000 }
    }

    #[tokio::test]
    async fn accounts_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passwd");
        std::fs::write(&path, FILE).unwrap();
        let (source, warnings) = open_source(open(&settings(Some(path.clone())), 1 << 20));
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        check(&*source, "alice@example.org", &format!("exists: alice@example.org ({}:4)", path.display()))
            .await;
        check(&*source, "bob@example.org", &format!("exists: Bob@example.org ({}:5)", path.display())).await;
        for address in [
            "root@example.org",
            "nobody@example.org",
            "daemon@example.org",
            "alice@example.net",
            "+nis@example.org",
            "\"alice:x\"@example.org",
            "broken@example.org",
        ] {
            check(&*source, address, "unknown").await;
        }
        std::fs::write(&path, "root:x:0:0:root:/root:/bin/sh\n").unwrap();
        let (_, warnings) = open_source(open(&settings(Some(path)), 1 << 20));
        assert_eq!(warnings.len(), 1, "{warnings:?}");
    }

    #[tokio::test]
    async fn accounts_of_the_system() {
        let (source, _) = open_source(open(&Settings { min_uid: 0, ..settings(None) }, 1 << 20));
        check(&*source, "root@example.org", "exists: account root (passwd)").await;
        for address in
            ["nobody@example.org", "root@example.net", "\"root:x\"@example.org", "\"ro@ot\"@example.org"]
        {
            check(&*source, address, "unknown").await;
        }
        let (source, _) = open_source(open(&settings(None), 1 << 20));
        check(&*source, "root@example.org", "unknown").await;
    }
}
