//! Relay: strangers' mail for domains that are not hosted is refused, whatever the MTA is configured to do.

use super::{Case, Check, CheckId, Judgment, Opinion, Remark, Site, Subject};
use crate::facts::{Open, View};
use crate::mail::Reply;
use crate::session::{Origin, Point, Request};

/// The lock.
pub struct Relay;

impl Check for Relay {
    fn id(&self) -> CheckId {
        CheckId::Relay
    }

    fn concerns(&self, _: &Site, request: &Request<'_>) -> Vec<Subject> {
        match request.point {
            Point::Recipient(path) if request.origin == Origin::Foreign => {
                path.domain().cloned().map(Subject::NotHosted).into_iter().collect()
            }
            Point::Transaction | Point::Recipient(_) | Point::Message(_) => Vec::new(),
        }
    }

    fn judge(&self, case: &Case<'_>, _: &View<'_>) -> Result<Opinion, Open> {
        let recipient = match case.request.point {
            Point::Recipient(path) => path.to_string(),
            Point::Transaction | Point::Message(_) => String::new(),
        };
        let remark = Remark::new("relay-denied", format!("{recipient} is not at a hosted domain"));
        Ok(Judgment::Reject(remark, Reply::new(550, "5.7.1", "Relay access denied")).into())
    }
}
