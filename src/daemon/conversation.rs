//! From milter events to requests, and from decisions to answers.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::evidence::Evidence;
use super::guesses::{self, Guess};
use super::metrics::Metrics;
use super::recording::Draft;
use super::senders::Sight;
use super::{Daemon, Lesson, Snapshot, clock, partners, suspects};
use crate::decide::{Decision, Verdict};
use crate::facts::{Facts, HarvestQuestion};
use crate::journal::{Record, is_eventful};
use crate::mail::report::Reader;
use crate::mail::{Edit, Field, ForwardPath, Header, ReversePath, xtext};
use crate::memory::harvest::Asker;
use crate::milter::{Answer, Connect, Conversation, Mail, Rcpt};
use crate::session::{Client, Envelope, Login, Origin, Point, Recipient, Request, Role, Session};
use crate::sources::resolve;

/// Characters of a reference, drawn from an alphabet without look-alikes (Crockford's base 32).
const REFERENCE: (usize, &[u8; 32]) = (8, b"0123456789ABCDEFGHJKMNPQRSTVWXYZ");

/// One SMTP session as the daemon knows it.
pub(super) struct Talk {
    daemon: Arc<Daemon>,
    session: Session,
    message: Option<Message>,
}

impl Talk {
    /// The session of a client that has just connected to the MTA.
    pub(super) fn new(daemon: Arc<Daemon>, role: Role, connect: Connect) -> Self {
        let client = Client { address: connect.address, name: connect.client_name, port: connect.port };
        let is_postfix = connect.software.is_some_and(|software| software.starts_with("Postfix"));
        let session = Session { role, client, helo: String::new(), mta_name: connect.host, is_postfix };
        Self { daemon, session, message: None }
    }

    /// The client.
    pub(super) fn client(&self) -> &Client {
        &self.session.client
    }

    /// Who asks for the recipients of a message.
    fn asker(&self, message: &Message) -> Option<Asker> {
        let HarvestQuestion { client, null_sender } = message.harvest_question(&self.session)?;
        Some(Asker { client, null_sender, may_be_excused: suspects::may_excuse(&message.snapshot) })
    }

    /// Takes note of an unknown name that the client asked for.
    fn note_unknown(&self, message: &Message, name: String) {
        if let Some(asker) = self.asker(message) {
            let sender = message.envelope.reverse_path.domain();
            suspects::note(&self.daemon, &message.snapshot, &self.session.helo, sender, asker, name);
        }
    }

    /// Logs a decision and turns it into the answer.
    fn answer(&self, decision: &Decision, mut record: Record) -> Answer {
        let answer = match &decision.verdict {
            Verdict::Pass => Answer::Continue,
            Verdict::Discard => Answer::Discard,
            Verdict::Defer(reply) | Verdict::Reject(reply) => {
                let reference = draw_reference();
                let reply = reply.with_reference(&reference);
                record.reply = Some(reply.to_string());
                record.reference = Some(reference);
                Answer::Reply(reply)
            }
        };
        // Counted first, so that whoever sees the line sees it counted.
        self.daemon.metrics.decisions.note_logged(&record);
        self.daemon.log.record(&record);
        answer
    }
}

impl Conversation for Talk {
    fn helo(&mut self, name: String) {
        self.message = None;
        self.session.helo = name;
    }

    fn mail(&mut self, mail: Mail) {
        let evidence = self.daemon.log.tells_evidence().then(Evidence::default);
        self.message = Some(Message::new(self.daemon.snapshot(), &self.session, mail, evidence));
    }

    async fn begun(&mut self) -> Answer {
        let Some(message) = &mut self.message else { return Answer::Continue };
        let Some(question) = message.harvest_question(&self.session) else { return Answer::Continue };
        // Of whom nothing is known against, there is nothing to decide yet.
        if message.origin != Origin::Foreign
            || self.daemon.harvest.block_of(question.client, question.null_sender).is_none()
        {
            return Answer::Continue;
        }
        if let Some(sender) = message.envelope.reverse_path.domain()
            && suspects::vouch(&self.daemon, &message.snapshot, &self.session.helo, sender, question.client)
                .await
        {
            return Answer::Continue;
        }
        let (decision, record) = message.decide(&self.session, Stage::Begun, &self.daemon.metrics).await;
        suspects::release(&self.daemon, &decision, &message.facts, question);
        if decision.verdict.reply().is_none() {
            return Answer::Continue;
        }
        self.answer(&decision, record)
    }

    async fn rcpt(&mut self, rcpt: Rcpt) -> Answer {
        let Some(message) = &mut self.message else { return Answer::Continue };
        if rcpt.queue_id.is_some() {
            message.envelope.queue_id.clone_from(&rcpt.queue_id);
        }
        let path = forward_path(&rcpt, self.session.is_postfix);
        let stage = Stage::Recipient(&path);
        let (decision, record) = message.decide(&self.session, stage, &self.daemon.metrics).await;
        let guess = guesses::of_decision(&message.snapshot.policy, message.origin, &path, &decision);
        if let Some(question) = message.harvest_question(&self.session) {
            suspects::release(&self.daemon, &decision, &message.facts, question);
        }
        if decision.verdict.reply().is_none() {
            let Rcpt { argument, parameters, .. } = rcpt;
            message.envelope.recipients.push(Recipient { path, argument, parameters });
        }
        match guess {
            // It counts when the message is accepted.
            Some(Guess::Good(name)) => message.good.push(name),
            Some(Guess::Unknown(name)) => {
                if let Some(message) = &self.message {
                    self.note_unknown(message, name);
                }
            }
            None => {}
        }
        if is_eventful(&decision) {
            self.answer(&decision, record)
        } else {
            self.daemon.metrics.decisions.note_quiet();
            Answer::Continue
        }
    }

    fn refused(&mut self, rcpt: Rcpt) {
        let Some(message) = &self.message else { return };
        if let Some(name) = guesses::of_refusal(&message.snapshot.policy, message.origin, &rcpt) {
            self.note_unknown(message, name);
        }
    }

    fn header(&mut self, field: Field) {
        if let Some(message) = &mut self.message {
            message.header.push(field);
        }
    }

    fn body(&mut self, piece: &[u8]) -> bool {
        self.message.as_mut().is_some_and(|message| message.body(piece))
    }

    async fn end_of_message(&mut self, queue_id: Option<String>) -> (Vec<Edit>, Answer) {
        let Some(mut message) = self.message.take() else { return (Vec::new(), Answer::Continue) };
        if queue_id.is_some() {
            message.envelope.queue_id = queue_id;
        }
        let (decision, record) = message.decide(&self.session, Stage::Ended, &self.daemon.metrics).await;
        let answer = self.answer(&decision, record);
        let passes = decision.verdict == Verdict::Pass;
        if passes
            && !message.good.is_empty()
            && let Some(asker) = self.asker(&message)
        {
            self.daemon.harvest.note_good(asker, &message.good);
        }
        (decision.edits.into_iter().filter(|_| passes).map(|(_, edit)| edit).collect(), answer)
    }

    fn abort(&mut self) {
        self.message = None;
    }
}

/// One mail transaction. It keeps the policy that was in force when it began.
struct Message {
    snapshot: Arc<Snapshot>,
    envelope: Envelope,
    origin: Origin,
    facts: Facts,
    header: Header,
    lesson: Lesson,
    body: Body,
    draft: Draft,
    sight: Sight,
    /// Names that exist, of the recipients accepted so far.
    good: Vec<String>,
    /// What the decisions were judged on, where the log tells it.
    evidence: Option<Evidence>,
    /// The time that decisions have taken so far.
    spent: Duration,
}

/// What of a message a decision is about.
#[derive(Clone, Copy)]
enum Stage<'a> {
    /// Whether it may go on.
    Begun,
    /// A recipient.
    Recipient(&'a ForwardPath),
    /// All of it.
    Ended,
}

/// The body of a message as far as it is of interest.
#[derive(Default)]
enum Body {
    /// Nothing of it has come.
    #[default]
    Ahead,
    /// That of a report, so far.
    Report(Box<Reader>),
    /// Of no interest.
    Skipped,
}

impl Message {
    fn new(snapshot: Arc<Snapshot>, session: &Session, mail: Mail, evidence: Option<Evidence>) -> Self {
        let envelope = Envelope {
            reverse_path: reverse_path(&mail, session.is_postfix),
            bracketed: mail.argument.trim_start().starts_with('<'),
            login: login(&mail, session.is_postfix),
            recipients: Vec::new(),
            queue_id: mail.queue_id,
        };
        let origin = snapshot.policy.origin(session, &envelope);
        let (facts, header, spent) = (Facts::default(), Header::default(), Duration::ZERO);
        let (body, lesson, draft, sight, good) = Default::default();
        Self { snapshot, envelope, origin, facts, header, lesson, body, draft, sight, good, evidence, spent }
    }

    /// Takes a piece of the body; whether more of it is wanted. Only reports say something in their body.
    fn body(&mut self, piece: &[u8]) -> bool {
        if let Body::Ahead = self.body {
            let is_ours = self.origin != Origin::Foreign;
            let reader = is_ours.then(|| Reader::of(&self.header, &self.envelope.reverse_path)).flatten();
            self.body = reader.map_or(Body::Skipped, |reader| Body::Report(Box::new(reader)));
        }
        match &mut self.body {
            Body::Report(reader) => reader.feed(piece),
            Body::Ahead | Body::Skipped => false,
        }
    }

    /// What is asked about the client's guesses, where it has an address.
    fn harvest_question(&self, session: &Session) -> Option<HarvestQuestion> {
        let null_sender = self.envelope.reverse_path == ReversePath::Null;
        Some(HarvestQuestion { client: session.client.address?, null_sender })
    }

    /// The decision that is due at a stage, and its record.
    async fn decide(&mut self, session: &Session, stage: Stage<'_>, metrics: &Metrics) -> (Decision, Record) {
        let begun = Instant::now();
        let (point, report) = match (stage, &self.body) {
            (Stage::Begun, _) => (Point::Transaction, None),
            (Stage::Recipient(path), _) => (Point::Recipient(path), None),
            (Stage::Ended, Body::Report(reader)) => (Point::Message(&self.header), Some(reader.report())),
            (Stage::Ended, _) => (Point::Message(&self.header), None),
        };
        let request = Request {
            session,
            envelope: &self.envelope,
            origin: self.origin,
            point,
            report: report.as_ref(),
            now: clock::now(),
        };
        let Snapshot { policy, sources, source_names, kept, decision_time } = &*self.snapshot;
        let decision = resolve(policy, &request, &mut self.facts, sources, *decision_time).await;
        let mut record = Record::of(&request, &decision);
        if let Some(kept) = kept {
            self.lesson.learn(&kept.catch_all, policy, &request, &decision);
            partners::learn(&kept.partners, policy, &request, &decision);
            self.sight.note(&kept.senders, policy, &request, &self.facts, &decision);
            record.reference = self.draft.record(&kept.ledger, policy, &request, &decision, draw_reference);
        }
        if let Some(evidence) = &mut self.evidence {
            record.judged = evidence.of(policy, &request, &decision, &self.facts, source_names);
        }
        let took = begun.elapsed();
        // A message that goes on is counted at its end.
        if !matches!(stage, Stage::Begun) || decision.verdict != Verdict::Pass {
            metrics.note_decision(record.event, &decision, took);
        }
        self.spent = self.spent.saturating_add(took);
        let shown = if matches!(stage, Stage::Recipient(_)) { took } else { self.spent };
        record.ms = shown.as_millis().try_into().unwrap_or(u64::MAX);
        (decision, record)
    }
}

/// The login. Sendmail, and no other, encodes it as it does the parameter of `MAIL … AUTH=` (RFC 4954, 5).
fn login(mail: &Mail, is_postfix: bool) -> Option<Login> {
    let login = mail.login.as_deref()?;
    Some(Login(if is_postfix { login.to_owned() } else { xtext::decode(login) }))
}

/// The reverse-path, by what the client wrote and what the MTA makes of it.
fn reverse_path(mail: &Mail, is_postfix: bool) -> ReversePath {
    match mail.address.as_deref() {
        Some(canonical) if is_postfix => ReversePath::settle(&mail.argument, canonical),
        Some(target) => ReversePath::read(&mail.argument, target),
        None => ReversePath::parse(&mail.argument),
    }
}

/// The forward-path, by the same rule as the reverse-path.
fn forward_path(rcpt: &Rcpt, is_postfix: bool) -> ForwardPath {
    match rcpt.address.as_deref().filter(|address| !address.is_empty()) {
        Some(canonical) if is_postfix => ForwardPath::settle(&rcpt.argument, canonical),
        Some(target) => ForwardPath::read(&rcpt.argument, target),
        None => ForwardPath::parse(&rcpt.argument),
    }
}

fn draw_reference() -> String {
    let (length, alphabet) = REFERENCE;
    (0..length).map(|_| char::from(alphabet[fastrand::usize(..alphabet.len())])).collect()
}

#[cfg(test)]
mod tests;
