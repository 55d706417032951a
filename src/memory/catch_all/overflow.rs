//! Deferrals for which there is no room in the names: in memory only, and the oldest of many goes first.
//!
//! Whoever fills the lists of names, by guessing or by claiming to be somebody, shall not keep others from returning.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;

use super::name::Deferral;

/// Deferrals that are kept.
const MOST: usize = 16_384;

/// The deferrals.
#[derive(Debug, Default)]
pub(super) struct Overflow {
    /// When a sender was first deferred from a network, for a name.
    first: HashMap<Place, Timestamp>,
    /// The same, the oldest first.
    order: VecDeque<Place>,
}

/// The hashes of a name, a sender and a network.
type Place = (u64, u64, u64);

impl Overflow {
    /// Takes a deferral for a name.
    pub(super) fn note(&mut self, id: u64, deferral: Deferral) {
        let place = (id, deferral.sender, deferral.network);
        if let Some(known) = self.first.get_mut(&place) {
            *known = deferral.first.min(*known);
            return;
        }
        self.first.insert(place, deferral.first);
        self.order.push_back(place);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.first.remove(&oldest);
        }
    }

    /// When this sender was first deferred from this network for that name.
    pub(super) fn find(&self, id: u64, sender: u64, network: u64) -> Option<Timestamp> {
        self.first.get(&(id, sender, network)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let mut overflow = Overflow::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        let number = u64::try_from(MOST).unwrap();
        for id in 0..=number {
            overflow.note(id, Deferral { sender: 1, network: 2, first: at(9) });
            overflow.note(id, Deferral { sender: 1, network: 2, first: at(7) });
        }
        assert_eq!((overflow.first.len(), overflow.order.len()), (MOST, MOST));
        assert_eq!(overflow.find(0, 1, 2), None);
        assert_eq!(overflow.find(number, 1, 2), Some(at(7)));
        assert_eq!(overflow.find(number, 2, 2), None);
    }
}
