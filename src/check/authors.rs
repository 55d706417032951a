//! Who a header says that it is from.

use crate::mail::address_list::{AddressList, Author};
use crate::mail::{Domain, Header, visible};

/// The mailboxes of an originator field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Authors {
    /// There is no such field.
    Absent,
    /// One field that says exactly this.
    Exact(Vec<Author>),
    /// What there is can be read in several ways, or names nobody; why.
    Malformed(String),
}

impl Authors {
    /// Reads the fields of that name. RFC 5322, 3.6 allows one; of two, one reader takes the first and another the last.
    pub(super) fn of(header: &Header, name: &'static str) -> Self {
        let mut fields = header.all(name);
        match (fields.next(), fields.next()) {
            (None, _) => Self::Absent,
            (Some(_), Some(_)) => Self::Malformed(format!("more than one {name} field")),
            (Some(field), None) => match AddressList::parse(&field.value) {
                AddressList::Exact(authors) => Self::Exact(authors),
                AddressList::None => Self::Malformed(format!("{name} names nobody")),
                AddressList::Ambiguous(ambiguity) => Self::Malformed(format!("{name} has {ambiguity}")),
            },
        }
    }
}

/// The domains that any reader could see in the fields of that name, sorted: those of the mailboxes, and where they
/// cannot be told for sure, all that might be one.
pub(super) fn visible_domains(header: &Header, name: &'static str) -> Vec<Domain> {
    let seen = |header: &Header| header.all(name).flat_map(|field| visible::domains(&field.value)).collect();
    let mut domains: Vec<Domain> = match Authors::of(header, name) {
        Authors::Absent => Vec::new(),
        Authors::Exact(authors) => {
            let of_author = |author: &Author| match author {
                Author::Mailbox(mailbox) => Some(mailbox.domain().clone()),
                Author::Elsewhere(_) => None,
            };
            // An address at no domain may look like one at a domain, `ceo@[example.org]`, or like none, so that the name or
            // a comment is shown in its place.
            authors.iter().map(of_author).collect::<Option<_>>().unwrap_or_else(|| seen(header))
        }
        Authors::Malformed(_) => seen(header),
    };
    domains.sort();
    domains.dedup();
    domains
}
