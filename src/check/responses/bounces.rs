//! Bounces: delivery status notifications, and what mailboxes refuse with.

use super::auto_responders::outsiders;
use super::{Policy, Reasons, Unknown, judge_answer, ties};
use crate::check::authors::visible_domains;
use crate::check::{Case, Check, CheckId, Judgment, Opinion, Remark, Site, Subject};
use crate::facts::{Cause, Open, Original, View, both};
use crate::mail::automatic::{self, Automatic};
use crate::mail::{Domain, Header, Mailbox};
use crate::session::{Origin, Point, Request};

/// The settings of the lock in one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which messages are bounced.
    pub policy: Policy,
    /// What becomes of a bounce of what is not known, or of a message whose SPF result is not.
    pub unknown: Unknown,
}

/// The lock. A bounce about several domains is thrown away only if all of them want that.
pub struct Bounces;

impl Check for Bounces {
    fn id(&self) -> CheckId {
        CheckId::Bounces
    }

    fn takes_all(&self) -> bool {
        true
    }

    fn concerns(&self, _: &Site, _: &Request<'_>) -> Vec<Subject> {
        Vec::new()
    }

    fn concerns_by_facts(
        &self,
        site: &Site,
        request: &Request<'_>,
        facts: &View<'_>,
    ) -> Result<Vec<Subject>, Open> {
        let Point::Message(header) = request.point else { return Ok(Vec::new()) };
        if request.origin == Origin::Foreign || !is_bounce(request, header) {
            return Ok(Vec::new());
        }
        let mut domains = Vec::new();
        for cause in causes(site, request, header, facts)? {
            match cause {
                Cause::Known(original) => domains.extend(bounced(site, request, original)),
                Cause::Unknown(_) => {
                    domains.extend(reported(site, request));
                    let from = visible_domains(header, "From");
                    domains.extend(from.into_iter().filter(|domain| site.hosts(domain)));
                }
            }
        }
        domains.sort();
        domains.dedup();
        if domains.is_empty() && request.origin == Origin::Local && !outsiders(site, request).is_empty() {
            return Ok(vec![Subject::OrDefaults(None)]);
        }
        Ok(domains.into_iter().map(Subject::Hosted).collect())
    }

    fn judge(&self, case: &Case<'_>, facts: &View<'_>) -> Result<Opinion, Open> {
        const REASONS: Reasons =
            Reasons { pass: "bounce-wanted", unknown: "bounce-unknown", discard: "bounce-unwanted" };
        let Settings { policy, unknown } = case.locks.bounces.settings;
        let Point::Message(header) = case.request.point else {
            return Ok(Judgment::NotExamined(Remark::new("bounce-later", "judged with the message")).into());
        };
        if policy == Policy::Allow {
            return Ok(Judgment::Pass(Remark::new("bounce-wanted", "policy allow")).into());
        }
        let by_wildcard = |original: &Original| {
            let mut ours = original.recipients.iter().filter(|(mailbox, _)| {
                case.domain
                    .is_none_or(|domain| case.site.followed(mailbox.domain()) == case.site.followed(domain))
            });
            ours.next().is_some_and(|(_, first)| *first) && ours.all(|(_, by_wildcard)| *by_wildcard)
        };
        let causes = causes(case.site, case.request, header, facts)?;
        let judge = |cause| judge_answer(cause, (policy, unknown), by_wildcard, &REASONS);
        Ok(super::mildest(causes.into_iter().map(judge).collect()).into())
    }
}

fn is_bounce(request: &Request<'_>, header: &Header) -> bool {
    matches!(automatic::recognise(header, &request.envelope.reverse_path), (Some(Automatic::Bounce), _))
}

/// The messages that bounced, one for each outsider that is told.
fn causes<'a>(
    site: &Site,
    request: &Request<'_>,
    header: &Header,
    facts: &View<'a>,
) -> Result<Vec<&'a Cause>, Open> {
    let mut causes = Ok(Vec::new());
    for sender in outsiders(site, request) {
        let question = ties::of_bounce(request, header, sender);
        causes = both(causes, facts.cause(question)).map(|(mut causes, cause)| {
            causes.push(cause);
            causes
        });
    }
    causes
}

/// The hosted domains whose mailboxes did not get the message: those that the report names, else all of its recipients.
fn bounced(site: &Site, request: &Request<'_>, original: &Original) -> Vec<Domain> {
    let all = || original.recipients.iter().map(|(mailbox, _)| mailbox.domain().clone());
    let named: Vec<Domain> = named(request).iter().map(|domain| site.followed(domain).clone()).collect();
    let some: Vec<Domain> = all().filter(|domain| named.contains(domain)).collect();
    if some.is_empty() { all().collect() } else { some }
}

/// The hosted domains that the report names.
fn reported(site: &Site, request: &Request<'_>) -> Vec<Domain> {
    named(request).into_iter().filter(|domain| site.hosts(domain)).collect()
}

fn named(request: &Request<'_>) -> Vec<Domain> {
    let recipients = request.report.into_iter().flat_map(|report| &report.recipients);
    recipients
        .filter_map(|text| text.parse::<Mailbox>().ok())
        .map(|mailbox| mailbox.domain().clone())
        .collect()
}
