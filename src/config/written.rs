//! The configuration as written: what the file may hold, nothing of it interpreted.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};

use super::document::{AT, ONE_OR_MORE};
use super::yaml::Id;
use super::{
    addresses, auth_match, exceptions, harvest, identities, ledger, listen, metrics, postfix, recipients,
    require_auth, responses, spf,
};

/// The whole file.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    pub(super) mode: Option<At<String>>,
    pub(super) listen: Option<Vec<At<TextOr<listen::Written>>>>,
    pub(super) control: Option<At<String>>,
    pub(super) authserv_id: Option<At<String>>,
    pub(super) trusted_authserv_ids: Vec<At<String>>,
    pub(super) trusted_networks: Option<Vec<At<String>>>,
    pub(super) trusted_forwarders: Vec<At<TextOr<Forwarder>>>,
    pub(super) dns: Dns,
    pub(super) limits: Limits,
    pub(super) profile: Option<At<String>>,
    pub(super) defaults: Settings,
    pub(super) relay: Option<At<String>>,
    pub(super) domains: Entries<Domain>,
    pub(super) domains_from: Vec<At<TextOr<DomainsFrom>>>,
    pub(super) locked: Vec<At<String>>,
    pub(super) harvest: harvest::Written,
    pub(super) identities: identities::Written,
    pub(super) ledger: ledger::Written,
    pub(super) metrics: metrics::Written,
    pub(super) log: Log,
}

/// `- spf: forwarder.example`
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Forwarder {
    pub(super) spf: Option<At<String>>,
}

/// `- file: /etc/lockdown-milter/domains`, `- postfix: { config_dir: /etc/postfix-in }`
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DomainsFrom {
    pub(super) file: Option<At<String>>,
    pub(super) postfix: postfix::Instance,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Dns {
    pub(super) servers: Vec<At<String>>,
    pub(super) timeout: Option<At<String>>,
    pub(super) attempts: Option<At<u64>>,
    pub(super) cache_entries: Option<At<u64>>,
    pub(super) failure_ttl: Option<At<String>>,
    pub(super) case_randomization: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) connections: Option<At<u64>>,
    pub(super) connections_per_peer: Option<At<u64>>,
    pub(super) decision_time: Option<At<String>>,
    pub(super) idle_time: Option<At<String>>,
    pub(super) frame_time: Option<At<String>>,
    pub(super) drain_time: Option<At<String>>,
    pub(super) spf_lookups: Option<At<u64>>,
    pub(super) spf_void_lookups: Option<At<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Log {
    pub(super) format: Option<At<String>>,
    pub(super) level: Option<At<String>>,
    pub(super) target: Option<At<String>>,
}

/// What `defaults` and every domain may set.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) mode: Option<At<String>>,
    pub(super) addresses: addresses::Written,
    pub(super) require_auth: require_auth::Written,
    pub(super) auth_match: auth_match::Written,
    pub(super) recipients: recipients::Written,
    pub(super) spf: spf::Written,
    pub(super) auto_responders: responses::WrittenAuto,
    pub(super) bounces: responses::WrittenBounces,
    pub(super) exceptions: Option<Vec<At<exceptions::Written>>>,
}

/// One of `domains`.
#[derive(Deserialize)]
#[serde(from = "DomainKeys")]
pub(super) struct Domain {
    pub(super) alias_of: Option<At<String>>,
    pub(super) settings: Settings,
}

/// The keys of a domain, side by side as the file has them.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DomainKeys {
    alias_of: Option<At<String>>,
    mode: Option<At<String>>,
    addresses: addresses::Written,
    require_auth: require_auth::Written,
    auth_match: auth_match::Written,
    recipients: recipients::Written,
    spf: spf::Written,
    auto_responders: responses::WrittenAuto,
    bounces: responses::WrittenBounces,
    exceptions: Option<Vec<At<exceptions::Written>>>,
}

impl From<DomainKeys> for Domain {
    fn from(keys: DomainKeys) -> Self {
        let DomainKeys {
            alias_of,
            mode,
            addresses,
            require_auth,
            auth_match,
            recipients,
            spf,
            auto_responders,
            bounces,
            exceptions,
        } = keys;
        let settings = Settings {
            mode,
            addresses,
            require_auth,
            auth_match,
            recipients,
            spf,
            auto_responders,
            bounces,
            exceptions,
        };
        Self { alias_of, settings }
    }
}

/// A value with the number of its node, by which its place is found.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) node: Id,
    pub(super) value: T,
}

impl<T: PartialEq> PartialEq for At<T> {
    /// Compares the values; it makes no difference where they stand.
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple_struct(AT, 2, AtVisitor(PhantomData))
    }
}

struct AtVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AtVisitor<T> {
    type Value = At<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<At<T>, A::Error> {
        let missing = || de::Error::custom("only the nodes of a configuration have numbers");
        let node = access.next_element()?.ok_or_else(missing)?;
        let value = access.next_element()?.ok_or_else(missing)?;
        Ok(At { node, value })
    }
}

/// Either one text or a map of settings.
#[derive(PartialEq)]
pub(super) enum TextOr<T> {
    Text(String),
    Map(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for TextOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrVisitor(PhantomData))
    }
}

struct TextOrVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TextOrVisitor<T> {
    type Value = TextOr<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a map")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<TextOr<T>, E> {
        Ok(TextOr::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<TextOr<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(access)).map(TextOr::Map)
    }
}

/// A text, or a list of texts.
#[derive(PartialEq)]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<At<String>>),
}

impl At<OneOrMore> {
    /// The texts with their nodes.
    pub(super) fn texts(&self) -> Vec<(Id, &str)> {
        match &self.value {
            OneOrMore::One(text) => vec![(self.node, text)],
            OneOrMore::More(texts) => texts.iter().map(|text| (text.node, text.value.as_str())).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(ONE_OR_MORE, OneOrMoreVisitor)
    }
}

struct OneOrMoreVisitor;

impl<'de> Visitor<'de> for OneOrMoreVisitor {
    type Value = OneOrMore;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of texts")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMore, E> {
        Ok(OneOrMore::One(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<OneOrMore, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = access.next_element()? {
            texts.push(text);
        }
        Ok(OneOrMore::More(texts))
    }
}

/// A map whose keys are names of the administrator's, in the order of the file.
pub(super) struct Entries<T>(pub(super) Vec<(At<String>, At<T>)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Entries<T>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}
