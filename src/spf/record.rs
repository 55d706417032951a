//! Records as terms (RFC 7208, 4.6.1 and 12): who reads them, and where we read otherwise than he does.
//!
//! The grammar is viaspf-record's, and lint reads by it as well. What follows is all that it reads otherwise than RFC 7208
//! does, or leaves to whoever evaluates; each is dealt with in this file and nowhere else:
//!
//! | what | RFC 7208 | here |
//! |---|---|---|
//! | a word is a modifier by its `=`, whatever mechanism its name begins with (`a=x`, `mxhost=x`, `all=yes`) | 4.6.1, 6 | [`term`] |
//! | a number in a macro has any length (`%{d256}`); more parts than 255 are as good as all of them | 7.1, 7.3 | [`spelt`] |
//! | `redirect=` and `exp=` stand once each | 6 | [`parse`] |
//! | the macro letters `c`, `r` and `t` are an error outside of explanations, also where nothing asks for the term | 7.2 | [`parse`] |

use std::borrow::Cow;

use viaspf_record::{
    Directive, DomainSpec, ExplainString, ExplainStringSegment, MacroExpand, MacroKind, MacroString,
    MacroStringSegment, Mechanism, Modifier, Name, Qualifier, SpfRecord, Term, Unknown,
};

/// Why a record is a permerror before it is evaluated (RFC 7208, 4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    /// It is not by the grammar.
    #[error("syntax error")]
    Syntax,
    /// A macro letter that RFC 7208, 7.2 allows in explanations only.
    #[error("the macro letters c, r and t are for explanations only")]
    MacroLetter,
    /// RFC 7208, 6: these must not appear more than once each.
    #[error("more than one {0}=")]
    Repeated(&'static str),
}

/// Whether a TXT record is an SPF record: it begins with a version section of exactly `v=spf1` (RFC 7208, 4.5).
pub(super) fn is_spf(text: &str) -> bool {
    const VERSION: &str = "v=spf1";
    text.get(..VERSION.len()).is_some_and(|version| version.eq_ignore_ascii_case(VERSION))
        && (text.len() == VERSION.len() || text[VERSION.len()..].starts_with(' '))
}

/// The version section and the terms of a record, each with the octet where it begins (RFC 7208, 4.5 and 4.6.1: they are
/// separated by spaces).
pub(super) fn words(record: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    record
        .split(' ')
        .map(move |word| {
            let begin = at;
            at += word.len() + 1;
            (begin, word)
        })
        .filter(|(_, word)| !word.is_empty())
}

/// The terms of a record, each at the place of its word; or why there is nothing to evaluate.
pub(super) fn parse(record: &str) -> Result<Vec<Term>, Flaw> {
    let terms: Vec<Term> =
        words(record).skip(1).map(|(_, word)| term(word).ok_or(Flaw::Syntax)).collect::<Result<_, _>>()?;
    for (name, wanted) in
        [("redirect", is_redirect as fn(&Term) -> bool), ("exp", is_explanation as fn(&Term) -> bool)]
    {
        if terms.iter().filter(|term| wanted(term)).count() > 1 {
            return Err(Flaw::Repeated(name));
        }
    }
    let for_explanations =
        |kind| matches!(kind, MacroKind::PrettyIp | MacroKind::Receiver | MacroKind::Timestamp);
    if terms.iter().filter_map(domain_spec).flat_map(letters).any(for_explanations) {
        return Err(Flaw::MacroLetter);
    }
    Ok(terms)
}

/// Why a record is a permerror whoever the client is, if it is.
pub(super) fn flaw(record: &str) -> Option<Flaw> {
    parse(record).err()
}

/// The term that a word is.
pub(super) fn term(word: &str) -> Option<Term> {
    let word = spelt(word);
    // RFC 7208, 12: behind the name of a mechanism stands `:`, `/` or nothing, behind that of a modifier `=`.
    if let Some((name, value)) = word.split_once('=')
        && let Ok(name) = Name::new(name)
        && !["redirect", "exp"].iter().any(|known| known.eq_ignore_ascii_case(name.as_ref()))
    {
        let value: MacroString = value.parse().ok()?;
        return Unknown::new(name, value).ok().map(|unknown| Modifier::Unknown(unknown).into());
    }
    let record: SpfRecord = format!("v=spf1 {word}").parse().ok()?;
    let mut terms = record.into_iter();
    terms.next().filter(|_| terms.next().is_none())
}

/// The text of an explanation (RFC 7208, 6.2).
pub(super) fn explain_string(text: &str) -> Option<ExplainString> {
    spelt(text).parse().ok()
}

/// A text with its macros spelt as the grammar takes them: numbers that no octet holds are the largest that one does.
///
/// A name has at most 127 labels, so that the difference could show in an explanation alone.
fn spelt(text: &str) -> Cow<'_, str> {
    let (mut spelt, mut done, mut at) = (String::new(), 0, 0);
    while let Some(found) = text[at..].find('%') {
        at += found + 1;
        // A macro begins with `%{`; any other `%` takes the next character with it.
        let Some(inside) = text[at..].strip_prefix('{') else {
            at += text[at..].chars().next().map_or(0, char::len_utf8);
            continue;
        };
        let letter = inside.chars().next().map_or(0, char::len_utf8);
        let begin = at + 1 + letter;
        let end = begin + text[begin..].bytes().take_while(u8::is_ascii_digit).count();
        let number = text[begin..end].trim_start_matches('0');
        if !number.is_empty() && number.parse::<u8>().is_err() {
            spelt.push_str(&text[done..begin]);
            spelt.push_str("255");
            done = end;
        }
        at = end;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    spelt.push_str(&text[done..]);
    Cow::Owned(spelt)
}

/// Whether the terms say that the domain sends no mail: the only directive is `-all`, and nothing redirects.
pub(super) fn sends_no_mail(terms: &[Term]) -> bool {
    let mut directives = terms.iter().filter_map(|term| match term {
        Term::Directive(directive) => Some(directive),
        Term::Modifier(_) => None,
    });
    let only = (directives.next(), directives.next());
    matches!(only, (Some(Directive { qualifier: Some(Qualifier::Fail), mechanism: Mechanism::All }), None))
        && !terms.iter().any(is_redirect)
}

fn is_redirect(term: &Term) -> bool {
    matches!(term, Term::Modifier(Modifier::Redirect(_)))
}

fn is_explanation(term: &Term) -> bool {
    matches!(term, Term::Modifier(Modifier::Explanation(_)))
}

/// The target that a term names; none where it has none, or where it is ignored (RFC 7208, 6).
pub(super) fn domain_spec(term: &Term) -> Option<&DomainSpec> {
    match term {
        Term::Directive(directive) => match &directive.mechanism {
            Mechanism::All | Mechanism::Ip4(_) | Mechanism::Ip6(_) => None,
            Mechanism::Include(include) => Some(&include.domain_spec),
            Mechanism::A(a) => a.domain_spec.as_ref(),
            Mechanism::Mx(mx) => mx.domain_spec.as_ref(),
            Mechanism::Ptr(ptr) => ptr.domain_spec.as_ref(),
            Mechanism::Exists(exists) => Some(&exists.domain_spec),
        },
        Term::Modifier(Modifier::Redirect(redirect)) => Some(&redirect.domain_spec),
        Term::Modifier(Modifier::Explanation(explanation)) => Some(&explanation.domain_spec),
        Term::Modifier(Modifier::Unknown(_)) => None,
    }
}

/// The macro letters of a target.
pub(super) fn letters(spec: &DomainSpec) -> impl Iterator<Item = MacroKind> + '_ {
    letters_of(spec.as_ref())
}

/// The macro letters of an explanation.
pub(super) fn letters_of_explanation(text: &ExplainString) -> impl Iterator<Item = MacroKind> + '_ {
    text.segments.iter().flat_map(|segment| {
        match segment {
            ExplainStringSegment::MacroString(text) => Some(letters_of(text)),
            ExplainStringSegment::Space => None,
        }
        .into_iter()
        .flatten()
    })
}

fn letters_of(text: &MacroString) -> impl Iterator<Item = MacroKind> + '_ {
    text.segments.iter().filter_map(|segment| match segment {
        MacroStringSegment::MacroExpand(MacroExpand::Macro(expand)) => Some(expand.kind()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::record;
    use super::*;

    /// What a record is read as: its terms as the grammar writes them, or its flaw.
    #[track_caller]
    fn check(record: &str, expected: &str) {
        let shown = match parse(record) {
            Ok(terms) => terms.iter().map(Term::to_string).collect::<Vec<_>>().join(" "),
            Err(flaw) => flaw.to_string(),
        };
        assert_eq!(shown, expected, "{record}");
    }

    #[test]
    fn words_know_where_they_begin() {
        let found: Vec<(usize, &str)> = words("v=spf1  a -all ").collect();
        assert_eq!(found, [(0, "v=spf1"), (8, "a"), (10, "-all")]);
    }

    #[test]
    fn flaws_are_named() {
        check("v=spf1 ip4:1.2.3/0 -all", "syntax error");
        check("v=spf1 ip4:1.2.3.4/00 -all", "syntax error");
        check("v=spf1 a/00", "syntax error");
        check("v=spf1 exists:%{t}.example -all", "the macro letters c, r and t are for explanations only");
        check("v=spf1 -all exp=%{c}.example", "the macro letters c, r and t are for explanations only");
        check("v=spf1 -all redirect=a.example redirect=b.example", "more than one redirect=");
        check("v=spf1 exp=a.example -all exp=b.example", "more than one exp=");
        check("v=spf1 -all unknown=%{t}", "-all unknown=%{t}");
    }

    #[test]
    fn a_modifier_is_told_by_its_sign() {
        for word in [
            "a=mail.example.net",
            "accredit=%{d}.acc.example",
            "auth=1",
            "ptr=yes",
            "all=yes",
            "mxhost=x",
            "ip4=192.0.2.1",
            "ip4x=",
            "existsfoo=a",
            "includes=a",
            "redirecty=a",
            "expo=a",
            "a-b_c.d9=%%%_%-",
            "a=b=c",
            "a=:/+",
        ] {
            check(&format!("v=spf1 {word} -all"), &format!("{word} -all"));
        }
        for word in [
            "a:=x",
            "+a=b",
            "=x",
            "1a=x",
            "-x=y",
            "a=%x",
            "a=%",
            "a=%{x}",
            "a=ü",
            "a=b\tc",
            "redirect=",
            "exp=a",
            "a%=b",
        ] {
            check(&format!("v=spf1 {word} -all"), "syntax error");
        }
    }

    #[test]
    fn numbers_have_any_length() {
        let long = "9".repeat(500);
        check("v=spf1 exists:%{d127}.x.example", "exists:%{d127}.x.example");
        check("v=spf1 exists:%{d256}.x.example", "exists:%{d255}.x.example");
        check("v=spf1 exists:%{i500r}.x.example", "exists:%{i255r}.x.example");
        check(
            &format!("v=spf1 exists:%{{d{long}}}.x.example x=%{{l{long}r-}}"),
            "exists:%{d255}.x.example x=%{l255r-}",
        );
        check("v=spf1 exists:%{d0001}.x.example", "exists:%{d1}.x.example");
        check("v=spf1 exists:%{d0}.x.example", "syntax error");
        check(&format!("v=spf1 exists:%{{d{}}}.x.example", "0".repeat(300)), "syntax error");
        // What is no macro stays as it is.
        check("v=spf1 x=%%{d256}", "x=%%{d256}");
        assert_eq!(spelt("%%{d300} %{d300} %"), "%%{d300} %{d255} %");
        assert_eq!(spelt("%ü{d300} %{ü300}"), "%ü{d300} %{ü255}");
    }

    #[track_caller]
    fn check_sends_no_mail(record: &str, expected: bool) {
        assert_eq!(sends_no_mail(&parse(record).unwrap()), expected, "{record}");
    }

    #[test]
    fn a_lone_minus_all_sends_no_mail() {
        check_sends_no_mail("v=spf1 -all", true);
        check_sends_no_mail("V=SPF1   -ALL  ", true);
        check_sends_no_mail("v=spf1 -all exp=why.example.org x=y all=no", true);
        check_sends_no_mail("v=spf1 -all -all", false);
        check_sends_no_mail("v=spf1 ~all", false);
        check_sends_no_mail("v=spf1 a -all", false);
        check_sends_no_mail("v=spf1 redirect=a.example", false);
        check_sends_no_mail("v=spf1 -all redirect=a.example", false);
        check_sends_no_mail("v=spf1", false);
    }

    proptest! {
        #[test]
        fn any_text_is_terms_or_flawed(text in ".{0,120}") {
            for record in [text.clone(), format!("v=spf1 {text}")] {
                let _ = parse(&record);
            }
            let _ = explain_string(&text);
        }

        #[test]
        fn every_word_has_its_term(text in record()) {
            if let Ok(terms) = parse(&text) {
                prop_assert_eq!(terms.len(), words(&text).count() - 1);
            }
        }
    }
}
