//! The tokens of an originator field, and what stood between them.

use super::Ambiguity;
use crate::mail::lexer::{Lexer, Malformed, is_dot_atom};

/// Controls have no place in a field, but for tabs and the ends of folded lines (RFC 5322, 2.2).
pub(super) fn check_controls(body: &str) -> Result<(), Ambiguity> {
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

/// A token of a field body, without the comments and the white space around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lexeme {
    pub(super) token: Token,
    /// What stood before it: that means something to readers that do not follow the standard.
    pub(super) gap: Gap,
}

/// What stands between two tokens (CFWS: RFC 5322, 3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// Nothing.
    None,
    /// White space, folded or not.
    Space,
    /// A comment, and perhaps white space.
    Comment,
}

impl Gap {
    /// What a run of white space and comments is.
    fn of(skipped: &str) -> Result<Self, Ambiguity> {
        let (mut quoted, mut escaped) = (false, false);
        // How many comments this is in, and whether one within another has ended.
        let (mut depth, mut has_ended) = (0_usize, false);
        for c in skipped.chars() {
            // Where comments begin and end is clear as long as it does not matter whether a reader knows quoted pairs
            // and quoted-strings within them; jsmime, which Thunderbird has, knows the latter.
            if matches!(c, '(' | ')') && (quoted || escaped) {
                return Err(Ambiguity::Syntax);
            }
            escaped = c == '\\' && !escaped;
            quoted ^= c == '"';
            // To nodemailer and postal-mime the first parenthesis ends all comments, and what follows is syntax again.
            if has_ended && depth > 0 && !matches!(c, ')' | ' ' | '\t' | '\r' | '\n') {
                return Err(Ambiguity::Syntax);
            }
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            has_ended = depth > 0 && (has_ended || c == ')');
        }
        Ok(match skipped {
            "" => Self::None,
            _ if skipped.contains('(') => Self::Comment,
            _ => Self::Space,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// An atom.
    Atom(String),
    /// The content of a quoted-string.
    Quoted(String),
    /// An address literal with its brackets.
    Literal(String),
    /// One of `< > , ; : @ .`
    Special(char),
}

/// The tokens of a field body, and what stands behind the last.
pub(super) fn tokens(body: &str) -> Result<(Vec<Lexeme>, Gap), Ambiguity> {
    let unterminated = |_: Malformed| Ambiguity::Unterminated;
    let mut lexer = Lexer::new(body);
    let mut tokens = Vec::new();
    loop {
        let skipped = lexer.cfws().map_err(unterminated)?;
        let gap = Gap::of(skipped)?;
        let Some(next) = lexer.rest().chars().next() else { return Ok((tokens, gap)) };
        // What nodemailer and postal-mime leave of a comment in a comment sticks to what follows.
        let leaves_parenthesis =
            skipped.strip_suffix(')').is_some_and(|skipped| skipped.trim_end().ends_with(')'));
        if leaves_parenthesis && !"<,;".contains(next) {
            return Err(Ambiguity::Syntax);
        }
        let token = match next {
            '"' => {
                let begun = lexer.rest();
                let content = lexer.value().map_err(unterminated)?;
                let written = &begun[..begun.len() - lexer.rest().len()];
                // To Python's getaddresses a fold ends it, and what it has read is the address.
                if written.contains(['\r', '\n']) && may_hold_address(written) {
                    return Err(Ambiguity::AddressAsName);
                }
                // jsmime looks for the end of an encoded-word behind the quotes.
                if written.rsplit_once("=?").is_some_and(|(_, word)| !word.contains("?=")) {
                    return Err(Ambiguity::EncodedWord);
                }
                Token::Quoted(content)
            }
            '[' => {
                let literal = lexer.take_while(|c| c != ']').to_owned();
                // An address or a tagged one (RFC 5321, 4.1.3); anything else some reader ends earlier.
                if literal[1..].contains(|c: char| !(c.is_ascii_alphanumeric() || ".:-_".contains(c))) {
                    return Err(Ambiguity::Character);
                }
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
        tokens.push(Lexeme { token, gap });
    }
}

/// Whether a part of a display name shows an at sign, or an encoded-word that may become one.
pub(super) fn may_hold_address(text: &str) -> bool {
    text.contains('@') || text.contains("=?")
}

/// A character of an atom, beyond ASCII too (RFC 6532, 3.2).
pub(super) fn is_atom(c: char) -> bool {
    c != '.' && (is_dot_atom(c) || !c.is_ascii())
}
