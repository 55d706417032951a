//! Responses: automatic replies and bounces leave only in answer to messages that the domain in question answers.
//!
//! *Before*, when a message comes from outside, its recipients' programs are asked not to answer it. *After*, when an
//! answer leaves, it is tied to the message that it answers, and thrown away if nobody should have answered that. An
//! answer is never refused: whoever made it could only keep trying, or make a bounce of it.

mod auto_responders;
mod bounces;
mod ties;

pub use auto_responders::{AutoResponders, Settings as AutoSettings, Suppress};
pub use bounces::{Bounces, Settings as BounceSettings};

use super::exception::Exception;
use super::{Case, Judgment, Remark};
use crate::facts::{Cause, Original};
use crate::mail::spf::SpfResult;
use crate::session::Origin;

/// Which messages are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// All.
    Allow,
    /// Those that passed SPF.
    RequireSpfPass,
    /// Those that passed SPF, and those of domains that publish nothing.
    RequireSpfPassIfPublished,
    /// None.
    Disabled,
}

impl Policy {
    /// All of them with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("allow", Self::Allow),
        ("require_spf_pass", Self::RequireSpfPass),
        ("require_spf_pass_if_published", Self::RequireSpfPassIfPublished),
        ("disabled", Self::Disabled),
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::RequireSpfPass => "require_spf_pass",
            Self::RequireSpfPassIfPublished => "require_spf_pass_if_published",
            Self::Disabled => "disabled",
        }
    }

    /// Whether a message from outside is answered whose sender has this SPF result; where it was not examined, the
    /// answer is `unknown`.
    fn answers(self, spf: Option<SpfResult>, unknown: Unknown) -> bool {
        match (self, spf) {
            (Self::Disabled, _) => false,
            (Self::Allow, _)
            | (_, Some(SpfResult::Pass))
            | (Self::RequireSpfPassIfPublished, Some(SpfResult::None)) => true,
            (_, Some(_)) => false,
            (_, None) => unknown == Unknown::Allow,
        }
    }
}

/// What becomes of an answer to a message that we know nothing about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It leaves.
    Allow,
    /// It is thrown away.
    Discard,
}

impl Unknown {
    /// Both with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 2] = [("allow", Self::Allow), ("discard", Self::Discard)];
}

/// The words for what is judged, which differ between the two locks.
struct Reasons {
    pass: &'static str,
    unknown: &'static str,
    discard: &'static str,
}

/// The judgment of an answer by what it answers. `reached_by_wildcard` says whether only a wildcard knows the mailbox in
/// question.
fn judge_answer(
    cause: &Cause,
    (policy, unknown): (Policy, Unknown),
    reached_by_wildcard: impl Fn(&Original) -> bool,
    reasons: &Reasons,
) -> Judgment {
    let pass = |reason, detail: String| Judgment::Pass(Remark::new(reason, detail));
    let discard = |detail: String| Judgment::Discard(Remark::new(reasons.discard, detail));
    let word = policy.as_str();
    let original = match cause {
        Cause::Known(original) => original,
        Cause::Unknown(why) if policy == Policy::Disabled || unknown == Unknown::Discard => {
            return discard(format!("policy {word}; what it answers is not known: {why}"));
        }
        Cause::Unknown(why) => {
            return pass(reasons.unknown, format!("what it answers is not known: {why}"));
        }
    };
    let shown = format!("it answers ref {} of {} origin", original.reference, original.origin.as_str());
    if original.origin != Origin::Foreign {
        return pass(reasons.pass, shown);
    }
    let spf = original.spf.map_or("not examined", SpfResult::as_str);
    if reached_by_wildcard(original) {
        return discard(format!("{shown}, to a name that only a wildcard knows"));
    }
    let shown = format!("policy {word}; {shown}, spf {spf}");
    if original.is_claimed && original.spf.is_some() {
        return discard(format!("{shown}, which is not about this address: it stands in the header alone"));
    }
    if policy.answers(original.spf, unknown) { pass(reasons.pass, shown) } else { discard(shown) }
}

/// The judgment of an answer to several: it leaves if all of them should have it. Otherwise a stranger who has a program
/// answer him and whomever else he names, as by Reply-To, would reach them with what is his own due.
fn strictest(judgments: Vec<Judgment>) -> Judgment {
    let none = || Judgment::NotExamined(Remark::new("answer-inside", "nobody outside gets it"));
    let discards = |judgment: &Judgment| matches!(judgment, Judgment::Discard(_));
    let at = judgments.iter().position(discards).unwrap_or_default();
    judgments.into_iter().nth(at).unwrap_or_else(none)
}

/// Whether an exception lifts what a lock would ask of a message: one from this lock, or one from SPF that vouches for the
/// client.
fn is_excepted(case: &Case<'_>, check: super::CheckId) -> bool {
    let rules = case.site.login_rules(&case.locks.addresses);
    let lifts = |exception: &Exception| {
        exception.matches(check, case.request, rules) || exception.vouches(case.request, rules)
    };
    case.locks.exceptions.iter().any(lifts)
}
