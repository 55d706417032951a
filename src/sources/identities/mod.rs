//! Identities: which login may send as which mailbox, by what the administrator granted.
//!
//! A source is a file here and a line in `open`.

mod file;
pub mod grants;
#[cfg(feature = "ldap")]
mod ldap;
mod postfix_aliases;
mod postfix_sender_login_maps;
pub mod sql;

use std::fmt;
use std::path::{Path, PathBuf};

use tokio::time::Instant;

use crate::clients::counts::{Counts, Meter, Outcome};
use crate::clients::directory;
use crate::clients::files::problem::Problem;
use crate::clients::files::watched::{Reading, apart};
use crate::clients::sql::Settings;
use crate::facts::{Cost, Grant, GrantQuestion};
use crate::mail::Domain;

/// A source of grants, as the configuration describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceSettings {
    /// A file of grants (`file`).
    File(PathBuf),
    /// What Postfix's `smtpd_sender_login_maps` say (`postfix_sender_login_maps`).
    PostfixSenderLoginMaps {
        /// Where main.cf is; none for Postfix's own default.
        config_dir: Option<PathBuf>,
    },
    /// Aliases that deliver to the login (`postfix_aliases`).
    PostfixAliases {
        /// Where main.cf is; none for Postfix's own default.
        config_dir: Option<PathBuf>,
    },
    /// A directory (`ldap`).
    Ldap {
        /// How it is asked.
        directory: Box<directory::Settings>,
        /// The attributes whose values are grants, where an entry is none by itself.
        attributes: Vec<String>,
    },
    /// A database (`sql`).
    Sql(Settings),
}

impl SourceSettings {
    /// Its name in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::PostfixSenderLoginMaps { .. } => "postfix_sender_login_maps",
            Self::PostfixAliases { .. } => "postfix_aliases",
            Self::Ldap { .. } => "ldap",
            Self::Sql(_) => "sql",
        }
    }
}

impl SourceSettings {
    /// What it costs to ask it.
    pub fn cost(&self) -> Cost {
        match self {
            // What they say is read at start and on change.
            Self::File(_) | Self::PostfixSenderLoginMaps { .. } | Self::PostfixAliases { .. } => Cost::Memory,
            Self::Ldap { .. } | Self::Sql(_) => Cost::Near,
        }
    }
}

impl fmt::Display for SourceSettings {
    /// Its name with what tells it from others of its kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instance = |f: &mut fmt::Formatter<'_>, config_dir: Option<&Path>| match config_dir {
            Some(path) => write!(f, " of {}", path.display()),
            None => Ok(()),
        };
        f.write_str(self.name())?;
        match self {
            Self::File(path) => write!(f, " {}", path.display()),
            Self::PostfixSenderLoginMaps { config_dir } | Self::PostfixAliases { config_dir } => {
                instance(f, config_dir.as_deref())
            }
            Self::Ldap { directory, .. } => write!(f, " {}", directory.servers()),
            Self::Sql(settings) => write!(f, " {}", settings.url),
        }
    }
}

/// What opening a source gives: itself with what is doubtful about it, or all that is wrong.
type Opening = Reading<Box<dyn Source>>;

/// Every source of grants.
async fn open(settings: &SourceSettings, login_domain: Option<&Domain>) -> Opening {
    match settings {
        SourceSettings::File(path) => {
            let (path, login_domain) = (path.clone(), login_domain.cloned());
            apart(move || file::open(&path, login_domain)).await
        }
        SourceSettings::PostfixSenderLoginMaps { config_dir } => {
            postfix_sender_login_maps::open(config_dir.as_deref(), login_domain).await
        }
        SourceSettings::PostfixAliases { config_dir } => {
            postfix_aliases::open(config_dir.as_deref(), login_domain).await
        }
        SourceSettings::Ldap { directory, attributes } => {
            open_ldap(directory.clone(), attributes.clone()).await
        }
        SourceSettings::Sql(settings) => sql::open(settings).await,
    }
}

#[cfg(feature = "ldap")]
async fn open_ldap(directory: Box<directory::Settings>, attributes: Vec<String>) -> Opening {
    apart(move || ldap::open(&directory, &attributes)).await
}

#[cfg(not(feature = "ldap"))]
async fn open_ldap(_: Box<directory::Settings>, _: Vec<String>) -> Opening {
    Err(vec![directory::missing()])
}

/// The sources of grants, in the order of asking.
#[derive(Debug, Default)]
pub struct Identities {
    sources: Vec<Opened>,
    warnings: Vec<Problem>,
}

/// A source in use.
#[derive(Debug)]
struct Opened {
    source: Box<dyn Source>,
    /// Its name in the configuration.
    kind: &'static str,
    /// Its name with what tells it from others of its kind.
    name: String,
    meter: Meter,
}

/// One source of grants.
#[async_trait::async_trait]
pub trait Source: std::fmt::Debug + Send + Sync {
    /// Its name, as the configuration writes it.
    fn name(&self) -> &str;

    /// Its answer: [`Grant::NotGranted`] names nobody here, the collection does.
    async fn find(&self, question: &GrantQuestion) -> Grant;
}

impl Identities {
    /// Opens the sources. A login without a domain is one of `login_domain`.
    ///
    /// # Errors
    ///
    /// Everything for which a source cannot be used as it is meant.
    pub async fn open(
        settings: &[SourceSettings],
        login_domain: Option<&Domain>,
    ) -> Result<Self, Vec<Problem>> {
        let (mut opened, mut problems) = (Self::default(), Vec::new());
        for one in settings {
            match open(one, login_domain).await {
                Ok((source, warnings)) => {
                    opened.warnings.extend(warnings.into_iter().map(|warning| warning.of(one.name())));
                    let (kind, name, meter) = (one.name(), one.to_string(), Meter::default());
                    opened.sources.push(Opened { source, kind, name, meter });
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

    /// The same with its look-ups counted here.
    #[must_use]
    pub fn counted(mut self, counts: &Counts) -> Self {
        for opened in &mut self.sources {
            opened.meter = counts.meter(("grant", opened.kind));
        }
        self
    }

    /// The sources with their kinds and names.
    pub fn meters(&self) -> impl Iterator<Item = (&'static str, &str, &Meter)> {
        self.sources.iter().map(|opened| (opened.kind, opened.name.as_str(), &opened.meter))
    }

    /// The answer of the sources together: any ‘yes’ wins, else any ‘cannot tell’. Nobody waits for it longer than until
    /// `deadline`.
    pub async fn find(&self, question: &GrantQuestion, deadline: Instant) -> Grant {
        let mut trouble = None;
        for Opened { source, meter, .. } in &self.sources {
            match meter.watch(deadline, source.find(question), outcome).await {
                Grant::Granted(by) => return Grant::Granted(by),
                Grant::Undetermined(why) => {
                    trouble.get_or_insert(why);
                }
                Grant::NotGranted(_) => {}
            }
        }
        let asked = || self.sources.iter().map(|opened| opened.source.name().to_owned()).collect();
        trouble.map_or_else(|| Grant::NotGranted(asked()), Grant::Undetermined)
    }
}

/// What an answer counts as.
fn outcome(grant: &Grant) -> Outcome {
    match grant {
        Grant::Granted(_) => Outcome::Found,
        Grant::NotGranted(_) => Outcome::None,
        Grant::Undetermined(_) => Outcome::Failed,
    }
}
