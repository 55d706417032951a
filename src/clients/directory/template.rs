//! Texts with places for what is asked about: `(mail={address})`.

use std::fmt;

use crate::clients::files::problem::quoted;

/// What may stand in braces in the question about a recipient.
pub const RECIPIENT_PLACES: [&str; 3] = ["address", "local_part", "domain"];

/// What may stand in braces in the question about a grant.
pub const GRANT_PLACES: [&str; 2] = ["login", "address"];

/// A text in which some names in braces stand for values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A place, by its number among the known ones.
    Place(usize, &'static str),
}

/// A name in braces that stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} stands for nothing", quoted(&format!("{{{name}}}")))]
pub struct TemplateError {
    /// The name.
    pub name: String,
}

impl Template {
    /// Reads a text in which these names may stand.
    ///
    /// # Errors
    ///
    /// Where another word stands in braces. A brace that begins no such name is itself.
    pub fn parse(text: &str, names: &[&'static str]) -> Result<Self, TemplateError> {
        let (mut pieces, mut rest, mut literal) = (Vec::new(), text, String::new());
        while let Some((before, after)) = rest.split_once('{') {
            literal.push_str(before);
            let is_word = |name: &str| name.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_');
            let name = after.split_once('}').filter(|(name, _)| !name.is_empty() && is_word(name));
            let Some((name, after)) = name else {
                literal.push('{');
                rest = after;
                continue;
            };
            let number = names.iter().position(|known| *known == name);
            let number = number.ok_or_else(|| TemplateError { name: name.to_owned() })?;
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Place(number, names[number]));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self(pieces))
    }

    /// Whether a name stands in it.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Place(_, known) if *known == name))
    }

    /// Whether any name stands in it.
    pub fn has_any(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Place(..)))
    }

    /// The text with the values, in the order of the names that it was read with, each as `escape` writes it.
    pub fn fill(&self, values: &[&str], escape: impl Fn(&str) -> String) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Place(number, _) => text.push_str(&escape(values.get(*number).unwrap_or(&""))),
            }
        }
        text
    }
}

impl fmt::Display for Template {
    /// The text as it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(literal) => f.write_str(literal),
            Piece::Place(_, name) => write!(f, "{{{name}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 2] = ["address", "domain"];

    #[test]
    fn values_are_filled_in_once() {
        let template = Template::parse("(|(mail={address})(x={domain}{address}){}{Y}{", &NAMES).unwrap();
        let filled = template.fill(&["{domain}", "b"], |value| format!("<{value}>"));
        assert_eq!(filled, "(|(mail=<{domain}>)(x=<b><{domain}>){}{Y}{");
        assert_eq!(template.to_string(), "(|(mail={address})(x={domain}{address}){}{Y}{");
        assert!(template.has("address") && !template.has("login") && template.has_any());
        assert!(!Template::parse("dc=example", &NAMES).unwrap().has_any());
    }

    #[test]
    fn unknown_names_are_errors() {
        let error = Template::parse("(mail={adress})", &NAMES).unwrap_err();
        assert_eq!(error.to_string(), "‘{adress}’ stands for nothing");
    }
}
