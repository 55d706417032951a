//! The judgment at the end of the message: results are recorded, fields that claim to be ours are deleted.

use super::{Examination, Record, Settings, examine};
use crate::check::{Case, Judgment, Mode, Observation, Opinion, Remark, Site, forwarding};
use crate::facts::{Open, View};
use crate::mail::authres::{self, AuthenticationResults, SpfRecord, is_same_id};
use crate::mail::spf::{SpfIdentity, SpfQuestion, SpfResult};
use crate::mail::{Edit, Header, ReversePath, received_spf};
use crate::session::{Origin, Request};

/// The judgment of a message that is already accepted: it refuses nothing.
pub(super) fn judge_message(
    site: &Site,
    settings: &Settings,
    request: &Request<'_>,
    header: &Header,
    facts: &View<'_>,
) -> Result<Opinion, Open> {
    let examined = match examine(site, request, facts)? {
        Err(remark) => Err(remark),
        Ok(examination) => {
            let passed = examination.sender().1.result == SpfResult::Pass;
            match if passed { None } else { forwarding::by_spf(site, request, facts)? } {
                Some(remark) => Err(remark),
                None => Ok(examination),
            }
        }
    };
    let authserv_id = site.authserv_id(request);
    let mut edits = Vec::new();
    if settings.delete_incoming && matches!(request.origin, Origin::Foreign | Origin::Login) {
        edits.extend(deletions(header, authserv_id));
    }
    Ok(match examined {
        Ok(examination) => {
            edits.extend(records(settings, authserv_id, request, &examination));
            let judgment = Judgment::Pass(Remark::new("spf-recorded", examination.summary()));
            Opinion { judgment, edits, observations: examination.observations() }
        }
        Err(remark) => {
            let observations = found_by_gateways(site, request, header);
            // A reader shall see that this host has nothing to say, and not look further down (RFC 8601, 2.2).
            if request.origin == Origin::Foreign && settings.headers.contains(&Record::AuthenticationResults)
            {
                edits.push(Edit::InsertAtTop(authres::write(authserv_id, &[])));
            }
            Opinion { judgment: Judgment::NotExamined(remark), edits, observations }
        }
    })
}

/// The result of the identity that stands for the sender: ours, else that of a gateway; none where it was not examined.
pub(in crate::check) fn sender_result(
    case: &Case<'_>,
    header: &Header,
    facts: &View<'_>,
) -> Result<Option<SpfResult>, Open> {
    let Case { site, locks, request, .. } = *case;
    if locks.spf.mode == Mode::Off {
        return Ok(None);
    }
    if let Ok(examination) = examine(site, request, facts)? {
        let result = examination.sender().1.result;
        let excused =
            if result == SpfResult::Pass { None } else { forwarding::by_spf(site, request, facts)? };
        return Ok(excused.map_or(Some(result), |_| None));
    }
    Ok(sender_of(request, &found_by_gateways(site, request, header)))
}

/// The result in observations that is about the sender.
fn sender_of(request: &Request<'_>, observations: &[Observation]) -> Option<SpfResult> {
    let wanted = match request.envelope.reverse_path {
        ReversePath::Null => SpfIdentity::Helo,
        _ => SpfIdentity::MailFrom,
    };
    observations.iter().find_map(|observation| match observation {
        Observation::Spf { identity, result, .. } if *identity == wanted => Some(*result),
        _ => None,
    })
}

/// The fields that record the results, the lowest first.
fn records(
    settings: &Settings,
    authserv_id: &str,
    request: &Request<'_>,
    examination: &Examination<'_>,
) -> Vec<Edit> {
    let mut edits = Vec::new();
    if settings.headers.contains(&Record::ReceivedSpf) {
        let reverse_path = request.envelope.reverse_path.to_string();
        edits.extend(examination.all().map(|(question, answer)| {
            Edit::InsertAtTop(received_spf::write(authserv_id, question, &reverse_path, answer.result))
        }));
        // Each goes above the one before; MAIL FROM shall end up on top.
        edits.reverse();
    }
    if settings.headers.contains(&Record::AuthenticationResults) {
        let names: Vec<String> = examination.all().map(|(question, _)| examined(question)).collect();
        let results: Vec<SpfRecord<'_>> = examination
            .all()
            .zip(&names)
            .map(|((question, answer), examined)| SpfRecord {
                identity: question.identity,
                examined,
                result: answer.result,
            })
            .collect();
        edits.push(Edit::InsertAtTop(authres::write(authserv_id, &results)));
    }
    edits
}

/// What was examined, as Authentication-Results names it.
fn examined(question: &SpfQuestion) -> String {
    match question.identity {
        SpfIdentity::Helo => question.domain.clone(),
        SpfIdentity::MailFrom => format!("{}@{}", question.local_part, question.domain),
    }
}

/// The deletion of every field that claims to be ours, the last first, so that no deletion renumbers another.
fn deletions(header: &Header, authserv_id: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (name, claims) in [
        (authres::NAME, authres::claims_to_be as fn(&str, &str) -> bool),
        (received_spf::NAME, received_spf::claims_to_be),
    ] {
        let ours = header.all(name).zip(1..).filter(|(field, _)| claims(&field.value, authserv_id));
        edits.extend(ours.map(|(_, occurrence)| Edit::Delete { name: name.to_owned(), occurrence }));
    }
    edits.reverse();
    edits
}

/// The results that a trusted gateway wrote into a message that we did not examine ourselves.
///
/// Only the topmost field of such a gateway counts: what stands below may be older than the gateway.
fn found_by_gateways(site: &Site, request: &Request<'_>, header: &Header) -> Vec<Observation> {
    // A message of our own users or of a stranger carries no gateway's results, only text that claims to be such.
    if request.origin == Origin::Login || site.trusted_authserv_ids.is_empty() {
        return Vec::new();
    }
    let is_trusted = |id: &str| site.trusted_authserv_ids.iter().any(|trusted| is_same_id(trusted, id));
    let field = header
        .all(authres::NAME)
        .filter_map(|field| AuthenticationResults::parse(&field.value).ok())
        .find(|field| is_trusted(&field.authserv_id));
    let Some(field) = field else { return Vec::new() };
    [SpfIdentity::MailFrom, SpfIdentity::Helo]
        .into_iter()
        .filter_map(|identity| {
            let (domain, result) = field.spf(identity)?;
            let found_by = Some(field.authserv_id.clone());
            Some(Observation::Spf { identity, domain: domain.to_owned(), result, found_by })
        })
        .collect()
}
