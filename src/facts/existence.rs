//! Whether a recipient exists, by what a source has: the answer, and which entry says so.

use std::fmt;

/// The answer to a [`RecipientQuestion`](super::RecipientQuestion).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Existence {
    /// It exists.
    Exists(Provenance),
    /// It has moved.
    Relocated {
        /// Where to, as the source has it.
        to: String,
        /// Which entry says so.
        by: Provenance,
    },
    /// The source has it, and has the same for a name that nobody has: it may have an entry of its own, or only be one of
    /// all names. A source that knows more settles it; nobody is refused for it.
    Ambiguous(Provenance),
    /// Only an entry that knows every name knows it.
    Wildcard(Provenance),
    /// The source does not know it; the source.
    Unknown(String),
    /// The source holds no list for this domain, so that nothing follows from its silence; why.
    NoList(String),
    /// The source cannot tell at the moment; why.
    Undetermined(String),
}

impl Existence {
    /// Its place among answers to the same question, of which the one with the lowest counts: any ‘exists’ wins, then
    /// what is said of a name that has gone, then what is known without being told apart, as trouble elsewhere does not
    /// overrule it. Then ‘cannot tell’, as the name may exist there, then a wildcard, then ‘unknown’. A source without a
    /// list says nothing.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Exists(_) => 0,
            Self::Relocated { .. } => 1,
            Self::Ambiguous(_) => 2,
            Self::Undetermined(_) => 3,
            Self::Wildcard(_) => 4,
            Self::Unknown(_) => 5,
            Self::NoList(_) => 6,
        }
    }

    /// The octets of its texts.
    pub(crate) fn octets(&self) -> usize {
        match self {
            Self::Exists(by) | Self::Ambiguous(by) | Self::Wildcard(by) => by.octets(),
            Self::Relocated { to, by } => to.len() + by.octets(),
            Self::Unknown(text) | Self::NoList(text) | Self::Undetermined(text) => text.len(),
        }
    }
}

/// Which entries an answer rests on: aliases of domains lead from the first to the last. Shown as words for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance(Vec<Evidence>);

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// An entry of a table of the MTA.
    Entry {
        /// The parameter that names the table; none where the table itself is the source.
        parameter: Option<String>,
        /// The table, by its name.
        table: String,
        /// The key of the entry.
        key: Key,
    },
    /// A parameter of the MTA that needs no table.
    Parameter {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// What another source has.
    Said {
        /// In words.
        words: String,
        /// What the source has for the name, where it has more than a yes. Two names with different values have two
        /// entries.
        value: Option<String>,
    },
}

/// What of an address the key of an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The name's own: an address, or the local-part of one.
    Name(String),
    /// The whole domain: `@domain`, without the sign.
    Domain(String),
    /// None: a pattern, or a table that has the same for every name.
    Every,
}

impl Provenance {
    /// These, and one more.
    #[must_use]
    pub fn then(&self, evidence: Evidence) -> Self {
        Self(self.0.iter().cloned().chain([evidence]).collect())
    }

    /// The entry that began it; none where none was needed.
    pub fn first(&self) -> Option<&Evidence> {
        self.0.first()
    }

    /// The entry that says so in the end; none where none was needed.
    pub fn last(&self) -> Option<&Evidence> {
        self.0.last()
    }

    /// The octets that it takes: its entries and their texts.
    fn octets(&self) -> usize {
        let text = |evidence: &Evidence| match evidence {
            Evidence::Entry { parameter, table, key } => {
                let key = match key {
                    Key::Name(text) | Key::Domain(text) => text.len(),
                    Key::Every => 0,
                };
                parameter.as_ref().map_or(0, String::len) + table.len() + key
            }
            Evidence::Parameter { name, value } => name.len() + value.len(),
            Evidence::Said { words, value } => words.len() + value.as_ref().map_or(0, String::len),
        };
        self.0.iter().map(|evidence| size_of::<Evidence>() + text(evidence)).sum()
    }

    /// Words with what led to them.
    pub fn leading_to(&self, words: &str) -> String {
        if self.0.is_empty() { words.to_owned() } else { format!("{self} > {words}") }
    }
}

impl From<Evidence> for Provenance {
    fn from(evidence: Evidence) -> Self {
        Self(vec![evidence])
    }
}

impl From<String> for Provenance {
    fn from(words: String) -> Self {
        Evidence::Said { words, value: None }.into()
    }
}

impl From<&str> for Provenance {
    fn from(words: &str) -> Self {
        words.to_owned().into()
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, evidence) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { " > " };
            write!(f, "{separator}{evidence}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry { table, key: Key::Name(name), .. } => write!(f, "{table} {name}"),
            Self::Entry { table, key: Key::Domain(domain), .. } => write!(f, "{table} @{domain}"),
            Self::Entry { table, key: Key::Every, .. } => write!(f, "{table} for any name"),
            Self::Parameter { name, value } => write!(f, "{name} {value}"),
            Self::Said { words, .. } => f.write_str(words),
        }
    }
}
