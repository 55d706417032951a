//! Addresses as Postfix has them in its tables, and how it looks them up.

use super::main_cf::MainCf;
use super::maps::{Hit, Key, Maps};
use super::match_list::{Below, MatchList};
use super::tables::{TableError, fold};
use super::targets::targets;
use crate::clients::files::problem::Problem;
use crate::clients::files::watched::Reading;
use crate::mail::Mailbox;

/// An address in Postfix's internal form: the local-part without quotes, and a domain that is no more than a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// The local-part, without quoting.
    pub local_part: String,
    /// The domain as written.
    pub domain: String,
}

impl Address {
    /// The address with the quoting that the keys of tables have.
    pub fn external(&self) -> String {
        format!("{}@{}", quote_local_part(&self.local_part), self.domain)
    }

    /// The same domain with another local-part.
    #[must_use]
    pub fn with_local_part(&self, local_part: &str) -> Self {
        Self { local_part: local_part.to_owned(), ..self.clone() }
    }

    /// The address without any quoting.
    pub fn internal(&self) -> String {
        format!("{}@{}", self.local_part, self.domain)
    }

    /// The mailbox, if it is one.
    pub fn mailbox(&self) -> Option<Mailbox> {
        self.domain.parse().ok().map(|domain| Mailbox::new(self.local_part.clone(), domain))
    }

    /// The address with its domain in U-labels, where that is another one.
    pub fn with_u_labels(&self) -> Option<Self> {
        if !self.domain.contains("xn--") {
            return None;
        }
        let (domain, result) = idna::domain_to_unicode(&self.domain);
        result.ok()?;
        (domain != self.domain).then(|| Self { domain, ..self.clone() })
    }
}

impl From<&Mailbox> for Address {
    fn from(mailbox: &Mailbox) -> Self {
        Self { local_part: mailbox.local_part().to_owned(), domain: mailbox.domain().as_str().to_owned() }
    }
}

/// What Postfix knows about addresses: which are its own, and what in them is an extension.
#[derive(Debug)]
pub struct Addressing {
    origin: String,
    own_domain: String,
    destinations: MatchList,
    delimiters: String,
    double_bounce: String,
    owner_request_special: bool,
    append_at_myorigin: bool,
    append_dot_mydomain: bool,
}

/// What was found for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The key, and what it has.
    pub hit: Hit,
    /// What of the address the key is.
    pub scope: Scope,
    /// The extension with its delimiter that was taken off for the key, if one was.
    pub extension: Option<String>,
}

/// What of an address a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The address, without its extension perhaps.
    Address,
    /// The local-part alone, without its extension perhaps.
    LocalPart,
    /// `@domain`.
    Domain,
}

/// Where an alias leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    /// The addresses.
    pub addresses: Vec<Address>,
    /// Whether it leads to anything that is no address, or one of no domain.
    pub has_others: bool,
}

impl Found {
    /// The value.
    pub fn value(&self) -> &str {
        &self.hit.entry.value
    }
}

impl Addressing {
    /// The parameters that are needed.
    pub const PARAMETERS: [&str; 8] = [
        "append_at_myorigin",
        "append_dot_mydomain",
        "double_bounce_sender",
        "mydestination",
        "mydomain",
        "myorigin",
        "owner_request_special",
        "recipient_delimiter",
    ];

    /// Reads the parameters.
    ///
    /// # Errors
    ///
    /// Where a file or table that they name cannot be used.
    pub fn open(main_cf: &MainCf) -> Reading<Self> {
        let (destinations, warnings) = MatchList::open(main_cf, "mydestination", Below::Out)?;
        let origin = origin(main_cf).map_err(|problem| vec![problem])?;
        let addressing = Self {
            origin,
            own_domain: main_cf.value("mydomain").to_owned(),
            destinations,
            delimiters: main_cf.value("recipient_delimiter").to_owned(),
            double_bounce: main_cf.value("double_bounce_sender").to_owned(),
            owner_request_special: main_cf.is_yes("owner_request_special"),
            append_at_myorigin: main_cf.is_yes("append_at_myorigin"),
            append_dot_mydomain: main_cf.is_yes("append_dot_mydomain"),
        };
        Ok((addressing, warnings))
    }

    /// What is known without any parameter: no domain is local, and nothing is an extension.
    pub fn none() -> Self {
        Self {
            origin: String::new(),
            own_domain: String::new(),
            destinations: MatchList::empty("mydestination"),
            delimiters: String::new(),
            double_bounce: String::new(),
            owner_request_special: false,
            append_at_myorigin: false,
            append_dot_mydomain: false,
        }
    }

    /// Looks an address up as Postfix does (`mail_addr_find`): all of it, without its extension, its local-part if its
    /// domain is local, and `@domain`.
    pub async fn find(&self, maps: &Maps, address: &Address) -> Result<Option<Found>, TableError> {
        let bare = self.without_extension(&address.local_part);
        let bare = bare.map(|(name, extension)| (address.with_local_part(name), extension));
        let found = |hit: Hit, scope, extension: Option<&str>| {
            Ok(Some(Found { hit, scope, extension: extension.map(str::to_owned) }))
        };
        if let Some(hit) = both(maps, address.external(), address.internal(), Key::Whole).await? {
            return found(hit, Scope::Address, None);
        }
        if let Some((bare, extension)) = &bare
            && let Some(hit) = both(maps, bare.external(), bare.internal(), Key::Part).await?
        {
            return found(hit, Scope::Address, Some(extension));
        }
        if self.is_local_or_origin(&address.domain).await? {
            let names =
                [Some((address, None)), bare.as_ref().map(|(bare, extension)| (bare, Some(*extension)))];
            for (Address { local_part, .. }, extension) in names.into_iter().flatten() {
                let quoted = quote_local_part(local_part);
                if let Some(hit) = both(maps, quoted, local_part.clone(), Key::Part).await? {
                    return found(hit, Scope::LocalPart, extension);
                }
            }
        }
        match maps.look_up(&format!("@{}", address.domain), Key::Part).await? {
            Some(hit) => found(hit, Scope::Domain, None),
            None => Ok(None),
        }
    }

    /// Whether mail for the domain is delivered on this host by name of user (`mydestination`).
    pub async fn is_local(&self, domain: &str) -> Result<bool, TableError> {
        self.destinations.matches(domain).await
    }

    async fn is_local_or_origin(&self, domain: &str) -> Result<bool, TableError> {
        Ok(fold(domain) == fold(&self.origin) || self.is_local(domain).await?)
    }

    /// The name and the extension with its delimiter, if there is one (`split_addr`).
    pub fn without_extension<'a>(&self, local_part: &'a str) -> Option<(&'a str, &'a str)> {
        let never = ["postmaster", "mailer-daemon", &self.double_bounce];
        if never.iter().any(|never| local_part.eq_ignore_ascii_case(never)) {
            return None;
        }
        let lower = local_part.to_ascii_lowercase();
        let is_list_role = lower.starts_with("owner-") || (lower.ends_with("-request") && lower.len() > 8);
        if self.delimiters.contains('-') && self.owner_request_special && is_list_role {
            return None;
        }
        let at = local_part.find(|c| self.delimiters.contains(c)).filter(|at| *at > 0)?;
        Some(local_part.split_at(at))
    }

    /// Where the value of an alias leads that was found for a name: addresses, or `@domain` for the same name there.
    pub fn targets(&self, name: &str, value: &str) -> Targets {
        let same_name = value.starts_with('@').then(|| format!("{}{value}", quote_local_part(name)));
        let all = targets(same_name.as_deref().unwrap_or(value));
        let addresses: Vec<Address> = all.iter().filter_map(|target| self.complete(target)).collect();
        Targets { has_others: addresses.len() < all.len(), addresses }
    }

    /// The address that a target means: `name` is one of `$myorigin`, `name@host` perhaps one of `$mydomain`. None
    /// for what is no address, or one of no domain.
    pub fn complete(&self, target: &str) -> Option<Address> {
        let (local_part, domain) = split_address(target);
        let domain = match domain {
            Some(domain) => domain.trim_end_matches('.').to_owned(),
            None if self.append_at_myorigin => self.origin.clone(),
            None => return None,
        };
        if local_part.is_empty() || domain.is_empty() {
            return None;
        }
        let is_short = self.append_dot_mydomain && !domain.contains('.') && !domain.starts_with('[');
        let domain = if is_short { format!("{domain}.{}", self.own_domain) } else { domain };
        Some(Address { local_part, domain })
    }
}

/// The value of a key as tables should have it, or else as old ones do.
async fn both(maps: &Maps, external: String, internal: String, kind: Key) -> Result<Option<Hit>, TableError> {
    match maps.look_up(&external, kind).await? {
        None if internal != external => maps.look_up(&internal, kind).await,
        found => Ok(found),
    }
}

/// The value of `myorigin`, which may be in a file.
fn origin(main_cf: &MainCf) -> Result<String, Problem> {
    let value = main_cf.value("myorigin");
    if !value.starts_with('/') {
        return Ok(value.to_owned());
    }
    let problem = |why: String| main_cf.problem("myorigin", &format!("{value} cannot be used: {why}"));
    let text = std::fs::read_to_string(value).map_err(|error| problem(error.to_string()))?;
    let name = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    name.map(str::to_owned).ok_or_else(|| problem("it names nothing".to_owned()))
}

/// A local-part as it is written in front of an `@` (RFC 822, as Postfix reads it).
pub(super) fn quote_local_part(local_part: &str) -> String {
    let special = |c: char| c.is_ascii_control() || " ()<>@,;:\\\"[]".contains(c);
    let is_dot_string = !local_part.is_empty()
        && !local_part.starts_with('.')
        && !local_part.ends_with('.')
        && !local_part.contains("..")
        && !local_part.contains(special);
    if is_dot_string {
        return local_part.to_owned();
    }
    format!("\"{}\"", local_part.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A text without its quotes and backslashes.
pub(super) fn unquote(text: &str) -> String {
    split_address(&text.replace('@', "\\@")).0
}

/// The local-part without quoting, and the domain after the last `@` outside of quotes.
fn split_address(text: &str) -> (String, Option<String>) {
    let (mut whole, mut at, mut quoted) = (String::new(), None, false);
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => whole.extend(characters.next()),
            '"' => quoted = !quoted,
            '@' if !quoted => {
                at = Some(whole.len());
                whole.push(c);
            }
            c => whole.push(c),
        }
    }
    match at {
        Some(at) => (whole[..at].to_owned(), Some(whole[at + 1..].to_owned())),
        None => (whole, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        for (internal, external) in [
            ("a.b+c", "a.b+c"),
            ("é", "é"),
            ("a b", "\"a b\""),
            ("a..b", "\"a..b\""),
            (".a", "\".a\""),
            ("a\"\\", "\"a\\\"\\\\\""),
            ("a@b", "\"a@b\""),
            ("", "\"\""),
        ] {
            assert_eq!(quote_local_part(internal), external);
            assert_eq!(unquote(external), internal);
        }
        let address = |text| split_address(text);
        assert_eq!(address("\"a@b\"@c"), ("a@b".to_owned(), Some("c".to_owned())));
        assert_eq!(address("a@b@c"), ("a@b".to_owned(), Some("c".to_owned())));
        assert_eq!(address("a"), ("a".to_owned(), None));
    }
}
