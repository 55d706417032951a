//! A Sendmail: its configuration, and the texts of the tables that it names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::audit::host::{Hosted, Mta, Sendmail};
use crate::facts::Existence;
use crate::mail::Domain;
use crate::mta::postfix::classes::Class;
use crate::mta::postfix::everybodys::{Everybodys, Spot};
use crate::mta::postfix::networks::Networks;
use crate::mta::sendmail::SendmailCf;

/// The largest file that is read, in octets.
const LARGEST: u64 = 64 << 20;

/// Reads a sendmail.cf and what it names.
pub(super) fn sendmail(file: &Path) -> Mta {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let unreadable = |why: String| Mta::Unknown(format!("{}: {why}", file.display()));
    let cf = match text(&file).map(|text| SendmailCf::parse(&text)) {
        Err(why) => return unreadable(why),
        Ok(Err(problem)) => return unreadable(problem.to_string()),
        Ok(Ok(cf)) => cf,
    };
    let mut unread = Vec::new();
    let mut lines = |path: &Path| match text(path) {
        Ok(text) => text,
        Err(why) => {
            unread.push(format!("{}: {why}", path.display()));
            String::new()
        }
    };
    let mut wildcards = Vec::new();
    if let Some(map) = cf.map("virtuser") {
        match &map.file {
            Some(file) => wildcards = wildcards_of(&map.kind, file, &lines(file)),
            None => unread.push(format!("the virtual user table is on a server ({})", map.kind)),
        }
    }
    if !cf.unknown_users.is_empty() {
        let entry = Everybodys {
            parameter: "LUSER_RELAY".to_owned(),
            table: String::new(),
            value: cf.unknown_users.clone(),
            spot: Spot::Table,
        };
        let own = cf.members("w").filter_map(|name| name.parse::<Domain>().ok());
        wildcards.extend(own.map(|domain| (domain, entry.clone())));
    }
    let mut networks = Networks::default();
    let relayed: Vec<String> = cf.members("R").map(str::to_owned).collect();
    let files: Vec<PathBuf> =
        cf.class_files.iter().filter(|(class, _)| class == "R").map(|(_, file)| file.clone()).collect();
    let in_files = files.iter().map(|file| there(file, &mut networks.unlisted));
    let in_files = in_files.collect::<Vec<_>>().join("\n");
    for word in relayed.iter().map(String::as_str).chain(in_files.lines()) {
        networks.listed.extend(network(word.trim()));
    }
    for (_, file) in cf.class_files.iter().filter(|(class, _)| names_domains(class)) {
        there(file, &mut unread);
    }
    if let Some(map) = cf.map("access") {
        let table = map.file.as_ref().map(|file| there(file, &mut networks.unlisted));
        if table.is_none() {
            networks.unlisted.push(format!("the access table is on a server ({})", map.kind));
        }
        let table = table.unwrap_or_default();
        let relays = table.lines().filter_map(|line| line.split_once(char::is_whitespace));
        let relays = relays.filter(|(_, value)| value.trim() == "RELAY");
        networks.listed.extend(relays.filter_map(|(key, _)| network(key.trim_start_matches("Connect:"))));
    }
    let macros = file.with_extension("mc");
    Mta::Sendmail(Box::new(Sendmail { cf, file, macros, wildcards, networks, unread }))
}

/// Whether a class has domains that mail is received for.
fn names_domains(class: &str) -> bool {
    ["w", "VirtHost"].contains(&class)
}

/// The text of a file, which need not be there: none then, while one that cannot be read is told in `unread`.
fn there(file: &Path, unread: &mut Vec<String>) -> String {
    if matches!(file.try_exists(), Ok(false)) {
        return String::new();
    }
    text(file).unwrap_or_else(|why| {
        unread.push(format!("{}: {why}", file.display()));
        String::new()
    })
}

fn text(file: &Path) -> Result<String, String> {
    let found = fs::metadata(file).map_err(|error| error.to_string())?;
    if !found.is_file() || found.len() > LARGEST {
        return Err("not a file of that kind".to_owned());
    }
    fs::read(file)
        .map(|octets| String::from_utf8_lossy(&octets).into_owned())
        .map_err(|error| error.to_string())
}

/// A network as class R and the access table have it: `10`, `192.0.2`, an address.
fn network(word: &str) -> Option<ipnet::IpNet> {
    if let Ok(address) = word.parse::<std::net::IpAddr>() {
        return Some(address.into());
    }
    let parts: Vec<&str> = word.split('.').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() || parts.len() > 3 || parts.iter().any(|part| part.parse::<u8>().is_err()) {
        return None;
    }
    let octets = parts.iter().copied().chain(std::iter::repeat("0")).take(4).collect::<Vec<_>>().join(".");
    format!("{octets}/{}", parts.len() * 8).parse().ok()
}

/// Lines that take every name of a domain. `%1@domain` gives each its own name there, and `error:` refuses.
fn wildcards_of(kind: &str, file: &Path, text: &str) -> Vec<(Domain, Everybodys)> {
    let mut all = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let Some((key, value)) = line.split_once(char::is_whitespace) else { continue };
        let Some(domain) = key.strip_prefix('@').and_then(|domain| domain.parse::<Domain>().ok()) else {
            continue;
        };
        let value = value.trim();
        if value.contains("%1") || value.starts_with("error:") || value.is_empty() {
            continue;
        }
        let spot = Spot::Line { file: file.to_owned(), number: at + 1, text: line.trim_end().to_owned() };
        let entry = Everybodys {
            parameter: "virtuser".to_owned(),
            table: format!("{kind}:{}", file.display()),
            value: value.to_owned(),
            spot,
        };
        all.push((domain, entry));
    }
    all
}

/// The domains that mail is received for.
pub(super) fn domains(sendmail: &Sendmail) -> BTreeMap<Domain, Option<Class>> {
    let cf = &sendmail.cf;
    let members = ["w", "VirtHost"].into_iter().flat_map(|class| cf.members(class).map(str::to_owned));
    let in_files = cf.class_files.iter().filter(|(class, _)| names_domains(class));
    let in_files = in_files.flat_map(|(_, file)| {
        // What cannot be read was told when the host was looked at.
        there(file, &mut Vec::new()).lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    });
    let names = members.chain(in_files).filter(|name| name.contains('.') && !name.starts_with('#'));
    let parsed = names.filter_map(|name| name.parse::<Domain>().ok());
    let with_entries = sendmail.wildcards.iter().map(|(domain, _)| domain.clone());
    parsed.chain(with_entries).map(|domain| (domain, None)).collect()
}

/// What is seen of a domain.
pub(super) fn hosted(sendmail: &Sendmail, domain: Domain) -> Hosted {
    let own = sendmail.wildcards.iter().filter(|(of, _)| *of == domain);
    let entries: Vec<Everybodys> = own.map(|(_, entry)| entry.clone()).collect();
    let nobody = match entries.first() {
        Some(entry) => {
            let place = match &entry.spot {
                Spot::Line { file, number, .. } => format!("{}:{number}", file.display()),
                _ => entry.parameter.clone(),
            };
            Existence::Wildcard(format!("{place} to {}", entry.value).into())
        }
        None => Existence::Unknown(String::new()),
    };
    let role = |name: &str| known(sendmail, name, &domain);
    let roles = [("postmaster", role("postmaster")), ("abuse", role("abuse"))];
    Hosted {
        domain,
        class: None,
        nobody,
        everybodys: entries,
        responders: Vec::new(),
        roles,
        spf: Err(String::new()),
    }
}

/// Whether the virtual user table or the aliases have a name.
fn known(sendmail: &Sendmail, name: &str, domain: &Domain) -> Existence {
    let virtuser = sendmail.cf.map("virtuser").and_then(|map| map.file.clone());
    let address = format!("{name}@{domain}");
    let has = |file: &Path, separator: fn(char) -> bool, wanted: &str| {
        let text = text(file).ok()?;
        let key = |line: &str| line.split(separator).next().map(|key| key.trim().to_owned());
        text.lines().any(|line| key(line).is_some_and(|key| key.eq_ignore_ascii_case(wanted))).then_some(())
    };
    if let Some(file) = virtuser.as_deref().filter(|file| has(file, char::is_whitespace, &address).is_some())
    {
        return Existence::Exists(format!("{} {address}", file.display()).into());
    }
    let aliases = sendmail.cf.option("AliasFile");
    let file = Path::new(aliases.rsplit_once(':').map_or(aliases, |(_, file)| file));
    match has(file, |c| c == ':', name) {
        Some(()) => Existence::Exists(format!("{} {name}", file.display()).into()),
        None if file.exists() => Existence::Unknown(String::new()),
        None => Existence::Undetermined("the aliases could not be read".to_owned()),
    }
}
