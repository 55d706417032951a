//! Every term of a record by DNS, with what it counts for a stranger: whom nothing matches costs the most look-ups.
//!
//! This is no second evaluation: it gives no result to anybody, goes on where an evaluation would end, and tells what it
//! meets. What it counts is what the evaluation counts (a test compares them), up to the place where that ends.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;

use ipnet::IpNet;
use viaspf_record::{A, DomainSpec, MacroKind, Mechanism, Modifier, Mx, Qualifier};

use super::expand::{self, Identity};
use super::parse::{Word, flaw, parse};
use super::{Kind, kind, terms};
use crate::spf::mechanisms::is_host;
use crate::spf::record;
use crate::spf::trace::Counts;
use crate::spf::{Found, NotFound, Records};

/// Queries of one walk, at most: ten times what an evaluation may cause.
const MOST_QUERIES: usize = 200;

/// Records within each other, at most.
const MOST_LEVELS: usize = 20;

/// Clients that nobody names in a record: a reserved address (RFC 1112, 4) and one that discards (RFC 6666).
pub const STRANGERS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(240, 0, 0, 1)), IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1))];

/// What a walk for one stranger found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// What the evaluation counts.
    pub(super) counts: Counts,
    /// Queries that find nothing: what receivers count that take RFC 7208, 4.6.4 to mean queries and not terms.
    pub(super) void_queries: usize,
    /// Whether there is no end to it.
    pub(super) is_endless: bool,
    /// Findings about the terms of the record itself: the kind, the place of the term, and what is the matter.
    pub(super) findings: Vec<(&'static Kind, usize, String)>,
    /// Terms whose names have no records of this family, and which.
    pub(super) void: BTreeSet<(usize, String)>,
}

/// What a term, or a record, comes to for a stranger.
enum End {
    /// It matches, or the record passes.
    Pass,
    /// It does not, and the evaluation goes on.
    No,
    /// The evaluation ends here with an error; why.
    Broken(String),
    /// It has no SPF record.
    Missing,
    /// It leads back to where it came from.
    Loop,
}

/// A walk.
pub(super) struct Walk<'a, D> {
    dns: &'a D,
    client: IpAddr,
    sender: &'a str,
    most_hosts: usize,
    queries: usize,
    /// Whether an evaluation would still be under way.
    counting: bool,
    found: Walked,
}

impl<'a, D: Records> Walk<'a, D> {
    /// A walk for a stranger that sends as `sender`; a term may have `most_hosts` hosts.
    pub(super) fn new(dns: &'a D, client: IpAddr, sender: &'a str, most_hosts: usize) -> Self {
        Self { dns, client, sender, most_hosts, queries: 0, counting: true, found: Walked::default() }
    }

    /// Walks through the record of the sender's domain.
    pub(super) async fn through(mut self, list: &[Word<'_>]) -> Walked {
        let domain = self.sender;
        let mut above = vec![domain.to_ascii_lowercase()];
        let end_of_record = list.iter().position(Word::is_all).unwrap_or(list.len());
        for (place, word) in list.iter().enumerate() {
            let Some(mechanism) = word.mechanism() else { continue };
            // RFC 7208, 5.1: nobody reaches what stands behind `all`, so that nothing can be wrong there.
            let is_reached = place <= end_of_record;
            let end = self.mechanism(mechanism, domain, &mut above, is_reached.then_some(place)).await;
            if is_reached {
                self.note(mechanism, place, &end);
            } else {
                self.note_unreached(place, &end);
            }
            // Whoever reads the findings wants them all; what is counted ends where the evaluation does.
            self.counting &= matches!(end, End::No);
        }
        for (place, word) in list.iter().enumerate() {
            match word.modifier() {
                Some(Modifier::Redirect(redirect)) if !list.iter().any(Word::is_all) => {
                    let end = self.redirect(&redirect.domain_spec, domain, &mut above).await;
                    let is_fixed = !depends_on_message(&redirect.domain_spec);
                    let (kind, says) = match end {
                        End::Missing if is_fixed => {
                            (&kind::REDIRECT_MISSING, "there is no SPF record at its target".to_owned())
                        }
                        // Records for some senders or clients are what such a redirect is for.
                        End::Missing => {
                            let says = format!(
                                "where it names no SPF record, as for postmaster@{domain}, the result is a permerror"
                            );
                            (&kind::REDIRECT_PER_MESSAGE, says)
                        }
                        End::Loop => (&kind::INCLUDE_LOOP, "it leads back to this record".to_owned()),
                        End::Broken(why) => (&kind::REDIRECT_BROKEN, why),
                        End::Pass | End::No => continue,
                    };
                    self.found.findings.push((kind, place, says));
                }
                Some(Modifier::Explanation(explanation)) => {
                    self.explanation(&explanation.domain_spec, domain, place).await;
                }
                _ => {}
            }
        }
        if self.queries > MOST_QUERIES {
            self.found.findings.push((
                &kind::TOO_MANY_QUERIES,
                0,
                format!("after {MOST_QUERIES} queries there are more"),
            ));
        }
        self.found
    }

    /// Takes note of what a term of the record itself has come to.
    fn note(&mut self, mechanism: &Mechanism, place: usize, end: &End) {
        let is_include = matches!(mechanism, Mechanism::Include(_));
        let (kind, says) = match end {
            End::Missing => (&kind::INCLUDE_MISSING, "there is no SPF record at its target".to_owned()),
            End::Loop => (&kind::INCLUDE_LOOP, "it leads back to this record or to itself".to_owned()),
            End::Broken(why) if why.starts_with(DNS) => (&kind::DNS_FAILURE, why.clone()),
            End::Broken(why) if is_include => (&kind::INCLUDE_BROKEN, why.clone()),
            End::Broken(why) => (&kind::TOO_MANY_MX_HOSTS, why.clone()),
            End::Pass if is_include => (&kind::INCLUDE_PASSES_ALL, "a stranger passes by it".to_owned()),
            End::Pass | End::No => return,
        };
        self.found.findings.push((kind, place, says));
    }

    /// Takes note of a term behind `all` that could not be evaluated.
    fn note_unreached(&mut self, place: usize, end: &End) {
        let why = match end {
            End::Missing => "there is no SPF record at its target",
            End::Loop => "it leads back to this record or to itself",
            End::Broken(why) => why,
            End::Pass | End::No => return,
        };
        let says = format!("all decides before it, and it could not be evaluated: {why}");
        self.found.findings.push((&kind::UNREACHABLE_BROKEN, place, says));
    }

    /// The record of a domain that a term names.
    fn record<'w>(
        &'w mut self,
        name: &'w str,
        above: &'w mut Vec<String>,
    ) -> Pin<Box<dyn Future<Output = End> + Send + 'w>> {
        Box::pin(async move {
            let folded = name.trim_end_matches('.').to_ascii_lowercase();
            if above.contains(&folded) {
                self.found.is_endless |= self.counting;
                return End::Loop;
            }
            if above.len() >= MOST_LEVELS {
                return End::Broken("records within records without end".to_owned());
            }
            let texts = match self.ask(self.dns.txt(name)).await {
                Ok(texts) => texts,
                Err(NotFound::NoRecords) => return End::Missing,
                Err(NotFound::Failed(why)) => return End::Broken(format!("{DNS}: {why} for TXT {name}")),
            };
            let mut records = texts.iter().filter(|text| record::is_spf(text));
            let Some(record) = records.next() else { return End::Missing };
            if records.next().is_some() {
                return End::Broken(format!("{name} has more than one SPF record"));
            }
            if let Some(flaw) = flaw(record) {
                return End::Broken(format!("{flaw} in the SPF record of {name}"));
            }
            above.push(folded);
            let end = self.terms(&parse(record), name, above).await;
            above.pop();
            end
        })
    }

    async fn terms(&mut self, list: &[Word<'_>], domain: &str, above: &mut Vec<String>) -> End {
        for word in list {
            let Some(mechanism) = word.mechanism() else { continue };
            match self.mechanism(mechanism, domain, above, None).await {
                End::No => {}
                End::Pass if word.qualifier() == Qualifier::Pass => return End::Pass,
                End::Pass => return End::No,
                // RFC 7208, 5.2: an include of nothing is a permerror of whoever includes.
                End::Missing => return End::Broken(format!("{} of {domain} has no SPF record", word.text)),
                end => return end,
            }
        }
        for word in list {
            if let Some(Modifier::Redirect(redirect)) = word.modifier() {
                return match self.redirect(&redirect.domain_spec, domain, above).await {
                    End::Missing => End::Broken(format!("{} of {domain} has no SPF record", word.text)),
                    end => end,
                };
            }
        }
        End::No
    }

    async fn redirect(&mut self, spec: &DomainSpec, domain: &str, above: &mut Vec<String>) -> End {
        self.count_lookup();
        match self.target(Some(spec), domain) {
            Some(name) => self.record(&name, above).await,
            None => End::Broken("its target is no domain name".to_owned()),
        }
    }

    /// One mechanism; `place` where it stands in the record itself.
    async fn mechanism(
        &mut self,
        mechanism: &Mechanism,
        domain: &str,
        above: &mut Vec<String>,
        place: Option<usize>,
    ) -> End {
        if self.queries > MOST_QUERIES {
            return End::No;
        }
        match mechanism {
            Mechanism::All => End::Pass,
            Mechanism::Ip4(_) | Mechanism::Ip6(_) => {
                let network = terms::network(mechanism);
                if network.is_some_and(|network| network.contains(&self.client)) {
                    End::Pass
                } else {
                    End::No
                }
            }
            Mechanism::Include(include) => {
                self.count_lookup();
                match self.target(Some(&include.domain_spec), domain) {
                    Some(name) => self.record(&name, above).await,
                    None => End::No,
                }
            }
            Mechanism::A(A { domain_spec, prefix_len }) => {
                self.count_lookup();
                let Some(name) = self.target(domain_spec.as_ref(), domain) else { return End::No };
                let length = prefix_len.and_then(|length| {
                    self.length(
                        length.ip4().map(viaspf_record::Ip4CidrLength::get),
                        length.ip6().map(viaspf_record::Ip6CidrLength::get),
                    )
                });
                match self.host(&name, length, place).await {
                    None => {
                        self.count_void();
                        End::No
                    }
                    Some(end) => end,
                }
            }
            Mechanism::Mx(mx) => self.mx(mx, domain, place).await,
            Mechanism::Ptr(_) => {
                // A stranger has no name in the reverse zones.
                self.count_lookup();
                self.count_void_query();
                End::No
            }
            Mechanism::Exists(exists) => {
                self.count_lookup();
                let Some(name) = self.target(Some(&exists.domain_spec), domain) else { return End::No };
                match self.ask(self.dns.a(&name)).await {
                    Ok(_) => End::Pass,
                    Err(NotFound::NoRecords) => {
                        self.count_void_query();
                        self.count_void();
                        let is_fixed = record::letters(&exists.domain_spec).next().is_none();
                        self.found.void.extend(place.filter(|_| is_fixed).map(|place| (place, name)));
                        End::No
                    }
                    Err(NotFound::Failed(why)) => End::Broken(format!("{DNS}: {why} for A {name}")),
                }
            }
        }
    }

    async fn mx(&mut self, mx: &Mx, domain: &str, place: Option<usize>) -> End {
        self.count_lookup();
        let Some(name) = self.target(mx.domain_spec.as_ref(), domain) else { return End::No };
        let hosts = match self.ask(self.dns.mx(&name)).await {
            Ok(hosts) => hosts,
            Err(NotFound::NoRecords) => {
                self.count_void_query();
                self.count_void();
                Vec::new()
            }
            Err(NotFound::Failed(why)) => return End::Broken(format!("{DNS}: {why} for MX {name}")),
        };
        let is_null = hosts.iter().any(String::is_empty);
        let hosts: Vec<String> = hosts.into_iter().filter(|host| is_host(host)).collect();
        if hosts.is_empty()
            && let Some(place) = place
        {
            if is_null {
                let says = format!("{name} has a null MX");
                self.found.findings.push((&kind::NULL_MX_TARGET, place, says));
            } else {
                self.found.void.insert((place, format!("MX {name}")));
            }
        }
        let length = mx.prefix_len.and_then(|length| {
            self.length(
                length.ip4().map(viaspf_record::Ip4CidrLength::get),
                length.ip6().map(viaspf_record::Ip6CidrLength::get),
            )
        });
        let mut is_void = false;
        for (at, host) in hosts.iter().enumerate() {
            // RFC 7208, 4.6.4.
            if at >= self.most_hosts {
                return End::Broken(format!(
                    "{name} has {} mail hosts, and receivers look at {}",
                    hosts.len(),
                    self.most_hosts
                ));
            }
            match self.host(host, length, place).await {
                // RFC 7208, 4.6.4: the term counts, once.
                None if is_void => {}
                None => {
                    is_void = true;
                    self.count_void();
                }
                Some(End::No) => {}
                Some(end) => return end,
            }
        }
        End::No
    }

    /// A host by its addresses of the stranger's family; nothing if it has none.
    async fn host(&mut self, name: &str, length: Option<u8>, place: Option<usize>) -> Option<End> {
        let found: Found<IpAddr> = if self.client.is_ipv4() {
            self.ask(self.dns.a(name)).await.map(|list| list.into_iter().map(IpAddr::V4).collect())
        } else {
            self.ask(self.dns.aaaa(name)).await.map(|list| list.into_iter().map(IpAddr::V6).collect())
        };
        match found {
            Ok(addresses) => {
                let covers = |address: &IpAddr| {
                    let length = length.unwrap_or(if address.is_ipv4() { 32 } else { 128 });
                    IpNet::new(*address, length).is_ok_and(|network| network.trunc().contains(&self.client))
                };
                Some(if addresses.iter().any(covers) { End::Pass } else { End::No })
            }
            Err(NotFound::NoRecords) => {
                self.count_void_query();
                self.found.void.extend(place.map(|place| (place, name.to_owned())));
                None
            }
            Err(NotFound::Failed(why)) => Some(End::Broken(format!("{DNS}: {why} for {name}"))),
        }
    }

    async fn explanation(&mut self, spec: &DomainSpec, domain: &str, place: usize) {
        if record::letters(spec).any(|kind| kind != viaspf_record::MacroKind::Domain) {
            return;
        }
        let Some(name) = self.target(Some(spec), domain) else { return };
        let says = match self.ask(self.dns.txt(&name)).await {
            Ok(texts) if texts.len() == 1 => return,
            // RFC 7208, 6.2.
            Ok(texts) => format!("{name} has {} TXT records, and it must be one", texts.len()),
            Err(NotFound::NoRecords) => format!("{name} has no TXT record"),
            Err(NotFound::Failed(_)) => return,
        };
        self.found.findings.push((&kind::EXPLANATION_MISSING, place, says));
    }

    fn length(&self, ip4: Option<u8>, ip6: Option<u8>) -> Option<u8> {
        if self.client.is_ipv4() { ip4 } else { ip6 }
    }

    /// The target of a term.
    fn target(&self, spec: Option<&DomainSpec>, domain: &str) -> Option<String> {
        expand::target(spec, Identity { client: self.client, sender: self.sender, domain })
    }

    fn count_lookup(&mut self) {
        self.found.counts.lookups += usize::from(self.counting);
    }

    fn count_void(&mut self) {
        self.found.counts.void_lookups += usize::from(self.counting);
    }

    fn count_void_query(&mut self) {
        self.found.void_queries += usize::from(self.counting);
    }

    async fn ask<T>(&mut self, answer: impl Future<Output = Found<T>>) -> Found<T> {
        self.queries += 1;
        if self.queries > MOST_QUERIES { Err(NotFound::NoRecords) } else { answer.await }
    }
}

/// Whether a target is another one for other senders or clients of the same domain.
fn depends_on_message(spec: &DomainSpec) -> bool {
    record::letters(spec).any(|kind| !matches!(kind, MacroKind::Domain | MacroKind::DomainPart))
}

/// How trouble with DNS begins.
const DNS: &str = "DNS";
