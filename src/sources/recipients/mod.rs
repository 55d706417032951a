//! Recipients: which names exist at hosted domains, by what the administrator's tables and servers say.
//!
//! A source is a file here, a variant of [`SourceSettings`] and a line in `open`.
//!
//! # What ‘only a wildcard knows it’ rests on
//!
//! The rule for all sources. *Does this source know every name of the domain?* has three answers:
//!
//! - **Yes, by an entry that says so** ([`Existence::Wildcard`]): a key `@domain`, a pattern, `static:`, `luser_relay`, if it
//!   leads to a fixed mailbox. An entry that leads to the same name elsewhere is an alias of the domain and is followed.
//!   An entry that leads nowhere is a list that names nobody ([`Existence::NoList`]): `@relay.test OK` in
//!   `relay_recipient_maps` or `local_recipient_maps`, whose values Postfix does not look at; in `virtual_mailbox_maps`
//!   where another program than virtual(8) delivers, for the same reason; in a `postfix_map` where the value is a word
//!   that only means yes. Whoever gets the mail knows the names, and we do not.
//! - **No**: the source does not have a random name, or has another value for it ([`Existence::Exists`]).
//! - **It cannot be told** ([`Existence::Ambiguous`]): the source has the name and, asked for the whole address, the same for
//!   a random one. A row of its own and a catch-all inside the query look alike then; the same value is no proof of
//!   either. Of `relay_recipient_maps` and the like, whose values mean nothing, it says that they name nobody.
//!
//! A source that has a name is never overruled by a guess. What is ambiguous is accepted under every `catch_all`, and a
//! source that knows more settles it, before it or after it. Where the random name comes to nothing (450, no answer), what
//! it came to before goes on to hold, and without that the name exists. Under `allow` nobody asks for a random name.
//! What it came to is remembered for seconds to minutes; files are asked anew each time, as that costs nothing.

pub mod aliases;
mod call_ahead;
mod doubts;
mod dovecot;
mod file;
mod identity;
#[cfg(feature = "ldap")]
mod ldap;
mod list;
mod names;
mod one_by_one;
pub mod passwd;
mod postfix;
mod postfix_map;
mod probed;
mod socketmap;
pub mod sql;

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use crate::clients::Endpoint;
use crate::clients::counts::{Counts, Meter};
use crate::clients::directory;
use crate::clients::files::problem::Problem;
use crate::clients::files::watched::{Reading, apart};
use crate::clients::remembered::{Hits, RECIPIENT_CACHES};
use crate::clients::smtp::Dialect;
use crate::clients::socketmap::is_map_name;
use crate::clients::sql::Settings;
use crate::facts::{Cost, Existence, RecipientQuestion, SourceId};
use crate::mail::{Domain, Mailbox};
use crate::mta::postfix::tables;
pub use identity::identities;
pub(crate) use postfix::PARAMETERS as PARAMETERS_OF_POSTFIX;

/// A source of recipients, as the configuration describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceSettings {
    /// Mailboxes in the configuration itself (`list`).
    List(Vec<Mailbox>),
    /// A file of mailboxes (`file`).
    File(PathBuf),
    /// The tables of a Postfix (`postfix`).
    Postfix {
        /// Where main.cf is; none for Postfix's own default.
        config_dir: Option<PathBuf>,
    },
    /// A table, by its Postfix name (`postfix_map`).
    PostfixMap(String),
    /// A socketmap server (`socketmap`).
    Socketmap(SocketmapSettings),
    /// Dovecot's user database (`dovecot`).
    Dovecot(DovecotSettings),
    /// A server that is called ahead by SMTP (`smtp`).
    Smtp(CallAheadSettings),
    /// A server that is called ahead by LMTP (`lmtp`).
    Lmtp(CallAheadSettings),
    /// A directory (`ldap`).
    Ldap(Box<directory::Settings>),
    /// A database (`sql`).
    Sql(Settings),
    /// Accounts of this host (`passwd`).
    Passwd(passwd::Settings),
    /// Aliases of local users (`aliases`).
    Aliases(aliases::Settings),
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
            Self::Postfix { .. } => "postfix",
            Self::PostfixMap(_) => "postfix_map",
            Self::Socketmap(_) => "socketmap",
            Self::Dovecot(_) => "dovecot",
            Self::Smtp(_) => "smtp",
            Self::Lmtp(_) => "lmtp",
            Self::Ldap(_) => "ldap",
            Self::Sql(_) => "sql",
            Self::Passwd(_) => "passwd",
            Self::Aliases(_) => "aliases",
        }
    }

    /// What it costs to ask it.
    pub fn cost(&self) -> Cost {
        match self {
            // The system may ask a server for names.
            Self::Passwd(settings) if settings.file.is_none() => Cost::Near,
            Self::PostfixMap(table) if tables::is_served(table) => Cost::Near,
            Self::List(_) | Self::File(_) | Self::Passwd(_) | Self::Aliases(_) | Self::PostfixMap(_) => {
                Cost::Memory
            }
            // Which tables a Postfix has is not known before it is open; some may be servers.
            Self::Postfix { .. } | Self::Socketmap(_) | Self::Dovecot(_) | Self::Ldap(_) | Self::Sql(_) => {
                Cost::Near
            }
            Self::Smtp(_) | Self::Lmtp(_) => Cost::Far,
        }
    }
}

/// What opening a source gives: itself with what is doubtful about it, or all that is wrong.
type Opening = Reading<Box<dyn Source>>;

/// Every source of recipients. What it remembers takes `cache` octets at most.
async fn open(settings: &SourceSettings, cache: u64) -> Opening {
    match settings {
        SourceSettings::List(mailboxes) => list::open(mailboxes),
        SourceSettings::File(path) => {
            let path = path.clone();
            apart(move || file::open(&path)).await
        }
        SourceSettings::Postfix { config_dir } => postfix::open(config_dir.as_deref(), cache).await,
        SourceSettings::PostfixMap(table) => {
            let table = table.clone();
            apart(move || postfix_map::open(&table, cache)).await
        }
        SourceSettings::Socketmap(settings) => Ok((socketmap::open(settings, cache), Vec::new())),
        SourceSettings::Dovecot(settings) => Ok((dovecot::open(settings, cache), Vec::new())),
        SourceSettings::Smtp(settings) => Ok((call_ahead::open(Dialect::Smtp, settings, cache), Vec::new())),
        SourceSettings::Lmtp(settings) => Ok((call_ahead::open(Dialect::Lmtp, settings, cache), Vec::new())),
        SourceSettings::Ldap(settings) => open_ldap(settings.clone(), cache).await,
        SourceSettings::Sql(settings) => sql::open(settings, cache).await,
        SourceSettings::Passwd(settings) => {
            let settings = settings.clone();
            apart(move || passwd::open(&settings, cache)).await
        }
        SourceSettings::Aliases(settings) => {
            let settings = settings.clone();
            apart(move || aliases::open(&settings)).await
        }
    }
}

#[cfg(feature = "ldap")]
async fn open_ldap(settings: Box<directory::Settings>, cache: u64) -> Opening {
    apart(move || ldap::open(&settings, cache)).await
}

#[cfg(not(feature = "ldap"))]
async fn open_ldap(_: Box<directory::Settings>, _: u64) -> Opening {
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

    /// What is doubtful about its use for these domains.
    async fn doubts(&self, _domains: &[&Domain]) -> Vec<Problem> {
        Vec::new()
    }

    /// How often what was found out before was enough.
    fn hits(&self) -> Hits {
        Hits::default()
    }

    /// Whether its server is known to have answered last, though perhaps not what was asked. Where strangers choose the
    /// names that a server cannot tell about, that says nothing against the server.
    fn answered(&self) -> bool {
        false
    }
}

/// How long a source may take to say what is doubtful about it. The daemon does not serve until then.
const DOUBTING: Duration = Duration::from_secs(3);

/// The sources of recipients, by their number.
#[derive(Debug, Default)]
pub struct Recipients {
    sources: Vec<Opened>,
    warnings: Vec<Problem>,
}

/// A source in use.
#[derive(Debug)]
struct Opened {
    source: Box<dyn Source>,
    /// Its name in the configuration.
    kind: &'static str,
    meter: Meter,
}

impl Recipients {
    /// Opens the sources. Each has an equal share of `RECIPIENT_CACHES` for what it remembers.
    ///
    /// # Errors
    ///
    /// Everything for which a source cannot be used as it is meant.
    pub async fn open(settings: &[SourceSettings]) -> Result<Self, Vec<Problem>> {
        let (mut opened, mut problems) = (Self::default(), Vec::new());
        let share = RECIPIENT_CACHES / u64::try_from(settings.len()).unwrap_or(u64::MAX).max(1);
        for one in settings {
            match open(one, share).await {
                Ok((source, warnings)) => {
                    opened.warnings.extend(warnings.into_iter().map(|warning| warning.of(one.name())));
                    opened.sources.push(Opened { source, kind: one.name(), meter: Meter::default() });
                }
                Err(found) => problems.extend(found.into_iter().map(|problem| problem.of(one.name()))),
            }
        }
        if problems.is_empty() { Ok(opened) } else { Err(problems) }
    }

    /// The same with its look-ups counted here.
    #[must_use]
    pub fn counted(mut self, counts: &Counts) -> Self {
        for opened in &mut self.sources {
            opened.meter = counts.meter(("recipient", opened.kind));
        }
        self
    }

    /// What is doubtful about the sources though they can be used.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// What is doubtful about the use of the sources for the domains that name them: recipients that nothing checks.
    pub async fn doubts(&self, settings: &[SourceSettings], uses: &[(&Domain, &[SourceId])]) -> Vec<Problem> {
        let mut doubts = Vec::new();
        for (number, (Opened { source, .. }, settings)) in self.sources.iter().zip(settings).enumerate() {
            let names = |ids: &[SourceId]| ids.iter().any(|id| id.number == number);
            let domains: Vec<&Domain> =
                uses.iter().filter(|(_, ids)| names(ids)).map(|(domain, _)| *domain).collect();
            let found = timeout(DOUBTING, source.doubts(&domains)).await.unwrap_or_else(|_| {
                let message = format!("whether recipients are checked was not told within {DOUBTING:?}");
                vec![Problem::new(message)]
            });
            doubts.extend(found.into_iter().map(|problem| problem.of(settings.name())));
        }
        doubts
    }

    /// The answer of one source.
    pub async fn find(&self, question: &RecipientQuestion) -> Existence {
        let Some(Opened { source, .. }) = self.sources.get(question.source.number) else {
            return Existence::Undetermined("this source is not open".to_owned());
        };
        match source.find(question).await {
            Existence::Unknown(_) => Existence::Unknown(source.name().to_owned()),
            answer => answer,
        }
    }

    /// What counts the answers of a source.
    pub fn meter(&self, source: SourceId) -> Option<&Meter> {
        self.sources.get(source.number).map(|opened| &opened.meter)
    }

    /// The sources with their kinds and names, by their number.
    pub fn meters(&self) -> impl Iterator<Item = (&'static str, &str, &Meter)> {
        self.sources.iter().map(|Opened { source, kind, meter }| (*kind, source.name(), meter))
    }

    /// Whether the server of a source, by its number, is known to have answered last.
    pub fn answered(&self, number: usize) -> bool {
        self.sources.get(number).is_some_and(|opened| opened.source.answered())
    }

    /// How often what sources had said before was enough.
    pub fn hits(&self) -> Hits {
        self.sources.iter().map(|opened| opened.source.hits()).fold(Hits::default(), |sum, hits| sum + hits)
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
        let found = match source
            .find(&RecipientQuestion { source: source_id, forms, case_sensitive: false, by_name: true })
            .await
        {
            Existence::Exists(by) => format!("exists: {by}"),
            Existence::Relocated { by, .. } => format!("relocated: {by}"),
            Existence::Ambiguous(by) => format!("ambiguous: {by}"),
            Existence::Wildcard(by) => format!("wildcard: {by}"),
            Existence::Unknown(_) => "unknown".to_owned(),
            Existence::NoList(why) => format!("no list: {why}"),
            Existence::Undetermined(why) => format!("undetermined: {why}"),
        };
        assert!(found.starts_with(expected), "{address}: {found}, not {expected}");
    }
}
