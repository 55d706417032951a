//! What each service of Postfix is for, and who may use it: a row that looks at all of them judges by this.

use super::host::{Mta, Postfix, has};
use super::{Host, State};
use crate::mta::postfix::master_cf::Service;
use crate::mta::postfix::restrictions::{Restriction, flattened};
use crate::mta::postfix::words;

/// What becomes of a stranger's mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// It is refused.
    Refused,
    /// It may pass, as a table or a server decides.
    Perhaps,
    /// It passes.
    Passes,
}

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// A client without a login, in no trusted network.
    Stranger,
    /// The same with a login.
    Login,
}

/// Whom a stranger writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// A domain of this host.
    Us,
    /// Any other domain.
    Others,
}

/// Lists of restrictions, each of which must let mail pass, in the order in which Postfix judges by them.
pub(super) const LISTS: [&str; 5] = [
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions",
];

impl Postfix {
    /// The services that receive mail by SMTP.
    pub(super) fn smtp_services(&self) -> impl Iterator<Item = &Service> {
        self.master_cf.services.iter().filter(|service| service.program() == "smtpd")
    }

    /// Those that mail comes in by. What only gives back what came in by another one was judged there.
    pub(super) fn open_services(&self) -> impl Iterator<Item = &Service> {
        self.smtp_services().filter(|service| !self.takes_mail_back(service))
    }

    /// Whether a service takes mail back from a content filter, which was judged when it came in.
    pub(super) fn takes_mail_back(&self, service: &Service) -> bool {
        // Without this, mail from the filter would go to the filter.
        let is_behind_filter = ["content_filter", "smtpd_proxy_filter"]
            .iter()
            .any(|filter| service.overridden(filter) == Some(""))
            || service.overridden("smtpd_authorized_xforward_hosts").is_some_and(|hosts| !hosts.is_empty());
        let no_milters = service.overridden("smtpd_milters") == Some("")
            || service.overridden("receive_override_options").is_some_and(|list| has(list, "no_milters"));
        // Where a webmail logs in, it is a door like any other.
        let is_for_logins = service.overridden("smtpd_sasl_auth_enable").is_some_and(|value| value == "yes");
        self.is_local(service) && (is_behind_filter || no_milters && !is_for_logins)
            // The filter may run on another host.
            || is_behind_filter
                && self.fate(service, Who::Stranger, To::Us) == Fate::Refused
                && !self.takes_logins(service)
    }

    /// Whether only programs of this host can reach a service.
    pub(super) fn is_local(&self, service: &Service) -> bool {
        let is_loopback = |host: &str| {
            let host = host.trim_matches(['[', ']']);
            host.starts_with("127.") || ["::1", "localhost", "loopback-only"].contains(&host)
        };
        match (service.kind.as_str(), service.endpoint().0) {
            ("unix" | "fifo", _) => true,
            // postscreen(8) passes on whom it has let in, wherever it listens.
            ("pass", _) => false,
            (_, Some(host)) => is_loopback(host),
            (_, None) => {
                // It is master(8) that listens, so that what a service overrides does not matter.
                let mut hosts = words(self.main_cf.value("inet_interfaces")).peekable();
                hosts.peek().is_some() && hosts.all(is_loopback)
            }
        }
    }

    /// Whether a service is for those who log in, by its port.
    pub(super) fn is_submission(service: &Service) -> bool {
        ["submission", "submissions", "smtps", "587", "465"].contains(&service.endpoint().1)
    }

    /// Whether a service offers AUTH.
    pub(super) fn offers_auth(&self, service: &Service) -> bool {
        self.is_yes(service, "smtpd_sasl_auth_enable")
    }

    /// Whether clients can log in at a service, and send by that what they could not send without.
    pub(super) fn takes_logins(&self, service: &Service) -> bool {
        self.offers_auth(service) && self.fate(service, Who::Login, To::Us) != Fate::Refused
    }

    /// What becomes of the mail of strangers at a service: who has no login, and is in no trusted network.
    pub(super) fn strangers(&self, service: &Service, to: To) -> Fate {
        if self.is_local(service) { Fate::Refused } else { self.fate(service, Who::Stranger, to) }
    }

    /// The services where mail of strangers to us is not refused, or where a table may let it pass.
    pub(super) fn strangers_doors(&self) -> impl Iterator<Item = (&Service, Fate)> {
        let doors = self.open_services().map(|service| (service, self.strangers(service, To::Us)));
        doors.filter(|(_, fate)| *fate != Fate::Refused)
    }

    /// The restrictions of a service, those of its classes in their place; each with its number in the list itself.
    pub(super) fn restrictions<'a>(
        &'a self,
        service: &'a Service,
        list: &str,
    ) -> Vec<(usize, Restriction<'a>)> {
        let classes = self.value(service, "smtpd_restriction_classes");
        let class = |name: &str| words(classes).any(|class| class == name).then(|| self.value(service, name));
        flattened(self.value(service, list), &class)
    }

    /// What becomes of somebody's mail by the restrictions of a service.
    fn fate(&self, service: &Service, who: Who, to: To) -> Fate {
        let trusted = match self.networks.get(self.value(service, "mynetworks")) {
            Some(networks) if networks.listed.iter().any(|network| network.prefix_len() <= 1) => Fate::Passes,
            // Whom a table has cannot be told.
            Some(networks) if !networks.unlisted.is_empty() => Fate::Perhaps,
            _ => Fate::Refused,
        };
        let lists = LISTS.iter().filter(|list| self.main_cf.has(list));
        let fates = lists.map(|list| {
            let restrictions = self.restrictions(service, list);
            of_restrictions(restrictions.iter().map(|(_, one)| one), who, to, trusted)
        });
        // Of lists that must all let pass, the strictest counts.
        fates.min().unwrap_or(Fate::Passes)
    }
}

/// How bad something is at a service that treats strangers like this.
pub(super) fn severity(fate: Fate) -> State {
    match fate {
        Fate::Refused => State::Good,
        Fate::Perhaps => State::Doubtful,
        Fate::Passes => State::Open,
    }
}

/// Of which services a row says that they are good, where it looks at those only that strangers may use.
pub(super) fn of_strangers(host: &Host) -> &'static str {
    match &host.mta {
        Mta::Postfix(postfix) if postfix.strangers_doors().next().is_none() => {
            "strangers may not use any service"
        }
        _ => "on every service that strangers may use",
    }
}

/// What restrictions say of somebody who may be in mynetworks as `trusted` says; the first one that decides does.
fn of_restrictions<'a>(
    all: impl Iterator<Item = &'a Restriction<'a>>,
    who: Who,
    to: To,
    trusted: Fate,
) -> Fate {
    const KNOWN: [&str; 3] = ["permit_", "reject_", "defer_"];
    let mut perhaps = false;
    for one in all {
        let refuses = match to {
            To::Us => one.ends(),
            To::Others => {
                let relaying = ["reject_unauth_destination", "defer_unauth_destination"];
                one.ends() || one.is_any(&relaying) && !one.only_warns
            }
        };
        let passes = one.is("permit")
            || one.is("permit_sasl_authenticated") && who == Who::Login
            || one.is("permit_naked_ip_address")
            || one.is("permit_auth_destination") && to == To::Us
            || one.is("permit_mynetworks") && trusted == Fate::Passes;
        if passes {
            return Fate::Passes;
        }
        if refuses {
            return if perhaps { Fate::Perhaps } else { Fate::Refused };
        }
        perhaps |= one.is("permit_tls_all_clientcerts")
            || one.is("permit_mx_backup") && to == To::Others
            || one.is("permit_mynetworks") && trusted == Fate::Perhaps
            || one.begins("permit_dnswl_client")
            || one.begins("permit_rhswl_client")
            || one.begins("check_")
            // A table without a name, or what a later Postfix knows.
            || !KNOWN.iter().any(|known| one.begins(known)) && !one.is_any(&["reject", "defer", "sleep"]);
    }
    Fate::Passes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(list: &str, to: To, trusted: Fate) -> Fate {
        let all = flattened(list, &|name| (name == "mine").then_some("permit_sasl_authenticated, reject"));
        of_restrictions(all.iter().map(|(_, one)| one), Who::Stranger, to, trusted)
    }

    #[track_caller]
    fn check(list: &str, to_strangers: Fate, to_us: Fate) {
        assert_eq!(judged(list, To::Others, Fate::Refused), to_strangers, "{list}");
        assert_eq!(judged(list, To::Us, Fate::Refused), to_us, "{list}");
    }

    #[test]
    fn what_lists_say_of_logins() {
        for (list, expected) in [
            ("permit_mynetworks, reject", Fate::Refused),
            ("permit_mynetworks, permit_sasl_authenticated, reject", Fate::Passes),
            ("reject_unauth_destination", Fate::Passes),
            ("mine, reject", Fate::Passes),
        ] {
            let all =
                flattened(list, &|name| (name == "mine").then_some("permit_sasl_authenticated, reject"));
            let found = of_restrictions(all.iter().map(|(_, one)| one), Who::Login, To::Us, Fate::Refused);
            assert_eq!(found, expected, "{list}");
        }
    }

    #[test]
    fn what_lists_say_of_strangers() {
        check("", Fate::Passes, Fate::Passes);
        check(
            "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
            Fate::Refused,
            Fate::Passes,
        );
        check("permit_mynetworks permit_sasl_authenticated reject", Fate::Refused, Fate::Refused);
        check("permit, reject", Fate::Passes, Fate::Passes);
        check("warn_if_reject reject_unauth_destination", Fate::Passes, Fate::Passes);
        check("warn_if_reject reject", Fate::Passes, Fate::Passes);
        check("check_client_access hash:/x, reject_unauth_destination", Fate::Perhaps, Fate::Passes);
        check("reject_rbl_client reject, permit", Fate::Passes, Fate::Passes);
        check("reject_unauth_destination, check_policy_service unix:x", Fate::Refused, Fate::Passes);
        check("unknown_class, reject", Fate::Perhaps, Fate::Perhaps);
        check("mine, permit", Fate::Refused, Fate::Refused);
        check("permit_auth_destination, reject", Fate::Refused, Fate::Passes);
        check("permit_inet_interfaces, reject", Fate::Refused, Fate::Refused);
        check("permit_tls_all_clientcerts, reject", Fate::Perhaps, Fate::Perhaps);
        check("permit_mx_backup, defer_unauth_destination", Fate::Perhaps, Fate::Passes);
        check("{ check_client_access hash:/x }, reject", Fate::Perhaps, Fate::Perhaps);
        check("hash:/x, reject", Fate::Perhaps, Fate::Perhaps);
        for trusted in [Fate::Passes, Fate::Perhaps, Fate::Refused] {
            assert_eq!(judged("permit_mynetworks, reject", To::Others, trusted), trusted);
        }
    }
}
