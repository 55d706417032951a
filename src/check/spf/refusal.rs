//! Which result is refused, and what the client and the administrator are told.

use super::{Action, Examination, Settings, describe};
use crate::check::{Judgment, Remark};
use crate::mail::spf::{SpfAnswer, SpfIdentity, SpfQuestion, SpfResult};
use crate::mail::{Reply, text};

/// Octets of the sender's own explanation in a reply, at most.
const MAX_EXPLANATION: usize = 400;

/// The strongest objection to the results; with equal ones, that to MAIL FROM.
pub(super) fn strongest(settings: &Settings, examination: &Examination<'_>) -> Option<Judgment> {
    let sender = examination.sender();
    let mut refusals = examination.all().filter_map(|identity| {
        let (question, answer) = identity;
        let (action, reason) = action(settings, question, answer, std::ptr::eq(identity, sender));
        refuse(settings, action, reason, question, answer)
    });
    let first = refusals.next()?;
    if matches!(first, Judgment::Reject(..)) {
        return Some(first);
    }
    Some(refusals.find(|later| matches!(later, Judgment::Reject(..))).unwrap_or(first))
}

/// What the settings say to one result. `is_sender`: the identity stands for the sender of the message.
fn action(
    settings: &Settings,
    question: &SpfQuestion,
    answer: &SpfAnswer,
    is_sender: bool,
) -> (Action, &'static str) {
    let not_pass = matches!(answer.result, SpfResult::Softfail | SpfResult::Neutral);
    let listed = || question.domain.parse().is_ok_and(|domain| settings.reject_not_pass.contains(&domain));
    if is_sender
        && answer.result == SpfResult::Fail
        && answer.sends_no_mail
        && settings.reject_no_mail_domains
    {
        return (Action::Reject, "spf-no-mail");
    }
    if is_sender && not_pass && listed() {
        return (Action::Reject, "spf-not-pass");
    }
    let table = match question.identity {
        SpfIdentity::Helo => &settings.helo,
        SpfIdentity::MailFrom => &settings.mail_from,
    };
    (table.of(answer.result), reason(question.identity, answer.result))
}

/// The stable word for a refused result.
fn reason(identity: SpfIdentity, result: SpfResult) -> &'static str {
    match (identity, result) {
        (SpfIdentity::MailFrom, SpfResult::None) => "spf-none",
        (SpfIdentity::MailFrom, SpfResult::Neutral) => "spf-neutral",
        (SpfIdentity::MailFrom, SpfResult::Pass) => "spf-pass",
        (SpfIdentity::MailFrom, SpfResult::Fail) => "spf-fail",
        (SpfIdentity::MailFrom, SpfResult::Softfail) => "spf-softfail",
        (SpfIdentity::MailFrom, SpfResult::Temperror) => "spf-temperror",
        (SpfIdentity::MailFrom, SpfResult::Permerror) => "spf-permerror",
        (SpfIdentity::Helo, SpfResult::None) => "spf-helo-none",
        (SpfIdentity::Helo, SpfResult::Neutral) => "spf-helo-neutral",
        (SpfIdentity::Helo, SpfResult::Pass) => "spf-helo-pass",
        (SpfIdentity::Helo, SpfResult::Fail) => "spf-helo-fail",
        (SpfIdentity::Helo, SpfResult::Softfail) => "spf-helo-softfail",
        (SpfIdentity::Helo, SpfResult::Temperror) => "spf-helo-temperror",
        (SpfIdentity::Helo, SpfResult::Permerror) => "spf-helo-permerror",
    }
}

/// The judgment for an action; none if it is to accept.
fn refuse(
    settings: &Settings,
    action: Action,
    reason: &'static str,
    question: &SpfQuestion,
    answer: &SpfAnswer,
) -> Option<Judgment> {
    let remark = Remark::new(reason, describe(question, answer));
    let text = text_for_client(settings, reason, question, answer);
    // RFC 7372, 3.2: X.7.23 is ‘SPF validation failed’, X.7.24 ‘SPF validation error’.
    let error = matches!(answer.result, SpfResult::Temperror | SpfResult::Permerror);
    match action {
        Action::Accept => None,
        Action::Defer => {
            Some(Judgment::Defer(remark, Reply::new(451, if error { "4.7.24" } else { "4.7.23" }, &text)))
        }
        Action::Reject => {
            Some(Judgment::Reject(remark, Reply::new(550, if error { "5.7.24" } else { "5.7.23" }, &text)))
        }
    }
}

/// What the client is told.
fn text_for_client(settings: &Settings, reason: &str, question: &SpfQuestion, answer: &SpfAnswer) -> String {
    let domain = text::printable(&question.domain, 255);
    let client = question.client;
    match answer.result {
        _ if reason == "spf-no-mail" => format!("SPF: {domain} says that it sends no mail"),
        SpfResult::Temperror => format!("SPF: the record of {domain} cannot be read at the moment"),
        SpfResult::Permerror => format!("SPF: the record of {domain} cannot be interpreted"),
        SpfResult::Fail => {
            let refused = format!("SPF: {client} is not allowed to send mail for {domain}");
            match answer.explanation.as_deref().filter(|_| settings.explanation) {
                Some(theirs) => {
                    format!("{refused}; {domain} explains: {}", text::printable(theirs, MAX_EXPLANATION))
                }
                None => refused,
            }
        }
        _ => format!("SPF: {domain} does not confirm that {client} may send mail for it"),
    }
}
