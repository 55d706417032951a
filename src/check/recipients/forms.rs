//! The forms of an address under which a source may have it.

use crate::check::Site;
use crate::check::addresses::Addresses;
use crate::mail::{Mailbox, tagged};

/// The forms.
pub(super) struct Forms {
    /// All of them, in the order of asking; at least one.
    pub(super) all: Vec<Mailbox>,
    /// The name behind them: without a tag or a subaddress, at the domain that its own follows.
    pub(super) key: Mailbox,
}

impl Forms {
    pub(super) fn of(site: &Site, addresses: &Addresses, mailbox: &Mailbox) -> Self {
        let whole = addresses.canonical(mailbox);
        // A bounce to mail that left with a tag comes back with it.
        let untagged = tagged::without_batv(&whole);
        let bare = addresses.without_subaddress(untagged.as_ref().unwrap_or(&whole));
        let mut all: Vec<Mailbox> = [Some(whole), untagged, bare.clone()].into_iter().flatten().collect();
        let followed = |mailbox: &Mailbox| {
            let domain = site.followed(mailbox.domain());
            (domain != mailbox.domain()).then(|| Mailbox::new(mailbox.local_part(), domain.clone()))
        };
        let elsewhere: Vec<Mailbox> = all.iter().filter_map(&followed).collect();
        all.extend(elsewhere);
        let key = name_behind(site, addresses, mailbox);
        Self { all, key }
    }
}

/// The name behind a mailbox of ours, as [`Observation::Recipient`](crate::check::Observation) has it: canonical, without
/// a tag or a subaddress, at the domain that its own follows.
pub fn name_behind(site: &Site, addresses: &Addresses, mailbox: &Mailbox) -> Mailbox {
    let whole = addresses.canonical(mailbox);
    let untagged = tagged::without_batv(&whole).unwrap_or(whole);
    let bare = addresses.without_subaddress(&untagged).unwrap_or(untagged);
    Mailbox::new(bare.local_part(), site.followed(bare.domain()).clone())
}

/// A sender as one who writes again and again is recognised: in lower case, with every number in it the same, as
/// mailing lists number their reverse-paths (VERP).
pub fn shape(sender: &Mailbox) -> Mailbox {
    let untagged = tagged::without_batv(sender);
    let lower = untagged.as_ref().unwrap_or(sender).local_part().to_lowercase();
    let mut shape = String::new();
    for c in lower.chars() {
        match c {
            '0'..='9' if shape.ends_with('0') => {}
            '0'..='9' => shape.push('0'),
            c => shape.push(c),
        }
    }
    Mailbox::new(shape, sender.domain().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_senders() {
        for (sender, expected) in [
            ("Alice@example.com", "alice@example.com"),
            ("bounce-1234-7@lists.example", "bounce-0-0@lists.example"),
            ("prvs=2987abcdef=alice@example.com", "alice@example.com"),
        ] {
            assert_eq!(shape(&sender.parse().unwrap()).to_string(), expected);
        }
    }
}
