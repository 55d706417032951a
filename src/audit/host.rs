//! What was seen of a host.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::civil::Date;

use crate::config::Config;
use crate::facts::Existence;
use crate::mail::Domain;
use crate::mta::postfix::classes::Class;
use crate::mta::postfix::everybodys::Everybodys;
use crate::mta::postfix::main_cf::MainCf;
use crate::mta::postfix::master_cf::{MasterCf, Service};
use crate::mta::postfix::networks::Networks;
use crate::mta::sendmail::SendmailCf;

/// A host.
#[derive(Debug)]
pub struct Host {
    /// Its mail server.
    pub mta: Mta,
    /// Our configuration, or why there is none that can be used.
    pub configuration: Result<Config, String>,
    /// Where our configuration is.
    pub config_file: PathBuf,
    /// What is doubtful about our configuration.
    pub warnings: Vec<String>,
    /// The names of the rows that the administrator lives with.
    pub accepted: Vec<String>,
    /// The date in UTC.
    pub today: Date,
    /// The domains that mail is received for, by us or by the mail server.
    pub domains: Vec<Hosted>,
    /// Domains that were left out, as there are too many.
    pub omitted: usize,
    /// Where the mail server may have more domains, which nobody can list.
    pub unlisted: Vec<String>,
    /// What each of our sources of recipients says of a name that nobody has.
    pub sources: Vec<Asked>,
    /// Sockets of ours.
    pub sockets: Vec<Socket>,
    /// Files that keep a secret, or that decide.
    pub secrets: Vec<Secret>,
}

/// A mail server.
#[derive(Debug)]
pub enum Mta {
    /// Postfix.
    Postfix(Postfix),
    /// Sendmail.
    Sendmail(Box<Sendmail>),
    /// None that could be read; why.
    Unknown(String),
}

/// A Postfix.
#[derive(Debug)]
pub struct Postfix {
    /// Its parameters.
    pub main_cf: MainCf,
    /// Its services.
    pub master_cf: MasterCf,
    /// The networks of `mynetworks`, and of services that override it, by the text of the list.
    pub networks: BTreeMap<String, Networks>,
}

/// A Sendmail.
#[derive(Debug)]
pub struct Sendmail {
    /// What its configuration says.
    pub cf: SendmailCf,
    /// Where that is.
    pub file: PathBuf,
    /// The macros that it is made from, which is where changes belong.
    pub macros: PathBuf,
    /// Lines of the virtual user table that take every name of a domain, and the domain.
    pub wildcards: Vec<(Domain, Everybodys)>,
    /// Networks that the access table and the relay domains pass mail on for.
    pub networks: Networks,
    /// What could not be read, and why.
    pub unread: Vec<String>,
}

/// A hosted domain.
#[derive(Debug)]
pub struct Hosted {
    /// Its name.
    pub domain: Domain,
    /// Its class in Postfix, where it has one.
    pub class: Option<Class>,
    /// What becomes of names that nobody has.
    pub nobody: Existence,
    /// The entries that every name has, where names that nobody has are known.
    pub everybodys: Vec<Everybodys>,
    /// What answers mail to the mailboxes that the wildcard leads to: a file or a program.
    pub responders: Vec<String>,
    /// What is known of `postmaster` and of `abuse`.
    pub roles: [(&'static str, Existence); 2],
    /// The SPF records that it publishes, or why they are not known.
    pub spf: Result<Vec<String>, String>,
}

/// A source of ours that was asked for a name that nobody has.
#[derive(Debug)]
pub struct Asked {
    /// The source, as the configuration names it.
    pub source: String,
    /// A domain whose names it knows.
    pub domain: Domain,
    /// Its answer.
    pub answer: Existence,
}

/// A socket of ours.
#[derive(Debug)]
pub struct Socket {
    /// What the configuration calls it.
    pub name: String,
    /// Its permission bits as they should be, or as they are where it is there; none for TCP.
    pub permissions: Option<u32>,
    /// Whether it is there, as the daemon runs.
    pub is_there: bool,
    /// The folder that it is in, where everybody may write to that; and whether nobody may remove there what others have,
    /// as in /tmp.
    pub open_folder: Option<(PathBuf, bool)>,
    /// TCP: peers may be anywhere.
    pub open_to_all: bool,
}

/// A file that others should not read, or not write.
#[derive(Debug)]
pub struct Secret {
    /// The file.
    pub file: PathBuf,
    /// What it is: `the password of sql`.
    pub what: String,
    /// Whether it holds a secret.
    pub is_secret: bool,
    /// Who may do what, or why that is not known.
    pub access: Result<Access, String>,
}

/// What others may do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Everybody can read it.
    pub read: bool,
    /// Everybody can write to it, or replace it.
    pub write: bool,
}

impl Host {
    /// The configuration, where there is one.
    pub(super) fn config(&self) -> Option<&Config> {
        self.configuration.as_ref().ok()
    }

    /// What is not known of the domains that mail is received for.
    pub(super) fn unseen(&self) -> Vec<String> {
        let told =
            |list| format!("the domains of {list} cannot be listed; what `domains` names was looked at");
        let mut unseen: Vec<String> = self.unlisted.iter().map(told).collect();
        if let Mta::Sendmail(sendmail) = &self.mta {
            unseen.extend(sendmail.unread.iter().cloned());
        }
        if self.omitted > 0 {
            unseen.push(format!("{} more domains were not looked at", self.omitted));
        }
        unseen
    }
}

impl Postfix {
    /// The parameter of a service.
    pub(super) fn value<'a>(&'a self, service: &'a Service, name: &str) -> &'a str {
        service.value(&self.main_cf, name)
    }

    /// A parameter by its name, with that of the service which overrides it.
    pub(super) fn named(service: &Service, name: &str) -> String {
        match service.overridden(name) {
            Some(_) => format!("{}: {name}", service.label()),
            None => name.to_owned(),
        }
    }

    /// Whether a parameter of a service is `yes`.
    pub(super) fn is_yes(&self, service: &Service, name: &str) -> bool {
        self.value(service, name).eq_ignore_ascii_case("yes")
    }

    /// The line that gives a parameter of a service this value: in master.cf where it is overridden there.
    pub(super) fn set(&self, service: &Service, name: &str, value: &str) -> super::Change {
        match service.overridden(name) {
            Some(_) => self.over_ride(service, name, value),
            None => super::Change::set(self.main_cf.file(), format!("{name} = {value}").trim_end()),
        }
    }

    /// The line that overrides a parameter for a service.
    pub(super) fn over_ride(&self, service: &Service, name: &str, value: &str) -> super::Change {
        let file = self.master_cf.file.display().to_string();
        let line = match value {
            "" => format!("  -o {name}="),
            value if value.contains([' ', '{']) => format!("  -o {{ {name} = {value} }}"),
            value => format!("  -o {name}={value}"),
        };
        super::Change { place: super::Place::Service { file, service: service.label() }, lines: vec![line] }
    }
}

/// Whether a list has a word.
pub(super) fn has(list: &str, word: &str) -> bool {
    list.split([',', ' ', '\t', '\n']).any(|found| found.eq_ignore_ascii_case(word))
}

/// A list without a word of it.
pub(super) fn without(list: &str, word: &str) -> String {
    let kept = list.split([',', ' ', '\t', '\n']).filter(|found| !found.is_empty());
    kept.filter(|found| !found.eq_ignore_ascii_case(word)).collect::<Vec<_>>().join(",")
}

/// The first few names, and how many more there are.
pub(super) fn named<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    const NAMED: usize = 10;
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match names.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..NAMED].join(", ")),
    }
}
