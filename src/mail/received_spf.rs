//! Received-SPF (RFC 7208, 9.1): writing ours, and telling which claim to be ours.

use super::Field;
use super::authres::{is_same_id, mentions};
use super::lexer::{Lexer, Malformed, is_dot_atom, quote};
use super::spf::{SpfQuestion, SpfResult};

/// The name of the field.
pub const NAME: &str = "Received-SPF";

/// Octets of one value that we write, at most.
const MAX_VALUE: usize = 320;

/// The field that records one result. `reverse_path` is what the client gave, also when HELO was examined.
pub fn write(receiver: &str, question: &SpfQuestion, reverse_path: &str, result: SpfResult) -> Field {
    let pairs = [
        ("receiver", receiver),
        ("client-ip", &question.client.to_string()),
        ("envelope-from", reverse_path),
        ("helo", &question.helo),
        ("identity", question.identity.property()),
    ];
    let pairs: Vec<String> = pairs.iter().map(|(key, text)| format!("{key}={}", value(text))).collect();
    Field::new(NAME, format!("{result} {}", pairs.join(";\n\t")))
}

/// `text` as a dot-atom where it is one, else as a quoted-string.
fn value(text: &str) -> String {
    let bare = !text.is_empty() && text.len() <= MAX_VALUE && text.chars().all(is_dot_atom);
    if bare { text.to_owned() } else { quote(text, MAX_VALUE) }
}

/// Whether a Received-SPF field on arriving mail says that we wrote it: a `receiver=` that is us, or a body outside
/// the grammar that mentions us.
pub fn claims_to_be(body: &str, receiver: &str) -> bool {
    match receivers(body) {
        Ok(claimed) => claimed.iter().any(|name| is_same_id(name.trim(), receiver)),
        Err(Malformed) => mentions(body, receiver),
    }
}

/// The values of all `receiver` pairs.
fn receivers(body: &str) -> Result<Vec<String>, Malformed> {
    let mut lexer = Lexer::new(body);
    let mut found = Vec::new();
    lexer.skip_cfws()?;
    lexer.take_while(|c| c.is_ascii_alphabetic());
    lexer.skip_cfws()?;
    while !lexer.rest().is_empty() {
        let key = lexer.take_while(|c| is_dot_atom(c) && c != '=').to_ascii_lowercase();
        lexer.skip_cfws()?;
        if key.is_empty() || !lexer.take('=') {
            return Err(Malformed);
        }
        lexer.skip_cfws()?;
        let value = if lexer.rest().starts_with('"') {
            lexer.value()?
        } else {
            lexer.take_while(|c| c.is_ascii_graphic() && !";()\"".contains(c)).to_owned()
        };
        if key == "receiver" {
            found.push(value);
        }
        lexer.skip_cfws()?;
        if !lexer.take(';') && !lexer.rest().is_empty() {
            return Err(Malformed);
        }
        lexer.skip_cfws()?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_recognised_as_ours() {
        let question = SpfQuestion::helo("192.0.2.1".parse().unwrap(), "h.example");
        let field = write("mx.example.org", &question, "<>", SpfResult::Pass);
        let expected = "pass receiver=mx.example.org;\n\tclient-ip=192.0.2.1;\n\tenvelope-from=\"<>\";\n\t\
                        helo=h.example;\n\tidentity=helo";
        assert_eq!(field.value, expected);
        assert!(claims_to_be(&field.value, "MX.example.org"));
        assert!(!claims_to_be(&field.value, "mx.example.com"));
    }

    #[track_caller]
    fn check_claim(body: &str, expected: bool) {
        assert_eq!(claims_to_be(body, "mx.example.org"), expected, "{body}");
    }

    #[test]
    fn claims() {
        check_claim("pass (mx.example.org: ok) client-ip=192.0.2.1; receiver = \"mx.example.org\";", true);
        check_claim("Pass receiver=mx.example.org", true);
        check_claim("pass (mx.example.org: unterminated client-ip=192.0.2.1", true);
        check_claim("pass receiver:mx.example.org", true);
        check_claim("pass (mx.example.org: ok) receiver=gw.example; client-ip=192.0.2.1", false);
        check_claim("pass", false);
    }
}
