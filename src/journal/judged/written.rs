//! A transaction as it is written, and its way back.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::facts::{Fact, Read};
use super::{About, Found, Judged};
use crate::check::Finding;
use crate::decide::Decision;
use crate::facts::{self, Facts, Question, SourceId};
use crate::mail::report::Nature;
use crate::mail::{self, Field, ForwardPath, Header, Mailbox, ReversePath, Twofold};
use crate::session::{self, Client, Login, Origin, Point, Request, Role};

/// Text that is borrowed where it is written, and owned where it is read.
pub(super) type Text<'a> = Cow<'a, str>;

/// As much of a line as is of interest here.
#[derive(Deserialize)]
pub(super) struct Line<J> {
    pub(super) judged: Option<J>,
}

/// What a decision was judged on.
#[derive(Serialize, Deserialize)]
pub(super) struct Written<'a> {
    v: u32,
    at: Timestamp,
    session: Session<'a>,
    envelope: Envelope<'a>,
    /// Of a recipient's decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipient: Option<Path<'a>>,
    /// Of a message's decision: names and values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<Vec<(Text<'a>, Text<'a>)>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    report: Option<Report<'a>>,
    /// Check, domain, mode, judgment, reason.
    findings: Vec<(Text<'a>, Option<Text<'a>>, Text<'a>, Text<'a>, Text<'a>)>,
    facts: Vec<Fact<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Session<'a> {
    role: Text<'a>,
    client: Option<IpAddr>,
    name: Text<'a>,
    port: u16,
    helo: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mta: Option<Text<'a>>,
    postfix: bool,
}

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    mail_from: Path<'a>,
    bracketed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue_id: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rcpt_to: Vec<Recipient<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Recipient<'a> {
    path: Path<'a>,
    /// Where it is more than the path in angle brackets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    argument: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parameters: Vec<Text<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Report<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nature: Option<Text<'a>>,
    message_id: Option<Text<'a>>,
    /// Those behind the first one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    other_message_ids: Vec<Text<'a>>,
    queue_id: Option<Text<'a>>,
    recipients: Vec<Text<'a>>,
}

/// A reverse-path or a forward-path.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Path<'a> {
    Null,
    Postmaster,
    Mailbox(Text<'a>),
    Literal(Text<'a>),
    Malformed(Text<'a>),
    /// As written, as the MTA resolves it, and whether it keeps that.
    Twofold(Text<'a>, Text<'a>, bool),
}

/// Text that is borrowed.
pub(super) fn text(text: &str) -> Text<'_> {
    Cow::Borrowed(text)
}

/// A mailbox as its two parts, without the quoting of the local-part: a domain has no `@`, so the last one divides them
/// whatever the local-part is.
pub(super) fn mailbox_text(mailbox: &Mailbox) -> Text<'static> {
    format!("{}@{}", mailbox.local_part(), mailbox.domain()).into()
}

/// The mailbox that such a text means.
pub(super) fn mailbox(text: &str) -> Option<Mailbox> {
    let (local_part, domain) = text.rsplit_once('@')?;
    Some(Mailbox::new(local_part, domain.parse().ok()?))
}

/// The origin of this name.
pub(super) fn origin(name: &str) -> Option<Origin> {
    let all = [Origin::Local, Origin::Login, Origin::Trusted, Origin::Foreign];
    all.into_iter().find(|origin| origin.as_str() == name)
}

impl<'a> Written<'a> {
    pub(super) fn of(
        v: u32,
        request: &Request<'a>,
        decision: &'a Decision,
        facts: impl Iterator<Item = &'a (Question, facts::Answer)>,
        sources: &'a [String],
    ) -> Self {
        let (recipient, header) = match request.point {
            Point::Transaction => (None, None),
            Point::Recipient(path) => (Some(Path::of_forward(path)), None),
            Point::Message(header) => {
                let fields = header.fields().iter().map(|field| (text(&field.name), text(&field.value)));
                (None, Some(fields.collect()))
            }
        };
        Self {
            v,
            at: request.now,
            session: Session::of(request.session),
            envelope: Envelope::of(request.envelope),
            recipient,
            header,
            report: request.report.map(Report::of),
            findings: decision.findings.iter().map(finding).collect(),
            facts: facts.filter_map(|(q, a)| Fact::of(q, a, sources)).collect(),
        }
    }

    /// What it means; none if it is damaged.
    pub(super) fn read(self, source: &dyn Fn(&str) -> Option<SourceId>) -> Option<Judged> {
        let about = match (self.recipient, self.header) {
            (Some(path), None) => About::Recipient(path.forward()?),
            (None, Some(fields)) => {
                let fields = fields.into_iter().map(|(name, value)| Field::new(name, value));
                About::Message(fields.collect::<Header>())
            }
            (None, None) => About::Transaction,
            (Some(_), Some(_)) => return None,
        };
        let (mut facts, mut lost) = (Facts::default(), Vec::new());
        for fact in self.facts {
            match fact.read(source)? {
                Read::Known(question, answer) => facts.learn(question, answer),
                Read::Lost(source) => lost.push(source),
            }
        }
        let findings = self.findings.into_iter().map(|(check, domain, mode, judgment, reason)| {
            let [check, mode, judgment, reason] = [check, mode, judgment, reason].map(Cow::into_owned);
            Found { check, domain: domain.map(Cow::into_owned), mode, judgment, reason }
        });
        Some(Judged {
            session: self.session.read()?,
            envelope: self.envelope.read()?,
            about,
            report: self.report.map(Report::read),
            now: self.at,
            findings: findings.collect(),
            facts,
            lost,
        })
    }
}

fn finding(finding: &Finding) -> (Text<'_>, Option<Text<'_>>, Text<'_>, Text<'_>, Text<'_>) {
    let Finding { check, domain, mode, judgment } = finding;
    (
        text(check.as_str()),
        domain.as_ref().map(|domain| text(domain.as_str())),
        text(mode.as_str()),
        text(judgment.as_str()),
        text(judgment.remark().reason),
    )
}

impl<'a> Session<'a> {
    fn of(session: &'a session::Session) -> Self {
        Self {
            role: text(session.role.as_str()),
            client: session.client.address,
            name: text(&session.client.name),
            port: session.client.port,
            helo: text(&session.helo),
            mta: session.mta_name.as_deref().map(text),
            postfix: session.is_postfix,
        }
    }

    fn read(self) -> Option<session::Session> {
        let role = Role::NAMES.into_iter().find(|(name, _)| *name == self.role)?.1;
        let client = Client { address: self.client, name: self.name.into_owned(), port: self.port };
        Some(session::Session {
            role,
            client,
            helo: self.helo.into_owned(),
            mta_name: self.mta.map(Cow::into_owned),
            is_postfix: self.postfix,
        })
    }
}

impl<'a> Envelope<'a> {
    fn of(envelope: &'a session::Envelope) -> Self {
        Self {
            mail_from: Path::of_reverse(&envelope.reverse_path),
            bracketed: envelope.bracketed,
            login: envelope.login.as_ref().map(|login| text(&login.0)),
            queue_id: envelope.queue_id.as_deref().map(text),
            rcpt_to: envelope.recipients.iter().map(Recipient::of).collect(),
        }
    }

    fn read(self) -> Option<session::Envelope> {
        Some(session::Envelope {
            reverse_path: self.mail_from.reverse()?,
            bracketed: self.bracketed,
            login: self.login.map(|login| Login(login.into_owned())),
            recipients: self.rcpt_to.into_iter().map(Recipient::read).collect::<Option<_>>()?,
            queue_id: self.queue_id.map(Cow::into_owned),
        })
    }
}

impl<'a> Recipient<'a> {
    fn of(recipient: &'a session::Recipient) -> Self {
        let session::Recipient { path, argument, parameters } = recipient;
        Self {
            path: Path::of_forward(path),
            argument: (*argument != format!("<{path}>")).then(|| text(argument)),
            parameters: parameters.iter().map(|parameter| text(parameter)).collect(),
        }
    }

    fn read(self) -> Option<session::Recipient> {
        let bare = session::Recipient::bare(self.path.forward()?);
        Some(session::Recipient {
            argument: self.argument.map_or(bare.argument, Cow::into_owned),
            parameters: self.parameters.into_iter().map(Cow::into_owned).collect(),
            path: bare.path,
        })
    }
}

impl<'a> Report<'a> {
    fn of(report: &'a mail::report::Report) -> Self {
        Self {
            nature: report.nature.map(nature_word),
            message_id: report.message_ids.first().map(|id| text(id)),
            other_message_ids: report.message_ids.iter().skip(1).map(|id| text(id)).collect(),
            queue_id: report.queue_id.as_deref().map(text),
            recipients: report.recipients.iter().map(|recipient| text(recipient)).collect(),
        }
    }

    fn read(self) -> mail::report::Report {
        mail::report::Report {
            nature: self.nature.and_then(|word| nature(&word)),
            message_ids: self
                .message_id
                .into_iter()
                .chain(self.other_message_ids)
                .map(Cow::into_owned)
                .collect(),
            queue_id: self.queue_id.map(Cow::into_owned),
            recipients: self.recipients.into_iter().map(Cow::into_owned).collect(),
        }
    }
}

fn nature_word(nature: Nature) -> Text<'static> {
    let name = Nature::NAMES.iter().find(|(_, known)| *known == nature);
    Cow::Borrowed(name.map_or("", |(name, _)| *name))
}

fn nature(word: &str) -> Option<Nature> {
    Nature::NAMES.iter().find(|(name, _)| *name == word).map(|(_, nature)| *nature)
}

impl<'a> Path<'a> {
    pub(super) fn of_reverse(path: &'a ReversePath) -> Self {
        match path {
            ReversePath::Null => Self::Null,
            ReversePath::Mailbox(mailbox) => Self::Mailbox(mailbox_text(mailbox)),
            ReversePath::Malformed(raw) => Self::Malformed(text(raw)),
            ReversePath::Twofold(twofold) => Self::of_twofold(twofold),
        }
    }

    fn of_forward(path: &'a ForwardPath) -> Self {
        match path {
            ForwardPath::Postmaster => Self::Postmaster,
            ForwardPath::Mailbox(mailbox) => Self::Mailbox(mailbox_text(mailbox)),
            ForwardPath::AtLiteral(raw) => Self::Literal(text(raw)),
            ForwardPath::Malformed(raw) => Self::Malformed(text(raw)),
            ForwardPath::Twofold(twofold) => Self::of_twofold(twofold),
        }
    }

    fn of_twofold(twofold: &'a Twofold) -> Self {
        Self::Twofold(text(twofold.written()), text(twofold.resolved()), twofold.is_stripped())
    }

    pub(super) fn reverse(self) -> Option<ReversePath> {
        match self {
            Self::Null => Some(ReversePath::Null),
            Self::Mailbox(text) => mailbox(&text).map(ReversePath::Mailbox),
            Self::Malformed(raw) => Some(ReversePath::Malformed(raw.into_owned())),
            Self::Twofold(written, resolved, is_stripped) => {
                Some(ReversePath::Twofold(Box::new(Twofold::new(written, resolved, is_stripped))))
            }
            Self::Postmaster | Self::Literal(_) => None,
        }
    }

    fn forward(self) -> Option<ForwardPath> {
        match self {
            Self::Postmaster => Some(ForwardPath::Postmaster),
            Self::Mailbox(text) => mailbox(&text).map(ForwardPath::Mailbox),
            Self::Literal(raw) => Some(ForwardPath::AtLiteral(raw.into_owned())),
            Self::Malformed(raw) => Some(ForwardPath::Malformed(raw.into_owned())),
            Self::Twofold(written, resolved, is_stripped) => {
                Some(ForwardPath::Twofold(Box::new(Twofold::new(written, resolved, is_stripped))))
            }
            Self::Null => None,
        }
    }
}
