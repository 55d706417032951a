//! SPF evaluation, `check_host()` (RFC 7208).
//!
//! The grammar of records is viaspf-record's, which is named in this folder only; the evaluation is ours.
//!
//! | file | what it does | RFC 7208 |
//! |---|---|---|
//! | `identity` | what an evaluation is about | 2, 4.1 to 4.3 |
//! | `check_host` | the terms of a record in their order, look-ups and limits, redirection, the explanation | 4, 6 |
//! | `mechanisms` | whether a mechanism matches | 5 |
//! | `record` | records as terms, and all that the grammar leaves to us | 4.5, 4.6, 12 |
//! | `macros` | what macros stand for, and the names that come of it | 7 |
//! | `cause` | how an evaluation ends, in words | – |
//! | `guard` | a panic inside becomes a value | – |
//! | `trace` | the evaluation as a tree, for people | – |
//! | `overlay` | DNS with a record that is not published yet | – |
//! | `lint` | what is wrong with a record | – |
//! | `suggest` | a record from what is known of who sends | – |
//!
//! Whatever happens is a result. DNS itself is somebody else's ([`Records`] is the wish, `crate::sources` fulfils it).
//! Nothing here knows a policy.

mod cause;
mod check_host;
mod guard;
mod identity;
pub mod lint;
mod macros;
mod mechanisms;
pub mod overlay;
mod record;
pub mod suggest;
pub mod trace;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use self::cause::End;
use self::check_host::Evaluation;
use self::identity::Identity;
pub use self::macros::UNKNOWN;
use self::trace::{Counts, Recorder};
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
    /// How many terms may find nothing by their look-ups. RFC 7208, 4.6.4: 2.
    pub void_lookups: usize,
    /// The time after which the result is temperror.
    pub time: Duration,
    /// Whether somebody will read the explanation of a `fail`. If not, it is not looked up.
    pub explanation: bool,
    /// What an explanation may call us by the macro `%{r}` (RFC 7208, 7.3); [`UNKNOWN`] where we have no public name.
    pub receiver: String,
}

/// How long an explanation may take, from its look-up on. The result stands by then, and nobody waits for prose.
const EXPLANATION_TIME: Duration = Duration::from_secs(1);

/// Octets of an explanation or a cause: both may quote what others publish, at any length.
const TEXT_LIMIT: usize = 1000;

/// Whether a TXT record is an SPF record (RFC 7208, 4.5).
pub fn is_spf(text: &str) -> bool {
    record::is_spf(text)
}

/// Whether a domain publishes an SPF record at all.
pub async fn has_record(dns: &impl Records, domain: &Domain) -> Result<bool, NotFound> {
    Ok(!records(dns, domain).await?.is_empty())
}

/// The SPF records that a domain publishes (RFC 7208, 4.5); more than one is a permerror for all who evaluate them.
pub async fn records(dns: &impl Records, domain: &Domain) -> Result<Vec<String>, NotFound> {
    match dns.txt(domain.as_str()).await {
        Ok(texts) => Ok(texts.into_iter().filter(|text| record::is_spf(text)).collect()),
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
    let (answer, counts, recorder) = evaluate_as(dns, question, options, true).await;
    trace::Traced::new(answer, counts, recorder)
}

/// The answer, with what was counted and, where the evaluation is traced, its steps.
async fn evaluate_as(
    dns: &impl Records,
    question: &SpfQuestion,
    options: &Options,
    traced: bool,
) -> (SpfAnswer, Counts, Option<Recorder>) {
    // RFC 7208, 4.3: a malformed domain, or one of a single label, has no policy.
    let Some(identity) = Identity::new(question) else {
        let cause = format!("‘{}’ is not a domain that can have an SPF record", clip(&question.domain, 255));
        return (SpfAnswer::new(SpfResult::None, cause), Counts::default(), None);
    };
    let deadline = Instant::now() + options.time;
    let mut evaluation = Evaluation::new(dns, &identity, options, deadline);
    if traced {
        evaluation = evaluation.traced();
    }
    let outcome =
        timeout_at(deadline, guard::caught(evaluation.check_host(identity.domain.as_str(), false))).await;
    let (result, cause, explanation) = match (outcome, evaluation.certain) {
        (Ok(Ok(End { result, cause, explanation, .. })), _)
        // An explanation is looked up when the `fail` is certain already; trouble with it does not undo the result.
        | (Ok(Err(_)) | Err(_), Some((End { result, cause, explanation, .. }, _))) => (result, cause, explanation),
        (Ok(Err(panic)), None) => (SpfResult::Temperror, format!("the evaluation broke off: {panic}"), None),
        (Err(_), None) => {
            let cause = cause::out_of_time(options.time, evaluation.waiting_for.as_deref());
            (SpfResult::Temperror, cause, None)
        }
    };
    let answer = SpfAnswer {
        result,
        explanation: explanation.map(|text| clip(&text, TEXT_LIMIT).to_owned()),
        cause: clip(&cause, TEXT_LIMIT).to_owned(),
        sends_no_mail: evaluation.sends_no_mail,
    };
    (answer, evaluation.counts, evaluation.recorder)
}

#[cfg(test)]
mod tests;
