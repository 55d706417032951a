//! viaspf's look-ups by our [`Records`]: unmasks names, normalises records, honours marks, and notes what happens.

use std::fmt::Display;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};
use viaspf::lookup::{Lookup, LookupError, LookupResult, Name};
use viaspf::record::Mechanism;

use super::identity::Identity;
use super::normalise::{self, Marks};
use super::trace::{Published, Query};
use super::{EXPLANATION_TIME, Found, NotFound, Records};

/// The look-ups of one evaluation.
pub(super) struct Adapter<'a, R> {
    dns: &'a R,
    identity: &'a Identity,
    client: IpAddr,
    explained: bool,
    traced: bool,
    deadline: Instant,
    marks: Marks,
    notes: Mutex<Notes>,
}

/// What the look-ups of an evaluation tell about its result.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// What is wrong with the SPF record that was looked up last, if anything.
    pub(super) record: Option<String>,
    /// How DNS failed last.
    pub(super) failure: Option<String>,
    /// The query that is not answered yet.
    pub(super) waiting_for: Option<String>,
    /// Mechanisms as viaspf sees them, and as published.
    pub(super) rewritten: Vec<(Mechanism, Mechanism)>,
    /// Whether the record of the question's own domain says that it sends no mail.
    pub(super) sends_no_mail: bool,
    /// Set once an explanation is looked up, for a `fail` that is certain by then: until when it may take.
    pub(super) explaining: Option<Instant>,
    /// Every query in its order, where the evaluation is traced.
    pub(super) queries: Vec<Query>,
    /// What each look-up of a policy found, in the same order, where the evaluation is traced.
    pub(super) published: Vec<Published>,
}

impl<'a, R: Records> Adapter<'a, R> {
    /// Look-ups for the evaluation of `identity`; `explained` tells whether anybody wants an explanation.
    pub(super) fn new(
        dns: &'a R,
        identity: &'a Identity,
        client: IpAddr,
        explained: bool,
        deadline: Instant,
    ) -> Self {
        let (marks, notes) = (Marks::draw(), Mutex::default());
        Self {
            dns,
            identity,
            client: client.to_canonical(),
            explained,
            traced: false,
            deadline,
            marks,
            notes,
        }
    }

    /// The same, taking note of every query and every record.
    pub(super) fn traced(self) -> Self {
        Self { traced: true, ..self }
    }

    /// The notes, when the evaluation is over.
    pub(super) fn into_notes(self) -> Notes {
        self.notes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name to ask DNS for, and whether it carried `mark`.
    fn unmark(&self, name: &Name, mark: &str) -> (String, bool) {
        let name = name.as_str();
        let name = self.identity.unmask(name.strip_suffix('.').unwrap_or(name));
        match name.split_once('.') {
            Some((label, rest)) if label == mark => (rest.to_owned(), true),
            _ => (name, false),
        }
    }

    /// Awaits one answer of DNS.
    async fn ask<T: Display>(
        &self,
        record_type: &'static str,
        name: &str,
        answer: impl Future<Output = Found<T>>,
    ) -> LookupResult<Vec<T>> {
        let query = format!("{record_type} {name}");
        let explaining = {
            let mut notes = self.notes();
            notes.waiting_for = Some(query.clone());
            if self.traced {
                notes.queries.push(Query::open(record_type, name));
            }
            notes.explaining
        };
        let found = match explaining {
            None => answer.await,
            // RFC 7208, 6.2: trouble with an explanation means that there is none.
            Some(limit) => timeout_at(limit, answer).await.unwrap_or(Err(NotFound::NoRecords)),
        };
        let mut notes = self.notes();
        notes.waiting_for = None;
        if let Some(last) = notes.queries.last_mut() {
            last.close(&found);
        }
        found.map_err(|error| match error {
            NotFound::NoRecords => LookupError::NoRecords,
            NotFound::Failed(cause) => {
                notes.failure = Some(format!("DNS: {cause} for {query}"));
                LookupError::Dns(None)
            }
        })
    }

    /// The TXT records of a name whose SPF record viaspf wants, that record normalised.
    async fn policy(&self, name: &str) -> LookupResult<Vec<String>> {
        let mut records = self.ask("TXT", name, self.dns.txt(name)).await.inspect_err(|error| {
            let mut notes = self.notes();
            if matches!(error, LookupError::NoRecords) {
                notes.record = Some(format!("no SPF record at {name}"));
            }
            notes.published.push(Published::default());
        })?;
        let mut notes = self.notes();
        // RFC 7208, 4.5: records without the version section do not matter, more than one with it is a permerror,
        // which viaspf sees for itself.
        let policies: Vec<&mut String> = records.iter_mut().filter(|text| normalise::is_spf(text)).collect();
        let mut published = Published::default();
        if self.traced {
            published.records = policies.iter().map(|text| (**text).clone()).collect();
        }
        notes.record = match <[_; 1]>::try_from(policies) {
            Ok([policy]) => match normalise::normalise(policy, self.client, self.explained, &self.marks) {
                Ok(normalised) => {
                    *policy = normalised.text;
                    published.origins = normalised.origins;
                    notes.rewritten.extend(normalised.rewritten);
                    notes.sends_no_mail |= normalised.sends_no_mail && name == self.identity.domain();
                    None
                }
                Err(flaw) => {
                    normalise::UNPARSABLE.clone_into(policy);
                    Some(format!("{flaw} in the SPF record of {name}"))
                }
            },
            Err(policies) if policies.is_empty() => Some(format!("no SPF record at {name}")),
            Err(_) => Some(format!("more than one SPF record at {name}")),
        };
        published.flaw.clone_from(&notes.record);
        notes.published.push(published);
        Ok(records)
    }
}

/// A name out of a DNS answer. What is not printable ASCII is no host name, and could pass for a mask.
fn host_name(text: &str) -> Option<Name> {
    if text.bytes().all(|octet| octet.is_ascii_graphic()) { Name::new(text).ok() } else { None }
}

#[async_trait]
impl<R: Records> Lookup for Adapter<'_, R> {
    async fn lookup_a<'lookup, 'a>(&'lookup self, name: &'a Name) -> LookupResult<Vec<Ipv4Addr>> {
        let (name, any) = self.unmark(name, &self.marks.any_address);
        let addresses = self.ask("A", &name, self.dns.a(&name)).await?;
        match self.client {
            IpAddr::V4(client) if any && !addresses.is_empty() => Ok(vec![client]),
            _ => Ok(addresses),
        }
    }

    async fn lookup_aaaa<'lookup, 'a>(&'lookup self, name: &'a Name) -> LookupResult<Vec<Ipv6Addr>> {
        let (name, any) = self.unmark(name, &self.marks.any_address);
        let addresses = self.ask("AAAA", &name, self.dns.aaaa(&name)).await?;
        match self.client {
            IpAddr::V6(client) if any && !addresses.is_empty() => Ok(vec![client]),
            _ => Ok(addresses),
        }
    }

    async fn lookup_mx<'lookup, 'a>(&'lookup self, name: &'a Name) -> LookupResult<Vec<Name>> {
        let (name, any) = self.unmark(name, &self.marks.any_address);
        let exchangers = self.ask("MX", &name, self.dns.mx(&name)).await?;
        // The prefix length applies to the addresses of the exchangers, so the mark travels on with their names.
        let mark = |exchanger: String| {
            if any { format!("{}.{exchanger}", self.marks.any_address) } else { exchanger }
        };
        let sound = exchangers.into_iter().filter(|exchanger| host_name(exchanger).is_some());
        Ok(sound.filter_map(|exchanger| host_name(&mark(exchanger))).collect())
    }

    async fn lookup_txt<'lookup, 'a>(&'lookup self, name: &'a Name) -> LookupResult<Vec<String>> {
        let (name, explanation) = self.unmark(name, &self.marks.explanation);
        if !explanation {
            return self.policy(&name).await;
        }
        // viaspf asks for explanations last, when the result is certain to be `fail`.
        let limit = self.deadline.min(Instant::now() + EXPLANATION_TIME);
        self.notes().explaining = Some(limit);
        self.ask("TXT", &name, self.dns.txt(&name)).await
    }

    async fn lookup_ptr<'lookup>(&'lookup self, ip: IpAddr) -> LookupResult<Vec<Name>> {
        let names = self.ask("PTR", &ip.to_string(), self.dns.ptr(ip)).await?;
        Ok(names.iter().filter_map(|name| host_name(name)).collect())
    }
}
