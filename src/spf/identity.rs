//! The identity under evaluation, in a form that viaspf takes.
//!
//! viaspf insists on a local-part by the letter of RFC 5321 and on a domain of letters, digits and hyphens. MTAs let
//! more through, and RFC 7208, 4.3 knows only one reason for `none` here: a malformed domain. Were `a..b@` or a label
//! with an underscore refused, anybody could step around `-all`. So what viaspf would refuse is masked, piece by
//! piece, and unmasked wherever a macro has carried it: in the names of DNS queries and in explanations.

use viaspf::{DomainName, Sender};

use crate::mail::Domain;

/// Octets of a local-part that viaspf takes (RFC 5321, 4.5.3.1.1).
const LOCAL_PART_LIMIT: usize = 64;

/// Octets of a mask in UTF-8.
const MASK_LEN: usize = 3;

/// A sender that viaspf takes, and what its masks hide.
#[derive(Debug)]
pub(super) struct Identity {
    sender: Sender,
    domain: Domain,
    masks: Vec<Mask>,
}

/// A text that viaspf is shown, and the one behind it.
#[derive(Debug)]
struct Mask {
    shown: String,
    hidden: String,
}

impl Identity {
    /// The identity, unless its domain is none that SPF applies to.
    pub(super) fn new(local_part: &str, domain: &str) -> Option<Self> {
        let domain: Domain = domain.parse().ok()?;
        // RFC 7208, 4.3: where there is no local-part, it is ‘postmaster’.
        let local_part = if local_part.is_empty() { "postmaster" } else { local_part };
        let mut masks = Vec::new();
        let masked_domain = mask_domain(domain.as_str(), &mut masks);
        let masked_local_part = mask_local_part(local_part, &mut masks);
        let sender = Sender::from_address(&format!("{masked_local_part}@{masked_domain}")).ok()?;
        Some(Self { sender, domain, masks })
    }

    /// The sender as viaspf takes it.
    pub(super) fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The domain as it is.
    pub(super) fn domain(&self) -> &str {
        self.domain.as_str()
    }

    /// A name that viaspf wants to look up, or a text that it has expanded, as it is meant.
    pub(super) fn unmask(&self, text: &str) -> String {
        let (mut unmasked, mut rest) = (String::new(), text);
        while let Some(c) = rest.chars().next() {
            // Never twice: what was hidden may look like a mask itself.
            let found = self.masks.iter().find_map(|mask| Some((mask, rest.strip_prefix(&mask.shown)?)));
            let (text, after) = match found {
                Some((mask, after)) => (mask.hidden.as_str(), after),
                None => rest.split_at(c.len_utf8()),
            };
            unmasked.push_str(text);
            rest = after;
        }
        unmasked
    }
}

/// The HELO domain for the macro `%{h}`, where what the client said is a domain.
pub(super) fn helo(helo: &str) -> Option<DomainName> {
    let domain: Domain = helo.parse().ok()?;
    DomainName::new(domain.as_str()).ok()
}

/// A local-part that viaspf takes.
fn mask_local_part(local_part: &str, masks: &mut Vec<Mask>) -> String {
    let taken = Sender::from_address(&format!("{local_part}@domain.example")).is_ok();
    if taken && local_part.is_ascii() {
        return local_part.to_owned();
    }
    let mut masked = String::new();
    // Private use characters hide what viaspf refuses. They cannot come from elsewhere: the local-part's own are hidden
    // too, and in records and explanations all beyond ASCII is a syntax error.
    let mut free = '\u{E000}'..;
    let mut hide = |masked: &mut String, hidden: &str| {
        let shown = free.next().unwrap_or_default().to_string();
        masked.push_str(&shown);
        // The macro letters in upper case URL-escape what they expand to (RFC 7208, 7.3).
        masks.push(Mask { shown: url_escape(&shown), hidden: url_escape(hidden) });
        masks.push(Mask { shown, hidden: hidden.to_owned() });
    };
    for (at, c) in local_part.char_indices() {
        // While there is room for one mask more than this character may need, that last one can hide all the rest.
        if masked.len() + 2 * MASK_LEN > LOCAL_PART_LIMIT {
            hide(&mut masked, &local_part[at..]);
            break;
        }
        let end = at + c.len_utf8();
        let atext = c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        let dot_between = c == '.' && end < local_part.len() && !masked.is_empty() && !masked.ends_with('.');
        if atext || dot_between {
            masked.push(c);
        } else {
            hide(&mut masked, &local_part[at..end]);
        }
    }
    masked
}

/// A domain that viaspf takes. The last label is never masked: where viaspf refuses it, it is a string of digits, and
/// the whole an address rather than a domain.
fn mask_domain(domain: &str, masks: &mut Vec<Mask>) -> String {
    let mut labels: Vec<String> = domain.split('.').map(str::to_owned).collect();
    let last = labels.len() - 1;
    for label in &mut labels[..last] {
        // Without a delimiter of macros (RFC 7208, 7.1), which could take the mask apart.
        let shown = format!("0masked0label{}0", masks.len());
        if DomainName::new(&format!("{label}.example")).is_err() && !domain.contains(&shown) {
            let hidden = std::mem::replace(label, shown.clone());
            masks.push(Mask { shown, hidden });
        }
    }
    labels.join(".")
}

/// URL-escapes all but the unreserved characters (RFC 7208, 7.3; RFC 3986, 2.3).
fn url_escape(text: &str) -> String {
    let unreserved = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
    text.bytes()
        .map(|octet| if unreserved(octet) { char::from(octet).to_string() } else { format!("%{octet:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a macro would make of the local-part, plain and URL-escaped, after unmasking.
    #[track_caller]
    fn check(local_part: &str, domain: &str) {
        let identity = Identity::new(local_part, domain).unwrap();
        let (masked, masked_domain) =
            (identity.sender().local_part(), identity.sender().domain().to_string());
        assert_eq!(
            identity.unmask(&format!("{masked}._spf.{masked_domain}")),
            format!("{local_part}._spf.{domain}")
        );
        let text = format!("{masked}@{masked_domain} {}", url_escape(masked));
        assert_eq!(identity.unmask(&text), format!("{local_part}@{domain} {}", url_escape(local_part)));
    }

    #[test]
    fn odd_local_parts_and_labels_come_back() {
        let long = "x".repeat(65);
        for local_part in
            ["user", "a..b", ".a", "a.", "a b", "\"", "a@b", "ü", "\u{E001}\u{E000}", "a,b", &long]
        {
            check(local_part, "example.org");
            check(local_part, "my_host.example.org");
            check(local_part, "-.example.org");
        }
    }

    #[test]
    fn what_viaspf_takes_is_not_masked() {
        let identity = Identity::new("strong-bad+x", "Example.ORG.").unwrap();
        assert_eq!(identity.sender().to_string(), "strong-bad+x@example.org");
        assert_eq!(Identity::new("", "example.org").unwrap().sender().local_part(), "postmaster");
    }

    #[test]
    fn only_the_domain_makes_an_identity_void() {
        for domain in
            ["", "localhost", "[192.0.2.1]", "192.0.2.1", "a..b.example", ".example.org", "a b.example"]
        {
            assert!(Identity::new("user", domain).is_none(), "{domain}");
        }
    }

    proptest! {
        #[test]
        fn every_local_part_has_an_identity(local_part in "(.|[\u{E000}-\u{E020}]){1,200}") {
            check(&local_part, "example.org");
        }
    }
}
