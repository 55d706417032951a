//! Slips of the pen: a name that differs in one character from a busier one that the same correspondent uses.

use std::ops::RangeInclusive;

use super::name::{Correspondent, Name};
use super::state::State;
use crate::mail::Mailbox;

/// Messages to a name that can be a slip, at most. Nobody makes the same one for weeks without noticing.
const MOST_MESSAGES: u32 = 2;

/// Characters that a name has: of shorter ones too many are one character apart, and longer ones nobody types.
const LENGTHS: RangeInclusive<usize> = 4..=64;

/// Characters that may be missing or replaced. Others are rare in names that people type.
const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz0123456789.-_";

/// The name that was meant, if this one is a slip: it has one correspondent, who wrote little to it, and who also writes
/// to a name that is one character away and busier.
pub(super) fn meant(state: &State, name: &Name) -> Option<Mailbox> {
    let one = name.only_correspondent()?;
    let messages = name.total().messages;
    if messages == 0 || messages > MOST_MESSAGES || name.proven.is_some() {
        return None;
    }
    let meant = neighbours(name.mailbox.local_part()).into_iter().filter_map(|local_part| {
        let mailbox = Mailbox::new(local_part, name.mailbox.domain().clone());
        state.is_used(&mailbox, one, messages).then_some(mailbox)
    });
    meant.min()
}

impl State {
    /// Whether a name is one that this correspondent writes to, and that is busier than a slip with so many messages.
    /// Messages of those of whom SPF said less do not make it busier: they may be there to make a slip of the other.
    fn is_used(&self, mailbox: &Mailbox, by: &Correspondent, messages: u32) -> bool {
        let id = self.id(mailbox);
        let learned = || {
            self.names.get(&id).is_some_and(|name| {
                let theirs = name.correspondents.iter().filter(|one| one.spf >= by.spf);
                let busy = theirs.fold(name.total().ours, |sum, one| sum.saturating_add(one.messages));
                busy > messages && name.correspondents.iter().any(|one| one.sender == by.sender)
            })
        };
        // What has an entry of its own is no slip.
        self.familiar.get(&id).is_some_and(|row| row.knows(by.sender)) || learned()
    }
}

/// The local-parts that are one slip away: a character too many, one missing, one for another, two the wrong way round.
/// Digits are not slips of each other, as names are numbered.
fn neighbours(local_part: &str) -> Vec<String> {
    let characters: Vec<char> = local_part.chars().collect();
    let length = characters.len();
    let mut found = Vec::new();
    if !LENGTHS.contains(&length) {
        return found;
    }
    let mut add = |text: Vec<char>| found.push(text.into_iter().collect::<String>());
    for at in 0..length {
        let number = characters[at].is_ascii_digit();
        if !number {
            let mut shorter = characters.clone();
            shorter.remove(at);
            add(shorter);
        }
        if at + 1 < length && characters[at] != characters[at + 1] {
            let mut swapped = characters.clone();
            swapped.swap(at, at + 1);
            add(swapped);
        }
        for c in ALPHABET.chars().filter(|c| *c != characters[at] && !(number && c.is_ascii_digit())) {
            let mut replaced = characters.clone();
            replaced[at] = c;
            add(replaced);
        }
    }
    for at in 0..=length {
        for c in ALPHABET.chars().filter(|c| !c.is_ascii_digit()) {
            let mut longer = characters.clone();
            longer.insert(at, c);
            add(longer);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(local_part: &str, meant: &str, expected: bool) {
        assert_eq!(neighbours(local_part).contains(&meant.to_owned()), expected, "{local_part} {meant}");
    }

    #[test]
    fn slips() {
        check("ifno", "info", true);
        check("infoo", "info", true);
        check("infp", "info", true);
        check("inf", "info", false);
        check("nfos", "infos", true);
        check("rechnung", "rechnungen", false);
        check("sales", "info", false);
        check("info", "info", false);
        check("order1", "order2", false);
        check("order12", "order1", false);
        check("order", "order1", false);
        check("jürgen", "jurgen", true);
    }
}
