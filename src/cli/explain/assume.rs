//! Answers that are given on the command line, not looked up.

use std::str::FromStr;

use jiff::SignedDuration;

use crate::facts::{Answer, Cause, Existence, Grant, Original, Question, Standing, Usage};
use crate::mail::spf::{SpfAnswer, SpfIdentity, SpfQuestion, SpfResult};
use crate::mail::{Domain, Mailbox};
use crate::session::{Origin, Request};

/// One answer that is given.
#[derive(Clone, Debug)]
pub(super) struct Assumption {
    about: About,
    answer: Answer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum About {
    /// SPF of the sender, whichever identity stands for it.
    Sender,
    /// SPF of this identity.
    Identity(SpfIdentity),
    /// SPF on behalf of a forwarder.
    Forwarder(Domain),
    Recipient,
    Grant,
    Harvest,
    Usage,
    Cause,
}

/// What can be assumed, for who guessed wrong.
const KNOWN: &str =
    "what can: spf, spf.mailfrom, spf.helo, spf.DOMAIN, recipient, grant, harvest, usage, cause";

impl FromStr for Assumption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (what, said) = text.split_once('=').ok_or("an assumption is ‘WHAT=ANSWER’: ‘spf=fail’")?;
        let by = || "assumed".to_owned();
        let (about, answer) = match what {
            "spf" => (About::Sender, spf(said)?),
            "spf.helo" => (About::Identity(SpfIdentity::Helo), spf(said)?),
            "spf.mailfrom" => (About::Identity(SpfIdentity::MailFrom), spf(said)?),
            "recipient" => {
                let existence = match said {
                    "exists" => Existence::Exists(by().into()),
                    "ambiguous" => Existence::Ambiguous(by().into()),
                    "wildcard" => Existence::Wildcard(by().into()),
                    "unknown" => Existence::Unknown(by()),
                    "undetermined" => Existence::Undetermined(by()),
                    _ => {
                        let words = "‘exists’, ‘ambiguous’, ‘wildcard’, ‘unknown’ or ‘undetermined’";
                        return Err(format!("a recipient is {words}"));
                    }
                };
                (About::Recipient, Answer::Recipient(existence))
            }
            "grant" => {
                let grant = match said {
                    "yes" => Grant::Granted(by()),
                    "no" => Grant::NotGranted(vec![by()]),
                    "undetermined" => Grant::Undetermined(by()),
                    _ => return Err("a grant is ‘yes’, ‘no’ or ‘undetermined’".into()),
                };
                (About::Grant, Answer::Grant(grant))
            }
            "usage" => {
                let usage = match said {
                    "real" => Usage::Real(by()),
                    "unused" => Usage::Unused(None),
                    "undetermined" => Usage::Undetermined(by()),
                    _ => return Err("a usage is ‘real’, ‘unused’ or ‘undetermined’".into()),
                };
                (About::Usage, Answer::Usage(usage))
            }
            "harvest" => match said {
                "clear" => (About::Harvest, Answer::Harvest(Standing::Clear)),
                // The network and the time are filled in when it is asked.
                "blocked" => (About::Harvest, Answer::Harvest(Standing::NotCounted(by()))),
                _ => return Err("a client is ‘clear’ or ‘blocked’".into()),
            },
            "cause" => (About::Cause, Answer::Cause(cause(said)?)),
            _ => match what.strip_prefix("spf.").and_then(|domain| domain.parse().ok()) {
                Some(domain) => (About::Forwarder(domain), spf(said)?),
                None => return Err(format!("‘{what}’ cannot be assumed; {KNOWN}")),
            },
        };
        Ok(Self { about, answer })
    }
}

fn spf(said: &str) -> Result<Answer, String> {
    let results: Vec<&str> = SpfResult::ALL.into_iter().map(SpfResult::as_str).collect();
    let result = said.parse().map_err(|error| format!("{error}; results: {}", results.join(", ")))?;
    Ok(Answer::Spf(SpfAnswer::new(result, "assumed")))
}

/// `unknown`, or `ORIGIN[/SPF][/RECIPIENT]…`.
fn cause(said: &str) -> Result<Cause, String> {
    if said == "unknown" {
        return Ok(Cause::Unknown("assumed".to_owned()));
    }
    let wrong = "a cause is ‘unknown’ or ‘ORIGIN/SPF/RECIPIENT’: ‘login’, ‘foreign/fail/info@example.org’";
    let mut parts = said.split('/').peekable();
    let origins = [Origin::Foreign, Origin::Trusted, Origin::Login, Origin::Local];
    let name = parts.next().unwrap_or_default();
    let origin = origins.into_iter().find(|origin| origin.as_str() == name).ok_or(wrong)?;
    let spf = parts.peek().and_then(|result| result.parse().ok());
    let recipients = parts.skip(usize::from(spf.is_some()));
    let recipients = recipients.map(|name| name.parse().map(|name: Mailbox| (name, false)));
    let recipients = recipients.collect::<Result<_, _>>().map_err(|_| wrong)?;
    let (reference, is_claimed) = ("assumed".to_owned(), false);
    Ok(Cause::Known(Box::new(Original { reference, origin, spf, is_claimed, recipients })))
}

/// The answer to a question, if it is assumed.
pub(super) fn assumed(
    assumptions: &[Assumption],
    question: &Question,
    request: &Request<'_>,
) -> Option<Answer> {
    let is_about = |about: &About| match (about, question) {
        (About::Recipient, Question::Recipient(_))
        | (About::Grant, Question::Grant(_))
        | (About::Harvest, Question::Harvest(_))
        | (About::Usage, Question::Usage(_))
        | (About::Cause, Question::Cause(_)) => true,
        (about, Question::Spf(question)) => is_about_spf(about, question, request),
        _ => false,
    };
    let answer = &assumptions.iter().find(|assumption| is_about(&assumption.about))?.answer;
    Some(match (question, answer) {
        (Question::Harvest(question), Answer::Harvest(Standing::NotCounted(_))) => {
            let until = request.now.saturating_add(SignedDuration::from_hours(1)).unwrap_or(request.now);
            Answer::Harvest(Standing::Blocked { network: question.client.into(), until, names: 0 })
        }
        _ => answer.clone(),
    })
}

fn is_about_spf(about: &About, question: &SpfQuestion, request: &Request<'_>) -> bool {
    let (helo, reverse_path) = (&request.session.helo, &request.envelope.reverse_path);
    let of_sender = SpfQuestion::mail_from(question.client, helo, reverse_path);
    match about {
        About::Identity(SpfIdentity::Helo) => question.identity == SpfIdentity::Helo,
        About::Identity(SpfIdentity::MailFrom) => of_sender.as_ref() == Some(question),
        About::Sender => match of_sender {
            Some(of_sender) => of_sender == *question,
            None => question.identity == SpfIdentity::Helo,
        },
        About::Forwarder(domain) => {
            question.identity == SpfIdentity::MailFrom && question.domain == domain.as_str()
        }
        _ => false,
    }
}
