//! URLs that are values of attributes and describe more searches (RFC 4516), as Postfix and OpenLDAP's library read
//! them: the server in them is not looked at.

use super::super::TableError;
use crate::clients::directory::{Scope, percent_decoded};
use crate::clients::files::problem::quoted;

/// A search that a URL describes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LdapUrl {
    pub(super) base: String,
    /// The attributes; none for all.
    pub(super) attributes: Vec<String>,
    pub(super) scope: Scope,
    pub(super) filter: String,
}

impl LdapUrl {
    /// Reads a value; none where it is no URL of a directory.
    pub(super) fn parse(value: &str) -> Option<Result<Self, TableError>> {
        let (scheme, rest) = value.split_once("://")?;
        if !["ldap", "ldaps", "ldapi"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return None;
        }
        let url = Self::parse_rest(rest);
        Some(url.ok_or_else(|| TableError(format!("{} is no URL that can be searched for", quoted(value)))))
    }

    fn parse_rest(rest: &str) -> Option<Self> {
        let mut parts = rest.split_once('/').map_or("", |(_, rest)| rest).splitn(5, '?');
        let mut part = || parts.next().unwrap_or_default();
        let base = percent_decoded(part())?;
        let attributes = part().split(',').filter(|name| !name.is_empty()).map(percent_decoded);
        let attributes = attributes.collect::<Option<Vec<_>>>()?;
        let scope = match part().to_ascii_lowercase().as_str() {
            "" | "base" => Scope::Base,
            "one" | "onelevel" => Scope::One,
            "sub" | "subtree" => Scope::Sub,
            _ => return None,
        };
        let filter = percent_decoded(part())?;
        let filter = if filter.is_empty() { "(objectClass=*)".to_owned() } else { filter };
        Some(Self { base, attributes, scope, filter })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_as_values() {
        let parse = |value: &str| LdapUrl::parse(value).map(Result::ok);
        let url = |base: &str, attributes: &[&str], scope, filter: &str| {
            let attributes = attributes.iter().map(|name| (*name).to_owned()).collect();
            Some(Some(LdapUrl { base: base.to_owned(), attributes, scope, filter: filter.to_owned() }))
        };
        assert_eq!(
            parse("ldap:///ou=people,dc=x?mail,cn?sub?(a=%2a)"),
            url("ou=people,dc=x", &["mail", "cn"], Scope::Sub, "(a=*)")
        );
        assert_eq!(parse("LDAPS://host:1/dc=x"), url("dc=x", &[], Scope::Base, "(objectClass=*)"));
        assert_eq!(parse("ldap:///dc=x??one?(a=b)?!x"), url("dc=x", &[], Scope::One, "(a=b)"));
        assert_eq!(parse("ldap:///dc=x??children"), Some(None));
        assert_eq!(parse("ldap:///%zz"), Some(None));
        assert_eq!(parse("cn=x,dc=y"), None);
        assert_eq!(parse("http://x/y"), None);
    }
}
