//! How much is kept of one name, and what goes when there is more or when it is too old.

use super::name::{Correspondent, Deferral, MOST_CORRESPONDENTS, MOST_DEFERRALS, MOST_NETWORKS, Name, Spf};
use crate::memory::{Day, Days};

impl Name {
    /// Adds a message of a correspondent, and says whether he is among those that are kept. A name without any has room
    /// for one in any case.
    pub(super) fn is_met_by(&mut self, one: Correspondent, room: bool) -> bool {
        if let Some(known) = self.correspondents.iter_mut().find(|known| known.sender == one.sender) {
            known.returned |= one.returned;
            known.days.add(one.days.last());
            known.messages = known.messages.saturating_add(1);
            for (network, days) in one.networks {
                known.came_from(network, days.last());
            }
            return true;
        }
        if self.correspondents.len() < MOST_CORRESPONDENTS && (room || self.correspondents.is_empty()) {
            self.correspondents.push(one);
            return true;
        }
        self.is_crowded = true;
        let least = self.correspondents.iter_mut().min_by_key(|known| known.rank());
        match least {
            Some(least) if least.rank() < one.rank() => {
                *least = one;
                true
            }
            _ => false,
        }
    }

    /// Adds a deferral, and gives back the one that had to make room for it.
    pub(super) fn defer(&mut self, deferral: Deferral) -> Option<Deferral> {
        let same =
            |known: &&mut Deferral| known.sender == deferral.sender && known.network == deferral.network;
        if let Some(known) = self.deferrals.iter_mut().find(same) {
            known.first = known.first.min(deferral.first);
            return None;
        }
        let is_full = self.deferrals.len() >= MOST_DEFERRALS;
        let oldest = (0..self.deferrals.len()).min_by_key(|at| self.deferrals[*at].first);
        let crowded_out = oldest.filter(|_| is_full).map(|oldest| self.deferrals.swap_remove(oldest));
        self.deferrals.push(deferral);
        crowded_out
    }

    /// Whether something speaks for it, so that it is not to be forgotten for lack of room.
    pub(super) fn may_be_real(&self) -> bool {
        let speaks = |one: &Correspondent| one.spf == Spf::Pass || one.returned;
        self.ours.is_some() || self.proven.is_some() || self.correspondents.iter().any(speaks)
    }

    /// Whether something of it is older.
    pub(super) fn has_before(&self, oldest: Day) -> bool {
        Day::of(self.last) < oldest
            || self.days.first_key_value().is_some_and(|(day, _)| *day < oldest)
            || self.correspondents.iter().any(|one| one.days.iter().any(|day| day < oldest))
            || self.deferrals.iter().any(|deferral| Day::of(deferral.first) < oldest)
            || self.ours.is_some_and(|day| day < oldest)
    }

    pub(super) fn forget_before(&mut self, oldest: Day, oldest_proof: Day) {
        self.days = self.days.split_off(&oldest);
        self.correspondents.retain(|one| one.days.last() >= oldest);
        self.correspondents.iter_mut().for_each(|one| one.forget_before(oldest));
        self.deferrals.retain(|deferral| Day::of(deferral.first) >= oldest);
        self.ours = self.ours.filter(|day| *day >= oldest);
        self.proven = self.proven.filter(|day| *day >= oldest_proof);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.days.is_empty()
            && self.correspondents.is_empty()
            && self.deferrals.is_empty()
            && self.ours.is_none()
            && self.proven.is_none()
    }
}

impl Correspondent {
    /// Forgets older days, of which there is at least one that is not.
    fn forget_before(&mut self, oldest: Day) {
        self.networks.retain(|(_, days)| days.last() >= oldest);
        let days = self.networks.iter_mut().map(|(_, days)| days).chain([&mut self.days]);
        days.for_each(|days| days.forget_before(oldest));
    }

    /// Adds a network. Of too many, those with the lowest hashes stay, in whatever order they come.
    pub(super) fn came_from(&mut self, network: u64, day: Day) {
        match self.networks.binary_search_by_key(&network, |(known, _)| *known) {
            Ok(at) => self.networks[at].1.add(day),
            Err(at) if at < MOST_NETWORKS => {
                self.networks.truncate(MOST_NETWORKS - 1);
                self.networks.insert(at, (network, Days::only(day)));
            }
            Err(_) => {}
        }
    }
}
