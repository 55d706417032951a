//! Recipients that are aliases of local users, from the text for postalias(1), as in aliases(5).
//!
//! An alias exists wherever it leads: to addresses, commands, files or lists. There are no wildcards among aliases, and
//! upper and lower case never differ in them.

use std::collections::HashSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{Opening, Source};
use crate::clients::files::pairs::Pairs;
use crate::clients::files::problem::{Problem, quoted};
use crate::clients::files::watched::Watched;
use crate::facts::{Existence, RecipientQuestion};
use crate::mail::Domain;
use crate::mta::postfix::{alias_key, includes, read_aliases};

/// How deep lists may name lists.
const DEEPEST: usize = 10;

/// How many lists are looked at.
const MOST_LISTS: usize = 10_000;

/// Whose aliases are recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The text of the aliases.
    pub file: PathBuf,
    /// Where the recipients are.
    pub domain: Domain,
}

#[derive(Debug)]
struct Aliases {
    name: String,
    domain: Domain,
    pairs: Watched<Pairs>,
}

/// Reads the file. It is read anew when it changes.
pub(super) fn open(settings: &Settings) -> Opening {
    let (pairs, warnings) = Watched::open(&settings.file, |octets| {
        let (pairs, mut warnings) = read_aliases(octets);
        warnings.extend(unreadable_lists(&pairs));
        if pairs.len() == 0 {
            warnings.push(Problem::new("it names nobody, so that no recipient exists by it"));
        }
        Ok((pairs, warnings))
    })?;
    let name = format!("aliases {}", settings.file.display());
    Ok((Box::new(Aliases { name, domain: settings.domain.clone(), pairs }), warnings))
}

/// Lists (`:include:`) that cannot be read. The alias exists, but mail for it would come back.
fn unreadable_lists(pairs: &Pairs) -> Vec<Problem> {
    let (mut warnings, mut seen) = (Vec::new(), HashSet::new());
    for pair in pairs.iter() {
        let mut lists: Vec<(String, usize)> =
            includes(pair.value).into_iter().map(|list| (list, 1)).collect();
        while let Some((list, depth)) = lists.pop() {
            if seen.len() >= MOST_LISTS || !seen.insert(list.clone()) {
                continue;
            }
            match read_list(Path::new(&list)) {
                Ok(text) if depth < DEEPEST => {
                    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
                    lists.extend(lines.flat_map(includes).map(|list| (list, depth + 1)));
                }
                Ok(_) => {}
                Err(error) => {
                    let text = error.to_string();
                    let why = text.split(" (os error").next().unwrap_or_default();
                    let problem = Problem::new(format!(
                        "{} needs {}, which cannot be read: {why}",
                        quoted(pair.key),
                        quoted(&list)
                    ));
                    warnings.push(problem.at(pair.line, None));
                }
            }
        }
    }
    warnings
}

/// How much of a list is read, in octets. It may belong to any user, and only what it includes is of interest.
const LONGEST_LIST: u64 = 1 << 20;

/// The text of a list; of one that is not UTF-8, what can be read of it.
fn read_list(path: &Path) -> std::io::Result<String> {
    // Opening a FIFO would wait for somebody to write to it.
    if !fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("not a file"));
    }
    let mut octets = Vec::new();
    fs::File::open(path)?.take(LONGEST_LIST).read_to_end(&mut octets)?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

#[async_trait::async_trait]
impl Source for Aliases {
    fn name(&self) -> &str {
        &self.name
    }

    async fn find(&self, question: &RecipientQuestion) -> Existence {
        let pairs = self.pairs.current();
        for form in question.forms.iter().filter(|form| *form.domain() == self.domain) {
            if let Some(pair) = pairs.find(&alias_key(form.local_part())).next() {
                let place = format!("{}:{}", self.pairs.path().display(), pair.line);
                return Existence::Exists(format!("alias {} ({place})", pair.key).into());
            }
        }
        Existence::Unknown(String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, open_source};
    use super::*;

    #[tokio::test]
    async fn aliases_of_every_kind() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("aliases");
        let here = dir.path().display();
        let text = format!(
            "# aliases\npostmaster: root\nInfo: alice,\n  bob\ncommand: \"|/bin/x y\"\nfile: /var/mail/x\n\
             \"the boss\": carol\nlist: :include:{here}/list\nlost: :include:{here}/none, dave\nnested: :include:{here}/outer\n\
             *: everybody\n@example.org: nobody\nbroken\n"
        );
        fs::write(&file, text).unwrap();
        fs::write(dir.path().join("list"), "a@example.org\n").unwrap();
        fs::write(dir.path().join("outer"), format!("# :include:/comment\nb@x, :include:{here}/gone\n"))
            .unwrap();
        let settings = Settings { file: file.clone(), domain: "example.org".parse().unwrap() };
        let (source, warnings) = open_source(open(&settings));
        let mut shown: Vec<String> =
            warnings.iter().map(|one| one.to_string().replace(&here.to_string(), "DIR")).collect();
        shown.sort();
        assert_eq!(
            shown,
            [
                "DIR/aliases:10: ‘nested’ needs ‘DIR/gone’, which cannot be read: No such file or directory",
                "DIR/aliases:12: the name of an alias has no domain; Postfix ignores this line, and so do we",
                "DIR/aliases:13: there is no name with targets after a ‘:’; Postfix ignores this line, and so do we",
                "DIR/aliases:9: ‘lost’ needs ‘DIR/none’, which cannot be read: No such file or directory",
            ]
        );
        for name in ["postmaster", "info", "command", "file", "list", "lost", "nested"] {
            let found = format!("exists: alias {name} ({}:", file.display());
            check(&*source, &format!("{name}@example.org"), &found).await;
            check(&*source, &format!("{name}@example.net"), "unknown").await;
        }
        check(&*source, "\"the boss\"@example.org", "exists: alias \"the boss\"").await;
        for name in ["nobody", "bob", "\"*)(uid=*\"", "\"' OR 1=1 --\"", "..%2f", "%s", "\"list: x\""] {
            check(&*source, &format!("{name}@example.org"), "unknown").await;
        }
        // There is no wildcard: this is an alias of that name.
        check(&*source, "*@example.org", "exists: alias *").await;
    }
}
