//! Lines of the journal read back: what [`super::render`] wrote, as logfmt or JSON, also behind the prefix of syslog.
//!
//! A log is text that anybody may have touched, and one file may hold the lines of many programs. So reading never
//! fails: a line is a record, somebody else's, or broken.

mod texts;

use jiff::Timestamp;

use super::Event;
use texts::Texts;

/// The program whose lines are read where a prefix names one.
const PROGRAM: &str = "lockdown-milter";

/// A field of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of `Record`, which says what they mean")]
pub enum Field {
    Time,
    Event,
    Verdict,
    Would,
    Mode,
    Check,
    Reason,
    Detail,
    Reply,
    Client,
    Helo,
    MailFrom,
    RcptTo,
    Login,
    HeaderFrom,
    Claimed,
    Origin,
    Spf,
    QueueId,
    Ref,
    Ms,
}

impl Field {
    /// All fields with their names, in the order in which they are written.
    pub const NAMES: [(&'static str, Self); 21] = [
        ("time", Self::Time),
        ("event", Self::Event),
        ("verdict", Self::Verdict),
        ("would", Self::Would),
        ("mode", Self::Mode),
        ("check", Self::Check),
        ("reason", Self::Reason),
        ("detail", Self::Detail),
        ("reply", Self::Reply),
        ("client", Self::Client),
        ("helo", Self::Helo),
        ("mail_from", Self::MailFrom),
        ("rcpt_to", Self::RcptTo),
        ("login", Self::Login),
        ("header_from", Self::HeaderFrom),
        ("claimed", Self::Claimed),
        ("origin", Self::Origin),
        ("spf", Self::Spf),
        ("queue_id", Self::QueueId),
        ("ref", Self::Ref),
        ("ms", Self::Ms),
    ];
}

/// A verdict as the log words it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It passed.
    Pass,
    /// It was refused for now.
    Defer,
    /// It was refused.
    Reject,
    /// It was accepted and thrown away.
    Discard,
}

impl Outcome {
    /// All outcomes with their words.
    pub const NAMES: [(&'static str, Self); 4] =
        [("pass", Self::Pass), ("defer", Self::Defer), ("reject", Self::Reject), ("discard", Self::Discard)];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize].0
    }

    fn named(word: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(name, _)| *name == word).map(|(_, outcome)| outcome)
    }
}

/// A line that is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Another program's, or a message of the daemon's own.
    Other,
    /// A record once, but cut or changed.
    Broken,
}

/// One record as it was written. What needs no unescaping is borrowed from the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// When.
    pub time: Timestamp,
    /// What.
    pub event: Event,
    /// The verdict that was given.
    pub verdict: Outcome,
    /// The verdict if every lock were enforced.
    pub would: Outcome,
    texts: Texts<'a>,
}

impl Entry<'_> {
    /// The text of a field; of several recipients, all with commas between them.
    pub fn text(&self, field: Field) -> Option<&str> {
        self.texts.of(field)
    }
}

/// Reads one line, without its end.
pub fn parse(line: &str) -> Result<Entry<'_>, Unread> {
    let line = beginning(line).ok_or(Unread::Other)?;
    let texts = if line.starts_with('{') {
        Texts::json(line).ok_or(Unread::Broken)?
    } else {
        Texts::logfmt(line).ok_or(Unread::Broken)?
    };
    if texts.of(Field::Event).is_none() {
        return Err(Unread::Other);
    }
    entry(texts).ok_or(Unread::Broken)
}

/// The line from where its record begins. A prefix is believed only if it names us: other programs log attacker text,
/// which may look like a record.
pub(super) fn beginning(line: &str) -> Option<&str> {
    let begins = |text: &str| text.starts_with("time=") || text.starts_with("{\"");
    if begins(line) {
        return Some(line);
    }
    let (prefix, rest) = line.split_once(": ")?;
    let tag = prefix.rsplit(' ').next()?;
    (tag.starts_with(PROGRAM) && begins(rest)).then_some(rest)
}

fn entry(texts: Texts<'_>) -> Option<Entry<'_>> {
    let text = |field| texts.of(field);
    let time = text(Field::Time)?.parse().ok()?;
    let event = [Event::Recipient, Event::Message]
        .into_iter()
        .find(|event| Some(event.as_str()) == text(Field::Event))?;
    let verdict = Outcome::named(text(Field::Verdict)?)?;
    let would = text(Field::Would).map_or(Some(verdict), Outcome::named)?;
    // Every record ends with this field; a line that was cut lacks it.
    text(Field::Ms)?;
    Some(Entry { time, event, verdict, would, texts })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Record, render};
    use super::*;
    use crate::check::Mode;

    /// What the line is read as: `event verdict would login`, or why it is not.
    #[track_caller]
    fn check(line: &str, expected: &str) {
        let found = match parse(line) {
            Ok(entry) => {
                let login = entry.text(Field::Login).unwrap_or("-");
                let (event, verdict, would) = (entry.event.as_str(), entry.verdict.as_str(), entry.would);
                format!("{event} {verdict} {} {login}", would.as_str())
            }
            Err(unread) => format!("{unread:?}"),
        };
        assert_eq!(found, expected, "{line}");
    }

    const GOOD: &str =
        "time=2026-11-24T05:45:19.000Z event=message verdict=pass would=reject login=alice ms=1";

    #[test]
    fn prefixes() {
        let read = "message pass reject alice";
        check(GOOD, read);
        check(&format!("Nov 24 05:45:19 mx lockdown-milter[123]: {GOOD}"), read);
        check(&format!("2026-11-24T05:45:19+0000 mx lockdown-milter: {GOOD}"), read);
        check(&format!("Tue 2026-11-24 05:45:19 UTC mx lockdown-milter@inbound[1]: {GOOD}"), read);
        check(&format!("Nov 24 05:45:19 mx postfix/smtpd[123]: {GOOD}"), "Other");
        check(&format!("Nov 24 05:45:19 mx postfix/smtpd[1]: helo=<lockdown-milter: {GOOD}>"), "Other");
        check(&format!("Nov 24 05:45:19 mx lockdown-milter[123]: helo {GOOD}"), "Other");
        check("", "Other");
        check("time=2026-11-24T05:45:19.000Z level=info message=\"ready\"", "Other");
        check("{\"time\":\"2026-11-24T05:45:19.000Z\",\"level\":\"info\",\"n\":[{\"a\":null}]}", "Other");
    }

    #[test]
    fn broken_lines() {
        check(&GOOD.replace(" ms=1", ""), "Broken");
        check(&GOOD.replace("ms=1", "detail=\"cut"), "Broken");
        check(&GOOD.replace("ms=1", "detail=\"cut\\"), "Broken");
        check(&GOOD.replace("alice", "\"a\\é\""), "Broken");
        check(&GOOD.replace("alice", "\"a\\x\""), "Broken");
        check(&GOOD.replace("alice", "\"a\"b"), "Broken");
        check(&GOOD.replace("alice", ""), "Broken");
        check(&GOOD.replace("ms=1", "login=bob ms=1"), "Broken");
        check(&GOOD.replace("event=message", "event=lunch"), "Broken");
        check(&GOOD.replace("verdict=pass", "verdict=maybe"), "Broken");
        check(&GOOD.replace("2026", "tomorrow"), "Broken");
        check("{\"time\":1,", "Broken");
        check("{\"event\":\"message\",\"event\":\"message\"}", "Broken");
        check("{\"event\":{\"message\":1}}", "Broken");
    }

    #[test]
    fn what_a_later_version_adds_is_passed_over() {
        check(&GOOD.replace("ms=1", "new=\"x y\" ms=1"), "message pass reject alice");
    }

    #[test]
    fn what_needs_no_unescaping_is_borrowed() {
        let line = GOOD.replace("alice", "\"alice smith\"");
        let logfmt = parse(&line).unwrap();
        assert!(logfmt.texts.borrows(Field::Login));
        let json = "{\"time\":\"2026-11-24T05:45:19Z\",\"event\":\"message\",\"verdict\":\"pass\",\"login\":\"a\",\"ms\":1}";
        let json = parse(json).unwrap();
        assert!(json.texts.borrows(Field::Login));
    }

    /// Anything a stranger may say, short enough not to be cut.
    fn said() -> impl Strategy<Value = String> {
        "\\PC{0,20}|.{0,20}|[\\x00-\\x7f]{0,20}|[\"\\\\ =,\u{202e}]{0,8}"
    }

    prop_compose! {
        fn record()(
            words in (any::<bool>(), 0..3usize, prop::option::of(0..3usize)),
            texts in prop::collection::vec(said(), 4),
            maybe in prop::collection::vec(prop::option::of(said()), 8),
            rcpt_to in prop::collection::vec(said(), 1..4),
            (seconds, ms) in (0i64..4_000_000_000, any::<u64>()),
        ) -> Record {
            let outcome = |at: usize| Outcome::NAMES[at].0;
            let [client, helo, mail_from, _] = texts.try_into().unwrap();
            let [detail, reply, login, header_from, claimed, spf, queue_id, reference] =
                maybe.try_into().unwrap();
            Record {
                time: Timestamp::from_second(seconds).unwrap(),
                event: if words.0 { Event::Message } else { Event::Recipient },
                verdict: outcome(words.1),
                would: words.2.map(outcome),
                mode: Some(Mode::Monitor),
                check: Some("auth_match"),
                reason: Some("auth-match-sender"),
                detail, reply, client, helo, mail_from, rcpt_to, login, header_from, claimed,
                origin: "login",
                spf, queue_id, reference, ms,
                judged: Some("{\"v\":1}".to_owned()),
            }
        }
    }

    /// The texts that a reader should find, by their names in the order of the contract.
    fn expected(record: &Record) -> Vec<(&'static str, Option<String>)> {
        let word = |word: &str| Some(word.to_owned());
        vec![
            ("time", Some(format!("{:.3}", record.time))),
            ("event", word(record.event.as_str())),
            ("verdict", word(record.verdict)),
            ("would", record.would.map(str::to_owned)),
            ("mode", record.mode.map(|mode| mode.as_str().to_owned())),
            ("check", record.check.map(str::to_owned)),
            ("reason", record.reason.map(str::to_owned)),
            ("detail", record.detail.clone()),
            ("reply", record.reply.clone()),
            ("client", word(&record.client)),
            ("helo", word(&record.helo)),
            ("mail_from", word(&record.mail_from)),
            ("rcpt_to", Some(record.rcpt_to.join(","))),
            ("login", record.login.clone()),
            ("header_from", record.header_from.clone()),
            ("claimed", record.claimed.clone()),
            ("origin", word(record.origin)),
            ("spf", record.spf.clone()),
            ("queue_id", record.queue_id.clone()),
            ("ref", record.reference.clone()),
            ("ms", Some(record.ms.to_string())),
        ]
    }

    proptest! {
        /// What was written is read back, in either form, with a prefix and without.
        #[test]
        fn round_trip(record in record()) {
            for line in [render::logfmt(&record), render::json(&record)] {
                for line in [line.clone(), format!("Nov 24 05:45:19 mx lockdown-milter[1]: {line}")] {
                    let entry = parse(&line).unwrap();
                    prop_assert_eq!(entry.time, record.time);
                    let found: Vec<_> = Field::NAMES
                        .iter()
                        .map(|(name, field)| (*name, entry.text(*field).map(str::to_owned)))
                        .collect();
                    prop_assert_eq!(found, expected(&record));
                }
            }
        }

        /// No line is too strange, and none that was cut passes for a whole one.
        #[test]
        fn anything_goes(record in record(), at in any::<prop::sample::Index>(), noise in "\\PC{0,40}") {
            let line = render::logfmt(&record);
            let at = at.index(line.rfind(" ms=").unwrap() + " ms=".len());
            if let Some(cut) = line.get(..at) {
                prop_assert!(parse(cut).is_err());
                let _ = parse(&format!("{cut}{noise}"));
                let _ = parse(&format!("time={noise}"));
                let _ = parse(&format!("{{\"{noise}"));
            }
        }
    }
}
