//! The fields of a line as texts, from logfmt and from JSON.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Field;

/// The texts of the fields, in the order of [`Field::NAMES`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts<'a>([Option<Cow<'a, str>>; Field::NAMES.len()]);

impl<'a> Texts<'a> {
    /// Reads logfmt; none if it is broken.
    pub(super) fn logfmt(line: &'a str) -> Option<Self> {
        let mut texts = Self::default();
        let mut hint = 0;
        let mut rest = line;
        loop {
            let (name, after) = rest.split_once('=')?;
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                return None;
            }
            let (value, after) = value(after)?;
            if let Some(at) = Self::place(name, hint) {
                hint = at + 1;
                // A field that stands there twice is no line of ours.
                if texts.0[at].replace(value).is_some() {
                    return None;
                }
            }
            if after.is_empty() {
                return Some(texts);
            }
            rest = after.strip_prefix(' ')?;
        }
    }

    /// Reads a JSON object; none if it is broken.
    pub(super) fn json(line: &'a str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    /// The text of a field.
    pub(super) fn of(&self, field: Field) -> Option<&str> {
        self.0[field as usize].as_deref()
    }

    #[cfg(test)]
    pub(super) fn borrows(&self, field: Field) -> bool {
        matches!(self.0[field as usize], Some(Cow::Borrowed(_)))
    }

    /// The place of a field by its name, if it is one that we know. `hint` is where it most likely is.
    fn place(name: &str, hint: usize) -> Option<usize> {
        let count = Field::NAMES.len();
        (hint..hint + count).map(|at| at % count).find(|&at| Field::NAMES[at].0 == name)
    }
}

/// The value at the beginning of `text`, and what follows it.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    if !text.starts_with('"') {
        let (bare, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
        return (!bare.is_empty() && !bare.contains('"')).then_some((bare.into(), rest));
    }
    let octets = text.as_bytes();
    let mut at = 1;
    let mut escapes = false;
    while *octets.get(at)? != b'"' {
        let escape = octets[at] == b'\\';
        escapes |= escape;
        at += if escape { 2 } else { 1 };
    }
    // `at` may be inside a character only behind a backslash, which `get` then refuses.
    let (inner, rest) = (text.get(1..at)?, text.get(at + 1..)?);
    let value =
        if escapes { serde_json::from_str::<String>(&text[..=at]).ok()?.into() } else { inner.into() };
    Some((value, rest))
}

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut texts = Texts::default();
        let mut hint = 0;
        while let Some(Text(name)) = map.next_key()? {
            let Some(at) = Texts::place(&name, hint) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            hint = at + 1;
            let Text(value) = map.next_value()?;
            if texts.0[at].replace(value).is_some() {
                return Err(A::Error::custom("a field stands there twice"));
            }
        }
        Ok(texts)
    }
}

/// A value as text, borrowed where it can be: a string, a number, or a list of strings with commas between them.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number or a list of strings")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(text.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(text.to_owned().into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Text(number.to_string().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let Some(Text(mut all)) = list.next_element()? else { return Ok(Text("".into())) };
        while let Some(Text(more)) = list.next_element()? {
            let all = all.to_mut();
            all.push(',');
            all.push_str(&more);
        }
        Ok(Text(all))
    }
}
