//! Continuation references (RFC 4511, 4.5.3): parts of a directory that are on other servers.
//!
//! An Active Directory sends some with every search from the root of a domain. They name what holds no mailbox, its
//! configuration and its DNS zones, and the domains below, which may hold some.

use crate::clients::directory::percent_decoded;
use crate::clients::files::problem::quoted;

/// How many of them are named.
const MOST_NAMED: usize = 3;

/// What the parts of an Active Directory that hold no mailbox begin with, in lower case.
const WITHOUT_MAILBOXES: [&str; 4] =
    ["cn=configuration,", "cn=schema,", "dc=domaindnszones,", "dc=forestdnszones,"];

/// The references of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct References {
    /// How many there are, without those to parts that hold no mailbox.
    pub(crate) count: usize,
    named: Vec<String>,
}

impl References {
    /// Takes one, by its URLs. One that names nothing counts.
    pub(super) fn take(&mut self, urls: &[Vec<u8>]) {
        // Of several, each leads to the same part (4.5.3).
        let url = urls.first().and_then(|url| str::from_utf8(url).ok()).unwrap_or_default();
        if !has_no_mailboxes(url) {
            self.count += 1;
            if self.named.len() < MOST_NAMED && !url.is_empty() {
                self.named.push(quoted(url));
            }
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl std::fmt::Display for References {
    /// How many parts are elsewhere, and where the first ones are.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (parts, are) = if self.count == 1 { ("part", "is") } else { ("parts", "are") };
        write!(f, "{} {parts} of the directory {are} on other servers, which are not asked", self.count)?;
        if self.named.is_empty() {
            return Ok(());
        }
        let more = if self.count > self.named.len() { ", …" } else { "" };
        write!(f, ": {}{more}", self.named.join(", "))
    }
}

/// Whether a URL leads to a part of an Active Directory that holds no mailbox.
fn has_no_mailboxes(url: &str) -> bool {
    let name = url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    let name = name.and_then(|(_, name)| percent_decoded(name.split('?').next()?));
    let name = name.unwrap_or_default().to_ascii_lowercase();
    WITHOUT_MAILBOXES.iter().any(|first| name.starts_with(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(urls: &[&str], expected: &str) {
        let mut references = References::default();
        for url in urls {
            references.take(&[url.as_bytes().to_vec()]);
        }
        assert_eq!(references.to_string(), expected, "{urls:?}");
    }

    #[test]
    fn what_an_active_directory_refers_to() {
        let none = "0 parts of the directory are on other servers, which are not asked";
        check(
            &[
                "ldap://ForestDnsZones.d.test/DC=ForestDnsZones,DC=d,DC=test",
                "ldap://DomainDnsZones.d.test/DC=DomainDnsZones,DC=d,DC=test",
                "ldap://d.test/CN=Configuration,DC=d,DC=test",
                "ldaps://d.test/cn%3Dconfiguration%2Cdc%3Dd?sub",
            ],
            none,
        );
        check(
            &["ldap://d.test/CN=Configuration,DC=d", "ldap://sub.d.test/DC=sub,DC=d,DC=test"],
            "1 part of the directory is on other servers, which are not asked: \
             ‘ldap://sub.d.test/DC=sub,DC=d,DC=test’",
        );
        check(
            &["ldap://a/", "ldap://b", "nonsense", "", "\0"],
            "5 parts of the directory are on other servers, which are not asked: ‘ldap://a/’, ‘ldap://b’, \
             ‘nonsense’, …",
        );
    }

    #[test]
    fn what_is_no_reference_counts_as_one() {
        let mut references = References::default();
        references.take(&[]);
        references.take(&[b"ldap://\xff".to_vec()]);
        references.take(&["x".repeat(5000).into_bytes(), Vec::new()]);
        assert_eq!(references.count, 3);
        assert!(references.to_string().len() < 400);
    }
}
