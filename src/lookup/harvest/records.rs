//! The records of all networks, with the orders in which they are forgotten and looked at again.

use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;

use super::record::{Danger, Record};

/// Whose guesses a record counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Whose {
    pub(super) network: IpNet,
    /// Whether they are those of mail with the null reverse-path, or those of all other mail.
    pub(super) null_sender: bool,
}

impl Hash for Whose {
    /// In one word for IPv4: every recipient and every client costs several of these, and parts cost each their own.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let rest = u16::from(self.network.prefix_len()) << 1 | u16::from(self.null_sender);
        match self.network.addr() {
            IpAddr::V4(address) => state.write_u64(u64::from(u32::from(address)) << 16 | u64::from(rest)),
            IpAddr::V6(address) => {
                state.write_u128(address.into());
                state.write_u16(rest);
            }
        }
    }
}

/// All records. Each has its place in both orders, and none is empty.
#[derive(Debug)]
pub(super) struct Records {
    window: Duration,
    by_network: HashMap<Whose, Record>,
    by_danger: BTreeSet<(Danger, Whose)>,
    by_due: BTreeSet<(Timestamp, Whose)>,
    size: usize,
}

impl Records {
    /// No records; `window` is how long a name counts.
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window,
            by_network: HashMap::new(),
            by_danger: BTreeSet::new(),
            by_due: BTreeSet::new(),
            size: 0,
        }
    }

    /// How many entries of the memory they take.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The record of a network.
    pub(super) fn get(&self, whose: &Whose) -> Option<&Record> {
        self.by_network.get(whose)
    }

    /// All records, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Whose, &Record)> {
        self.by_network.iter()
    }

    /// Changes the record of a network, which is a new one where there was none, and goes where nothing is left in it.
    pub(super) fn change<T>(&mut self, whose: Whose, change: impl FnOnce(&mut Record) -> T) -> T {
        let mut record = self.remove(&whose).unwrap_or_default();
        let outcome = change(&mut record);
        self.insert(whose, record);
        outcome
    }

    /// Changes all records; from now on a name counts for `window`.
    pub(super) fn change_all(&mut self, window: Duration, mut change: impl FnMut(&mut Record)) {
        let before = std::mem::replace(self, Self::new(window));
        for (whose, mut record) in before.by_network {
            change(&mut record);
            self.insert(whose, record);
        }
    }

    /// Takes a record out.
    pub(super) fn remove(&mut self, whose: &Whose) -> Option<Record> {
        let record = self.by_network.remove(whose)?;
        self.by_danger.remove(&(record.danger(), *whose));
        self.by_due.remove(&(record.due(self.window), *whose));
        self.size -= record.size();
        Some(record)
    }

    fn insert(&mut self, whose: Whose, record: Record) {
        if !record.is_empty() {
            self.by_danger.insert((record.danger(), whose));
            self.by_due.insert((record.due(self.window), whose));
            self.size += record.size();
            self.by_network.insert(whose, record);
        }
    }

    /// The network to forget first.
    pub(super) fn least_dangerous(&self) -> Option<Whose> {
        self.by_danger.first().map(|(_, whose)| *whose)
    }

    /// The next network of which something is void by now.
    pub(super) fn due(&self, now: Timestamp) -> Option<Whose> {
        self.by_due.first().filter(|(due, _)| *due <= now).map(|(_, whose)| *whose)
    }
}
