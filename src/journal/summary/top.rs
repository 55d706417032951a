//! The most frequent of any number of names, in bounded memory.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::MAX_TEXT;
use crate::mail::text::clip;

/// Names that are counted at a time, at most.
const MAX_NAMES: usize = 20_000;

/// How often each name was seen. When there are too many, the rarer half is given up, so that frequent ones stay.
#[derive(Clone, Debug, Default)]
pub struct Top {
    names: HashMap<String, u64>,
    /// Records of names that were given up. A name may have been among them before it was counted anew.
    pub further: u64,
}

impl Top {
    pub(super) fn add(&mut self, name: &str) {
        let name = clip(name, MAX_TEXT);
        if let Some(count) = self.names.get_mut(name) {
            *count += 1;
            return;
        }
        if self.names.len() >= MAX_NAMES {
            self.give_up();
        }
        self.names.insert(name.to_owned(), 1);
    }

    fn give_up(&mut self) {
        let mut counts: Vec<u64> = self.names.values().copied().collect();
        let middle = counts.len() / 2;
        let (_, median, _) = counts.select_nth_unstable(middle);
        let limit = *median;
        let further = &mut self.further;
        self.names.retain(|_, count| {
            let stays = *count > limit;
            *further += if stays { 0 } else { *count };
            stays
        });
    }

    /// The names with their numbers, the most frequent first.
    pub fn sorted(&self) -> Vec<(&str, u64)> {
        let mut names: Vec<_> = self.names.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        names.sort_by_key(|(name, count)| (Reverse(*count), *name));
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_frequent_stays() {
        let mut top = Top::default();
        for n in 0..5 * MAX_NAMES {
            top.add(&format!("rare{n}"));
            if n % 10 == 0 {
                top.add("frequent");
            }
        }
        let all: u64 = top.sorted().iter().map(|(_, count)| count).sum();
        assert_eq!(top.sorted()[0], ("frequent", MAX_NAMES as u64 / 2));
        assert_eq!(all + top.further, 5 * MAX_NAMES as u64 + MAX_NAMES as u64 / 2);
        assert!(top.sorted().len() <= MAX_NAMES);
    }
}
