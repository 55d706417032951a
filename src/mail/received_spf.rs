//! Received-SPF (RFC 7208, 9.1): writing ours, and telling which fields of others must go.

use std::collections::BTreeMap;

use super::lexer::{Lexer, Malformed, is_dot_atom, quote};
use super::spf::{SpfQuestion, SpfResult};
use super::text::host;
use super::{Domain, Field, OwnName, ReversePath};

/// The name of the field.
pub const NAME: &str = "Received-SPF";

/// Octets of one value that we write, at most.
const MAX_VALUE: usize = 320;

/// Octets of a local-part (RFC 5321, 4.5.3.1.1).
const MAX_LOCAL_PART: usize = 64;

/// The field that records one result. `reverse_path` is what the client gave, also when HELO was examined.
pub fn write(receiver: &str, question: &SpfQuestion, reverse_path: &ReversePath, result: SpfResult) -> Field {
    let pairs = [
        ("receiver", receiver),
        ("client-ip", &question.client.to_string()),
        ("envelope-from", &envelope_from(reverse_path)),
        ("helo", &host(&question.helo)),
        ("identity", question.identity.property()),
    ];
    let pairs: Vec<String> = pairs.iter().map(|(key, text)| format!("{key}={}", value(text))).collect();
    Field::new(NAME, format!("{result} {}", pairs.join(";\n\t")))
}

/// The reverse-path as we write it: of a mailbox whose local-part some reader could take for more than that, only the
/// domain. OpenDMARC, for one, begins a value anew at every `=` and looks for no quotes.
fn envelope_from(reverse_path: &ReversePath) -> String {
    match reverse_path {
        ReversePath::Null => "<>".to_owned(),
        ReversePath::Mailbox(mailbox) if is_plain(mailbox.local_part()) => {
            format!("{}@{}", mailbox.local_part(), mailbox.domain())
        }
        ReversePath::Mailbox(mailbox) => mailbox.domain().to_string(),
        ReversePath::Twofold(twofold) => {
            host(twofold.shown().map(|mailbox| mailbox.domain().to_string()).as_deref().unwrap_or_default())
        }
        ReversePath::Malformed(raw) => host(raw.rsplit('@').next().unwrap_or_default()),
    }
}

/// Whether every reader takes this for one local-part.
fn is_plain(local_part: &str) -> bool {
    local_part.len() <= MAX_LOCAL_PART
        && local_part.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c))
}

/// `text` as a dot-atom where it is one, else as a quoted-string.
fn value(text: &str) -> String {
    let bare = !text.is_empty() && text.len() <= MAX_VALUE && text.chars().all(is_dot_atom);
    if bare { text.to_owned() } else { quote(text, MAX_VALUE) }
}

/// Whether a Received-SPF field on arriving mail must go.
///
/// One that stays follows the grammar, names another receiver, and nowhere us, where readers look for the receiver: in
/// `receiver=` and in comments. And it is no pass for the sender of this very message: OpenDMARC never asks who the
/// receiver was.
pub fn misleads(body: &str, ours: &OwnName, sender: &ReversePath) -> bool {
    let Ok(foreign) = Foreign::parse(body) else { return true };
    let Some(receiver) = foreign.value("receiver") else { return true };
    let named = receiver.rsplit('@').next().is_some_and(|name| name.parse::<Domain>().is_ok());
    !named
        || ours.may_be_read_in(receiver)
        || ours.may_be_read_in(&foreign.comments)
        || foreign.could_pass_for(sender)
}

/// A field as others wrote it.
struct Foreign {
    result: SpfResult,
    comments: String,
    /// Keys in lower case and their values.
    pairs: BTreeMap<String, String>,
}

impl Foreign {
    fn parse(body: &str) -> Result<Self, Malformed> {
        let mut lexer = Lexer::new(body);
        let mut comments = String::new();
        comments.push_str(lexer.cfws()?);
        let result = lexer.take_while(|c| c.is_ascii_alphabetic()).to_ascii_lowercase();
        let result = result.parse().map_err(|_| Malformed)?;
        let between = lexer.cfws()?;
        if between.is_empty() && !lexer.rest().is_empty() {
            return Err(Malformed);
        }
        comments.push_str(between);
        let mut pairs = BTreeMap::new();
        while !lexer.rest().is_empty() {
            let key = lexer.take_while(|c| is_dot_atom(c) && c != '=').to_ascii_lowercase();
            comments.push_str(lexer.cfws()?);
            if key.is_empty() || !lexer.take('=') {
                return Err(Malformed);
            }
            comments.push_str(lexer.cfws()?);
            // What stands there twice, one reader takes from here and another from there.
            if pairs.insert(key, pair_value(&mut lexer)?).is_some() {
                return Err(Malformed);
            }
            comments.push_str(lexer.cfws()?);
            if !lexer.take(';') && !lexer.rest().is_empty() {
                return Err(Malformed);
            }
            comments.push_str(lexer.cfws()?);
        }
        Ok(Self { result, comments, pairs })
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.pairs.get(key).map(String::as_str)
    }

    /// Whether some reader could take this for a pass of the sender.
    fn could_pass_for(&self, sender: &ReversePath) -> bool {
        if self.result != SpfResult::Pass {
            return false;
        }
        let Some(examined) = self.value("envelope-from") else {
            // A null reverse-path is as empty as what is not there.
            return *sender == ReversePath::Null;
        };
        let (local_part, domain) = examined.split_once('@').unwrap_or(("", examined));
        match (domain.parse::<Domain>(), sender) {
            _ if !is_plain(local_part) => true,
            (Err(_), _) | (_, ReversePath::Malformed(_) | ReversePath::Twofold(_)) => true,
            (Ok(_), ReversePath::Null) => false,
            (Ok(domain), ReversePath::Mailbox(mailbox)) => domain == *mailbox.domain(),
        }
    }
}

/// The value of a pair. Many writers put mailboxes and addresses there unquoted.
fn pair_value(lexer: &mut Lexer<'_>) -> Result<String, Malformed> {
    if lexer.rest().starts_with('"') {
        return lexer.value();
    }
    Ok(lexer.take_while(|c| c.is_ascii_graphic() && !";()\"\\=".contains(c)).to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn question() -> SpfQuestion {
        SpfQuestion::helo("192.0.2.1".parse().unwrap(), "h.example")
    }

    #[test]
    fn ours_is_recognised_as_ours() {
        let field = write("mx.example.org", &question(), &ReversePath::Null, SpfResult::Pass);
        let expected = "pass receiver=mx.example.org;\n\tclient-ip=192.0.2.1;\n\tenvelope-from=\"<>\";\n\t\
                        helo=h.example;\n\tidentity=helo";
        assert_eq!(field.value, expected);
        let sender = ReversePath::parse("<a@example.com>");
        assert!(misleads(&field.value, &OwnName::new("MX.example.org"), &sender));
        assert!(!misleads(&field.value.replace("<>", "b.test"), &OwnName::new("mx.example.com"), &sender));
    }

    #[test]
    fn the_sender_is_one_address_or_a_domain() {
        for (argument, expected) in [
            ("<alice@example.com>", "\"alice@example.com\""),
            ("<\"x@bank.example\"@evil.test>", "evil.test"),
            ("<@bank.example:x@evil.test>", "\"x@evil.test\""),
            ("<x@bank.example@evil.test>", "evil.test"),
            ("<x%bank.example@evil.test>", "evil.test"),
            ("<bank.example!x@evil.test>", "evil.test"),
            ("<x=bank.example@evil.test>", "evil.test"),
            ("<\"bank.example(\"@evil.test>", "evil.test"),
            ("<x@[192.0.2.1]>", "\"[192.0.2.1]\""),
            ("<x@b\u{fc}cher.example>", "\"x@xn--bcher-kva.example\""),
            ("<\u{e9}@evil.test>", "evil.test"),
            ("<bank.example>", "bank.example"),
            ("<a b c>", "invalid"),
            ("<>", "\"<>\""),
        ] {
            let field = write("mx", &question(), &ReversePath::parse(argument), SpfResult::Fail);
            let written = field.value.split(";\n\t").find_map(|pair| pair.strip_prefix("envelope-from="));
            assert_eq!(written, Some(expected), "{argument}");
        }
    }

    #[track_caller]
    fn check(body: &str, expected: bool) {
        let sender = ReversePath::parse("<x@bank.test>");
        assert_eq!(misleads(body, &OwnName::new("mx.example.org"), &sender), expected, "{body}");
    }

    #[test]
    fn what_must_go() {
        for body in [
            "pass (mx.example.org: ok) client-ip=192.0.2.1; receiver = \"mx.example.org\";",
            "Pass receiver=mx.example.org",
            "pass (mx.example.org: unterminated client-ip=192.0.2.1",
            "pass receiver:mx.example.org",
            // It names us in a comment, as many receivers do, or names nobody.
            "pass (mx.example.org: ok) receiver=gw.example; client-ip=192.0.2.1",
            "pass (mx.example.org: domain of x@bank.test designates 198.51.100.66 as permitted sender) client-ip=198.51.100.66",
            "fail (m\\x . example(c).org: no) receiver=gw.example",
            "pass identity=mailfrom; envelope-from=\"x@bank.test\"",
            "pass receiver=<UNKNOWN>; client-ip=192.0.2.1",
            "pass receiver=; client-ip=192.0.2.1",
            "pass",
            "",
            // Some reader finds us in the value.
            "fail receiver=\"mx . example.org\"",
            "fail receiver=bob@mx.example.org",
            "fail receiver=gw.example; receiver=mx.example.net",
            // Nobody asks whom it is for.
            "pass receiver=gw.example; identity=mailfrom; envelope-from=x@bank.test",
            "pass receiver=gw.example; identity=mailfrom; envelope-from=\"x@BANK.test.\"",
            "pass receiver=gw.example; identity=mailfrom; envelope-from=bank.test",
            "pass receiver=gw.example; identity=mailfrom; envelope-from=\"x@zzzz.test=x@bank\"",
            "pass receiver=gw.example; identity=mailfrom; envelope-from=\"x@bank.\\test\"",
            "pass receiver=gw.example; identity=mailfrom; envelope-from=\"a@b\"@bank.test",
            "pass(c) receiver=gw.example; identity=mailfrom; envelope-from=bank.test",
        ] {
            check(body, true);
        }
    }

    #[test]
    fn what_stays() {
        for body in [
            "pass receiver=gw.example;",
            "Pass (protection.outlook.com: domain of b.test designates 192.0.2.1 as permitted sender)\n \
             receiver=protection.outlook.com; client-ip=192.0.2.1; helo=mx.example.org; pr=C",
            "fail (gw.example: no) receiver=gw.example; identity=mailfrom; envelope-from=\"x@bank.test\"",
            "pass receiver=lists.example; identity=mailfrom; envelope-from=author@other.test; client-ip=2001:db8::1",
            "softfail receiver=notmx.example.org; identity=helo",
            "none receiver=bob@example.org",
        ] {
            check(body, false);
        }
    }

    #[test]
    fn a_null_reverse_path_is_nobody() {
        let check = |body, expected| {
            let ours = OwnName::new("mx.example.org");
            assert_eq!(misleads(body, &ours, &ReversePath::Null), expected, "{body}");
        };
        check("pass receiver=gw.example; identity=mailfrom", true);
        check("pass receiver=gw.example; identity=mailfrom; envelope-from=\"<>\"", true);
        check("pass receiver=gw.example; identity=mailfrom; envelope-from=a@other.test", false);
        check("fail receiver=gw.example", false);
    }

    proptest! {
        #[test]
        fn nothing_panics(body in ".{0,80}|pass [a-z=;\"@. ()]{0,60}") {
            let _ = misleads(&body, &OwnName::new("mx.example.org"), &ReversePath::Null);
        }
    }
}
