//! Queries as administrators write them: `{name}` stands for a value, which is bound and never pasted.

use super::lexer::{Kind, Token, single, tokens};
use super::{Dialect, code};

/// A query for one kind of server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The query as the server gets it, with `$1` or `?` for the values.
    sql: String,
    /// Which value belongs to each of them.
    values: Vec<&'static str>,
}

/// What is wrong with a query, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl QueryError {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

impl Query {
    /// Reads a query in which these names are known, and one of the others must be.
    ///
    /// # Errors
    ///
    /// When the query does not end what it begins, holds more than one statement or placeholders of its own, has a
    /// known name where it cannot be bound, or none of those that it must have.
    pub fn parse(
        dialect: Dialect,
        text: &str,
        names: &[&'static str],
        required: &[&'static str],
    ) -> Result<Self, QueryError> {
        if text.trim().is_empty() {
            return Err(QueryError::new("the query is empty", "write a select with a condition"));
        }
        let mut tokens = tokens(dialect, text)
            .map_err(|open| QueryError::new(format!("{open} does not end in the query"), "close it"))?;
        if !single(&mut tokens) {
            return Err(QueryError::new("there is more than one statement", "write one select"));
        }
        let mut query = Self { sql: String::new(), values: Vec::new() };
        for token in &tokens {
            query.add(dialect, token, names)?;
        }
        if !required.iter().any(|name| query.asks_for(name)) {
            let message = format!("the query does not ask for {}", shown(required).replace(", ", " or "));
            return Err(QueryError::new(message, "use it in the condition"));
        }
        Ok(query)
    }

    fn add(&mut self, dialect: Dialect, token: &Token<'_>, names: &[&'static str]) -> Result<(), QueryError> {
        if token.kind == Kind::Plain {
            return self.add_plain(dialect, token.text, names);
        }
        let inside = names.iter().find(|name| token.text.contains(&format!("{{{name}}}")));
        match (inside, token.kind) {
            (Some(name), Kind::Comment) => {
                let message = format!("`{{{name}}}` is in a comment");
                return Err(QueryError::new(message, "remove the comment"));
            }
            (Some(name), _) => {
                let message = format!("`{{{name}}}` is in quotes");
                return Err(QueryError::new(message, "remove the quotes: values are bound"));
            }
            (None, _) => self.sql.push_str(token.text),
        }
        Ok(())
    }

    fn add_plain(&mut self, dialect: Dialect, text: &str, names: &[&'static str]) -> Result<(), QueryError> {
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            self.add_language(dialect, before, names)?;
            let name = from[1..].split_once('}').map(|(name, _)| name);
            let Some(name) = name else {
                return Err(QueryError::new("a `{` has no `}`", format!("known here: {}", shown(names))));
            };
            let Some(known) = names.iter().find(|known| **known == name) else {
                let message = format!("there is no value {}", code(&format!("{{{name}}}")));
                return Err(QueryError::new(message, format!("known here: {}", shown(names))));
            };
            self.values.push(known);
            match dialect {
                Dialect::Postgres => self.sql.extend(["$", &self.values.len().to_string()]),
                Dialect::Mysql | Dialect::Sqlite => self.sql.push('?'),
            }
            rest = &from[name.len() + 2..];
        }
        self.add_language(dialect, rest, names)
    }

    /// Adds a part of the language, in which nothing else may look like a place for a value.
    fn add_language(
        &mut self,
        dialect: Dialect,
        text: &str,
        names: &[&'static str],
    ) -> Result<(), QueryError> {
        if let Some(place) = place_for_value(dialect, text) {
            let message = format!("nothing is bound to {}", code(&place));
            return Err(QueryError::new(message, format!("write {} where a value belongs", shown(names))));
        }
        self.sql.push_str(text);
        Ok(())
    }

    /// The query as the server gets it.
    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    /// The values to be bound, in their order; what has none is empty.
    pub(super) fn bind<'a>(&self, values: &[(&str, &'a str)]) -> Vec<&'a str> {
        let of = |name: &str| values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
        self.values.iter().map(|name| of(name)).collect()
    }

    /// Whether a name stands in it.
    pub fn asks_for(&self, name: &str) -> bool {
        self.values.contains(&name)
    }
}

/// The names as they are written.
fn shown(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{{{name}}}`")).collect::<Vec<_>>().join(", ")
}

/// What a server would take for the place of a value.
fn place_for_value(dialect: Dialect, text: &str) -> Option<String> {
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let next = text[at + c.len_utf8()..].chars().next().unwrap_or(' ');
        let is_name = next.is_ascii_alphabetic() || next == '_';
        let is_place = match dialect {
            Dialect::Postgres => c == '$' && next.is_ascii_digit() && !before.is_alphanumeric(),
            // Our client takes `:name` for a value as well.
            Dialect::Mysql => c == '?' || (c == ':' && is_name),
            Dialect::Sqlite => c == '?' || (":@$".contains(c) && is_name),
        };
        if is_place {
            let more = text[at + 1..].chars().take_while(|c| c.is_alphanumeric() || *c == '_');
            return Some(std::iter::once(c).chain(more).collect());
        }
        before = c;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 2] = ["address", "domain"];

    #[track_caller]
    fn check(dialect: Dialect, text: &str, expected: &str) {
        let found = match Query::parse(dialect, text, &NAMES, &NAMES) {
            Ok(query) => format!("{} <- {}", query.sql, query.values.join(" ")),
            Err(error) => format!("{}; {}", error.message, error.hint),
        };
        assert_eq!(found, expected, "{dialect:?} {text}");
    }

    #[test]
    fn values_are_bound() {
        use Dialect::{Mysql, Postgres, Sqlite};
        let text = "select 1 from m where a = {address} and d in ({domain}, 'x{y}');";
        check(Postgres, text, "select 1 from m where a = $1 and d in ($2, 'x{y}') <- address domain");
        for dialect in [Mysql, Sqlite] {
            check(dialect, text, "select 1 from m where a = ? and d in (?, 'x{y}') <- address domain");
        }
        check(Postgres, "{domain}{domain}::text ? '$1'", "$1$2::text ? '$1' <- domain domain");
        check(Mysql, "a := 1 + {domain} -- ?", "a := 1 + ? -- ? <- domain");
    }

    #[test]
    fn what_cannot_be_bound_is_refused() {
        use Dialect::{Mysql, Postgres, Sqlite};
        let quotes = "`{address}` is in quotes; remove the quotes: values are bound";
        check(Postgres, "a = '{address}'", quotes);
        check(Mysql, "a = \"{address}\"", quotes);
        check(Sqlite, "a like '%{address}%'", quotes);
        check(Postgres, "a = {domain} -- {address}", "`{address}` is in a comment; remove the comment");
        let nothing = "the query does not ask for `{address}` or `{domain}`; use it in the condition";
        check(Postgres, "select 1", nothing);
        check(Postgres, " ", "the query is empty; write a select with a condition");
        check(Postgres, "a = {adress}", "there is no value `{adress}`; known here: `{address}`, `{domain}`");
        check(Postgres, "a = {address", "a `{` has no `}`; known here: `{address}`, `{domain}`");
        check(Postgres, "{domain}; drop table m", "there is more than one statement; write one select");
        check(Postgres, "a = 'x", "a text in quotes does not end in the query; close it");
        let nothing = |place| {
            format!("nothing is bound to `{place}`; write `{{address}}`, `{{domain}}` where a value belongs")
        };
        check(Postgres, "a = $1", &nothing("$1"));
        check(Mysql, "a = ?", &nothing("?"));
        check(Mysql, "a = :address", &nothing(":address"));
        check(Sqlite, "a = @a1", &nothing("@a1"));
    }
}
