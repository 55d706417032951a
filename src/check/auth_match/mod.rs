//! Auth match: a login sends only as its own domain or its own addresses, in the envelope and in the header.

mod claim;

use super::authors::Authors;
use super::{Case, Check, CheckId, Judgment, Opinion, Remark, Site, Subject};
use crate::facts::{Open, View, both};
use crate::mail::address_list::Author;
use crate::mail::{Header, Reply, ReversePath, tagged};
use crate::session::{LoginPattern, Origin, Point, Request};
use claim::{Claimed, identity};

/// How far a login's identity reaches on one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Axis {
    /// Anywhere: the axis is not looked at.
    None,
    /// Its domain, and what is granted to it.
    Domain,
    /// Its own address, and what is granted to it.
    Address,
}

impl Axis {
    /// All axes with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 3] =
        [("none", Self::None), ("domain", Self::Domain), ("address", Self::Address)];
}

/// The settings of the lock in one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For MAIL FROM.
    pub mail_from: Axis,
    /// For every mailbox in From.
    pub header_from: Axis,
    /// For Sender, where there is one.
    pub sender: Axis,
    /// Whether a domain covers the domains below it.
    pub subdomains: bool,
    /// Whether an originator field is refused that readers may read differently, or that names nobody.
    pub reject_malformed_from: bool,
    /// Whether Resent-From and Resent-Sender are judged like From and Sender.
    pub check_resent: bool,
}

/// The lock.
pub struct AuthMatch;

impl Check for AuthMatch {
    fn id(&self) -> CheckId {
        CheckId::AuthMatch
    }

    fn concerns(&self, site: &Site, request: &Request<'_>) -> Vec<Subject> {
        let Some(login) = request.envelope.login.as_ref().filter(|_| request.origin == Origin::Login) else {
            return Vec::new();
        };
        if matches!(request.point, Point::Transaction) {
            return Vec::new();
        }
        // A login without a domain, or of a domain that is not hosted, is not exempt: it is judged by the defaults.
        vec![Subject::OrDefaults(identity(site, login).map(|mailbox| mailbox.domain().clone()))]
    }

    fn judge(&self, case: &Case<'_>, facts: &View<'_>) -> Result<Opinion, Open> {
        if let Some(pattern) = exemption(case) {
            let detail = format!("{pattern} in identities.exempt_logins");
            return Ok(Judgment::NotExamined(Remark::new("login-exempt", detail)).into());
        }
        let judgment = match case.request.point {
            Point::Transaction | Point::Recipient(_) => judge_mail_from(case, facts)?,
            Point::Message(header) => judge_header(case, header, facts)?,
        };
        Ok(judgment.into())
    }
}

/// The pattern that lets the login send as anything.
fn exemption<'a>(case: &Case<'a>) -> Option<&'a LoginPattern> {
    let patterns = Some(&case.site.exempt_logins).filter(|patterns| !patterns.is_empty())?;
    let account = case.request.account()?;
    let rules = case.site.login_rules(&case.locks.addresses);
    patterns.iter().find(|pattern| pattern.matches(&account, rules))
}

/// The judgment of the reverse-path, at RCPT.
fn judge_mail_from(case: &Case<'_>, facts: &View<'_>) -> Result<Judgment, Open> {
    let axis = case.locks.auth_match.settings.mail_from;
    let claimed = match &case.request.envelope.reverse_path {
        // Receipts and automatic replies have the null reverse-path (RFC 8098, 2; RFC 3834, 3.3).
        ReversePath::Null => {
            let remark = Remark::new("auth-match-null", "the null reverse-path claims nobody");
            return Ok(Judgment::Pass(remark));
        }
        ReversePath::Mailbox(mailbox) => {
            Claimed::Mailbox(tagged::without_batv(mailbox).unwrap_or_else(|| mailbox.clone()))
        }
        ReversePath::Malformed(text) => Claimed::Nothing(text.clone()),
        // A login may be one of the two, and is never both.
        ReversePath::Twofold(twofold) => Claimed::Nothing(twofold.written().to_owned()),
    };
    claim::judge(case, axis, &MAIL_FROM, &claimed, facts)
}

/// The judgment of the originator fields, at the end of the message.
fn judge_header(case: &Case<'_>, header: &Header, facts: &View<'_>) -> Result<Judgment, Open> {
    let settings = &case.locks.auth_match.settings;
    let mut fields = vec![(&FROM, settings.header_from, true), (&SENDER, settings.sender, false)];
    if settings.check_resent {
        fields
            .extend([(&RESENT_FROM, settings.header_from, false), (&RESENT_SENDER, settings.sender, false)]);
    }
    let mut judgments = Ok(Vec::new());
    for (place, axis, required) in fields.into_iter().filter(|(_, axis, _)| *axis != Axis::None) {
        let judgment = judge_field(case, header, (place, axis, required), facts);
        judgments = both(judgments, judgment).map(|(mut all, judgment)| {
            all.extend(judgment);
            all
        });
    }
    Ok(strongest(judgments?).unwrap_or_else(|| {
        Judgment::NotExamined(Remark::new("auth-match-off", "no field of the header is to match the login"))
    }))
}

/// The judgment of one field: every mailbox in it must match.
fn judge_field(
    case: &Case<'_>,
    header: &Header,
    (place, axis, required): (&'static Place, Axis, bool),
    facts: &View<'_>,
) -> Result<Option<Judgment>, Open> {
    let authors = match Authors::of(header, place.name) {
        Authors::Exact(authors) => authors,
        Authors::Absent if !required => return Ok(None),
        Authors::Absent => return Ok(Some(malformed(case, format!("there is no {} field", place.name)))),
        Authors::Malformed(why) => return Ok(Some(malformed(case, why))),
    };
    let mut judgments = Ok(Vec::new());
    for author in authors {
        let claimed = match author {
            Author::Mailbox(mailbox) => Claimed::Mailbox(mailbox),
            Author::Elsewhere(text) => Claimed::Nothing(text),
        };
        judgments =
            both(judgments, claim::judge(case, axis, place, &claimed, facts)).map(|(mut all, judgment)| {
                all.push(judgment);
                all
            });
    }
    Ok(strongest(judgments?))
}

/// The judgment of a field from which nobody can tell for sure who wrote.
fn malformed(case: &Case<'_>, why: String) -> Judgment {
    let remark = Remark::new("malformed-from", why);
    if case.locks.auth_match.settings.reject_malformed_from {
        let text = "The header must say in one way only who wrote this message";
        Judgment::Reject(remark, Reply::new(550, "5.7.1", text))
    } else {
        Judgment::Pass(remark)
    }
}

/// The first of the strongest judgments.
fn strongest(judgments: Vec<Judgment>) -> Option<Judgment> {
    let strength = |judgment: &Judgment| match judgment {
        Judgment::Reject(..) => 2,
        Judgment::Defer(..) => 1,
        Judgment::Pass(_) | Judgment::NotExamined(_) | Judgment::Excepted(_) | Judgment::Discard(_) => 0,
    };
    judgments
        .into_iter()
        .reduce(|first, later| if strength(&later) > strength(&first) { later } else { first })
}

/// Where a login claims to be somebody.
struct Place {
    name: &'static str,
    refused: &'static str,
    undetermined: &'static str,
    matched: &'static str,
}

const MAIL_FROM: Place = Place {
    name: "MAIL FROM",
    refused: "auth-match-mail-from",
    undetermined: "auth-match-mail-from-undetermined",
    matched: "auth-match-mail-from-ok",
};
const FROM: Place = Place {
    name: "From",
    refused: "auth-match-header-from",
    undetermined: "auth-match-header-from-undetermined",
    matched: "auth-match-header-from-ok",
};
const SENDER: Place = Place {
    name: "Sender",
    refused: "auth-match-sender",
    undetermined: "auth-match-sender-undetermined",
    matched: "auth-match-sender-ok",
};
const RESENT_FROM: Place = Place { name: "Resent-From", ..FROM };
const RESENT_SENDER: Place = Place { name: "Resent-Sender", ..SENDER };
