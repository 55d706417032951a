//! Messages that programs send in answer to messages: automatic replies and bounces, by the signs that they bear.
//!
//! One table for each question, in the order of asking; every sign with where it is written down. What a program sends
//! of its own accord (orders, tickets, reports, lists, calendars) is neither.

use super::media_type::MediaType;
use super::{Header, ReversePath};

/// What a message is, if a program sent it in answer to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Automatic {
    /// An automatic reply: vacation notices and the like (RFC 3834).
    Reply,
    /// A bounce: a delivery status notification (RFC 3464), or what a mailbox refuses with (RFC 5429).
    Bounce,
}

/// One sign.
#[derive(Debug)]
pub struct Sign {
    /// A stable word for it, for the log.
    pub name: &'static str,
    /// Where it is written down, or who is known to send it.
    pub source: &'static str,
    bears: fn(&Message<'_>) -> bool,
}

/// A message as far as signs look at it.
struct Message<'a> {
    header: &'a Header,
    is_null: bool,
    media_type: Option<MediaType>,
    /// The first word of Auto-Submitted, in lower case; empty where there is none.
    auto_submitted: String,
}

/// Bounces. They come first, as some of them call themselves replies, and others generated.
pub static BOUNCES: [Sign; 2] = [
    Sign {
        name: "delivery-status",
        source: "RFC 3464, 2; RFC 6522, 3",
        bears: |message| message.is_null && message.is_report("delivery-status"),
    },
    Sign {
        name: "rejected",
        source: "RFC 5429, 2.2.1; Dovecot's reject and its notices of full mailboxes",
        bears: |message| {
            message.is_null
                && message.is_report("disposition-notification")
                && message.auto_submitted == "auto-replied"
        },
    },
];

/// What is neither, whatever else it looks like.
pub static EXEMPT: [Sign; 8] = [
    Sign {
        name: "list",
        source: "RFC 2919, 3; RFC 3834, 5",
        bears: |message| message.has("List-Id") || message.precedence() == "list",
    },
    Sign {
        name: "auto-generated",
        source: "RFC 3834, 5: orders, tickets, cron",
        bears: |message| message.auto_submitted == "auto-generated",
    },
    Sign {
        name: "auto-notified",
        source: "RFC 5436, 2.7.1: notifications of mail",
        bears: |message| message.auto_submitted == "auto-notified",
    },
    Sign {
        name: "disposition-notification",
        source: "RFC 8098, 3: receipts, which people send, or have sent",
        bears: |message| message.is_report("disposition-notification"),
    },
    Sign {
        name: "feedback-report",
        source: "RFC 5965, 2",
        bears: |message| message.is_report("feedback-report"),
    },
    Sign {
        name: "tls-report",
        source: "RFC 8460, 5.3",
        bears: |message| message.is_report("tlsrpt") || message.has("TLS-Report-Domain"),
    },
    Sign {
        name: "dmarc-report",
        source: "RFC 7489, 7.2.1.1",
        bears: |message| {
            let subject = message.value("Subject").to_ascii_lowercase();
            subject.starts_with("report domain:") && subject.contains("submitter:")
        },
    },
    Sign {
        name: "calendar",
        source: "RFC 6047, 2.4: replies to invitations",
        bears: |message| message.media_type.as_ref().is_some_and(|kind| kind.essence == "text/calendar"),
    },
];

/// What somebody's mailbox passes on: whatever it is, it was not made here. Only of mail that leaves this tells anything, as
/// strangers write what they like.
pub static PASSED_ON: [Sign; 3] = [
    Sign {
        name: "redirected",
        source: "redirect of Pigeonhole, Dovecot's Sieve",
        bears: |message| message.has("X-Sieve-Redirected-From"),
    },
    Sign {
        name: "resent",
        source: "RFC 5322, 3.6.6",
        bears: |message| message.has("Resent-From") || message.has("Resent-Sender"),
    },
    Sign {
        name: "delivered",
        source: "Postfix's local(8), qmail, Dovecot: a mailbox has had it already",
        bears: |message| message.has("Delivered-To"),
    },
];

/// Automatic replies.
pub static REPLIES: [Sign; 4] = [
    Sign {
        name: "auto-replied",
        source: "RFC 3834, 5",
        bears: |message| message.auto_submitted == "auto-replied",
    },
    Sign {
        name: "x-autoreply",
        source: "gnarwl, autoreply plug-ins of webmailers",
        bears: |message| {
            message.is_null && ["X-Autoreply", "X-Autorespond"].iter().any(|name| message.has(name))
        },
    },
    Sign {
        name: "precedence-auto-reply",
        source: "programs of cPanel and Exim's autoreply recipes",
        bears: |message| message.is_null && message.precedence() == "auto_reply",
    },
    Sign {
        name: "vacation",
        source: "vacation(1) before it knew Auto-Submitted: bulk that answers a message",
        bears: |message| {
            let bulk = ["bulk", "junk"].contains(&message.precedence().as_str());
            message.is_null && bulk && message.has("In-Reply-To")
        },
    },
];

/// What a message is, with the sign by which that is seen; the sign for which it is neither; or nothing at all.
pub fn recognise(header: &Header, reverse_path: &ReversePath) -> (Option<Automatic>, Option<&'static Sign>) {
    let message = Message::read(header, reverse_path);
    let first = |signs: &'static [Sign]| signs.iter().find(|sign| (sign.bears)(&message));
    if let Some(sign) = first(&BOUNCES) {
        return (Some(Automatic::Bounce), Some(sign));
    }
    if let Some(sign) = first(&EXEMPT) {
        return (None, Some(sign));
    }
    first(&REPLIES).map_or((None, None), |sign| (Some(Automatic::Reply), Some(sign)))
}

/// The sign for which programs that answer leave a message alone by themselves (RFC 3834, 2). They know no others, so no
/// other one in a stranger's message says that it is answered by nobody.
pub fn unanswered(header: &Header, reverse_path: &ReversePath) -> Option<&'static Sign> {
    const HEEDED: [&str; 4] = ["list", "auto-generated", "auto-notified", "auto-replied"];
    let message = Message::read(header, reverse_path);
    let heeded = EXEMPT.iter().chain(&REPLIES).filter(|sign| HEEDED.contains(&sign.name));
    BOUNCES.iter().chain(heeded).find(|sign| (sign.bears)(&message))
}

/// What [`recognise`] says, of a message that leaves: it is neither if somebody's mailbox only passes it on.
pub fn recognise_leaving(
    header: &Header,
    reverse_path: &ReversePath,
) -> (Option<Automatic>, Option<&'static Sign>) {
    let message = Message::read(header, reverse_path);
    match PASSED_ON.iter().find(|sign| (sign.bears)(&message)) {
        Some(sign) => (None, Some(sign)),
        None => recognise(header, reverse_path),
    }
}

impl<'a> Message<'a> {
    fn read(header: &'a Header, reverse_path: &ReversePath) -> Self {
        let value = |name| header.all(name).next().map(|field| field.value.as_str());
        let auto_submitted = value("Auto-Submitted").unwrap_or_default().trim_start();
        let end = auto_submitted.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        Message {
            header,
            is_null: *reverse_path == ReversePath::Null,
            media_type: value("Content-Type").and_then(MediaType::parse),
            auto_submitted: auto_submitted[..end.unwrap_or(auto_submitted.len())].to_ascii_lowercase(),
        }
    }

    fn has(&self, name: &'static str) -> bool {
        self.header.all(name).next().is_some()
    }

    fn value(&self, name: &'static str) -> &str {
        self.header.all(name).next().map_or("", |field| field.value.trim())
    }

    fn precedence(&self) -> String {
        self.value("Precedence").to_ascii_lowercase()
    }

    fn is_report(&self, kind: &str) -> bool {
        self.media_type.as_ref().is_some_and(|found| found.is("multipart/report", "report-type", kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Field;

    #[track_caller]
    fn check(reverse_path: &str, header: &[&str], expected: &str) {
        let fields = header.iter().map(|field| field.split_once(": ").unwrap());
        let header: Header = fields.map(|(name, value)| Field::new(name, value)).collect();
        let (what, sign) = recognise(&header, &ReversePath::parse(reverse_path));
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
        check("<>", &["Precedence: bulk", "In-Reply-To: <1@x>"], "reply vacation");
        check("<>", &["X-Autoreply: yes"], "reply x-autoreply");
        check("<>", &["Precedence: auto_reply"], "reply precedence-auto-reply");
        // What nobody answers with.
        check("<a@example.org>", &[&dsn], "- -");
        check("<shop@example.org>", &["Auto-Submitted: auto-generated"], "- auto-generated");
        check("<>", &["Auto-Submitted: auto-notified; owner-email=x"], "- auto-notified");
        check("<>", &[&mdn], "- disposition-notification");
        check("<a@example.org>", &["Auto-Submitted: auto-replied", &mdn], "- disposition-notification");
        check("<>", &[&report("feedback-report")], "- feedback-report");
        check("<>", &[&report("tlsrpt")], "- tls-report");
        check("<>", &["Subject: Report Domain: example.org Submitter: x Report-ID: <1>"], "- dmarc-report");
        check("<a@example.org>", &["Content-Type: text/calendar; method=REPLY"], "- calendar");
        check(
            "<list-bounces@example.org>",
            &["List-Id: <l.example.org>", "Auto-Submitted: auto-replied"],
            "- list",
        );
        check("<a@example.org>", &["Precedence: bulk", "In-Reply-To: <1@x>"], "- -");
        check("<>", &["Precedence: bulk"], "- -");
        check("<a@example.org>", &["Auto-Submitted: no"], "- -");
        check("<a@example.org>", &[], "- -");
    }
}
