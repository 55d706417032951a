//! The mailboxes of From, Sender and their like (RFC 5322, 3.4; RFC 6854; RFC 6532).
//!
//! What a field says to its readers depends on how they parse it, and they differ. So this parser has three outcomes:
//! the exact list, where every reader that follows the standard sees the same; none; and ambiguous, where readers may
//! see different authors, which is how a forged one is slipped past a filter. It never guesses.

mod token;

use unicode_normalization::UnicodeNormalization as _;

use self::token::{Gap, Lexeme, Token, check_controls, is_atom, may_hold_address, tokens};
use super::text::is_unseen;
use super::{Domain, Mailbox};

/// Octets of a field that are read, at most. Postfix cuts fields at 60 000 octets, and no author needs so many.
pub const MAX_OCTETS: usize = 64 * 1024;

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

impl Author {
    /// The mailbox, where it is one.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Mailbox(mailbox) => Some(mailbox),
            Self::Elsewhere(_) => None,
        }
    }
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
    /// White space or a comment within an address or a source route before it: readers stop there, or take the route for
    /// the address (RFC 5322, 4.4 calls all these obsolete).
    #[error("an address that is not written in one piece")]
    Apart,
    /// A quoted local-part that holds what would be syntax without its quotes.
    #[error("syntax within a quoted local-part")]
    QuotedSyntax,
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
    /// More than [`MAX_OCTETS`].
    #[error("too many octets")]
    TooLong,
}

impl AddressList {
    /// Reads a field body, folded or not.
    pub fn parse(body: &str) -> Self {
        if body.len() > MAX_OCTETS {
            return Self::Ambiguous(Ambiguity::TooLong);
        }
        let list = check_controls(body).and_then(|()| tokens(body)).and_then(|(tokens, last_gap)| {
            let (begins_words, ends_words) = (body.contains("=?"), body.contains("?="));
            let mut parser = Parser { tokens: &tokens, authors: Vec::new(), begins_words, ends_words };
            parser.list()?;
            // A last element in which nothing but a comment stands.
            let ends_in_comma = tokens.last().is_some_and(|lexeme| lexeme.token == Token::Special(','));
            if ends_in_comma && last_gap == Gap::Comment {
                return Err(Ambiguity::NoAddress);
            }
            Ok(parser.authors)
        });
        match list {
            Err(ambiguity) => Self::Ambiguous(ambiguity),
            Ok(authors) if authors.is_empty() => Self::None,
            Ok(authors) => Self::Exact(authors),
        }
    }
}

struct Parser<'t> {
    tokens: &'t [Lexeme],
    authors: Vec<Author>,
    /// Whether the beginning of an encoded-word stands anywhere in the field.
    begins_words: bool,
    /// Whether the end of one does.
    ends_words: bool,
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

    /// Takes what ends an element in which nothing stands. Where a comment does, nodemailer takes it for the mailbox.
    fn take_empty(&mut self, end: char) -> Result<bool, Ambiguity> {
        let holds_comment = self.tokens.first().is_some_and(|lexeme| lexeme.gap == Gap::Comment);
        let is_empty = self.take(end);
        if is_empty && holds_comment { Err(Ambiguity::NoAddress) } else { Ok(is_empty) }
    }

    /// An address-list: mailboxes and groups, with commas between them. Elements may be empty (RFC 5322, 4.4).
    fn list(&mut self) -> Result<(), Ambiguity> {
        while self.peek().is_some() {
            if self.take_empty(',')? {
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
        // Roundcube takes the name for the address where white space stands before the colon.
        if shows_address(name) {
            return Err(Ambiguity::AddressAsName);
        }
        loop {
            if self.take_empty(';')? {
                return Ok(());
            }
            if self.take_empty(',')? {
                continue;
            }
            if self.peek().is_none() {
                return Err(Ambiguity::Unterminated);
            }
            let begun = self.tokens;
            let words = self.words();
            self.mailbox(begun, words)?;
            if self.take(';') {
                return Ok(());
            }
            if !self.take(',') {
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
            let angle = self.tokens;
            let is_glued = self.tokens[0].gap != Gap::Space;
            let (address, is_tight) = self.angle_address()?;
            // Python's email package takes the name for the address where the domain ends in a dot (RFC 5322, 3.2.3 does
            // not allow that).
            let written = &angle[..angle.len() - self.tokens.len()];
            let last = written.iter().rev().nth(1);
            if !words.is_empty() && last.is_some_and(|lexeme| lexeme.token == Token::Special('.')) {
                return Err(Ambiguity::AddressAsName);
            }
            // Email::Address::XS sees no address where dots stand at the ends or next to one another, and shows the name.
            let is_stray = |pair: &[Lexeme]| {
                let special = |lexeme: &Lexeme| matches!(lexeme.token, Token::Special(_));
                pair.iter().all(special) && pair.iter().any(|lexeme| lexeme.token == Token::Special('.'))
            };
            if shows_address(words) && written.windows(2).any(is_stray) {
                return Err(Ambiguity::AddressAsName);
            }
            // Roundcube looks for an address in the whole mailbox where white space stands within the brackets.
            if !is_tight && !words.is_empty() && (is_glued || shows_address(words)) {
                return Err(Ambiguity::AddressAsName);
            }
            return self.add(address);
        }
        let name = self.address(begun, words)?;
        if self.peek() != Some(&Token::Special('<')) {
            return self.add(name);
        }
        // `ceo@example.org <mallory@example.net>`: some readers show the name, some the address.
        let (name_text, rest) = begun.split_at(begun.len() - self.tokens.len());
        let (address, _) = self.angle_address()?;
        let address_text = &rest[1..rest.len() - self.tokens.len() - 1];
        if holds_quotes(name_text) || holds_quotes(address_text) {
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

    /// An address in angle brackets, and whether nothing stands between it and them.
    fn angle_address(&mut self) -> Result<(Author, bool), Ambiguity> {
        self.take('<');
        let begun = self.tokens;
        // A source route (RFC 5322, 4.4). Nobody writes them, and readers take a part of one for the address.
        if self.peek() == Some(&Token::Special('@')) {
            return Err(Ambiguity::Apart);
        }
        let local_part = self.words();
        let address = self.address(begun, local_part)?;
        let end = self.tokens.first().map(|lexeme| lexeme.gap);
        if self.take('>') {
            let gaps = [begun.first().map(|lexeme| lexeme.gap), end];
            if gaps.contains(&Some(Gap::Comment)) {
                return Err(Ambiguity::Apart);
            }
            Ok((address, gaps == [Some(Gap::None); 2]))
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

    /// An address that began at `begun`, and whose local-part is read already (RFC 5322, 3.4.1).
    fn address(&mut self, begun: &'t [Lexeme], local_part: &'t [Lexeme]) -> Result<Author, Ambiguity> {
        if !self.take('@') {
            return Err(Ambiguity::NoAddress);
        }
        let local_part = join_local_part(local_part)?;
        let domain = self.domain()?;
        let address = &begun[..begun.len() - self.tokens.len()];
        if address.iter().skip(1).any(|lexeme| lexeme.gap != Gap::None) {
            return Err(Ambiguity::Apart);
        }
        // RFC 2047, 5 forbids encoded-words here, and some readers decode them; they may reach across dots, the at sign and
        // even the brackets.
        let holds = |mark: &str| local_part.contains(mark) || domain.contains(mark);
        if (holds("=?") && self.ends_words) || (holds("?=") && self.begins_words) {
            return Err(Ambiguity::EncodedWord);
        }
        Ok(match domain.parse::<Domain>() {
            Ok(domain) => Author::Mailbox(Mailbox::new(local_part, domain)),
            Err(_) => Author::Elsewhere(format!("{local_part}@{domain}")),
        })
    }

    /// The text of a domain.
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

/// Whether a display name shows an at sign, or an encoded-word that may become one.
fn shows_address(name: &[Lexeme]) -> bool {
    name.iter().any(|lexeme| match &lexeme.token {
        Token::Atom(text) | Token::Quoted(text) | Token::Literal(text) => may_hold_address(text),
        Token::Special(_) => false,
    })
}

/// Whether there is a quoted-string.
fn holds_quotes(words: &[Lexeme]) -> bool {
    words.iter().any(|lexeme| matches!(lexeme.token, Token::Quoted(_)))
}

/// The words of a local-part with the dots between them, without quoting: a dot-atom or one quoted-string. Readers make
/// different things of quoted words with dots between them (RFC 5322, 4.4).
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
            Token::Quoted(_) if after_word || words.len() > 1 => return Err(Ambiguity::NoAddress),
            Token::Quoted(word) if word.contains(is_quoted_syntax) || is_blank(word) => {
                return Err(Ambiguity::QuotedSyntax);
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

/// Whether there is white space and nothing else.
fn is_blank(text: &str) -> bool {
    !text.is_empty() && text.trim().is_empty()
}

/// What a reader that does not see the quotes takes for syntax.
fn is_quoted_syntax(c: char) -> bool {
    "@<>,;:()\"\\".contains(c)
}

/// Refuses, inside an address, what some readers would turn into something else.
fn check_characters(text: &str) -> Result<(), Ambiguity> {
    let syntax = |c: char| c.is_ascii() && !is_atom(c) && c != '.';
    let disguised = |c: char| {
        c == '\u{fffd}' || c.is_whitespace() || is_unseen(c) || std::iter::once(c).nfkc().any(syntax)
    };
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
        check("Pete(A nice chap) <pete@silly.test>(his host)", "pete@silly.test");
        check(
            "Friends: a@example.org, B <b@example.net>;, c@example.com",
            "a@example.org, b@example.net, c@example.com",
        );
        check("undisclosed-recipients:;", "none");
        check("Alice < alice@example.org >", "alice@example.org");
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
        check("<@a.example:c@x.example>", "ambiguous: an address that is not written in one piece");
        check("\"ceo@x.example\" < b@y.example >", "ambiguous: another address as display name");
        check("\"ceo@x.example\" <b@y.example.>", "ambiguous: another address as display name");
        check("\"<ceo@x.example>\"@y.example", "ambiguous: syntax within a quoted local-part");
        check("a@x.example (", "ambiguous: something that does not end");
        check("\"a\\\r\n b\"@x.example", "ambiguous: a control character");
    }

    #[test]
    fn a_field_is_read_up_to_its_bound() {
        let padded = |octets: usize| format!("{}a@x.example", " ".repeat(octets - 11));
        assert_eq!(shown(&padded(MAX_OCTETS)), "a@x.example");
        assert_eq!(shown(&padded(MAX_OCTETS + 1)), "ambiguous: too many octets");
        assert_eq!(shown(&"\u{fdfa}".repeat(350_000)), "ambiguous: too many octets");
    }

    proptest! {
        #[test]
        fn nothing_panics(body in ".{0,100}|[<>,;:@. a\"()\\[\\]\\\\=?]{0,40}") {
            let _ = AddressList::parse(&body);
        }

        /// A mailbox that we write is one that we read, whatever stands around it.
        #[test]
        fn what_is_written_reads_back(local_part in "[a-zA-Z0-9.][a-zA-Z0-9 .-]{0,19}", name in "[a-z ]{0,9}") {
            let mailbox = Mailbox::new(local_part, "example.org".parse().unwrap());
            prop_assert_eq!(shown(&format!("{name} <{mailbox}>")), mailbox.to_string());
        }
    }
}
