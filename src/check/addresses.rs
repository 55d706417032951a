//! When two addresses are one: the rules of a domain for its local-parts.

use crate::mail::{Mailbox, local_part};

/// How the local-parts of a domain are compared (`addresses`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Characters of which the first to appear ends the name and begins a subaddress (RFC 5233).
    pub subaddress_delimiters: String,
    /// Whether upper and lower case differ.
    pub case_sensitive: bool,
}

impl Addresses {
    /// The mailbox in the form in which equal ones are the same: NFC (RFC 6532, 3.1), and lower case unless case matters.
    #[must_use]
    pub fn canonical(&self, mailbox: &Mailbox) -> Mailbox {
        let canonical = local_part::canonical(mailbox.local_part(), self.case_sensitive);
        Mailbox::new(canonical, mailbox.domain().clone())
    }

    /// The mailbox without its subaddress, where it has one. A delimiter at the very beginning is part of the name.
    pub fn without_subaddress(&self, mailbox: &Mailbox) -> Option<Mailbox> {
        let local_part = mailbox.local_part();
        let mut characters = local_part.char_indices().skip(1);
        let (at, _) = characters.find(|(_, c)| self.subaddress_delimiters.contains(*c))?;
        Some(Mailbox::new(&local_part[..at], mailbox.domain().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(delimiters: &str, address: &str, expected: Option<&str>) {
        let addresses = Addresses { subaddress_delimiters: delimiters.to_owned(), case_sensitive: false };
        let found = addresses.without_subaddress(&address.parse().unwrap());
        assert_eq!(found.map(|mailbox| mailbox.to_string()).as_deref(), expected, "{address}");
    }

    #[test]
    fn subaddresses() {
        check("+", "alice+tag@example.org", Some("alice@example.org"));
        check("+", "alice+a+b@example.org", Some("alice@example.org"));
        check("+-", "alice-a+b@example.org", Some("alice@example.org"));
        check("+", "alice-a@example.org", None);
        check("+", "+alice@example.org", None);
        check("+", "+alice+tag@example.org", Some("+alice@example.org"));
        check("", "alice+tag@example.org", None);
        check("+", "alice+@example.org", Some("alice@example.org"));
    }

    #[test]
    fn canonical_forms() {
        let canonical = |case_sensitive, address: &str| {
            let addresses = Addresses { subaddress_delimiters: "+".to_owned(), case_sensitive };
            addresses.canonical(&address.parse().unwrap()).to_string()
        };
        assert_eq!(canonical(false, "Alice@Example.org"), "alice@example.org");
        assert_eq!(canonical(true, "Alice@Example.org"), "Alice@example.org");
        assert_eq!(canonical(false, "A\u{308}@example.org"), "\u{e4}@example.org");
        assert_eq!(canonical(false, "ΝΙΚΟΣ@example.org"), canonical(false, "νικος@example.org"));
        assert_eq!(canonical(false, "ΣΣ.A@example.org"), canonical(false, "σς.a@example.org"));
        assert_ne!(canonical(false, "STRASSE@example.org"), canonical(false, "straße@example.org"));
        assert_eq!(canonical(false, "\"alice\"@example.org"), "alice@example.org");
    }
}
