//! How many descriptors this process may have, and how many connections they are enough for.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

/// Descriptors for everything but the connections of MTAs: listeners, the store, tables, sources, the log.
const RESERVE: u64 = 32;

/// Descriptors that a connection takes when its decision asks DNS.
const EACH: u64 = 2;

/// Raises the limit of descriptors as far as it goes: the lower one is for programs that use select(2). Returns how many
/// there are then.
pub(super) fn raise() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return u64::MAX };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft }
}

/// The connections there may be at once: `wanted`, or as many as the descriptors are enough for.
pub(super) fn connections(wanted: usize, descriptors: u64) -> usize {
    let enough = enough_for(descriptors);
    if enough < wanted {
        warn!(
            descriptors,
            connections = enough,
            "`limits.connections: {wanted}` takes more descriptors than there are; raise LimitNOFILE= of the unit"
        );
    }
    enough.min(wanted)
}

fn enough_for(descriptors: u64) -> usize {
    let enough = descriptors.saturating_sub(RESERVE) / EACH;
    usize::try_from(enough).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_enough_for() {
        assert_eq!(enough_for(0), 1);
        assert_eq!(enough_for(64), 16);
        assert_eq!(enough_for(1024), 496);
        assert!(enough_for(u64::MAX) > 1_000_000);
        assert_eq!(connections(1000, 65536), 1000);
    }
}
