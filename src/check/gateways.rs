//! What earlier milters and gateways found out, as far as their word can be believed.

use super::{Forwarder, Site};
use crate::mail::Header;
use crate::mail::authres::{self, AuthenticationResults, is_same_id};
use crate::mail::received::{self, Handover};
use crate::session::is_public;

/// The Authentication-Results fields of trusted authserv-ids that may be believed, from the top.
///
/// Each host puts its fields above those that it was sent, above or just below its own Received. So the fields are
/// believed down to the first Received that a stranger wrote: the one below the Received in which a host of the gateway
/// says that it had the message from outside. Where the client itself is a stranger, all its Received are, and only a
/// milter of this host can have put anything above them.
///
/// Above that line nothing but the gateway's own care keeps a forged field out (RFC 8601, 5).
pub(super) fn believed(site: &Site, header: &Header, from_gateway: bool) -> Vec<AuthenticationResults> {
    let mut fields = Vec::new();
    if site.trusted_authserv_ids.is_empty() {
        return fields;
    }
    let is_trusted = |id: &str| site.trusted_authserv_ids.iter().any(|trusted| is_same_id(trusted, id));
    let mut by_gateway = from_gateway;
    for field in header.fields() {
        if field.is(received::NAME) {
            if !by_gateway {
                break;
            }
            by_gateway = is_between_hops(site, &field.value);
        } else if field.is(authres::NAME) {
            let results = AuthenticationResults::parse(&field.value).ok();
            fields.extend(results.filter(|results| is_trusted(&results.authserv_id)));
        }
    }
    fields
}

/// Whether a Received that a host of the gateway wrote says that another such host handed the message over.
fn is_between_hops(site: &Site, received: &str) -> bool {
    match Handover::parse(received) {
        Handover::Within => true,
        Handover::From(addresses) => {
            let is_hop = |address| {
                let forwarders = site.trusted_forwarders.iter().filter_map(|forwarder| match forwarder {
                    Forwarder::Network(network) => Some(network),
                    Forwarder::Spf(_) => None,
                });
                !is_public(address)
                    || site
                        .trusted_networks
                        .iter()
                        .chain(forwarders)
                        .any(|network| network.contains(&address))
            };
            !addresses.is_empty() && addresses.into_iter().all(is_hop)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::mail::Field;

    fn site() -> Site {
        Site {
            authserv_id: None,
            host_name: "mx.example.org".to_owned(),
            trusted_authserv_ids: vec!["gw.example".to_owned(), "dkim.example.org".to_owned()],
            trusted_networks: vec!["192.0.2.0/24".parse().unwrap()],
            trusted_forwarders: vec![Forwarder::Network("2001:db8:1::/48".parse().unwrap())],
            aliases: BTreeMap::new(),
            login_domain: None,
            exempt_logins: Vec::new(),
            hosted: BTreeSet::new(),
            harvest_exempt: Vec::new(),
            harvest_exceptions: Vec::new(),
        }
    }

    /// A line is `A: ` and the body of an Authentication-Results field, or `R: ` and that of a Received. Expected are
    /// the results in order, `method=result`.
    #[track_caller]
    fn check(from_gateway: bool, lines: &[&str], expected: &str) {
        let field = |line: &&str| match line.split_once(": ").unwrap() {
            ("A", body) => Field::new(authres::NAME, body),
            (_, body) => Field::new(received::NAME, body),
        };
        let header: Header = lines.iter().map(field).collect();
        let fields = believed(&site(), &header, from_gateway);
        let results = fields.iter().flat_map(|field| &field.results);
        let results: Vec<String> =
            results.map(|found| format!("{}={}", found.method, found.result)).collect();
        assert_eq!(results.join(" "), expected, "{lines:#?}");
    }

    const FROM_OUTSIDE: &str = "R: from evil.test (evil.test [198.51.100.66]) by gw.example (Postfix)";
    const FORGED: &str = "A: gw.example; spf=pass smtp.mailfrom=bank.example";
    const FORGED_HOP: &str = "R: from gw2.example (gw2.example [192.0.2.2]) by gw.example (Postfix)";

    #[test]
    fn a_gateway_writes_one_field_for_each_method() {
        let dmarc = "A: gw.example; dmarc=fail header.from=a.test";
        let dkim = "A: gw.example; dkim=none";
        let spf = "A: gw.example; spf=fail smtp.mailfrom=a.test (client-ip=198.51.100.66; helo=h)";
        let other = "A: else.example; spf=pass smtp.mailfrom=a.test";
        // Above its own Received, below it, and on both sides.
        check(true, &[dmarc, dkim, spf, FROM_OUTSIDE], "dmarc=fail dkim=none spf=fail");
        check(true, &[FROM_OUTSIDE, dmarc, dkim, other, spf], "dmarc=fail dkim=none spf=fail");
        check(true, &[dmarc, FROM_OUTSIDE, dkim, spf], "dmarc=fail dkim=none spf=fail");
        // A field that cannot be read hides none of the others.
        check(true, &["A: gw.example; ???", spf, FROM_OUTSIDE], "spf=fail");
        check(true, &[spf], "spf=fail");
    }

    #[test]
    fn what_a_stranger_wrote_is_not_believed() {
        let stranger = "R: from x (x [198.51.100.1]) by evil.test";
        check(true, &["A: gw.example; dkim=none", FROM_OUTSIDE, stranger, FORGED], "dkim=none");
        check(true, &[FROM_OUTSIDE, stranger, FORGED], "");
        // A Received of the stranger's that says it was the gateway's changes nothing.
        check(true, &[FROM_OUTSIDE, FORGED_HOP, FORGED], "");
        // HELO is the stranger's to choose.
        let disguised = "R: from [127.0.0.1] by gw2 (unknown [198.51.100.66]) by gw.example (Postfix)";
        check(true, &[disguised, FORGED_HOP, FORGED], "");
        // From whom, it does not say.
        check(true, &["R: from evil.test by gw.example", FORGED_HOP, FORGED], "");
    }

    #[test]
    fn a_gateway_may_have_several_hops() {
        let spf = "A: gw.example; spf=pass smtp.mailfrom=a.test";
        for hop in [
            FORGED_HOP,
            "R: from localhost (localhost [127.0.0.1]) by gw.example (Postfix) with ESMTP",
            "R: from filter (filter [10.1.2.3]) by gw.example (Postfix)",
            "R: from gw6.example (2001:db8:1::1) by gw7.example (2001:db8:1::2) with Microsoft SMTP Server",
            "R: by gw.example (Postfix, from userid 110)",
            "R: (qmail 12 invoked from network); 30 Nov 2026 10:00:00 -0000",
        ] {
            check(true, &[hop, hop, FROM_OUTSIDE, spf], "spf=pass");
            check(true, &[hop, hop, FROM_OUTSIDE, hop, FORGED], "");
        }
    }

    #[test]
    fn a_stranger_is_no_gateway() {
        let dkim = "A: dkim.example.org; dkim=pass header.d=a.test";
        check(false, &[dkim, FROM_OUTSIDE, FORGED], "dkim=pass");
        check(false, &[FORGED_HOP, FORGED, dkim], "");
    }
}
