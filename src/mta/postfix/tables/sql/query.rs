//! The query of a table: `%s` and the like inside of quotes, where the values become part of the text that they are in.
//!
//! A text is written so that it means the same whatever a server or a session has set: nothing depends on
//! `standard_conforming_strings` or `NO_BACKSLASH_ESCAPES`.

use crate::clients::files::problem::{Problem, quoted};
use crate::clients::sql::Dialect;
use crate::clients::sql::lexer::{Kind as Lexeme, Token, single, tokens};
use crate::mta::postfix::tables::expansion::{Kind, Needs, Template};

/// The query.
#[derive(Debug)]
pub(super) struct Query {
    dialect: Dialect,
    pieces: Vec<Piece>,
    /// An empty template, by which keys are turned away.
    nothing: Template,
}

#[derive(Debug)]
enum Piece {
    /// A part without values.
    Fixed(String),
    /// A text in these quotes with values in it.
    Text(char, Template),
}

impl Query {
    /// Reads a query, and adds what its values need.
    ///
    /// # Errors
    ///
    /// Where Postfix would not open the table, and where a value would not be what it is in Postfix: outside of quotes,
    /// in a comment or the name of something, in a text with rules of its own, beside a backslash.
    pub(super) fn parse(dialect: Dialect, text: &str, needs: &mut Needs) -> Result<Self, Problem> {
        let mut tokens = tokens(dialect, text)
            .map_err(|open| Problem::new(format!("{open} does not end in {}", quoted(text))))?;
        if !single(&mut tokens) {
            return Err(Problem::new("there is more than one statement in it").hint("write one"));
        }
        let pieces = tokens.iter().map(|token| Piece::parse(token, needs)).collect::<Result<_, _>>()?;
        Ok(Self { dialect, pieces, nothing: Template::parse("", Kind::Question, needs)? })
    }

    /// Whether it is the same for every key.
    pub(super) fn is_fixed(&self) -> bool {
        self.pieces.iter().all(|piece| matches!(piece, Piece::Fixed(_)))
    }

    /// The query for a key, of which `value` says how its parts are written; none where it is not asked for.
    pub(super) fn fill(&self, needs: Needs, key: &str, value: impl Fn(&str) -> String) -> Option<String> {
        // What the result needs of the key is asked of it even where the query needs nothing.
        let mut sql = self.nothing.question(needs, key, str::to_owned)?;
        for piece in &self.pieces {
            match piece {
                Piece::Fixed(text) => sql.push_str(text),
                Piece::Text(quote, template) => {
                    let doubled = |part: &str| value(part).replace(*quote, &format!("{quote}{quote}"));
                    let text = template.question(needs, key, doubled)?;
                    sql.push_str(&written(self.dialect, *quote, &text));
                }
            }
        }
        Some(sql)
    }
}

impl Piece {
    fn parse(token: &Token<'_>, needs: &mut Needs) -> Result<Self, Problem> {
        // Everything outside of texts must be free of values, so that only `%%` can stand in it.
        let mut own = Needs::default();
        let whole = Template::parse(token.text, Kind::Question, &mut own)?;
        if whole.is_fixed() {
            return Ok(Self::Fixed(token.text.replace("%%", "%")));
        }
        let refused = |why: &str, hint: &str| {
            Err(Problem::new(format!("what stands for the key {why} in {}", quoted(token.text))).hint(hint))
        };
        match token.kind {
            Lexeme::Text(quote) => {
                let inside = &token.text[quote.len_utf8()..token.text.len() - quote.len_utf8()];
                if inside.contains('\\') {
                    return refused(
                        "is beside a backslash",
                        "what that means hangs on the settings of the server; write it without one",
                    );
                }
                Ok(Self::Text(quote, Template::parse(inside, Kind::Question, needs)?))
            }
            Lexeme::Plain => {
                refused("is outside of quotes", "write '%s': Postfix escapes it for a text in quotes only")
            }
            Lexeme::Comment => refused("is in a comment", "remove the comment"),
            Lexeme::Quoted => refused("is in no ordinary text", "write '%s' in plain single quotes"),
        }
    }
}

/// A text in which quotes are doubled already, as the server is to read it. The backslashes in it are the values'.
fn written(dialect: Dialect, quote: char, text: &str) -> String {
    match dialect {
        // In this form a backslash is always written twice.
        Dialect::Postgres if text.contains('\\') => format!(" E'{}'", text.replace('\\', "\\\\")),
        // And in no text of MySQL can it be written so that it is one everywhere.
        Dialect::Mysql if text.contains('\\') => {
            let parts: Vec<String> = text.split('\\').map(|part| format!("{quote}{part}{quote}")).collect();
            format!(" concat({})", parts.join(", char(92 using utf8mb4), "))
        }
        _ => format!("{quote}{text}{quote}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(dialect: Dialect, query: &str, key: &str, expected: Option<&str>) {
        let mut needs = Needs::default();
        let query = Query::parse(dialect, query, &mut needs).unwrap();
        assert_eq!(query.fill(needs, key, str::to_owned).as_deref(), expected, "{query:?} {key}");
    }

    #[test]
    fn values_stay_inside_of_their_quotes() {
        use Dialect::{Mysql, Postgres, Sqlite};
        for dialect in [Mysql, Postgres, Sqlite] {
            check(dialect, "a = '%s';", "x'--@y", Some("a = 'x''--@y'"));
            check(dialect, "a = '%u' or b like '%%%d'", "u'@d", Some("a = 'u''' or b like '%d'"));
            check(dialect, "a = '%u' or b = '%2'", "u@d", None);
            check(dialect, "a %% 2", "u@d", Some("a % 2"));
            check(dialect, "a %% 2", "", None);
        }
        check(Postgres, "like'%s' or", r"a\'b", Some(r"like E'a\\''b' or"));
        check(Sqlite, "a = '%s'", r"a\'b", Some(r"a = 'a\''b'"));
        check(
            Mysql,
            "a='it''s %s'",
            r"a\'b\",
            Some(r"a= concat('it''s a', char(92 using utf8mb4), '''b', char(92 using utf8mb4), '')"),
        );
        check(Mysql, "a = \"%s\"", "a\"b'c", Some("a = \"a\"\"b'c\""));
    }
}
