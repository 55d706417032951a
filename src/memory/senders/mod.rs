//! Who sends as our own domains: what a domain's SPF record must cover, and what it would refuse.
//!
//! For each mail transaction whose reverse-path has a hosted domain, the client is counted, by what SPF says of it. What
//! comes from our own people, with a login, from this host or from a trusted network, leaves by our own hosts, so that its
//! client says nothing about SPF and is not kept.
//!
//! Anybody can send as our domains from any number of addresses, so that all of it is bounded: where there are more clients
//! than [`MOST_OF_DOMAIN`], those that nothing speaks for go first, and what they sent is counted together. Everything is
//! held in memory and written to the [store](super::store) as it changes.

mod row;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;
use tracing::warn;

use super::Day;
use super::store::{Change, OpenError, Queue, Resident, Rows, StoreError, Table};
use crate::mail::Domain;
use crate::mail::spf::SpfResult;

use row::{Id, Row};
pub use row::{MOST_DAYS, Sender, Source, Tally};

/// Clients kept of a domain, at most.
pub const MOST_OF_DOMAIN: usize = 500;

/// Clients kept of all domains together, at most.
pub const MOST: usize = 20_000;

/// The clients.
const SENDERS: Table<Id, Row> = Table::new("senders");

/// A mail transaction that used a hosted domain in its reverse-path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The domain.
    pub domain: Domain,
    /// The client, where the MTA knows one.
    pub client: Option<IpAddr>,
    /// When.
    pub at: Timestamp,
    /// What became of it.
    pub seen: Seen,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// One of our own sent it.
    Ours,
    /// A stranger sent it, with this result of SPF; none where it was not examined.
    Foreign(Option<SpfResult>),
    /// It was refused, or would be, as the client must not use the domain.
    Refused(Option<SpfResult>),
}

/// What is known of senders, and the way to learn more.
#[derive(Debug)]
pub struct Senders {
    queue: Arc<Queue>,
    /// In days.
    retention: AtomicU32,
    /// None until the store was opened for the first time.
    state: Mutex<Option<State>>,
}

#[derive(Debug, Default)]
struct State {
    domains: BTreeMap<Domain, BTreeMap<Source, Row>>,
    /// Rows of all domains.
    rows: usize,
    /// The day on which it was last seen to that old rows go.
    purged: Option<Day>,
}

impl Senders {
    /// Knows nothing until the store is opened. Changes go through `queue`; days are kept for `retention`.
    pub fn new(queue: Arc<Queue>, retention: Duration) -> Self {
        Self { queue, retention: AtomicU32::new(days(retention)), state: Mutex::new(None) }
    }

    /// From now on, days are kept that long.
    pub fn set_retention(&self, retention: Duration) {
        self.retention.store(days(retention), Ordering::Relaxed);
    }

    /// Takes note. It waits neither for the disk nor for anything else; where the store was never opened, nothing is noted.
    pub fn note(&self, sighting: &Sighting) {
        let retention = self.retention.load(Ordering::Relaxed);
        let mut state = self.lock();
        if let Some(state) = &mut *state {
            let mut changes = state.purge(Day::of(sighting.at), retention);
            changes.extend(state.note(sighting));
            self.queue.submit(changes);
        }
    }

    /// What a file knows: by domain, the busiest first.
    ///
    /// # Errors
    ///
    /// Why the file cannot be read.
    pub fn of_file(path: &Path) -> Result<Vec<Sender>, OpenError> {
        let rows = Rows::of_file(path)?;
        let (rows, _) = rows
            .all(&SENDERS)
            .map_err(|error| OpenError::Io(path.to_owned(), std::io::Error::other(error.to_string())))?;
        let mut senders: Vec<Sender> = rows.into_iter().map(|(id, row)| row.into_sender(id)).collect();
        senders.sort_by_cached_key(|sender| {
            (sender.domain.clone(), Reverse(sender.total(Day::MIN).all()), sender.source)
        });
        Ok(senders)
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, sighting: &Sighting) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut source = match (sighting.seen, sighting.client) {
            (Seen::Ours, _) => Source::Ours,
            (_, Some(client)) => Source::of(client),
            (_, None) => Source::Others,
        };
        let is_client = matches!(source, Source::Client(_));
        if is_client && !self.knows(&sighting.domain, source) && !self.make_room(sighting, &mut changes) {
            source = Source::Others;
        }
        let is_new = !self.knows(&sighting.domain, source);
        let rows = self.domains.entry(sighting.domain.clone()).or_default();
        let row = rows.entry(source).or_insert_with(|| Row::new(sighting.at));
        row.add(sighting);
        self.rows += usize::from(is_new);
        changes.push(SENDERS.put(&Id { domain: sighting.domain.clone(), source }, row));
        changes
    }

    fn knows(&self, domain: &Domain, source: Source) -> bool {
        self.domains.get(domain).is_some_and(|rows| rows.contains_key(&source))
    }

    /// Makes room for one more client of a domain; says whether there is any.
    fn make_room(&mut self, sighting: &Sighting, changes: &mut Vec<Change>) -> bool {
        let full = self.domains.get(&sighting.domain).is_some_and(|rows| rows.len() >= MOST_OF_DOMAIN);
        let domain = if full {
            sighting.domain.clone()
        } else if self.rows >= MOST {
            let largest = self.domains.iter().max_by_key(|(_, rows)| rows.len());
            match largest {
                Some((domain, _)) => domain.clone(),
                None => return true,
            }
        } else {
            return true;
        };
        let Some(rows) = self.domains.get_mut(&domain) else { return true };
        let is_client = |source: &Source| matches!(source, Source::Client(_));
        let least = rows.iter().filter(|(source, _)| is_client(source)).min_by_key(|(_, row)| row.worth());
        let Some((&source, row)) = least else { return false };
        // Who is not vouched for does not push out who is.
        let is_vouched_for = sighting.seen == Seen::Foreign(Some(SpfResult::Pass));
        if row.is_vouched_for() && !is_vouched_for {
            return false;
        }
        let Some(gone) = rows.remove(&source) else { return false };
        let others = rows.entry(Source::Others);
        self.rows -= usize::from(matches!(others, std::collections::btree_map::Entry::Occupied(_)));
        let others = others.or_insert_with(|| Row::new(gone.first));
        others.absorb(gone);
        changes.push(SENDERS.put(&Id { domain: domain.clone(), source: Source::Others }, others));
        changes.push(SENDERS.remove(&Id { domain, source }));
        true
    }

    /// Once a day, days that are older than the retention go, and rows without a day.
    fn purge(&mut self, today: Day, retention: u32) -> Vec<Change> {
        if self.purged.replace(today) == Some(today) {
            return Vec::new();
        }
        let oldest = today.back(retention);
        let mut changes = Vec::new();
        for (domain, rows) in &mut self.domains {
            rows.retain(|source, row| {
                let (stays, is_shorter) = row.forget(oldest);
                let id = Id { domain: domain.clone(), source: *source };
                if !stays {
                    changes.push(SENDERS.remove(&id));
                } else if is_shorter {
                    changes.push(SENDERS.put(&id, row));
                }
                stays
            });
        }
        self.domains.retain(|_, rows| !rows.is_empty());
        self.rows = self.domains.values().map(BTreeMap::len).sum();
        changes
    }
}

impl Resident for Senders {
    fn opened(&self, rows: &Rows) -> Result<Vec<Change>, StoreError> {
        let (found, unreadable) = rows.all(&SENDERS)?;
        if unreadable > 0 {
            warn!(unreadable, "rows of the store are of another version and do not count");
        }
        let mut state = self.lock();
        // What is known already is at least as new; into a file that was begun anew it goes as it is.
        if let Some(known) = &*state {
            let ids = known.domains.iter().flat_map(|(domain, rows)| {
                rows.iter().map(move |(source, row)| (Id { domain: domain.clone(), source: *source }, row))
            });
            return Ok(if found.is_empty() {
                ids.map(|(id, row)| SENDERS.put(&id, row)).collect()
            } else {
                Vec::new()
            });
        }
        let mut read = State { rows: found.len(), ..State::default() };
        for (id, row) in found {
            read.domains.entry(id.domain).or_default().insert(id.source, row);
        }
        *state = Some(read);
        Ok(Vec::new())
    }
}

impl Source {
    /// The client, or in IPv6 the /64 that its holder can choose an address from.
    fn of(client: IpAddr) -> Self {
        let client = client.to_canonical();
        let length = if client.is_ipv4() { 32 } else { 64 };
        IpNet::new(client, length).map_or(Self::Others, |network| Self::Client(network.trunc()))
    }
}

/// The days of a retention, at least one.
fn days(retention: Duration) -> u32 {
    u32::try_from(retention.as_secs().div_ceil(24 * 60 * 60)).unwrap_or(u32::MAX).max(1)
}
