//! What Postfix knows of recipients once no alias has an address: the tables of its domain's class.

use super::walk::{Walk, entry, names_nobody};
use crate::clients::files::watched::Reading;
use crate::facts::{Evidence, Existence, Provenance};
use crate::mta::postfix::address::Address;
use crate::mta::postfix::classes::{Class, Classes};
use crate::mta::postfix::main_cf::MainCf;
use crate::mta::postfix::maps::Maps;
use crate::mta::postfix::stranger::Owner;
use crate::mta::postfix::tables::{Context, TableError, Usage};

/// The classes of domains, and what lists the recipients of each.
#[derive(Debug)]
pub(super) struct Delivery {
    classes: Classes,
    relocated: Maps,
    listings: Vec<(Class, Listing)>,
    double_bounce: String,
}

/// What is known of the recipients of a class.
#[derive(Debug)]
enum Listing {
    /// Nothing; why.
    Nothing(String),
    /// No address exists that is no alias: the class is one of aliases, or its transport refuses all.
    Nobody,
    /// Those that tables have. A value is where the mail goes, or else means nothing.
    Tables { maps: Maps, has_mailboxes: bool },
    /// Those that tables have, and all others go where `luser_relay` says.
    Relayed(Maps, String),
}

/// How the tables are named that say who is a user of this host where no parameter does.
const USERS: &str = "users of this host";

impl Delivery {
    /// The parameters that are needed besides those of `Classes` and `Addressing`.
    pub(super) const PARAMETERS: [&str; 14] = [
        "alias_database",
        "alias_maps",
        "fallback_transport",
        "fallback_transport_maps",
        "local_recipient_maps",
        "local_transport",
        "luser_relay",
        "mailbox_transport",
        "mailbox_transport_maps",
        "relay_recipient_maps",
        "relay_transport",
        "relocated_maps",
        "virtual_mailbox_maps",
        "virtual_transport",
    ];

    /// Opens the tables.
    ///
    /// # Errors
    ///
    /// Everything for which a table cannot be asked as Postfix asks it.
    pub(super) fn open(main_cf: &MainCf) -> Reading<Self> {
        let (mut warnings, mut problems) = (Vec::new(), Vec::new());
        let mut take = |found: Reading<Listing>| match found {
            Ok((listing, more)) => {
                warnings.extend(more);
                Some(listing)
            }
            Err(more) => {
                problems.extend(more);
                None
            }
        };
        let listings =
            Class::ALL.into_iter().filter_map(|class| Some((class, take(listing(main_cf, class))?)));
        let listings = listings.collect();
        match (Classes::open(main_cf), Maps::open(main_cf, "relocated_maps", Usage::Maps)) {
            (Ok((classes, a)), Ok((relocated, b))) if problems.is_empty() => {
                let double_bounce = main_cf.value("double_bounce_sender").to_owned();
                Ok((Self { classes, relocated, listings, double_bounce }, [warnings, a, b].concat()))
            }
            (a, b) => Err([Some(problems), a.err(), b.err()].into_iter().flatten().flatten().collect()),
        }
    }

    /// What is known of an address that was come to by these entries.
    ///
    /// # Errors
    ///
    /// Where a table cannot tell.
    pub(super) async fn find(
        &self,
        walk: &Walk,
        address: &Address,
        by: &Provenance,
        by_name: bool,
    ) -> Result<Existence, TableError> {
        if let Some(found) = walk.addressing.find(&self.relocated, address).await? {
            let by = by.then(entry(&self.relocated, &found, true));
            return Ok(Existence::Relocated { to: found.value().to_owned(), by });
        }
        let Some(class) = self.classes.of(&address.domain).await? else {
            let lists = Class::ALL.map(Class::domains).join(", ");
            let why = format!("Postfix has the domain in none of {lists}");
            return Ok(Existence::NoList(by.leading_to(&why)));
        };
        let listing = self.listings.iter().find(|(of, _)| *of == class).map(|(_, listing)| listing);
        let (maps, has_mailboxes, otherwise) = match listing {
            Some(Listing::Nobody) | None => return Ok(Existence::Unknown(String::new())),
            _ if class == Class::Local && self.is_always_local(&address.local_part) => {
                let (words, value) = ("Postfix has it in every local domain".to_owned(), None);
                return Ok(Existence::Exists(by.then(Evidence::Said { words, value })));
            }
            Some(Listing::Nothing(why)) => return Ok(Existence::NoList(by.leading_to(why))),
            Some(Listing::Tables { maps, has_mailboxes }) => {
                (maps, *has_mailboxes, Existence::Unknown(String::new()))
            }
            Some(Listing::Relayed(maps, relay)) => {
                let (name, value) = ("luser_relay".to_owned(), relay.clone());
                (maps, true, Existence::Wildcard(by.then(Evidence::Parameter { name, value })))
            }
        };
        let Some(found) = walk.addressing.find(maps, address).await? else { return Ok(otherwise) };
        let owner = walk.strangers.owner(maps, address, &found, by_name).await;
        let by = |is_of_name| by.then(entry(maps, &found, is_of_name));
        Ok(match owner {
            Owner::Name => Existence::Exists(by(true)),
            // What the table has for a name is not where its mail goes: whoever gets it knows the names.
            Owner::Everybody(_) | Owner::Either(_) if !has_mailboxes => {
                Existence::NoList(names_nobody(&by(false)))
            }
            Owner::Everybody(_) => Existence::Wildcard(by(false)),
            Owner::Either(_) => Existence::Ambiguous(by(true)),
        })
    }

    /// Names of which Postfix takes care itself (`smtpd_check.c`).
    fn is_always_local(&self, local_part: &str) -> bool {
        ["postmaster", "mailer-daemon", &self.double_bounce]
            .iter()
            .any(|name| local_part.eq_ignore_ascii_case(name))
    }
}

/// What a configuration knows of the recipients of a class.
fn listing(main_cf: &MainCf, class: Class) -> Reading<Listing> {
    let transport = match class {
        // Addresses that are no alias are refused.
        Class::VirtualAlias => return Ok((Listing::Nobody, Vec::new())),
        Class::Local => "local_transport",
        Class::VirtualMailbox => "virtual_transport",
        Class::Relay => "relay_transport",
    };
    let transport = main_cf.value(transport).split(':').next().unwrap_or_default();
    if transport == "error" {
        return Ok((Listing::Nobody, Vec::new()));
    }
    if !main_cf.value(class.recipients()).is_empty() {
        // virtual(8) delivers to the mailbox that the table has; other programs do not look at it (virtual(8), local(8)).
        let has_mailboxes = class == Class::VirtualMailbox && transport == "virtual";
        let tables = |maps| Listing::Tables { maps, has_mailboxes };
        return open(main_cf, class.recipients(), main_cf.value(class.recipients()), tables);
    }
    let empty = format!("{} is empty", class.recipients());
    if class != Class::Local || transport != "local" {
        return Ok((Listing::Nothing(empty), Vec::new()));
    }
    // In the order of local(8): each of these takes what those after it would.
    let transports =
        ["mailbox_transport_maps", "mailbox_transport", "fallback_transport_maps", "fallback_transport"];
    if let Some(name) = transports.into_iter().find(|name| !main_cf.value(name).is_empty()) {
        let why = format!("{empty}, and {name} ({}) has the names", main_cf.value(name));
        return Ok((Listing::Nothing(why), Vec::new()));
    }
    let relay = main_cf.value("luser_relay").to_owned();
    if relay.is_empty() {
        return Ok((Listing::Nothing(empty), Vec::new()));
    }
    let users = format!("unix:passwd.byname {}", main_cf.value("alias_maps"));
    open(main_cf, USERS, &users, |maps| Listing::Relayed(maps, relay))
}

fn open(
    main_cf: &MainCf,
    title: &str,
    list: &str,
    listing: impl FnOnce(Maps) -> Listing,
) -> Reading<Listing> {
    match Maps::of(title, list, Context::of(main_cf, Usage::Maps)) {
        Ok((maps, warnings)) => {
            Ok((listing(maps), warnings.into_iter().map(|one| one.in_file(main_cf.file())).collect()))
        }
        Err(problems) => Err(problems.into_iter().map(|one| one.in_file(main_cf.file())).collect()),
    }
}
