//! What is wrong with an SPF record, or will be: findings with their places, and what the record costs its receivers.
//!
//! | file | what it does |
//! |---|---|
//! | `kind` | the registry of what can be found |
//! | `parse` | a record as terms with their places |
//! | `syntax` | why a word is no term |
//! | `mend` | what was meant by it |
//! | `terms` | what the record says by itself |
//! | `expand` | targets of terms, for a stranger |
//! | `walk` | every term by DNS, and what it counts |
//! | `domain` | how the record is published, and what stands beside it |

mod domain;
mod expand;
pub mod kind;
pub mod mend;
mod parse;
mod syntax;
mod terms;
mod walk;

use std::future::Future;
use std::net::IpAddr;

use super::overlay::Overlay;
use super::trace::Counts;
use super::{Found, Options, Records};
use crate::mail::Domain;
use crate::mail::text::clip;
pub use kind::{Kind, Severity};
use parse::{Word, parse};
pub use terms::is_public;
pub use walk::STRANGERS;
use walk::{Walk, Walked};

/// Octets of a sentence or a term in a finding: both may quote what others publish.
const TEXT_LIMIT: usize = 400;

/// Findings of a record, at most.
const MOST_FINDINGS: usize = 100;

/// Where a record stands whose domain nobody told: no name below `invalid` exists (RFC 2606, 2).
const NOWHERE: &str = "record.invalid";

/// The DNS as the owner of a domain sees it: what an inspection asks for beyond an evaluation.
pub trait Zone: Records {
    /// The TXT records of a name, each with its character-strings apart.
    fn strings(&self, name: &str) -> impl Future<Output = Found<Vec<Vec<u8>>>> + Send;
    /// The records of type 99, which nobody reads any more (RFC 7208, 3.1).
    fn type_99(&self, name: &str) -> impl Future<Output = Found<String>> + Send;
}

/// What a record must do.
#[derive(Clone, Debug, Default)]
pub struct Duties {
    /// The addresses from which mail of the domain leaves.
    pub outgoing: Vec<IpAddr>,
    /// The name that this host says in HELO.
    pub helo: Option<Domain>,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: &'static Kind,
    /// What is the matter here.
    pub says: String,
    /// Where in the record.
    pub place: Option<Place>,
}

/// A place in a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The column, in characters from 1.
    pub column: usize,
    /// The term.
    pub term: String,
}

/// A record as it was found, with what is the matter with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// The domain, where one is known.
    pub domain: Option<Domain>,
    /// The record.
    pub record: Option<String>,
    /// What is the matter: the worst first, then by their places.
    pub findings: Vec<Finding>,
    /// What the evaluation counts for a stranger who comes by IPv4, and by IPv6; none without DNS.
    pub counts: Option<[Cost; 2]>,
}

/// What a record costs its receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// What is counted.
    pub counts: Counts,
    /// Whether there is no end to it, as it leads back to itself.
    pub is_endless: bool,
}

impl Lint {
    /// How bad the worst finding is.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.kind.severity).min()
    }

    /// The greater of both costs.
    pub fn cost(&self) -> Option<Cost> {
        let [ip4, ip6] = self.counts?;
        Some(Cost {
            counts: Counts {
                lookups: ip4.counts.lookups.max(ip6.counts.lookups),
                void_lookups: ip4.counts.void_lookups.max(ip6.counts.void_lookups),
            },
            is_endless: ip4.is_endless || ip6.is_endless,
        })
    }
}

/// Findings that are being gathered.
#[derive(Debug, Default)]
struct Draft(Vec<Finding>);

impl Draft {
    /// A finding about the record as a whole, or about what stands beside it.
    fn add(&mut self, kind: &'static Kind, says: String) {
        self.push(Finding { kind, says: clipped(says), place: None });
    }

    /// A finding about a term; `at` is an octet of the record.
    fn add_at(&mut self, kind: &'static Kind, record: &str, at: usize, term: &str, says: String) {
        let place = Some(Place { column: column(record, at), term: clip(term, TEXT_LIMIT).to_owned() });
        self.push(Finding { kind, says: clipped(says), place });
    }

    /// Takes back what was found at an octet of the record.
    fn forget(&mut self, kind: &'static Kind, record: &str, at: usize) {
        let is_there = |place: &Place| place.column == column(record, at);
        self.0.retain(|finding| finding.kind != kind || !finding.place.as_ref().is_some_and(is_there));
    }

    fn push(&mut self, finding: Finding) {
        if self.0.len() < MOST_FINDINGS && !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    fn finish(self) -> Vec<Finding> {
        let mut findings = self.0;
        findings.sort_by(|a, b| (a.kind.severity, &a.place).cmp(&(b.kind.severity, &b.place)));
        findings
    }
}

/// The column of an octet, in characters from 1.
fn column(record: &str, at: usize) -> usize {
    record.get(..at).unwrap_or(record).chars().count() + 1
}

/// A text of bounded length.
fn clipped(mut text: String) -> String {
    text.truncate(clip(&text, TEXT_LIMIT).len());
    text
}

/// Looks at what a domain publishes.
pub async fn lint_domain(dns: &impl Zone, domain: &Domain, options: &Options, duties: &Duties) -> Lint {
    let mut draft = Draft::default();
    let published = domain::published(dns, domain, &mut draft).await;
    let mut counts = None;
    if let Some((record, borders)) = &published {
        let list = parse(record);
        terms::look(&mut draft, record, &list, borders);
        counts = Some(walked(dns, domain.as_str(), record, options, &mut draft).await);
        domain::coverage(dns, domain, options, duties, &mut draft).await;
    }
    domain::surroundings(dns, domain, published.as_ref().map(|(record, _)| record.as_str()), &mut draft)
        .await;
    domain::helo(dns, duties, &mut draft).await;
    Lint {
        domain: Some(domain.clone()),
        record: published.map(|(record, _)| record),
        findings: draft.finish(),
        counts,
    }
}

/// Looks at a record that may not be published yet, as if `domain` did; without one, terms that mean the domain itself find
/// nothing to look up and are passed over. Without `dns`, only what the record says by itself counts.
pub async fn lint_record<D: Records>(
    dns: Option<&D>,
    domain: Option<&Domain>,
    record: &str,
    options: &Options,
    duties: &Duties,
) -> Lint {
    let mut draft = Draft::default();
    let mut counts = None;
    if super::record::is_spf(record) {
        terms::look(&mut draft, record, &parse(record), &[]);
        if let Some(dns) = dns {
            let name = domain.map_or(NOWHERE, Domain::as_str);
            let overlay = Overlay { dns, name, record };
            counts = Some(walked(&overlay, name, record, options, &mut draft).await);
            if domain.is_none() {
                // Bare a and mx mean a domain that nobody has told.
                draft
                    .0
                    .retain(|finding| finding.kind != &kind::VOID_LOOKUP || !finding.says.contains(NOWHERE));
            } else if let Some(domain) = domain {
                domain::coverage(&overlay, domain, options, duties, &mut draft).await;
            }
        }
    } else {
        domain::unseen(record, &mut draft);
        if draft.0.is_empty() {
            draft.add(&kind::ALMOST_RECORD, "this is not an SPF record".to_owned());
        }
    }
    Lint { domain: domain.cloned(), record: Some(record.to_owned()), findings: draft.finish(), counts }
}

/// Walks through a record for a stranger of each address family.
async fn walked(
    dns: &impl Records,
    domain: &str,
    record: &str,
    options: &Options,
    draft: &mut Draft,
) -> [Cost; 2] {
    let list = parse(record);
    let mut found = Vec::new();
    for stranger in STRANGERS {
        found.push(Walk::new(dns, stranger, domain, options.lookups).through(&list).await);
    }
    let meant = |word: &Word<'_>| match mend::otherwise(word.text) {
        Some(terms) => format!("; did you mean {}?", terms.join(" ")),
        None => String::new(),
    };
    for (kind, place, says) in found.iter().flat_map(|found| &found.findings) {
        let Some(word) = list.get(*place) else { continue };
        let is_missing = [&kind::INCLUDE_MISSING, &kind::REDIRECT_MISSING].contains(kind);
        let says = if is_missing { format!("{says}{}", meant(word)) } else { says.clone() };
        if *kind == &kind::UNREACHABLE_BROKEN {
            draft.forget(&kind::UNREACHABLE_TERM, record, word.at);
        }
        draft.add_at(kind, record, word.at, word.text, says);
    }
    let [ip4, ip6] = [&found[0], &found[1]];
    for (place, name) in ip4.void.intersection(&ip6.void) {
        let word = &list[*place];
        let says = format!("DNS has nothing for {name}{}", meant(word));
        draft.add_at(&kind::VOID_LOOKUP, record, word.at, word.text, says);
    }
    // An evaluation ends with a flaw before it counts anything (RFC 7208, 4.6).
    if parse::flaw(record).is_some() {
        return [Cost { counts: Counts::default(), is_endless: false }; 2];
    }
    limits(ip4, ip6, options, draft);
    [ip4, ip6].map(|found| Cost { counts: found.counts, is_endless: found.is_endless })
}

/// What the counts come to (RFC 7208, 4.6.4).
fn limits(ip4: &Walked, ip6: &Walked, options: &Options, draft: &mut Draft) {
    let lookups = ip4.counts.lookups.max(ip6.counts.lookups);
    if lookups > options.lookups {
        draft.add(
            &kind::TOO_MANY_LOOKUPS,
            format!("{lookups} terms ask DNS, and receivers give up after {}", options.lookups),
        );
    } else if lookups + 1 >= options.lookups && !ip4.is_endless && !ip6.is_endless {
        draft.add(&kind::FEW_LOOKUPS_LEFT, format!("{lookups} of {} look-ups are used", options.lookups));
    }
    let (voids4, voids6, most) = (ip4.counts.void_lookups, ip6.counts.void_lookups, options.void_lookups);
    if voids4 > most && voids6 > most {
        let says =
            format!("{} look-ups find nothing, and receivers give up after {most}", voids4.max(voids6));
        draft.add(&kind::TOO_MANY_VOID_LOOKUPS, says);
    } else if voids4.max(voids6) > most {
        let family = if voids4 > voids6 { "IPv4" } else { "IPv6" };
        let says = format!(
            "for clients with {family}, {} look-ups find nothing, and receivers give up after {most}",
            voids4.max(voids6)
        );
        draft.add(&kind::VOID_LOOKUPS_OF_FAMILY, says);
    } else if ip4.void_queries.max(ip6.void_queries) > most {
        let family = if ip4.void_queries > ip6.void_queries { "IPv4" } else { "IPv6" };
        let says = format!(
            "for clients with {family}, {} queries find nothing, and receivers that count queries give up after {most}",
            ip4.void_queries.max(ip6.void_queries)
        );
        draft.add(&kind::VOID_LOOKUPS_OF_FAMILY, says);
    }
}
