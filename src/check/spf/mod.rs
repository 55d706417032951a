//! SPF: HELO and MAIL FROM are verified (RFC 7208), the result is acted on at RCPT and recorded at the end of the
//! message (RFC 8601; RFC 7208, section 9).

mod record;
mod refusal;
mod settings;

pub(super) use record::sender_result;
pub use settings::{Action, Actions, Record, Settings};

use super::{
    Case, Check, CheckId, Judgment, Observation, Opinion, Remark, Site, Subject, delivery, forwarding, roles,
};
use crate::facts::{Open, View, both};
use crate::mail::ForwardPath;
use crate::mail::spf::{SpfAnswer, SpfQuestion};
use crate::session::{Origin, Point, Request};

/// The lock.
pub struct Spf;

impl Check for Spf {
    fn id(&self) -> CheckId {
        CheckId::Spf
    }

    fn concerns(&self, site: &Site, request: &Request<'_>) -> Vec<Subject> {
        match request.point {
            Point::Transaction => Vec::new(),
            Point::Recipient(path) => delivery::subjects(site, request, [path].into_iter()),
            Point::Message(_) => delivery::subjects(site, request, request.envelope.forward_paths()),
        }
    }

    fn judge(&self, case: &Case<'_>, facts: &View<'_>) -> Result<Opinion, Open> {
        let Case { site, locks, request, .. } = *case;
        let settings = &locks.spf.settings;
        match request.point {
            Point::Transaction => {
                Ok(Judgment::NotExamined(Remark::new("off", "there is no recipient")).into())
            }
            Point::Recipient(path) => judge_recipient(site, settings, request, path, facts),
            Point::Message(header) => record::judge_message(site, settings, request, header, facts),
        }
    }
}

/// The judgment at RCPT.
fn judge_recipient(
    site: &Site,
    settings: &Settings,
    request: &Request<'_>,
    recipient: &ForwardPath,
    facts: &View<'_>,
) -> Result<Opinion, Open> {
    if roles::is_always_reachable(recipient) {
        let remark =
            Remark::new("spf-recipient-exempt", format!("{recipient} must be reachable for everybody"));
        return Ok(Judgment::NotExamined(remark).into());
    }
    let examination = match examine(site, request, facts)? {
        Ok(examination) => examination,
        Err(remark) => return Ok(Judgment::NotExamined(remark).into()),
    };
    let judgment = match refusal::strongest(settings, &examination) {
        None => Judgment::Pass(Remark::new("spf-accepted", examination.summary())),
        // Only now, as a forwarder costs a query: what passes needs no forwarder to excuse it.
        Some(refusal) => forwarding::by_spf(site, request, facts)?.map_or(refusal, Judgment::NotExamined),
    };
    Ok(Opinion { judgment, edits: Vec::new(), observations: examination.observations() })
}

/// The answers about both identities. Without a reverse-path there is only HELO (RFC 7208, 2.4).
struct Examination<'a> {
    helo: (SpfQuestion, &'a SpfAnswer),
    mail_from: Option<(SpfQuestion, &'a SpfAnswer)>,
}

/// Both identities examined, or why SPF does not apply.
fn examine<'a>(
    site: &Site,
    request: &Request<'_>,
    facts: &View<'a>,
) -> Result<Result<Examination<'a>, Remark>, Open> {
    // Authenticated clients submit mail, and trusted ones relay it: their addresses say nothing about the domain.
    if request.origin != Origin::Foreign {
        let origin = request.origin.as_str();
        return Ok(Err(Remark::new("spf-origin", format!("the message is of {origin} origin"))));
    }
    let client = &request.session.client;
    let Some(address) = client.address.filter(|_| client.is_public()) else {
        return Ok(Err(Remark::new(
            "spf-client-private",
            "no record can name a private or unknown client address",
        )));
    };
    if let Some(remark) = forwarding::by_network(site, request) {
        return Ok(Err(remark));
    }
    let helo = SpfQuestion::helo(address, &request.session.helo);
    let helo_answer = facts.spf(helo.clone());
    match SpfQuestion::mail_from(address, &request.session.helo, &request.envelope.reverse_path) {
        None => Ok(Ok(Examination { helo: (helo, helo_answer?), mail_from: None })),
        Some(mail_from) => {
            let (helo_answer, answer) = both(helo_answer, facts.spf(mail_from.clone()))?;
            Ok(Ok(Examination { helo: (helo, helo_answer), mail_from: Some((mail_from, answer)) }))
        }
    }
}

impl<'a> Examination<'a> {
    /// The identities with their answers, MAIL FROM first.
    fn all(&self) -> impl Iterator<Item = &(SpfQuestion, &'a SpfAnswer)> {
        self.mail_from.iter().chain([&self.helo])
    }

    /// The identity that stands for the sender: MAIL FROM, or HELO with the null reverse-path.
    fn sender(&self) -> &(SpfQuestion, &'a SpfAnswer) {
        self.mail_from.as_ref().unwrap_or(&self.helo)
    }

    fn observations(&self) -> Vec<Observation> {
        self.all()
            .map(|(question, answer)| Observation::Spf {
                identity: question.identity,
                domain: question.domain.clone(),
                result: answer.result,
                found_by: None,
            })
            .collect()
    }

    /// Results and causes in one line, for the log.
    fn summary(&self) -> String {
        let parts: Vec<String> = self.all().map(|(question, answer)| describe(question, answer)).collect();
        parts.join("; ")
    }
}

/// One result with its cause, for the log.
fn describe(question: &SpfQuestion, answer: &SpfAnswer) -> String {
    let identity = question.identity.property();
    format!("{identity} {} from {}: {} ({})", question.domain, question.client, answer.result, answer.cause)
}
