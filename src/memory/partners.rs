//! The domains that our users write to, by the days on which they did.
//!
//! Nobody but our users can add to it, so that it may speak for strangers: a host that such a domain authorises is not
//! blocked for a few guesses of others who use it. What a program sends in answer to a stranger is none of our users'.
//!
//! It is bounded: where there are more than [`MOST`] domains, those go first that were written to on the fewest days, and
//! of these the ones longest ago. Everything is held in memory and written to the [store](super::store) as it changes.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tracing::warn;

use super::store::{Change, Input, Output, Queue, Record, Resident, Rows, StoreError, Table};
use super::{Day, Days};
use crate::mail::Domain;

/// Domains kept, at most.
pub const MOST: usize = 10_000;

/// For how many days a domain is kept that nobody writes to any more.
pub const KEPT: u32 = Days::SPAN;

/// The domains.
const PARTNERS: Table<String, Row> = Table::new("partners");

/// What is known of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    days: Days,
}

impl Row {
    fn rank(self) -> impl Ord {
        (self.days.iter().count(), self.days.last())
    }
}

impl Record for Row {
    const VERSION: u8 = 1;

    fn write(&self, output: &mut Output) {
        self.days.write(output);
    }

    fn read(version: u8, input: &mut Input<'_>) -> Option<Self> {
        (version == Self::VERSION).then_some(())?;
        Some(Self { days: Days::read(input)? })
    }
}

/// The domains, and the way to learn of more.
#[derive(Debug)]
pub struct Partners {
    queue: Arc<Queue>,
    /// None until the store was opened for the first time.
    rows: Mutex<Option<HashMap<Domain, Row>>>,
}

impl Partners {
    /// Knows nothing until the store is opened. Changes go through `queue`.
    pub fn new(queue: Arc<Queue>) -> Self {
        Self { queue, rows: Mutex::new(None) }
    }

    /// Takes note that one of our users wrote to these domains. It waits for nothing; where the store was never opened,
    /// nothing is noted.
    pub fn note<'a>(&self, domains: impl IntoIterator<Item = &'a Domain>, at: Timestamp) {
        let day = Day::of(at);
        let mut rows = self.lock();
        let Some(rows) = &mut *rows else { return };
        let mut changes = Vec::new();
        for domain in domains {
            // Once a day is enough.
            if rows.get(domain).is_some_and(|row| row.days.has(day)) {
                continue;
            }
            if rows.len() >= MOST && !rows.contains_key(domain) {
                make_room(rows, day, &mut changes);
            }
            let row = rows.entry(domain.clone()).or_insert(Row { days: Days::only(day) });
            row.days.add(day);
            changes.push(PARTNERS.put(&domain.to_string(), row));
        }
        if !changes.is_empty() {
            self.queue.submit(changes);
        }
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.lock().as_ref().is_none_or(HashMap::is_empty)
    }

    /// Whether our users write to a domain.
    pub fn knows(&self, domain: &Domain, now: Timestamp) -> bool {
        let oldest = Day::of(now).back(KEPT - 1);
        self.lock().as_ref().and_then(|rows| rows.get(domain)).is_some_and(|row| row.days.last() >= oldest)
    }

    /// The domains that our users write to most, by days, at most so many.
    pub fn first(&self, number: usize, now: Timestamp) -> Vec<Domain> {
        let oldest = Day::of(now).back(KEPT - 1);
        let rows = self.lock();
        let mut rows: Vec<(&Domain, &Row)> =
            rows.iter().flatten().filter(|(_, row)| row.days.last() >= oldest).collect();
        rows.sort_unstable_by_key(|(domain, row)| (Reverse(row.rank()), *domain));
        rows.into_iter().take(number).map(|(domain, _)| domain.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<Domain, Row>>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what is too old, and at least a tenth of all, so that nobody pays for it often.
fn make_room(rows: &mut HashMap<Domain, Row>, today: Day, changes: &mut Vec<Change>) {
    let oldest = today.back(KEPT - 1);
    let mut all: Vec<(Domain, Row)> = rows.iter().map(|(domain, row)| (domain.clone(), *row)).collect();
    all.sort_unstable_by_key(|(_, row)| (row.days.last() >= oldest, row.rank()));
    let old = all.iter().take_while(|(_, row)| row.days.last() < oldest).count();
    for (domain, _) in all.into_iter().take(old.max(MOST / 10)) {
        rows.remove(&domain);
        changes.push(PARTNERS.remove(&domain.to_string()));
    }
}

impl Resident for Partners {
    fn opened(&self, rows: &Rows) -> Result<Vec<Change>, StoreError> {
        let (found, unreadable) = rows.all(&PARTNERS)?;
        if unreadable > 0 {
            warn!(unreadable, "rows of the store are of another version and do not count");
        }
        let mut known = self.lock();
        // What is known already is at least as new; into a file that was begun anew it goes as it is.
        if let Some(known) = &*known {
            let rows = || known.iter().map(|(domain, row)| PARTNERS.put(&domain.to_string(), row));
            return Ok(if found.is_empty() { rows().collect() } else { Vec::new() });
        }
        *known =
            Some(found.into_iter().filter_map(|(domain, row)| Some((domain.parse().ok()?, row))).collect());
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn at(day: i64) -> Timestamp {
        "2026-11-02T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * day)
    }

    fn partners() -> Partners {
        let partners = Partners::new(Arc::default());
        *partners.rows.lock().unwrap() = Some(HashMap::new());
        partners
    }

    fn domain(name: &str) -> Domain {
        name.parse().unwrap()
    }

    #[test]
    fn those_written_to_on_most_days_come_first() {
        let partners = partners();
        for day in 0..5 {
            partners.note([&domain("daily.example")], at(day));
            if day % 2 == 0 {
                partners.note([&domain("often.example"), &domain("often.example")], at(day));
            }
        }
        partners.note([&domain("once.example")], at(4));
        let first = |number, day| {
            let names = partners.first(number, at(day)).into_iter().map(|domain| domain.to_string());
            names.collect::<Vec<_>>()
        };
        assert_eq!(first(2, 5), ["daily.example", "often.example"]);
        assert_eq!(first(9, 5).len(), 3);
        assert!(partners.knows(&domain("once.example"), at(60)));
        assert!(!partners.knows(&domain("other.example"), at(5)));
        // Nobody writes to them any more.
        assert!(!partners.knows(&domain("once.example"), at(5 + i64::from(KEPT))));
        assert_eq!(first(9, 5 + i64::from(KEPT)), [""; 0]);
    }

    #[test]
    fn those_written_to_least_go_first() {
        let partners = partners();
        for day in 0..3 {
            partners.note([&domain("kept.example")], at(day));
        }
        for number in 0..2 * MOST {
            partners.note([&domain(&format!("d{number}.example"))], at(3));
        }
        assert!(partners.rows.lock().unwrap().as_ref().unwrap().len() <= MOST);
        assert!(partners.knows(&domain("kept.example"), at(3)));
    }

    #[test]
    fn nothing_is_known_before_the_store_is_open() {
        let partners = Partners::new(Arc::default());
        partners.note([&domain("a.example")], at(0));
        assert!(!partners.knows(&domain("a.example"), at(0)));
        assert_eq!(partners.first(9, at(0)), []);
    }
}
