//! The decision: a pure function of policy, request and facts.
//!
//! It walks the classes of cost, cheapest first. A check whose questions are dearer waits for its class; once an
//! *enforced* rejection stands, dearer classes are not entered. A check that goes first is asked for alone, whatever its
//! questions cost. So the verdict never depends on what happens to be known already: a dear answer that lies at hand is
//! not looked at before its turn.

use crate::check::exception::Exception;
use crate::check::{
    Case, Check, CheckId, Finding, Judgment, Locks, Mode, Observation, Opinion, REGISTRY, Remark,
};
use crate::facts::{Answer, Cost, Facts, Open, Question, View};
use crate::mail::{Domain, Edit, ForwardPath, Header, Reply, authres};
use crate::policy::Policy;
use crate::session::{Origin, Point, Request};

/// What becomes of the recipient or of the message.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Verdict {
    /// It passes.
    #[default]
    Pass,
    /// It is taken and thrown away, without a word to anybody.
    Discard,
    /// It is refused for now.
    Defer(Reply),
    /// It is refused.
    Reject(Reply),
}

impl Verdict {
    /// The word for it in the log.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Discard => "discard",
            Self::Defer(_) => "defer",
            Self::Reject(_) => "reject",
        }
    }

    /// The reply, where it refuses.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Pass | Self::Discard => None,
            Self::Defer(reply) | Self::Reject(reply) => Some(reply),
        }
    }
}

/// The outcome with everything that led to it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Decision {
    /// What becomes of it, by the enforced findings.
    pub verdict: Verdict,
    /// What would become of it if every lock that is not off were enforced.
    pub would: Verdict,
    /// The judgments, in the order in which they were made.
    pub findings: Vec<Finding>,
    /// Changes to the message, in the order in which they must be made.
    pub edits: Vec<(CheckId, Edit)>,
    /// What was found out on the way.
    pub observations: Vec<Observation>,
}

impl Decision {
    /// Adds a finding and lets it count, for what becomes of the request and for what would.
    fn admit(&mut self, finding: Finding, counts: bool, would_count: bool) {
        if would_count {
            strengthen(&mut self.would, &finding.judgment);
        }
        if counts && finding.mode == Mode::Enforce {
            strengthen(&mut self.verdict, &finding.judgment);
        }
        self.findings.push(finding);
    }

    /// The finding that explains the outcome: the one behind `verdict` if that refuses, else the one behind `would`,
    /// else the most telling of the rest: an exception, a pass, what was found out last.
    pub fn decisive(&self) -> Option<&Finding> {
        let objecting = |finding: &&Finding| finding.judgment.objects();
        let behind = |verdict: &Verdict| {
            let same = |finding: &&Finding| finding.judgment.reply() == verdict.reply();
            self.findings.iter().filter(|_| *verdict != Verdict::Pass).filter(objecting).find(same)
        };
        // That a client is not blocked says nothing about what it asks for.
        let is_telling = |finding: &&Finding| {
            finding.check != CheckId::Harvest || matches!(finding.judgment, Judgment::Excepted(_))
        };
        let mut telling = self.findings.iter().filter(is_telling);
        let first = |wanted: fn(&Judgment) -> bool| telling.clone().find(|finding| wanted(&finding.judgment));
        behind(&self.verdict)
            .or_else(|| behind(&self.would))
            .or_else(|| first(|judgment| matches!(judgment, Judgment::Excepted(_))))
            .or_else(|| first(|judgment| matches!(judgment, Judgment::Pass(_))))
            .or_else(|| telling.next_back())
    }
}

/// One check in one domain that concerns the request.
struct Matter<'a> {
    check: &'static dyn Check,
    domain: Option<Domain>,
    locks: &'a Locks,
    opinion: Option<Opinion>,
}

/// Decides, or says which questions must be answered first. They are all of one class.
pub fn decide(policy: &Policy, request: &Request<'_>, facts: &Facts) -> Result<Decision, Open> {
    if let Some(finding) = unreadable(policy, request) {
        let mut decision = Decision::default();
        decision.admit(finding, true, true);
        return Ok(decision);
    }
    let mut matters = matters(policy, request, facts)?;
    let mut settled: Vec<usize> = Vec::new();
    for class in Cost::ALL {
        let cost = |question: &_| policy.cost(question);
        let (view, all) = (facts.up_to(class, &cost), facts.up_to(Cost::Far, &cost));
        let mut open: Option<Open> = None;
        for (index, matter) in matters.iter_mut().enumerate().filter(|(_, matter)| matter.opinion.is_none()) {
            let goes_first = matter.check.goes_first();
            match judge(matter, policy, request, if goes_first { &all } else { &view }) {
                Ok(opinion) => {
                    let ends = matter.locks.mode(matter.check.id()) == Mode::Enforce
                        && is_last_word(&opinion.judgment);
                    matter.opinion = Some(opinion);
                    settled.push(index);
                    // No later check could outrank this rejection. What an earlier one still asks could.
                    if ends {
                        return open.map_or_else(|| Ok(conclude(request, &matters, &settled)), Err);
                    }
                }
                Err(questions) if goes_first => return Err(questions),
                Err(questions) => {
                    if let Some(due) = questions.only(|question| policy.cost(question) <= class) {
                        open = Some(open.map_or(due.clone(), |earlier| earlier.and(due)));
                    }
                }
            }
        }
        if let Some(open) = open {
            return Err(open);
        }
    }
    Ok(conclude(request, &matters, &settled))
}

/// The questions that a decision took, with their answers, in the order in which they came up. Facts that it had no use
/// for are left out, so that these alone lead to the same decision.
pub fn evidence(policy: &Policy, request: &Request<'_>, facts: &Facts) -> Vec<(Question, Answer)> {
    let (mut seen, mut evidence) = (Facts::default(), Vec::new());
    while let Err(open) = decide(policy, request, &seen) {
        let answers = open
            .questions()
            .iter()
            .filter_map(|question| facts.answer(question).map(|answer| (question.clone(), answer.clone())));
        let known = evidence.len();
        evidence.extend(answers);
        if evidence.len() == known {
            // The rest was never answered.
            break;
        }
        for (question, answer) in &evidence[known..] {
            seen.learn(question.clone(), answer.clone());
        }
    }
    evidence
}

/// The locks that concern a request, each with the domain whose settings judge it, whether the decision had use for their
/// judgment or not. What only facts tell that are not known is left out.
pub fn concerned(policy: &Policy, request: &Request<'_>, facts: &Facts) -> Vec<(CheckId, Option<Domain>)> {
    let matters = matters(policy, request, facts).unwrap_or_default();
    matters.into_iter().map(|matter| (matter.check.id(), matter.domain)).collect()
}

/// Whether no later check could outrank the judgment: a rejection, or a reply that ends the session (RFC 5321, 3.8).
fn is_last_word(judgment: &Judgment) -> bool {
    match judgment {
        Judgment::Reject(..) => true,
        Judgment::Defer(_, reply) => reply.code() == 421,
        Judgment::Pass(_) | Judgment::NotExamined(_) | Judgment::Excepted(_) | Judgment::Discard(_) => false,
    }
}

/// The refusal of what cannot be read, so that no lock could judge it.
fn unreadable(policy: &Policy, request: &Request<'_>) -> Option<Finding> {
    let (remark, reply) = match request.point {
        Point::Recipient(ForwardPath::Malformed(raw)) => (
            Remark::new("recipient-malformed", format!("‘{raw}’ is no address")),
            Reply::new(553, "5.1.3", "This recipient is not an address"),
        ),
        Point::Message(header) if header.is_excessive() => (
            Remark::new(
                "header-excessive",
                format!("more than {} octets of header that matters", Header::LIMIT),
            ),
            Reply::new(552, "5.3.4", "The header of this message is too long"),
        ),
        Point::Transaction | Point::Recipient(_) | Point::Message(_) => return None,
    };
    // Local mail that is refused at RCPT stays in the queue for ever.
    if request.origin == Origin::Local || policy.mode == Mode::Off {
        return None;
    }
    Some(Finding {
        check: CheckId::Syntax,
        domain: None,
        mode: policy.mode,
        judgment: Judgment::Reject(remark, reply),
    })
}

/// Every check that concerns the request, in every hosted domain where it does and is not off.
fn matters<'a>(policy: &'a Policy, request: &Request<'_>, facts: &Facts) -> Result<Vec<Matter<'a>>, Open> {
    let mut matters = Vec::new();
    let cost = |question: &_| policy.cost(question);
    let view = facts.up_to(Cost::Memory, &cost);
    for check in REGISTRY {
        for subject in check.concerns_by_facts(&policy.site, request, &view)? {
            let Some((domain, locks)) = policy.judge_of(subject) else { continue };
            let is_off = locks.mode(check.id()) == Mode::Off;
            // Where all must agree, a domain that has the lock off does not.
            if !is_off || check.takes_all(request) {
                let opinion =
                    is_off.then(|| Judgment::NotExamined(Remark::new("off", "the lock is off")).into());
                matters.push(Matter { check, domain, locks, opinion });
            }
        }
    }
    Ok(matters)
}

/// The opinion of one check. An exception lifts what it would refuse, and nothing else: results are still recorded.
fn judge(
    matter: &Matter<'_>,
    policy: &Policy,
    request: &Request<'_>,
    facts: &View<'_>,
) -> Result<Opinion, Open> {
    let case = Case { site: &policy.site, domain: matter.domain.as_ref(), locks: matter.locks, request };
    let opinion = matter.check.judge(&case, facts)?;
    if !opinion.judgment.objects() {
        return Ok(opinion);
    }
    let check = matter.check.id();
    let rules = policy.site.login_rules(&matter.locks.addresses);
    let applies = |exception: &&Exception| exception.matches(check, request, rules);
    let Some(exception) = matter.locks.exceptions.iter().find(applies) else {
        return Ok(opinion);
    };
    let remark = opinion.judgment.remark();
    let note = exception.note.as_deref().unwrap_or("without a note");
    let judgment = Judgment::Excepted(Remark::new(
        "exception",
        format!("{} lifted ({note}): {}", remark.reason, remark.detail),
    ));
    Ok(Opinion { judgment, ..opinion })
}

/// The decision that the opinions add up to.
fn conclude(request: &Request<'_>, matters: &[Matter<'_>], settled: &[usize]) -> Decision {
    let mut decision = Decision::default();
    let mut edits = Vec::new();
    for matter in settled.iter().map(|&index| &matters[index]) {
        let Some(opinion) = &matter.opinion else { continue };
        let check = matter.check.id();
        let mode = matter.locks.mode(check);
        // Several domains of one message ask for the same field; it is made once.
        let agreed = |edit: &&Edit| {
            let asks = |opinion: &Opinion| opinion.edits.contains(edit);
            !matter.check.takes_all(request) || all_agree(matters, check, asks, Mode::Enforce)
        };
        for edit in opinion.edits.iter().filter(agreed).map(|edit| (check, edit.clone())) {
            if !edits.contains(&edit) {
                edits.push(edit);
            }
        }
        for observation in &opinion.observations {
            if !decision.observations.contains(observation) {
                decision.observations.push(observation.clone());
            }
        }
        let (domain, judgment) = (matter.domain.clone(), opinion.judgment.clone());
        let counts = |least| {
            let discards = |opinion: &Opinion| matches!(opinion.judgment, Judgment::Discard(_));
            !matches!(judgment, Judgment::Discard(_)) || all_agree(matters, check, discards, least)
        };
        let (counts, would_count) = (counts(Mode::Enforce), counts(Mode::Monitor));
        decision.admit(Finding { check, domain, mode, judgment }, counts, would_count);
    }
    // Deletions name fields by their number on arrival, so they come before insertions. The field that readers look
    // for goes in last, above all others (RFC 8601, 4.1).
    edits.sort_by_key(|(_, edit)| match edit {
        Edit::Delete { .. } => 0,
        // A recipient that is put on again before it is taken off would be lost.
        Edit::DeleteRecipient(_) => 1,
        Edit::AddRecipient { .. } => 2,
        Edit::InsertAtTop(field) if field.is(authres::NAME) => 4,
        Edit::InsertAtTop(_) => 3,
    });
    decision.edits = edits;
    decision
}

/// Whether every domain that a check concerns has such an opinion, in no weaker mode.
fn all_agree(matters: &[Matter<'_>], check: CheckId, such: impl Fn(&Opinion) -> bool, least: Mode) -> bool {
    let mut same = matters.iter().filter(|matter| matter.check.id() == check);
    same.all(|matter| matter.locks.mode(check) >= least && matter.opinion.as_ref().is_some_and(&such))
}

/// Lets a judgment count, if it is stronger than what stands: of equal ones the earlier wins.
fn strengthen(verdict: &mut Verdict, judgment: &Judgment) {
    match (&verdict, judgment) {
        (Verdict::Pass | Verdict::Discard | Verdict::Defer(_), Judgment::Reject(_, reply)) => {
            *verdict = Verdict::Reject(reply.clone());
        }
        // What is thrown away cannot come back to be judged again.
        (Verdict::Pass | Verdict::Discard, Judgment::Defer(_, reply)) => {
            *verdict = Verdict::Defer(reply.clone());
        }
        (Verdict::Pass, Judgment::Discard(_)) => *verdict = Verdict::Discard,
        _ => {}
    }
}
