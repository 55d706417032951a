//! Whether what was found for an address is its own, or what everybody has.

use std::time::Duration;

use super::address::{Address, Found, Scope};
use super::maps::Maps;
use super::tables::{Entry, TableError, fold};
use crate::clients::remembered::{Hits, Remembered};

/// How many letters and digits a name has at least that nobody has.
const LENGTH: usize = 12;

/// How long the answer of a server holds. What changes meanwhile lets names pass at most: an entry that differs from what
/// was everybody's is a name's own, and one that is like it is never refused.
const LIFETIME: Duration = Duration::from_secs(30);

/// Whose an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The name's alone, or that of a few.
    Name,
    /// Every name's: `@domain`, a pattern, a table that has the same for all.
    Everybody(Shared),
    /// The name's or every name's: a server has the same for a name that nobody has, by an entry that it does not show.
    Either(Shared),
}

/// What a table has for a name that nobody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The name.
    pub stranger: String,
    /// The value.
    pub value: String,
}

/// Names that nobody has, and what tables have for them. Servers are asked once in a while, other tables each time.
#[derive(Debug)]
pub struct Strangers(Remembered<Question, Answer>);

/// What a table is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    table: String,
    domain: String,
    is_local_part: bool,
    is_quoted: bool,
    /// Of which shape the name is: patterns may tell names by it.
    shape: String,
}

/// The name that was asked for, and what there is for it.
type Answer = (String, Option<Entry>);

impl Strangers {
    /// None yet; what servers say of them takes that many octets at most.
    pub fn within(octets: u64) -> Self {
        Self(Remembered::new(octets, |question: &Question, (stranger, entry): &Answer| {
            let Question { table, domain, shape, .. } = question;
            let entry = entry.as_ref().map_or(0, Entry::octets);
            table.len() + domain.len() + shape.len() + stranger.len() + entry
        }))
    }

    /// Finds out whose the entry is that `maps` were found to have for an address, by asking for a name that nobody has.
    /// Where that cannot be found out, the entry is the name's. Where it does not matter (`by_name`), a server is only
    /// asked about entries that may be aliases of the domain.
    pub async fn owner(&self, maps: &Maps, address: &Address, found: &Found, by_name: bool) -> Owner {
        let name = name_of(address, found);
        if found.scope == Scope::Domain {
            let (stranger, value) = (stranger(name), found.value().to_owned());
            return Owner::Everybody(Shared { stranger, value });
        }
        let is_served = maps.is_served(found.hit.table);
        if is_served && !by_name && !fold(found.value()).contains(&fold(name)) {
            return Owner::Name;
        }
        let Ok((stranger, Some(entry))) = self.ask(maps, address, found, is_served).await else {
            return Owner::Name;
        };
        if !found.hit.entry.is_shared(name, &entry, &stranger) {
            return Owner::Name;
        }
        let is_certain = !is_served || found.hit.entry.is_by_rule();
        let shared = Shared { stranger, value: entry.value };
        if is_certain { Owner::Everybody(shared) } else { Owner::Either(shared) }
    }

    async fn ask(
        &self,
        maps: &Maps,
        address: &Address,
        found: &Found,
        is_served: bool,
    ) -> Result<Answer, String> {
        let name = name_of(address, found);
        let is_local_part = found.scope == Scope::LocalPart;
        let is_quoted = found.hit.key.starts_with('"');
        let ask = async {
            let stranger = stranger(name);
            let nobody = address.with_local_part(&stranger);
            let key = match (is_local_part, is_quoted) {
                (true, true) => super::address::quote_local_part(&stranger),
                (true, false) => stranger.clone(),
                (false, true) => nobody.external(),
                (false, false) => nobody.internal(),
            };
            let entry = maps.entry(found.hit.table, &key).await.map_err(|TableError(why)| why)?;
            Ok((stranger, entry))
        };
        if !is_served {
            return ask.await;
        }
        let question = Question {
            table: maps.full_name(found.hit.table).to_owned(),
            domain: if is_local_part { String::new() } else { fold(&address.domain) },
            is_local_part,
            is_quoted,
            shape: shape(name),
        };
        let ask = async { ask.await.map(|answer| (answer, LIFETIME)) };
        self.0.find_or_keep(&question, LIFETIME, ask).await
    }

    /// How often what was found out before was enough.
    pub fn hits(&self) -> Hits {
        self.0.hits()
    }
}

/// What patterns may see of a name: letters, digits, and what is between them.
fn shape(name: &str) -> String {
    let mut shape = String::new();
    for c in name.chars() {
        let c = match c {
            c if c.is_ascii_digit() => '0',
            c if c.is_alphabetic() => 'a',
            c => c,
        };
        if !shape.ends_with(c) || !c.is_ascii_alphanumeric() {
            shape.push(c);
        }
    }
    shape
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
    use super::super::tables::{Context, Usage};
    use super::*;

    async fn whose(tables: &str, address: &str) -> String {
        let (maps, _) = Maps::of("test", tables, Context::alone(Usage::Maps)).unwrap();
        let (local_part, domain) = address.rsplit_once('@').unwrap();
        let address = Address { local_part: local_part.to_owned(), domain: domain.to_owned() };
        match Addressing::none().find(&maps, &address).await.unwrap() {
            None => "nobody".to_owned(),
            Some(found) => match Strangers::within(1 << 20).owner(&maps, &address, &found, true).await {
                Owner::Name => "name".to_owned(),
                Owner::Everybody(Shared { stranger, value }) => value.replace(&stranger, "STRANGER"),
                Owner::Either(_) => "either".to_owned(),
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
    fn shapes() {
        for (name, expected) in [
            ("sales", "a"),
            ("john.smith", "a.a"),
            ("ab12", "a0"),
            ("a--b", "a--a"),
            ("élodie", "a"),
            ("", ""),
        ] {
            assert_eq!(shape(name), expected, "{name}");
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
