//! Recipients: which names exist at hosted domains, by what the administrator's tables and servers say.
//!
//! A source is a file here, a variant of [`SourceSettings`] and a line in `open`.

mod call_ahead;
mod dovecot;
mod file;
mod list;
mod names;
mod one_by_one;
mod probed;
mod socketmap;

use std::path::PathBuf;
use std::time::Duration;

use super::clients::Endpoint;
use super::clients::smtp::Dialect;
use super::clients::socketmap::is_map_name;
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
    /// A socketmap server (`socketmap`).
    Socketmap(SocketmapSettings),
    /// Dovecot's user database (`dovecot`).
    Dovecot(DovecotSettings),
    /// A server that is called ahead by SMTP (`smtp`).
    Smtp(CallAheadSettings),
    /// A server that is called ahead by LMTP (`lmtp`).
    Lmtp(CallAheadSettings),
}

/// A map of a socketmap server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketmapSettings {
    /// The server.
    pub address: Endpoint,
    /// The name of the map, without white space.
    pub map: String,
}

impl SocketmapSettings {
    /// Whether a text can be the name of a map: it is not empty and has no white space, as the key follows after it.
    pub fn is_map_name(text: &str) -> bool {
        is_map_name(text)
    }
}

/// The user database of a Dovecot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DovecotSettings {
    /// Its socket `auth-userdb`.
    pub socket: PathBuf,
    /// Whether users are asked for by the local-part alone.
    pub without_domain: bool,
}

/// A server that is asked by the beginning of a mail transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallAheadSettings {
    /// The server.
    pub server: Endpoint,
    /// The reverse-path; none is the null reverse-path.
    pub sender: Option<Mailbox>,
    /// The name of this host, which the server is told.
    pub host_name: String,
    /// How long it is believed that a mailbox exists.
    pub exists: Duration,
    /// How long it is believed that it does not.
    pub unknown: Duration,
}

impl SourceSettings {
    /// Its name in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::List(_) => "list",
            Self::File(_) => "file",
            Self::Socketmap(_) => "socketmap",
            Self::Dovecot(_) => "dovecot",
            Self::Smtp(_) => "smtp",
            Self::Lmtp(_) => "lmtp",
        }
    }

    /// What it costs to ask it.
    pub fn cost(&self) -> Cost {
        match self {
            Self::List(_) | Self::File(_) => Cost::Memory,
            Self::Socketmap(_) | Self::Dovecot(_) => Cost::Near,
            Self::Smtp(_) | Self::Lmtp(_) => Cost::Far,
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
        SourceSettings::Socketmap(settings) => Ok((socketmap::open(settings), Vec::new())),
        SourceSettings::Dovecot(settings) => Ok((dovecot::open(settings), Vec::new())),
        SourceSettings::Smtp(settings) => Ok((call_ahead::open(Dialect::Smtp, settings), Vec::new())),
        SourceSettings::Lmtp(settings) => Ok((call_ahead::open(Dialect::Lmtp, settings), Vec::new())),
    }
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
