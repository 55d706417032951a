//! Bounces: delivery status notifications, and what mailboxes refuse with.

use super::auto_responders::{outsiders, recipient_domains};
use super::{Policy, Reasons, Unknown, is_excepted, judge_answer, ties};
use crate::check::authors::visible_domains;
use crate::check::{Case, Check, CheckId, Judgment, Mode, Opinion, Remark, Site, Subject, recipients, spf};
use crate::facts::{Cause, Open, Original, View, both};
use crate::mail::automatic::{self, Automatic};
use crate::mail::spf::SpfResult;
use crate::mail::{Domain, Edit, Header, Mailbox, ReversePath, path};
use crate::session::{Origin, Point, Recipient, Request};

/// The settings of the lock in one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which messages are bounced.
    pub policy: Policy,
    /// What becomes of a bounce of what is not known, or of a message whose SPF result is not.
    pub unknown: Unknown,
    /// Whether a message that is not to be bounced says so to the MTA when it comes, by `NOTIFY=NEVER` (RFC 3461, 4.1).
    pub notifies_never: bool,
}

/// The lock. A bounce about several domains is thrown away only if all of them want that.
pub struct Bounces;

impl Check for Bounces {
    fn id(&self) -> CheckId {
        CheckId::Bounces
    }

    fn takes_all(&self, request: &Request<'_>) -> bool {
        request.origin != Origin::Foreign
    }

    /// Before: each domain for its own recipients.
    fn concerns(&self, site: &Site, request: &Request<'_>) -> Vec<Subject> {
        let is_before = matches!(request.point, Point::Message(_)) && request.origin == Origin::Foreign;
        if !is_before {
            return Vec::new();
        }
        recipient_domains(site, request).into_iter().map(Subject::Hosted).collect()
    }

    fn concerns_by_facts(
        &self,
        site: &Site,
        request: &Request<'_>,
        facts: &View<'_>,
    ) -> Result<Vec<Subject>, Open> {
        let Point::Message(header) = request.point else { return Ok(Vec::new()) };
        if request.origin == Origin::Foreign {
            return Ok(self.concerns(site, request));
        }
        if !is_bounce(request, header) {
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
        let Settings { policy, unknown, .. } = case.locks.bounces.settings;
        let Point::Message(header) = case.request.point else {
            return Ok(Judgment::NotExamined(Remark::new("bounce-later", "judged with the message")).into());
        };
        if case.request.origin == Origin::Foreign {
            return before(case, header, facts);
        }
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
        Ok(super::strictest(causes.into_iter().map(judge).collect()).into())
    }
}

/// Tells the MTA not to bounce the message to recipients of this domain, where it should not.
fn before(case: &Case<'_>, header: &Header, facts: &View<'_>) -> Result<Opinion, Open> {
    let settings = &case.locks.bounces.settings;
    let allowed = |detail: &str| Judgment::NotExamined(Remark::new("bounce-allowed", detail)).into();
    // Sendmail takes the parameter and bounces all the same.
    if !settings.notifies_never
        || case.locks.bounces.mode != Mode::Enforce
        || !case.request.session.is_postfix
    {
        return Ok(allowed("`bounces.at_source` is off"));
    }
    if case.request.envelope.reverse_path == ReversePath::Null {
        return Ok(allowed("nobody would get it"));
    }
    if is_excepted(case, CheckId::Bounces) {
        return Ok(allowed("excepted"));
    }
    let spf = spf::sender_result(case, header, facts)?;
    let word = spf.map_or("not examined", SpfResult::as_str);
    let detail = format!("policy {}; spf {word}", settings.policy.as_str());
    let answers = settings.policy.answers(spf, settings.unknown);
    let ours = case.request.envelope.recipients.iter().filter(|one| one.path.domain() == case.domain);
    let mut edits = Vec::new();
    for recipient in ours {
        let by_wildcard = match recipient.path.mailbox() {
            Some(mailbox) if answers => recipients::is_by_wildcard(case, mailbox, facts)?,
            _ => false,
        };
        if !answers || by_wildcard {
            edits.extend(never_notify(recipient));
        }
    }
    if edits.is_empty() {
        return Ok(allowed(&detail));
    }
    let judgment = Judgment::NotExamined(Remark::new("bounce-suppressed", format!("{detail}: no bounces")));
    Ok(Opinion { judgment, edits, observations: Vec::new() })
}

/// The same recipient without notifications; nothing where the MTA would not know it again.
fn never_notify(recipient: &Recipient) -> Vec<Edit> {
    let keyword = |parameter: &str, keyword: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        name.eq_ignore_ascii_case(keyword).then(|| value.to_owned())
    };
    let value = |name| recipient.parameters.iter().find_map(|parameter| keyword(parameter, name));
    if value("NOTIFY").is_some_and(|value| value.eq_ignore_ascii_case("NEVER")) {
        return Vec::new();
    }
    // xtext (RFC 3461, 4): what is not is not passed on.
    let is_xtext = |value: &String| value.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'=');
    let original =
        value("ORCPT").filter(is_xtext).map_or_else(String::new, |value| format!(" ORCPT={value}"));
    let Some(address) = path::unrouted(&recipient.argument) else { return Vec::new() };
    vec![
        Edit::DeleteRecipient(address.clone()),
        Edit::AddRecipient { address, parameters: format!("NOTIFY=NEVER{original}") },
    ]
}

fn is_bounce(request: &Request<'_>, header: &Header) -> bool {
    matches!(
        automatic::recognise_leaving(header, &request.envelope.reverse_path, request.report),
        (Some(Automatic::Bounce), _)
    )
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::ForwardPath;

    /// What a milter has to say so that Postfix deletes the recipient that this argument of RCPT made.
    #[track_caller]
    fn check(argument: &str, expected: Option<&str>) {
        let parameters = vec!["NOTIFY=FAILURE".to_owned(), "ORCPT=rfc822;x@example.com".to_owned()];
        let recipient =
            Recipient { argument: argument.to_owned(), parameters, path: ForwardPath::parse(argument) };
        let expected = expected.map_or_else(Vec::new, |address| {
            let parameters = "NOTIFY=NEVER ORCPT=rfc822;x@example.com".to_owned();
            let address = address.to_owned();
            vec![Edit::DeleteRecipient(address.clone()), Edit::AddRecipient { address, parameters }]
        });
        assert_eq!(never_notify(&recipient), expected, "{argument}");
    }

    #[test]
    fn recipients_that_are_told_of_nothing() {
        check("<Info@Example.org>", Some("<Info@Example.org>"));
        check("Info@Example.org", Some("<Info@Example.org>"));
        check("< Info@Example.org >", Some("<Info@Example.org>"));
        check("<\"in fo\"@example.org>", Some("<\"in fo\"@example.org>"));
        check("<\"a>b\"@example.org>", Some("<\"a>b\"@example.org>"));
        // Postfix forgets the route at RCPT, and would not find it again.
        check("<@relay.example,@[IPv6:::1]:Info@Example.org>", Some("<Info@Example.org>"));
        check("<<Info@Example.org>>", None);
        check("<>", None);
    }
}
