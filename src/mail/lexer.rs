//! The lexical tokens that structured header fields share (RFC 5322, 3.2; RFC 2045, 5.1).

/// A structured field body does not follow its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field does not follow its grammar")]
pub struct Malformed;

/// Comments within comments, at most.
const MAX_DEPTH: usize = 32;

/// A reader of one field body.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    rest: &'a str,
}

impl<'a> Lexer<'a> {
    /// Starts at the beginning of a field body, folded or not.
    pub fn new(body: &'a str) -> Self {
        Self { rest: body }
    }

    /// What is not read yet.
    pub fn rest(&self) -> &'a str {
        self.rest
    }

    /// Skips comments and folding white space (RFC 5322, 3.2.2); true if there was any.
    pub fn skip_cfws(&mut self) -> Result<bool, Malformed> {
        let before = self.rest.len();
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
            if !self.rest.starts_with('(') {
                return Ok(self.rest.len() < before);
            }
            self.skip_comment()?;
        }
    }

    /// What [`Self::skip_cfws`] skips.
    pub fn cfws(&mut self) -> Result<&'a str, Malformed> {
        let before = self.rest;
        self.skip_cfws()?;
        Ok(&before[..before.len() - self.rest.len()])
    }

    fn skip_comment(&mut self) -> Result<(), Malformed> {
        let (mut depth, mut escaped) = (0, false);
        for (at, c) in self.rest.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '(' if depth == MAX_DEPTH => return Err(Malformed),
                '(' => depth += 1,
                ')' if depth == 1 => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(());
                }
                ')' => depth -= 1,
                _ => {}
            }
        }
        Err(Malformed)
    }

    /// Takes one character if it comes next.
    pub fn take(&mut self, expected: char) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes the longest run of characters that `wanted` selects; may be empty.
    pub fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// Takes a `value`: a token or a quoted-string (RFC 2045, 5.1), the latter without its quotes.
    pub fn value(&mut self) -> Result<String, Malformed> {
        if self.rest.starts_with('"') {
            return self.quoted_string();
        }
        let token = self.take_while(is_token);
        if token.is_empty() { Err(Malformed) } else { Ok(token.to_owned()) }
    }

    fn quoted_string(&mut self) -> Result<String, Malformed> {
        let mut content = String::new();
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                '\r' | '\n' => {}
                c if escaped => {
                    content.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(content);
                }
                c => content.push(c),
            }
        }
        Err(Malformed)
    }
}

/// A character of a token: visible ASCII but `tspecials` (RFC 2045, 5.1).
pub fn is_token(c: char) -> bool {
    c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?=".contains(c)
}

/// A character of an atom or a dot in a dot-atom (RFC 5322, 3.2.3).
pub fn is_dot_atom(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

/// `text` as a quoted-string (RFC 5322, 3.2.4). What may not stand in one becomes `?`; at most `limit` characters.
pub fn quote(text: &str, limit: usize) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars().take(limit) {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_cfws(body: &str, expected: Result<&str, Malformed>) {
        let mut lexer = Lexer::new(body);
        assert_eq!(lexer.skip_cfws().map(|_| lexer.rest()), expected, "{body}");
    }

    #[test]
    fn comments_nest_and_end() {
        check_cfws("a", Ok("a"));
        check_cfws(" (x(y)\\)z) \n\t(w)a", Ok("a"));
        check_cfws("(a", Err(Malformed));
        check_cfws("(a\\)", Err(Malformed));
        check_cfws(&"(".repeat(100_000), Err(Malformed));
    }

    #[test]
    fn values() {
        let value = |body| Lexer::new(body).value();
        assert_eq!(value("mx.example;"), Ok("mx.example".to_owned()));
        assert_eq!(value("\"a\\\"b c\"x"), Ok("a\"b c".to_owned()));
        assert_eq!(value(";"), Err(Malformed));
        assert_eq!(value("\"a"), Err(Malformed));
        assert_eq!(value("\"a\r\n b\\\r\n c\""), Ok("a b c".to_owned()));
    }

    #[test]
    fn what_is_quoted_reads_back() {
        assert_eq!(quote("a\"\\\r\n\u{e9}", 100), "\"a\\\"\\\\???\"");
        assert_eq!(Lexer::new(&quote("a\"\\ b", 100)).value(), Ok("a\"\\ b".to_owned()));
    }
}
