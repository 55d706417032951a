//! The classes of domains that a Postfix receives mail for (`ADDRESS_CLASS_README`).

use super::main_cf::MainCf;
use super::match_list::{Below, MatchList, Names};
use super::tables::TableError;
use super::words::words;
use crate::clients::files::watched::Reading;

/// How mail for a domain is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Delivered to users of this host.
    Local,
    /// Every address is an alias.
    VirtualAlias,
    /// Delivered to mailboxes that need no user.
    VirtualMailbox,
    /// Passed on.
    Relay,
}

impl Class {
    /// All classes, in the order in which Postfix looks for a domain.
    pub const ALL: [Self; 4] = [Self::Local, Self::VirtualAlias, Self::VirtualMailbox, Self::Relay];

    /// The parameter that lists its domains.
    pub fn domains(self) -> &'static str {
        match self {
            Self::Local => "mydestination",
            Self::VirtualAlias => "virtual_alias_domains",
            Self::VirtualMailbox => "virtual_mailbox_domains",
            Self::Relay => "relay_domains",
        }
    }

    /// The parameter that names the tables of its recipients.
    pub fn recipients(self) -> &'static str {
        match self {
            Self::Local => "local_recipient_maps",
            Self::VirtualAlias => "virtual_alias_maps",
            Self::VirtualMailbox => "virtual_mailbox_maps",
            Self::Relay => "relay_recipient_maps",
        }
    }
}

/// The domains of every class.
#[derive(Debug)]
pub struct Classes {
    lists: [(Class, MatchList); 4],
    relays_subdomains: bool,
}

impl Classes {
    /// The parameters that are needed.
    pub const PARAMETERS: [&str; 5] = [
        "mydestination",
        "parent_domain_matches_subdomains",
        "relay_domains",
        "virtual_alias_domains",
        "virtual_mailbox_domains",
    ];

    /// Reads the lists.
    ///
    /// # Errors
    ///
    /// Where a file or table that they name cannot be used.
    pub fn open(main_cf: &MainCf) -> Reading<Self> {
        let mut parents = words(main_cf.value("parent_domain_matches_subdomains"));
        let relays_subdomains = parents.any(|word| word == "relay_domains");
        let below = |class| match class {
            Class::Relay if relays_subdomains => Below::In,
            Class::Relay => Below::AfterDot,
            _ => Below::Out,
        };
        let [local, alias, mailbox, relay] =
            Class::ALL.map(|class| MatchList::open(main_cf, class.domains(), below(class)));
        match (local, alias, mailbox, relay) {
            (Ok((local, a)), Ok((alias, b)), Ok((mailbox, c)), Ok((relay, d))) => {
                let [one, two, three, four] = Class::ALL;
                let lists = [(one, local), (two, alias), (three, mailbox), (four, relay)];
                Ok((Self { lists, relays_subdomains }, [a, b, c, d].concat()))
            }
            (a, b, c, d) => {
                Err([a.err(), b.err(), c.err(), d.err()].into_iter().flatten().flatten().collect())
            }
        }
    }

    /// The class of a domain; none where Postfix does not receive mail for it.
    ///
    /// # Errors
    ///
    /// Where a table cannot tell.
    pub async fn of(&self, domain: &str) -> Result<Option<Class>, TableError> {
        for (class, list) in &self.lists {
            if list.matches(domain).await? {
                return Ok(Some(*class));
            }
        }
        Ok(None)
    }

    /// Whether a domain of the class [`Class::Relay`] stands for all below it too.
    pub fn relays_subdomains(&self) -> bool {
        self.relays_subdomains
    }

    /// The domains of each class, in the order in which Postfix looks for one.
    pub fn names(&self) -> impl Iterator<Item = (Class, Names)> {
        self.lists.iter().map(|(class, list)| (*class, list.names()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn main_cf(values: &[(&str, &str)]) -> MainCf {
        MainCf::of(Path::new("/etc/postfix"), values)
    }

    #[tokio::test]
    async fn the_first_class_counts() {
        let values = [
            ("mydestination", "host.example, localhost, !not.example"),
            ("virtual_alias_domains", "inline:{ {alias.example = x} {info@x = y} }, host.example"),
            ("virtual_mailbox_domains", "alias.example regexp:{ {/\\.box$/ x} }"),
            (
                "relay_domains",
                "relay.example, not.example !out.relay.example, inline:{table.example=x}, ühe.example",
            ),
            ("parent_domain_matches_subdomains", "debug_peer_list,relay_domains"),
        ];
        let (classes, _) = Classes::open(&main_cf(&values)).unwrap();
        for (domain, class) in [
            ("HOST.example", Some(Class::Local)),
            ("sub.host.example", None),
            ("not.example", Some(Class::Relay)),
            ("alias.example", Some(Class::VirtualAlias)),
            ("a.box", Some(Class::VirtualMailbox)),
            ("relay.example", Some(Class::Relay)),
            ("a.b.relay.example", Some(Class::Relay)),
            ("xrelay.example", None),
            ("a.b.table.example", Some(Class::Relay)),
            ("üa.ühe.example", Some(Class::Relay)),
            ("example", None),
            ("", None),
        ] {
            assert_eq!(classes.of(domain).await, Ok(class), "{domain}");
        }
        let names: Vec<Names> = classes.names().map(|(_, names)| names).collect();
        assert_eq!(names[0].listed, ["host.example", "localhost"]);
        assert_eq!(names[1].listed, ["alias.example", "host.example"]);
        assert_eq!(names[2].unlisted, ["regexp:{ {/\\.box$/ x} }"]);
        assert_eq!(names[3].listed, ["relay.example", "not.example", "table.example", "ühe.example"]);
    }

    #[tokio::test]
    async fn subdomains_after_a_dot() {
        let values = [("relay_domains", ".relay.example inline:{.table.example=x}")];
        let (classes, _) = Classes::open(&main_cf(&values)).unwrap();
        for (domain, expected) in [
            ("relay.example", false),
            ("a.b.relay.example", true),
            ("a.b.table.example", true),
            ("table.example", false),
        ] {
            assert_eq!(classes.of(domain).await.unwrap().is_some(), expected, "{domain}");
        }
    }
}
