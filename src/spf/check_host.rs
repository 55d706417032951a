//! `check_host()` (RFC 7208, 4): the terms of a record in their order, until one decides.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;

use tokio::time::{Instant, timeout_at};
use viaspf_record::{Directive, DomainSpec, Explanation, MacroKind, Modifier, Qualifier, Redirect, Term};

use super::cause::End;
use super::identity::Identity;
use super::macros::{self, Values};
use super::trace::{Counts, Outcome, Recorder};
use super::{Found, NotFound, Options, Records, record};
use crate::mail::spf::SpfResult;
use crate::mail::text::is_unseen;

/// The octets of all records of one evaluation. Its terms are held while those that they include are evaluated, and take
/// many times what the text does; RFC 7208, 3.4 wants a record to fit into 512 octets, and an evaluation reads eleven.
pub(super) const MOST_OCTETS: usize = 16 * 1024;

/// One evaluation: what it is about, its bounds, and what it has come to know.
pub(super) struct Evaluation<'a, R> {
    pub(super) dns: &'a R,
    pub(super) options: &'a Options,
    pub(super) identity: &'a Identity,
    pub(super) deadline: Instant,
    /// What counts against the limits so far.
    pub(super) counts: Counts,
    /// The octets of the records so far.
    octets: usize,
    /// The client's names, once a term has asked for them.
    pub(super) validated: Option<Vec<String>>,
    /// Whether the record of the identity's own domain says that it sends no mail.
    pub(super) sends_no_mail: bool,
    /// The query that is not answered yet.
    pub(super) waiting_for: Option<String>,
    /// A `fail` that is certain, and until when its explanation may take.
    pub(super) certain: Option<(End, Instant)>,
    /// Where the steps are written down, if anybody wants them.
    pub(super) recorder: Option<Recorder>,
}

impl<'a, R: Records> Evaluation<'a, R> {
    /// An evaluation that has until `deadline`.
    pub(super) fn new(dns: &'a R, identity: &'a Identity, options: &'a Options, deadline: Instant) -> Self {
        Self {
            dns,
            options,
            identity,
            deadline,
            counts: Counts::default(),
            octets: 0,
            validated: None,
            sends_no_mail: false,
            waiting_for: None,
            certain: None,
            recorder: None,
        }
    }

    /// The same, taking note of every step.
    pub(super) fn traced(self) -> Self {
        Self { recorder: Some(Recorder::default()), ..self }
    }

    /// Evaluates the record of a domain. `is_included`: its result is somebody else's, so that it needs no explanation.
    pub(super) fn check_host<'e>(
        &'e mut self,
        domain: &'e str,
        is_included: bool,
    ) -> Pin<Box<dyn Future<Output = End> + Send + 'e>> {
        Box::pin(async move {
            self.record(|recorder| recorder.enter(domain));
            let end = match self.policy(domain).await {
                Ok(terms) => self.terms(&terms, domain, is_included).await,
                Err(end) => end,
            };
            self.record(|recorder| recorder.leave(end.result));
            end
        })
    }

    /// The terms of a domain's record, or how the evaluation ends without (RFC 7208, 4.4 to 4.6).
    async fn policy(&mut self, domain: &str) -> Result<Vec<Term>, End> {
        let dns = self.dns;
        let found = match self.ask("TXT", domain, None, dns.txt(domain)).await {
            Ok(texts) => Ok(texts),
            Err(NotFound::NoRecords) => Ok(Vec::new()),
            Err(NotFound::Failed(why)) => Err(why),
        };
        let (texts, read) = match found {
            Err(why) => {
                self.record(|recorder| recorder.published(&[], Some(format!("DNS: {why}"))));
                return Err(End::dns(&why, "TXT", domain));
            }
            Ok(mut texts) => {
                texts.retain(|text| record::is_spf(text));
                self.octets += texts.iter().map(String::len).sum::<usize>();
                let read = match texts.as_slice() {
                    [] => Err(End::none(domain)),
                    [_] if self.octets > MOST_OCTETS => Err(End::too_long(MOST_OCTETS)),
                    [text] => record::parse(text)
                        .map_err(|flaw| End::flawed(format!("{flaw} in the SPF record of {domain}"))),
                    _ => Err(End::flawed(format!("more than one SPF record at {domain}"))),
                };
                (texts, read)
            }
        };
        self.record(|recorder| recorder.published(&texts, read.as_ref().err().map(|end| end.cause.clone())));
        if let Ok(terms) = &read {
            self.sends_no_mail |= domain == self.identity.domain.as_str() && record::sends_no_mail(terms);
        }
        read
    }

    /// The mechanisms, then the modifiers, wherever they stand (RFC 7208, 4.6.2 and 6).
    async fn terms(&mut self, terms: &[Term], domain: &str, is_included: bool) -> End {
        let (mut redirect, mut explanation) = (None, None);
        for (place, term) in terms.iter().enumerate() {
            match term {
                Term::Modifier(Modifier::Redirect(found)) => redirect = Some((place, found)),
                Term::Modifier(Modifier::Explanation(found)) => explanation = Some((place, found)),
                _ => {}
            }
        }
        for (place, term) in terms.iter().enumerate() {
            let Term::Directive(Directive { qualifier, mechanism }) = term else { continue };
            self.record(|recorder| recorder.step(place, Outcome::NoMatch));
            match self.matches(mechanism, domain).await {
                Ok(false) => {}
                Ok(true) => {
                    let result = result_of(qualifier.unwrap_or_default());
                    self.record(|recorder| recorder.conclude(Outcome::Matched(result)));
                    let mut end = End::matched(result, &mechanism.to_string());
                    if let Some((place, spec)) = explanation
                        && result == SpfResult::Fail
                        && !is_included
                        && self.options.explanation
                    {
                        self.record(|recorder| recorder.step(place, Outcome::Explained));
                        end.explanation = self.explain(&end, spec, domain).await;
                    }
                    return end;
                }
                Err(end) => {
                    self.record(|recorder| recorder.conclude(end.as_outcome()));
                    return end;
                }
            }
        }
        match redirect {
            None => End::unmatched(),
            Some((place, redirect)) => self.redirect(place, redirect, domain, is_included).await,
        }
    }

    /// The policy of another domain is that of this one (RFC 7208, 6.1).
    async fn redirect(&mut self, place: usize, redirect: &Redirect, domain: &str, is_included: bool) -> End {
        self.record(|recorder| recorder.step(place, Outcome::NotReached));
        let end = match self.count_lookup() {
            Err(end) => end,
            Ok(()) => match self.target(Some(&redirect.domain_spec), domain).await {
                None => End::nowhere(),
                Some(target) => match self.check_host(&target, is_included).await {
                    end if end.result == SpfResult::None => {
                        end.missing("there is no SPF record to redirect to")
                    }
                    end => {
                        self.record(|recorder| recorder.conclude(Outcome::Redirected(end.result)));
                        return end;
                    }
                },
            },
        };
        self.record(|recorder| recorder.conclude(end.as_outcome()));
        end
    }

    /// The explanation of a `fail` (RFC 7208, 6.2). Trouble with it means that there is none.
    async fn explain(&mut self, fail: &End, explanation: &Explanation, domain: &str) -> Option<String> {
        // The result stands by now, and nobody waits for prose.
        let limit = self.deadline.min(Instant::now() + super::EXPLANATION_TIME);
        self.certain = Some((fail.clone(), limit));
        let name = self.target(Some(&explanation.domain_spec), domain).await?;
        let dns = self.dns;
        let texts = self.ask("TXT", &name, None, dns.txt(&name)).await.ok()?;
        let [text] = <[String; 1]>::try_from(texts).ok()?;
        if text.len() > MOST_OCTETS {
            return None;
        }
        let text = record::explain_string(&text)?;
        let asks_for_name =
            record::letters_of_explanation(&text).any(|kind| kind == MacroKind::ValidatedDomain);
        let validated = if asks_for_name { self.validated_name(domain).await } else { String::new() };
        let text = macros::explain(&text, &self.values(domain, &validated), super::TEXT_LIMIT);
        // What nobody could see explains nothing.
        text.chars().any(is_seen).then_some(text)
    }

    /// The name that a term is about (RFC 7208, 4.8); none where its macros come to none that DNS could have.
    pub(super) async fn target(&mut self, spec: Option<&DomainSpec>, domain: &str) -> Option<String> {
        let Some(spec) = spec else { return Some(domain.to_owned()) };
        let asks_for_name = record::letters(spec).any(|kind| kind == MacroKind::ValidatedDomain);
        let validated = if asks_for_name { self.validated_name(domain).await } else { String::new() };
        macros::target(spec, &self.values(domain, &validated))
    }

    fn values<'v>(&'v self, domain: &'v str, validated: &'v str) -> Values<'v> {
        Values {
            client: self.identity.client,
            local_part: &self.identity.local_part,
            sender: self.identity.domain.as_str(),
            domain,
            helo: &self.identity.helo,
            validated,
            receiver: &self.options.receiver,
        }
    }

    /// Counts a term that asks DNS (RFC 7208, 4.6.4).
    pub(super) fn count_lookup(&mut self) -> Result<(), End> {
        self.counts.lookups += 1;
        self.record(|recorder| recorder.count(Counts { lookups: 1, void_lookups: 0 }));
        if self.counts.lookups > self.options.lookups {
            Err(End::too_many_lookups(self.options))
        } else {
            Ok(())
        }
    }

    /// Counts a term that found nothing (RFC 7208, 4.6.4).
    pub(super) fn count_void_lookup(&mut self) -> Result<(), End> {
        self.counts.void_lookups += 1;
        self.record(|recorder| recorder.count(Counts { lookups: 0, void_lookups: 1 }));
        if self.counts.void_lookups > self.options.void_lookups {
            Err(End::too_many_void_lookups(self.options))
        } else {
            Ok(())
        }
    }

    /// Awaits one answer of DNS, until `limit` where it has one.
    pub(super) async fn ask<T: Display>(
        &mut self,
        record_type: &'static str,
        name: &str,
        limit: Option<Instant>,
        answer: impl Future<Output = Found<T>>,
    ) -> Found<T> {
        self.waiting_for = Some(format!("{record_type} {name}"));
        self.record(|recorder| recorder.asked(record_type, name));
        let explaining = self.certain.as_ref().map(|(_, limit)| *limit);
        let found = match limit.into_iter().chain(explaining).min() {
            None => answer.await,
            Some(limit) => {
                let late = || Err(NotFound::Failed("no answer in the time that it may take".to_owned()));
                timeout_at(limit, answer).await.unwrap_or_else(|_| late())
            }
        };
        self.waiting_for = None;
        self.record(|recorder| recorder.answered(&found));
        found
    }

    fn record(&mut self, note: impl FnOnce(&mut Recorder)) {
        if let Some(recorder) = &mut self.recorder {
            note(recorder);
        }
    }
}

fn is_seen(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !is_unseen(c)
}

/// The result of a match (RFC 7208, 4.6.2).
fn result_of(qualifier: Qualifier) -> SpfResult {
    match qualifier {
        Qualifier::Pass => SpfResult::Pass,
        Qualifier::Fail => SpfResult::Fail,
        Qualifier::Softfail => SpfResult::Softfail,
        Qualifier::Neutral => SpfResult::Neutral,
    }
}
