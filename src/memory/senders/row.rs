//! What is kept of one client that sends as a domain, and its form in the store.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;

use super::{Seen, Sighting};
use crate::mail::Domain;
use crate::mail::spf::SpfResult;
use crate::memory::Day;
use crate::memory::store::{Input, Key, Output, Record};

/// Days kept of a client, at most; the earliest go first.
pub const MOST_DAYS: usize = 32;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Our own people, through our own hosts.
    Ours,
    /// This address, or this /64.
    Client(IpNet),
    /// Clients that are not kept one by one.
    Others,
}

/// Transactions, by what SPF said of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// From our own people.
    pub ours: u32,
    /// Of strangers: pass.
    pub pass: u32,
    /// fail and permerror.
    pub fail: u32,
    /// softfail and neutral.
    pub softfail: u32,
    /// none.
    pub none: u32,
    /// temperror, or not examined.
    pub unknown: u32,
    /// How many of them were refused, or would be, as the client must not use the domain.
    pub refused: u32,
}

impl Tally {
    /// All transactions.
    pub fn all(self) -> u32 {
        let Self { ours, pass, fail, softfail, none, unknown, refused: _ } = self;
        [ours, pass, fail, softfail, none, unknown].into_iter().fold(0, u32::saturating_add)
    }

    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        for (field, more) in self.fields_mut().into_iter().zip(other.fields()) {
            *field = field.saturating_add(more);
        }
        self
    }

    fn fields(self) -> [u32; 7] {
        let Self { ours, pass, fail, softfail, none, unknown, refused } = self;
        [ours, pass, fail, softfail, none, unknown, refused]
    }

    fn fields_mut(&mut self) -> [&mut u32; 7] {
        let Self { ours, pass, fail, softfail, none, unknown, refused } = self;
        [ours, pass, fail, softfail, none, unknown, refused]
    }

    fn of(seen: Seen) -> Self {
        let (result, refused) = match seen {
            Seen::Ours => return Self { ours: 1, ..Self::default() },
            Seen::Foreign(result) => (result, 0),
            Seen::Refused(result) => (result, 1),
        };
        let tally = Self { refused, ..Self::default() };
        match result {
            Some(SpfResult::Pass) => Self { pass: 1, ..tally },
            Some(SpfResult::Fail | SpfResult::Permerror) => Self { fail: 1, ..tally },
            Some(SpfResult::Softfail | SpfResult::Neutral) => Self { softfail: 1, ..tally },
            Some(SpfResult::None) => Self { none: 1, ..tally },
            Some(SpfResult::Temperror) | None => Self { unknown: 1, ..tally },
        }
    }
}

/// A client that sends as a domain, for those who ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The domain.
    pub domain: Domain,
    /// Who sends.
    pub source: Source,
    /// The address that was seen last, where clients are kept one by one.
    pub address: Option<IpAddr>,
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// What it sent, by day.
    pub days: BTreeMap<Day, Tally>,
}

impl Sender {
    /// What it sent from a day on.
    pub fn total(&self, since: Day) -> Tally {
        self.days.range(since..).fold(Tally::default(), |sum, (_, tally)| sum.plus(*tally))
    }
}

/// Which row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) domain: Domain,
    pub(super) source: Source,
}

impl Key for Id {
    fn encode(&self) -> Vec<u8> {
        let source = match self.source {
            Source::Ours => "ours".to_owned(),
            Source::Client(network) => network.to_string(),
            Source::Others => "others".to_owned(),
        };
        format!("{} {source}", self.domain).into_bytes()
    }

    fn decode(octets: &[u8]) -> Option<Self> {
        let (domain, source) = std::str::from_utf8(octets).ok()?.split_once(' ')?;
        let source = match source {
            "ours" => Source::Ours,
            "others" => Source::Others,
            network => Source::Client(network.parse().ok()?),
        };
        Some(Self { domain: domain.parse().ok()?, source })
    }
}

/// What is kept under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    address: Option<IpAddr>,
    pub(super) first: Timestamp,
    last: Timestamp,
    days: BTreeMap<Day, Tally>,
}

impl Row {
    pub(super) fn new(at: Timestamp) -> Self {
        Self { address: None, first: at, last: at, days: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, sighting: &Sighting) {
        (self.first, self.last) = (self.first.min(sighting.at), self.last.max(sighting.at));
        if sighting.seen != Seen::Ours {
            self.address = sighting.client.map(|client| client.to_canonical());
        }
        self.add_day(Day::of(sighting.at), Tally::of(sighting.seen));
    }

    fn add_day(&mut self, day: Day, tally: Tally) {
        let known = self.days.entry(day).or_default();
        *known = known.plus(tally);
        while self.days.len() > MOST_DAYS {
            self.days.pop_first();
        }
    }

    /// Takes over what another one sent.
    pub(super) fn absorb(&mut self, other: Self) {
        self.address = None;
        (self.first, self.last) = (self.first.min(other.first), self.last.max(other.last));
        for (day, tally) in other.days {
            self.add_day(day, tally);
        }
    }

    /// Whether a domain has said that it is one of its own.
    pub(super) fn is_vouched_for(&self) -> bool {
        self.days.values().any(|tally| tally.pass > 0)
    }

    /// What speaks for keeping it: that it passes, how much it sent, and how lately.
    pub(super) fn worth(&self) -> (bool, u32, Timestamp) {
        let sent = self.days.values().fold(0, |sum: u32, tally| sum.saturating_add(tally.all()));
        (self.is_vouched_for(), sent, self.last)
    }

    /// Forgets days before that one; whether anything is left, and whether anything has gone.
    pub(super) fn forget(&mut self, oldest: Day) -> (bool, bool) {
        let kept = self.days.split_off(&oldest);
        let changed = !self.days.is_empty();
        self.days = kept;
        (!self.days.is_empty(), changed)
    }

    pub(super) fn into_sender(self, id: Id) -> Sender {
        let Self { address, first, last, days } = self;
        Sender { domain: id.domain, source: id.source, address, first, last, days }
    }
}

/// Version 1: the address as text, empty for none; first and last in milliseconds; then the days, each with its number
/// and the seven counts of a [`Tally`] in their order.
impl Record for Row {
    const VERSION: u8 = 1;

    fn write(&self, output: &mut Output) {
        output.text(&self.address.map_or_else(String::new, |address| address.to_string()));
        output.signed(self.first.as_millisecond());
        output.signed(self.last.as_millisecond());
        output.number(self.days.len() as u64);
        for (day, tally) in &self.days {
            output.signed(day.number());
            tally.fields().into_iter().for_each(|count| output.number(count));
        }
    }

    fn read(version: u8, input: &mut Input<'_>) -> Option<Self> {
        (version == Self::VERSION).then_some(())?;
        let address = input.text()?;
        let address = if address.is_empty() { None } else { Some(address.parse().ok()?) };
        let (first, last) = (input.signed()?, input.signed()?);
        let days = input.list(MOST_DAYS, |input| {
            let day = Day::of_number(input.signed()?);
            let mut tally = Tally::default();
            for field in tally.fields_mut() {
                *field = input.number()?;
            }
            Some((day, tally))
        })?;
        let time = |milliseconds| Timestamp::from_millisecond(milliseconds).ok();
        Some(Self { address, first: time(first)?, last: time(last)?, days: days.into_iter().collect() })
    }
}
