//! How harvesting is recognised and what it leads to.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

/// The settings (`harvest`).
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Whether a block refuses anything; else it is only spoken of.
    pub enforced: bool,
    /// How long a name counts after it was last asked for; more than 0.
    pub window: Duration,
    /// Distinct unknown names at which an address or a /64 is blocked; 2 to [`Settings::MOST_NAMES`].
    pub threshold: u32,
    /// Distinct unknown names at which a /24 is blocked; `threshold` to [`Settings::MOST_NAMES`].
    pub network_threshold: u32,
    /// The share of good names above which nobody is blocked, up to five times his threshold; 0 to 1.
    pub good_ratio: f64,
    /// How long the first block lasts; more than 0.
    pub block: Duration,
    /// How long a block lasts at most, as each is twice as long as the one before.
    pub block_max: Duration,
    /// Networks whose clients may guess.
    pub exempt: Vec<IpNet>,
    /// Networks of trusted forwarders, whose clients guess what others made them pass on.
    pub forwarders: Vec<IpNet>,
    /// Names and networks that are remembered, at most.
    pub memory_entries: usize,
}

// Written numbers are never NaN.
impl Eq for Settings {}

impl Settings {
    /// The highest threshold: what one network is remembered with is bounded, too.
    pub const MOST_NAMES: u32 = 1000;

    /// Whether the client may guess.
    pub(super) fn is_exempt(&self, client: IpAddr) -> bool {
        self.free().any(|network| network.contains(&client))
    }

    /// All networks whose clients are not counted.
    pub(super) fn free(&self) -> impl Iterator<Item = &IpNet> {
        self.exempt.iter().chain(&self.forwarders)
    }

    /// How long a block lasts before which there were so many others.
    pub(super) fn block_time(&self, before: u32) -> Duration {
        let doubled =
            1_u32.checked_shl(before).map_or(self.block_max, |factor| self.block.saturating_mul(factor));
        doubled.min(self.block_max)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enforced: true,
            window: Duration::from_mins(10),
            threshold: 10,
            network_threshold: 50,
            good_ratio: 0.5,
            block: Duration::from_mins(15),
            block_max: Duration::from_hours(24),
            exempt: Vec::new(),
            forwarders: Vec::new(),
            memory_entries: 100_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_double_up_to_the_longest() {
        let settings = Settings::default();
        let minutes = |before| settings.block_time(before).as_secs() / 60;
        assert_eq!([0, 1, 2, 6, 7, 31, 32, u32::MAX].map(minutes), [15, 30, 60, 960, 1440, 1440, 1440, 1440]);
    }
}
