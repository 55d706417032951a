//! What a decision may depend on beyond the request: questions, the answers known so far, and the view of them.
//!
//! A check asks the [`View`] and gets the answer or the question that stands in the way, never a default. So a missing
//! answer cannot be mistaken for a good one, and no check knows where answers come from.

mod existence;

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;

use crate::mail::spf::{SpfAnswer, SpfQuestion, SpfResult};
use crate::mail::{Domain, ForwardPath, Mailbox, ReversePath};
use crate::session::{Login, Origin};
pub use existence::{Evidence, Existence, Key, Provenance};

/// Something that only the outside knows. A question says everything that its answer depends on, the world apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// To which message is this one an answer?
    Cause(CauseQuestion),
    /// Has this client guessed too many names?
    Harvest(HarvestQuestion),
    /// Does this recipient exist?
    Recipient(RecipientQuestion),
    /// Who uses this name, which only a wildcard knows?
    Usage(UsageQuestion),
    /// May this login send as this mailbox?
    Grant(GrantQuestion),
    /// May this client send for this domain?
    Spf(SpfQuestion),
}

/// To which of the messages that we accepted is this one an answer, or which of them is it?
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CauseQuestion {
    /// Who sent the message, and so gets the answer.
    pub sender: ForwardPath,
    /// What ties the two, the surest first.
    pub ties: Vec<Tie>,
}

/// What ties an answer to its cause.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tie {
    /// What the MTA called the message, and when it sent the answer. Short queue ids are given out again.
    Queue {
        /// The queue id.
        id: String,
        /// When the answer was made.
        answered: Timestamp,
    },
    /// The identifier of the message (RFC 5322, 3.6.4), without angle brackets.
    MessageId(String),
    /// The message itself: it was sent under this identifier by one of ours, to somebody of this domain's organisation.
    Posted {
        /// Its identifier, without angle brackets.
        id: String,
        /// The domain.
        to: Domain,
    },
    /// Who answers: a message of the sender counts that is not older than an hour. Of several, one to this mailbox comes
    /// first; but an alias may have led the message there, so any other will do.
    Correspondents {
        /// The mailbox, as the name behind it: without a tag or a subaddress, at the domain that its own follows.
        mailbox: Mailbox,
        /// When the answer came.
        answered: Timestamp,
    },
    /// Who is told that a message failed: any message of the sender counts that an MTA may still have been trying to
    /// deliver.
    Sender {
        /// When the answer came.
        answered: Timestamp,
    },
}

/// The answer to a [`CauseQuestion`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// This message. Of several that it may be, the one that is answered most readily: a stranger can always send one
    /// more, but not take back what somebody else sent.
    Known(Box<Original>),
    /// None that we know; why.
    Unknown(String),
}

/// A message that we accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    /// The reference of its line in the log.
    pub reference: String,
    /// Where it came from.
    pub origin: Origin,
    /// What SPF said of its sender; none where that was not examined.
    pub spf: Option<SpfResult>,
    /// Whether nothing but its header names whom the answer is for, and SPF would not speak for that address: its
    /// domain is not aligned with that of the reverse-path.
    pub is_claimed: bool,
    /// The recipients at hosted domains, as the names behind them, and whether only a wildcard knows them.
    pub recipients: Vec<(Mailbox, bool)>,
}

/// Has this client guessed so many names that it is blocked?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HarvestQuestion {
    /// The client's address.
    pub client: IpAddr,
    /// Whether its mail has the null reverse-path, which is counted apart.
    pub null_sender: bool,
}

/// The answer to a [`HarvestQuestion`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing against it.
    Clear,
    /// Blocked.
    Blocked {
        /// The network that is blocked: the address itself, its /64, or its /24.
        network: IpNet,
        /// The first moment at which it is not blocked any more.
        until: Timestamp,
        /// For how many unknown names.
        names: usize,
    },
    /// Nobody counts, or what was counted cannot be read; why.
    NotCounted(String),
}

/// Does this recipient exist, as far as one source can tell?
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecipientQuestion {
    /// The source.
    pub source: SourceId,
    /// The forms of the address, in the order of asking, all canonical: as it is, without a tag or a subaddress, and the
    /// same at the domain that its own follows. Never empty.
    pub forms: Vec<Mailbox>,
    /// Whether upper and lower case differ. Where they do not, the forms are in lower case.
    pub case_sensitive: bool,
    /// Whether a name of which the source has an entry is worth more than one of all names (`catch_all` is not `allow`).
    /// Where it is not, no source is asked a second question to tell the two apart.
    pub by_name: bool,
}

/// A source of recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId {
    /// Its place in the list of all sources.
    pub number: usize,
    /// What it costs to ask it.
    pub cost: Cost,
}

/// Who uses this name, which only a wildcard knows?
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageQuestion {
    /// The mailbox in canonical form, without a tag or a subaddress, at the domain that its own follows.
    pub mailbox: Mailbox,
    /// Who writes to it now, canonical.
    pub sender: ReversePath,
    /// From where: the /24 or /64 of the client.
    pub network: IpNet,
}

/// The answer to a [`UsageQuestion`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Real correspondents use it; how that is known.
    Real(String),
    /// None is known. When this sender was first deferred from this network, if that was.
    Unused(Option<Timestamp>),
    /// What was learned cannot be read; why.
    Undetermined(String),
}

/// May this login send as this mailbox, by what the administrator granted? Its own address is no question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantQuestion {
    /// The login, as the MTA names it.
    pub login: Login,
    /// The mailbox that it claims to be, in canonical form.
    pub mailbox: Mailbox,
    /// Whether a grant for a domain covers the domains below it.
    pub subdomains: bool,
}

/// The answer to a [`GrantQuestion`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Yes; which grant of which source says so.
    Granted(String),
    /// No; the sources that were asked.
    NotGranted(Vec<String>),
    /// A source could not be asked, and no other says yes; why.
    Undetermined(String),
}

/// The answer to a [`Question`] of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The message that it answers.
    Cause(Cause),
    /// How the client stands.
    Harvest(Standing),
    /// Whether the recipient exists.
    Recipient(Existence),
    /// Who uses the name.
    Usage(Usage),
    /// The grant.
    Grant(Grant),
    /// The SPF result.
    Spf(SpfAnswer),
}

/// What it costs to find an answer. Cheap questions are asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cost {
    /// In this process.
    Memory,
    /// On this network: a socket, LDAP, SQL.
    Near,
    /// Anywhere: DNS, call-ahead.
    Far,
}

impl Cost {
    /// All classes, cheapest first.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Near, Self::Far];
}

/// The questions that stand in the way of a judgment; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open(Vec<Question>);

impl Open {
    /// The one question.
    pub fn one(question: Question) -> Self {
        Self(vec![question])
    }

    /// Both sets as one, without repetition.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for question in other.0 {
            if !self.0.contains(&question) {
                self.0.push(question);
            }
        }
        self
    }

    /// The questions, in the order in which they came up.
    pub fn questions(&self) -> &[Question] {
        &self.0
    }

    /// The part that `wanted` selects, if there is one.
    pub(crate) fn only(self, wanted: impl Fn(&Question) -> bool) -> Option<Self> {
        let questions: Vec<Question> = self.0.into_iter().filter(wanted).collect();
        (!questions.is_empty()).then_some(Self(questions))
    }
}

/// Two answers that are needed together: their questions come up together, so that they are asked concurrently.
pub fn both<A, B>(a: Result<A, Open>, b: Result<B, Open>) -> Result<(A, B), Open> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(a), Err(b)) => Err(a.and(b)),
        (Err(open), Ok(_)) | (Ok(_), Err(open)) => Err(open),
    }
}

/// The answers known so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(HashMap<Question, Answer>);

impl Facts {
    /// Adds an SPF answer.
    pub fn learn_spf(&mut self, question: SpfQuestion, answer: SpfAnswer) {
        self.0.insert(Question::Spf(question), Answer::Spf(answer));
    }

    /// Adds an answer to its question.
    pub fn learn(&mut self, question: Question, answer: Answer) {
        self.0.insert(question, answer);
    }

    /// Forgets what may be otherwise a moment later: how a client stands, which its own last guess may have changed.
    pub fn forget_passing(&mut self) {
        self.0.retain(|question, _| !matches!(question, Question::Harvest(_)));
    }

    /// The answer, where it is known.
    pub fn answer(&self, question: &Question) -> Option<&Answer> {
        self.0.get(question)
    }

    /// Whether the answer is known.
    pub fn know(&self, question: &Question) -> bool {
        self.0.contains_key(question)
    }

    /// All answers with their questions.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (&Question, &Answer)> {
        self.0.iter()
    }

    /// The facts as a check of this class may see them: dearer answers are hidden even when they are known, so that
    /// the outcome cannot depend on what happens to be known already.
    pub fn up_to<'a>(&'a self, class: Cost, cost: &'a dyn Fn(&Question) -> Cost) -> View<'a> {
        View { facts: self, class, cost }
    }
}

/// The facts up to a class of cost.
pub struct View<'a> {
    facts: &'a Facts,
    class: Cost,
    cost: &'a dyn Fn(&Question) -> Cost,
}

impl<'a> View<'a> {
    /// The SPF answer, or the question.
    pub fn spf(&self, question: SpfQuestion) -> Result<&'a SpfAnswer, Open> {
        let question = Question::Spf(question);
        match self.find(&question) {
            Some(Answer::Spf(answer)) => Ok(answer),
            // An answer of another kind is none.
            _ => Err(Open::one(question)),
        }
    }

    /// The message that this one answers, or the question.
    pub fn cause(&self, question: CauseQuestion) -> Result<&'a Cause, Open> {
        let question = Question::Cause(question);
        match self.find(&question) {
            Some(Answer::Cause(cause)) => Ok(cause),
            _ => Err(Open::one(question)),
        }
    }

    /// How the client stands, or the question.
    pub fn standing(&self, question: HarvestQuestion) -> Result<&'a Standing, Open> {
        let question = Question::Harvest(question);
        match self.find(&question) {
            Some(Answer::Harvest(standing)) => Ok(standing),
            _ => Err(Open::one(question)),
        }
    }

    /// Whether the recipient exists, or the question.
    pub fn recipient(&self, question: RecipientQuestion) -> Result<&'a Existence, Open> {
        let question = Question::Recipient(question);
        match self.find(&question) {
            Some(Answer::Recipient(existence)) => Ok(existence),
            _ => Err(Open::one(question)),
        }
    }

    /// Who uses the name, or the question.
    pub fn usage(&self, question: UsageQuestion) -> Result<&'a Usage, Open> {
        let question = Question::Usage(question);
        match self.find(&question) {
            Some(Answer::Usage(usage)) => Ok(usage),
            _ => Err(Open::one(question)),
        }
    }

    /// The grant, or the question.
    pub fn grant(&self, question: GrantQuestion) -> Result<&'a Grant, Open> {
        let question = Question::Grant(question);
        match self.find(&question) {
            Some(Answer::Grant(grant)) => Ok(grant),
            _ => Err(Open::one(question)),
        }
    }

    fn find(&self, question: &Question) -> Option<&'a Answer> {
        if (self.cost)(question) > self.class { None } else { self.facts.0.get(question) }
    }
}
