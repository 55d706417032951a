//! Who writes to names that have an entry of their own: so much of it as it takes to tell a slip of the pen.

use crate::memory::Day;
use crate::memory::store::{Input, Output, Record};

/// Senders kept of one name, at most: the first ones of each retention. Nobody else's slips can be told.
const MOST_SENDERS: usize = 512;

/// The senders of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Familiar {
    /// The last day on which somebody wrote to it.
    pub(super) last: Day,
    /// The lower halves of their hashes, in ascending order.
    senders: Vec<u32>,
}

impl Familiar {
    pub(super) fn new(day: Day) -> Self {
        Self { last: day, senders: Vec::new() }
    }

    /// Adds a sender, and says whether that changed anything.
    pub(super) fn add(&mut self, sender: u64, day: Day) -> bool {
        let is_later = self.last < day;
        self.last = self.last.max(day);
        match self.senders.binary_search(&half(sender)) {
            Err(at) if self.senders.len() < MOST_SENDERS => {
                self.senders.insert(at, half(sender));
                true
            }
            _ => is_later,
        }
    }

    /// Whether a sender is one of them.
    pub(super) fn knows(&self, sender: u64) -> bool {
        self.senders.binary_search(&half(sender)).is_ok()
    }
}

fn half(sender: u64) -> u32 {
    let [_, _, _, _, low @ ..] = sender.to_be_bytes();
    u32::from_be_bytes(low)
}

impl Record for Familiar {
    const VERSION: u8 = 1;

    fn write(&self, output: &mut Output) {
        output.signed(self.last.number());
        output.number(self.senders.len() as u64);
        self.senders.iter().for_each(|sender| output.number(*sender));
    }

    fn read(version: u8, input: &mut Input<'_>) -> Option<Self> {
        (version == Self::VERSION).then_some(())?;
        Some(Self {
            last: Day::of_number(input.signed()?),
            senders: input.list(MOST_SENDERS, Input::number)?,
        })
    }
}
