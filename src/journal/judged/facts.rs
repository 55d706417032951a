//! Questions with their answers as they are written: one object for each, named after its kind.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Lost;
use super::written::{Path, Text, mailbox, mailbox_text, origin, text};
use crate::facts::{
    self, CauseQuestion, GrantQuestion, HarvestQuestion, Original, Question, RecipientQuestion, SourceId,
    UsageQuestion,
};
use crate::mail::ForwardPath;
use crate::mail::spf::{SpfAnswer, SpfIdentity, SpfQuestion};
use crate::session::Login;

/// A question with its answer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fact<'a> {
    Cause {
        sender: Text<'a>,
        ties: Vec<Tie<'a>>,
        answer: Cause<'a>,
    },
    Harvest {
        client: IpAddr,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        null_sender: bool,
        answer: Standing<'a>,
    },
    Recipient {
        source: Text<'a>,
        forms: Vec<Text<'a>>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        case_sensitive: bool,
        /// Whether an entry of all names would do.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        any_entry: bool,
        answer: Existence<'a>,
    },
    Usage {
        mailbox: Text<'a>,
        sender: Path<'a>,
        network: IpNet,
        answer: Usage<'a>,
    },
    Grant {
        login: Text<'a>,
        mailbox: Text<'a>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        subdomains: bool,
        answer: Grant<'a>,
    },
    Spf {
        of: Text<'a>,
        client: IpAddr,
        helo: Text<'a>,
        local_part: Text<'a>,
        domain: Text<'a>,
        answer: Spf<'a>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tie<'a> {
    Queue { id: Text<'a>, answered: Timestamp },
    MessageId(Text<'a>),
    Posted { id: Text<'a>, to: Text<'a> },
    Correspondents { mailbox: Text<'a>, answered: Timestamp },
    Sender { answered: Timestamp },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cause<'a> {
    Known {
        #[serde(rename = "ref")]
        reference: Text<'a>,
        origin: Text<'a>,
        spf: Option<Text<'a>>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        claimed: bool,
        recipients: Vec<(Text<'a>, bool)>,
    },
    Unknown(Text<'a>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Standing<'a> {
    Clear,
    Blocked { network: IpNet, until: Timestamp, names: usize },
    NotCounted(Text<'a>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Existence<'a> {
    Exists(Text<'a>),
    Relocated { to: Text<'a>, by: Text<'a> },
    Ambiguous(Text<'a>),
    Wildcard(Text<'a>),
    Unknown(Text<'a>),
    NoList(Text<'a>),
    Undetermined(Text<'a>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Usage<'a> {
    Real(Text<'a>),
    Unused(Option<Timestamp>),
    Undetermined(Text<'a>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Grant<'a> {
    Granted(Text<'a>),
    NotGranted(Vec<Text<'a>>),
    Undetermined(Text<'a>),
}

#[derive(Serialize, Deserialize)]
pub(super) struct Spf<'a> {
    result: Text<'a>,
    cause: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    explanation: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    sends_no_mail: bool,
}

impl<'a> Fact<'a> {
    /// A question with its answer; none if the answer is of another kind.
    pub(super) fn of(
        question: &'a Question,
        answer: &'a facts::Answer,
        sources: &'a [String],
    ) -> Option<Self> {
        Some(match (question, answer) {
            (Question::Cause(question), facts::Answer::Cause(answer)) => Self::Cause {
                sender: match &question.sender {
                    ForwardPath::Mailbox(mailbox) => mailbox_text(mailbox),
                    other => other.to_string().into(),
                },
                ties: question.ties.iter().map(Tie::of).collect(),
                answer: Cause::of(answer),
            },
            (Question::Harvest(question), facts::Answer::Harvest(answer)) => {
                let HarvestQuestion { client, null_sender } = *question;
                Self::Harvest { client, null_sender, answer: Standing::of(answer) }
            }
            (Question::Recipient(question), facts::Answer::Recipient(answer)) => Self::Recipient {
                source: text(sources.get(question.source.number)?),
                forms: question.forms.iter().map(mailbox_text).collect(),
                case_sensitive: question.case_sensitive,
                any_entry: !question.by_name,
                answer: Existence::of(answer),
            },
            (Question::Usage(question), facts::Answer::Usage(answer)) => Self::Usage {
                mailbox: mailbox_text(&question.mailbox),
                sender: Path::of_reverse(&question.sender),
                network: question.network,
                answer: Usage::of(answer),
            },
            (Question::Grant(question), facts::Answer::Grant(answer)) => Self::Grant {
                login: text(&question.login.0),
                mailbox: mailbox_text(&question.mailbox),
                subdomains: question.subdomains,
                answer: Grant::of(answer),
            },
            (Question::Spf(question), facts::Answer::Spf(answer)) => Self::Spf {
                of: text(question.identity.property()),
                client: question.client,
                helo: text(&question.helo),
                local_part: text(&question.local_part),
                domain: text(&question.domain),
                answer: Spf::of(answer),
            },
            _ => return None,
        })
    }

    /// The question and its answer. `source` finds a source of recipients by its name.
    pub(super) fn read(self, source: &dyn Fn(&str) -> Option<SourceId>) -> Option<Read> {
        let (question, answer) = match self {
            Self::Cause { sender, ties, answer } => {
                let ties = ties.into_iter().map(Tie::read).collect::<Option<_>>()?;
                let sender = match mailbox(&sender) {
                    Some(mailbox) => mailbox.into(),
                    None => ForwardPath::AtLiteral(sender.into_owned()),
                };
                let question = CauseQuestion { sender, ties };
                (Question::Cause(question), facts::Answer::Cause(answer.read()?))
            }
            Self::Harvest { client, null_sender, answer } => {
                let question = HarvestQuestion { client, null_sender };
                (Question::Harvest(question), facts::Answer::Harvest(answer.read()))
            }
            Self::Recipient { source: name, forms, case_sensitive, any_entry, answer } => {
                let Some(source) = source(&name) else {
                    let (recipient, said) = (forms.first()?.to_string(), answer.word().to_owned());
                    return Some(Read::Lost(Lost { source: name.into_owned(), recipient, said }));
                };
                let forms = forms.iter().map(|form| mailbox(form)).collect::<Option<_>>()?;
                let question = RecipientQuestion { source, forms, case_sensitive, by_name: !any_entry };
                (Question::Recipient(question), facts::Answer::Recipient(answer.read()))
            }
            Self::Usage { mailbox: name, sender, network, answer } => {
                let question = UsageQuestion { mailbox: mailbox(&name)?, sender: sender.reverse()?, network };
                (Question::Usage(question), facts::Answer::Usage(answer.read()))
            }
            Self::Grant { login, mailbox: name, subdomains, answer } => {
                let login = Login(login.into_owned());
                let question = GrantQuestion { login, mailbox: mailbox(&name)?, subdomains };
                (Question::Grant(question), facts::Answer::Grant(answer.read()))
            }
            Self::Spf { of, client, helo, local_part, domain, answer } => {
                let identities = [SpfIdentity::Helo, SpfIdentity::MailFrom];
                let identity = identities.into_iter().find(|identity| identity.property() == of)?;
                let [helo, local_part, domain] = [helo, local_part, domain].map(Cow::into_owned);
                let question = SpfQuestion { identity, client, helo, local_part, domain };
                (Question::Spf(question), facts::Answer::Spf(answer.read()?))
            }
        };
        Some(Read::Known(question, answer))
    }
}

/// A fact read back.
pub(super) enum Read {
    Known(Question, facts::Answer),
    Lost(Lost),
}

impl<'a> Tie<'a> {
    fn of(tie: &'a facts::Tie) -> Self {
        match tie {
            facts::Tie::Queue { id, answered } => Self::Queue { id: text(id), answered: *answered },
            facts::Tie::MessageId(id) => Self::MessageId(text(id)),
            facts::Tie::Posted { id, to } => Self::Posted { id: text(id), to: text(to.as_str()) },
            facts::Tie::Correspondents { mailbox, answered } => {
                Self::Correspondents { mailbox: mailbox_text(mailbox), answered: *answered }
            }
            facts::Tie::Sender { answered } => Self::Sender { answered: *answered },
        }
    }

    fn read(self) -> Option<facts::Tie> {
        Some(match self {
            Self::Queue { id, answered } => facts::Tie::Queue { id: id.into_owned(), answered },
            Self::MessageId(id) => facts::Tie::MessageId(id.into_owned()),
            Self::Posted { id, to } => facts::Tie::Posted { id: id.into_owned(), to: to.parse().ok()? },
            Self::Correspondents { mailbox: name, answered } => {
                facts::Tie::Correspondents { mailbox: mailbox(&name)?, answered }
            }
            Self::Sender { answered } => facts::Tie::Sender { answered },
        })
    }
}

impl<'a> Cause<'a> {
    fn of(cause: &'a facts::Cause) -> Self {
        match cause {
            facts::Cause::Known(original) => Self::Known {
                reference: text(&original.reference),
                origin: text(original.origin.as_str()),
                spf: original.spf.map(|result| text(result.as_str())),
                claimed: original.is_claimed,
                recipients: original.recipients.iter().map(|(name, by)| (mailbox_text(name), *by)).collect(),
            },
            facts::Cause::Unknown(why) => Self::Unknown(text(why)),
        }
    }

    fn read(self) -> Option<facts::Cause> {
        Some(match self {
            Self::Known { reference, origin: name, spf, claimed, recipients } => {
                let recipients = recipients.into_iter();
                facts::Cause::Known(Box::new(Original {
                    reference: reference.into_owned(),
                    origin: origin(&name)?,
                    spf: spf.map(|result| result.parse()).transpose().ok()?,
                    is_claimed: claimed,
                    recipients: recipients
                        .map(|(name, by)| Some((mailbox(&name)?, by)))
                        .collect::<Option<_>>()?,
                }))
            }
            Self::Unknown(why) => facts::Cause::Unknown(why.into_owned()),
        })
    }
}

impl<'a> Standing<'a> {
    fn of(standing: &'a facts::Standing) -> Self {
        match standing {
            facts::Standing::Clear => Self::Clear,
            facts::Standing::Blocked { network, until, names } => {
                Self::Blocked { network: *network, until: *until, names: *names }
            }
            facts::Standing::NotCounted(why) => Self::NotCounted(text(why)),
        }
    }

    fn read(self) -> facts::Standing {
        match self {
            Self::Clear => facts::Standing::Clear,
            Self::Blocked { network, until, names } => facts::Standing::Blocked { network, until, names },
            Self::NotCounted(why) => facts::Standing::NotCounted(why.into_owned()),
        }
    }
}

impl<'a> Existence<'a> {
    fn of(existence: &'a facts::Existence) -> Self {
        // Which entries they are is kept in words: nothing but the log asks for it afterwards.
        let words = |by: &facts::Provenance| Cow::Owned(by.to_string());
        match existence {
            facts::Existence::Exists(by) => Self::Exists(words(by)),
            facts::Existence::Relocated { to, by } => Self::Relocated { to: text(to), by: words(by) },
            facts::Existence::Ambiguous(by) => Self::Ambiguous(words(by)),
            facts::Existence::Wildcard(by) => Self::Wildcard(words(by)),
            facts::Existence::Unknown(source) => Self::Unknown(text(source)),
            facts::Existence::NoList(why) => Self::NoList(text(why)),
            facts::Existence::Undetermined(why) => Self::Undetermined(text(why)),
        }
    }

    fn read(self) -> facts::Existence {
        match self {
            Self::Exists(by) => facts::Existence::Exists(by.into_owned().into()),
            Self::Relocated { to, by } => {
                facts::Existence::Relocated { to: to.into_owned(), by: by.into_owned().into() }
            }
            Self::Ambiguous(by) => facts::Existence::Ambiguous(by.into_owned().into()),
            Self::Wildcard(by) => facts::Existence::Wildcard(by.into_owned().into()),
            Self::Unknown(source) => facts::Existence::Unknown(source.into_owned()),
            Self::NoList(why) => facts::Existence::NoList(why.into_owned()),
            Self::Undetermined(why) => facts::Existence::Undetermined(why.into_owned()),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Exists(_) => "exists",
            Self::Relocated { .. } => "relocated",
            Self::Ambiguous(_) => "ambiguous",
            Self::Wildcard(_) => "wildcard",
            Self::Unknown(_) => "unknown",
            Self::NoList(_) => "no list",
            Self::Undetermined(_) => "undetermined",
        }
    }
}

impl<'a> Usage<'a> {
    fn of(usage: &'a facts::Usage) -> Self {
        match usage {
            facts::Usage::Real(how) => Self::Real(text(how)),
            facts::Usage::Unused(since) => Self::Unused(*since),
            facts::Usage::Undetermined(why) => Self::Undetermined(text(why)),
        }
    }

    fn read(self) -> facts::Usage {
        match self {
            Self::Real(how) => facts::Usage::Real(how.into_owned()),
            Self::Unused(since) => facts::Usage::Unused(since),
            Self::Undetermined(why) => facts::Usage::Undetermined(why.into_owned()),
        }
    }
}

impl<'a> Grant<'a> {
    fn of(grant: &'a facts::Grant) -> Self {
        match grant {
            facts::Grant::Granted(by) => Self::Granted(text(by)),
            facts::Grant::NotGranted(sources) => {
                Self::NotGranted(sources.iter().map(|source| text(source)).collect())
            }
            facts::Grant::Undetermined(why) => Self::Undetermined(text(why)),
        }
    }

    fn read(self) -> facts::Grant {
        match self {
            Self::Granted(by) => facts::Grant::Granted(by.into_owned()),
            Self::NotGranted(sources) => {
                facts::Grant::NotGranted(sources.into_iter().map(Cow::into_owned).collect())
            }
            Self::Undetermined(why) => facts::Grant::Undetermined(why.into_owned()),
        }
    }
}

impl<'a> Spf<'a> {
    fn of(answer: &'a SpfAnswer) -> Self {
        Self {
            result: text(answer.result.as_str()),
            cause: text(&answer.cause),
            explanation: answer.explanation.as_deref().map(text),
            sends_no_mail: answer.sends_no_mail,
        }
    }

    fn read(self) -> Option<SpfAnswer> {
        Some(SpfAnswer {
            result: self.result.parse().ok()?,
            explanation: self.explanation.map(Cow::into_owned),
            cause: self.cause.into_owned(),
            sends_no_mail: self.sends_no_mail,
        })
    }
}
