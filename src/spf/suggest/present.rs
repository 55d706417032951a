//! What the present record lets in: by what others keep, and by networks that are not ours.

use viaspf_record::{Mechanism, Modifier, Term as Parsed};

use super::draft::Draft;
use super::{Known, Seen, Term};
use crate::mail::Domain;
use crate::spf::Options;
use crate::spf::lint::mend::{self, Meaning};
use crate::spf::lint::{Duties, Severity, Zone, lint_record};
use crate::spf::record::term as parse_term;

/// Findings that say nothing against a term by itself: DNS may answer later, and a network may be meant to be so wide.
const HARMLESS: [&str; 4] = ["dns-failure", "too-many-queries", "wide-network", "host-bits"];

/// Takes over the terms of the present records.
pub(super) async fn present(dns: &impl Zone, known: &Known, options: &Options, draft: &mut Draft) {
    if known.records.len() > 1 {
        draft.notes.push(format!(
            "The domain has {} records, which is a permerror. This one has the terms of all of them: remove the others.",
            known.records.len()
        ));
    }
    for record in &known.records {
        let readings = mend::readings(record);
        let is_all = |term: &str| matches!(parse_term(term), Some(Parsed::Directive(d)) if d.mechanism == Mechanism::All);
        let has_all = readings.iter().any(|reading| match &reading.meaning {
            Meaning::Term => is_all(&reading.text),
            Meaning::Mended(terms) => terms.iter().any(|term| is_all(term)),
            Meaning::Unclear(_) => false,
        });
        let mut is_behind_all = false;
        for reading in readings {
            match reading.meaning {
                Meaning::Term => {
                    let from = Origin { has_all, is_behind_all, published: &reading.text, mended: false };
                    from.take(dns, known, options, draft, &reading.text).await;
                    is_behind_all |= is_all(&reading.text);
                }
                Meaning::Mended(terms) => {
                    for term in terms {
                        let from = Origin { has_all, is_behind_all, published: &reading.text, mended: true };
                        from.take(dns, known, options, draft, &term).await;
                        is_behind_all |= is_all(&term);
                    }
                }
                Meaning::Unclear(why) => draft.unclear.push(Term { text: reading.text, why }),
            }
        }
    }
}

/// Where a term comes from.
struct Origin<'a> {
    /// Whether its record has `all`.
    has_all: bool,
    /// Whether it stands behind that.
    is_behind_all: bool,
    /// The word as published.
    published: &'a str,
    /// Whether that is another one.
    mended: bool,
}

impl Origin<'_> {
    async fn take(&self, dns: &impl Zone, known: &Known, options: &Options, draft: &mut Draft, term: &str) {
        match parse_term(term) {
            Some(Parsed::Directive(directive)) => match directive.mechanism {
                Mechanism::All => {}
                Mechanism::Ptr(_) => {
                    draft.lets_in_less = true;
                    draft.leave_out(self.published, "RFC 7208, 5.5 tells domains not to use it");
                }
                _ => self.mechanism(dns, known, options, draft, term.trim_start_matches('+')).await,
            },
            Some(Parsed::Modifier(Modifier::Redirect(_))) if self.has_all => {
                draft.leave_out(self.published, "nobody follows it, as the record has `all` (RFC 7208, 6.1)");
            }
            Some(Parsed::Modifier(Modifier::Redirect(redirect))) => {
                let include = format!("include:{}", redirect.domain_spec);
                self.mechanism(dns, known, options, draft, &include).await;
            }
            Some(Parsed::Modifier(Modifier::Explanation(_))) => self.explanation(draft, term),
            Some(Parsed::Modifier(Modifier::Unknown(_))) => draft
                .leave_out(self.published, "it means nothing to SPF, and receivers ignore it (RFC 7208, 6)"),
            None => draft.leave_out(self.published, "it is not a term"),
        }
    }

    fn explanation(&self, draft: &mut Draft, term: &str) {
        // RFC 7208, 6: it may stand once.
        if draft.explanation.as_ref().is_some_and(|known| !known.eq_ignore_ascii_case(term)) {
            draft.leave_out(self.published, "a record has one explanation");
        } else {
            draft.explanation = Some(term.to_owned());
        }
    }

    async fn mechanism(
        &self,
        dns: &impl Zone,
        known: &Known,
        options: &Options,
        draft: &mut Draft,
        kept: &str,
    ) {
        let seen: Vec<&Seen> = known
            .clients
            .iter()
            .filter(|client| client.passes_by.as_deref() == Some(self.published))
            .collect();
        let messages: u32 = seen.iter().fold(0, |sum, client| sum.saturating_add(client.messages));
        let is_mx = kept.eq_ignore_ascii_case("mx") && !known.mail_hosts.is_empty();
        if (is_mx || draft.has(kept)) && messages == 0 {
            return draft.place(kept);
        }
        let trouble = trouble(dns, kept, &known.domain, options).await;
        if let Some(why) = trouble {
            return self.otherwise(dns, known, options, draft, kept, why).await;
        }
        let place = match (self.mended, self.is_behind_all) {
            (true, _) => format!("meant by ‘{}’ in the present record", self.published),
            (false, true) => "behind all in the present record, where nobody reaches it".to_owned(),
            (false, false) => "in the present record".to_owned(),
        };
        let why = if messages > 0 {
            format!("{place}; {} of its hosts sent {messages} messages lately", seen.len())
        } else if known.was_watched {
            format!("{place}; nobody used it lately: remove it if nobody should")
        } else {
            format!("{place}; who uses it is not known")
        };
        draft.add(kept.to_owned(), why);
        draft.place(kept);
    }

    /// A term that does harm: what else it may have been meant as, if that does none.
    async fn otherwise(
        &self,
        dns: &impl Zone,
        known: &Known,
        options: &Options,
        draft: &mut Draft,
        kept: &str,
        why: String,
    ) {
        let mut sound = Vec::new();
        draft.lets_in_less = true;
        for meant in mend::otherwise(kept).unwrap_or_default() {
            match parse_term(&meant) {
                Some(Parsed::Directive(directive)) if directive.mechanism == Mechanism::All => {}
                _ if trouble(dns, &meant, &known.domain, options).await.is_some() => {
                    return draft.leave_out(self.published, why);
                }
                _ => sound.push(meant),
            }
        }
        if sound.is_empty() {
            return draft.leave_out(self.published, why);
        }
        for meant in sound {
            draft.add(meant.clone(), format!("meant by ‘{}’ in the present record", self.published));
            draft.place(&meant);
        }
    }
}

/// What speaks against a term by itself.
pub(super) async fn trouble(
    dns: &impl Zone,
    term: &str,
    domain: &Domain,
    options: &Options,
) -> Option<String> {
    let record = format!("v=spf1 {term} -all");
    let lint = lint_record(Some(dns), Some(domain), &record, options, &Duties::default()).await;
    let bad = lint
        .findings
        .into_iter()
        .find(|finding| finding.kind.severity != Severity::Note && !HARMLESS.contains(&finding.kind.slug))?;
    Some(bad.says)
}
