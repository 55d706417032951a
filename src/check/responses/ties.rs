//! What ties an answer to the message that it answers.

use jiff::Timestamp;

use crate::facts::{CauseQuestion, Tie};
use crate::mail::media_type::MediaType;
use crate::mail::{ForwardPath, Header, Mailbox, message_id};
use crate::session::Request;

/// Identifiers that are taken from one field. The nearest stand at the end of References.
const MOST_IDENTIFIERS: usize = 3;

/// The ties of a bounce to a message of this sender, the surest first.
pub(super) fn of_bounce(request: &Request<'_>, header: &Header, sender: ForwardPath) -> CauseQuestion {
    let mut ties: Vec<Tie> = queue(header).into_iter().collect();
    if let Some(report) = request.report {
        ties.extend(report.message_ids.iter().cloned().map(Tie::MessageId));
        let answered = request.now;
        ties.extend(report.queue_id.clone().map(|id| Tie::Queue { id, answered }));
    }
    ties.extend(identifiers(header));
    ties.push(Tie::Sender { answered: request.now });
    CauseQuestion { sender, ties: distinct(ties) }
}

/// The ties of an automatic reply of this mailbox to a message of this sender.
pub(super) fn of_reply(
    request: &Request<'_>,
    header: &Header,
    mailbox: Mailbox,
    sender: ForwardPath,
) -> CauseQuestion {
    // A receipt names what it is about in its body (RFC 8098, 3.2.5).
    let named = request.report.into_iter().flat_map(|report| &report.message_ids);
    let mut ties: Vec<Tie> = named.cloned().map(Tie::MessageId).collect();
    ties.extend(identifiers(header));
    ties.push(Tie::Correspondents { mailbox, answered: request.now });
    CauseQuestion { sender, ties: distinct(ties) }
}

/// Postfix names the message that it returns in the boundary: `QUEUE-ID.SECONDS/HOST`.
fn queue(header: &Header) -> Option<Tie> {
    let field = header.all("Content-Type").next()?;
    let media_type = MediaType::parse(&field.value)?;
    let (id, rest) = media_type.parameter("boundary")?.split_once('.')?;
    let (seconds, _) = rest.split_once('/')?;
    let answered = Timestamp::from_second(seconds.parse().ok()?).ok()?;
    let is_id = !id.is_empty() && id.bytes().all(|octet| octet.is_ascii_alphanumeric());
    is_id.then(|| Tie::Queue { id: id.to_owned(), answered })
}

fn identifiers(header: &Header) -> Vec<Tie> {
    let of = |name: &'static str, limit| {
        let field = header.all(name).next();
        field.map_or_else(Vec::new, |field| message_id::parse(&field.value, limit))
    };
    let references = of("References", MOST_IDENTIFIERS).into_iter().rev();
    // Exchange's replies have neither where a gateway or an old version takes them away.
    let parent = of("X-MS-Exchange-Parent-Message-Id", 1);
    of("In-Reply-To", 1).into_iter().chain(references).chain(parent).map(Tie::MessageId).collect()
}

fn distinct(ties: Vec<Tie>) -> Vec<Tie> {
    let mut kept: Vec<Tie> = Vec::new();
    for tie in ties {
        if !kept.contains(&tie) {
            kept.push(tie);
        }
    }
    kept
}
