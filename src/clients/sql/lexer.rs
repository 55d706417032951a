//! SQL in pieces: what is quoted and how, so that nobody takes a text for a part of the language or the other way
//! round.

use super::Dialect;

/// A piece of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    /// The piece as it is written, its quotes with it.
    pub(crate) text: &'a str,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Part of the language.
    Plain,
    /// A text in quotes of this kind, which stand twice where one is part of it.
    Text(char),
    /// Anything else in quotes: a name, or a text with rules of its own (`E'…'`, `$$…$$`).
    Quoted,
    /// A comment.
    Comment,
}

/// The query in pieces; the error is what does not end.
pub(crate) fn tokens(dialect: Dialect, sql: &str) -> Result<Vec<Token<'_>>, &'static str> {
    let mut tokens = Vec::new();
    let (mut plain, mut at) = (0, 0);
    while let Some(c) = sql[at..].chars().next() {
        let Some((kind, length)) = quoted(dialect, sql, at)? else {
            at += c.len_utf8();
            continue;
        };
        if plain < at {
            tokens.push(Token { kind: Kind::Plain, text: &sql[plain..at] });
        }
        tokens.push(Token { kind, text: &sql[at..at + length] });
        at += length;
        plain = at;
    }
    if plain < at {
        tokens.push(Token { kind: Kind::Plain, text: &sql[plain..] });
    }
    Ok(tokens)
}

/// What begins at an offset and is not plain, with its length.
fn quoted(dialect: Dialect, sql: &str, at: usize) -> Result<Option<(Kind, usize)>, &'static str> {
    let (before, rest) = sql.split_at(at);
    let Some(c) = rest.chars().next() else { return Ok(None) };
    let found = match c {
        '\'' => {
            let has_prefix = prefix(dialect, before);
            let backslashes = dialect == Dialect::Mysql || has_prefix;
            let length = until_quote(rest, c, backslashes).ok_or("a text in quotes")?;
            (if has_prefix { Kind::Quoted } else { Kind::Text(c) }, length)
        }
        '"' if dialect == Dialect::Mysql => {
            (Kind::Text(c), until_quote(rest, c, true).ok_or("a text in quotes")?)
        }
        '"' => (Kind::Quoted, until_quote(rest, c, false).ok_or("a name in quotes")?),
        '`' if dialect != Dialect::Postgres => {
            (Kind::Quoted, until_quote(rest, c, false).ok_or("a name in quotes")?)
        }
        '[' if dialect == Dialect::Sqlite => {
            (Kind::Quoted, rest.find(']').map(|end| end + 1).ok_or("a name in brackets")?)
        }
        '$' if dialect == Dialect::Postgres => match dollar_quoted(before, rest)? {
            Some(length) => (Kind::Quoted, length),
            None => return Ok(None),
        },
        '-' if is_dashes(dialect, rest) => (Kind::Comment, line(rest)),
        '#' if dialect == Dialect::Mysql => (Kind::Comment, line(rest)),
        '/' if rest.starts_with("/*") => (Kind::Comment, comment(dialect, rest).ok_or("a comment")?),
        _ => return Ok(None),
    };
    Ok(Some(found))
}

/// Whether what stands before a quote gives the text rules of its own: `E'…'`, `X'…'`, `N'…'`, `U&'…'`, `_utf8'…'`.
fn prefix(dialect: Dialect, before: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let before = before.strip_suffix('&').filter(|_| dialect == Dialect::Postgres).unwrap_or(before);
    let word = &before[before.trim_end_matches(is_word).len()..];
    let word = word.to_ascii_lowercase();
    matches!(word.as_str(), "b" | "e" | "n" | "u" | "x")
        || (dialect == Dialect::Mysql && word.starts_with('_'))
}

/// The length of what begins with a quote, up to the next one that is not doubled.
fn until_quote(rest: &str, quote: char, backslashes: bool) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' if backslashes => drop(characters.next()),
            c if c == quote => match characters.peek() {
                Some((_, next)) if *next == quote => drop(characters.next()),
                _ => return Some(at + quote.len_utf8()),
            },
            _ => {}
        }
    }
    None
}

/// The length of `$tag$…$tag$`; none where no such text begins here.
fn dollar_quoted(before: &str, rest: &str) -> Result<Option<usize>, &'static str> {
    // After a letter it is part of a name.
    if before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
        return Ok(None);
    }
    let Some(end) = rest[1..].find('$') else { return Ok(None) };
    let tag = &rest[..end + 2];
    let name = &tag[1..=end];
    let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if !is_name {
        return Ok(None);
    }
    let length = rest[tag.len()..].find(tag).ok_or("a text between dollars")?;
    Ok(Some(length + 2 * tag.len()))
}

/// Whether a comment begins here. MySQL wants a space after the dashes, so that `1--1` is a difference.
fn is_dashes(dialect: Dialect, rest: &str) -> bool {
    let Some(after) = rest.strip_prefix("--") else { return false };
    dialect != Dialect::Mysql || after.chars().next().is_none_or(|c| c.is_whitespace() || c.is_control())
}

/// The length of the line.
fn line(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

/// The length of a comment, which in PostgreSQL may hold others.
fn comment(dialect: Dialect, rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") && (depth == 0 || dialect == Dialect::Postgres) {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    None
}

/// The query without what ends it, or none where there is more than one.
pub(crate) fn single<'a>(tokens: &mut Vec<Token<'a>>) -> bool {
    let is_blank = |text: &str| text.trim_matches(|c: char| c.is_whitespace() || c == ';').is_empty();
    while let Some(last) = tokens.last().copied() {
        match last.kind {
            Kind::Plain if is_blank(last.text) => drop(tokens.pop()),
            Kind::Plain => {
                let text = last.text.trim_end_matches(|c: char| c.is_whitespace() || c == ';');
                let at = tokens.len() - 1;
                tokens[at].text = text;
                break;
            }
            _ => break,
        }
    }
    let has_end = |token: &Token<'a>| token.kind == Kind::Plain && token.text.contains(';');
    !tokens.iter().any(has_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces between `|`, plain ones as they are, others with a letter in front.
    #[track_caller]
    fn check(dialect: Dialect, sql: &str, expected: &str) {
        let shown = match tokens(dialect, sql) {
            Ok(tokens) => {
                assert_eq!(tokens.iter().map(|token| token.text).collect::<String>(), sql);
                let shown = tokens.iter().map(|token| match token.kind {
                    Kind::Plain => token.text.to_owned(),
                    Kind::Text(_) => format!("T:{}", token.text),
                    Kind::Quoted => format!("Q:{}", token.text),
                    Kind::Comment => format!("C:{}", token.text),
                });
                shown.collect::<Vec<_>>().join("|")
            }
            Err(open) => format!("{open} does not end"),
        };
        assert_eq!(shown, expected, "{dialect:?} {sql}");
    }

    #[test]
    fn pieces_of_every_dialect() {
        use Dialect::{Mysql, Postgres, Sqlite};
        for dialect in [Mysql, Postgres, Sqlite] {
            check(dialect, "select 'it''s' from a", "select |T:'it''s'| from a");
            check(dialect, "x = 'é'-- c\ny", "x = |T:'é'|C:-- c|\ny");
            check(dialect, "a/* ' */b", "a|C:/* ' */|b");
            check(dialect, "x'00'", "x|Q:'00'");
            check(dialect, "'a", "a text in quotes does not end");
            check(dialect, "a /* b", "a comment does not end");
            check(dialect, "like'a'", "like|T:'a'");
            check(dialect, "", "");
        }
        check(Postgres, r"'a\' b", r"T:'a\'| b");
        check(Sqlite, r"'a\' b", r"T:'a\'| b");
        check(Mysql, r"'a\' b'", r"T:'a\' b'");
        check(Postgres, r"E'a\' b' c", r"E|Q:'a\' b'| c");
        check(Postgres, "U&'a' u& 'b'", "U&|Q:'a'| u& |T:'b'");
        check(Postgres, "$$a'b$$ $t$ $$ $t$ $1 a$b$c", "Q:$$a'b$$| |Q:$t$ $$ $t$| $1 a$b$c");
        check(Postgres, "a /* b /* c */ d */ e", "a |C:/* b /* c */ d */| e");
        check(Mysql, "a /* b /* c */ d */ e", "a |C:/* b /* c */| d */ e");
        check(Postgres, "\"a'\"", "Q:\"a'\"");
        check(Mysql, "\"a'\" `b'` #'", "T:\"a'\"| |Q:`b'`| |C:#'");
        check(Sqlite, "[a'] `b'` \"c'\"", "Q:[a']| |Q:`b'`| |Q:\"c'\"");
        check(Mysql, "1--1 -- x", "1--1 |C:-- x");
        check(Postgres, "1--1", "1|C:--1");
        check(Mysql, "_utf8'a'", "_utf8|Q:'a'");
        check(Postgres, "$t$ a", "a text between dollars does not end");
    }

    #[test]
    fn one_query_only() {
        let is_single = |sql| single(&mut tokens(Dialect::Postgres, sql).unwrap());
        assert!(is_single("select ';' "));
        assert!(is_single("select 1 ; ;"));
        assert!(is_single("select 'a' ; "));
        assert!(!is_single("select 1; select 2"));
        assert!(!is_single("select 1; -- end"));
    }
}
