//! Recipients that an SMTP or LMTP server would take mail for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::one_by_one::{OneByOne, Server};
use super::probed::{Lifetimes, Probed};
use super::{CallAheadSettings, Source};
use crate::clients::remembered::{Hits, Remembered};
use crate::clients::smtp::{CallAhead, Dialect, Verdict};
use crate::facts::Existence;
use crate::mail::Mailbox;

/// How long it is believed at most that a mailbox is closed. It may be opened at any moment, and is nothing to guess.
const CLOSED: Duration = Duration::from_mins(10);

/// The part of the cache, as its divisor, for what random names came to: one for each hosted domain.
const PROBE_SHARE: u64 = 4;

/// A probe is a call to another server, which may count refusals against us.
const PROBES: Lifetimes = Lifetimes { wildcard: Duration::from_mins(10), names: Duration::from_hours(1) };

/// The server, and what it said.
#[derive(Debug)]
struct Recipients {
    name: String,
    server: CallAhead,
    exists: Duration,
    unknown: Duration,
    remembered: Remembered<Mailbox, Existence>,
    /// Whether the server spoke to us last time, whatever it said of the mailbox.
    answered: AtomicBool,
}

/// Takes the server; it is asked for nothing yet. What it says is remembered in `cache` octets at most.
pub(super) fn open(dialect: Dialect, settings: &CallAheadSettings, cache: u64) -> Box<dyn Source> {
    let CallAheadSettings { server, sender, host_name, exists, unknown } = settings;
    let server = CallAhead::new(dialect, server.clone(), host_name, sender.clone());
    let word = match dialect {
        Dialect::Smtp => "smtp",
        Dialect::Lmtp => "lmtp",
    };
    let recipients = Recipients {
        name: format!("{word} {}", server.endpoint()),
        server,
        exists: *exists,
        unknown: *unknown,
        remembered: Remembered::new(
            cache - cache / PROBE_SHARE,
            |mailbox: &Mailbox, existence: &Existence| {
                mailbox.local_part().len() + mailbox.domain().as_str().len() + existence.octets()
            },
        ),
        answered: AtomicBool::new(false),
    };
    Box::new(Probed::new(OneByOne(recipients), PROBES, cache / PROBE_SHARE))
}

impl Recipients {
    /// Asks the server; the answer with the time for which it may be believed.
    async fn ask(&self, mailbox: &Mailbox) -> Result<(Existence, Duration), String> {
        let by = || format!("{mailbox} ({})", self.name);
        let verdict = self.server.find(mailbox).await;
        self.answered.store(verdict.is_ok(), Ordering::Relaxed);
        match verdict {
            Ok(Verdict::Exists) => Ok((Existence::Exists(by().into()), self.exists)),
            Ok(Verdict::Relocated(to)) => {
                let to = to.map_or_else(|| "a new address".to_owned(), |to| to.to_string());
                Ok((Existence::Relocated { to, by: by().into() }, self.unknown))
            }
            Ok(Verdict::Unknown(_)) => Ok((Existence::Unknown(String::new()), self.unknown)),
            Ok(Verdict::Closed(_)) => Ok((Existence::Unknown(String::new()), self.unknown.min(CLOSED))),
            Ok(Verdict::Undetermined(why)) => Err(format!("{}: {why}", self.name)),
            Err(trouble) => Err(format!("{}: {trouble}", self.name)),
        }
    }
}

#[async_trait::async_trait]
impl Server for Recipients {
    fn name(&self) -> &str {
        &self.name
    }

    async fn find(&self, mailbox: &Mailbox) -> Existence {
        let found = self.remembered.find(mailbox, self.ask(mailbox)).await;
        found.unwrap_or_else(Existence::Undetermined)
    }

    fn hits(&self) -> Hits {
        self.remembered.hits()
    }

    fn answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }
}
