//! The judgment at the end of the message: results are recorded, fields that claim to be ours are deleted.

use super::{Examination, Record, Settings, examine};
use crate::check::{Case, Judgment, Mode, Observation, Opinion, Remark, Site, forwarding, gateways};
use crate::facts::{Open, View};
use crate::mail::authres::{self, AuthenticationResults, SpfRecord};
use crate::mail::spf::{SpfIdentity, SpfResult};
use crate::mail::{Edit, Header, OwnName, Reply, ReversePath, received_spf};
use crate::session::{Origin, Request};

/// How many fields are deleted from one message. Honest mail that was forwarded a dozen times has a dozen; to Postfix
/// 20,000 deletions cost a core for 14 s, as each goes through the queue file again, and then cleanup(8) gives up.
const MOST_DELETIONS: usize = 100;

/// The judgment of a message whose recipients are accepted. It refuses only what is an attack on the MTA.
pub(super) fn judge_message(
    site: &Site,
    settings: &Settings,
    request: &Request<'_>,
    header: &Header,
    facts: &View<'_>,
) -> Result<Opinion, Open> {
    let examined = examine_unless_forwarded(site, request, facts)?;
    let authserv_id = site.authserv_id(request);
    let mut edits = Vec::new();
    if settings.delete_incoming && matches!(request.origin, Origin::Foreign | Origin::Login) {
        edits.extend(deletions(header, authserv_id, &request.envelope.reverse_path));
    }
    if edits.len() > MOST_DELETIONS {
        return Ok(too_many(edits));
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
    Ok(match examine_unless_forwarded(site, request, facts)? {
        Ok(examination) => Some(examination.sender().1.result),
        Err(_) => sender_of(request, &found_by_gateways(site, request, header)),
    })
}

/// Both identities examined, or why the client is none whom SPF could judge: it may be a forwarder by SPF, too.
fn examine_unless_forwarded<'a>(
    site: &Site,
    request: &Request<'_>,
    facts: &View<'a>,
) -> Result<Result<Examination<'a>, Remark>, Open> {
    Ok(match examine(site, request, facts)? {
        Ok(examination) if examination.sender().1.result != SpfResult::Pass => {
            forwarding::by_spf(site, request, facts)?.map_or(Ok(examination), Err)
        }
        examined => examined,
    })
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
        let reverse_path = &request.envelope.reverse_path;
        edits.extend(examination.all().map(|(question, answer)| {
            Edit::InsertAtTop(received_spf::write(authserv_id, question, reverse_path, answer.result))
        }));
        // Each goes above the one before; MAIL FROM shall end up on top.
        edits.reverse();
    }
    if settings.headers.contains(&Record::AuthenticationResults) {
        let results: Vec<SpfRecord<'_>> = examination
            .all()
            .map(|(question, answer)| SpfRecord {
                identity: question.identity,
                domain: &question.domain,
                result: answer.result,
            })
            .collect();
        edits.push(Edit::InsertAtTop(authres::write(authserv_id, &results)));
    }
    edits
}

/// The refusal of a message with more fields to delete than an MTA can bear. Where nothing is refused, the topmost of
/// them go, which readers look at first.
fn too_many(mut deletions: Vec<Edit>) -> Opinion {
    let detail = format!(
        "{} fields claim to be ours or mislead about SPF; {MOST_DELETIONS} can be deleted",
        deletions.len()
    );
    let reply = Reply::new(550, "5.6.0", "Too many Authentication-Results or Received-SPF fields");
    let edits = deletions.split_off(deletions.len() - MOST_DELETIONS);
    let judgment = Judgment::Reject(Remark::new("spf-too-many-fields", detail), reply);
    Opinion { judgment, edits, observations: Vec::new() }
}

/// The deletion of every field that could be taken for ours, the last first, so that no deletion renumbers another.
fn deletions(header: &Header, authserv_id: &str, sender: &ReversePath) -> Vec<Edit> {
    let ours = OwnName::new(authserv_id);
    let claims = |body: &str| authres::claims_to_be(body, &ours);
    let misleads = |body: &str| received_spf::misleads(body, &ours, sender);
    let mut edits = deletions_of(authres::NAME, header, claims);
    edits.extend(deletions_of(received_spf::NAME, header, misleads));
    edits.reverse();
    edits
}

fn deletions_of(name: &str, header: &Header, must_go: impl Fn(&str) -> bool) -> Vec<Edit> {
    let fields = header.all(name).zip(1..).filter(|(field, _)| must_go(&field.value));
    fields.map(|(_, occurrence)| Edit::Delete { name: name.to_owned(), occurrence }).collect()
}

/// The results that trusted gateways wrote into a message that we did not examine ourselves, as its client is no
/// stranger: of each identity the topmost, in whichever of their fields it stands.
fn found_by_gateways(site: &Site, request: &Request<'_>, header: &Header) -> Vec<Observation> {
    // A message of our own users carries no gateway's results, only text that claims to be such.
    if request.origin == Origin::Login {
        return Vec::new();
    }
    let fields = gateways::believed(site, header, true);
    [SpfIdentity::MailFrom, SpfIdentity::Helo]
        .into_iter()
        .filter_map(|identity| {
            let found = |field: &AuthenticationResults| {
                let (domain, result) = field.spf(identity)?;
                let found_by = Some(field.authserv_id.clone());
                Some(Observation::Spf { identity, domain: domain.to_owned(), result, found_by })
            };
            fields.iter().find_map(found)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Field;

    /// A header as long as we read one, in many fields and in few: what it costs to look through grows with its length,
    /// or this does not end.
    #[test]
    fn hostile_fields_are_looked_through_in_time() {
        let sender = ReversePath::parse("<x@bank.test>");
        for (name, unit, expected) in [
            (authres::NAME, "m(x.(example.(", false),
            (authres::NAME, "mx.example.or)", false),
            (authres::NAME, "=?x?q?mx.example.or", false),
            (authres::NAME, "\"(\\\u{e9}\u{308}", false),
            (authres::NAME, "mx . example . org ", true),
            (received_spf::NAME, "pass (", true),
        ] {
            for times in [1, 20_000] {
                let fields = if times == 1 { 20_000 } else { 1 };
                let header: Header = (0..fields).map(|_| Field::new(name, unit.repeat(times))).collect();
                assert!(!header.is_excessive());
                let deleted = deletions(&header, "mx.example.org", &sender).len();
                // What is too long to be read to its end may name us there.
                let expected = expected || times > 1;
                assert_eq!(deleted, if expected { fields } else { 0 }, "{unit} {times}");
            }
        }
        let pairs = (0..100_000).fold(String::new(), |pairs, n| pairs + &format!("k{n}=;"));
        let header =
            Header::from_iter([Field::new(received_spf::NAME, format!("pass receiver=gw.example;{pairs}"))]);
        assert_eq!(deletions(&header, "mx.example.org", &sender), []);
    }
}
