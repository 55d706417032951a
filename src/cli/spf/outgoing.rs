//! Where mail leaves this host from: what SPF records of its domains must cover.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use nix::ifaddrs::getifaddrs;

use crate::mail::Domain;
use crate::mta::postfix::main_cf::MainCf;
use crate::spf::Records as _;
use crate::spf::lint::is_public;

use super::view::View;

/// The parameters of Postfix that say it.
const PARAMETERS: [&str; 5] =
    ["smtp_bind_address", "smtp_bind_address6", "relayhost", "smtp_helo_name", "inet_protocols"];

/// An address with what says that mail leaves from there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Outgoing {
    pub(super) address: IpAddr,
    pub(super) says: String,
}

/// Where mail leaves from, and under which name.
#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    pub(super) addresses: Vec<Outgoing>,
    pub(super) helo: Option<Domain>,
}

/// The addresses that are told; where none are, those that Postfix is bound to or relays to; else the public ones of this
/// host's interfaces; else those of its name, as behind NAT an interface knows no public one.
pub(super) async fn find(told: &[IpAddr], view: &View, postfix_dir: Option<&Path>) -> Host {
    let main_cf = MainCf::read(postfix_dir, &PARAMETERS).await.ok();
    let value = |name| main_cf.as_ref().map(|main_cf| main_cf.value(name)).filter(|value| !value.is_empty());
    let named = value("smtp_helo_name").and_then(|name| name.parse().ok());
    let helo: Option<Domain> = named.or_else(|| view.host_name.parse().ok());
    let mut addresses = BTreeSet::new();
    let mut add = |address: IpAddr, says: &str| {
        if is_public(address) && !addresses.iter().any(|known: &Outgoing| known.address == address) {
            addresses.insert(Outgoing { address, says: says.to_owned() });
        }
    };
    for address in told {
        add(*address, "--outgoing");
    }
    if told.is_empty() {
        for name in ["smtp_bind_address", "smtp_bind_address6"] {
            if let Some(address) = value(name).and_then(|value| value.parse().ok()) {
                add(address, name);
            }
        }
        if let Some(relay) = value("relayhost").map(host_of) {
            for address in resolved(&relay, view).await {
                add(address, &format!("relayhost {relay}"));
            }
        }
    }
    if addresses.is_empty() {
        for address in interfaces() {
            if is_public(address) {
                addresses.insert(Outgoing { address, says: "an interface of this host".to_owned() });
            }
        }
    }
    if addresses.is_empty()
        && let Some(name) = &helo
    {
        for address in resolved(name.as_str(), view).await.into_iter().filter(|address| is_public(*address)) {
            addresses.insert(Outgoing { address, says: format!("the name of this host, {name}") });
        }
    }
    Host { addresses: addresses.into_iter().collect(), helo }
}

/// The host of a `relayhost`: `[host]:port`, `host:port`, `host`.
fn host_of(relayhost: &str) -> String {
    let first = relayhost.split([',', ' ']).next().unwrap_or_default();
    if let Some((host, _)) = first.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return host.to_owned();
    }
    first.split(':').next().unwrap_or_default().to_owned()
}

/// The addresses of a host.
pub(super) async fn resolved(host: &str, view: &View) -> Vec<IpAddr> {
    if let Ok(address) = host.parse() {
        return vec![address];
    }
    let (ip4, ip6) = tokio::join!(view.dns.a(host), view.dns.aaaa(host));
    let ip4 = ip4.unwrap_or_default().into_iter().map(IpAddr::V4);
    ip4.chain(ip6.unwrap_or_default().into_iter().map(IpAddr::V6)).collect()
}

/// The addresses of the interfaces.
fn interfaces() -> Vec<IpAddr> {
    let Ok(list) = getifaddrs() else { return Vec::new() };
    list.filter_map(|interface| {
        let address = interface.address?;
        let ip4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        ip4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relayhosts() {
        for (text, expected) in [
            ("[relay.example.org]:587", "relay.example.org"),
            ("relay.example.org:25", "relay.example.org"),
            ("[192.0.2.1]", "192.0.2.1"),
            ("example.org", "example.org"),
        ] {
            assert_eq!(host_of(text), expected);
        }
    }
}
