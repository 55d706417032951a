//! Recipients: a name exists by an entry of its own, and what only a wildcard knows is worth what `catch_all` says.
//!
//! A name that a source has is never refused or deferred on a guess: [`Existence::Ambiguous`], where the source has the
//! same for a name that nobody has, is accepted under every `catch_all`. It may be somebody's own, so that it counts as
//! one that exists for automatic replies; it may be anybody's, so that it speaks neither for nor against the client
//! who asks for it, and who uses it is learned like that of names behind a wildcard. Under `allow` nobody asks which of
//! the two it is.

mod forms;
mod settings;

pub use forms::{name_behind, shape};
pub use settings::{CatchAll, RETURN_AFTER, Settings};

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::{
    Case, Check, CheckId, Judgment, Known, Mode, Observation, Opinion, Remark, Site, Subject, delivery, roles,
};
use crate::facts::{Existence, Open, RecipientQuestion, SourceId, Usage, UsageQuestion, View, both};
use crate::mail::{Domain, ForwardPath, Mailbox, Reply, ReversePath};
use crate::session::{Origin, Point, Request};
use forms::Forms;

/// The lock.
pub struct Recipients;

impl Check for Recipients {
    fn id(&self) -> CheckId {
        CheckId::Recipients
    }

    fn concerns(&self, site: &Site, request: &Request<'_>) -> Vec<Subject> {
        let Point::Recipient(path) = request.point else { return Vec::new() };
        let asked = match request.origin {
            Origin::Foreign | Origin::Login => true,
            // What a filter on this host gives back was accepted already. To refuse it now would make a bounce of it.
            Origin::Trusted => !request.session.client.address.is_some_and(|address| address.is_loopback()),
            Origin::Local => false,
        };
        match path {
            _ if !asked => Vec::new(),
            ForwardPath::Mailbox(mailbox) => vec![Subject::Hosted(mailbox.domain().clone())],
            path => {
                let mailboxes = delivery::mailboxes(site, request, path);
                let domains: BTreeSet<Domain> =
                    mailboxes.iter().map(|mailbox| mailbox.domain().clone()).collect();
                domains.into_iter().map(|domain| Subject::OrDefaults(Some(domain))).collect()
            }
        }
    }

    fn judge(&self, case: &Case<'_>, facts: &View<'_>) -> Result<Opinion, Open> {
        match case.request.point {
            Point::Recipient(ForwardPath::Mailbox(mailbox)) => judge_mailbox(case, mailbox, facts),
            Point::Recipient(path) => judge_all(case, path, facts),
            Point::Transaction | Point::Message(_) => {
                Ok(not_examined("recipient-none", "there is no mailbox to look up"))
            }
        }
    }
}

/// The judgment of the mailboxes in this domain, or else in none that is hosted, to which a path leads: all must exist.
fn judge_all(case: &Case<'_>, path: &ForwardPath, facts: &View<'_>) -> Result<Opinion, Open> {
    let mut opinion = Ok(not_examined("recipient-none", "there is no mailbox to look up"));
    for mailbox in delivery::mailboxes(case.site, case.request, path) {
        if case.domain != Some(mailbox.domain()).filter(|domain| case.site.hosts(domain)) {
            continue;
        }
        opinion = both(opinion, judge_mailbox(case, &mailbox, facts))
            .map(|(earlier, later)| if earlier.judgment.objects() { earlier } else { later });
    }
    opinion
}

fn judge_mailbox(case: &Case<'_>, mailbox: &Mailbox, facts: &View<'_>) -> Result<Opinion, Open> {
    let settings = &case.locks.recipients.settings;
    if roles::is_role(mailbox) {
        let detail = format!("{mailbox} must be reachable for everybody");
        return Ok(not_examined("recipient-exempt", &detail));
    }
    if let Some(pattern) = settings.accept_patterns.iter().find(|pattern| settings::fits(pattern, mailbox)) {
        let detail = format!("{mailbox} fits the pattern {pattern}");
        return Ok(Judgment::Pass(Remark::new("recipient-pattern", detail)).into());
    }
    if settings.sources.is_empty() {
        return Ok(not_examined("recipient-no-source", "`recipients.sources` names none"));
    }
    let forms = Forms::of(case.site, &case.locks.addresses, mailbox);
    judge_existence(case, settings, &forms, &look_up(case, settings, &forms, facts)?, facts)
}

/// Whether only a wildcard knows a recipient that was accepted.
pub(super) fn is_by_wildcard(case: &Case<'_>, mailbox: &Mailbox, facts: &View<'_>) -> Result<bool, Open> {
    let settings = &case.locks.recipients.settings;
    let is_known = case.locks.recipients.mode == Mode::Off
        || roles::is_role(mailbox)
        || settings.accept_patterns.iter().any(|pattern| settings::fits(pattern, mailbox));
    if is_known || settings.sources.is_empty() {
        return Ok(false);
    }
    let forms = Forms::of(case.site, &case.locks.addresses, mailbox);
    Ok(matches!(look_up(case, settings, &forms, facts)?, Existence::Wildcard(_)))
}

fn not_examined(reason: &'static str, detail: &str) -> Opinion {
    Judgment::NotExamined(Remark::new(reason, detail)).into()
}

/// What each source says, or what stands in the way of that.
fn ask_all<'a>(
    case: &Case<'_>,
    settings: &Settings,
    forms: &Forms,
    facts: &View<'a>,
) -> Vec<(SourceId, Result<&'a Existence, Open>)> {
    let case_sensitive = case.locks.addresses.case_sensitive;
    let by_name = settings.catch_all != CatchAll::Allow;
    let ask = |source| {
        facts.recipient(RecipientQuestion { source, forms: forms.all.clone(), case_sensitive, by_name })
    };
    settings.sources.iter().map(|&source| (source, ask(source))).collect()
}

/// What the sources say together: the answer of the lowest rank.
fn look_up(case: &Case<'_>, settings: &Settings, forms: &Forms, facts: &View<'_>) -> Result<Existence, Open> {
    let answers = ask_all(case, settings, forms, facts);
    for (at, (source, answer)) in answers.iter().enumerate() {
        // Of those that are asked at the same time the first one counts, whoever answers sooner.
        let settled =
            |(earlier, answer): &(SourceId, Result<_, _>)| answer.is_ok() || earlier.cost > source.cost;
        if let Ok(exists @ Existence::Exists(_)) = answer
            && answers[..at].iter().all(settled)
        {
            return Ok((*exists).clone());
        }
    }
    let mut known = Vec::new();
    let mut open: Option<Open> = None;
    for (_, answer) in answers {
        match answer {
            Ok(answer) => known.push(answer),
            Err(question) => open = Some(open.map_or(question.clone(), |earlier| earlier.and(question))),
        }
    }
    if let Some(open) = open {
        return Err(open);
    }
    let asked = known.iter().filter_map(|answer| match answer {
        Existence::Unknown(source) => Some(source.as_str()),
        _ => None,
    });
    let asked: Vec<&str> = asked.collect();
    Ok(match known.iter().min_by_key(|answer| answer.rank()) {
        Some(Existence::Unknown(_)) | None => Existence::Unknown(asked.join(", ")),
        Some(strongest) => (*strongest).clone(),
    })
}

/// The judgment of what the sources say.
fn judge_existence(
    case: &Case<'_>,
    settings: &Settings,
    forms: &Forms,
    existence: &Existence,
    facts: &View<'_>,
) -> Result<Opinion, Open> {
    let mailbox = &forms.key;
    Ok(match existence {
        Existence::Exists(by) => {
            observed(pass("recipient-known", format!("{mailbox}: {by}")), mailbox, Known::ByName)
        }
        Existence::Ambiguous(by) => {
            let detail = format!("{mailbox} cannot be told from names that nobody has: {by}");
            observed(pass("recipient-ambiguous", detail), mailbox, Known::Ambiguously)
        }
        Existence::Relocated { to, by } => {
            let remark = Remark::new("recipient-relocated", format!("{mailbox} has moved to {to}: {by}"));
            let reply = Reply::new(550, "5.1.6", &format!("The recipient has moved to {to}"));
            observed(Judgment::Reject(remark, reply), mailbox, Known::Not)
        }
        Existence::Unknown(asked) => {
            let detail = format!("{mailbox} is not known to {asked}");
            refused("recipient-unknown", detail, mailbox)
        }
        Existence::NoList(why) => not_examined("recipient-no-list", why),
        Existence::Undetermined(why) if settings.accept_on_error => {
            let detail = format!("whether {mailbox} exists is not known, and `on_error` accepts: {why}");
            not_examined("recipient-undetermined", &detail)
        }
        Existence::Undetermined(why) if is_let_in(case, settings, forms, facts) => {
            let detail = format!("whether {mailbox} exists is not known, and a wildcard lets it in: {why}");
            not_examined("recipient-undetermined", &detail)
        }
        Existence::Undetermined(why) => {
            let detail = format!("whether {mailbox} exists is not known: {why}");
            let reply = Reply::new(451, "4.4.3", "The recipient cannot be verified at the moment");
            Judgment::Defer(Remark::new("recipient-undetermined", detail), reply).into()
        }
        Existence::Wildcard(by) => judge_wildcard(case, settings, mailbox, &by.to_string(), facts)?,
    })
}

/// Whether a wildcard lets the recipient in, however else it may be known. It is not taken for one that only a wildcard
/// knows.
fn is_let_in(case: &Case<'_>, settings: &Settings, forms: &Forms, facts: &View<'_>) -> bool {
    let by_wildcard =
        |(_, answer): &(SourceId, Result<&Existence, Open>)| matches!(answer, Ok(Existence::Wildcard(_)));
    matches!(settings.catch_all, CatchAll::Allow | CatchAll::Learn)
        && ask_all(case, settings, forms, facts).iter().any(by_wildcard)
}

fn pass(reason: &'static str, detail: String) -> Judgment {
    Judgment::Pass(Remark::new(reason, detail))
}

fn observed(judgment: Judgment, mailbox: &Mailbox, known: Known) -> Opinion {
    let observations = vec![Observation::Recipient { mailbox: mailbox.clone(), known }];
    Opinion { judgment, edits: Vec::new(), observations }
}

/// The refusal of a name that does not exist. The stranger does not learn whether a wildcard knows it.
fn refused(reason: &'static str, detail: String, mailbox: &Mailbox) -> Opinion {
    let reply = Reply::new(550, "5.1.1", "No such recipient here");
    observed(Judgment::Reject(Remark::new(reason, detail), reply), mailbox, Known::Not)
}

/// The judgment of a name that only a wildcard knows.
fn judge_wildcard(
    case: &Case<'_>,
    settings: &Settings,
    mailbox: &Mailbox,
    by: &str,
    facts: &View<'_>,
) -> Result<Opinion, Open> {
    let wildcard = format!("only the wildcard {by} knows {mailbox}");
    let accepted = || observed(pass("recipient-wildcard", wildcard.clone()), mailbox, Known::ByWildcard);
    match settings.catch_all {
        CatchAll::Allow | CatchAll::Learn => Ok(accepted()),
        CatchAll::Reject => Ok(refused("recipient-wildcard", wildcard, mailbox)),
        CatchAll::Soft => {
            let today = TimeZone::UTC.to_datetime(case.request.now).date();
            if let Some(until) = settings.soft_until.filter(|until| *until < today) {
                let detail = format!("{wildcard}, and `soft_until` was {until}");
                return Ok(refused("recipient-wildcard", detail, mailbox));
            }
            // The programs of our own users do not come back by themselves.
            if case.request.origin == Origin::Login {
                return Ok(accepted());
            }
            judge_softly(case, mailbox, &wildcard, facts)
        }
    }
}

/// The judgment by who uses the name: real correspondents come back after a deferral, those who guess do not.
fn judge_softly(
    case: &Case<'_>,
    mailbox: &Mailbox,
    wildcard: &str,
    facts: &View<'_>,
) -> Result<Opinion, Open> {
    let accepted = |detail: String, known| observed(pass("recipient-wildcard", detail), mailbox, known);
    let Some(question) = usage_question(case, mailbox) else {
        let detail = format!("{wildcard}; a client without an address cannot be recognised when it returns");
        return Ok(accepted(detail, Known::ByWildcard));
    };
    Ok(match facts.usage(question)? {
        Usage::Real(how) => accepted(format!("{wildcard}, and {how}"), Known::ByWildcard),
        Usage::Undetermined(why) => {
            accepted(format!("{wildcard}; who uses it is not known: {why}"), Known::ByWildcard)
        }
        Usage::Unused(Some(first)) if case.request.now.duration_since(*first) >= RETURN_AFTER => {
            let detail = format!("{wildcard}; the sender has returned after the deferral at {first}");
            accepted(detail, Known::OnReturn)
        }
        Usage::Unused(_) => {
            let detail = format!("{wildcard}, and nobody is known to use it");
            let reply = Reply::new(450, "4.1.1", "This recipient is being verified, try again in 10 minutes");
            let judgment = Judgment::Defer(Remark::new("recipient-wildcard-deferred", detail), reply);
            observed(judgment, mailbox, Known::Deferred)
        }
    })
}

/// Who uses the name, from the point of view of who writes to it now.
fn usage_question(case: &Case<'_>, mailbox: &Mailbox) -> Option<UsageQuestion> {
    let Request { session, envelope, .. } = case.request;
    let sender = match &envelope.reverse_path {
        // Each message of a list may have a reverse-path of its own (VERP), and case is a matter of taste.
        ReversePath::Mailbox(sender) => ReversePath::Mailbox(forms::shape(sender)),
        path => path.clone(),
    };
    let network = session.client.network()?;
    Some(UsageQuestion { mailbox: mailbox.clone(), sender, network })
}
