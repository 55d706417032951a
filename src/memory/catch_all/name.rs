//! What is known of one name that only a wildcard knows, and its form in the store.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::mail::Mailbox;
use crate::memory::store::{Input, Output, Record};
use crate::memory::{Day, Days};

/// Correspondents kept of one name, at most. A name with as many needs no further proof.
pub const MOST_CORRESPONDENTS: usize = 64;

/// Networks kept of one correspondent, at most.
pub const MOST_NETWORKS: usize = 4;

/// Deferrals kept of one name, at most: the latest.
pub const MOST_DEFERRALS: usize = 64;

/// Days of which one name has its own figures, at most.
pub const MOST_DAYS: usize = 400;

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The mailbox, canonical, at a domain that follows no other.
    pub mailbox: Mailbox,
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// Figures of each day on which something happened.
    pub days: BTreeMap<Day, Tally>,
    /// Who wrote to it, the null reverse-path apart.
    pub correspondents: Vec<Correspondent>,
    /// Whether there were more of them than are kept.
    pub is_crowded: bool,
    /// Who was deferred.
    pub deferrals: Vec<Deferral>,
    /// The last day on which our own people or programs sent as it or to it.
    pub ours: Option<Day>,
    /// The last day on which it was known to be real, by what is no longer kept.
    pub proven: Option<Day>,
}

/// Figures of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that the wildcard brought in.
    pub messages: u32,
    /// Of these, those with the null reverse-path.
    pub null_sender: u32,
    /// Of these, those of our own: with a login, or from a trusted network.
    pub ours: u32,
    /// Deferrals.
    pub deferred: u32,
    /// Messages, of those that were brought in, whose senders returned after a deferral.
    pub returned: u32,
}

/// What SPF said of a message's sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spf {
    /// Nothing that tells: it was not examined, or DNS did not answer.
    NotExamined,
    /// Anything but pass.
    NotPass,
    /// Pass.
    Pass,
}

impl Spf {
    /// The hash of somebody as this result shows him. Anybody can claim to be somebody, so that one who is authorised,
    /// one who is not and one of whom SPF says nothing are three, and nothing that one of them does counts for another
    /// or against him.
    pub(super) fn apart(self, hash: u64) -> u64 {
        match (self, hash) {
            (_, 0) | (Self::Pass, _) => hash,
            (Self::NotPass, _) => !hash,
            (Self::NotExamined, _) => hash ^ (u64::MAX / 3),
        }
    }
}

/// One who wrote to a name. Who it is cannot be read here, only recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correspondent {
    /// The hash of the sender's shape, apart by what SPF said.
    pub sender: u64,
    /// The hash of the sender's organisation, likewise; 0 where it has none.
    pub domain: u64,
    /// What SPF said.
    pub spf: Spf,
    /// Whether a message came back after a deferral.
    pub returned: bool,
    /// The days on which messages came.
    pub days: Days,
    /// How many messages.
    pub messages: u32,
    /// The hashes of the networks that they came from, with the days.
    pub networks: Vec<(u64, Days)>,
}

impl Correspondent {
    /// Those of most worth stay when there are too many, whatever order they came in.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        (self.spf == Spf::Pass, self.returned, self.spf, std::cmp::Reverse(self.sender))
    }
}

/// A sender that was deferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deferral {
    /// The hash of the shape that the sender claims to have; 0 is the null reverse-path.
    pub sender: u64,
    /// The hash of the network.
    pub network: u64,
    /// When it was first deferred.
    pub first: Timestamp,
}

impl Name {
    /// A name of which nothing is known.
    pub(super) fn new(mailbox: Mailbox, at: Timestamp) -> Self {
        Self {
            mailbox,
            first: at,
            last: at,
            days: BTreeMap::new(),
            correspondents: Vec::new(),
            is_crowded: false,
            deferrals: Vec::new(),
            ours: None,
            proven: None,
        }
    }

    /// The figures from a day on.
    pub fn since(&self, day: Day) -> Tally {
        self.days.range(day..).fold(Tally::default(), |sum, (_, tally)| Tally {
            messages: sum.messages.saturating_add(tally.messages),
            null_sender: sum.null_sender.saturating_add(tally.null_sender),
            ours: sum.ours.saturating_add(tally.ours),
            deferred: sum.deferred.saturating_add(tally.deferred),
            returned: sum.returned.saturating_add(tally.returned),
        })
    }

    /// All figures that are kept.
    pub fn total(&self) -> Tally {
        self.since(Day::MIN)
    }

    /// Whether a wildcard brought something in, or would have but for a deferral. What our people only send as may as
    /// well have an entry of its own.
    pub fn is_by_wildcard(&self) -> bool {
        let total = self.total();
        total.messages + total.deferred > 0 || self.proven.is_some()
    }

    /// Correspondents that SPF said pass of.
    pub fn passing(&self) -> usize {
        self.correspondents.iter().filter(|one| one.spf == Spf::Pass).count()
    }
}

impl Record for Name {
    /// In version 1, a sender had one hash, whatever SPF said.
    const VERSION: u8 = 2;

    fn write(&self, output: &mut Output) {
        output.text(self.mailbox.local_part());
        output.text(self.mailbox.domain().as_str());
        output.signed(self.first.as_second());
        output.signed(self.last.as_second());
        output.number(self.days.len() as u64);
        for (day, tally) in &self.days {
            output.signed(day.number());
            let Tally { messages, null_sender, ours, deferred, returned } = *tally;
            for number in [messages, null_sender, ours, deferred, returned] {
                output.number(number);
            }
        }
        output.number(self.correspondents.len() as u64);
        self.correspondents.iter().for_each(|one| one.write(output));
        output.number(u64::from(self.is_crowded));
        output.number(self.deferrals.len() as u64);
        for deferral in &self.deferrals {
            output.hash(deferral.sender);
            output.hash(deferral.network);
            output.signed(deferral.first.as_second());
        }
        output.option(self.ours.map(|day| day.number().into()));
        output.option(self.proven.map(|day| day.number().into()));
    }

    fn read(version: u8, input: &mut Input<'_>) -> Option<Self> {
        (1..=Self::VERSION).contains(&version).then_some(())?;
        let apart = |spf: Spf, hash| if version == 1 { spf.apart(hash) } else { hash };
        let local_part = input.text()?;
        let mailbox = Mailbox::new(local_part, input.text()?.parse().ok()?);
        let (first, last) = (second(input)?, second(input)?);
        let days = input.list(MOST_DAYS, |input| {
            let day = Day::of_number(input.signed()?);
            let tally = Tally {
                messages: input.number()?,
                null_sender: input.number()?,
                ours: input.number()?,
                deferred: input.number()?,
                returned: input.number()?,
            };
            Some((day, tally))
        })?;
        Some(Self {
            mailbox,
            first,
            last,
            days: days.into_iter().collect(),
            correspondents: input.list(MOST_CORRESPONDENTS, |input| {
                let one = Correspondent::read(input)?;
                Some(Correspondent {
                    sender: apart(one.spf, one.sender),
                    domain: apart(one.spf, one.domain),
                    ..one
                })
            })?,
            is_crowded: input.number::<u8>()? != 0,
            deferrals: input.list(MOST_DEFERRALS, |input| {
                let sender = apart(Spf::NotPass, input.hash()?);
                Some(Deferral { sender, network: input.hash()?, first: second(input)? })
            })?,
            ours: day(input)?,
            proven: day(input)?,
        })
    }
}

impl Correspondent {
    fn write(&self, output: &mut Output) {
        output.hash(self.sender);
        output.hash(self.domain);
        let spf = match self.spf {
            Spf::NotExamined => 0_u8,
            Spf::NotPass => 1,
            Spf::Pass => 2,
        };
        output.number(spf | if self.returned { 4 } else { 0 });
        self.days.write(output);
        output.number(self.messages);
        output.number(self.networks.len() as u64);
        for (network, days) in &self.networks {
            output.hash(*network);
            days.write(output);
        }
    }

    fn read(input: &mut Input<'_>) -> Option<Self> {
        let (sender, domain, state) = (input.hash()?, input.hash()?, input.number::<u8>()?);
        let spf = match state & 3 {
            0 => Spf::NotExamined,
            1 => Spf::NotPass,
            _ => Spf::Pass,
        };
        Some(Self {
            sender,
            domain,
            spf,
            returned: state & 4 != 0,
            days: Days::read(input)?,
            messages: input.number()?,
            networks: input.list(MOST_NETWORKS, |input| Some((input.hash()?, Days::read(input)?)))?,
        })
    }
}

fn second(input: &mut Input<'_>) -> Option<Timestamp> {
    Timestamp::from_second(input.signed()?).ok()
}

#[expect(clippy::option_option, reason = "outer: is it readable; inner: is it there")]
fn day(input: &mut Input<'_>) -> Option<Option<Day>> {
    match input.option()? {
        None => Some(None),
        Some(number) => Some(Some(Day::of_number(number.try_into().ok()?))),
    }
}
