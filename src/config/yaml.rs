//! YAML as numbered nodes. The only file that knows the YAML library.
//!
//! Maps are lists of pairs, so that repeated keys stay visible. Nodes are numbered in the order in which they begin; the
//! place of a node is found by reading the text once more with a visitor that fails at that node, because the library
//! gives exact positions to errors only.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, Visitor};

/// The number of a node.
pub(super) type Id = usize;

/// One node.
#[derive(Debug, PartialEq)]
pub(super) enum Node<'a> {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Id>),
    Map(Vec<(Id, Id)>),
}

/// A document. The root is node 0; the nodes inside a node follow it without a gap.
#[derive(Debug, Default)]
pub(super) struct Tree<'a> {
    nodes: Vec<Node<'a>>,
}

/// Why a text is no document that we read.
#[derive(Debug)]
pub(super) struct SyntaxError {
    /// Octets from the beginning of the text.
    pub(super) offset: usize,
    pub(super) message: String,
    /// What was being read, and from where on.
    pub(super) context: Option<(usize, String)>,
}

impl<'a> Tree<'a> {
    /// What nodes may cost, one each and one for every octet of text in them: several times what a file within
    /// [`super::MAX_FILE`] needs, and a bound for one that multiplies itself by aliases.
    const BUDGET: usize = 4 * super::MAX_FILE;

    /// Reads a text that holds one document.
    pub(super) fn read(text: &'a str) -> Result<Self, SyntaxError> {
        if let Some((offset, c)) = text.char_indices().find(|&(_, c)| !is_allowed(c)) {
            let message = format!("the control character U+{:04X} is not allowed", u32::from(c));
            return Err(SyntaxError { offset, message, context: None });
        }
        let mut reader = Reader { nodes: Vec::new(), budget: Self::BUDGET, stop_at: None, failure: None };
        let mut documents = serde_yaml::Deserializer::from_str(text);
        let first = documents.next().map_or(Ok(0), |document| Element(&mut reader).deserialize(document));
        first.map_err(|error| SyntaxError::new(text, &error, reader.failure.take()))?;
        if let Some(second) = documents.next() {
            let mut stop =
                Reader { nodes: Vec::new(), budget: Self::BUDGET, stop_at: Some(0), failure: None };
            if let Err(error) = Element(&mut stop).deserialize(second) {
                let surplus = || "a second document begins here; the file must hold one".to_owned();
                return Err(SyntaxError::new(text, &error, stop.has_stopped().then(surplus)));
            }
        }
        Ok(Self { nodes: reader.nodes })
    }

    pub(super) fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id]
    }

    /// All maps.
    pub(super) fn maps(&self) -> impl Iterator<Item = &[(Id, Id)]> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Map(pairs) => Some(pairs.as_slice()),
            _ => None,
        })
    }

    /// The nodes that lead to a node from the root, both included: keys, or values inside which it is.
    fn trail(&self, id: Id) -> Vec<Id> {
        let mut trail = vec![0];
        let mut at = 0;
        while at < id {
            at = match self.node(at) {
                Node::Map(pairs) => {
                    let (key, value) = pairs[pairs.partition_point(|&(key, _)| key <= id) - 1];
                    trail.push(key);
                    if id < value {
                        break;
                    }
                    value
                }
                Node::List(items) => items[items.partition_point(|&item| item <= id) - 1],
                _ => break,
            };
            trail.push(at);
        }
        trail
    }

    /// The keys that lead to a node, which may be a key itself. Items of lists have none.
    pub(super) fn path(&self, id: Id) -> Vec<&str> {
        let trail = self.trail(id);
        let keys = trail.windows(2).filter_map(|step| match (self.node(step[0]), self.node(step[1])) {
            (Node::Map(_), Node::Text(key)) => Some(key.as_ref()),
            _ => None,
        });
        keys.collect()
    }

    /// Whether a node is `whole` or inside it.
    pub(super) fn is_within(&self, id: Id, whole: Id) -> bool {
        self.trail(id).contains(&whole)
    }

    /// The key below a map that the path leads to, and its value.
    pub(super) fn find(&self, map: Id, path: &[&str]) -> Option<(Id, Id)> {
        let (first, rest) = path.split_first()?;
        let Node::Map(pairs) = self.node(map) else { return None };
        let named = |&&(key, _): &&(Id, Id)| matches!(self.node(key), Node::Text(text) if text == first);
        let &(key, value) = pairs.iter().find(named)?;
        if rest.is_empty() { Some((key, value)) } else { self.find(value, rest) }
    }

    /// Where a node is in the text that the tree was read from: its first octet and its length there.
    pub(super) fn position(&self, text: &str, id: Id) -> (usize, usize) {
        let mut reader = Reader { nodes: Vec::new(), budget: Self::BUDGET, stop_at: Some(id), failure: None };
        let outcome = Element(&mut reader).deserialize(serde_yaml::Deserializer::from_str(text));
        let offset = outcome.err().map_or(0, |error| offset(text, &error));
        (offset, token_length(&text[offset..], self.node(id)))
    }
}

impl SyntaxError {
    fn new(text: &str, error: &serde_yaml::Error, own: Option<String>) -> Self {
        if let Some(message) = own {
            return Self { offset: offset(text, error), message, context: None };
        }
        let whole = error.to_string();
        // The library writes `problem at line 3 column 1, while reading something at line 2 column 1`.
        let (problem, context) = match whole.split_once(", while ") {
            Some((problem, context)) => (problem, beginning(text, context)),
            None => (whole.as_str(), None),
        };
        let message = problem.split(" at line ").next().unwrap_or(problem).to_owned();
        Self { offset: offset(text, error), message, context }
    }
}

/// Where an error points to, in octets.
fn offset(text: &str, error: &serde_yaml::Error) -> usize {
    let index = error.location().map_or(0, |location| location.index());
    text.floor_char_boundary(index.min(text.len()))
}

/// What `reading something at line 2 column 1` says: from where on, and what was being read.
fn beginning(text: &str, context: &str) -> Option<(usize, String)> {
    let (what, place) = context.split_once(" at line ")?;
    let (line, column) = place.split_once(" column ")?;
    let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
    let line_start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let in_line: usize = text[line_start..].chars().take(column.checked_sub(1)?).map(char::len_utf8).sum();
    Some((line_start + in_line, format!("while {what}")))
}

/// How many octets the node takes at the beginning of `rest`, on its first line.
fn token_length(rest: &str, node: &Node<'_>) -> usize {
    let line = rest.lines().next().unwrap_or_default();
    match (line.chars().next(), node) {
        (None, _) => 0,
        (Some(quote @ ('"' | '\'')), _) => line[1..].find(quote).map_or(line.len(), |at| at + 2),
        (Some('{' | '['), Node::Map(_) | Node::List(_)) => flow_length(line),
        (Some(_), Node::Text(text)) if line.starts_with(text.as_ref()) => text.len(),
        (Some(_), Node::List(_)) => 1,
        (Some(c), _) => line.find([':', ',', ']', '}', ' ']).unwrap_or(line.len()).max(c.len_utf8()),
    }
}

/// How many octets a flow collection takes that `line` begins with; quoted brackets are not looked for.
fn flow_length(line: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in line.char_indices() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' if depth == 1 => return at + 1,
            '}' | ']' => depth -= 1,
            _ => {}
        }
    }
    line.trim_end().len()
}

/// Whether YAML allows the character in a stream (YAML 1.1, 5.1).
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

/// Collects the nodes; with `stop_at` it fails as soon as that node begins.
struct Reader<'a> {
    nodes: Vec<Node<'a>>,
    budget: usize,
    stop_at: Option<Id>,
    /// Our own complaint, where it is ours.
    failure: Option<String>,
}

impl<'a> Reader<'a> {
    /// Begins a node.
    fn begin<E: serde::de::Error>(&mut self, node: Node<'a>) -> Result<Id, E> {
        let id = self.nodes.len();
        if self.stop_at == Some(id) {
            return Err(E::custom("stop"));
        }
        let cost = 1 + if let Node::Text(text) = &node { text.len() } else { 0 };
        self.budget = match self.budget.checked_sub(cost) {
            Some(rest) => rest,
            None => return Err(self.fail("aliases make the document too large from here on")),
        };
        self.nodes.push(node);
        Ok(id)
    }

    fn fail<E: serde::de::Error>(&mut self, message: impl Into<String>) -> E {
        self.failure = Some(message.into());
        E::custom("our own")
    }

    fn has_stopped(&self) -> bool {
        self.failure.is_none() && self.stop_at == Some(self.nodes.len())
    }
}

/// One node to be read.
struct Element<'r, 'a>(&'r mut Reader<'a>);

impl<'a> DeserializeSeed<'a> for Element<'_, 'a> {
    type Value = Id;

    fn deserialize<D: serde::Deserializer<'a>>(self, deserializer: D) -> Result<Id, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Element<'_, 'a> {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Id, E> {
        self.0.begin(Node::Null)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Id, E> {
        self.0.begin(Node::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Id, E> {
        self.0.begin(Node::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Id, E> {
        self.0.begin(Node::Integer(value.into()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Id, E> {
        self.0.begin(Node::Integer(value.into()))
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<Id, E> {
        self.0.begin(Node::Integer(value))
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<Id, E> {
        // No setting comes near it; where a number is wanted, it is out of range all the same.
        self.0.begin(Node::Integer(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Id, E> {
        self.0.begin(Node::Float(value))
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'a str) -> Result<Id, E> {
        self.0.begin(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Id, E> {
        self.0.begin(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut access: A) -> Result<Id, A::Error> {
        let id = self.0.begin(Node::List(Vec::new()))?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Element(&mut *self.0))? {
            items.push(item);
        }
        self.0.nodes[id] = Node::List(items);
        Ok(id)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut access: A) -> Result<Id, A::Error> {
        let id = self.0.begin(Node::Map(Vec::new()))?;
        let mut pairs = Vec::new();
        while let Some(key) = access.next_key_seed(Element(&mut *self.0))? {
            pairs.push((key, access.next_value_seed(Element(&mut *self.0))?));
        }
        self.0.nodes[id] = Node::Map(pairs);
        Ok(id)
    }

    fn visit_enum<A: EnumAccess<'a>>(self, _: A) -> Result<Id, A::Error> {
        Err(self.0.fail("a tag (`!…`) means nothing here; quote a text that begins with `!`"))
    }
}
