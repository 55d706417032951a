//! What `explain` found out, and its JSON form.

use serde_json::{Value, json};

use crate::check::Finding;
use crate::decide::{Decision, Verdict};
use crate::mail::{Edit, ForwardPath};
use crate::session::{Envelope, Origin, Session};

/// The decisions about a message and its recipients.
pub(super) struct Outcome {
    pub(super) client: String,
    pub(super) helo: String,
    pub(super) mail_from: String,
    pub(super) login: Option<String>,
    pub(super) origin: Origin,
    pub(super) recipients: Vec<(ForwardPath, Decision)>,
    /// None if no recipient was accepted.
    pub(super) message: Option<Decision>,
}

impl Outcome {
    pub(super) fn new(session: &Session, envelope: &Envelope, origin: Origin) -> Self {
        Self {
            client: session.client.address.map(|address| address.to_string()).unwrap_or_default(),
            helo: session.helo.clone(),
            mail_from: envelope.reverse_path.to_string(),
            login: envelope.login.as_ref().map(|login| login.0.clone()),
            origin,
            recipients: Vec::new(),
            message: None,
        }
    }

    /// Whether a recipient or the message is refused.
    pub(super) fn is_refused(&self) -> bool {
        let mut decisions = self.recipients.iter().map(|(_, decision)| decision).chain(&self.message);
        decisions.any(|decision| decision.verdict != Verdict::Pass)
    }

    pub(super) fn json(&self) -> Value {
        let recipients: Vec<Value> = self
            .recipients
            .iter()
            .map(|(path, decision)| {
                let mut object = decision_json(decision);
                object["rcpt_to"] = path.to_string().into();
                object
            })
            .collect();
        json!({
            "client": self.client,
            "helo": self.helo,
            "mail_from": self.mail_from,
            "login": self.login,
            "origin": self.origin.as_str(),
            "recipients": recipients,
            "message": self.message.as_ref().map(decision_json),
        })
    }
}

fn decision_json(decision: &Decision) -> Value {
    let decisive = decision.decisive();
    let edits: Vec<Value> =
        decision.edits.iter().map(|(check, edit)| edit_json(check.as_str(), edit)).collect();
    json!({
        "verdict": decision.verdict.as_str(),
        "would": decision.would.as_str(),
        "check": decisive.map(|finding| finding.check.as_str()),
        "mode": decisive.map(|finding| finding.mode.as_str()),
        "reason": decisive.map(|finding| finding.judgment.remark().reason),
        "detail": decisive.map(|finding| &finding.judgment.remark().detail),
        "reply": decision.verdict.reply().or(decision.would.reply()).map(ToString::to_string),
        "findings": decision.findings.iter().map(finding_json).collect::<Vec<_>>(),
        "edits": edits,
    })
}

fn finding_json(finding: &Finding) -> Value {
    let remark = finding.judgment.remark();
    json!({
        "check": finding.check.as_str(),
        "domain": finding.domain.as_ref().map(ToString::to_string),
        "mode": finding.mode.as_str(),
        "judgment": finding.judgment.as_str(),
        "reason": remark.reason,
        "detail": remark.detail,
        "reply": finding.judgment.reply().map(ToString::to_string),
    })
}

fn edit_json(check: &str, edit: &Edit) -> Value {
    match edit {
        Edit::InsertAtTop(field) => json!({ "check": check, "insert": field.name, "value": field.value }),
        Edit::DeleteRecipient(address) => json!({ "check": check, "delete_recipient": address }),
        Edit::AddRecipient { address, parameters } => {
            json!({ "check": check, "add_recipient": address, "parameters": parameters })
        }
        Edit::Delete { name, occurrence } => {
            json!({ "check": check, "delete": name, "occurrence": occurrence })
        }
    }
}
