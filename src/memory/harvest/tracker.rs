//! The counting itself.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::moment::Moment;
use super::names::Names;
use super::record::{Asked, Blocked, Excuse, Noted, Record};
use super::records::{Records, Whose};
use super::settings::Settings;

/// How far the time may go back and be taken as standing still. Sessions read the clock at the same time, but come to
/// the tracker one after the other.
const STANDSTILL: SignedDuration = SignedDuration::from_mins(1);

/// Domains that answer for their hosts at a time, at most: a few megabytes of names.
const MOST_PARTNERS: usize = 64;

/// Who asked for which names, and who is blocked.
///
/// Times need not come in order. Where the clock is set back, all that is remembered goes back with it: what was to last
/// for ten more minutes still does.
#[derive(Debug)]
pub struct Tracker {
    settings: Settings,
    records: Records,
    /// The unknown names that hosts of a domain which our users write to asked for, by the hash of the domain.
    partners: HashMap<u64, Names>,
    /// Names are remembered as 64 bits that nobody can foresee without this.
    key: RandomState,
    latest: Moment,
    events: Vec<Event>,
}

/// Who asks for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The client's address.
    pub client: IpAddr,
    /// Whether its mail has the null reverse-path.
    pub null_sender: bool,
    /// Whether it may be a trusted forwarder, or a host of a domain that our users write to, which takes DNS to know.
    pub may_be_excused: bool,
}

/// A network that is blocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// An address, a /64 or a /24.
    pub network: IpNet,
    /// When it was blocked.
    pub since: Timestamp,
    /// The first moment at which it is not blocked any more.
    pub until: Timestamp,
    /// For how many unknown names.
    pub names: usize,
    /// How often it was blocked by now, each time within a day of the last.
    pub times: u32,
    /// Whether only its mail with the null reverse-path is blocked.
    #[serde(default)]
    pub null_sender: bool,
}

/// What is worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A network is blocked from now on.
    Began(Block),
    /// A network is blocked no longer.
    Ended(Block, End),
}

/// Why a block ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its time was over.
    Over,
    /// The administrator released the network.
    Released,
    /// The network is exempt now.
    Exempt,
    /// It was only spoken of, and from now on blocks refuse.
    Enforced,
    /// There is less memory than there are blocks.
    NoRoom,
}

impl Tracker {
    /// Nobody has asked for anything yet.
    pub fn new(settings: Settings, now: Timestamp) -> Self {
        let records = Records::new(settings.window);
        let (partners, key, events) = Default::default();
        Self { settings, records, partners, key, latest: now.into(), events }
    }

    /// A client asked for a name that does not exist. It is in canonical form, or one name counts as many.
    ///
    /// Where that would begin a block, and the client [may be excused](Asker::may_be_excused), none begins. Instead it
    /// returns the addresses that asked for the names. Those that are forwarders are to be [excused](Self::excuse), those
    /// of domains that our users write to [vouched for](Self::vouch), and then the name noted again as that of a client
    /// which is neither. It is not asked for the same network again within a minute.
    pub fn note_unknown(&mut self, asker: Asker, name: &str, now: Timestamp) -> Vec<IpAddr> {
        self.note(asker, name, false, now)
    }

    /// A message of a client to this name was accepted.
    pub fn note_good(&mut self, asker: Asker, name: &str, now: Timestamp) {
        self.note(asker, name, true, now);
    }

    fn note(&mut self, by: Asker, name: &str, is_good: bool, now: Timestamp) -> Vec<IpAddr> {
        let now = self.advance(now);
        let Asker { client, null_sender, may_be_excused } = by;
        let own = Whose::client(client, null_sender);
        let record = self.records.get(&own);
        let is_blocked = record.is_some_and(|record| record.block().is_some());
        // Of an IPv4 address with an ordinary sender both stand in the same record.
        let excuse = if own == Whose::address(client) {
            record.and_then(Record::excused)
        } else {
            self.excused(client)
        };
        if is_blocked || excuse == Some(Excuse::Forwarder) || self.settings.is_exempt(client) {
            return Vec::new();
        }
        let hash = self.key.hash_one(name);
        if let Some(Excuse::Partner(domain)) = excuse {
            if is_good || self.note_for(domain, hash, now) {
                return Vec::new();
            }
            // Its domain can answer for no more.
            self.records.change(Whose::address(client), Record::accuse);
        }
        let mut suspects = Vec::new();
        let asked = if is_good { Asked::Good } else { Asked::Unknown };
        if self.note_at(own, hash, asked, may_be_excused, now) == Noted::Suspect {
            suspects.push(client);
        }
        if let IpAddr::V4(address) = client {
            let octet = address.octets()[3];
            let asked = if is_good { Asked::Good } else { Asked::UnknownBy(octet) };
            let around = Whose::around(client, null_sender);
            if self.note_at(around, hash, asked, may_be_excused, now) == Noted::Suspect {
                suspects = self.offenders(&around);
            }
        }
        self.make_room();
        suspects
    }

    fn note_at(&mut self, whose: Whose, hash: u64, asked: Asked, forwarded: bool, now: Moment) -> Noted {
        let settings = &self.settings;
        let noted = self.records.change(whose, |record| record.note(settings, hash, asked, forwarded, now));
        if noted == Noted::Blocked {
            let block = self.records.get(&whose).and_then(|record| block(whose, record));
            self.events.extend(block.map(Event::Began));
        }
        noted
    }

    /// The addresses of a /24 that asked for unknown names.
    fn offenders(&self, whose: &Whose) -> Vec<IpAddr> {
        let IpAddr::V4(network) = whose.network().addr() else { return Vec::new() };
        let [a, b, c, _] = network.octets();
        let octets = self.records.get(whose).into_iter().flat_map(Record::offenders);
        octets.map(|octet| IpAddr::from([a, b, c, octet])).collect()
    }

    /// Notes an unknown name on the account of a domain, and says whether there was room for it.
    fn note_for(&mut self, domain: u64, hash: u64, now: Moment) -> bool {
        let window = self.settings.window;
        let Some(names) = self.partners.get_mut(&domain) else { return false };
        names.forget(window, now);
        let has_room = names.unknown() < Settings::MOST_NAMES;
        if has_room {
            names.note(hash, false, now);
        }
        has_room
    }

    /// Takes a client for a trusted forwarder: forgets what it asked for, releases it, and counts nothing of it for an
    /// hour. All that a /64 asked for is forgotten, as nothing tells there who did.
    pub fn excuse(&mut self, client: IpAddr, now: Timestamp) {
        let now = self.advance(now);
        self.pardon(client, Excuse::Forwarder, now);
    }

    /// Takes a client for a host of a domain that our users write to: what it asked for, and what it asks for within an
    /// hour, is on the domain's account, and no more on its own and its network's. Whether there is room on it: for
    /// [`Settings::MOST_NAMES`] in a window, so that nobody gains more who got our users to write to him.
    pub fn vouch(&mut self, client: IpAddr, domain: &str, now: Timestamp) -> bool {
        let now = self.advance(now);
        let (domain, window) = (self.key.hash_one(domain), self.settings.window);
        self.partners.retain(|_, names| {
            names.forget(window, now);
            names.len() > 0
        });
        if self.partners.len() >= MOST_PARTNERS && !self.partners.contains_key(&domain) {
            return false;
        }
        let names = self.partners.entry(domain).or_default();
        for null_sender in [false, true] {
            if let Some(record) = self.records.get(&Whose::client(client, null_sender)) {
                names.take_over(record.names(), now);
            }
        }
        let has_room = names.unknown() < Settings::MOST_NAMES;
        if has_room {
            self.pardon(client, Excuse::Partner(domain), now);
        }
        has_room
    }

    fn pardon(&mut self, client: IpAddr, excuse: Excuse, now: Moment) {
        for null_sender in [false, true] {
            let own = Whose::client(client, null_sender);
            let Some(record) = self.records.remove(&own) else { continue };
            self.events.extend(block(own, &record).map(|block| Event::Ended(block, End::Exempt)));
            let around = Whose::around(client, null_sender);
            if let IpAddr::V4(address) = client
                && self.records.get(&around).is_some()
            {
                self.records.change(around, |whole| whole.take_away(address.octets()[3], &record));
            }
        }
        // It is remembered at its one address, whatever stands for it elsewhere.
        self.records.change(Whose::address(client), |record| record.excuse(excuse, now));
        self.make_room();
    }

    fn excused(&self, client: IpAddr) -> Option<Excuse> {
        self.records.get(&Whose::address(client)).and_then(Record::excused)
    }

    /// The block that a client's mail is under, with the null reverse-path or another; of several the longest one.
    pub fn block_of(&mut self, client: IpAddr, null_sender: bool, now: Timestamp) -> Option<Block> {
        self.advance(now);
        if self.settings.is_exempt(client) {
            return None;
        }
        let accounts: &[bool] = if null_sender { &[false, true] } else { &[false] };
        let mut longest = None;
        for null_sender in accounts.iter().copied() {
            // The /64 of an IPv6 client stands for the client itself.
            let wider = client.is_ipv4().then(|| Whose::around(client, null_sender));
            for whose in [Some(Whose::client(client, null_sender)), wider].into_iter().flatten() {
                let until = self.records.get(&whose).and_then(Record::blocked_until);
                longest = longest.max(until.map(|until| (until, whose)));
            }
        }
        let (_, whose) = longest?;
        // What others in its network did does not concern a client that is excused.
        if self.excused(client).is_some() {
            return None;
        }
        block(whose, self.records.get(&whose)?)
    }

    /// The networks that are blocked, in the order of their addresses.
    pub fn list(&mut self, now: Timestamp) -> Vec<Block> {
        self.advance(now);
        let mut blocks: Vec<Block> =
            self.records.iter().filter_map(|(whose, record)| block(*whose, record)).collect();
        blocks.sort_unstable_by_key(|block| (block.network, block.null_sender));
        blocks
    }

    /// Releases what is blocked within a network or around it, or everything, and forgets what was counted against it
    /// and how often it was blocked. Returns what was released.
    pub fn release(&mut self, network: Option<IpNet>, now: Timestamp) -> Vec<Block> {
        self.advance(now);
        self.forget(End::Released, |own, record| match network {
            None => true,
            Some(network) => network.contains(own) || (own.contains(&network) && record.block().is_some()),
        })
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Puts other settings into force. Blocks keep their ends, apart from those of networks that are exempt now, and
    /// from those that were only spoken of if blocks refuse from now on.
    pub fn apply(&mut self, settings: Settings, now: Timestamp) {
        self.advance(now);
        if settings.enforced && !self.settings.enforced {
            self.forget(End::Enforced, |_, _| true);
        }
        self.forget(End::Exempt, |own, _| settings.free().any(|network| network.contains(own)));
        self.settings = settings;
        self.records.change_all(self.settings.window, |_| {});
        self.make_room();
    }

    /// Ends what is over by now. Everything else here does so too; this is for when nothing else happens.
    pub fn expire(&mut self, now: Timestamp) {
        self.advance(now);
    }

    /// What has happened since this was last asked for, in order.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// How many names and networks are remembered.
    pub fn entries(&self) -> usize {
        self.records.size()
    }

    /// Lets time pass. Returns the time that it is.
    fn advance(&mut self, now: Timestamp) -> Moment {
        let (window, now) = (self.settings.window, Moment::from(now));
        let back = self.latest.since(now);
        if back > STANDSTILL {
            self.records.change_all(window, |record| record.shift(back));
            self.partners.values_mut().for_each(|names| names.shift(back));
            self.latest = now;
        }
        self.latest = self.latest.max(now);
        let now = self.latest;
        while let Some(whose) = self.records.due(now) {
            let ended = self.records.get(&whose).and_then(|record| block(whose, record));
            self.records.change(whose, |record| record.refresh(window, now));
            self.events.extend(ended.map(|block| Event::Ended(block, End::Over)));
        }
        now
    }

    /// Forgets records. Returns the blocks that end with them.
    fn forget(&mut self, why: End, which: impl Fn(&IpNet, &Record) -> bool) -> Vec<Block> {
        let is_meant = |(whose, record): &(&Whose, &Record)| which(&whose.network(), record);
        let mut all: Vec<Whose> = self.records.iter().filter(is_meant).map(|(whose, _)| *whose).collect();
        all.sort_unstable();
        let mut ended = Vec::new();
        for whose in all {
            ended.extend(self.records.remove(&whose).and_then(|record| block(whose, &record)));
        }
        self.events.extend(ended.iter().cloned().map(|block| Event::Ended(block, why)));
        ended
    }

    fn make_room(&mut self) {
        while self.records.size() > self.settings.memory_entries {
            let Some(whose) = self.records.least_dangerous() else { return };
            let ended = self.records.remove(&whose).and_then(|record| block(whose, &record));
            self.events.extend(ended.map(|block| Event::Ended(block, End::NoRoom)));
        }
    }
}

/// The block that a record holds.
fn block(whose: Whose, record: &Record) -> Option<Block> {
    let (Blocked { since, until, names }, times) = record.block()?;
    let names = usize::try_from(names).unwrap_or(usize::MAX);
    let (network, null_sender) = (whose.network(), whose.null_sender());
    Some(Block { network, since: since.into(), until: until.into(), names, times, null_sender })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
