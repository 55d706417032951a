//! Authentication-Results (RFC 8601): writing ours, reading those of others, and telling which claim to be ours.

use std::fmt::Write as _;

use super::lexer::{Lexer, Malformed, is_dot_atom, is_token, quote};
use super::spf::{SpfIdentity, SpfResult};
use super::{Domain, Field};

/// The name of the field.
pub const NAME: &str = "Authentication-Results";

/// Octets of a property's value that we write, at most: a mailbox holds 64 + 1 + 255 (RFC 5321, 4.5.3.1).
const MAX_PROPERTY: usize = 320;

/// One SPF result as we record it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfRecord<'a> {
    /// The identity; the field names it, as a pass of HELO is no pass of MAIL FROM (RFC 8601, 2.7.2).
    pub identity: SpfIdentity,
    /// The mailbox or domain that was examined. Attacker text.
    pub examined: &'a str,
    /// The result.
    pub result: SpfResult,
}

/// The field that records these results; `none` where there are no results (RFC 8601, 2.2).
pub fn write(authserv_id: &str, results: &[SpfRecord<'_>]) -> Field {
    let mut value = pvalue(authserv_id);
    for SpfRecord { identity, examined, result } in results {
        let property = identity.property();
        // Writing to a String cannot fail.
        let _ = write!(value, ";\n\tspf={result} smtp.{property}={}", pvalue(examined));
    }
    if results.is_empty() {
        value.push_str("; none");
    }
    Field::new(NAME, value)
}

/// `text` as a property value (RFC 8601, 2.2): as it is where the grammar allows, else quoted.
fn pvalue(text: &str) -> String {
    let bare = match text.rsplit_once('@') {
        Some((local_part, domain)) => local_part.chars().all(is_dot_atom) && is_domain(domain),
        None => !text.is_empty() && text.chars().all(is_token),
    };
    if bare && text.len() <= MAX_PROPERTY { text.to_owned() } else { quote(text, MAX_PROPERTY) }
}

fn is_domain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
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
/// Readers differ in what they forgive. So a field outside the grammar counts as ours as soon as our name stands
/// anywhere in it.
pub fn claims_to_be(body: &str, authserv_id: &str) -> bool {
    let mut lexer = Lexer::new(body);
    match parse_authserv_id(&mut lexer) {
        Ok(claimed) if claimed.chars().all(is_token) => is_same_id(&claimed, authserv_id),
        Ok(claimed) => is_same_id(claimed.trim(), authserv_id) || mentions(&claimed, authserv_id),
        Err(Malformed) => mentions(body, authserv_id),
    }
}

/// Whether two authserv-ids name the same service: as domains where they are domains.
pub fn is_same_id(a: &str, b: &str) -> bool {
    match (a.parse::<Domain>(), b.parse::<Domain>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a.eq_ignore_ascii_case(b),
    }
}

/// Whether `id` stands in `text`, in any case.
pub(super) fn mentions(text: &str, id: &str) -> bool {
    text.to_ascii_lowercase().contains(&id.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ours_names_the_property() {
        let record = |identity, examined, result| SpfRecord { identity, examined, result };
        let results = [
            record(SpfIdentity::MailFrom, "a@example.com", SpfResult::Fail),
            record(SpfIdentity::Helo, "[192.0.2.1]", SpfResult::None),
        ];
        let expected =
            "mx.example.org;\n\tspf=fail smtp.mailfrom=a@example.com;\n\tspf=none smtp.helo=\"[192.0.2.1]\"";
        assert_eq!(write("mx.example.org", &results).value, expected);
        assert_eq!(write("mx.example.org", &[]).value, "mx.example.org; none");
    }

    #[test]
    fn attacker_text_stays_inside_its_quotes() {
        let helo = "x; dkim=pass header.d=bank.example\r\nX-Evil: \"\u{e9}";
        let results = [SpfRecord { identity: SpfIdentity::Helo, examined: helo, result: SpfResult::None }];
        let value = write("mx", &results).value;
        assert_eq!(value, "mx;\n\tspf=none smtp.helo=\"x; dkim=pass header.d=bank.example??X-Evil: \\\"?\"");
        assert_eq!(AuthenticationResults::parse(&value).map(|field| field.results.len()), Ok(1));
    }

    #[track_caller]
    fn check_claim(body: &str, expected: bool) {
        assert_eq!(claims_to_be(body, "mx.example.org"), expected, "{body}");
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
            let _ = claims_to_be(&body, "mx.example.org");
        }

        #[test]
        fn what_is_written_reads_back(examined in "\\PC{1,60}") {
            let results = [SpfRecord { identity: SpfIdentity::MailFrom, examined: &examined, result: SpfResult::Fail }];
            let field = AuthenticationResults::parse(&write("mx.example.org", &results).value).unwrap();
            prop_assert_eq!(field.results.len(), 1);
            prop_assert_eq!(field.spf(SpfIdentity::MailFrom).map(|(_, result)| result), Some(SpfResult::Fail));
        }
    }
}
