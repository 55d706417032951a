//! Recipients that everybody must be able to reach.

use crate::mail::{ForwardPath, Mailbox};

/// Local-parts that hear from people whose mail we refuse (RFC 5321, 4.5.1; RFC 2142, 4).
const ROLES: [&str; 2] = ["postmaster", "abuse"];

/// Whether no lock may stand between this recipient and anybody.
pub(crate) fn is_always_reachable(recipient: &ForwardPath) -> bool {
    match recipient {
        ForwardPath::Postmaster => true,
        ForwardPath::AtLiteral(_) => recipient.at_literal().is_some_and(|name| is_role_name(&name)),
        ForwardPath::Malformed(_) | ForwardPath::Twofold(_) => false,
        ForwardPath::Mailbox(mailbox) => is_role(mailbox),
    }
}

/// The same of a mailbox.
pub(super) fn is_role(mailbox: &Mailbox) -> bool {
    is_role_name(mailbox.local_part())
}

fn is_role_name(local_part: &str) -> bool {
    ROLES.iter().any(|role| local_part.eq_ignore_ascii_case(role))
}
