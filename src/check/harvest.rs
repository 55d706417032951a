//! Harvesting: a client that guesses one name after the other is blocked for a while.
//!
//! It is turned away at MAIL. The MTA refuses names that it does not know before we are asked about a recipient, so that
//! a block which speaks only at RCPT tells the two kinds apart. That leaves out postmaster and abuse, of whom nobody
//! knows at MAIL: an attack may be held off even so (RFC 5321, 4.5.1), and it is only for now. At RCPT it speaks where
//! nobody asked at MAIL, in a session that was there before the block, and where an exception may hold for a recipient;
//! there, these two are left to everybody.
//!
//! A trusted forwarder is never blocked. Whether the client is one by its SPF is asked only where a block stands, so that
//! DNS is asked about nobody's guesses but by who might be a forwarder; the records that are looked at then are the
//! forwarders' own, and remembered.

use super::{Case, Check, CheckId, Judgment, Opinion, Remark, Site, Subject, forwarding, roles};
use crate::facts::{HarvestQuestion, Open, Standing, View};
use crate::mail::{Reply, ReversePath};
use crate::session::{Origin, Point, Request};

/// The lock.
pub struct Harvest;

impl Check for Harvest {
    fn id(&self) -> CheckId {
        CheckId::Harvest
    }

    /// A client that is blocked costs no look-up at all, but that of who is a forwarder.
    fn goes_first(&self) -> bool {
        true
    }

    fn concerns(&self, _: &Site, request: &Request<'_>) -> Vec<Subject> {
        match request.point {
            // Who has logged in is known, whatever names he tries.
            Point::Recipient(path)
                if request.origin == Origin::Foreign && !roles::is_always_reachable(path) =>
            {
                vec![Subject::OrDefaults(path.domain().cloned())]
            }
            Point::Transaction if request.origin == Origin::Foreign => vec![Subject::OrDefaults(None)],
            Point::Transaction | Point::Recipient(_) | Point::Message(_) => Vec::new(),
        }
    }

    fn judge(&self, case: &Case<'_>, facts: &View<'_>) -> Result<Opinion, Open> {
        let not_examined =
            |detail: &str| Judgment::NotExamined(Remark::new("harvest-not-counted", detail)).into();
        let Some(client) = case.request.session.client.address else {
            return Ok(not_examined("the client has no address"));
        };
        if let Some(network) = case.site.harvest_exempt.iter().find(|network| network.contains(&client)) {
            return Ok(not_examined(&format!("{network} is exempt")));
        }
        if let Some(remark) = forwarding::by_network(case.site, case.request) {
            return Ok(Judgment::NotExamined(remark).into());
        }
        let null_sender = case.request.envelope.reverse_path == ReversePath::Null;
        Ok(match facts.standing(HarvestQuestion { client, null_sender })? {
            Standing::Clear => Judgment::Pass(Remark::new("harvest-clear", "not blocked")).into(),
            Standing::NotCounted(why) => not_examined(why),
            Standing::Blocked { network, until, names } => {
                if let Some(remark) = forwarding::by_spf(case.site, case.request, facts)? {
                    return Ok(Judgment::NotExamined(remark).into());
                }
                if matches!(case.request.point, Point::Transaction) && may_be_lifted(case) {
                    let detail = "an exception may hold for a recipient";
                    return Ok(Judgment::Pass(Remark::new("harvest-clear", detail)).into());
                }
                let until = until.strftime("%Y-%m-%d %H:%M:%SZ");
                let detail =
                    format!("{network} asked for {names} unknown names and is blocked until {until}");
                // 421 also ends the session (RFC 5321, 3.8): there is no point in further guesses.
                let reply = Reply::new(421, "4.7.0", "Too many unknown recipients, try again later");
                Judgment::Defer(Remark::new("harvest-blocked", detail), reply).into()
            }
        })
    }
}

/// Whether an exception of any domain may lift the block, once it is known who the recipients are.
fn may_be_lifted(case: &Case<'_>) -> bool {
    let rules = case.site.login_rules(&case.locks.addresses);
    let exceptions = &case.site.harvest_exceptions;
    exceptions.iter().any(|exception| exception.matches(CheckId::Harvest, case.request, rules))
}
