//! SPF evaluation, `check_host()` (RFC 7208): our face of viaspf, which is named in this folder only.
//!
//! viaspf evaluates; this module sees to it that what it is given is what it can handle, and that whatever happens is
//! a result:
//!
//! | file | what it does |
//! |---|---|
//! | `identity` | the identity in a form that viaspf takes, and back (odd local-parts and labels must not become `none`) |
//! | `normalise` | records in a form that viaspf evaluates rightly (`/0`, macro letters, `exp=`) |
//! | `adapter` | viaspf's look-ups by our [`Records`], and notes on what happened |
//! | `cause` | what led to the result, in words |
//! | `guard` | a panic inside becomes a value |
//! | `trace` | the evaluation as a tree, for people |
//! | `overlay` | DNS with a record that is not published yet |
//! | `lint` | what is wrong with a record |
//!
//! DNS itself is somebody else's ([`Records`] is the wish, `crate::lookup` fulfils it). Nothing here knows a policy.

mod adapter;
mod cause;
mod guard;
mod identity;
pub mod lint;
mod normalise;
pub mod overlay;
pub mod trace;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use viaspf::{Config, ExplanationString, QueryResult};

use self::adapter::{Adapter, Notes};
use self::identity::Identity;
use crate::mail::Domain;
use crate::mail::spf::{SpfAnswer, SpfQuestion, SpfResult};
use crate::mail::text::clip;

/// The DNS as SPF uses it. Names are fully qualified, without the trailing dot, their labels separated by dots and
/// otherwise raw: nothing is escaped, and a name that DNS cannot carry has no records.
pub trait Records: Send + Sync {
    /// The IPv4 addresses of a host.
    fn a(&self, name: &str) -> impl Future<Output = Found<Ipv4Addr>> + Send;
    /// The IPv6 addresses of a host.
    fn aaaa(&self, name: &str) -> impl Future<Output = Found<Ipv6Addr>> + Send;
    /// The mail exchangers of a domain, the most preferred first. A null MX (RFC 7505) is the empty name.
    fn mx(&self, name: &str) -> impl Future<Output = Found<String>> + Send;
    /// The text records of a name, each with its character-strings joined (RFC 7208, 3.3). Octets that are no UTF-8
    /// are replaced by U+FFFD.
    fn txt(&self, name: &str) -> impl Future<Output = Found<String>> + Send;
    /// The names that the reverse zones have for an address.
    fn ptr(&self, address: IpAddr) -> impl Future<Output = Found<String>> + Send;
}

/// The records found, at least one.
pub type Found<T> = Result<Vec<T>, NotFound>;

/// Why there are no records to work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// DNS says that there are none: the name does not exist (NXDOMAIN), or has none of this type (NODATA).
    #[error("no records")]
    NoRecords,
    /// DNS did not say: SERVFAIL, no answer, nonsense. The text is for the administrator.
    #[error("{0}")]
    Failed(String),
}

/// The bounds of an evaluation, and what it may say about us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many terms may ask DNS; also the limit of names per `mx` and `ptr`. RFC 7208, 4.6.4: 10.
    pub lookups: usize,
    /// How many look-ups may come back empty. RFC 7208, 4.6.4: 2.
    pub void_lookups: usize,
    /// The time after which the result is temperror.
    pub time: Duration,
    /// Whether somebody will read the explanation of a `fail`. If not, it is not looked up.
    pub explanation: bool,
    /// Our host name, for the macro `%{r}` in explanations.
    pub receiver: String,
}

/// How long an explanation may take, from its look-up on. The result stands by then, and nobody waits for prose.
const EXPLANATION_TIME: Duration = Duration::from_secs(1);

/// Octets of an explanation or a cause: both may quote what others publish, at any length.
const TEXT_LIMIT: usize = 1000;

/// Whether a TXT record is an SPF record (RFC 7208, 4.5).
pub fn is_spf(text: &str) -> bool {
    normalise::is_spf(text)
}

/// Whether a domain publishes an SPF record at all.
pub async fn has_record(dns: &impl Records, domain: &Domain) -> Result<bool, NotFound> {
    Ok(!records(dns, domain).await?.is_empty())
}

/// The SPF records that a domain publishes (RFC 7208, 4.5); more than one is a permerror for all who evaluate them.
pub async fn records(dns: &impl Records, domain: &Domain) -> Result<Vec<String>, NotFound> {
    match dns.txt(domain.as_str()).await {
        Ok(texts) => Ok(texts.into_iter().filter(|text| normalise::is_spf(text)).collect()),
        Err(NotFound::NoRecords) => Ok(Vec::new()),
        Err(failed) => Err(failed),
    }
}

/// Evaluates the SPF policy of the question's domain (RFC 7208, 4). Never fails: all trouble is a result, and the
/// answer's `cause` tells the administrator what it was.
pub async fn evaluate(dns: &impl Records, question: &SpfQuestion, options: &Options) -> SpfAnswer {
    evaluate_as(dns, question, options, false).await.0
}

/// The same evaluation with every step that it took.
pub async fn evaluate_traced(dns: &impl Records, question: &SpfQuestion, options: &Options) -> trace::Traced {
    let (answer, events, notes) = evaluate_as(dns, question, options, true).await;
    trace::Traced::new(answer, events, notes)
}

/// The answer; and, where the evaluation is traced, what viaspf and the look-ups have to say about it.
async fn evaluate_as(
    dns: &impl Records,
    question: &SpfQuestion,
    options: &Options,
    traced: bool,
) -> (SpfAnswer, Option<viaspf::trace::Trace>, Notes) {
    // RFC 7208, 4.3: a malformed domain, or one of a single label, has no policy.
    let Some(identity) = Identity::new(&question.local_part, &question.domain) else {
        let cause = format!("‘{}’ is no domain that could have an SPF record", clip(&question.domain, 255));
        return (SpfAnswer::new(SpfResult::None, cause), None, Notes::default());
    };
    let deadline = Instant::now() + options.time;
    let adapter = Adapter::new(dns, &identity, question.client, options.explanation, deadline);
    let adapter = if traced { adapter.traced() } else { adapter };
    let config = Config::builder()
        .max_lookups(options.lookups)
        .max_void_lookups(options.void_lookups)
        .hostname(options.receiver.as_str())
        .capture_trace(traced)
        .build();
    let helo = identity::helo(&question.helo);
    let evaluation =
        viaspf::evaluate_sender(&adapter, &config, question.client, identity.sender(), helo.as_ref());
    let outcome = timeout_at(deadline, guard::caught(evaluation)).await;

    let notes = adapter.into_notes();
    let mut events = None;
    let (result, explanation, cause) = match outcome {
        Ok(Ok(mut evaluated)) => {
            events = evaluated.trace.take();
            concluded(evaluated, &identity, &notes, options)
        }
        // An explanation is looked up when the `fail` is certain already; trouble with it does not undo the result.
        Ok(Err(_)) | Err(_) if notes.explaining.is_some() => {
            (SpfResult::Fail, None, cause::UNEXPLAINED.to_owned())
        }
        Ok(Err(panic)) => (SpfResult::Temperror, None, format!("the evaluation broke off: {panic}")),
        Err(_) => (SpfResult::Temperror, None, cause::out_of_time(options.time, &notes)),
    };
    let answer = SpfAnswer {
        result,
        explanation: explanation.map(|text| clip(&text, TEXT_LIMIT).to_owned()),
        cause: clip(&cause, TEXT_LIMIT).to_owned(),
        sends_no_mail: notes.sends_no_mail,
    };
    (answer, events, notes)
}

/// The parts of the answer, from what viaspf found.
fn concluded(
    evaluated: QueryResult,
    identity: &Identity,
    notes: &Notes,
    options: &Options,
) -> (SpfResult, Option<String>, String) {
    let result = result_of(&evaluated.spf_result);
    let explanation = match evaluated.spf_result {
        viaspf::SpfResult::Fail(ExplanationString::External(text)) => Some(identity.unmask(&text)),
        _ => None,
    };
    (result, explanation, cause::of(result, evaluated.cause, notes, options))
}

/// The result in our words.
fn result_of(result: &viaspf::SpfResult) -> SpfResult {
    match result {
        viaspf::SpfResult::None => SpfResult::None,
        viaspf::SpfResult::Neutral => SpfResult::Neutral,
        viaspf::SpfResult::Pass => SpfResult::Pass,
        viaspf::SpfResult::Fail(_) => SpfResult::Fail,
        viaspf::SpfResult::Softfail => SpfResult::Softfail,
        viaspf::SpfResult::Temperror => SpfResult::Temperror,
        viaspf::SpfResult::Permerror => SpfResult::Permerror,
    }
}

#[cfg(test)]
mod tests;
