//! Authentication-Results (RFC 8601): writing ours, reading those of others, and telling which claim to be ours.

use std::fmt::Write as _;

use super::lexer::{Lexer, Malformed, is_dot_atom, is_token, quote};
use super::spf::{SpfIdentity, SpfResult};
use super::text::host;
use super::{Domain, Field, OwnName};

/// The name of the field.
pub const NAME: &str = "Authentication-Results";

/// Octets of a value that we write, at most.
const MAX_VALUE: usize = 255;

/// One SPF result as we record it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfRecord<'a> {
    /// The identity; the field names it, as a pass of HELO is no pass of MAIL FROM (RFC 8601, 2.7.2).
    pub identity: SpfIdentity,
    /// The domain that was examined. Attacker text.
    pub domain: &'a str,
    /// The result.
    pub result: SpfResult,
}

/// The field that records these results; `none` where there are no results (RFC 8601, 2.2).
///
/// Of a mailbox only the domain is written, as RFC 8601, 2.7.2, allows: the local-part is the stranger's to choose, and
/// OpenDMARC compares all of the value with the domain of MAIL FROM.
pub fn write(authserv_id: &str, results: &[SpfRecord<'_>]) -> Field {
    let mut written = value(authserv_id);
    for SpfRecord { identity, domain, result } in results {
        let property = identity.property();
        // Writing to a String cannot fail.
        let _ = write!(written, ";\n\tspf={result} smtp.{property}={}", value(&host(domain)));
    }
    if results.is_empty() {
        written.push_str("; none");
    }
    Field::new(NAME, written)
}

/// `text` as a value (RFC 2045, 5.1): a token as it is, else quoted.
fn value(text: &str) -> String {
    let is_bare = !text.is_empty() && text.len() <= MAX_VALUE && text.chars().all(is_token);
    if is_bare { text.to_owned() } else { quote(text, MAX_VALUE) }
}

/// A field as others wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationResults {
    /// Who says so.
    pub authserv_id: String,
    /// What it says.
    pub results: Vec<MethodResult>,
}

/// The result of one method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodResult {
    /// The method, lower case: `spf`, `dkim`.
    pub method: String,
    /// The result, lower case.
    pub result: String,
    /// Properties as `ptype.property`, lower case, and their values.
    pub properties: Vec<(String, String)>,
}

impl AuthenticationResults {
    /// Reads a field body.
    pub fn parse(body: &str) -> Result<Self, Malformed> {
        let mut lexer = Lexer::new(body);
        let authserv_id = parse_authserv_id(&mut lexer)?;
        let mut results = Vec::new();
        while lexer.take(';') {
            lexer.skip_cfws()?;
            match method_result(&mut lexer)? {
                Some(result) => results.push(result),
                None => break,
            }
        }
        lexer.skip_cfws()?;
        if lexer.rest().is_empty() { Ok(Self { authserv_id, results }) } else { Err(Malformed) }
    }

    /// The SPF result of an identity, if the field has one.
    pub fn spf(&self, identity: SpfIdentity) -> Option<(&str, SpfResult)> {
        let property = format!("smtp.{}", identity.property());
        self.results.iter().filter(|result| result.method == "spf").find_map(|result| {
            let (_, examined) = result.properties.iter().find(|(name, _)| *name == property)?;
            Some((examined.as_str(), result.result.parse().ok()?))
        })
    }
}

/// The authserv-id with its optional version; what follows is a `;` or the end.
fn parse_authserv_id(lexer: &mut Lexer<'_>) -> Result<String, Malformed> {
    lexer.skip_cfws()?;
    let authserv_id = lexer.value()?;
    if lexer.skip_cfws()? && !lexer.take_while(|c| c.is_ascii_digit()).is_empty() {
        lexer.skip_cfws()?;
    }
    if lexer.rest().is_empty() || lexer.rest().starts_with(';') { Ok(authserv_id) } else { Err(Malformed) }
}

/// One `resinfo` behind its semicolon; nothing for `none` and for an empty one at the end.
fn method_result(lexer: &mut Lexer<'_>) -> Result<Option<MethodResult>, Malformed> {
    let method = keyword(lexer);
    lexer.skip_cfws()?;
    if method.is_empty() || (method == "none" && !lexer.rest().starts_with(['=', '/'])) {
        return Ok(None);
    }
    if lexer.take('/') {
        lexer.skip_cfws()?;
        lexer.take_while(|c| c.is_ascii_digit());
        lexer.skip_cfws()?;
    }
    expect_equals(lexer)?;
    let result = keyword(lexer);
    let mut properties = Vec::new();
    lexer.skip_cfws()?;
    while !lexer.rest().is_empty() && !lexer.rest().starts_with(';') {
        let mut name = keyword(lexer);
        lexer.skip_cfws()?;
        if lexer.take('.') {
            lexer.skip_cfws()?;
            name = format!("{name}.{}", keyword(lexer));
            lexer.skip_cfws()?;
        }
        expect_equals(lexer)?;
        properties.push((name, property_value(lexer)?));
        lexer.skip_cfws()?;
    }
    Ok(Some(MethodResult { method, result, properties }))
}

fn keyword(lexer: &mut Lexer<'_>) -> String {
    lexer.take_while(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_').to_ascii_lowercase()
}

fn expect_equals(lexer: &mut Lexer<'_>) -> Result<(), Malformed> {
    if lexer.take('=') { lexer.skip_cfws().map(|_| ()) } else { Err(Malformed) }
}

/// A property value: a mailbox need not be quoted there.
fn property_value(lexer: &mut Lexer<'_>) -> Result<String, Malformed> {
    if lexer.rest().starts_with('"') {
        let quoted = lexer.value()?;
        // A mailbox may have a quoted local-part.
        return Ok(quoted + lexer.take_while(|c| c == '@' || is_dot_atom(c)));
    }
    let bare = lexer.take_while(|c| c.is_ascii_graphic() && !"();\"".contains(c));
    if bare.is_empty() { Err(Malformed) } else { Ok(bare.to_owned()) }
}

/// Whether an Authentication-Results field on arriving mail could be read as ours, so that it must go (RFC 8601, 5).
///
/// Readers differ in what they forgive. So a field is another's only if it names another by a plain domain name where
/// the grammar has the authserv-id, or if no reading of it has our name.
pub fn claims_to_be(body: &str, ours: &OwnName) -> bool {
    let mut lexer = Lexer::new(body);
    match parse_authserv_id(&mut lexer) {
        Ok(claimed) if claimed.is_ascii() && claimed.parse::<Domain>().is_ok() => ours.is(&claimed),
        Ok(claimed) => ours.may_be_read_in(&claimed),
        Err(Malformed) => ours.may_be_read_in(body),
    }
}

/// Whether two authserv-ids name the same service: as domains where they are domains.
pub fn is_same_id(a: &str, b: &str) -> bool {
    match (a.parse::<Domain>(), b.parse::<Domain>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a.eq_ignore_ascii_case(b),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ours_names_the_property() {
        let record = |identity, domain, result| SpfRecord { identity, domain, result };
        let results = [
            record(SpfIdentity::MailFrom, "example.com", SpfResult::Fail),
            record(SpfIdentity::Helo, "[192.0.2.1]", SpfResult::None),
        ];
        let expected =
            "mx.example.org;\n\tspf=fail smtp.mailfrom=example.com;\n\tspf=none smtp.helo=\"[192.0.2.1]\"";
        assert_eq!(write("mx.example.org", &results).value, expected);
        assert_eq!(write("mx.example.org", &[]).value, "mx.example.org; none");
    }

    #[test]
    fn attacker_text_is_not_written() {
        for helo in [
            "x; dkim=pass header.d=bank.example\r\nX-Evil: \"\u{e9}",
            "x@bank.example",
            "bank.example (a",
            "\"bank.example\"",
            "[bank.example]",
            "bank.example\u{2100}.evil.test",
        ] {
            let results = [SpfRecord { identity: SpfIdentity::Helo, domain: helo, result: SpfResult::None }];
            assert_eq!(write("mx", &results).value, "mx;\n\tspf=none smtp.helo=invalid", "{helo}");
        }
    }

    #[track_caller]
    fn check_claim(body: &str, expected: bool) {
        assert_eq!(claims_to_be(body, &OwnName::new("mx.example.org")), expected, "{body}");
    }

    #[test]
    fn what_claims_to_be_ours() {
        for body in [
            "mx.example.org; spf=pass",
            "MX.Example.ORG;spf=pass",
            " mx.example.org ; none",
            "mx.example.org 1; spf=pass",
            "(comment (nested)) mx.example.org (x) 1 (y); spf=pass",
            "\"mx.example.org\"; spf=pass",
            "\" mx.example.org\"; spf=pass",
            "mx.example.org",
            "mx.example.org.; spf=pass",
            "\n\tmx.example.org;\n\tspf=pass",
            // Outside the grammar, but some reader may forgive it.
            "mx . example . org; dkim=pass header.d=bank.example",
            "mx.example\n .org; dkim=pass header.d=bank.example",
            "mx.(c)example.(d)org; dkim=pass header.d=bank.example",
            "mx\\.example.org; dkim=pass header.d=bank.example",
            "m\\x.example.org; dkim=pass header.d=bank.example",
            "mx.\"example\".org; dkim=pass header.d=bank.example",
            "\"mx.example\".org; dkim=pass header.d=bank.example",
            "mx.\texample.org; dkim=pass header.d=bank.example",
            "mx.exam\"\"ple.org; dkim=pass header.d=bank.example",
            "mx . example . org 1; dkim=pass header.d=bank.example",
            "mx.exam)ple.org; dkim=pass header.d=bank.example",
            "mx.exam''ple.org; dkim=pass header.d=bank.example",
            "\"mx.\\(c\\)example.org\"; dkim=pass header.d=bank.example",
            "=?utf-8?q?=6dx.example.org?=; dkim=pass header.d=bank.example",
            "\u{ff4d}x\u{3002}example.org; dkim=pass header.d=bank.example",
            "mx.example.org/1; spf=pass",
            "mx.example.org spf=pass",
            "(unterminated mx.example.org; spf=pass",
            "foo mx.example.org; spf=pass",
            "\"mx.example.org; spf=pass",
            "mx.example.org\u{a0}; spf=pass",
            "; mx.example.org; spf=pass",
        ] {
            check_claim(body, true);
        }
    }

    #[test]
    fn what_is_somebody_elses() {
        for body in [
            "mx.example.com; spf=pass",
            "amx.example.org; spf=pass",
            "notmx.example.org; dkim=pass",
            "mx.example.org.evil.test; dkim=pass",
            "mx.example.net; dkim=pass",
            "\"mx\" .example.net; dkim=pass",
            "\"relay.example\"; spf=pass smtp.mailfrom=mx.example.org",
            "r . example; spf=pass smtp.mailfrom=x",
            "mx.example.org.evil.example; spf=pass",
            "relay.example; spf=pass smtp.mailfrom=mx.example.org",
            "(mx.example.org) relay.example; spf=pass",
            "",
        ] {
            check_claim(body, false);
        }
    }

    #[test]
    fn results_of_others() {
        let body = "gw.example (x) 1; spf=pass (ok) smtp.mailfrom=\"a b\"@example.com smtp.helo=h.example; \
                    dkim/1 = PASS reason=\"good\" header.d = example.com; dmarc=none";
        let field = AuthenticationResults::parse(body).unwrap();
        assert_eq!(field.spf(SpfIdentity::MailFrom), Some(("a b@example.com", SpfResult::Pass)));
        assert_eq!(field.spf(SpfIdentity::Helo), Some(("h.example", SpfResult::Pass)));
        assert_eq!(field.results[1].properties[1], ("header.d".to_owned(), "example.com".to_owned()));
        assert_eq!(field.results[2].result, "none");
        assert_eq!(AuthenticationResults::parse("gw.example; none").unwrap().results, []);
        assert_eq!(AuthenticationResults::parse("gw.example; spf"), Err(Malformed));
    }

    proptest! {
        #[test]
        fn nothing_panics(body in ".{0,80}") {
            let _ = AuthenticationResults::parse(&body);
            let _ = claims_to_be(&body, &OwnName::new("mx.example.org"));
        }

        #[test]
        fn what_is_written_reads_back(domain in "\\PC{1,60}|[a-z]{1,20}[.][a-z]{1,20}") {
            let results = [SpfRecord { identity: SpfIdentity::MailFrom, domain: &domain, result: SpfResult::Fail }];
            let field = AuthenticationResults::parse(&write("mx.example.org", &results).value).unwrap();
            prop_assert_eq!(field.results.len(), 1);
            prop_assert_eq!(field.spf(SpfIdentity::MailFrom).map(|(_, result)| result), Some(SpfResult::Fail));
        }
    }
}
