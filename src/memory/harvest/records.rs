//! The records of all networks, with the orders in which they are forgotten and looked at again.

use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;

use super::moment::Moment;
use super::record::{Danger, Record};

/// Whose guesses a record counts: a network, in the order of `IpNet`, and which of its mail.
///
/// In words, as every client and every recipient costs several comparisons of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Whose {
    is_ipv6: bool,
    /// The upper half of an IPv6 address, or an IPv4 address in the upper half of this.
    high: u64,
    low: u64,
    prefix_len: u8,
    null_sender: bool,
}

impl Whose {
    /// What stands for a client: its address, or its /64, all of which one host may use.
    pub(super) fn client(client: IpAddr, null_sender: bool) -> Self {
        match client {
            IpAddr::V4(_) => Self { null_sender, ..Self::address(client) },
            IpAddr::V6(_) => Self::around(client, null_sender),
        }
    }

    /// The /24 or the /64 of a client.
    pub(super) fn around(client: IpAddr, null_sender: bool) -> Self {
        let address = Self::address(client);
        if address.is_ipv6 {
            Self { low: 0, prefix_len: 64, null_sender, ..address }
        } else {
            Self { high: address.high & (u64::MAX << 40), prefix_len: 24, null_sender, ..address }
        }
    }

    /// One address, and mail with an ordinary sender.
    pub(super) fn address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => {
                let high = u64::from(address.to_bits()) << 32;
                Self { is_ipv6: false, high, low: 0, prefix_len: 32, null_sender: false }
            }
            IpAddr::V6(address) => {
                let segments = address.segments().map(u64::from);
                let in_one = |words: &[u64]| words.iter().fold(0, |before, word| before << 16 | word);
                let (high, low) = (in_one(&segments[..4]), in_one(&segments[4..]));
                Self { is_ipv6: true, high, low, prefix_len: 128, null_sender: false }
            }
        }
    }

    /// The network.
    pub(super) fn network(&self) -> IpNet {
        let address = if self.is_ipv6 {
            Ipv6Addr::from_bits(u128::from(self.high) << 64 | u128::from(self.low)).into()
        } else {
            let [a, b, c, d, ..] = self.high.to_be_bytes();
            IpAddr::from([a, b, c, d])
        };
        IpNet::new_assert(address, self.prefix_len)
    }

    /// Whether its mail is that with the null reverse-path.
    pub(super) fn null_sender(&self) -> bool {
        self.null_sender
    }
}

impl Hash for Whose {
    /// In one word for IPv4, as parts cost each their own.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let rest = u64::from(self.prefix_len) << 1 | u64::from(self.null_sender);
        if self.is_ipv6 {
            state.write_u64(self.high);
            state.write_u64(self.low);
            state.write_u64(rest);
        } else {
            state.write_u64(self.high | rest);
        }
    }
}

/// All records. Each has its place in both orders, and none is empty.
#[derive(Debug)]
pub(super) struct Records {
    window: Duration,
    by_network: HashMap<Whose, Record>,
    by_danger: BTreeSet<(Danger, Whose)>,
    by_due: BTreeSet<(Moment, Whose)>,
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
        let record = self.by_network.entry(whose).or_default();
        let before = Place::of(record, self.window);
        let outcome = change(record);
        let after = Place::of(record, self.window);
        if after.is_none() {
            self.by_network.remove(&whose);
        }
        self.put(whose, before, after);
        outcome
    }

    /// Changes all records; from now on a name counts for `window`.
    pub(super) fn change_all(&mut self, window: Duration, mut change: impl FnMut(&mut Record)) {
        let before = std::mem::replace(self, Self::new(window));
        for (whose, mut record) in before.by_network {
            change(&mut record);
            let place = Place::of(&record, window);
            if place.is_some() {
                self.by_network.insert(whose, record);
            }
            self.put(whose, None, place);
        }
    }

    /// Takes a record out.
    pub(super) fn remove(&mut self, whose: &Whose) -> Option<Record> {
        let record = self.by_network.remove(whose)?;
        self.put(*whose, Place::of(&record, self.window), None);
        Some(record)
    }

    /// Moves a record in the orders.
    fn put(&mut self, whose: Whose, before: Option<Place>, after: Option<Place>) {
        if before == after {
            return;
        }
        if let Some(Place { danger, due, size }) = before {
            self.by_danger.remove(&(danger, whose));
            self.by_due.remove(&(due, whose));
            self.size -= size;
        }
        if let Some(Place { danger, due, size }) = after {
            self.by_danger.insert((danger, whose));
            self.by_due.insert((due, whose));
            self.size += size;
        }
    }

    /// The network to forget first.
    pub(super) fn least_dangerous(&self) -> Option<Whose> {
        self.by_danger.first().map(|(_, whose)| *whose)
    }

    /// The next network of which something is void by now.
    pub(super) fn due(&self, now: Moment) -> Option<Whose> {
        self.by_due.first().filter(|(due, _)| *due <= now).map(|(_, whose)| *whose)
    }
}

/// Where a record stands in the orders, and how many entries of the memory it takes. An empty one has no place.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    danger: Danger,
    due: Moment,
    size: usize,
}

impl Place {
    fn of(record: &Record, window: Duration) -> Option<Self> {
        (!record.is_empty()).then(|| Self {
            danger: record.danger(),
            due: record.due(window),
            size: record.size(),
        })
    }
}
