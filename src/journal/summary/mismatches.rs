//! Logins that sent as somebody else: what `auth_match` refused, or would refuse if it were enforced.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::parse::{Entry, Field, Outcome};
use super::MAX_TEXT;
use super::transactions::Transactions;
use crate::check::CheckId;
use crate::mail::text::clip;

/// Logins kept by name, at most.
const MAX_LOGINS: usize = 10_000;

/// Addresses kept by name for one login in one place, at most.
const MAX_ADDRESSES: usize = 20;

/// Addresses kept by name for all logins together, at most.
const MAX_ALL_ADDRESSES: usize = 50_000;

/// Where a login claimed to be somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In MAIL FROM.
    MailFrom,
    /// In From or Resent-From.
    HeaderFrom,
    /// In Sender or Resent-Sender.
    Sender,
    /// In a From field that readers may read differently, so that no address can be named.
    MalformedFrom,
}

impl Place {
    /// The reasons in the log that speak of a mismatch. What is undetermined is no fault of the login's.
    const REASONS: [(&'static str, Self); 4] = [
        ("auth-match-mail-from", Self::MailFrom),
        ("auth-match-header-from", Self::HeaderFrom),
        ("auth-match-sender", Self::Sender),
        ("malformed-from", Self::MalformedFrom),
    ];

    /// The name of the setting that is about it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MailFrom => "mail_from",
            Self::HeaderFrom => "header_from",
            Self::Sender => "sender",
            Self::MalformedFrom => "malformed_from",
        }
    }
}

/// What one login did in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Messages that would be refused, but were not.
    pub would_reject: u64,
    /// Messages that were refused.
    pub rejected: u64,
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// Messages with addresses that are not kept by name.
    pub further: u64,
    addresses: BTreeMap<String, u64>,
}

impl Mismatch {
    /// All messages.
    pub fn messages(&self) -> u64 {
        self.would_reject + self.rejected
    }

    /// The addresses used with the number of messages, the most frequent first.
    pub fn addresses(&self) -> Vec<(&str, u64)> {
        let mut addresses: Vec<_> =
            self.addresses.iter().map(|(address, n)| (address.as_str(), *n)).collect();
        addresses.sort_by_key(|(_, messages)| Reverse(*messages));
        addresses
    }
}

/// All logins that sent as somebody else. One message counts once in each place, whatever the number of its
/// recipients.
#[derive(Clone, Debug, Default)]
pub struct Mismatches {
    logins: BTreeMap<String, BTreeMap<Place, Mismatch>>,
    addresses: usize,
    transactions: Transactions,
    /// Messages of logins that are not kept by name.
    pub further: u64,
}

impl Mismatches {
    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        let Some(login) = entry.text(Field::Login) else { return };
        // Also a message without a mismatch ends a transaction.
        let counts = self.transactions.begins(login, entry, || place(entry).is_some());
        let Some(place) = place(entry).filter(|_| counts) else { return };
        let login = clip(login, MAX_TEXT);
        if !self.logins.contains_key(login) {
            if self.logins.len() >= MAX_LOGINS {
                self.further += 1;
                return;
            }
            self.logins.insert(login.to_owned(), BTreeMap::new());
        }
        let Some(places) = self.logins.get_mut(login) else { return };
        let mismatch = places.entry(place).or_insert_with(|| Mismatch {
            would_reject: 0,
            rejected: 0,
            first: entry.time,
            last: entry.time,
            further: 0,
            addresses: BTreeMap::new(),
        });
        match entry.verdict {
            Outcome::Reject => mismatch.rejected += 1,
            _ => mismatch.would_reject += 1,
        }
        mismatch.first = mismatch.first.min(entry.time);
        mismatch.last = mismatch.last.max(entry.time);
        let address = clip(address(place, entry), MAX_TEXT);
        if let Some(messages) = mismatch.addresses.get_mut(address) {
            *messages += 1;
        } else if mismatch.addresses.len() < MAX_ADDRESSES && self.addresses < MAX_ALL_ADDRESSES {
            self.addresses += 1;
            mismatch.addresses.insert(address.to_owned(), 1);
        } else {
            mismatch.further += 1;
        }
    }

    /// Each login and place, those with most messages first.
    pub fn sorted(&self) -> Vec<(&str, Place, &Mismatch)> {
        let mut all: Vec<_> = self
            .logins
            .iter()
            .flat_map(|(login, places)| places.iter().map(|(place, found)| (login.as_str(), *place, found)))
            .collect();
        all.sort_by_key(|(_, _, mismatch)| Reverse(mismatch.messages()));
        all
    }

    /// The number of logins that are kept by name.
    pub fn logins(&self) -> usize {
        self.logins.len()
    }
}

/// The place that a record finds fault with, if it does.
fn place(entry: &Entry<'_>) -> Option<Place> {
    if entry.text(Field::Check) != Some(CheckId::AuthMatch.as_str()) || entry.would != Outcome::Reject {
        return None;
    }
    let reason = entry.text(Field::Reason)?;
    Place::REASONS.into_iter().find(|(name, _)| *name == reason).map(|(_, place)| place)
}

/// Whom the login claimed to be; where no mailbox can be named, what it wrote.
fn address<'a>(place: Place, entry: &'a Entry<'_>) -> &'a str {
    let written = match place {
        Place::MailFrom => entry.text(Field::MailFrom),
        Place::HeaderFrom | Place::Sender | Place::MalformedFrom => entry.text(Field::HeaderFrom),
    };
    entry.text(Field::Claimed).or(written).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::super::parse::parse;
    use super::*;

    /// Feeds `SECOND EVENT LOGIN CLAIMED RCPT_TO [QUEUE_ID]` lines, all monitored mismatches except where the claim
    /// is `-`, and gives `LOGIN PLACE MESSAGES ADDRESS…` of each result.
    fn count(lines: &[&str]) -> Vec<String> {
        let mut mismatches = Mismatches::default();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let (event, login, claimed) = (words[1], words[2], words[3]);
            let reason = match (event, claimed) {
                (_, "-") => "would=pass check=auth_match reason=auth-match-header-from-ok",
                ("recipient", _) => "would=reject check=auth_match reason=auth-match-mail-from",
                _ => "would=reject check=auth_match reason=auth-match-header-from",
            };
            let queue_id = words.get(5).map(|id| format!(" queue_id={id}")).unwrap_or_default();
            let line = format!(
                "time=2026-11-24T05:45:{:0>2}Z event={event} verdict=pass {reason} client=192.0.2.1 \
                 mail_from=x@y rcpt_to={} login={login} claimed={claimed}{queue_id} ms=1",
                words[0], words[4]
            );
            mismatches.add(&parse(&line).unwrap());
        }
        let show = |(login, place, found): (&str, Place, &Mismatch)| {
            let mut words = vec![login.to_owned(), place.as_str().to_owned(), found.messages().to_string()];
            words.extend(found.addresses().iter().map(|(address, n)| format!("{address}:{n}")));
            words.join(" ")
        };
        mismatches.sorted().into_iter().map(show).collect()
    }

    #[test]
    fn a_message_counts_once_in_each_place() {
        let one = [
            "0 recipient al ceo@z a@b",
            "1 recipient al ceo@z c@d Q1",
            "2 recipient al ceo@z e@f Q1",
            "3 message al ceo@z a@b Q1",
        ];
        assert_eq!(count(&one), ["al mail_from 1 ceo@z:1", "al header_from 1 ceo@z:1"]);
    }

    #[test]
    fn the_next_message_counts_again() {
        // After the end of the one before.
        let next = ["0 recipient al ceo@z a@b", "0 message al - a@b Q1", "0 recipient al ceo@z c@d"];
        assert_eq!(count(&next), ["al mail_from 2 ceo@z:2"]);
        // Another queue id, or none after there was one.
        let next = ["0 recipient al ceo@z a@b Q1", "0 recipient al cfo@z a@b Q2", "0 recipient al ceo@z c@d"];
        assert_eq!(count(&next), ["al mail_from 3 ceo@z:2 cfo@z:1"]);
        // The same recipient again, or a while later.
        let next = ["0 recipient al ceo@z a@b", "0 recipient al ceo@z a@b", "30 recipient al ceo@z c@d"];
        assert_eq!(count(&next), ["al mail_from 3 ceo@z:3"]);
        // Another login in between.
        let next = ["0 recipient al ceo@z a@b", "0 recipient bo ceo@z a@b", "0 recipient al ceo@z c@d"];
        assert_eq!(count(&next), ["al mail_from 1 ceo@z:1", "bo mail_from 1 ceo@z:1"]);
    }

    #[test]
    fn what_is_beyond_a_limit_is_counted() {
        let mut mismatches = Mismatches::default();
        let mut add = |login: &str, claimed: &str| {
            let line = format!(
                "time=2026-11-24T05:45:00Z event=message verdict=reject check=auth_match \
                 reason=auth-match-sender login={login} claimed={claimed} ms=1"
            );
            mismatches.add(&parse(&line).unwrap());
        };
        for n in 0..MAX_LOGINS + 5 {
            add(&format!("user{n}"), "ceo@z");
        }
        for n in 0..100 {
            add("user7", &format!("a{n}@z"));
        }
        assert_eq!((mismatches.logins(), mismatches.further), (MAX_LOGINS, 5));
        let (login, place, found) = mismatches.sorted()[0];
        assert_eq!((login, place, found.messages(), found.rejected), ("user7", Place::Sender, 101, 101));
        assert_eq!((found.addresses().len(), found.further), (MAX_ADDRESSES, 101 - MAX_ADDRESSES as u64));
    }
}
