//! Whether the clients that a listener sees can be the real ones.
//!
//! Behind NAT or a proxy every client has a private address: SPF judges nobody then, and nothing else shows it.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::session::{Client, Role};

/// Clients after which it is clear that no public one will come.
const ENOUGH: u32 = 100;

/// What the clients of one listener have been so far.
#[derive(Debug, Default)]
pub(super) struct Clients {
    /// Private clients, as long as there was no public one; then [`u32::MAX`], for good.
    private: AtomicU32,
}

impl Clients {
    /// Takes note of a client. True once: when it has become clear that there are private clients only.
    pub(super) fn note(&self, role: Role, client: &Client) -> bool {
        let Some(address) = client.address.filter(|address| !address.is_loopback()) else { return false };
        // Users in the office submit from private addresses, and local mail has none.
        if !matches!(role, Role::Auto | Role::Inbound) || self.private.load(Ordering::Relaxed) == u32::MAX {
            return false;
        }
        if client.is_public() {
            self.private.store(u32::MAX, Ordering::Relaxed);
            return false;
        }
        tracing::debug!(%address, "a private client");
        let clear = self.private.fetch_add(1, Ordering::Relaxed) + 1 == ENOUGH;
        if clear {
            self.private.store(u32::MAX, Ordering::Relaxed);
        }
        clear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(role: Role, clients: &[(&str, u32)], expected: u32) {
        let seen = Clients::default();
        let mut reports = 0;
        for (address, times) in clients {
            let client = Client { address: address.parse().ok(), name: String::new(), port: 1 };
            reports += (0..*times).filter(|_| seen.note(role, &client)).count();
        }
        assert_eq!(u32::try_from(reports), Ok(expected), "{clients:?}");
    }

    #[test]
    fn private_clients_only_are_reported_once() {
        check(Role::Auto, &[("172.17.0.1", 99)], 0);
        check(Role::Auto, &[("172.17.0.1", 500)], 1);
        check(Role::Inbound, &[("172.17.0.1", 60), ("fd00::1", 60)], 1);
        check(Role::Auto, &[("172.17.0.1", 50), ("192.0.2.1", 1), ("172.17.0.1", 500)], 0);
        check(Role::Auto, &[("127.0.0.1", 500), ("unknown", 500)], 0);
        check(Role::Submission, &[("10.0.0.1", 500)], 0);
    }
}
