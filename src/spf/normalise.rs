//! SPF records in a form that viaspf evaluates rightly.
//!
//! viaspf parses records well, but evaluates three things in ways that RFC 7208 does not: it shifts by the whole width
//! of an address for the prefix length 0, it finds macro letters out of place only where evaluation reaches them, and
//! it spends the time of the evaluation on explanations. So a record is parsed here first, a flawed one is named as
//! such, and a sound one rewritten: what stays out of sight of viaspf is carried by a [`Marks`] label in a domain-spec,
//! which the adapter recognises and strips. Qualifiers and order of the terms never change.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use viaspf::record::{
    A, Directive, DomainSpec, Explanation, Ip4, Ip4CidrLength, Ip6, Ip6CidrLength, MacroExpand, MacroKind,
    MacroString, MacroStringSegment, Mechanism, Modifier, Mx, Qualifier, SpfRecord, Term,
};

use super::identity::nonce;

/// Labels that mark names for the adapter. They cannot be guessed, so that no record, local-part or PTR record can
/// bring one in: a name with the label `any_address` matches whatever the client's address is. They come first in a
/// name, so that where one is too long (RFC 7208, 7.3), the mark is cut off and nothing else: the name is still right.
#[derive(Debug)]
pub(super) struct Marks {
    /// The addresses of this name are asked for a prefix length of 0: any will do.
    pub(super) any_address: String,
    /// The TXT record of this name is an explanation.
    pub(super) explanation: String,
}

impl Marks {
    /// Fresh labels.
    pub(super) fn draw() -> Self {
        let nonce = nonce();
        Self { any_address: format!("any!{nonce}"), explanation: format!("exp!{nonce}") }
    }
}

/// A record that viaspf can be given.
#[derive(Debug)]
pub(super) struct Normalised {
    /// The record, as text again.
    pub(super) text: String,
    /// What was rewritten: the mechanism that viaspf will see, and the published one.
    pub(super) rewritten: Vec<(Mechanism, Mechanism)>,
    /// For each mechanism that viaspf will see, the place among all published terms that it stands for.
    pub(super) origins: Vec<usize>,
    /// Whether it says that the domain sends no mail: its only directive is `-all`, and nothing redirects.
    pub(super) sends_no_mail: bool,
}

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

/// A record that is sure to be a permerror: a lone `%` is a syntax error (RFC 7208, 7.1).
pub(super) const UNPARSABLE: &str = "v=spf1 %";

/// Whether a TXT record is an SPF record: it begins with a version section of exactly `v=spf1` (RFC 7208, 4.5).
pub(super) fn is_spf(text: &str) -> bool {
    const VERSION: &str = "v=spf1";
    text.get(..VERSION.len()).is_some_and(|version| version.eq_ignore_ascii_case(VERSION))
        && (text.len() == VERSION.len() || text[VERSION.len()..].starts_with(' '))
}

/// Rewrites a record for the evaluation of one client; `explained` tells whether anybody wants an explanation.
pub(super) fn normalise(
    text: &str,
    client: IpAddr,
    explained: bool,
    marks: &Marks,
) -> Result<Normalised, Flaw> {
    let record: SpfRecord = text.parse().map_err(|_| Flaw::Syntax)?;
    reject_flaws(&record)?;
    let sends_no_mail = sends_no_mail(&record);
    let (mut rewritten, mut origins) = (Vec::new(), Vec::new());
    let mut terms = Vec::new();
    for (place, term) in record.into_iter().enumerate() {
        match term {
            Term::Directive(Directive { qualifier, mechanism }) => {
                let substitutes = any_prefix(&mechanism, client, marks);
                rewritten.extend(substitutes.iter().cloned().map(|new| (new, mechanism.clone())));
                let mechanisms = if substitutes.is_empty() { vec![mechanism] } else { substitutes };
                origins.extend(mechanisms.iter().map(|_| place));
                terms.extend(
                    mechanisms.into_iter().map(|mechanism| Term::from(Directive { qualifier, mechanism })),
                );
            }
            Term::Modifier(Modifier::Explanation(explanation)) => {
                terms.extend(marked_explanation(&explanation, explained, marks).map(Term::Modifier));
            }
            modifier @ Term::Modifier(_) => terms.push(modifier),
        }
    }
    Ok(Normalised { text: SpfRecord { terms }.to_string(), rewritten, origins, sends_no_mail })
}

/// Why a record is a permerror whoever the client is, if it is.
pub(super) fn flaw(text: &str) -> Option<Flaw> {
    match text.parse() {
        Ok(record) => reject_flaws(&record).err(),
        Err(_) => Some(Flaw::Syntax),
    }
}

/// Finds what viaspf would find too late or not name.
fn reject_flaws(record: &SpfRecord) -> Result<(), Flaw> {
    let count = |wanted: fn(&&Modifier) -> bool| record.modifiers().filter(wanted).count();
    if count(|modifier| matches!(modifier, Modifier::Redirect(_))) > 1 {
        return Err(Flaw::Repeated("redirect"));
    }
    if count(|modifier| matches!(modifier, Modifier::Explanation(_))) > 1 {
        return Err(Flaw::Repeated("exp"));
    }
    let for_explanations = [MacroKind::PrettyIp, MacroKind::Receiver, MacroKind::Timestamp];
    if record.terms.iter().filter_map(domain_spec).any(|spec| uses(spec, &for_explanations)) {
        return Err(Flaw::MacroLetter);
    }
    Ok(())
}

fn sends_no_mail(record: &SpfRecord) -> bool {
    let mut directives = record.directives();
    let only = (directives.next(), directives.next());
    matches!(only, (Some(Directive { qualifier: Some(Qualifier::Fail), mechanism: Mechanism::All }), None))
        && !record.modifiers().any(|modifier| matches!(modifier, Modifier::Redirect(_)))
}

/// What stands for a mechanism with the prefix length 0 for the client's address family; nothing for any other.
fn any_prefix(mechanism: &Mechanism, client: IpAddr, marks: &Marks) -> Vec<Mechanism> {
    match mechanism {
        Mechanism::Ip4(Ip4 { prefix_len: Some(len), .. }) if len.get() == 0 => {
            let half =
                |first: u8| Ip4 { addr: Ipv4Addr::new(first, 0, 0, 0), prefix_len: Ip4CidrLength::new(1) };
            vec![half(0).into(), half(0x80).into()]
        }
        Mechanism::Ip6(Ip6 { prefix_len: Some(len), .. }) if len.get() == 0 => {
            let half = |first: u16| Ip6 {
                addr: Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0),
                prefix_len: Ip6CidrLength::new(1),
            };
            vec![half(0).into(), half(0x8000).into()]
        }
        // RFC 7208, 5: with no high-order bits to compare, any address of the name is as good as the client's own,
        // which is what the adapter answers. The prefix length of the other family is of no use to this client.
        Mechanism::A(A { domain_spec, prefix_len: Some(len) }) if is_any(len.ip4(), len.ip6(), client) => {
            marked(domain_spec.as_ref(), &marks.any_address)
                .map(|spec| A { domain_spec: Some(spec), prefix_len: None }.into())
                .into_iter()
                .collect()
        }
        Mechanism::Mx(Mx { domain_spec, prefix_len: Some(len) }) if is_any(len.ip4(), len.ip6(), client) => {
            marked(domain_spec.as_ref(), &marks.any_address)
                .map(|spec| Mx { domain_spec: Some(spec), prefix_len: None }.into())
                .into_iter()
                .collect()
        }
        _ => Vec::new(),
    }
}

fn is_any(ip4: Option<Ip4CidrLength>, ip6: Option<Ip6CidrLength>, client: IpAddr) -> bool {
    match client {
        IpAddr::V4(_) => ip4.is_some_and(|len| len.get() == 0),
        IpAddr::V6(_) => ip6.is_some_and(|len| len.get() == 0),
    }
}

/// An `exp=` that the adapter can tell from other TXT look-ups; nothing where it is not wanted.
fn marked_explanation(explanation: &Explanation, explained: bool, marks: &Marks) -> Option<Modifier> {
    // `%{p}` would ask DNS before the mark can be seen, at the expense of the evaluation.
    if !explained || uses(&explanation.domain_spec, &[MacroKind::ValidatedDomain]) {
        return None;
    }
    let domain_spec = marked(Some(&explanation.domain_spec), &marks.explanation)?;
    Some(Explanation { domain_spec }.into())
}

/// The domain-spec, by default `%{d}` (RFC 7208, 4.8), below the label `mark`.
fn marked(domain_spec: Option<&DomainSpec>, mark: &str) -> Option<DomainSpec> {
    let rest = domain_spec.map_or_else(|| "%{d}".to_owned(), DomainSpec::to_string);
    let spec: MacroString = format!("{mark}.{rest}").parse().ok()?;
    DomainSpec::new(spec).ok()
}

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
        // RFC 7208, 6: unknown modifiers must be ignored.
        Term::Modifier(Modifier::Unknown(_)) => None,
    }
}

fn uses(domain_spec: &DomainSpec, kinds: &[MacroKind]) -> bool {
    let macro_string: &MacroString = domain_spec.as_ref();
    macro_string.segments.iter().any(|segment| match segment {
        MacroStringSegment::MacroExpand(MacroExpand::Macro(expand)) => kinds.contains(&expand.kind()),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::record;
    use super::*;

    const IPV4: &str = "192.0.2.1";
    const IPV6: &str = "2001:db8::1";

    fn marks() -> Marks {
        Marks { any_address: "ANY".to_owned(), explanation: "EXP".to_owned() }
    }

    #[track_caller]
    fn check(record: &str, client: &str, expected: &str) {
        let shown = match normalise(record, client.parse().unwrap(), true, &marks()) {
            Ok(normalised) => normalised.text,
            Err(flaw) => flaw.to_string(),
        };
        assert_eq!(shown, expected, "{record} for {client}");
    }

    #[test]
    fn prefix_length_zero_is_rewritten_with_its_qualifier() {
        check("v=spf1 ?ip4:192.0.2.7/0 -all", IPV4, "v=spf1 ?ip4:0.0.0.0/1 ?ip4:128.0.0.0/1 -all");
        check("v=spf1 ~ip6:::/0 -all", IPV4, "v=spf1 ~ip6:::/1 ~ip6:8000::/1 -all");
        check("v=spf1 ~a/0 -all", IPV4, "v=spf1 ~a:ANY.%{d} -all");
        check("v=spf1 a//0 -all", IPV6, "v=spf1 a:ANY.%{d} -all");
        check("v=spf1 -mx:%{d2}/0//0 -all", IPV6, "v=spf1 -mx:ANY.%{d2} -all");
        check("v=spf1 mx:a.example/24//0 -all", IPV6, "v=spf1 mx:ANY.a.example -all");
    }

    #[test]
    fn other_prefix_lengths_stay() {
        for record in
            ["v=spf1 ip4:192.0.2.0/24 -all", "v=spf1 ip6:2001:db8::/32", "v=spf1 a/24//64 mx:b.example//1"]
        {
            check(record, IPV4, record);
        }
        check("v=spf1 a/0 mx//64", IPV6, "v=spf1 a/0 mx//64");
        check("v=spf1 a//0", IPV4, "v=spf1 a//0");
    }

    #[test]
    fn flaws_are_named() {
        check("v=spf1 ip4:1.2.3/0 -all", IPV4, "syntax error");
        check("v=spf1 ip4:1.2.3.4/00 -all", IPV4, "syntax error");
        check("v=spf1 a/00", IPV4, "syntax error");
        check(
            "v=spf1 exists:%{t}.example -all",
            IPV4,
            "the macro letters c, r and t are for explanations only",
        );
        check("v=spf1 -all exp=%{c}.example", IPV4, "the macro letters c, r and t are for explanations only");
        check("v=spf1 -all redirect=a.example redirect=b.example", IPV4, "more than one redirect=");
        check("v=spf1 exp=a.example -all exp=b.example", IPV4, "more than one exp=");
        check("v=spf1 -all unknown=%{t}", IPV4, "v=spf1 -all unknown=%{t}");
    }

    #[test]
    fn explanations_are_marked_or_dropped() {
        check("v=spf1 -all exp=why.%{d}", IPV4, "v=spf1 -all exp=EXP.why.%{d}");
        check("v=spf1 -all exp=%{p}.example", IPV4, "v=spf1 -all");
        let unwanted = normalise("v=spf1 -all exp=a.example", IPV4.parse().unwrap(), false, &marks());
        assert_eq!(unwanted.unwrap().text, "v=spf1 -all");
    }

    #[test]
    fn marks_are_drawn_anew() {
        assert_ne!(Marks::draw().any_address, Marks::draw().any_address);
    }

    #[track_caller]
    fn check_sends_no_mail(record: &str, expected: bool) {
        let normalised = normalise(record, IPV4.parse().unwrap(), true, &marks()).unwrap();
        assert_eq!(normalised.sends_no_mail, expected, "{record}");
    }

    #[test]
    fn a_lone_minus_all_sends_no_mail() {
        check_sends_no_mail("v=spf1 -all", true);
        check_sends_no_mail("V=SPF1   -ALL  ", true);
        check_sends_no_mail("v=spf1 -all exp=why.example x=y", true);
        check_sends_no_mail("v=spf1 -all -all", false);
        check_sends_no_mail("v=spf1 ~all", false);
        check_sends_no_mail("v=spf1 a -all", false);
        check_sends_no_mail("v=spf1 redirect=a.example", false);
        check_sends_no_mail("v=spf1 -all redirect=a.example", false);
        check_sends_no_mail("v=spf1", false);
    }

    proptest! {
        #[test]
        fn any_text_is_normalised_or_flawed(text in ".{0,120}", client in any::<[u8; 16]>()) {
            for record in [text.clone(), format!("v=spf1 {text}")] {
                let _ = normalise(&record, IpAddr::from(client), true, &Marks::draw());
            }
        }

        #[test]
        fn what_is_normalised_is_a_record(text in record(), ipv6 in any::<bool>(), explained in any::<bool>()) {
            let client: IpAddr = if ipv6 { IPV6 } else { IPV4 }.parse().unwrap();
            if let Ok(normalised) = normalise(&text, client, explained, &Marks::draw()) {
                let record: SpfRecord = normalised.text.parse().unwrap();
                for directive in record.directives() {
                    prop_assert!(any_prefix(&directive.mechanism, client, &marks()).is_empty(), "{}", text);
                }
                // The record says what it said: the same qualifiers, in order, but for the terms that became two.
                let qualifiers = |record: &SpfRecord| {
                    let mut list: Vec<_> = record.directives().map(|d| d.qualifier.unwrap_or_default()).collect();
                    list.dedup();
                    list
                };
                prop_assert_eq!(qualifiers(&record), qualifiers(&text.parse().unwrap()), "{}", text);
            }
        }
    }
}
