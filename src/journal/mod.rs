//! The journal: what is written about a decision. Pure: from a decision to a record, and from a record to one line.
//!
//! The journal answers ‘why was my mail refused?’. It holds attacker text, so [`render`] sees to it that one event is
//! one line and that nothing in it can imitate another field.

pub mod judged;
pub mod parse;
pub mod render;
pub mod summary;

use jiff::Timestamp;

use crate::check::{Judgment, Known, Mode, Observation};
use crate::decide::{Decision, Verdict};
use crate::mail::{Header, Reply};
use crate::session::{Point, Request};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A decision about a recipient.
    Recipient,
    /// A decision about a message.
    Message,
}

impl Event {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recipient => "recipient",
            Self::Message => "message",
        }
    }
}

/// One line of the journal, before it is text. Names and meanings are a contract (see the manual).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub time: Timestamp,
    /// What.
    pub event: Event,
    /// The verdict that was given: `pass`, `discard`, `defer`, `reject`.
    pub verdict: &'static str,
    /// The verdict if every lock were enforced, where it differs.
    pub would: Option<&'static str>,
    /// The mode of the decisive lock.
    pub mode: Option<Mode>,
    /// The decisive lock.
    pub check: Option<&'static str>,
    /// The stable word for the reason.
    pub reason: Option<&'static str>,
    /// The reason for people.
    pub detail: Option<String>,
    /// What the client was told, or would have been.
    pub reply: Option<String>,
    /// The client's address, or its name where it has none.
    pub client: String,
    /// The name in HELO.
    pub helo: String,
    /// The reverse-path.
    pub mail_from: String,
    /// The forward-paths.
    pub rcpt_to: Vec<String>,
    /// The login.
    pub login: Option<String>,
    /// The From field of the header, raw.
    pub header_from: Option<String>,
    /// The mailbox that the login may not be, as it was compared.
    pub claimed: Option<String>,
    /// Where the message comes from.
    pub origin: &'static str,
    /// The SPF results: `mailfrom:fail,helo:none`.
    pub spf: Option<String>,
    /// The MTA's name for the message.
    pub queue_id: Option<String>,
    /// The reference that the client was given, or that an answer to the message will be judged by.
    pub reference: Option<String>,
    /// How long the decision took, in milliseconds; of a message, together with those about its recipients.
    pub ms: u64,
    /// What it was judged on ([`judged::write`]), for the JSON log.
    pub judged: Option<String>,
}

impl Record {
    /// The record of a decision. `reply` is what the client was told, its reference included.
    pub fn of(request: &Request<'_>, decision: &Decision) -> Self {
        let decisive = decision.decisive();
        let remark = decisive.map(|finding| finding.judgment.remark());
        let mut record = Self::bare(request, decision.verdict.as_str());
        record.would = (decision.would.as_str() != record.verdict).then(|| decision.would.as_str());
        record.mode = decisive.map(|finding| finding.mode);
        record.check = decisive.map(|finding| finding.check.as_str());
        record.reason = remark.map(|remark| remark.reason);
        record.detail = remark.map(|remark| remark.detail.clone());
        record.claimed = remark.and_then(|remark| remark.claimed.clone());
        record.reply = decision.verdict.reply().or(decision.would.reply()).map(Reply::to_string);
        record.spf = spf(&decision.observations);
        record
    }

    fn bare(request: &Request<'_>, verdict: &'static str) -> Self {
        let (session, envelope) = (request.session, request.envelope);
        let (event, rcpt_to, header_from) = match request.point {
            // A message that is refused before it has recipients.
            Point::Transaction => (Event::Message, Vec::new(), None),
            Point::Recipient(path) => (Event::Recipient, vec![path.to_string()], None),
            Point::Message(header) => {
                let paths = envelope.forward_paths().map(ToString::to_string).collect();
                (Event::Message, paths, header_from(header))
            }
        };
        let client = session.client.address.map_or_else(|| session.client.name.clone(), |a| a.to_string());
        Self {
            time: request.now,
            event,
            verdict,
            would: None,
            mode: None,
            check: None,
            reason: None,
            detail: None,
            reply: None,
            client,
            helo: session.helo.clone(),
            mail_from: envelope.reverse_path.to_string(),
            rcpt_to,
            login: envelope.login.as_ref().map(|login| login.0.clone()),
            header_from,
            claimed: None,
            origin: request.origin.as_str(),
            spf: None,
            queue_id: envelope.queue_id.clone(),
            reference: None,
            ms: 0,
            judged: None,
        }
    }
}

/// Whether a decision about a recipient is worth a line: it is not a pass without events.
pub fn is_eventful(decision: &Decision) -> bool {
    let lifted = |judgment: &Judgment| matches!(judgment, Judgment::Excepted(_));
    let returned = |observation: &Observation| {
        matches!(observation, Observation::Recipient { known: Known::OnReturn, .. })
    };
    decision.would != Verdict::Pass
        || decision.verdict != Verdict::Pass
        || decision.findings.iter().any(|finding| lifted(&finding.judgment))
        || decision.observations.iter().any(returned)
}

/// The first From field; whether there may be more is for a check to say.
fn header_from(header: &Header) -> Option<String> {
    header.all("From").next().map(|field| field.value.trim().to_owned())
}

/// The SPF results in the form of the field `spf`.
fn spf(observations: &[Observation]) -> Option<String> {
    let parts: Vec<String> = observations
        .iter()
        .filter_map(|observation| {
            let Observation::Spf { identity, result, found_by, .. } = observation else { return None };
            Some(match found_by {
                None => format!("{}:{result}", identity.property()),
                Some(gateway) => format!("{}:{result}@{gateway}", identity.property()),
            })
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join(","))
}
