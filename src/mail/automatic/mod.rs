//! Messages that programs send in answer to messages: automatic replies and bounces, by the signs that they bear.
//!
//! One table for each question, in the order of asking; every sign with where it is written down. What a program sends
//! of its own accord (orders, tickets, reports, lists, calendars) is neither. To throw away what is no answer would be to
//! lose mail: so a sign that others bear too counts only where something else says that the message answers one.
//!
//! | file | what it has |
//! |---|---|
//! | `signs` | the tables |
//! | `message` | a message as far as signs look at it |

mod message;
mod signs;

use super::report::Report;
use super::{Header, ReversePath};
use message::Message;

pub use signs::{BOUNCES, EXEMPT, PASSED_ON, REPLIES, Sign};

/// What a message is, if a program sent it in answer to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Automatic {
    /// An automatic reply: vacation notices and the like (RFC 3834).
    Reply,
    /// A bounce: a delivery status notification (RFC 3464), or what a mailbox refuses with (RFC 5429).
    Bounce,
}

/// What a message that leaves is, with the sign by which that is seen; the sign for which it is neither; or nothing at all.
/// It is neither if somebody's mailbox only passes it on. `report` is what its body says, where that was read.
pub fn recognise_leaving(
    header: &Header,
    reverse_path: &ReversePath,
    report: Option<&Report>,
) -> (Option<Automatic>, Option<&'static Sign>) {
    let message = Message::read(header, reverse_path, report);
    let first = |signs: &'static [Sign]| signs.iter().find(|sign| sign.is_borne_by(&message));
    if let Some(sign) = first(&PASSED_ON) {
        return (None, Some(sign));
    }
    if let Some(sign) = first(&BOUNCES) {
        return (Some(Automatic::Bounce), Some(sign));
    }
    if let Some(sign) = first(&EXEMPT) {
        return (None, Some(sign));
    }
    first(&REPLIES).map_or((None, None), |sign| (Some(Automatic::Reply), Some(sign)))
}

/// Whether the body of a message that leaves may say more of what it is, or of what it answers.
pub fn may_say_more(header: &Header, reverse_path: &ReversePath) -> bool {
    let message = Message::read(header, reverse_path, None);
    let bears = |signs: &'static [Sign]| signs.iter().any(|sign| sign.is_borne_by(&message));
    !bears(&PASSED_ON) && (message.is_null || message.is_receipt() || bears(&REPLIES))
}

/// The sign for which programs that answer leave a message alone by themselves (RFC 3834, 2). They know no others, so no
/// other one in a stranger's message says that it is answered by nobody.
pub fn unanswered(header: &Header, reverse_path: &ReversePath) -> Option<&'static Sign> {
    const HEEDED: [&str; 5] = ["list", "auto-generated", "auto-notified", "auto-replied", "generated-answer"];
    let message = Message::read(header, reverse_path, None);
    let heeded = EXEMPT.iter().chain(&REPLIES).filter(|sign| HEEDED.contains(&sign.name));
    BOUNCES.iter().chain(heeded).find(|sign| sign.is_borne_by(&message))
}

/// Whether the body of X-Auto-Response-Suppress asks for no automatic reply of any kind (MS-OXCMAIL, 2.1.3.2.20).
pub fn suppresses(value: &str) -> bool {
    let has = |word| value.split(',').any(|found| found.trim().eq_ignore_ascii_case(word));
    has("All") || (has("OOF") && has("AutoReply"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Field;
    use crate::mail::report::Nature;

    #[track_caller]
    fn check(reverse_path: &str, header: &[&str], expected: &str) {
        check_with_body(reverse_path, header, None, expected);
    }

    #[track_caller]
    fn check_with_body(reverse_path: &str, header: &[&str], nature: Option<Nature>, expected: &str) {
        let fields = header.iter().map(|field| field.split_once(": ").unwrap());
        let header: Header = fields.map(|(name, value)| Field::new(name, value)).collect();
        let report = nature.map(|nature| Report { nature: Some(nature), ..Report::default() });
        let (what, sign) = recognise_leaving(&header, &ReversePath::parse(reverse_path), report.as_ref());
        let what = match what {
            Some(Automatic::Reply) => "reply",
            Some(Automatic::Bounce) => "bounce",
            None => "-",
        };
        let found = format!("{what} {}", sign.map_or("-", |sign| sign.name));
        assert_eq!(found, expected, "{header:?}");
    }

    #[test]
    fn signs() {
        let report = |kind: &str| format!("Content-Type: multipart/report; report-type={kind}; boundary=x");
        let (dsn, mdn) = (report("delivery-status"), report("disposition-notification"));
        // As Postfix, Sendmail and Dovecot write them.
        check("<>", &["Auto-Submitted: auto-replied", &dsn], "bounce delivery-status");
        check("<>", &["Auto-Submitted: auto-generated (failure)", &dsn], "bounce delivery-status");
        check(
            "<>",
            &["Auto-Submitted: auto-replied (rejected)", &mdn, "Precedence: bulk"],
            "bounce rejected",
        );
        check("<>", &["Auto-Submitted: auto-replied (vacation)", "Precedence: bulk"], "reply auto-replied");
        check("<a@example.org>", &["auto-submitted: Auto-Replied; owner-email=\"x\""], "reply auto-replied");
        check("<a@example.org>", &["Auto-Submitted: (x(y)) auto-replied(z);a=b"], "reply auto-replied");
        check("<a@example.org>", &["Auto-Submitted: \r\n\tauto-replied"], "reply auto-replied");
        check("<>", &["Precedence: bulk", "In-Reply-To: <1@x>"], "reply vacation");
        check("<>", &["X-Autoreply: yes"], "reply responder");
        check("<>", &["Precedence: auto_reply"], "reply precedence-auto-reply");
        // What nobody answers with.
        check("<a@example.org>", &[&dsn], "- -");
        check("<shop@example.org>", &["Auto-Submitted: auto-generated"], "- auto-generated");
        check("<>", &["Auto-Submitted: auto-notified; owner-email=x"], "- auto-notified");
        check("<>", &[&mdn], "- receipt");
        check("<a@example.org>", &["Auto-Submitted: auto-replied", &mdn], "- receipt");
        check("<>", &[&report("feedback-report")], "- feedback-report");
        check("<>", &[&report("tlsrpt")], "- tls-report");
        check("<>", &["Subject: Report Domain: example.org Submitter: x Report-ID: <1>"], "- dmarc-report");
        // A vacation notice whose subject is that of what it answers.
        let subject = "Subject: Report Domain: example.org Submitter: x Report-ID: <1>";
        check("<>", &["Auto-Submitted: auto-replied", subject], "reply auto-replied");
        check("<a@example.org>", &["Auto-Submitted: auto-replied", subject], "reply auto-replied");
        check("<>", &["X-Autoreply: yes", "In-Reply-To: <1@x>", subject], "reply responder");
        check("<>", &["Precedence: bulk", "References: <1@x>", subject], "reply vacation");
        check("<d@example.org>", &["Auto-Submitted: auto-generated", subject], "- auto-generated");
        check("<a@example.org>", &["Content-Type: text/calendar; method=REPLY"], "- calendar");
        check(
            "<list-bounces@example.org>",
            &["List-Id: <l.example.org>", "Auto-Submitted: auto-replied"],
            "- list",
        );
        check("<a@example.org>", &["Precedence: bulk", "In-Reply-To: <1@x>"], "- -");
        check("<>", &["Precedence: bulk"], "- -");
        check("<a@example.org>", &["Auto-Submitted: no"], "- -");
        check("<a@example.org>", &["Auto-Submitted: auto-replied-not"], "- -");
        check("<a@example.org>", &["Auto-Submitted: (auto-replied"], "- -");
        check("<a@example.org>", &["X-Autoreply: yes"], "- -");
        check("<a@example.org>", &[], "- -");
    }

    #[test]
    fn what_the_body_says() {
        let mdn = "Content-Type: multipart/report; report-type=disposition-notification; boundary=x";
        let replied = "Auto-Submitted: auto-replied";
        check_with_body("<>", &[mdn, replied], Some(Nature::ReceiptByHand), "- receipt");
        check_with_body("<>", &[mdn, replied], Some(Nature::Receipt), "reply automatic-receipt");
        check_with_body("<>", &[mdn, replied], Some(Nature::Refusal), "bounce rejected");
        // Nobody refuses by a receipt without saying so; this is one for what went unread.
        check_with_body("<>", &[mdn], Some(Nature::Refusal), "reply automatic-receipt");
        check_with_body("<a@example.org>", &[mdn], Some(Nature::Receipt), "reply automatic-receipt");
        let mixed = "Content-Type: multipart/mixed; boundary=x";
        check_with_body("<>", &[mixed, replied], Some(Nature::Calendar), "- calendar");
        check_with_body("<>", &[mixed], Some(Nature::Bounce), "bounce bounce-text");
        check_with_body("<a@example.org>", &[mixed], Some(Nature::Bounce), "- -");
    }
}
