//! Automatic replies: vacation notices and the like.

use super::{Policy, Reasons, Unknown, is_excepted, judge_answer, ties};
use crate::check::authors::Authors;
use crate::check::{Case, Check, CheckId, Judgment, Opinion, Remark, Site, Subject, recipients, spf};
use crate::facts::{Open, Original, View, both};
use crate::mail::address_list::Author;
use crate::mail::automatic::{self, Automatic};
use crate::mail::spf::SpfResult;
use crate::mail::{Domain, Edit, Field, ForwardPath, Header, Mailbox};
use crate::session::{Origin, Point, Request};

/// The field that asks programs not to answer (MS-OXCMAIL, 2.1.3.2.20), and what it asks for.
const SUPPRESS: (&str, &str) = ("X-Auto-Response-Suppress", "OOF, AutoReply");

/// The settings of the lock in one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which messages are answered.
    pub policy: Policy,
    /// What becomes of an answer to what is not known, or to a message whose SPF result is not.
    pub unknown: Unknown,
    /// When a message that is not to be answered says so in its header.
    pub header: Suppress,
    /// Recipients whose messages never say so: ticket systems, lists. In canonical form.
    pub header_exempt: Vec<Mailbox>,
}

/// When a message that is not to be answered says so in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suppress {
    /// Never.
    Off,
    /// Where its sender's domain says that it is forged: SPF fail and softfail.
    Failed,
    /// Always.
    NotPass,
}

impl Suppress {
    /// All of them with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 3] =
        [("off", Self::Off), ("failed", Self::Failed), ("not_pass", Self::NotPass)];
}

/// The lock.
pub struct AutoResponders;

impl Check for AutoResponders {
    fn id(&self) -> CheckId {
        CheckId::AutoResponders
    }

    fn takes_all(&self, _: &Request<'_>) -> bool {
        true
    }

    fn concerns(&self, site: &Site, request: &Request<'_>) -> Vec<Subject> {
        let Point::Message(header) = request.point else { return Vec::new() };
        match request.origin {
            Origin::Foreign => recipient_domains(site, request).into_iter().map(Subject::Hosted).collect(),
            Origin::Trusted | Origin::Login | Origin::Local => {
                let answers = !outsiders(site, request).is_empty();
                let author = author(header).filter(|_| answers && is_reply(request, header).is_some());
                author.map(|mailbox| Subject::Hosted(mailbox.domain().clone())).into_iter().collect()
            }
        }
    }

    fn judge(&self, case: &Case<'_>, facts: &View<'_>) -> Result<Opinion, Open> {
        let Point::Message(header) = case.request.point else {
            return Ok(
                Judgment::NotExamined(Remark::new("auto-reply-later", "judged with the message")).into()
            );
        };
        match case.request.origin {
            Origin::Foreign => before(case, header, facts),
            Origin::Trusted | Origin::Login | Origin::Local => after(case, header, facts).map(Opinion::from),
        }
    }
}

/// The hosted domains of the recipients, sorted.
pub(super) fn recipient_domains(site: &Site, request: &Request<'_>) -> Vec<Domain> {
    let paths = request.envelope.forward_paths();
    let mut domains: Vec<Domain> =
        paths.filter_map(ForwardPath::domain).filter(|domain| site.hosts(domain)).cloned().collect();
    domains.sort();
    domains.dedup();
    domains
}

/// The recipients that are not ours: answers among our own users are their own affair. Those at an address literal are at
/// no domain of ours.
pub(super) fn outsiders(site: &Site, request: &Request<'_>) -> Vec<ForwardPath> {
    let is_outside = |path: &&ForwardPath| path.domain().is_none_or(|domain| !site.hosts(domain));
    request.envelope.forward_paths().filter(is_outside).filter_map(ForwardPath::answered).collect()
}

/// The sign by which the message is an automatic reply.
fn is_reply(request: &Request<'_>, header: &Header) -> Option<&'static automatic::Sign> {
    match automatic::recognise_leaving(header, &request.envelope.reverse_path, request.report) {
        (Some(Automatic::Reply), sign) => sign,
        _ => None,
    }
}

/// The one mailbox that the message is from, in whatever case it is written twice.
fn author(header: &Header) -> Option<Mailbox> {
    let Authors::Exact(authors) = Authors::of(header, "From") else { return None };
    let mut mailboxes = authors.into_iter().map(|author| match author {
        Author::Mailbox(mailbox) => Some(mailbox),
        Author::Elsewhere(_) => None,
    });
    let first = mailboxes.next()??;
    mailboxes.all(|other| other.is_some_and(|other| other.is_like(&first))).then_some(first)
}

/// Asks the programs of the recipients in this domain not to answer, where they should not.
fn before(case: &Case<'_>, header: &Header, facts: &View<'_>) -> Result<Opinion, Open> {
    let settings = &case.locks.auto_responders.settings;
    let allowed = |detail: &str| Judgment::NotExamined(Remark::new("auto-reply-allowed", detail)).into();
    if settings.header == Suppress::Off {
        return Ok(allowed("`auto_responders.header` is off"));
    }
    if let Some(sign) = automatic::unanswered(header, &case.request.envelope.reverse_path) {
        return Ok(allowed(&format!("nobody answers it: {}", sign.name)));
    }
    if header.all(SUPPRESS.0).any(|field| automatic::suppresses(&field.value)) {
        return Ok(allowed("it asks for no answer already"));
    }
    if is_excepted(case, CheckId::AutoResponders) {
        return Ok(allowed("excepted"));
    }
    let spf = spf::sender_result(case, header, facts)?;
    let in_domain = |mailbox: &&Mailbox| Some(mailbox.domain()) == case.domain;
    let mailboxes = case.request.envelope.forward_paths().filter_map(ForwardPath::mailbox);
    let mut asked = Ok(true);
    for mailbox in mailboxes.filter(in_domain) {
        let asks = asks(case, settings, mailbox, spf, facts);
        asked = both(asked, asks).map(|(all, one)| all && one);
    }
    let word = spf.map_or("not examined", SpfResult::as_str);
    if !asked? {
        return Ok(allowed(&format!("policy {}; spf {word}", settings.policy.as_str())));
    }
    let detail = format!("policy {}; spf {word}: no automatic replies", settings.policy.as_str());
    let edits = vec![Edit::InsertAtTop(Field::new(SUPPRESS.0, SUPPRESS.1))];
    let judgment = Judgment::NotExamined(Remark::new("auto-reply-suppressed", detail));
    Ok(Opinion { judgment, edits, observations: Vec::new() })
}

/// Whether this recipient's policy wants the message to ask for no answer.
fn asks(
    case: &Case<'_>,
    settings: &Settings,
    mailbox: &Mailbox,
    spf: Option<SpfResult>,
    facts: &View<'_>,
) -> Result<bool, Open> {
    if settings.header_exempt.contains(&case.locks.addresses.canonical(mailbox)) {
        return Ok(false);
    }
    // Whoever is reached by a wildcard only answers nobody.
    if settings.policy == Policy::Disabled || recipients::is_by_wildcard(case, mailbox, facts)? {
        return Ok(true);
    }
    let is_failed = matches!(spf, Some(SpfResult::Fail | SpfResult::Softfail));
    Ok(!settings.policy.answers(spf, settings.unknown) && (settings.header == Suppress::NotPass || is_failed))
}

/// The judgment of an automatic reply that leaves.
fn after(case: &Case<'_>, header: &Header, facts: &View<'_>) -> Result<Judgment, Open> {
    const REASONS: Reasons =
        Reasons { pass: "auto-reply-wanted", unknown: "auto-reply-unknown", discard: "auto-reply-unwanted" };
    let settings = &case.locks.auto_responders.settings;
    let (Some(author), Some(sign)) = (author(header), is_reply(case.request, header)) else {
        return Ok(Judgment::NotExamined(Remark::new("auto-reply-none", "no automatic reply")));
    };
    if settings.policy == Policy::Allow {
        let detail = format!("an automatic reply ({}); policy allow", sign.name);
        return Ok(Judgment::Pass(Remark::new("auto-reply-wanted", detail)));
    }
    let mailbox = recipients::name_behind(case.site, &case.locks.addresses, &author);
    let by_wildcard = |original: &Original| {
        let mut all = original.recipients.iter();
        match original.recipients.iter().find(|(recipient, _)| *recipient == mailbox) {
            Some((_, by_wildcard)) => *by_wildcard,
            // An alias led it there.
            None => all.next().is_some_and(|(_, first)| *first) && all.all(|(_, by_wildcard)| *by_wildcard),
        }
    };
    let mut judgments = Ok(Vec::new());
    for sender in outsiders(case.site, case.request) {
        let question = ties::of_reply(case.request, header, mailbox.clone(), sender);
        judgments = both(judgments, facts.cause(question)).map(|(mut judgments, cause)| {
            judgments.push(judge_answer(cause, (settings.policy, settings.unknown), by_wildcard, &REASONS));
            judgments
        });
    }
    Ok(super::strictest(judgments?))
}
