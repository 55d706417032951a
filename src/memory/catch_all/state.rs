//! Everything that is known of names behind wildcards, within bounds.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::familiar::Familiar;
use super::judge::Verdict;
use super::name::{Correspondent, Deferral, MOST_DAYS, Name, Spf};
use super::overflow::Overflow;
use super::spread::Spreads;
use super::{
    FAMILIAR, MOST_ALL_CORRESPONDENTS, MOST_FAMILIAR, MOST_GUESSES, MOST_NAMES, NAMES, PROVEN_FOR, Seen,
    Sighting, UNTOLD, Untold,
};
use crate::mail::{Domain, Mailbox, ReversePath};
use crate::memory::store::{Change, Secret};
use crate::memory::{Day, Days};

/// How many names are looked through at a time for what is too old.
const TIDY_STEP: usize = 64;

/// Everything that is known.
#[derive(Debug)]
pub struct State {
    secret: Secret,
    /// How many days before today are kept.
    retention: u32,
    pub(super) names: HashMap<u64, Name>,
    pub(super) familiar: HashMap<u64, Familiar>,
    pub(super) spreads: Spreads,
    pub(super) untold: BTreeMap<Domain, Untold>,
    pub(super) overflow: Overflow,
    /// How many correspondents all names have together.
    correspondents: usize,
    /// The last day on which anything happened.
    today: Day,
    /// Names that are still to be looked through today.
    due: Vec<u64>,
}

impl State {
    /// What the rows of a file say.
    pub(super) fn new(
        secret: Secret,
        retention: u32,
        names: Vec<(u64, Name)>,
        familiar: Vec<(u64, Familiar)>,
        untold: Vec<(String, Untold)>,
    ) -> Self {
        let mut state = Self {
            secret,
            retention,
            names: names.into_iter().collect(),
            familiar: familiar.into_iter().collect(),
            spreads: Spreads::default(),
            untold: untold
                .into_iter()
                .filter_map(|(domain, row)| Some((domain.parse().ok()?, row)))
                .collect(),
            overflow: Overflow::default(),
            correspondents: 0,
            today: Day::MIN,
            due: Vec::new(),
        };
        for (id, name) in &state.names {
            state.correspondents += name.correspondents.len();
            for one in &name.correspondents {
                for day in one.days.iter() {
                    state.spreads.note(one.sender, day, *id);
                    state.spreads.note(one.domain, day, *id);
                }
                for (network, days) in &one.networks {
                    days.iter().for_each(|day| state.spreads.note(*network, day, *id));
                }
            }
            for deferral in &name.deferrals {
                for who in [deferral.sender, deferral.network] {
                    state.spreads.note(who, Day::of(deferral.first), *id);
                }
            }
        }
        state
    }

    /// The key of all hashes.
    pub(super) fn secret(&self) -> Secret {
        self.secret
    }

    /// From now on, that many days before today are kept.
    pub(super) fn set_retention(&mut self, days: u32) {
        self.retention = days;
    }

    /// All names, with what is known of each.
    pub fn names(&self) -> impl Iterator<Item = (u64, &Name)> {
        self.names.iter().map(|(id, name)| (*id, name))
    }

    /// Messages of a domain to names that are not kept, by day.
    pub fn untold(&self, domain: &Domain) -> BTreeMap<Day, u32> {
        self.untold.get(domain).map(|untold| untold.0.clone()).unwrap_or_default()
    }

    /// Everything as changes to an empty file.
    pub(super) fn rows(&self) -> Vec<Change> {
        let names = self.names.iter().map(|(id, name)| NAMES.put(id, name));
        let familiar = self.familiar.iter().map(|(id, row)| FAMILIAR.put(id, row));
        names
            .chain(familiar)
            .chain(self.untold.iter().map(|(domain, row)| UNTOLD.put(&domain.to_string(), row)))
            .collect()
    }

    /// The number under which a name is kept.
    pub(super) fn id(&self, mailbox: &Mailbox) -> u64 {
        self.secret.hash("name", mailbox)
    }

    /// The hash of a sender's shape, [apart](Spf::apart) by what SPF said; 0 for the null reverse-path.
    pub(super) fn sender(&self, sender: &ReversePath, spf: Spf) -> u64 {
        match sender {
            ReversePath::Null => 0,
            sender => spf.apart(self.secret.hash("sender", sender)),
        }
    }

    /// The hash of a network; 0 where it is not known.
    pub(super) fn network(&self, network: Option<&ipnet::IpNet>) -> u64 {
        network.map_or(0, |network| self.secret.hash("network", network))
    }

    /// The hash of the domain below a public suffix that a sender belongs to, likewise; 0 where there is none.
    fn organisation(&self, sender: &ReversePath, spf: Spf) -> u64 {
        let Some(domain) = sender.domain() else { return 0 };
        spf.apart(self.secret.hash("domain", domain.organisation()))
    }

    /// Takes note, and says which rows are to be written.
    pub(super) fn note(&mut self, sighting: &Sighting) -> Vec<Change> {
        let day = Day::of(sighting.at);
        let mut changes = self.turn(day);
        let id = self.id(&sighting.mailbox);
        match &sighting.seen {
            Seen::Ours => {
                // Once a day is enough to know that it is in use.
                let known = self.names.get(&id).and_then(|name| name.ours);
                if known < Some(day) && self.admits(id, &[], day, &mut changes) {
                    let name = self.entry(id, sighting);
                    name.ours = Some(day);
                    changes.push(NAMES.put(&id, name));
                }
            }
            Seen::ByName { sender } => {
                let sender = self.sender(sender, Spf::Pass);
                if sender != 0 && (self.familiar.len() < MOST_FAMILIAR || self.familiar.contains_key(&id)) {
                    let row = self.familiar.entry(id).or_insert_with(|| Familiar::new(day));
                    if row.add(sender, day) {
                        changes.push(FAMILIAR.put(&id, row));
                    }
                }
            }
            Seen::Deferred { sender, network } => {
                // Whoever is deferred may come from where he claims to, or not.
                let (sender, network) = (self.sender(sender, Spf::NotPass), self.network(network.as_ref()));
                let deferral = Deferral { sender, network, first: sighting.at };
                if !self.admits(id, &[sender, network], day, &mut changes) {
                    self.overflow.note(id, deferral);
                    return changes;
                }
                let name = self.entry(id, sighting);
                add(&mut name.days, day).deferred += 1;
                let crowded_out = name.defer(deferral);
                changes.push(NAMES.put(&id, name));
                if let Some(other) = crowded_out {
                    self.overflow.note(id, other);
                }
                for who in [sender, network] {
                    self.spreads.note(who, day, id);
                }
            }
            Seen::Accepted(accepted) => {
                let sender = self.sender(&accepted.sender, accepted.spf);
                let domain = self.organisation(&accepted.sender, accepted.spf);
                let network = self.network(accepted.network.as_ref());
                if !self.admits(id, &[sender, domain, network], day, &mut changes) {
                    self.leave_untold(&sighting.mailbox, day, 1, &mut changes);
                    return changes;
                }
                let name = self.entry(id, sighting);
                let tally = add(&mut name.days, day);
                tally.messages = tally.messages.saturating_add(1);
                tally.null_sender += u32::from(sender == 0);
                tally.ours += u32::from(accepted.is_ours);
                tally.returned += u32::from(accepted.returned);
                if accepted.is_ours {
                    name.ours = name.ours.max(Some(day));
                } else if sender != 0 {
                    let one = Correspondent {
                        sender,
                        domain,
                        spf: accepted.spf,
                        returned: accepted.returned,
                        days: Days::only(day),
                        messages: 1,
                        networks: if network == 0 { Vec::new() } else { vec![(network, Days::only(day))] },
                    };
                    self.correspond(id, one);
                }
                if let Some(name) = self.names.get(&id) {
                    changes.push(NAMES.put(&id, name));
                }
            }
        }
        changes
    }

    /// The name, begun if it is new.
    fn entry(&mut self, id: u64, sighting: &Sighting) -> &mut Name {
        let name = self.names.entry(id).or_insert_with(|| Name::new(sighting.mailbox.clone(), sighting.at));
        name.first = name.first.min(sighting.at);
        name.last = name.last.max(sighting.at);
        name
    }

    /// Adds a message of a correspondent to a name.
    fn correspond(&mut self, id: u64, one: Correspondent) {
        let day = one.days.last();
        let room = self.correspondents < MOST_ALL_CORRESPONDENTS;
        let Some(name) = self.names.get_mut(&id) else { return };
        let before = name.correspondents.len();
        let whos = [one.sender, one.domain, one.networks.first().map_or(0, |(network, _)| *network)];
        if name.is_met_by(one, room) {
            for who in whos {
                self.spreads.note(who, day, id);
            }
        }
        self.correspondents += name.correspondents.len() - before;
    }

    /// Whether a name is known or may be added. Who tries names by the hundred adds no more of them, so that a
    /// harvester cannot fill the store.
    fn admits(&mut self, id: u64, whos: &[u64], day: Day, changes: &mut Vec<Change>) -> bool {
        if self.names.contains_key(&id) {
            return true;
        }
        let tried = |who: &u64| self.spreads.on(*who, day).map_or(0, super::spread::Sample::names);
        if whos.iter().any(|who| tried(who) >= MOST_GUESSES) {
            return false;
        }
        if self.names.len() >= MOST_NAMES {
            self.make_room(changes);
        }
        self.names.len() < MOST_NAMES
    }

    /// Forgets a tenth of the names: of those that nobody vouches for, the ones that were seen least lately.
    fn make_room(&mut self, changes: &mut Vec<Change>) {
        let mut worthless: Vec<(Timestamp, u64)> = self
            .names
            .iter()
            .filter(|(_, name)| !name.may_be_real())
            .map(|(id, name)| (name.last, *id))
            .collect();
        worthless.sort_unstable();
        for (_, id) in worthless.into_iter().take(MOST_NAMES / 10) {
            self.forget(id, changes);
        }
    }

    /// Forgets a name, though not how many messages came for it.
    fn forget(&mut self, id: u64, changes: &mut Vec<Change>) {
        let Some(name) = self.names.remove(&id) else { return };
        self.correspondents -= name.correspondents.len();
        for (day, tally) in name.days {
            self.leave_untold(&name.mailbox, day, tally.messages, changes);
        }
        changes.push(NAMES.remove(&id));
    }

    fn leave_untold(&mut self, mailbox: &Mailbox, day: Day, messages: u32, changes: &mut Vec<Change>) {
        if messages > 0 {
            let oldest = self.today.back(self.retention);
            let row = self.untold.entry(mailbox.domain().clone()).or_default();
            let count = row.0.entry(day).or_default();
            *count = count.saturating_add(messages);
            row.0 = row.0.split_off(&oldest);
            changes.push(UNTOLD.put(&mailbox.domain().to_string(), row));
        }
    }

    /// Begins a new day, and goes on to look through the names for what is too old: a few at a time, so that nobody
    /// waits for it.
    fn turn(&mut self, day: Day) -> Vec<Change> {
        let mut changes = Vec::new();
        if day > self.today {
            self.today = day;
            // One day longer than the names, which are judged by them one last time.
            self.spreads.forget_before(day.back(self.retention + 1));
            self.due = self.names.keys().copied().collect();
            let old = self.familiar.extract_if(|_, row| row.last < day.back(self.retention));
            changes.extend(old.map(|(id, _)| FAMILIAR.remove(&id)));
        }
        for id in self.due.split_off(self.due.len().saturating_sub(TIDY_STEP)) {
            self.tidy(id, &mut changes);
        }
        changes
    }

    /// Drops what is too old of a name, and the name itself when nothing is left. What made it real is remembered.
    fn tidy(&mut self, id: u64, changes: &mut Vec<Change>) {
        let oldest = self.today.back(self.retention);
        let Some(name) = self.names.get(&id) else { return };
        if !name.has_before(oldest) {
            return;
        }
        let real = matches!(self.judge(id), Verdict::Real(_));
        let Some(name) = self.names.get_mut(&id) else { return };
        if real && name.proven.is_none_or(|day| day < oldest) {
            name.proven = Some(Day::of(name.last));
        }
        let before = name.correspondents.len();
        name.forget_before(oldest, self.today.back(PROVEN_FOR));
        self.correspondents -= before - name.correspondents.len();
        if name.is_empty() {
            self.names.remove(&id);
            changes.push(NAMES.remove(&id));
        } else {
            changes.push(NAMES.put(&id, name));
        }
    }
}

fn add(days: &mut BTreeMap<Day, super::name::Tally>, day: Day) -> &mut super::name::Tally {
    // Of a clock that jumps about, the latest days are kept.
    while days.len() >= MOST_DAYS && !days.contains_key(&day) {
        days.pop_first();
    }
    days.entry(day).or_default()
}
