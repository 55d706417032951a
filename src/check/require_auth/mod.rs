//! Authentication required: nobody outside uses a hosted domain as sender without logging in (RFC 6409).

mod lists;

pub use lists::Lists;

use lists::Word;

use super::alignment::is_aligned;
use super::authors::visible_domains;
use super::{Case, Check, CheckId, Judgment, Opinion, Remark, Site, Subject, delivery, forwarding, gateways};
use crate::facts::{Open, View};
use crate::mail::spf::{SpfAnswer, SpfQuestion, SpfResult};
use crate::mail::{Domain, Header, Reply, ReversePath};
use crate::session::{Origin, Point, Request};

/// The settings of the lock in one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether the domain in MAIL FROM takes a login.
    pub mail_from: bool,
    /// Whether the domains in the header's From and Sender take a login.
    pub header_from: bool,
    /// Whether a client needs no login that the domain's SPF record authorises.
    pub unless_spf_pass: bool,
    /// Which mailing lists may bring back what our users posted.
    pub lists: Lists,
}

impl Settings {
    /// Whether it matters where our users sent their messages, as lists may bring them back.
    pub fn follows_posts(&self) -> bool {
        self.header_from && self.lists == Lists::Posted
    }
}

/// The lock.
pub struct RequireAuth;

impl Check for RequireAuth {
    fn id(&self) -> CheckId {
        CheckId::RequireAuth
    }

    fn concerns(&self, site: &Site, request: &Request<'_>) -> Vec<Subject> {
        if request.origin != Origin::Foreign {
            return Vec::new();
        }
        let router = router(request);
        let mut domains = match request.point {
            // What we cannot read, the MTA and the readers of Return-Path may read all the same.
            Point::Recipient(_) => request.envelope.reverse_path.domains(),
            Point::Message(header) => shown_domains(header),
            Point::Transaction => Vec::new(),
        };
        let host = delivery::host(site, request);
        if matches!(request.point, Point::Recipient(_)) && request.envelope.reverse_path.may_be_completed() {
            domains.extend(host.clone().filter(|host| !domains.contains(host)));
        }
        if let Some(router) = router.as_ref().filter(|router| !domains.contains(router)) {
            domains.push(router.clone());
        }
        // What sends by the name of the host is on the host itself, and no stranger.
        let is_host = |domain: &Domain| [&host, &router].into_iter().flatten().any(|own| own == domain);
        let subject = |domain| {
            if is_host(&domain) { Subject::OrDefaults(Some(domain)) } else { Subject::Hosted(domain) }
        };
        domains.into_iter().map(subject).collect()
    }

    fn judge(&self, case: &Case<'_>, facts: &View<'_>) -> Result<Opinion, Open> {
        let settings = &case.locks.require_auth.settings;
        let own = || router(case.request).or_else(|| delivery::host(case.site, case.request));
        let own = if case.domain.is_none() { own() } else { None };
        let domain = case.domain.or(own.as_ref());
        let judgment = match case.request.point {
            Point::Transaction | Point::Recipient(_) => judge_mail_from(case, settings, domain, facts)?,
            Point::Message(header) => judge_header(case, settings, (header, domain), facts)?,
        };
        Ok(judgment.into())
    }
}

/// The domain through which the reverse-path is a route to another: the MTA takes only domains of its own off an address,
/// hosted or not. Bounces would go to the other, whose SPF record nobody has read.
fn router(request: &Request<'_>) -> Option<Domain> {
    let (Point::Recipient(_), ReversePath::Twofold(twofold)) =
        (request.point, &request.envelope.reverse_path)
    else {
        return None;
    };
    let kept = twofold.kept()?;
    let leads_on = twofold.delivered().is_some_and(|delivered| delivered.domain() != kept.domain());
    leads_on.then(|| kept.domain().clone())
}

/// The domains of whoever a reader shows a message to be from, sorted: those in From and in Sender. Outlook shows both, and
/// only Sender where there is no From.
fn shown_domains(header: &Header) -> Vec<Domain> {
    let mut domains = visible_domains(header, "From");
    domains.extend(visible_domains(header, "Sender"));
    domains.sort();
    domains.dedup();
    domains
}

/// The judgment of one domain in the reverse-path, at RCPT.
fn judge_mail_from(
    case: &Case<'_>,
    settings: &Settings,
    domain: Option<&Domain>,
    facts: &View<'_>,
) -> Result<Judgment, Open> {
    let Some(domain) = domain.filter(|_| settings.mail_from) else {
        return Ok(Judgment::NotExamined(Remark::new("auth-not-required", "require_auth.mail_from is off")));
    };
    if let Some(remark) = forwarding::by_network(case.site, case.request) {
        return Ok(forwarded(&remark, domain));
    }
    let speaks = sender_domain(case.request).is_some_and(|sender| sender == *domain);
    if settings.unless_spf_pass
        && speaks
        && let Some(answer) = sender_spf(case.request, facts)?
    {
        match answer.result {
            SpfResult::Pass => {
                let detail = format!("the SPF record of {domain} authorises the client: {}", answer.cause);
                return Ok(Judgment::Pass(Remark::new("auth-spf-pass", detail)));
            }
            SpfResult::Temperror => return Ok(unknown(domain, &answer.cause)),
            _ => {}
        }
    }
    refuse(case, domain, "auth-required-mail-from", "MAIL FROM", facts)
}

/// The judgment of one domain in From or Sender, at the end of the message.
fn judge_header(
    case: &Case<'_>,
    settings: &Settings,
    (header, domain): (&Header, Option<&Domain>),
    facts: &View<'_>,
) -> Result<Judgment, Open> {
    let Some(domain) = domain.filter(|_| settings.header_from) else {
        return Ok(Judgment::NotExamined(Remark::new(
            "auth-not-required",
            "require_auth.header_from is off",
        )));
    };
    if let Some(remark) = forwarding::by_network(case.site, case.request) {
        return Ok(forwarded(&remark, domain));
    }
    let signers = signers(case, header);
    if let Some(signer) = signers.iter().find(|signer| is_aligned(signer, domain)) {
        let detail = format!("signed by {signer}, as a trusted authserv-id says");
        return Ok(Judgment::Pass(Remark::new("auth-dkim-pass", detail)));
    }
    let speaks = sender_domain(case.request).is_some_and(|sender| is_aligned(&sender, domain));
    // What SPF says matters only where it could speak for the domain, or for a list.
    let (reason, why) = if settings.unless_spf_pass && speaks {
        ("auth-spf-pass", "SPF passes for an aligned sender".to_owned())
    } else {
        match lists::word(case, header, domain, &signers, facts)? {
            Word::Signed(why) => return Ok(Judgment::Pass(Remark::new("auth-list", why))),
            Word::IfSpfPasses(why) => ("auth-list", why),
            Word::None => return refuse(case, domain, "auth-required-header-from", "From or Sender", facts),
        }
    };
    if let Some(answer) = sender_spf(case.request, facts)? {
        match answer.result {
            SpfResult::Pass => {
                return Ok(Judgment::Pass(Remark::new(reason, format!("{why}: {}", answer.cause))));
            }
            SpfResult::Temperror => return Ok(unknown(domain, &answer.cause)),
            _ => {}
        }
    }
    refuse(case, domain, "auth-required-header-from", "From or Sender", facts)
}

/// The SPF answer about the sender, by HELO if there is no reverse-path; none where SPF does not apply.
fn sender_spf<'a>(request: &Request<'_>, facts: &View<'a>) -> Result<Option<&'a SpfAnswer>, Open> {
    let client = &request.session.client;
    let Some(address) = client.address.filter(|_| client.is_public()) else { return Ok(None) };
    let question = SpfQuestion::mail_from(address, &request.session.helo, &request.envelope.reverse_path)
        .unwrap_or_else(|| SpfQuestion::helo(address, &request.session.helo));
    facts.spf(question).map(Some)
}

/// The domain that SPF authenticates: of the reverse-path, or of HELO without one (RFC 7489, 3.1.2).
fn sender_domain(request: &Request<'_>) -> Option<Domain> {
    match &request.envelope.reverse_path {
        ReversePath::Null => request.session.helo.parse().ok(),
        ReversePath::Malformed(raw) => raw.rsplit_once('@')?.1.parse().ok(),
        ReversePath::Mailbox(mailbox) => Some(mailbox.domain().clone()),
        ReversePath::Twofold(twofold) => twofold.shown().map(|mailbox| mailbox.domain().clone()),
    }
}

/// The domains of the good DKIM signatures that trusted earlier hosts found.
fn signers(case: &Case<'_>, header: &Header) -> Vec<Domain> {
    let from_gateway = !case.request.session.client.is_public();
    let fields = gateways::believed(case.site, header, from_gateway);
    let results = fields.iter().flat_map(|field| &field.results);
    let passes = results.filter(|found| found.method == "dkim" && found.result == "pass");
    passes
        .flat_map(|found| &found.properties)
        .filter_map(|(name, value)| match name.as_str() {
            "header.d" => value.parse().ok(),
            "header.i" => value.rsplit_once('@')?.1.parse().ok(),
            _ => None,
        })
        .collect()
}

/// What a forwarder passes on comes from our own users as well as from others.
fn forwarded(remark: &Remark, domain: &Domain) -> Judgment {
    let detail = format!("{}, so it may use {domain} without a login", remark.detail);
    Judgment::NotExamined(Remark::new(remark.reason, detail))
}

/// Neither a refusal nor a pass may come of an answer that is not there.
fn unknown(domain: &Domain, cause: &str) -> Judgment {
    let remark =
        Remark::new("auth-spf-temperror", format!("whether SPF passes for {domain} is not known: {cause}"));
    Judgment::Defer(
        remark,
        Reply::new(451, "4.7.24", &format!("SPF: the record of {domain} cannot be read at the moment")),
    )
}

/// The refusal, unless the client turns out to be a forwarder.
fn refuse(
    case: &Case<'_>,
    domain: &Domain,
    reason: &'static str,
    place: &str,
    facts: &View<'_>,
) -> Result<Judgment, Open> {
    if let Some(remark) = forwarding::by_spf(case.site, case.request, facts)? {
        return Ok(forwarded(&remark, domain));
    }
    let remark =
        Remark::new(reason, format!("{domain} in {place} without a login, and nothing else authorises it"));
    let text = format!("Authentication required to send as {domain}");
    Ok(Judgment::Reject(remark, Reply::new(530, "5.7.0", &text)))
}
