//! Targets of terms as they are for a stranger (RFC 7208, 7): the worst case of an evaluation.

use std::net::IpAddr;

use viaspf_record::DomainSpec;

use crate::spf::macros::{self, UNKNOWN, Values};

/// What macros stand for.
#[derive(Clone, Copy)]
pub(super) struct Identity<'a> {
    pub(super) client: IpAddr,
    /// The domain of the sender, whose local-part is `postmaster`.
    pub(super) sender: &'a str,
    /// The domain whose record has the term.
    pub(super) domain: &'a str,
}

/// The target of a term, by default the domain itself (RFC 7208, 4.8); none where the macros make up none that DNS could
/// have.
pub(super) fn target(spec: Option<&DomainSpec>, identity: Identity<'_>) -> Option<String> {
    let Some(spec) = spec else { return Some(identity.domain.to_owned()) };
    let values = Values {
        client: identity.client,
        local_part: "postmaster",
        sender: identity.sender,
        domain: identity.domain,
        // RFC 7208, 7.3: a stranger has no validated name, and may say anything in HELO. The receiver stands in
        // explanations only.
        helo: UNKNOWN,
        validated: UNKNOWN,
        receiver: UNKNOWN,
    };
    macros::target(spec, &values)
}
