//! The mailboxes of From, Sender and their like (RFC 5322, 3.4; RFC 6854; RFC 6532).
//!
//! What a field says to its readers depends on how they parse it, and they differ. So this parser has three outcomes:
//! the exact list, where every reader that follows the standard sees the same; none; and ambiguous, where readers may
//! see different authors, which is how a forged one is slipped past a filter. It never guesses.

use unicode_normalization::UnicodeNormalization as _;

use super::lexer::{Lexer, Malformed, is_dot_atom};
use super::text::is_unseen;
use super::{Domain, Mailbox};

/// Mailboxes of one field, at most. MTAs pass on fields of 60 000 octets, which could hold ten thousand.
pub const MAX_MAILBOXES: usize = 1000;

/// The mailboxes that a field names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressList {
    /// These and no others, at least one.
    Exact(Vec<Author>),
    /// None: the field is empty, or holds empty groups only.
    None,
    /// Readers may differ.
    Ambiguous(Ambiguity),
}

/// One mailbox of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Author {
    /// A mailbox.
    Mailbox(Mailbox),
    /// An address at an address literal or at what is no domain name: it equals nothing.
    Elsewhere(String),
}

/// Why readers may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ambiguity {
    /// A control character, or a line that does not go on as a folded one does.
    #[error("a control character")]
    Control,
    /// A comment, quoted-string, address literal, angle-address or group that does not end.
    #[error("something that does not end")]
    Unterminated,
    /// Something behind an address where only a comma may stand: a second angle-address, a word.
    #[error("more than one address in one mailbox")]
    Second,
    /// Another address where a display name stands, without quotes.
    #[error("another address as display name")]
    AddressAsName,
    /// Words that are no address, or an address with a part missing.
    #[error("no address where one should be")]
    NoAddress,
    /// An encoded-word inside an address, which RFC 2047, 5 forbids and some readers decode.
    #[error("an encoded-word inside an address")]
    EncodedWord,
    /// A character in an address that is none of its own right: not UTF-8, a look-alike of syntax, or one that no
    /// reader sees.
    #[error("a character that an address cannot have")]
    Character,
    /// A special character out of place, or a group within a group.
    #[error("syntax that no standard knows")]
    Syntax,
    /// More than [`MAX_MAILBOXES`].
    #[error("too many mailboxes")]
    TooMany,
}

impl AddressList {
    /// Reads a field body, folded or not.
    pub fn parse(body: &str) -> Self {
        let list = check_controls(body).and_then(|()| tokens(body)).and_then(|tokens| {
            let mut parser = Parser { tokens: &tokens, authors: Vec::new() };
            parser.list().map(|()| parser.authors)
        });
        match list {
            Err(ambiguity) => Self::Ambiguous(ambiguity),
            Ok(authors) if authors.is_empty() => Self::None,
            Ok(authors) => Self::Exact(authors),
        }
    }
}

/// Controls have no place in a field, but for tabs and the ends of folded lines (RFC 5322, 2.2).
fn check_controls(body: &str) -> Result<(), Ambiguity> {
    let folded = body.replace("\r\n", "\n");
    // The line's end that closes the field is not part of it.
    let folded = folded.trim_end_matches('\n');
    let mut characters = folded.chars().peekable();
    let mut last = ' ';
    while let Some(c) = characters.next() {
        // A quoted pair cannot hold the end of a line (RFC 5322, 3.2.1).
        let folds = c == '\n' && last != '\\' && matches!(characters.peek(), Some(' ' | '\t'));
        if c.is_control() && c != '\t' && !folds {
            return Err(Ambiguity::Control);
        }
        last = c;
    }
    Ok(())
}

/// A token of a field body; comments and white space are gone, as they mean nothing between tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lexeme {
    token: Token,
    /// Whether a comment or white space stood before it: that means something to readers that do not follow the
    /// standard.
    apart: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// An atom.
    Atom(String),
    /// The content of a quoted-string.
    Quoted(String),
    /// An address literal with its brackets.
    Literal(String),
    /// One of `< > , ; : @ .`
    Special(char),
}

fn tokens(body: &str) -> Result<Vec<Lexeme>, Ambiguity> {
    let unterminated = |_: Malformed| Ambiguity::Unterminated;
    let mut lexer = Lexer::new(body);
    let mut tokens = Vec::new();
    loop {
        let apart = lexer.skip_cfws().map_err(unterminated)?;
        let Some(next) = lexer.rest().chars().next() else { return Ok(tokens) };
        let token = match next {
            '"' => Token::Quoted(lexer.value().map_err(unterminated)?),
            '[' => {
                let literal = lexer.take_while(|c| c != ']').to_owned();
                if !lexer.take(']') {
                    return Err(Ambiguity::Unterminated);
                }
                Token::Literal(literal + "]")
            }
            '<' | '>' | ',' | ';' | ':' | '@' | '.' => {
                lexer.take(next);
                Token::Special(next)
            }
            c if is_atom(c) => Token::Atom(lexer.take_while(is_atom).to_owned()),
            _ => return Err(Ambiguity::Syntax),
        };
        tokens.push(Lexeme { token, apart });
    }
}

/// A character of an atom, beyond ASCII too (RFC 6532, 3.2).
fn is_atom(c: char) -> bool {
    c != '.' && (is_dot_atom(c) || !c.is_ascii())
}

struct Parser<'t> {
    tokens: &'t [Lexeme],
    authors: Vec<Author>,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.first().map(|lexeme| &lexeme.token)
    }

    fn take(&mut self, special: char) -> bool {
        let found = self.peek() == Some(&Token::Special(special));
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    /// An address-list: mailboxes and groups, with commas between them. Elements may be empty (RFC 5322, 4.4).
    fn list(&mut self) -> Result<(), Ambiguity> {
        while self.peek().is_some() {
            if self.take(',') {
                continue;
            }
            let begun = self.tokens;
            let words = self.words();
            if self.take(':') {
                self.group(words)?;
            } else {
                self.mailbox(begun, words)?;
            }
            if self.peek().is_some() && !self.take(',') {
                return Err(Ambiguity::Second);
            }
        }
        Ok(())
    }

    /// The rest of a group after its colon: mailboxes up to the semicolon (RFC 5322, 3.4).
    fn group(&mut self, name: &[Lexeme]) -> Result<(), Ambiguity> {
        if name.is_empty() {
            return Err(Ambiguity::Syntax);
        }
        loop {
            if self.take(';') {
                return Ok(());
            }
            if self.take(',') {
                continue;
            }
            if self.peek().is_none() {
                return Err(Ambiguity::Unterminated);
            }
            let begun = self.tokens;
            let words = self.words();
            self.mailbox(begun, words)?;
            if !matches!(self.peek(), Some(Token::Special(',' | ';'))) {
                return Err(if self.peek().is_none() { Ambiguity::Unterminated } else { Ambiguity::Second });
            }
        }
    }

    /// The words and dots that come next: a display name, or a local-part.
    fn words(&mut self) -> &'t [Lexeme] {
        let is_word =
            |lexeme: &Lexeme| matches!(lexeme.token, Token::Atom(_) | Token::Quoted(_) | Token::Special('.'));
        let end = self.tokens.iter().position(|lexeme| !is_word(lexeme)).unwrap_or(self.tokens.len());
        let (words, rest) = self.tokens.split_at(end);
        self.tokens = rest;
        words
    }

    /// A mailbox that began at `begun`, and whose first words are read already: `name <address>` or `address`.
    fn mailbox(&mut self, begun: &'t [Lexeme], words: &'t [Lexeme]) -> Result<(), Ambiguity> {
        if self.peek() == Some(&Token::Special('<')) {
            let address = self.angle_address()?;
            return self.add(address);
        }
        let name = self.address(words)?;
        if self.peek() != Some(&Token::Special('<')) {
            return self.add(name);
        }
        // `ceo@example.org <mallory@example.net>`: some readers show the name, some the address.
        let (name_text, rest) = begun.split_at(begun.len() - self.tokens.len());
        let address = self.angle_address()?;
        let address_text = &rest[1..rest.len() - self.tokens.len() - 1];
        if !(is_plain(name_text) && is_plain(address_text)) {
            return Err(Ambiguity::AddressAsName);
        }
        match (name, address) {
            (name, address) if name == address => self.add(address),
            // Whether the case of a local-part matters is the policy's affair, so both are authors.
            (Author::Mailbox(name), Author::Mailbox(address)) if name.is_like(&address) => {
                self.add(Author::Mailbox(address))?;
                self.add(Author::Mailbox(name))
            }
            _ => Err(Ambiguity::AddressAsName),
        }
    }

    /// An address in angle brackets.
    fn angle_address(&mut self) -> Result<Author, Ambiguity> {
        self.take('<');
        self.route()?;
        let local_part = self.words();
        let address = self.address(local_part)?;
        if self.take('>') {
            Ok(address)
        } else if self.peek().is_none() {
            Err(Ambiguity::Unterminated)
        } else {
            Err(Ambiguity::Second)
        }
    }

    fn add(&mut self, author: Author) -> Result<(), Ambiguity> {
        if self.authors.len() == MAX_MAILBOXES {
            return Err(Ambiguity::TooMany);
        }
        self.authors.push(author);
        Ok(())
    }

    /// A source route, which must be ignored (RFC 5322, 4.4): `@a.example,@b.example:`.
    fn route(&mut self) -> Result<(), Ambiguity> {
        if !matches!(self.peek(), Some(Token::Special('@' | ','))) {
            return Ok(());
        }
        while !self.take(':') {
            if self.take('@') {
                self.domain()?;
                if matches!(self.peek(), Some(Token::Special(',' | ':'))) {
                    continue;
                }
            } else if self.take(',') {
                continue;
            }
            return Err(Ambiguity::Syntax);
        }
        Ok(())
    }

    /// An address whose local-part is read already (RFC 5322, 3.4.1).
    fn address(&mut self, local_part: &'t [Lexeme]) -> Result<Author, Ambiguity> {
        if !self.take('@') {
            return Err(Ambiguity::NoAddress);
        }
        let local_part = join_local_part(local_part)?;
        let domain = self.domain()?;
        // RFC 2047, 5 forbids encoded-words here, and some readers decode them; they may reach across dots and the at sign.
        let begun = local_part.find("=?").map(|at| &local_part[at + 2..]);
        let encoded = begun.is_some_and(|rest| rest.contains("?=") || domain.contains("?="))
            || domain.split_once("=?").is_some_and(|(_, rest)| rest.contains("?="));
        if encoded {
            return Err(Ambiguity::EncodedWord);
        }
        Ok(match domain.parse::<Domain>() {
            Ok(domain) => Author::Mailbox(Mailbox::new(local_part, domain)),
            Err(_) => Author::Elsewhere(format!("{local_part}@{domain}")),
        })
    }

    /// The text of a domain. White space and comments may surround its dots (RFC 5322, 4.4).
    fn domain(&mut self) -> Result<String, Ambiguity> {
        if let Some(Token::Literal(literal)) = self.peek() {
            self.tokens = &self.tokens[1..];
            return Ok(literal.clone());
        }
        let mut domain = String::new();
        let mut after_atom = false;
        loop {
            match self.peek() {
                Some(Token::Atom(atom)) if !after_atom => {
                    check_characters(atom)?;
                    domain.push_str(atom);
                    after_atom = true;
                }
                Some(Token::Special('.')) if after_atom => {
                    domain.push('.');
                    after_atom = false;
                }
                _ => break,
            }
            self.tokens = &self.tokens[1..];
        }
        if domain.is_empty() { Err(Ambiguity::NoAddress) } else { Ok(domain) }
    }
}

/// Whether an address is written in one piece and without quotes, so that no reader sees only a part of it.
fn is_plain(address: &[Lexeme]) -> bool {
    let is_plain = |token: &Token| matches!(token, Token::Atom(_) | Token::Special('.' | '@'));
    address.iter().all(|lexeme| is_plain(&lexeme.token)) && !address.iter().skip(1).any(|lexeme| lexeme.apart)
}

/// The words of a local-part with the dots between them, without quoting.
///
/// Dots may stand at the ends or next to one another: MTAs deliver to such addresses, and no reader sees anything else
/// in them.
fn join_local_part(words: &[Lexeme]) -> Result<String, Ambiguity> {
    let mut local_part = String::new();
    let mut after_word = false;
    for lexeme in words {
        let word = match &lexeme.token {
            Token::Special(_) => {
                local_part.push('.');
                after_word = false;
                continue;
            }
            Token::Atom(word) | Token::Quoted(word) | Token::Literal(word) => word,
        };
        if after_word {
            return Err(Ambiguity::NoAddress);
        }
        check_characters(word)?;
        local_part.push_str(word);
        after_word = true;
    }
    if words.is_empty() { Err(Ambiguity::NoAddress) } else { Ok(local_part) }
}

/// Refuses, inside an address, what some readers would turn into something else.
fn check_characters(text: &str) -> Result<(), Ambiguity> {
    let syntax = |c: char| c.is_ascii() && !is_atom(c) && c != '.';
    let disguised = |c: char| c == '\u{fffd}' || is_unseen(c) || std::iter::once(c).nfkc().any(syntax);
    if text.contains(|c: char| !c.is_ascii() && disguised(c)) { Err(Ambiguity::Character) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(body: &str) -> String {
        match AddressList::parse(body) {
            AddressList::None => "none".to_owned(),
            AddressList::Ambiguous(ambiguity) => format!("ambiguous: {ambiguity}"),
            AddressList::Exact(authors) => {
                let names = authors.iter().map(|author| match author {
                    Author::Mailbox(mailbox) => mailbox.to_string(),
                    Author::Elsewhere(text) => format!("elsewhere {text}"),
                });
                names.collect::<Vec<_>>().join(", ")
            }
        }
    }

    #[track_caller]
    fn check(body: &str, expected: &str) {
        assert_eq!(shown(body), expected, "{body}");
    }

    #[test]
    fn what_readers_agree_on() {
        check("alice@example.org", "alice@example.org");
        check("Alice <alice@example.org>", "alice@example.org");
        check("\"ceo@example.org\" <alice@example.org>", "alice@example.org");
        check("a@x.example (A)\r\n <A@X.example>, b@y.example", "A@x.example, a@x.example, b@y.example");
        check("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "pete@silly.test");
        check(
            "Friends: a@example.org, B <b@example.net>;, c@example.com",
            "a@example.org, b@example.net, c@example.com",
        );
        check("undisclosed-recipients:;", "none");
        check("<,@a.example, ,@b.example,:c@x.example>", "c@x.example");
    }

    #[test]
    fn what_readers_may_differ_on() {
        check("<a@x.example> <b@y.example>", "ambiguous: more than one address in one mailbox");
        check("ceo@x.example <b@y.example>", "ambiguous: another address as display name");
        check("\"a\"@x.example <a@x.example>", "ambiguous: another address as display name");
        check("=?utf-8?q?ceo?=@x.example", "ambiguous: an encoded-word inside an address");
        check("ceo＠bank.example@y.example", "ambiguous: a character that an address cannot have");
        check("\u{202e}oec@x.example", "ambiguous: a character that an address cannot have");
        check("ceo@x\u{ad}y.example", "ambiguous: a character that an address cannot have");
        check("<@a.example@b.example:c@x.example>", "ambiguous: syntax that no standard knows");
        check("a@x.example (", "ambiguous: something that does not end");
        check("\"a\\\r\n b\"@x.example", "ambiguous: a control character");
    }

    proptest! {
        #[test]
        fn nothing_panics(body in ".{0,100}|[<>,;:@. a\"()\\[\\]\\\\=?]{0,40}") {
            let _ = AddressList::parse(&body);
        }

        /// A mailbox that we write is one that we read, whatever stands around it.
        #[test]
        fn what_is_written_reads_back(local_part in "[a-zA-Z0-9 .\"\\\\@,<>-]{1,20}", name in "[a-z ]{0,9}") {
            let mailbox = Mailbox::new(local_part, "example.org".parse().unwrap());
            prop_assert_eq!(shown(&format!("{name} <{mailbox}>")), mailbox.to_string());
        }
    }
}
