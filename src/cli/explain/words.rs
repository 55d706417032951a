//! Questions and answers in words.

use super::world::By;
use crate::facts::{Answer, Cause, CauseQuestion, Existence, Grant, Question, Standing, Tie, Usage};
use crate::mail::spf::SpfIdentity;

/// A question. `sources` are the names of the sources of recipients.
pub(super) fn question(question: &Question, sources: &[String]) -> String {
    match question {
        Question::Cause(CauseQuestion { sender, ties }) if let [Tie::Posted { to, .. }] = ties.as_slice() => {
            format!("whether {sender} sent this message to {to}")
        }
        Question::Cause(cause) => format!("which message from {} this one answers", cause.sender),
        Question::Harvest(harvest) => format!("whether {} is blocked for guessing names", harvest.client),
        Question::Recipient(recipient) => {
            let source = sources.get(recipient.source.number).map_or("?", String::as_str);
            let name = recipient.forms.first().map(ToString::to_string).unwrap_or_default();
            format!("whether {name} exists, by {source}")
        }
        Question::Usage(usage) => format!("who uses {}, which only a wildcard knows", usage.mailbox),
        Question::Grant(grant) => format!("whether {} may send as {}", grant.login.0, grant.mailbox),
        Question::Spf(spf) => {
            let identity = match spf.identity {
                SpfIdentity::Helo => "HELO",
                SpfIdentity::MailFrom => "MAIL FROM",
            };
            format!("SPF of {} ({identity}) for {}", spf.domain, spf.client)
        }
    }
}

/// An answer.
pub(super) fn answer(answer: &Answer) -> String {
    match answer {
        Answer::Cause(Cause::Known(original)) => {
            let spf = original.spf.map_or("not examined", |result| result.as_str());
            let header = if original.is_claimed { ", whose header alone names it" } else { "" };
            format!(
                "the one of reference {}, from {}, SPF {spf}{header}",
                original.reference,
                original.origin.as_str()
            )
        }
        Answer::Harvest(Standing::Clear) => "it is not".to_owned(),
        Answer::Harvest(Standing::Blocked { network, until, names }) => {
            format!("{network} is, until {until:.0}, for {names} names")
        }
        Answer::Recipient(Existence::Exists(by)) => format!("yes, by {by}"),
        Answer::Recipient(Existence::Relocated { to, by }) => format!("it has moved to {to}, by {by}"),
        Answer::Recipient(Existence::Ambiguous(by)) => {
            format!("yes, though it cannot be told from names that nobody has, by {by}")
        }
        Answer::Recipient(Existence::Wildcard(by)) => format!("only by a wildcard, {by}"),
        Answer::Recipient(Existence::Unknown(_)) => "no".to_owned(),
        Answer::Recipient(Existence::NoList(why)) => format!("no list to tell by: {why}"),
        Answer::Usage(Usage::Real(how)) => format!("real correspondents: {how}"),
        Answer::Usage(Usage::Unused(None)) => "nobody real, as far as is known".to_owned(),
        Answer::Usage(Usage::Unused(Some(since))) => {
            format!("nobody real; this sender was first deferred at {since:.0}")
        }
        Answer::Grant(Grant::Granted(by)) => format!("yes, {by}"),
        Answer::Grant(Grant::NotGranted(sources)) if sources.is_empty() => {
            "no: there is no source".to_owned()
        }
        Answer::Grant(Grant::NotGranted(sources)) => format!("no, by {}", sources.join(", ")),
        Answer::Spf(spf) => format!("{}: {}", spf.result, spf.cause),
        Answer::Cause(Cause::Unknown(why))
        | Answer::Harvest(Standing::NotCounted(why))
        | Answer::Recipient(Existence::Undetermined(why))
        | Answer::Usage(Usage::Undetermined(why))
        | Answer::Grant(Grant::Undetermined(why)) => format!("not known: {why}"),
    }
}

/// Who answered, where that is worth a word.
pub(super) fn by(by: By, is_repeated: bool) -> &'static str {
    match by {
        By::Assumption => " (assumed)",
        By::Source if is_repeated => " (asked now)",
        By::Log | By::Source | By::Nobody => "",
    }
}
