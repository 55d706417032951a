//! Trusted forwarders: hosts that pass on other people's mail, so that neither SPF nor a login can be asked of them.

use super::{Forwarder, Remark, Site};
use crate::facts::{Open, View, both};
use crate::mail::spf::{SpfQuestion, SpfResult};
use crate::session::Request;

/// Whether the client is a forwarder by its network, which costs nothing to know.
pub(super) fn by_network(site: &Site, request: &Request<'_>) -> Option<Remark> {
    let address = request.session.client.address?;
    let mut networks = site.trusted_forwarders.iter().filter_map(Forwarder::network);
    let network = networks.find(|network| network.contains(&address))?;
    Some(Remark::new("forwarder", format!("{address} is a trusted forwarder by {network}")))
}

/// Whether the client is authorised by the SPF record of a forwarder's domain.
///
/// To be asked last: it costs queries, and what passes otherwise needs no forwarder to excuse it.
pub(super) fn by_spf(site: &Site, request: &Request<'_>, facts: &View<'_>) -> Result<Option<Remark>, Open> {
    let client = &request.session.client;
    let Some(address) = client.address.filter(|_| client.is_public()) else { return Ok(None) };
    let mut answers = Ok(Vec::new());
    for domain in site.trusted_forwarders.iter().filter_map(Forwarder::domain) {
        let answer = facts.spf(SpfQuestion::on_behalf_of(address, &request.session.helo, domain));
        answers = both(answers, answer).map(|(mut known, answer)| {
            known.push((domain, answer));
            known
        });
    }
    let passed = answers?.into_iter().find(|(_, answer)| answer.result == SpfResult::Pass);
    Ok(passed.map(|(domain, _)| {
        Remark::new("forwarder", format!("the client is authorised for the trusted forwarder {domain}"))
    }))
}
