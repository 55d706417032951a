//! Whether what was found for an address is its own, or what everybody has.

use super::address::{Address, Found, Scope};
use super::maps::Maps;
use super::tables::TableError;

/// How many letters and digits a name has at least that nobody has.
const LENGTH: usize = 12;

/// Whose an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The name's alone, or that of a few.
    Name,
    /// Every name's: `@domain`, a pattern, a table that has the same for all.
    Everybody {
        /// A name that nobody has.
        stranger: String,
        /// What the table has for it.
        value: String,
    },
}

/// Finds out whose the entry is that `maps` were found to have for an address, by asking for a name that nobody has.
///
/// # Errors
///
/// Where the table cannot tell.
pub async fn owner(maps: &Maps, address: &Address, found: &Found) -> Result<Owner, TableError> {
    let name = name_of(address, found);
    let stranger = stranger(name);
    if found.scope == Scope::Domain {
        return Ok(Owner::Everybody { stranger, value: found.value().to_owned() });
    }
    let nobody = address.with_local_part(&stranger);
    let is_quoted = found.hit.key.starts_with('"');
    let key = match found.scope {
        Scope::LocalPart if is_quoted => super::address::quote_local_part(&stranger),
        Scope::LocalPart => stranger.clone(),
        _ if is_quoted => nobody.external(),
        _ => nobody.internal(),
    };
    Ok(match maps.entry(found.hit.table, &key).await? {
        Some(entry) if found.hit.entry.is_shared(name, &entry, &stranger) => {
            Owner::Everybody { stranger, value: entry.value }
        }
        _ => Owner::Name,
    })
}

/// The local-part that was looked for: without the extension that was taken off.
pub fn name_of<'a>(address: &'a Address, found: &Found) -> &'a str {
    let extension = found.extension.as_deref().unwrap_or_default();
    address.local_part.strip_suffix(extension).unwrap_or(&address.local_part)
}

/// A name that nobody has, of the shape of another one: letters for letters, digits for digits, and what is between
/// them as it is; so patterns that take every `first.last` show too.
pub fn stranger(name: &str) -> String {
    let other = |c: char| match c {
        c if c.is_ascii_digit() => fastrand::digit(10),
        c if c.is_alphabetic() => fastrand::lowercase(),
        c => c,
    };
    let mut stranger: String = name.chars().map(other).collect();
    let length = stranger.chars().filter(char::is_ascii_alphanumeric).count();
    if length < LENGTH {
        let more: String = (length..LENGTH).map(|_| fastrand::lowercase()).collect();
        let at = stranger.find(|c: char| c.is_ascii_lowercase()).unwrap_or_default();
        stranger.insert_str(at, &more);
    }
    stranger
}

#[cfg(test)]
mod tests {
    use super::super::address::Addressing;
    use super::super::tables::Usage;
    use super::*;

    async fn whose(tables: &str, address: &str) -> String {
        let (maps, _) = Maps::of("test", tables, |_| Usage::Maps).unwrap();
        let (local_part, domain) = address.rsplit_once('@').unwrap();
        let address = Address { local_part: local_part.to_owned(), domain: domain.to_owned() };
        match Addressing::none().find(&maps, &address).await.unwrap() {
            None => "nobody".to_owned(),
            Some(found) => match owner(&maps, &address, &found).await.unwrap() {
                Owner::Name => "name".to_owned(),
                Owner::Everybody { stranger, value } => value.replace(&stranger, "STRANGER"),
            },
        }
    }

    #[tokio::test]
    async fn entries_of_names_and_of_everybody() {
        for (tables, address, expected) in [
            ("inline:{ {info@a = x} }", "info@a", "name"),
            ("inline:{ {info@a = x} {@a = x} }", "info@a", "name"),
            ("inline:{ {info@a = x} {@a = x} }", "other@a", "x"),
            ("static:x", "info@a", "x"),
            ("randmap:{x}", "info@a", "x"),
            ("regexp:{ {/^info@a$/ x} {/@a$/ x} }", "info@a", "name"),
            ("regexp:{ {/^info@a$/ x} {/@a$/ x} }", "other@a", "x"),
            ("regexp:{ {/^(.*)@a$/ $1@b} }", "info@a", "STRANGER@b"),
            ("regexp:{ {/^(.*)@a$/ $1@b} }", "a b@a", "\"STRANGER\"@b"),
            ("pcre:{ {/^[a-z]+\\.[a-z]+@a$/ x} }", "a.b@a", "x"),
            ("pcre:{ {/^[a-z]+[0-9]{4}@a$/ x} }", "ab1234@a", "x"),
            ("pcre:{ {/^(info|sales)@a$/ x} }", "sales@a", "name"),
            ("unionmap:{ inline:{info@a=x}, static:x }", "info@a", "name"),
            ("unionmap:{ inline:{info@a=x}, static:x }", "other@a", "x"),
            ("unionmap:{ inline:{info@a=x}, inline:{@a=y} }", "other@a", "y"),
            ("pipemap:{ inline:{info@a=x}, static:y }", "info@a", "name"),
            ("pipemap:{ static:x, inline:{x=y} }", "info@a", "y"),
            ("pipemap:{ regexp:{{/(.*)@a/ $1}}, inline:{info=y} }", "info@a", "name"),
            ("inline:{info@a=x} static:x", "info@a", "name"),
            ("inline:{info@a=x} static:x", "other@a", "x"),
        ] {
            assert_eq!(whose(tables, address).await, expected, "{tables} {address}");
        }
    }

    #[test]
    fn strangers() {
        for (name, letters) in
            [("info", 12), ("john.smith", 12), ("a", 12), ("", 12), ("averylongnameindeed", 19)]
        {
            let stranger = stranger(name);
            assert_eq!(
                stranger.chars().filter(char::is_ascii_lowercase).count(),
                letters,
                "{name} {stranger}"
            );
            assert_ne!(stranger, name);
        }
        let numbered = stranger("a-1+b");
        let shape: Vec<&str> = numbered.split(['-', '+']).collect();
        assert!(shape.len() == 3 && shape[1].len() == 1 && shape[1].parse::<u8>().is_ok(), "{numbered}");
    }
}
