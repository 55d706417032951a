//! One claim: may this login be this mailbox?

use super::{Axis, Place};
use crate::check::addresses::Addresses;
use crate::check::{Case, Judgment, Remark, Site};
use crate::facts::{Grant, GrantQuestion, Open, View};
use crate::mail::{Domain, Mailbox, Reply, text};
use crate::session::{Account, Login};

/// Who a login claims to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claimed {
    /// A mailbox.
    Mailbox(Mailbox),
    /// Something that equals no mailbox.
    Nothing(String),
}

/// The address that a login is: itself, or at `identities.login_domain` if it names no domain.
pub(super) fn identity(site: &Site, login: &Login) -> Option<Mailbox> {
    Account::parse(&login.0)?.mailbox(site.login_domain.as_ref())
}

/// The judgment of one claim.
///
/// The claimed mailbox is tried as it is and then without its subaddress. The login is never stripped: whoever owns
/// `ceo+assistant@` is not `ceo@`.
pub(super) fn judge(
    case: &Case<'_>,
    axis: Axis,
    place: &Place,
    claimed: &Claimed,
    facts: &View<'_>,
) -> Result<Judgment, Open> {
    let Some(login) = case.request.envelope.login.as_ref().filter(|_| axis != Axis::None) else {
        return Ok(Judgment::NotExamined(Remark::new(
            "auth-match-off",
            format!("{} need not match", place.name),
        )));
    };
    let mailbox = match claimed {
        Claimed::Nothing(text) => return Ok(refuse(login, place, text, "that is no mailbox of any domain")),
        Claimed::Mailbox(mailbox) => mailbox,
    };
    let own = identity(case.site, login).map(|own| canonical(case, &own));
    let subdomains = case.locks.auth_match.settings.subdomains;
    let full = canonical(case, mailbox);
    let stripped = case.locks.addresses.without_subaddress(&full);
    // A grant may name the mailbox at its own domain or at the one that this follows.
    let at_own_domain = |form: &Mailbox| Mailbox::new(form.local_part(), mailbox.domain().clone());
    let is_alias = full.domain() != mailbox.domain();
    let named: Vec<Mailbox> =
        [Some(&full), stripped.as_ref()].into_iter().flatten().map(at_own_domain).collect();
    let forms = [Some(full.clone()), stripped];

    let is_own = |form: &Mailbox| own.as_ref() == Some(form);
    if forms.iter().flatten().any(is_own) {
        return Ok(pass(place, login, &full, "its own address"));
    }
    let covers = |own: &Domain| own == full.domain() || (subdomains && full.domain().is_within(own));
    if axis == Axis::Domain && own.as_ref().is_some_and(|own| covers(own.domain())) {
        return Ok(pass(place, login, &full, "its own domain"));
    }
    let mut asked = Vec::new();
    let mut trouble = None;
    let aliases = named.into_iter().filter(|_| is_alias);
    for mailbox in forms.into_iter().flatten().chain(aliases) {
        match facts.grant(GrantQuestion { login: login.clone(), mailbox, subdomains })? {
            Grant::Granted(by) => return Ok(pass(place, login, &full, by)),
            Grant::NotGranted(sources) => asked.clone_from(sources),
            Grant::Undetermined(why) => trouble = Some(why.as_str()),
        }
    }
    if let Some(why) = trouble {
        let detail = format!("whether {} may be {full} in {} is not known: {why}", login.0, place.name);
        let reply =
            Reply::new(451, "4.4.3", "The identities of this login cannot be looked up at the moment");
        return Ok(Judgment::Defer(Remark::new(place.undetermined, detail).about(full.to_string()), reply));
    }
    let why = if asked.is_empty() {
        "no source grants anything".to_owned()
    } else {
        format!("not granted by {}", asked.join(", "))
    };
    Ok(refuse(login, place, &full.to_string(), &why))
}

/// The mailbox by the address rules of the settings that judge, at the domain that it follows if that is an alias.
fn canonical(case: &Case<'_>, mailbox: &Mailbox) -> Mailbox {
    let domain = case.site.followed(mailbox.domain()).clone();
    let rules: &Addresses = &case.locks.addresses;
    rules.canonical(&Mailbox::new(mailbox.local_part(), domain))
}

fn pass(place: &Place, login: &Login, claimed: &Mailbox, by: &str) -> Judgment {
    let detail = format!("{} may be {claimed} in {}: {by}", login.0, place.name);
    Judgment::Pass(Remark::new(place.matched, detail))
}

fn refuse(login: &Login, place: &Place, claimed: &str, why: &str) -> Judgment {
    let detail = format!("{} may not be {claimed} in {}: {why}", login.0, place.name);
    let remark = Remark::new(place.refused, detail).about(claimed);
    let (login, claimed) = (text::printable(&login.0, 200), text::printable(claimed, 200));
    Judgment::Reject(remark, Reply::new(550, "5.7.1", &format!("{login} may not send as {claimed}")))
}
