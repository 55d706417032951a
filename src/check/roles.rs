//! Recipients that everybody must be able to reach.

use crate::mail::{ForwardPath, Mailbox};

/// Local-parts that hear from people whose mail we refuse (RFC 5321, 4.5.1; RFC 2142, 4).
const ROLES: [&str; 2] = ["postmaster", "abuse"];

/// Whether no lock may stand between this recipient and anybody.
pub(crate) fn is_always_reachable(recipient: &ForwardPath) -> bool {
    match recipient {
        ForwardPath::Postmaster => true,
        ForwardPath::AtLiteral(_) | ForwardPath::Malformed(_) => false,
        ForwardPath::Mailbox(mailbox) => is_role(mailbox),
    }
}

fn is_role(mailbox: &Mailbox) -> bool {
    ROLES.iter().any(|role| mailbox.local_part().eq_ignore_ascii_case(role))
}
