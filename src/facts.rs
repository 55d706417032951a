//! What a decision may depend on beyond the request: questions, the answers known so far, and the view of them.
//!
//! A check asks the [`View`] and gets the answer or the question that stands in the way, never a default. So a missing
//! answer cannot be mistaken for a good one, and no check knows where answers come from.

use std::collections::HashMap;

use crate::mail::Mailbox;
use crate::mail::spf::{SpfAnswer, SpfQuestion};
use crate::session::Login;

/// Something that only the outside knows. A question says everything that its answer depends on, the world apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// May this login send as this mailbox?
    Grant(GrantQuestion),
    /// May this client send for this domain?
    Spf(SpfQuestion),
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

    /// Whether the answer is known.
    pub fn know(&self, question: &Question) -> bool {
        self.0.contains_key(question)
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
