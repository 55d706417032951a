//! What a recipient says about the client who asked for it: whether it was a guess.

use crate::check::{CheckId, Known, Mode, Observation, recipients, roles};
use crate::decide::Decision;
use crate::mail::tagged::is_srs;
use crate::mail::{ForwardPath, Mailbox};
use crate::milter::Rcpt;
use crate::policy::Policy;
use crate::session::Origin;

/// The code by which we and the MTA say that there is no such name (RFC 3463, 3.2). Other refusals are none of a
/// guess: the sender, the network or the moment is to blame.
const NO_SUCH_NAME: &str = "5.1.1";

/// A name that counts, in the form in which equal ones are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// It exists, and the recipient was accepted. That counts once the message is: whoever asks and sends nothing to it
    /// shall not have it to his credit.
    Good(String),
    /// It does not exist, and the recipient was refused for that.
    Unknown(String),
}

/// What a decision about a recipient says. Nothing, where it was put off, where only a wildcard knows the name, or where
/// something else was wrong.
pub(super) fn of_decision(
    policy: &Policy,
    origin: Origin,
    path: &ForwardPath,
    decision: &Decision,
) -> Option<Guess> {
    if !counts(policy, origin, path) {
        return None;
    }
    // Where blocks are only spoken of, so are refusals: what would be refused then counts as if it were.
    let would = decision.would.reply().filter(|_| policy.defaults.harvest == Mode::Monitor);
    let observed = decision.observations.iter().find_map(|observation| match observation {
        Observation::Recipient { mailbox, known } => Some((mailbox, *known)),
        Observation::Spf { .. } => None,
    });
    match (decision.verdict.reply().or(would), observed) {
        (Some(reply), Some((name, Known::Not))) if reply.enhanced() == NO_SUCH_NAME => {
            let decisive = decision.decisive().map(|finding| finding.check);
            (decisive == Some(CheckId::Recipients)).then(|| Guess::Unknown(name.to_string()))
        }
        (None, Some((name, Known::ByName))) => Some(Guess::Good(name.to_string())),
        // The MTA knows it, and nobody else was asked.
        (None, None) => {
            let mailbox = path.mailbox()?;
            let locks = policy.locks(mailbox.domain());
            let is_off = locks.is_none_or(|locks| locks.recipients.mode == Mode::Off);
            is_off.then(|| Guess::Good(name(policy, mailbox)))
        }
        _ => None,
    }
}

/// The unknown name, if one is why the MTA itself refuses a recipient.
pub(super) fn of_refusal(policy: &Policy, origin: Origin, rcpt: &Rcpt) -> Option<String> {
    // What the macros hold is about the refusal, so that only the client's own words are left.
    let path = ForwardPath::parse(&rcpt.argument);
    if rcpt.host.as_deref() != Some(NO_SUCH_NAME) || !counts(policy, origin, &path) {
        return None;
    }
    match &path {
        ForwardPath::Postmaster => None,
        ForwardPath::Mailbox(mailbox) => Some(name(policy, mailbox)),
        // The MTA understood more than we do. Otherwise who harvests would write addresses as nobody else does.
        ForwardPath::AtLiteral(_) | ForwardPath::Malformed(_) | ForwardPath::Twofold(_) => {
            Some(path.to_string().to_lowercase())
        }
    }
}

/// Whether a recipient counts at all: a stranger asks for it, and it is none of those that must be reachable for everybody.
/// Addresses of SRS do not: they are what others' bounces come back to, and no names.
///
/// Whether its domain is hosted does not matter. The MTA says only of its own domains that a name is unknown, and under
/// one that nobody thought of hosting, such as `localhost`, it knows the names that others have, too.
fn counts(policy: &Policy, origin: Origin, path: &ForwardPath) -> bool {
    origin == Origin::Foreign
        && policy.defaults.harvest != Mode::Off
        && !path.mailbox().is_some_and(|mailbox| is_srs(mailbox.local_part()))
        && !roles::is_always_reachable(path)
}

fn name(policy: &Policy, mailbox: &Mailbox) -> String {
    let locks = policy.locks(mailbox.domain()).unwrap_or(&policy.defaults);
    recipients::name_behind(&policy.site, &locks.addresses, mailbox).to_string()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{self, Host};
    use crate::decide::decide;
    use crate::facts::{Answer, Existence, Facts, Question, Standing, Usage};
    use crate::mail::ReversePath;
    use crate::mail::spf::{SpfAnswer, SpfResult};
    use crate::mta::postfix::main_cf::MainCf;
    use crate::session::{Client, Envelope, Point, Request, Role, Session};

    /// A domain for each mode, one whose names nobody knows, and one that follows.
    const DOMAINS: &str = "
listen: ['inet:127.0.0.1:8891']
identities: { login_domain: hosted.test }
trusted_networks: [198.51.100.0/24]
defaults: { recipients: { sources: [list: []] } }
domains:
  hosted.test:
  soft.test: { recipients: { catch_all: soft } }
  reject.test: { recipients: { catch_all: reject } }
  monitored.test: { recipients: { mode: monitor } }
  off.test: { recipients: { mode: off } }
  alias.test: { alias_of: hosted.test }
";

    fn policy(more: &str) -> Policy {
        let host = Host {
            name: "mx".to_owned(),
            today: jiff::civil::date(2026, 11, 24),
            has_group: |_| true,
            main_cf: MainCf::absent,
        };
        config::parse("test", &format!("{DOMAINS}{more}"), &host, Path::new("")).unwrap().0.policy
    }

    fn in_words(guess: Option<Guess>) -> String {
        match guess {
            None => "-".to_owned(),
            Some(Guess::Good(name)) => format!("good {name}"),
            Some(Guess::Unknown(name)) => format!("unknown {name}"),
        }
    }

    /// What a recipient says of which a source says this, to a client that SPF says this of.
    fn judged(policy: &Policy, client: &str, path: &str, existence: &Existence, spf: SpfResult) -> String {
        let client = Client { address: client.parse().ok(), name: String::new(), port: 1 };
        let session = Session {
            role: Role::Inbound,
            client,
            helo: "h.example".to_owned(),
            mta_name: None,
            is_postfix: true,
        };
        let reverse_path = ReversePath::parse("<a@sender.example>");
        let envelope =
            Envelope { reverse_path, bracketed: true, login: None, recipients: Vec::new(), queue_id: None };
        let origin = policy.origin(&session, &envelope);
        let path = ForwardPath::parse(path);
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        let point = Point::Recipient(&path);
        let request = Request { session: &session, envelope: &envelope, origin, point, report: None, now };
        let mut facts = Facts::default();
        loop {
            let open = match decide(policy, &request, &facts) {
                Ok(decision) => return in_words(of_decision(policy, origin, &path, &decision)),
                Err(open) => open,
            };
            for question in open.questions() {
                let answer = match question {
                    Question::Cause(_) => unreachable!("nobody answers at RCPT"),
                    Question::Harvest(_) => Answer::Harvest(Standing::Clear),
                    Question::Recipient(_) => Answer::Recipient(existence.clone()),
                    Question::Usage(_) => Answer::Usage(Usage::Unused(None)),
                    Question::Spf(_) => Answer::Spf(SpfAnswer::new(spf, "given")),
                    Question::Grant(_) => unreachable!("nobody has a login"),
                };
                facts.learn(question.clone(), answer);
            }
        }
    }

    #[track_caller]
    fn check(policy: &Policy, path: &str, existence: &Existence, expected: &str) {
        assert_eq!(judged(policy, "192.0.2.1", path, existence, SpfResult::Pass), expected, "{path}");
    }

    fn exists() -> Existence {
        Existence::Exists("x".into())
    }

    fn unknown() -> Existence {
        Existence::Unknown("x".to_owned())
    }

    #[test]
    fn what_we_decide() {
        let policy = policy("");
        check(&policy, "<info@hosted.test>", &exists(), "good info@hosted.test");
        check(&policy, "<Info+x@Hosted.test>", &exists(), "good info@hosted.test");
        check(&policy, "<nobody@hosted.test>", &unknown(), "unknown nobody@hosted.test");
        check(&policy, "<Nobody+x@alias.test>", &unknown(), "unknown nobody@hosted.test");
        check(&policy, "<abuse@hosted.test>", &unknown(), "-");
        check(&policy, "<postmaster>", &unknown(), "-");
        // No lock is asked about a domain that is not hosted: the MTA knows the name.
        check(&policy, "<info@elsewhere.test>", &unknown(), "good info@elsewhere.test");
        check(&policy, "<abuse@elsewhere.test>", &unknown(), "-");
        // A forged one, or a bounce that comes too late; either says nothing about names.
        check(&policy, "<SRS0=h=t=a.example=b@hosted.test>", &unknown(), "-");
        check(&policy, "<srs1+h=a.example==h=t=b.example=c@reject.test>", &unknown(), "-");
        let wildcard = Existence::Wildcard("x".into());
        check(&policy, "<any@hosted.test>", &wildcard, "-");
        check(&policy, "<any@soft.test>", &wildcard, "-");
        check(&policy, "<any@reject.test>", &wildcard, "unknown any@reject.test");
        let ambiguous = Existence::Ambiguous("x".into());
        check(&policy, "<sales@hosted.test>", &ambiguous, "-");
        check(&policy, "<sales@reject.test>", &ambiguous, "-");
        let relocated = Existence::Relocated { to: "b@else.test".to_owned(), by: "x".into() };
        check(&policy, "<old@hosted.test>", &relocated, "-");
        check(&policy, "<any@hosted.test>", &Existence::Undetermined("x".to_owned()), "-");
        check(&policy, "<any@hosted.test>", &Existence::NoList("x".to_owned()), "-");
        check(&policy, "<any@off.test>", &unknown(), "good any@off.test");
        // It is accepted, though it would not be.
        check(&policy, "<nobody@monitored.test>", &unknown(), "-");
    }

    #[test]
    fn what_is_only_watched() {
        let policy = policy("harvest: { mode: monitor }\n");
        check(&policy, "<nobody@monitored.test>", &unknown(), "unknown nobody@monitored.test");
        check(&policy, "<info@monitored.test>", &exists(), "good info@monitored.test");
    }

    #[test]
    fn who_counts() {
        let off = self::policy("harvest: { mode: off }\n");
        check(&off, "<nobody@hosted.test>", &unknown(), "-");
        let policy = policy("");
        let judged = |client, existence, spf| judged(&policy, client, "<x@hosted.test>", &existence, spf);
        assert_eq!(judged("198.51.100.1", unknown(), SpfResult::Pass), "-", "a trusted client");
        assert_eq!(judged("192.0.2.1", exists(), SpfResult::Fail), "-", "refused for its sender");
        assert_eq!(judged("192.0.2.1", unknown(), SpfResult::Fail), "unknown x@hosted.test");
    }

    #[track_caller]
    fn check_refusal(origin: Origin, argument: &str, host: &str, expected: &str) {
        let rcpt = Rcpt {
            argument: argument.to_owned(),
            parameters: Vec::new(),
            address: Some("<x>: Recipient address rejected".to_owned()),
            host: Some(host.to_owned()),
            mailer: Some("error".to_owned()),
            queue_id: None,
        };
        assert_eq!(
            in_words(of_refusal(&policy(""), origin, &rcpt).map(Guess::Unknown)),
            expected,
            "{argument} {host}"
        );
    }

    #[test]
    fn what_the_mta_refuses() {
        use Origin::{Foreign, Login};
        check_refusal(Foreign, "<Nobody+x@alias.test>", "5.1.1", "unknown nobody@hosted.test");
        check_refusal(Foreign, "<nobody@off.test>", "5.1.1", "unknown nobody@off.test");
        check_refusal(Foreign, "<nobody@hosted.test>", "5.1.8", "-");
        check_refusal(Foreign, "<nobody@hosted.test>", "4.1.1", "-");
        check_refusal(Foreign, "<nobody@hosted.test>", "5.7.1", "-");
        // The MTA's own domains, hosted or not; by any of them all of its users can be asked for.
        check_refusal(Foreign, "<nobody@elsewhere.test>", "5.1.1", "unknown nobody@elsewhere.test");
        check_refusal(Foreign, "<Nobody+x@localhost>", "5.1.1", "unknown nobody@localhost");
        check_refusal(
            Foreign,
            "<nobody%hosted.test@localhost>",
            "5.1.1",
            "unknown nobody%hosted.test@localhost",
        );
        check_refusal(Foreign, "<hosted.test!nobody@mx>", "5.1.1", "unknown hosted.test!nobody@mx");
        check_refusal(
            Foreign,
            "<nobody@hosted.test@localhost>",
            "5.1.1",
            "unknown nobody@hosted.test@localhost",
        );
        check_refusal(
            Foreign,
            "<\"nobody@hosted.test\"@localhost>",
            "5.1.1",
            "unknown \"nobody@hosted.test\"@localhost",
        );
        check_refusal(Foreign, "<nobody@elsewhere.test>", "5.1.2", "-");
        check_refusal(Foreign, "<abuse@localhost>", "5.1.1", "-");
        check_refusal(Foreign, "<SRS0=h=t=a.example=b@localhost>", "5.1.1", "-");
        check_refusal(Foreign, "<postmaster@hosted.test>", "5.1.1", "-");
        check_refusal(Foreign, "<a(b)@Hosted.test>", "5.1.1", "unknown a(b)@hosted.test");
        check_refusal(Foreign, "<a(b)@elsewhere.test>", "5.1.1", "unknown a(b)@elsewhere.test");
        check_refusal(Foreign, "<@relay.test:nobody@hosted.test>", "5.1.1", "unknown nobody@hosted.test");
        check_refusal(Foreign, "<bare>", "5.1.1", "unknown bare");
        check_refusal(Foreign, "<a@[192.0.2.1]>", "5.1.1", "unknown a@[192.0.2.1]");
        check_refusal(Foreign, "<postmaster>", "5.1.1", "-");
        check_refusal(Login, "<nobody@hosted.test>", "5.1.1", "-");
    }
}
