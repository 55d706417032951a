//! What `explain` found out, and its JSON form.

use serde_json::{Map, Value, json};

use super::replay::Replay;
use super::scene::Scene;
use super::words;
use super::world::By;
use crate::check::{CheckId, Finding};
use crate::decide::{Decision, Verdict};
use crate::facts::{Answer, Question};
use crate::mail::{Domain, Edit, ForwardPath};
use crate::session::{Origin, Role};

/// A decision with all that led to it.
pub(super) struct Explained {
    pub(super) decision: Decision,
    /// What was asked, in the order of asking, and who answered what.
    pub(super) asked: Vec<(Question, Answer, By)>,
    /// The locks that were not needed, as a rejection stood already.
    pub(super) needless: Vec<(CheckId, Option<Domain>)>,
}

/// The decisions about a message and its recipients.
pub(super) struct Outcome {
    pub(super) client: String,
    pub(super) helo: String,
    pub(super) mail_from: String,
    pub(super) login: Option<String>,
    pub(super) origin: Origin,
    pub(super) role: Role,
    pub(super) notes: Vec<String>,
    /// The names of the sources of recipients, by their number.
    pub(super) source_names: Vec<String>,
    pub(super) recipients: Vec<(ForwardPath, Explained)>,
    /// None if no recipient was accepted, or the message is not what it is about.
    pub(super) message: Option<Explained>,
    /// Whether the message is part of what is explained.
    pub(super) about_message: bool,
    pub(super) replay: Option<Replay>,
}

impl Outcome {
    pub(super) fn new(scene: &Scene, origin: Origin, source_names: Vec<String>) -> Self {
        let (session, envelope) = (&scene.session, &scene.envelope);
        Self {
            client: session.client.address.map(|address| address.to_string()).unwrap_or_default(),
            helo: session.helo.clone(),
            mail_from: envelope.reverse_path.to_string(),
            login: envelope.login.as_ref().map(|login| login.0.clone()),
            origin,
            role: session.role,
            notes: scene.notes.clone(),
            source_names,
            recipients: Vec::new(),
            message: None,
            about_message: scene.header.is_some(),
            replay: None,
        }
    }

    /// Whether there is something to find fault with: a recipient or the message is refused, or a decision of the log
    /// would be another one now.
    pub(super) fn has_findings(&self) -> bool {
        match &self.replay {
            Some(replay) => !replay.changes.is_empty(),
            None => self
                .recipients
                .iter()
                .map(|(_, explained)| explained)
                .chain(&self.message)
                .any(|explained| explained.decision.verdict != Verdict::Pass),
        }
    }

    pub(super) fn json(&self) -> Value {
        let recipients: Vec<Value> = self
            .recipients
            .iter()
            .map(|(path, explained)| {
                let mut object = self.explained(explained);
                object["rcpt_to"] = path.to_string().into();
                object
            })
            .collect();
        let mut object = json!({
            "client": self.client,
            "helo": self.helo,
            "mail_from": self.mail_from,
            "login": self.login,
            "role": self.role.as_str(),
            "origin": self.origin.as_str(),
            "notes": self.notes,
            "recipients": recipients,
            "message": self.message.as_ref().map(|message| self.explained(message)),
        });
        if let Some(replay) = &self.replay {
            object["then"] = then(replay);
        }
        object
    }

    fn explained(&self, explained: &Explained) -> Value {
        let decision = &explained.decision;
        let decisive = decision.decisive();
        let edits: Vec<Value> =
            decision.edits.iter().map(|(check, edit)| edit_json(check.as_str(), edit)).collect();
        let asked = explained.asked.iter().map(|(question, answer, by)| {
            json!({
                "question": words::question(question, &self.source_names),
                "answer": words::answer(answer),
                "by": by.as_str(),
            })
        });
        let needless = explained.needless.iter().map(|(check, domain)| {
            json!({ "check": check.as_str(), "domain": domain.as_ref().map(ToString::to_string) })
        });
        json!({
            "verdict": decision.verdict.as_str(),
            "would": decision.would.as_str(),
            "check": decisive.map(|finding| finding.check.as_str()),
            "mode": decisive.map(|finding| finding.mode.as_str()),
            "reason": decisive.map(|finding| finding.judgment.remark().reason),
            "detail": decisive.map(|finding| &finding.judgment.remark().detail),
            "reply": decision.verdict.reply().or(decision.would.reply()).map(ToString::to_string),
            "asked": asked.collect::<Vec<_>>(),
            "findings": decision.findings.iter().map(finding_json).collect::<Vec<_>>(),
            "not_examined": needless.collect::<Vec<_>>(),
            "edits": edits,
        })
    }
}

/// The logged decision, and what is otherwise now.
fn then(replay: &Replay) -> Value {
    let Replay { logged, findings, lost, changes } = replay;
    let findings = findings.iter().map(|found| {
        json!({
            "check": found.check,
            "domain": found.domain,
            "mode": found.mode,
            "judgment": found.judgment,
            "reason": found.reason,
        })
    });
    let lost = lost
        .iter()
        .map(|lost| json!({ "source": lost.source, "recipient": lost.recipient, "answer": lost.said }));
    let mut object = Map::new();
    let fields = [
        ("time", json!(logged.time)),
        ("event", json!(logged.event)),
        ("verdict", json!(logged.verdict)),
        ("would", json!(logged.would)),
        ("check", json!(logged.check)),
        ("reason", json!(logged.reason)),
        ("detail", json!(logged.detail)),
        ("reply", json!(logged.reply)),
        ("ref", json!(logged.reference)),
        ("findings", Value::Array(findings.collect())),
        ("sources_gone", Value::Array(lost.collect())),
        ("same", json!(changes.is_empty())),
        ("changes", json!(changes)),
    ];
    object.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Value::Object(object)
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
