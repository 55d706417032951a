//! Whose an address is: of which domains, and of the host itself where it is at an address literal or a name of the host.

use super::{Site, Subject};
use crate::mail::{Domain, ForwardPath, Mailbox};
use crate::session::{Origin, Request};

/// Whose settings judge recipients: those of every hosted domain that a form of one names, each once, and for the bare
/// `postmaster`, an address literal (RFC 5321, 4.1.3) or a [name of the host](is_host) those of the [`host`] or else
/// `defaults`.
pub(super) fn subjects<'p>(
    site: &Site,
    request: &Request<'_>,
    paths: impl Iterator<Item = &'p ForwardPath>,
) -> Vec<Subject> {
    let (mut domains, mut is_at_host) = (Vec::new(), false);
    for path in paths {
        let named = path.domains();
        is_at_host |= *path == ForwardPath::Postmaster
            || path.at_literal().is_some()
            || named.iter().any(|domain| is_host(site, request, domain));
        domains.extend(named);
    }
    domains.sort();
    domains.dedup();
    let mut subjects: Vec<Subject> = domains.into_iter().map(Subject::Hosted).collect();
    subjects.extend(is_at_host.then(|| Subject::OrDefaults(host(site, request))));
    subjects
}

/// The mailboxes that must exist for a recipient whose address is [more than one](ForwardPath::Twofold), or one at an
/// address literal: of each form the one at a hosted domain, and the name at the [`host`].
///
/// Only the MTA knows which address literals are its own. It accepts no others from strangers, and nobody else's are
/// looked up.
pub(super) fn mailboxes(site: &Site, request: &Request<'_>, path: &ForwardPath) -> Vec<Mailbox> {
    let mut mailboxes = match path {
        ForwardPath::Twofold(twofold) => twofold.mailboxes(),
        path => Vec::from_iter(path.mailbox().cloned()),
    };
    mailboxes.retain(|mailbox| site.hosts(mailbox.domain()));
    let name = path.at_literal().filter(|_| request.origin == Origin::Foreign);
    mailboxes.extend(name.zip(host(site, request)).map(|(name, host)| Mailbox::new(name, host)));
    mailboxes.dedup();
    mailboxes
}

/// Whether a domain that is not hosted is the host itself. `mydestination` has these names from the start, and every local
/// user gets mail at them, also what is addressed to no domain at all: without this, no lock would concern itself.
fn is_host(site: &Site, request: &Request<'_>, domain: &Domain) -> bool {
    let is_localhost = || domain.as_str().split('.').next() == Some("localhost");
    !site.hosts(domain) && (is_localhost() || host(site, request).is_some_and(|host| host == *domain))
}

/// The MTA's own name, at which it delivers mail for its address literals.
pub(super) fn host(site: &Site, request: &Request<'_>) -> Option<Domain> {
    request.session.mta_name.as_deref().unwrap_or(&site.host_name).parse().ok()
}
