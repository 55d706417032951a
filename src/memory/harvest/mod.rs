//! Harvesting: which networks have asked for how many names that do not exist, and which are blocked for it.
//!
//! The [`Tracker`] counts in memory, with time as an argument, and tells what begins and ends as [`Event`]s. It counts
//!
//! - names and not attempts: an unknown name is one, however often a network asks for it in the `window`;
//! - for the address of an IPv4 client or the /64 of an IPv6 client, which is blocked *at* `threshold` names: the next
//!   recipient is the first that is put off;
//! - for the /24 around an IPv4 address likewise, at `network_threshold` names by three addresses or more;
//! - good names as well, as a brake: a provider has many users who mistype. A name is good when a message to it was
//!   accepted, and counts once. Where more than `good_ratio` of the names are good, nobody is blocked before he has asked
//!   for five times as many unknown ones as the threshold says; from there on, where more than nine of ten are.
//!
//! Mail with the null reverse-path is counted apart, and a block for it concerns no other mail. A host that bounces what
//! was forged in our name asks for many names of ours that never were, and carries its users' own mail as well. So
//! bounces buy nobody more than as many guesses again, and cost nobody his mail.
//!
//! A trusted forwarder guesses what others made it pass on. A client in a network of forwarders is not counted. Whether
//! one is a forwarder by its SPF costs DNS, so that is not asked about everybody: only when a block is due are
//! those who guessed suspects (`Tracker::note`), of whom the daemon finds out before the block begins. Whoever turns out
//! to be a forwarder is [excused](Tracker::excuse): its guesses are taken from its network's account, and count no more
//! for an hour.
//!
//! A provider's host carries the mail of everybody there. If it is authorised for a domain that our users write to, it is
//! not blocked either for what one of its customers guesses: its guesses are on that domain's account, on which there is
//! room for many, and when that is full on its own again. A domain has that standing from our users alone, as any record
//! of good mail can be bought with mail; and the room is bounded, as somebody may get an answer from one of them.
//!
//! A network that is blocked begins anew when the block is over; nothing is counted while it lasts. So no bad host alone
//! blocks its /24: it is blocked itself before.
//!
//! At most `memory_entries` names and networks are remembered. Where there are more, the least dangerous network is
//! forgotten first: one that asked for good names only, then one with unknown names, then one that was blocked within a
//! day. Of equals it is the one that was silent longest, where each unknown name makes up for a minute of silence. A
//! block makes room for nobody.

mod moment;
mod names;
mod record;
mod records;
mod settings;
mod tracker;

pub use record::FORGOTTEN_AFTER;
pub use settings::Settings;
pub use tracker::{Asker, Block, End, Event, Tracker};

use crate::facts::{HarvestQuestion, Standing};

impl From<Option<Block>> for Standing {
    /// How a client stands that is under this block.
    fn from(block: Option<Block>) -> Self {
        match block {
            Some(Block { network, until, names, .. }) => Self::Blocked { network, until, names },
            None => Self::Clear,
        }
    }
}

/// Whoever can say how a client stands.
#[async_trait::async_trait]
pub trait Counter: std::fmt::Debug + Send + Sync {
    /// How it stands now.
    async fn standing(&self, question: HarvestQuestion) -> Standing;
}

/// Nobody counts, for the reason given.
#[derive(Debug)]
pub struct Uncounted(pub &'static str);

#[async_trait::async_trait]
impl Counter for Uncounted {
    async fn standing(&self, _: HarvestQuestion) -> Standing {
        Standing::NotCounted(self.0.to_owned())
    }
}
