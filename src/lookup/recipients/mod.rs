//! Recipients: which names exist at hosted domains, by what the administrator's tables and servers say.
//!
//! A source is a file here, a variant of [`SourceSettings`] and a line in `open`.

pub mod aliases;
mod file;
#[cfg(feature = "ldap")]
mod ldap;
mod list;
mod names;
pub mod passwd;
mod probed;

use std::path::PathBuf;

use super::directory;
use super::problem::Problem;
use super::watched::{Reading, apart};
use crate::facts::{Cost, Existence, RecipientQuestion};
use crate::mail::Mailbox;

/// A source of recipients, as the configuration describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceSettings {
    /// Mailboxes in the configuration itself (`list`).
    List(Vec<Mailbox>),
    /// A file of mailboxes (`file`).
    File(PathBuf),
    /// A directory (`ldap`).
    Ldap(Box<directory::Settings>),
    /// Accounts of this host (`passwd`).
    Passwd(passwd::Settings),
    /// Aliases of local users (`aliases`).
    Aliases(aliases::Settings),
}

impl SourceSettings {
    /// Its name in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::List(_) => "list",
            Self::File(_) => "file",
            Self::Ldap(_) => "ldap",
            Self::Passwd(_) => "passwd",
            Self::Aliases(_) => "aliases",
        }
    }

    /// What it costs to ask it.
    pub fn cost(&self) -> Cost {
        match self {
            // The system may ask a server for names.
            Self::Passwd(settings) if settings.file.is_none() => Cost::Near,
            Self::List(_) | Self::File(_) | Self::Passwd(_) | Self::Aliases(_) => Cost::Memory,
            Self::Ldap(_) => Cost::Near,
        }
    }
}

/// What opening a source gives: itself with what is doubtful about it, or all that is wrong.
type Opening = Reading<Box<dyn Source>>;

/// Every source of recipients.
async fn open(settings: &SourceSettings) -> Opening {
    match settings {
        SourceSettings::List(mailboxes) => list::open(mailboxes),
        SourceSettings::File(path) => {
            let path = path.clone();
            apart(move || file::open(&path)).await
        }
        SourceSettings::Ldap(settings) => open_ldap(settings.clone()).await,
        SourceSettings::Passwd(settings) => {
            let settings = settings.clone();
            apart(move || passwd::open(&settings)).await
        }
        SourceSettings::Aliases(settings) => {
            let settings = settings.clone();
            apart(move || aliases::open(&settings)).await
        }
    }
}

#[cfg(feature = "ldap")]
async fn open_ldap(settings: Box<directory::Settings>) -> Opening {
    apart(move || ldap::open(&settings)).await
}

#[cfg(not(feature = "ldap"))]
async fn open_ldap(_: Box<directory::Settings>) -> Opening {
    Err(vec![directory::missing()])
}

/// One source of recipients.
#[async_trait::async_trait]
pub trait Source: std::fmt::Debug + Send + Sync {
    /// Its name with what tells it from others of its kind, for the log: `file /etc/lockdown-milter/recipients`.
    fn name(&self) -> &str;

    /// What it says of an address. An entry for one form goes before a wildcard for an earlier one. The text of
    /// [`Existence::Unknown`] is not looked at, as the collection names the source.
    async fn find(&self, question: &RecipientQuestion) -> Existence;
}

/// The sources of recipients, by their number.
#[derive(Debug, Default)]
pub struct Recipients {
    sources: Vec<Box<dyn Source>>,
    warnings: Vec<Problem>,
}

impl Recipients {
    /// Opens the sources.
    ///
    /// # Errors
    ///
    /// Everything for which a source cannot be used as it is meant.
    pub async fn open(settings: &[SourceSettings]) -> Result<Self, Vec<Problem>> {
        let (mut opened, mut problems) = (Self::default(), Vec::new());
        for one in settings {
            match open(one).await {
                Ok((source, warnings)) => {
                    opened.warnings.extend(warnings.into_iter().map(|warning| warning.of(one.name())));
                    opened.sources.push(source);
                }
                Err(found) => problems.extend(found.into_iter().map(|problem| problem.of(one.name()))),
            }
        }
        if problems.is_empty() { Ok(opened) } else { Err(problems) }
    }

    /// What is doubtful about the sources though they can be used.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The answer of one source.
    pub async fn find(&self, question: &RecipientQuestion) -> Existence {
        let Some(source) = self.sources.get(question.source.number) else {
            return Existence::Undetermined("this source is not open".to_owned());
        };
        match source.find(question).await {
            Existence::Unknown(_) => Existence::Unknown(source.name().to_owned()),
            answer => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::SourceId;

    /// A source that can be opened, and what is doubtful about it.
    #[track_caller]
    pub(super) fn open_source(opening: Opening) -> (Box<dyn Source>, Vec<Problem>) {
        opening.unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    /// Holds how the answer about an address begins: `exists: by`, `wildcard: by`, `unknown`, …
    pub(super) async fn check(source: &dyn Source, address: &str, expected: &str) {
        let forms = vec![address.parse().unwrap_or_else(|error| panic!("{address}: {error}"))];
        let source_id = SourceId { number: 0, cost: Cost::Memory };
        let found =
            match source.find(&RecipientQuestion { source: source_id, forms, case_sensitive: false }).await {
                Existence::Exists(by) => format!("exists: {by}"),
                Existence::Relocated { by, .. } => format!("relocated: {by}"),
                Existence::Wildcard(by) => format!("wildcard: {by}"),
                Existence::Unknown(_) => "unknown".to_owned(),
                Existence::NoList(why) => format!("no list: {why}"),
                Existence::Undetermined(why) => format!("undetermined: {why}"),
            };
        assert!(found.starts_with(expected), "{address}: {found}, not {expected}");
    }
}
