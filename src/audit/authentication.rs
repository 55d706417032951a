//! Chapter 3, second part: how logins are made, and who needs none.

use ipnet::IpNet;

use super::catch_all::no_configuration;
use super::host::{Mta, Postfix, has, named};
use super::{Change, Chapter, Host, Row, State, Verdict};
use crate::mta::postfix::networks::Networks;

/// Passwords in clear.
pub(super) static TLS: Row = Row {
    name: "auth-tls",
    chapter: Chapter::Authentication,
    title: "AUTH is offered under TLS only",
    consequence: "Passwords go over the network in clear text.",
    judge: tls,
};

/// What a login is.
pub(super) static MECHANISMS: Row = Row {
    name: "anonymous-login",
    chapter: Chapter::Authentication,
    title: "Nobody logs in as nobody",
    consequence: "An anonymous login counts as a login.",
    judge: mechanisms,
};

/// Networks without logins.
pub(super) static WIDE_NETWORKS: Row = Row {
    name: "wide-networks",
    chapter: Chapter::Authentication,
    title: "Trusted networks are as narrow as they can be",
    consequence: "Every host in them sends as anybody, through you, unexamined.",
    judge: wide_networks,
};

/// Networks that only the mail server trusts.
pub(super) static UNTRUSTED_NETWORKS: Row = Row {
    name: "untrusted-networks",
    chapter: Chapter::Authentication,
    title: "lockdown-milter and the mail server trust the same networks",
    consequence: "Clients in the others are strangers to one of the two: their mail is refused, or passes by mistake.",
    judge: untrusted_networks,
};

/// What is left of `mynetworks` where it was everybody.
const OWN_NETWORKS: &str = "127.0.0.0/8 [::1]/128";

fn tls(host: &Host) -> Verdict {
    match &host.mta {
        Mta::Unknown(why) => Verdict::only(State::Unknown, why),
        Mta::Postfix(postfix) => {
            let mut verdict = Verdict::new();
            let mut any = false;
            // What does not leave this host needs no TLS.
            let services = postfix.open_services().filter(|service| !postfix.is_local(service));
            for service in services.filter(|service| postfix.offers_auth(service)) {
                any = true;
                let level = postfix.value(service, "smtpd_tls_security_level");
                let is_safe = postfix.is_yes(service, "smtpd_tls_auth_only")
                    || postfix.is_yes(service, "smtpd_tls_wrappermode")
                    || postfix.is_yes(service, "smtpd_enforce_tls")
                    || level == "encrypt";
                if !is_safe && !postfix.takes_logins(service) {
                    let evidence = format!(
                        "{}: smtpd_tls_auth_only = no, though no login may send there what others may not",
                        service.label()
                    );
                    let change = postfix.over_ride(service, "smtpd_sasl_auth_enable", "no");
                    verdict.mend(State::Doubtful, evidence, vec![change]);
                } else if !is_safe {
                    let evidence = format!("{}: smtpd_tls_auth_only = no", service.label());
                    verdict.mend(
                        State::Open,
                        evidence,
                        vec![postfix.set(service, "smtpd_tls_auth_only", "yes")],
                    );
                } else if ["465", "smtps", "submissions"].contains(&service.endpoint().1)
                    && !postfix.is_yes(service, "smtpd_tls_wrappermode")
                {
                    let evidence = format!("{}: this port begins with TLS (RFC 8314, 3.3)", service.label());
                    let change = postfix.over_ride(service, "smtpd_tls_wrappermode", "yes");
                    verdict.mend(State::Doubtful, evidence, vec![change]);
                }
            }
            if !any {
                return Verdict::not_applicable("no service offers AUTH to other hosts");
            }
            verdict.or_good("on every service that offers it")
        }
        Mta::Sendmail(sendmail) => {
            if sendmail.cf.option("AuthMechanisms").is_empty() {
                return Verdict::not_applicable("no AuthMechanisms are set");
            }
            let options = sendmail.cf.option("AuthOptions");
            if options.contains('p') {
                return Verdict::only(State::Good, format!("AuthOptions={options}"));
            }
            let mut verdict = Verdict::new();
            // What is set stays: `y`, for one, refuses anonymous logins.
            let added = if options.is_empty() { "A p".to_owned() } else { format!("{options} p") };
            let line = format!("define(`confAUTH_OPTIONS',`{added}')dnl");
            let change = Change::set(&sendmail.macros, &line);
            let evidence =
                format!("AuthOptions={} has no `p`", if options.is_empty() { "(none)" } else { options });
            verdict.mend(State::Open, evidence, vec![change]);
            verdict
        }
    }
}

fn mechanisms(host: &Host) -> Verdict {
    match &host.mta {
        Mta::Unknown(why) => Verdict::only(State::Unknown, why),
        Mta::Postfix(postfix) => {
            let mut verdict = Verdict::new();
            for service in postfix.open_services().filter(|service| postfix.takes_logins(service)) {
                for name in ["smtpd_sasl_security_options", "smtpd_sasl_tls_security_options"] {
                    if !has(postfix.value(service, name), "noanonymous") {
                        let evidence = format!("{}: {name} lacks noanonymous", service.label());
                        let list = format!("{} noanonymous", postfix.value(service, name));
                        verdict.mend(State::Open, evidence, vec![postfix.set(service, name, list.trim())]);
                    }
                }
            }
            verdict.or_good("anonymous mechanisms are refused")
        }
        Mta::Sendmail(sendmail) => {
            if has(sendmail.cf.option("AuthMechanisms"), "ANONYMOUS") {
                return Verdict::only(State::Open, "AuthMechanisms has ANONYMOUS");
            }
            Verdict::only(State::Good, "ANONYMOUS is no mechanism")
        }
    }
}

/// How wide a network is.
pub(super) fn width(network: &IpNet) -> Option<State> {
    let is_private = match network {
        IpNet::V4(network) => network.addr().is_private() || network.addr().is_loopback(),
        IpNet::V6(network) => {
            let address = network.addr();
            address.is_unique_local() || address.is_unicast_link_local() || address.is_loopback()
        }
    };
    let loopback = network.addr().is_loopback();
    let (doubtful, open) = match network {
        IpNet::V4(_) if is_private => (16, 8),
        IpNet::V4(_) => (25, 24),
        IpNet::V6(_) if is_private => (48, 7),
        IpNet::V6(_) => (56, 48),
    };
    match network.prefix_len() {
        _ if loopback && network.prefix_len() >= 8 => None,
        length if length < open => Some(State::Open),
        length if length < doubtful => Some(State::Doubtful),
        _ => None,
    }
}

fn wide_networks(host: &Host) -> Verdict {
    let mut verdict = Verdict::new();
    let mut judge = |name: &str, networks: &[IpNet], changes: Vec<Change>| {
        let wide: Vec<(&IpNet, State)> = networks.iter().filter_map(|one| Some((one, width(one)?))).collect();
        let Some(worst) = wide.iter().map(|(_, state)| *state).max() else { return };
        let evidence = format!("{name}: {}", named(wide.iter().map(|(network, _)| network)));
        verdict.mend(worst, evidence, changes);
    };
    if let Some(config) = host.config() {
        let trusted = &config.policy.site.trusted_networks;
        let kept = kept(trusted);
        let changes = if kept.len() < trusted.len() { vec![trusting(host, &kept)] } else { Vec::new() };
        judge("trusted_networks", trusted, changes);
    }
    let mut unseen = Vec::new();
    match &host.mta {
        Mta::Postfix(postfix) => {
            for service in postfix.open_services() {
                let list = postfix.value(service, "mynetworks");
                let Some(networks) = postfix.networks.get(list) else { continue };
                let name = Postfix::named(service, "mynetworks");
                unseen.extend(
                    networks.unlisted.iter().map(|item| format!("{name}: what {item} has is not known")),
                );
                let line = narrowed(networks).map(|list| postfix.set(service, "mynetworks", &list));
                judge(&name, &networks.listed, line.into_iter().collect());
            }
        }
        Mta::Sendmail(sendmail) => {
            unseen.extend(
                sendmail.networks.unlisted.iter().map(|why| format!("relay-domains and access: {why}")),
            );
            judge("relay-domains and access", &sendmail.networks.listed, Vec::new());
        }
        Mta::Unknown(why) => verdict.find(State::Unknown, why),
    }
    for evidence in unseen {
        verdict.find(State::Unknown, evidence);
    }
    verdict.or_good("no network of strangers is trusted")
}

/// Networks without those that are open. What is doubtful may be needed, so that it stays.
fn kept(networks: &[IpNet]) -> Vec<IpNet> {
    networks.iter().filter(|one| width(one) != Some(State::Open)).copied().collect()
}

/// `mynetworks` without what is open in it; none where nothing is, or where no line can be given.
pub(super) fn narrowed(networks: &Networks) -> Option<String> {
    // A line without an exclusion trusts whom it excluded, and one without a table loses whom it has.
    if !networks.excluded.is_empty() || !networks.unlisted.is_empty() {
        return None;
    }
    let kept = kept(&networks.listed);
    match kept.as_slice() {
        kept if kept.len() == networks.listed.len() => None,
        [] => Some(OWN_NETWORKS.to_owned()),
        kept => Some(in_postfix(kept)),
    }
}

/// Networks as Postfix writes them.
fn in_postfix(networks: &[IpNet]) -> String {
    let written = networks.iter().map(|network| match network {
        IpNet::V4(network) => network.to_string(),
        IpNet::V6(network) => format!("[{}]/{}", network.addr(), network.prefix_len()),
    });
    written.collect::<Vec<_>>().join(" ")
}

/// The line of ours that trusts these networks.
fn trusting(host: &Host, networks: &[IpNet]) -> Change {
    let networks: Vec<String> = networks.iter().map(|network| format!("\"{network}\"")).collect();
    Change::merge(host, vec![format!("trusted_networks: [{}]", networks.join(", "))])
}

fn untrusted_networks(host: &Host) -> Verdict {
    let Some(config) = host.config() else { return no_configuration(host) };
    let networks: &Networks = match &host.mta {
        Mta::Unknown(why) => return Verdict::only(State::Unknown, why),
        Mta::Postfix(postfix) => match postfix.networks.get(postfix.main_cf.value("mynetworks")) {
            Some(networks) => networks,
            None => return Verdict::only(State::Unknown, "mynetworks could not be read"),
        },
        Mta::Sendmail(sendmail) => &sendmail.networks,
    };
    let ours = &config.policy.site.trusted_networks;
    let covers = |all: &[IpNet], one: &IpNet| all.iter().any(|other| other.contains(one));
    let untrusted: Vec<&IpNet> = networks.listed.iter().filter(|one| !covers(ours, one)).collect();
    let mut verdict = Verdict::new();
    if !untrusted.is_empty() {
        // What is too wide to be trusted is no reason to trust it here too.
        let sane = untrusted.iter().filter(|one| width(one).is_none()).map(|one| **one);
        let all: Vec<IpNet> = kept(ours).into_iter().chain(sane).collect();
        let evidence = format!("only the mail server trusts {}", named(&untrusted));
        // Where all of them are too wide, it is main.cf that changes.
        let changes = if all == *ours { Vec::new() } else { vec![trusting(host, &all)] };
        verdict.mend(State::Doubtful, evidence, changes);
    }
    for item in networks.unlisted.iter().chain(&networks.excluded) {
        verdict.find(State::Unknown, format!("mynetworks: {item} cannot be listed"));
    }
    verdict.or_good("lockdown-milter trusts what the mail server trusts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths() {
        for (network, expected) in [
            ("127.0.0.0/8", None),
            ("::1/128", None),
            ("fe80::/64", None),
            ("fe80::/10", Some(State::Doubtful)),
            ("fc00::/7", Some(State::Doubtful)),
            ("0.0.0.0/0", Some(State::Open)),
            ("::/0", Some(State::Open)),
            ("192.0.2.0/24", Some(State::Doubtful)),
            ("192.0.2.0/26", None),
            ("198.51.0.0/16", Some(State::Open)),
            ("10.0.0.0/8", Some(State::Doubtful)),
            ("10.1.0.0/16", None),
            ("192.168.0.0/16", None),
            ("8.0.0.0/6", Some(State::Open)),
            ("2001:db8::/32", Some(State::Open)),
            ("2001:db8::/64", None),
            ("fd00:1:2::/48", None),
        ] {
            assert_eq!(width(&network.parse().unwrap()), expected, "{network}");
        }
    }
}
