//! Tables that are no files: `inline:`, `static:`, `randmap:`, `fail:`, `unix:`, `nis:`; and two that are of no use
//! here.

use nix::unistd::{Group, User};

use super::{Entry, Request, Table, TableError, first, fold, unbraced};
use crate::clients::files::pairs::Pairs;
use crate::clients::files::problem::{Problem, quoted};
use crate::clients::files::watched::Reading;
use crate::clients::system;
use crate::mta::postfix::words::{inside_braces, words};

/// Opens a table whose pairs are in main.cf: `inline:{ key=value, { key = text with spaces } }`.
pub(super) fn open_inline(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    let inside = inside_braces(request.name).ok_or_else(|| {
        vec![Problem::new("the table is not in braces").hint("write inline:{ key=value, … }")]
    })?;
    let mut pairs: Vec<(String, String)> = Vec::new();
    for word in words(inside) {
        let word = unbraced(word)?;
        let (key, value) = word
            .split_once('=')
            .map(|(key, value)| (key.trim(), value.trim()))
            .filter(|(key, _)| !key.is_empty() && !key.contains(char::is_whitespace))
            .ok_or_else(|| vec![Problem::new(format!("{} is no `key=value`", quoted(word)))])?;
        // Of a repeated key the last counts, as in Postfix.
        let key = fold(key);
        pairs.retain(|(other, _)| *other != key);
        pairs.push((key, value.to_owned()));
    }
    if pairs.is_empty() {
        return Err(vec![Problem::new("the table is empty, which Postfix does not allow")]);
    }
    let mut builder = Pairs::builder();
    for (key, value) in &pairs {
        builder.push(key, value, 1).map_err(|problem| vec![problem])?;
    }
    Ok((Box::new(Inline(builder.finish())), Vec::new()))
}

/// Opens a table that gives its name for every key.
pub(super) fn open_static(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    Ok((Box::new(Static(unbraced(request.name)?.to_owned())), Vec::new()))
}

/// Opens a table that gives one of its values for every key: `randmap:{ value, value }`.
pub(super) fn open_random(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    let wrong = |message: &str| vec![Problem::new(message).hint("write randmap:{ value, … }")];
    let inside = inside_braces(request.name).ok_or_else(|| wrong("the values are not in braces"))?;
    // Unlike elsewhere, braces around a value are a part of it.
    let values: Vec<String> = words(inside).map(str::to_owned).collect();
    if values.is_empty() {
        return Err(wrong("there is no value in the braces"));
    }
    Ok((Box::new(Random(values)), Vec::new()))
}

/// Networks have no recipients.
pub(super) fn refuse_cidr(_: &Request<'_>) -> Reading<Box<dyn Table>> {
    Err(vec![Problem::new("cidr: tables are for the addresses of clients")])
}

/// The variables of another process cannot be asked for.
pub(super) fn refuse_environ(_: &Request<'_>) -> Reading<Box<dyn Table>> {
    Err(vec![Problem::new(
        "environ: tables are the environment of Postfix's own processes, which nobody else sees",
    )])
}

/// A table that always fails.
pub(super) fn fail() -> (Box<dyn Table>, Vec<Problem>) {
    (Box::new(Fail), Vec::new())
}

/// Opens the users or groups of the system.
pub(super) fn open_unix(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    let find = match request.name {
        "passwd.byname" => user,
        "group.byname" => group,
        name => {
            let problem = Problem::new(format!("there is no table unix:{name}"));
            return Err(vec![problem.hint("there are passwd.byname and group.byname")]);
        }
    };
    Ok((Box::new(Unix(find)), Vec::new()))
}

/// Opens a table that has nothing as long as this host is in no NIS domain. Postfix's own `alias_maps` name one.
pub(super) fn open_nis(_: &Request<'_>) -> Reading<Box<dyn Table>> {
    let domain = std::fs::read_to_string("/proc/sys/kernel/domainname").unwrap_or_default();
    match domain.trim() {
        "" | "(none)" => Ok((Box::new(Empty), Vec::new())),
        domain => {
            let message =
                format!("tables in NIS are not read, and this host is in its domain {}", quoted(domain));
            Err(vec![Problem::new(message).hint("name other tables in main.cf")])
        }
    }
}

#[derive(Debug)]
struct Inline(Pairs);

#[async_trait::async_trait]
impl Table for Inline {
    async fn find(&self, key: &str) -> Result<Option<String>, TableError> {
        Ok(first(&self.0, key))
    }

    fn list_keys(&self, take: &mut dyn FnMut(&str)) -> bool {
        self.0.iter().for_each(|pair| take(pair.key));
        true
    }
}

#[derive(Debug)]
struct Static(String);

#[async_trait::async_trait]
impl Table for Static {
    async fn find(&self, _: &str) -> Result<Option<String>, TableError> {
        Ok(Some(self.0.clone()))
    }

    async fn entry(&self, _: &str) -> Result<Option<Entry>, TableError> {
        // One rule for every key.
        Ok(Some(Entry::of_rule(0, self.0.clone())))
    }
}

/// Of one value or more.
#[derive(Debug)]
struct Random(Vec<String>);

#[async_trait::async_trait]
impl Table for Random {
    async fn find(&self, _: &str) -> Result<Option<String>, TableError> {
        Ok(fastrand::choice(&self.0).cloned())
    }

    async fn entry(&self, key: &str) -> Result<Option<Entry>, TableError> {
        // Whatever is drawn, it is drawn for every key.
        Ok(self.find(key).await?.map(|value| Entry::of_rule(0, value)))
    }

    fn has_patterns(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct Empty;

#[async_trait::async_trait]
impl Table for Empty {
    async fn find(&self, _: &str) -> Result<Option<String>, TableError> {
        Ok(None)
    }

    fn list_keys(&self, _: &mut dyn FnMut(&str)) -> bool {
        true
    }
}

#[derive(Debug)]
struct Fail;

#[async_trait::async_trait]
impl Table for Fail {
    async fn find(&self, _: &str) -> Result<Option<String>, TableError> {
        Err(TableError("it always fails".to_owned()))
    }
}

#[derive(Debug)]
struct Unix(fn(&str) -> nix::Result<Option<String>>);

#[async_trait::async_trait]
impl Table for Unix {
    async fn find(&self, key: &str) -> Result<Option<String>, TableError> {
        let (find, key) = (self.0, fold(key));
        // The system may ask a server.
        let found = system::ask(move || find(&key)).await;
        found
            .map_err(|_| TableError("the look-up failed".to_owned()))?
            .map_err(|error| TableError(error.desc().to_owned()))
    }
}

fn user(name: &str) -> nix::Result<Option<String>> {
    Ok(User::from_name(name)?.map(|user| {
        let (passwd, gecos) = (user.passwd.to_string_lossy(), user.gecos.to_string_lossy());
        let (dir, shell) = (user.dir.display(), user.shell.display());
        format!("{}:{passwd}:{}:{}:{gecos}:{dir}:{shell}", user.name, user.uid, user.gid)
    }))
}

fn group(name: &str) -> nix::Result<Option<String>> {
    Ok(Group::from_name(name)?.map(|group| {
        let passwd = group.passwd.to_string_lossy();
        format!("{}:{passwd}:{}:{}", group.name, group.gid, group.mem.join(","))
    }))
}
