//! Reading the configuration as written out of the nodes, with every problem and not only the first.

use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::diagnostic::quoted;
use super::yaml::{Id, Node, Tree};

/// The name by which [`super::written::At`] asks for the number of the node it stands in.
pub(super) const AT: &str = "$At";

/// The name by which [`super::written::OneOrMore`] says what it takes.
pub(super) const ONE_OR_MORE: &str = "$OneOrMore";

/// What is wrong with a node.
#[derive(Debug)]
pub(super) struct Error {
    /// The node; the place where the error arose is filled in on its way out.
    node: Option<Id>,
    pub(super) problem: Problem,
}

/// The kinds of problems that can be seen without knowing what settings mean.
#[derive(Debug)]
pub(super) enum Problem {
    /// A key that is no setting here.
    UnknownKey { known: &'static [&'static str] },
    /// A value of the wrong kind.
    Kind { expected: &'static str },
    /// Anything else.
    Other(String),
}

/// Reads `T` from the document. On a problem the node (a key with its value) is cut out, and reading begins again, until
/// it succeeds or `report` says that it wants no more. Gives nothing where it did not succeed.
pub(super) fn read<T: DeserializeOwned>(
    tree: &Tree<'_>,
    cut: &mut HashSet<Id>,
    mut report: impl FnMut(Id, Problem) -> bool,
) -> Option<T> {
    loop {
        let Error { node, problem } = match T::deserialize(Value { tree, cut, id: 0 }) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let node = node.unwrap_or_default();
        cut.insert(node);
        // Without the root there is nothing left to read.
        if !report(node, problem) || node == 0 {
            return None;
        }
    }
}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Problem::Other(message.to_string()).into()
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        Problem::UnknownKey { known }.into()
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self { node: None, problem }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.problem)
    }
}

impl std::error::Error for Error {}

/// One node, seen without what was cut out.
#[derive(Clone, Copy)]
struct Value<'t> {
    tree: &'t Tree<'t>,
    cut: &'t HashSet<Id>,
    id: Id,
}

impl<'t> Value<'t> {
    fn node(self) -> &'t Node<'t> {
        self.tree.node(self.id)
    }

    fn at(self, id: Id) -> Self {
        Self { id, ..self }
    }

    /// Says where an error arose that does not know it yet.
    fn locate<T>(self, outcome: Result<T, Error>) -> Result<T, Error> {
        outcome.map_err(|error| Error { node: error.node.or(Some(self.id)), ..error })
    }

    fn wrong_kind<T>(self, expected: &'static str) -> Result<T, Error> {
        self.locate(Err(Problem::Kind { expected }.into()))
    }
}

impl<'de> de::Deserializer<'de> for Value<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        // Only `written::TextOr` leaves it to the document what comes.
        match self.node() {
            Node::Bool(_) | Node::Integer(_) | Node::Text(_) => self.deserialize_str(visitor),
            Node::Map(_) => self.deserialize_map(visitor),
            Node::Null | Node::Float(_) | Node::List(_) => self.wrong_kind("a text or a map"),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node() {
            Node::Bool(value) => self.locate(visitor.visit_bool(*value)),
            _ => self.wrong_kind("`true` or `false`"),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node() {
            Node::Integer(value) => match u64::try_from(*value) {
                Ok(value) => self.locate(visitor.visit_u64(value)),
                Err(_) => self.wrong_kind("a whole number from 0 on"),
            },
            _ => self.wrong_kind("a whole number"),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node() {
            Node::Float(value) => self.locate(visitor.visit_f64(*value)),
            Node::Integer(value) => match i32::try_from(*value) {
                Ok(value) => self.locate(visitor.visit_f64(value.into())),
                Err(_) => self.wrong_kind("a smaller number"),
            },
            _ => self.wrong_kind("a number"),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node() {
            Node::Text(text) => self.locate(visitor.visit_str(text)),
            // A login may be `1234`, and a word that is no choice here is better reported as such.
            Node::Integer(value) => self.locate(visitor.visit_string(value.to_string())),
            Node::Bool(value) => self.locate(visitor.visit_string(value.to_string())),
            Node::Null | Node::Float(_) | Node::List(_) | Node::Map(_) => self.wrong_kind("a text"),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node() {
            Node::Text(text) => self.locate(visitor.visit_str(text)),
            _ => self.wrong_kind("the name of a setting"),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node() {
            Node::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node() {
            Node::List(items) => self.locate(visitor.visit_seq(Items { list: self, items })),
            Node::Null => self.locate(visitor.visit_seq(Items { list: self, items: &[] })),
            _ => self.wrong_kind("a list"),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node() {
            Node::Map(pairs) => self.locate(visitor.visit_map(Pairs { map: self, rest: pairs, value: 0 })),
            Node::Null => self.locate(visitor.visit_map(Pairs { map: self, rest: &[], value: 0 })),
            _ => self.wrong_kind("a map"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == AT {
            return self.locate(visitor.visit_seq(NumberAndValue { value: self, step: 0 }));
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.node() {
            _ if name != ONE_OR_MORE => self.deserialize_any(visitor),
            Node::Bool(_) | Node::Integer(_) | Node::Text(_) => self.deserialize_str(visitor),
            Node::List(_) => self.deserialize_seq(visitor),
            Node::Null | Node::Float(_) | Node::Map(_) => self.wrong_kind("a text or a list of texts"),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 char bytes byte_buf unit unit_struct tuple enum
        ignored_any
    }
}

struct Items<'t> {
    list: Value<'t>,
    items: &'t [Id],
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        while let Some((&item, rest)) = self.items.split_first() {
            self.items = rest;
            if !self.list.cut.contains(&item) {
                return seed.deserialize(self.list.at(item)).map(Some);
            }
        }
        Ok(None)
    }
}

struct Pairs<'t> {
    map: Value<'t>,
    rest: &'t [(Id, Id)],
    value: Id,
}

impl<'de> MapAccess<'de> for Pairs<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        while let Some((&(key, value), rest)) = self.rest.split_first() {
            self.rest = rest;
            if !self.map.cut.contains(&key) && !self.map.cut.contains(&value) {
                self.value = value;
                return seed.deserialize(self.map.at(key)).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(self.map.at(self.value))
    }
}

/// What `At` reads: the number of the node, then the node.
struct NumberAndValue<'t> {
    value: Value<'t>,
    step: u8,
}

impl<'de> SeqAccess<'de> for NumberAndValue<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.step += 1;
        match self.step {
            1 => seed.deserialize(self.value.id.into_deserializer()).map(Some),
            2 => seed.deserialize(self.value).map(Some),
            _ => Ok(None),
        }
    }
}

/// What a node is, in words.
pub(super) fn describe(node: &Node<'_>) -> String {
    match node {
        Node::Null => "nothing".to_owned(),
        Node::Bool(value) => format!("`{value}`"),
        Node::Integer(value) => format!("the number {value}"),
        Node::Float(value) => format!("the number {value}"),
        Node::Text(text) => quoted(text),
        Node::List(_) => "a list".to_owned(),
        Node::Map(_) => "a map".to_owned(),
    }
}
