//! `ldap:` tables, from the file that Postfix has for them (`ldap_table(5)`), asked as Postfix asks them.

mod settings;
mod url;

use std::vec;

use super::expansion::{Needs, Template};
use super::{Request, Table, TableError, fold};
use crate::clients::directory::Scope;
use crate::clients::files::problem::quoted;
use crate::clients::files::watched::Reading;
use crate::clients::ldap::{self, Client, Dereference, Entry, Found, Search, SearchError};
use crate::mta::postfix::match_list::MatchList;
use url::LdapUrl;

/// Opens a table. The server is asked when there is a question.
pub(super) fn open(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    let (table, warnings) = settings::read(request)?;
    Ok((Box::new(table), warnings))
}

/// The table.
#[derive(Debug)]
struct Ldap {
    client: Client,
    /// Whether Postfix asks the servers that have other parts of the directory.
    chases_referrals: bool,
    base: Template,
    filter: Template,
    result_format: Template,
    needs: Needs,
    scope: Scope,
    /// The domains of which keys are looked up; none for all keys.
    domains: Option<MatchList>,
    attributes: Attributes,
    limits: Limits,
    dereference: Dereference,
}

/// The attributes that are read: first the terminal ones, then those of leaves, the ordinary and the special ones.
#[derive(Debug)]
struct Attributes {
    all: Vec<String>,
    /// How many are terminal.
    terminal: usize,
    /// How many are terminal or of leaves.
    leaf: usize,
    /// How many are not special.
    ordinary: usize,
}

/// What bounds the answer to a question; 0 for no limit.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Of searches for what special attributes name within each other.
    recursion: usize,
    /// Of values.
    expansion: usize,
    /// Of entries of one search.
    size: usize,
}

/// The answer to a question, as far as it is known.
struct Answer<'k> {
    key: &'k str,
    text: String,
    /// How many values it has.
    values: usize,
}

/// Entries that are being read.
struct Level {
    entries: vec::IntoIter<Entry>,
    /// Whether the present entry has terminal attributes, which are then the only ones that count.
    is_terminal: bool,
    /// Whether it has no special attributes, so that those of leaves count.
    is_leaf: bool,
    /// What is left of its attributes.
    values: vec::IntoIter<(String, Vec<Vec<u8>>)>,
    /// What is left of the values of a special one.
    leads: vec::IntoIter<Vec<u8>>,
}

/// What an attribute is for.
enum Meaning {
    Nothing,
    Result,
    /// Its values lead on to more entries.
    Lead,
}

#[async_trait::async_trait]
impl Table for Ldap {
    async fn find(&self, key: &str) -> Result<Option<String>, TableError> {
        let key = fold(key);
        if let Some(domains) = &self.domains {
            match key.rsplit_once('@') {
                Some((_, domain)) if !domain.is_empty() && domains.matches(domain).await? => {}
                _ => return Ok(None),
            }
        }
        let base = self.base.question(self.needs, &key, ldap::in_name);
        let filter = self.filter.question(self.needs, &key, ldap::in_filter);
        let (Some(base), Some(filter)) = (base, filter) else { return Ok(None) };
        let found = match self.search(&base, self.scope, &filter, &self.attributes.all).await {
            Err(SearchError::NoBase(_)) if !self.base.is_fixed() => return Ok(None),
            found => found.map_err(|error| TableError(error.to_string()))?,
        };
        let mut answer = Answer { key: &key, text: String::new(), values: 0 };
        self.add(found, &mut answer).await?;
        Ok((!answer.text.is_empty()).then_some(answer.text))
    }
}

impl Ldap {
    /// Searches. Parts of the directory that are on other servers are passed over, as Postfix does unless it follows
    /// referrals.
    async fn search(
        &self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[String],
    ) -> Result<Found, SearchError> {
        let (most, dereference) = (self.limits.size, self.dereference);
        let found =
            self.client.search(&Search { base, scope, filter, attributes, most, dereference }).await?;
        // As in Postfix, what was sent before an error does not count.
        match found.cut {
            Some(_) if self.limits.size > 0 && found.entries.len() >= self.limits.size => {
                Err(SearchError::Trouble("there are more entries than size_limit allows".to_owned()))
            }
            Some(why) => Err(SearchError::Trouble(why)),
            None if self.chases_referrals && found.entries.is_empty() && !found.references.is_empty() => {
                Err(SearchError::Trouble(found.references.to_string()))
            }
            None => Ok(found),
        }
    }

    /// Adds the values of entries, and of those that their special attributes name, in the order in which they come.
    async fn add(&self, found: Found, answer: &mut Answer<'_>) -> Result<(), TableError> {
        let mut levels = vec![Level::of(found)];
        loop {
            let depth = levels.len();
            let Some(level) = levels.last_mut() else { return Ok(()) };
            if let Some(value) = level.leads.next() {
                levels.extend(self.follow(&text(value)?).await?.map(Level::of));
            } else if let Some((name, values)) = level.values.next() {
                match self.attributes.meaning(&name, level) {
                    Meaning::Nothing => {}
                    Meaning::Result => self.add_values(values, answer)?,
                    Meaning::Lead if values.is_empty() => {}
                    Meaning::Lead if depth >= self.limits.recursion => {
                        return Err(TableError(format!("{name} leads on more than {depth} times")));
                    }
                    Meaning::Lead => level.leads = values.into_iter(),
                }
            } else if let Some(entry) = level.entries.next() {
                self.attributes.judge(&entry, level);
                level.values = entry.0.into_iter();
            } else {
                levels.pop();
            }
        }
    }

    fn add_values(&self, values: Vec<Vec<u8>>, answer: &mut Answer<'_>) -> Result<(), TableError> {
        for value in values {
            let value = text(value)?;
            let Some(result) = self.result_format.result(self.needs, answer.key, &value) else { continue };
            if !answer.text.is_empty() {
                answer.text.push(',');
            }
            answer.text.push_str(&result);
            answer.values += 1;
            if self.limits.expansion > 0 && answer.values > self.limits.expansion {
                return Err(TableError("there are more values than expansion_limit allows".to_owned()));
            }
        }
        Ok(())
    }

    /// What the value of a special attribute names: an entry, or all that a search finds.
    async fn follow(&self, value: &str) -> Result<Option<Found>, TableError> {
        let found = match LdapUrl::parse(value) {
            Some(url) => {
                let url = url?;
                let Some(attributes) = self.attributes.wanted_of(&url.attributes) else { return Ok(None) };
                self.search(&url.base, url.scope, &url.filter, &attributes).await
            }
            None => self.search(value, Scope::Base, "(objectClass=*)", &self.attributes.all).await,
        };
        match found {
            Ok(found) => Ok(Some(found)),
            // As if it were there and had none of the attributes.
            Err(SearchError::NoBase(_)) => Ok(None),
            Err(error) => Err(TableError(format!("{}: {error}", quoted(value)))),
        }
    }
}

impl Level {
    fn of(found: Found) -> Self {
        Self {
            entries: found.entries.into_iter(),
            is_terminal: false,
            is_leaf: true,
            values: Vec::new().into_iter(),
            leads: Vec::new().into_iter(),
        }
    }
}

impl Attributes {
    /// Looks at what an entry is. What the one before it was it is taken for as well, unless it shows that it is not;
    /// so Postfix does.
    fn judge(&self, entry: &Entry, level: &mut Level) {
        if let Some(is_there) = self.in_entry(entry, ..self.terminal) {
            level.is_terminal = is_there;
        }
        if !level.is_terminal
            && self.leaf > self.terminal
            && let Some(is_there) = self.in_entry(entry, self.ordinary..)
        {
            level.is_leaf = !is_there;
        }
    }

    /// What an attribute of the present entry is for.
    fn meaning(&self, name: &str, level: &Level) -> Meaning {
        match self.all.iter().position(|wanted| is_kind_of(name, wanted)) {
            None => Meaning::Nothing,
            Some(number) if level.is_terminal && number >= self.terminal => Meaning::Nothing,
            Some(number) if !level.is_leaf && number < self.leaf => Meaning::Nothing,
            Some(number) if number < self.ordinary => Meaning::Result,
            Some(_) => Meaning::Lead,
        }
    }

    /// Whether an entry has values of one of these attributes; none where it does not even name one.
    fn in_entry(
        &self,
        entry: &Entry,
        range: impl std::slice::SliceIndex<[String], Output = [String]>,
    ) -> Option<bool> {
        let named = |name: &String| entry.0.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        let mut named = self.all.get(range)?.iter().filter_map(named).map(|(_, values)| !values.is_empty());
        named.next().map(|first| first || named.any(|more| more))
    }

    /// The attributes to ask for where a URL names some; none where it names none of ours. Of two that differ in
    /// options only, the one with more of them counts.
    fn wanted_of(&self, named: &[String]) -> Option<Vec<String>> {
        if named.is_empty() {
            return Some(self.all.clone());
        }
        let mut wanted = Vec::new();
        for name in named {
            for own in &self.all {
                if is_kind_of(own, name) {
                    wanted.push(own.clone());
                } else if is_kind_of(name, own) {
                    wanted.push(name.clone());
                }
            }
        }
        (!wanted.is_empty()).then_some(wanted)
    }
}

/// Whether an attribute is another one, or that one with options (RFC 4512, 2.5): `cn;lang-en` is a kind of `cn`.
fn is_kind_of(name: &str, other: &str) -> bool {
    let Some((front, rest)) = name.split_at_checked(other.len()) else { return false };
    front.eq_ignore_ascii_case(other) && (rest.is_empty() || rest.starts_with(';'))
}

/// A value as text; it ends at a NUL, as all texts of Postfix do.
fn text(mut value: Vec<u8>) -> Result<String, TableError> {
    value.truncate(value.iter().position(|octet| *octet == 0).unwrap_or(value.len()));
    String::from_utf8(value).map_err(|_| TableError("a value is not UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_attributes() {
        assert!(is_kind_of("CN", "cn") && is_kind_of("cn;lang-en", "cn"));
        assert!(!is_kind_of("cn", "cn;lang-en") && !is_kind_of("cnx", "cn") && !is_kind_of("c", "cn"));
    }
}
