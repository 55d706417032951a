//! Who was refused and for whom, and who sends as our own domains.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::super::Event;
use super::super::parse::{Entry, Field, Outcome};
use super::Top;
use crate::check::CheckId;
use crate::mail::Domain;
use crate::mail::spf::SpfResult;

/// The reason that a blocked client is refused for.
const BLOCKED: &str = "harvest-blocked";

/// What was refused or would be.
#[derive(Clone, Debug, Default)]
pub struct Refused {
    /// Recipients that do not exist, as far as that decided.
    pub recipients: Top,
    /// The networks of clients: the /24 or /64.
    pub networks: Top,
    /// Networks that are blocked for guessing names, by the records about them.
    pub blocked: Top,
}

impl Refused {
    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        if !matches!(entry.would, Outcome::Reject | Outcome::Defer) {
            return;
        }
        let client = entry.text(Field::Client).unwrap_or_default();
        let network = client.parse().ok().and_then(network);
        if let Some(network) = network {
            self.networks.add(&network.to_string());
        }
        if entry.text(Field::Reason) == Some(BLOCKED) {
            // The finding names what is blocked first, which may be more than the client.
            let named = entry.text(Field::Detail).and_then(|detail| detail.split(' ').next());
            let named = named.and_then(|name| name.parse::<IpNet>().ok()).or(network);
            if let Some(network) = named {
                self.blocked.add(&network.to_string());
            }
        } else if entry.event == Event::Recipient
            && entry.text(Field::Check) == Some(CheckId::Recipients.as_str())
        {
            self.recipients.add(entry.text(Field::RcptTo).unwrap_or_default());
        }
    }
}

/// The network that the holder of an address can choose others from.
fn network(address: IpAddr) -> Option<IpNet> {
    let length = if address.is_ipv4() { 24 } else { 64 };
    IpNet::new(address, length).ok().map(|network| network.trunc())
}

/// Who sends as our own domains, by what SPF said of it.
#[derive(Clone, Debug, Default)]
pub struct OwnDomains {
    /// None if nobody said which domains are ours.
    hosted: Option<BTreeSet<Domain>>,
    results: BTreeMap<(Domain, SpfResult), Senders>,
}

/// Records of one domain with one result.
#[derive(Clone, Debug, Default)]
pub struct Senders {
    /// How many.
    pub records: u64,
    /// The addresses of the clients.
    pub clients: Top,
}

impl OwnDomains {
    pub(super) fn of(hosted: Option<BTreeSet<Domain>>) -> Self {
        Self { hosted, results: BTreeMap::new() }
    }

    /// Whether it is known which domains are ours.
    pub fn is_known(&self) -> bool {
        self.hosted.is_some()
    }

    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        let Some(hosted) = &self.hosted else { return };
        let mut results = entry.text(Field::Spf).into_iter().flat_map(|spf| spf.split(','));
        let result = results.find_map(|one| one.strip_prefix("mailfrom:"));
        // A gateway that found the result is named behind it.
        let result = result.and_then(|result| result.split('@').next()?.parse().ok());
        let domain = entry.text(Field::MailFrom).and_then(|path| path.rsplit_once('@'));
        let (Some(result), Some((_, domain))) = (result, domain) else { return };
        let Some(domain) = domain.parse::<Domain>().ok().filter(|domain| hosted.contains(domain)) else {
            return;
        };
        let senders = self.results.entry((domain, result)).or_default();
        senders.records += 1;
        senders.clients.add(entry.text(Field::Client).unwrap_or_default());
    }

    /// Each domain and result with who sent so, in the order of domains.
    pub fn results(&self) -> impl Iterator<Item = (&Domain, SpfResult, &Senders)> {
        self.results.iter().map(|((domain, result), senders)| (domain, *result, senders))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::parse::parse;
    use super::*;

    fn entry(event: &str, fields: &str) -> String {
        format!("time=2026-11-24T05:45:00Z event={event} verdict=pass {fields} ms=1")
    }

    #[test]
    fn who_is_refused() {
        let mut refused = Refused::default();
        for line in [
            entry("recipient", "would=reject check=recipients client=192.0.2.7 rcpt_to=a@b"),
            entry("recipient", "would=reject check=spf client=192.0.2.8 rcpt_to=c@d"),
            entry(
                "recipient",
                "would=defer reason=harvest-blocked check=harvest detail=\"192.0.2.0/24 asked\" client=192.0.2.9",
            ),
            entry("message", "check=spf client=2001:db8::1"),
        ] {
            refused.add(&parse(&line).unwrap());
        }
        assert_eq!(refused.recipients.sorted(), [("a@b", 1)]);
        assert_eq!(refused.networks.sorted(), [("192.0.2.0/24", 3)]);
        assert_eq!(refused.blocked.sorted(), [("192.0.2.0/24", 1)]);
    }

    #[test]
    fn who_sends_as_us() {
        let mut own = OwnDomains::of(Some(["example.org".parse().unwrap()].into()));
        for (from, spf) in [
            ("a@example.org", "mailfrom:fail,helo:none"),
            ("b@EXAMPLE.org", "helo:none,mailfrom:fail@gw.example"),
            ("c@example.org", "mailfrom:pass"),
            ("d@example.net", "mailfrom:fail"),
            ("<>", "helo:fail"),
        ] {
            let line = entry("message", &format!("mail_from={from} spf={spf} client=192.0.2.7"));
            own.add(&parse(&line).unwrap());
        }
        let found: Vec<_> =
            own.results().map(|(domain, result, one)| (domain.as_str(), result, one.records)).collect();
        assert_eq!(found, [("example.org", SpfResult::Pass, 1), ("example.org", SpfResult::Fail, 2)]);
    }
}
